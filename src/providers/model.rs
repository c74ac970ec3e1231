//! The seam of thinking: a conversation in, a stream of words and tool calls out.

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::agent::conversation::Request;
use crate::agent::event::Delta;
use crate::providers::error::ProviderError;

/// A language model, or something that answers like one; shared by all calls.
pub trait Model: Send + Sync {
    /// Opens connections or loads what is needed. A failure here is told to the operator and is
    /// not yet the end: the provider may come up later.
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>>;

    /// A call begins that will ask: opens a connection, unless there is one. Costs nothing that is
    /// worth waiting for.
    fn call_begins(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }

    /// The name of the model, if it has one.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Answers. The stream ends with `Delta::Done` or an error; `Delta::Failed` is never in it.
    /// Dropping the stream stops the work and closes the connection. Time-outs for the first and
    /// each next byte are kept inside.
    fn think(&self, request: Request) -> BoxStream<'static, Result<Delta, ProviderError>>;
}
