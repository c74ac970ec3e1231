//! Speech to text, on this machine.

#[cfg(feature = "whisper")]
mod ggml;
mod floor;
mod recording;

pub mod jsgf;
pub mod pocketsphinx;
mod pocketsphinx_sys;

#[cfg(feature = "whisper")]
pub mod whisper;

#[cfg(test)]
mod rehearsal;
