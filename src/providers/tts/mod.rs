//! Text to speech, on this machine.

pub mod cache;
pub mod espeak;
pub mod flite;
mod flite_sys;
mod plain;
