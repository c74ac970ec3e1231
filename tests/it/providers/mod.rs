//! Providers against their protocols.

mod deepgram;
mod openai_compatible;
