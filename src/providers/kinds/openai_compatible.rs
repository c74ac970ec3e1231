//! `kind = "openai-compatible"`: whoever speaks OpenAI's chat completions at a `base_url`. Those of
//! whom everybody knows where they are have kinds of their own.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::llm::openai_compatible::{OpenAiCompatible, Settings};
use crate::providers::model::Model;

/// The kind.
pub const KIND: Kind = Kind { thinks: Some(anywhere), ..Kind::named("openai-compatible") };

/// `kind = "groq"`.
pub const GROQ: Kind = Kind {
    thinks: Some(|asked| at("https://api.groq.com/openai/v1", asked)),
    ..Kind::named("groq")
};

/// `kind = "mistral"`.
pub const MISTRAL: Kind =
    Kind { thinks: Some(|asked| at("https://api.mistral.ai/v1", asked)), ..Kind::named("mistral") };

/// `kind = "ollama"`.
pub const OLLAMA: Kind =
    Kind { thinks: Some(|asked| at("http://127.0.0.1:11434/v1", asked)), ..Kind::named("ollama") };

/// `kind = "llama-cpp"`.
pub const LLAMA_CPP: Kind = Kind {
    thinks: Some(|asked| at("http://127.0.0.1:8080/v1", asked)),
    ..Kind::named("llama-cpp")
};

/// `kind = "vllm"`.
pub const VLLM: Kind =
    Kind { thinks: Some(|asked| at("http://127.0.0.1:8000/v1", asked)), ..Kind::named("vllm") };

fn anywhere(asked: &Asked<'_>) -> Result<Arc<dyn Model>, ProviderError> {
    let base_url = asked.spec.base_url.as_deref().ok_or_else(|| asked.lacks("base_url"))?;
    at(base_url, asked)
}

fn at(base_url: &str, asked: &Asked<'_>) -> Result<Arc<dyn Model>, ProviderError> {
    Ok(Arc::new(OpenAiCompatible::new(Settings::of(asked, (base_url, None))?)?))
}
