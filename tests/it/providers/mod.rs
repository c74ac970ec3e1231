//! Providers against their protocols.

mod anthropic;
mod deepgram;
mod elevenlabs;
mod openai;
mod openai_compatible;
