//! Stand-ins for vendors, over their real protocols: they check what we send, answer what they are
//! told to, and misbehave when they are asked. Tests and benchmarks use them.

pub mod anthropic;
pub mod assemblyai;
pub mod aura;
pub mod azure_voice;
pub mod band;
pub mod cartesia;
pub mod chat;
pub mod code;
pub mod deepgram;
pub mod duplex;
pub mod ear;
pub mod elevenlabs;
pub mod gemini;
pub mod gladia;
pub mod google;
pub mod mind;
mod mouth;
pub mod openai;
pub mod orchestra;
pub mod piper;
pub mod proxy;
pub mod realtime;
pub mod responses;
pub mod stand;
pub mod throat;
mod web;
