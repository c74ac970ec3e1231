//! Samples and what is done with them: frames, codecs, resampling, concealment, the speech gate.

pub mod beep;
pub mod codec;
pub mod coder;
pub mod conceal;
pub mod dtmf;
pub mod echo;
pub mod frame;
pub mod g711;
pub mod g722;
pub mod library;
pub mod mix;
pub mod noise;
pub mod ogg;
pub mod packing;
pub mod pitch;
pub mod resample;
pub mod speech;
pub mod stretch;
pub mod tone;
pub mod wav;
