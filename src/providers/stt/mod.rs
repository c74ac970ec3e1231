//! Speech to text: on this machine, and by vendors.

mod floor;
#[cfg(feature = "whisper")]
mod ggml;
mod recording;
mod socket;
mod trouble;

pub mod deepgram;
pub mod jsgf;
pub mod openai;
pub mod pocketsphinx;
mod pocketsphinx_sys;

#[cfg(feature = "whisper")]
pub mod whisper;

#[cfg(test)]
mod rehearsal;
