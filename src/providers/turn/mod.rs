//! Smart Turn: a network that hears whether a turn is over.

pub mod features;
pub mod pool;
#[cfg(feature = "ort")]
pub mod smart;
