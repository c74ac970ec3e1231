//! Models for the engines of this machine.

pub mod catalogue;
