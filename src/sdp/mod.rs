//! Session descriptions (RFC 8866) and offer/answer (RFC 3264) for audio.

pub mod crypto;
pub mod keying;
pub mod line;
pub mod negotiate;
pub mod opus;
pub mod refusal;
pub mod session;
pub mod web;
