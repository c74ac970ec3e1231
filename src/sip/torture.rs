//! Torture messages of our own.
