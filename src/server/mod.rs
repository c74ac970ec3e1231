//! Puts the house together and takes it down.

pub mod running;
