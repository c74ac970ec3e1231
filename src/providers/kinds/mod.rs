//! The kinds of providers that are reached over a network, a file for each.

mod deepgram;
mod elevenlabs;
mod openai_compatible;

pub mod table;
