//! Text to speech: on this machine, and by vendors.

mod body;
mod contexts;
mod over_http;
mod over_socket;
mod plain;
mod settings;
mod sound;

pub mod aura;
pub mod azure;
pub mod cache;
pub mod cartesia;
pub mod elevenlabs;
pub mod espeak;
pub mod flite;
mod flite_sys;
pub mod google;
pub mod openai;
#[cfg(feature = "ort")]
pub mod piper;
