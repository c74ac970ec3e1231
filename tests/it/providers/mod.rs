//! Providers against their protocols.

mod deepgram;
mod elevenlabs;
mod openai_compatible;
