//! Text to speech: on this machine, and by vendors.

mod body;

pub mod cache;
pub mod elevenlabs;
pub mod espeak;
pub mod flite;
mod flite_sys;
pub mod openai;
mod plain;
