//! A thought at work: streams a model's answer into the call.

use std::sync::Arc;

use futures_util::StreamExt;

use crate::agent::conversation::Request;
use crate::agent::event::{Delta, Input, ThoughtId};
use crate::call::event;
use crate::engine::mailbox::Mailbox;
use crate::providers::model::Model;

/// Thinks until the answer is complete or failed; dropping the future abandons the thought.
pub async fn think(model: Arc<dyn Model>, thought: ThoughtId, request: Request, mailbox: Mailbox) {
    let mut answer = model.think(request);
    loop {
        let delta = match answer.next().await {
            Some(Ok(delta)) => delta,
            Some(Err(why)) => {
                tracing::warn!(%why, "the model failed");
                Delta::Failed
            }
            // A stream that ends without a word about it was cut.
            None => Delta::Failed,
        };
        let last = matches!(delta, Delta::Done | Delta::Failed);
        let input = event::Input::Mind(Input::Thought { thought, delta });
        if mailbox.deliver(input).await.is_err() || last {
            return;
        }
    }
}
