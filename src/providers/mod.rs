//! Vendors and models behind five seams: Detector, Transcriber, Model, Voice (and Realtime later).

pub mod detector;
pub mod error;
pub mod model;
pub mod transcriber;
pub mod voice;

mod workers;

pub mod stt;
pub mod tts;
