//! The seam of speaking: a clause in, a stream of samples out.

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::agent::event::Utterance;
use crate::audio::frame::Frame;
use crate::providers::error::ProviderError;

/// Turns text into speech; shared by all calls.
pub trait Voice: Send + Sync {
    /// Loads what is needed and speaks something once into nothing.
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>>;

    /// A call begins that will hear it: opens a connection, unless there is one. Costs nothing that
    /// is worth waiting for.
    fn call_begins(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }

    /// The name of its model, if it has one.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Speaks. Frames have any length and the voice's own rate, the same in the whole stream.
    /// Dropping the stream stops the work.
    fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>>;

    /// Whether it knows a text by heart, so that speaking it asks nobody.
    fn remembers(&self, text: &str) -> bool {
        let _ = text;
        false
    }

    /// The sound of words that it thought itself and is speaking already; `None` of all others.
    fn own(
        &self,
        utterance: &Utterance,
    ) -> Option<BoxStream<'static, Result<Frame, ProviderError>>> {
        let _ = utterance;
        None
    }

    /// What tells this voice from others, for caches: engine, voice, speed.
    fn identity(&self) -> String;
}
