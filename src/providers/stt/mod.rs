//! Speech to text: on this machine, and by vendors.

mod floor;
#[cfg(feature = "whisper")]
mod ggml;
mod judged;
mod pace;
mod recording;
mod socket;
mod trouble;
mod words;

pub mod assemblyai;
pub mod deepgram;
pub mod gladia;
pub mod jsgf;
pub mod openai;
pub mod pocketsphinx;
mod pocketsphinx_sys;
pub mod realtime;

#[cfg(feature = "whisper")]
pub mod whisper;

#[cfg(test)]
mod rehearsal;
