//! Speech detection by Silero VAD v6.2: our own kernel, and ONNX Runtime as its oracle.

pub mod benchmark;
pub mod kernel;
pub mod lanes;
pub mod network;
#[cfg(feature = "ort")]
pub mod ort;
pub mod protobuf;
pub mod registry;
#[cfg(test)]
pub mod speech;
pub mod weights;
