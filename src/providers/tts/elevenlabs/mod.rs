//! ElevenLabs: speech over a socket that many clauses share, and over HTTP.

mod settings;
mod socket;

pub mod voice;
