//! Models that think: the agent's own rules, and language models behind an address.

mod answer;

pub mod anthropic;
pub mod openai_compatible;
pub mod rules;
