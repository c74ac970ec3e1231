//! Providers against their protocols.

mod deepgram;
mod duplex;
mod ears;
mod elevenlabs;
mod minds;
mod openai;
mod openai_compatible;
mod voices;
