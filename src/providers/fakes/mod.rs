//! Stand-ins for vendors, over their real protocols: they check what we send, answer what they are
//! told to, and misbehave when they are asked. Tests and benchmarks use them.

pub mod anthropic;
pub mod band;
pub mod chat;
pub mod code;
pub mod deepgram;
pub mod elevenlabs;
pub mod gemini;
pub mod mind;
pub mod openai;
pub mod responses;
pub mod stand;
mod web;
