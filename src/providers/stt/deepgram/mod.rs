//! Deepgram: what it hears in streams, with its older interface and with Flux.

mod flux;
mod listen;
mod settings;

pub mod transcriber;
