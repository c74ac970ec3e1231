//! Samples and what is done with them: frames, codecs, resampling, concealment, the speech gate.

pub mod codec;
pub mod frame;
pub mod speech;
