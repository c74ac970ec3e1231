//! Models that think: the agent's own rules, and language models behind an address.

mod answer;
mod settings;
mod sides;

pub mod anthropic;
pub mod gemini;
pub mod openai_compatible;
pub mod responses;
pub mod rules;
