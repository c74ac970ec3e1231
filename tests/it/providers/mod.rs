//! Providers against their protocols.

mod anthropic;
mod deepgram;
mod elevenlabs;
mod openai_compatible;
