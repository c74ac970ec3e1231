//! The audio of one leg: what arrives, what is heard, what is played, what is recorded.

pub mod event;
pub mod port;

pub mod playout;
pub mod receive;
pub mod record;
pub mod send;
pub mod source;
pub mod tap;

#[cfg(test)]
mod bench;
