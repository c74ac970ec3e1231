//! Speech to text, on this machine.

mod floor;
#[cfg(feature = "whisper")]
mod ggml;
mod recording;

pub mod jsgf;
pub mod pocketsphinx;
mod pocketsphinx_sys;

#[cfg(feature = "whisper")]
pub mod whisper;

#[cfg(test)]
mod rehearsal;
