//! Which detector the operator wants.

use std::path::Path;

use crate::providers::detector::Detector;
use crate::providers::error::ProviderError;
use crate::providers::vad::kernel::Kernel;

/// The ways to run Silero VAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Our own kernel.
    #[default]
    Kernel,
    /// ONNX Runtime, loaded at run time; only in builds with the feature `ort`.
    Ort,
}

/// Opens a detector over the official `silero_vad.onnx` at `model`.
///
/// # Errors
/// When the model or the library is missing or another one, or this build has no such detector.
pub fn open(kind: Kind, model: &Path) -> Result<Box<dyn Detector>, ProviderError> {
    match kind {
        Kind::Kernel => Ok(Box::new(Kernel::load(model)?)),
        #[cfg(feature = "ort")]
        Kind::Ort => Ok(Box::new(crate::providers::vad::ort::Ort::load(model)?)),
        #[cfg(not(feature = "ort"))]
        Kind::Ort => Err(ProviderError::lasting(
            "silero",
            "this build has no ONNX Runtime: build it with `--features ort`",
        )),
    }
}
