//! Understanding without a model: phrases with slots become a grammar, a matcher and a dialogue.

pub mod clock;
pub mod compile;
pub mod dialogue;
pub mod grammar;
pub mod instructions;
pub mod matcher;
pub mod numerals;
pub mod pattern;
pub mod sentences;
pub mod slot;
pub mod tokens;
pub mod tongue;
