//! The audio of one leg: what arrives, what is heard, what is played, what is recorded.

pub mod event;
