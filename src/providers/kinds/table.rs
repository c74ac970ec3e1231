//! The table of the kinds.

use super::{
    anthropic, assemblyai, azure, cartesia, deepgram, elevenlabs, gemini, gladia, google, openai,
    openai_compatible,
};
use crate::providers::kind::Kind;

/// The kind of this name.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// All of them.
pub const KINDS: &[Kind] = &[
    openai_compatible::KIND,
    openai_compatible::GROQ,
    openai_compatible::MISTRAL,
    openai_compatible::OLLAMA,
    openai_compatible::LLAMA_CPP,
    openai_compatible::VLLM,
    openai::KIND,
    anthropic::KIND,
    gemini::KIND,
    deepgram::KIND,
    assemblyai::KIND,
    gladia::KIND,
    elevenlabs::KIND,
    cartesia::KIND,
    azure::KIND,
    google::KIND,
];
