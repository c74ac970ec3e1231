//! Providers against their protocols.

mod deepgram;
mod elevenlabs;
mod minds;
mod openai;
mod openai_compatible;
mod voices;
