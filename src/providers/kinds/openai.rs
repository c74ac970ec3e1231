//! `kind = "openai"`: hears, thinks and speaks over HTTP; with `api = "realtime"` it hears in streams,
//! with `api = "responses"` it thinks by its newer interface. It also does all three in one. With a `base_url`, whoever imitates it.

use std::sync::Arc;

use crate::providers::duplex::openai::OpenAiRealtime;
use crate::providers::duplex::settings as duplex;
use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::llm::openai_compatible::{OpenAiCompatible, Settings};
use crate::providers::llm::responses::Responses;
use crate::providers::model::Model;
use crate::providers::realtime::Realtime;
use crate::providers::stt::openai::{self as stt, OpenAiTranscriber};
use crate::providers::stt::realtime::RealtimeTranscriber;
use crate::providers::transcriber::Transcriber;
use crate::providers::tts::openai::{self as tts, OpenAiVoice};
use crate::providers::voice::Voice;

/// The kind.
pub const KIND: Kind = Kind {
    name: "openai",
    hears: Some(hears),
    thinks: Some(thinks),
    speaks: Some(speaks),
    converses: Some(converses),
};

// The model of the table is the one that thinks: the other two have usual ones.

fn hears(asked: &Asked<'_>) -> Result<Arc<dyn Transcriber>, ProviderError> {
    let model = asked.choice.model.clone();
    let settings = stt::Settings {
        name: asked.name.to_owned(),
        base_url: asked.base_url(BASE_URL),
        api_key: asked.spec.api_key.clone(),
        headers: asked.spec.headers.clone(),
        model: model.unwrap_or_else(|| "gpt-4o-mini-transcribe".to_owned()),
        timeout: asked.spec.timeout,
    };
    Ok(match asked.spec.api.as_deref() {
        Some("realtime") => Arc::new(RealtimeTranscriber::new(settings)?),
        _ => Arc::new(OpenAiTranscriber::new(settings)?),
    })
}

fn thinks(asked: &Asked<'_>) -> Result<Arc<dyn Model>, ProviderError> {
    let settings = Settings::of(asked, (BASE_URL, None))?;
    Ok(match asked.spec.api.as_deref() {
        Some("responses") => Arc::new(Responses::new(settings)?),
        _ => Arc::new(OpenAiCompatible::new(settings)?),
    })
}

fn speaks(asked: &Asked<'_>) -> Result<Arc<dyn Voice>, ProviderError> {
    let settings = tts::Settings::with_voice(asked, (BASE_URL, "gpt-4o-mini-tts"), "marin");
    Ok(Arc::new(OpenAiVoice::new(settings)?))
}

fn converses(asked: &Asked<'_>) -> Result<Arc<dyn Realtime>, ProviderError> {
    let settings = duplex::Settings::of(asked, (BASE_URL, "gpt-realtime-2", "marin"))?;
    Ok(Arc::new(OpenAiRealtime::new(settings)?))
}

const BASE_URL: &str = "https://api.openai.com/v1";
