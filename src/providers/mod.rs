//! Vendors and models behind six seams: Detector, TurnModel, Transcriber, Model, Voice, Realtime.

pub mod denoiser;
pub mod detector;
pub mod error;
pub mod model;
pub mod opus;
pub mod realtime;
pub mod transcriber;
pub mod turn_model;
pub mod voice;

pub mod http;
#[cfg(feature = "ort")]
mod onnx;
pub mod websocket;
mod workers;

pub mod duplex;
pub mod framings;
pub mod llm;
pub mod stt;
pub mod tts;
pub mod turn;
pub mod vad;

pub mod fakes;
pub mod kind;
pub mod kinds;

pub mod models;

// What agents can have done.
pub mod tools;

// What is played.
pub mod sound_file;

pub mod registry;
