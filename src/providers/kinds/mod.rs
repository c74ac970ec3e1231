//! The kinds of providers that are reached over a network, a file for each.

mod anthropic;
mod assemblyai;
mod azure;
mod cartesia;
mod deepgram;
mod elevenlabs;
mod gemini;
mod gladia;
mod google;
mod openai;
mod openai_compatible;

pub mod table;
