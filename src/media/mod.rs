//! The audio of one leg: what arrives, what is heard, what is played, what is recorded.

pub mod event;
pub mod link;
pub mod port;

pub mod armour;
pub mod decoding;
pub mod inlet;
pub mod jitter;
pub mod keys;
pub mod lane;
pub mod music;
pub mod playout;
pub mod receive;
pub mod record;
pub mod relay;
pub mod send;
pub mod silence;
pub mod source;
pub mod tap;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod bridges;
#[cfg(test)]
mod secured;
#[cfg(test)]
mod wide;
