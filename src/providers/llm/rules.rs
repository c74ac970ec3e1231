//! The model without a model: answers by the intents of the agent, at once and always the same.

use std::sync::Arc;

use futures_util::future::{self, BoxFuture, FutureExt};
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::agent::assistant::Assistant;
use crate::agent::conversation::Request;
use crate::agent::event::Delta;
use crate::agent::intents::compile::Compiled;
use crate::agent::intents::dialogue::Dialogue;
use crate::agent::tool::ToolCall;
use crate::providers::error::ProviderError;
use crate::providers::model::Model;

/// The `rules` model of one agent.
#[derive(Debug, Clone)]
pub struct Rules {
    dialogue: Dialogue,
}

impl Rules {
    /// Makes the model; `compiled` is made of the agent's intents.
    pub fn new(assistant: Arc<Assistant>, compiled: Arc<Compiled>) -> Self {
        Self { dialogue: Dialogue::new(compiled, assistant) }
    }
}

impl Model for Rules {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        future::ready(Ok(())).boxed()
    }

    fn think(&self, request: Request) -> BoxStream<'static, Result<Delta, ProviderError>> {
        let reply = self.dialogue.reply(&request.messages);
        let text = (!reply.text.is_empty()).then_some(Delta::Text(reply.text));
        // Unique within the conversation, and the same when the same thought is thought again.
        let id = format!("rules-{}", request.messages.len());
        let tool = reply.tool.map(|(name, arguments)| {
            Delta::Tool(ToolCall { id, name: name.to_owned(), arguments })
        });
        stream::iter(text.into_iter().chain(tool).chain([Delta::Done]).map(Ok)).boxed()
    }
}
