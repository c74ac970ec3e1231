//! The seam of speech to speech: one model that hears, thinks and speaks. In a call it takes the
//! seats of a transcriber, a model and a voice; whose turn it is stays with the agent's session.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::agent::event::{Portion, ThoughtId, Utterance};
use crate::agent::tool::{Tool, ToolCall, ToolResult};
use crate::base::language::Language;
use crate::providers::error::ProviderError;
use crate::providers::model::Model;
use crate::providers::transcriber::{Context, Transcriber};
use crate::providers::voice::Voice;

/// A model that hears and speaks; shared by all calls.
pub trait Realtime: Send + Sync {
    /// Asks whether the key and the model are right.
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>>;

    /// A call begins: gives who hears, thinks and speaks in it. What that needs is opened in the
    /// background, and closed when the last of it is dropped.
    fn begin(&self, context: Context) -> Arc<dyn Talk>;

    /// What tells it from others: model, voice.
    fn identity(&self) -> String;

    /// The same model as it takes calls by SIP, if it does.
    fn outside(&self) -> Option<Arc<dyn Outside>> {
        None
    }
}

/// A model that is called by SIP, as an agent of ours, and is led by a socket beside.
pub trait Outside: Send + Sync {
    /// Takes the call that waits there by this name, and leads it until it is over or nobody wants
    /// to know any more. Fails only when the call is not taken.
    fn take(
        &self,
        call: String,
        errand: Errand,
        ends: Ends,
    ) -> BoxFuture<'static, Result<(), ProviderError>>;
}

/// What a model outside is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Errand {
    /// The agent's instructions.
    pub instructions: String,
    /// What is said first; without it the caller speaks first.
    pub first_message: Option<String>,
    /// The tools that it may call.
    pub tools: Vec<Tool>,
    /// What the caller speaks.
    pub language: Language,
}

/// How it is heard, and answered.
#[derive(Debug)]
pub struct Ends {
    /// What it tells.
    pub told: mpsc::Sender<Told>,
    /// What came of the tools that it called.
    pub results: mpsc::Receiver<ToolResult>,
}

/// What a model outside tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It takes the call.
    Taken,
    /// The caller said this.
    Heard(String),
    /// It said this.
    Spoke {
        /// The words, as far as they were heard.
        text: String,
        /// Whether the caller interrupted them.
        interrupted: bool,
    },
    /// It calls a tool.
    Wants(ToolCall),
    /// It wants the call to end, and has said all.
    Over,
}

/// One call in the hands of such a model. Its transcriber writes down what the model hears anyhow;
/// its thoughts are spoken while they are thought ([`Voice::own`]); its voice says other lines,
/// too. Every method returns at once.
pub trait Talk: Transcriber + Model + Voice {
    /// The caller's leg speaks this.
    fn attune(&self, format: Format);

    /// Nobody wants the thought any more, whether it is complete or not.
    fn abandon(&self, thought: ThoughtId);

    /// The session says a line of its own, whoever speaks it.
    fn said(&self, utterance: &Utterance);

    /// So much was heard of what was being said.
    fn cut(&self, portions: Vec<Portion>);
}

/// How samples travel to the model and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// G.711 µ-law, as on the leg.
    Pcmu,
    /// G.711 A-law, as on the leg.
    Pcma,
    /// Linear samples, at the rate that the vendor likes best.
    #[default]
    Linear,
}

impl std::fmt::Debug for dyn Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Talk({})", self.identity())
    }
}
