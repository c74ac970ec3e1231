//! Vendors and models behind five seams: Detector, Transcriber, Model, Voice (and Realtime later).

pub mod detector;
pub mod error;
pub mod model;
pub mod opus;
pub mod transcriber;
pub mod voice;

pub mod http;
mod workers;

pub mod llm;
pub mod stt;
pub mod tts;
pub mod vad;

// What is played.
pub mod sound_file;

pub mod registry;
