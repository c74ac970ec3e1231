//! Vendors and models behind five seams: Detector, Transcriber, Model, Voice (and Realtime later).

pub mod detector;
pub mod error;
pub mod model;
pub mod transcriber;
pub mod vad;
pub mod voice;
