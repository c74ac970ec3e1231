//! Piper voices: networks of this machine that speak phonemes.

mod description;
mod network;
mod phonemes;
pub mod voice;
