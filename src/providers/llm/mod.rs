//! Models that think: the agent's own rules, and language models behind an address.

pub mod openai_compatible;
pub mod rules;
