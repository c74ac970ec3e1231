//! The seam of speech to text: a stream of 16 kHz frames in, texts out.

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::agent::event::{PauseId, Transcript};
use crate::audio::frame::Frame;
use crate::base::language::Language;
use crate::providers::error::ProviderError;

/// Turns speech into text; shared by all calls.
pub trait Transcriber: Send + Sync {
    /// Loads what is needed and decodes something once, so that the first caller does not wait.
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>>;

    /// The name of its model, if it has one.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Whether it loses nothing when it is asked for its words and the caller goes on: then it is
    /// asked as soon as a voice falls off, before the pause is certain.
    fn may_be_asked_early(&self) -> bool {
        false
    }

    /// Begins to hear one call. Texts go to `heard`, which is bounded: a partial text that finds
    /// it full is dropped, a final one waits.
    fn open(
        &self,
        context: Context,
        heard: mpsc::Sender<Heard>,
    ) -> BoxFuture<'_, Result<Box<dyn Listening>, ProviderError>>;
}

/// One call being heard. Every method returns at once: the work is done elsewhere. Dropping it
/// ends the work.
pub trait Listening: Send {
    /// The caller's turn begins: frames follow, the first of them from a little before now.
    fn begin(&mut self);

    /// 20 ms at 16 kHz, in arrival order; only between `begin` and `forget`.
    fn hear(&mut self, frame: &Frame);

    /// The caller paused: give the final text of everything since `begin`. The caller may go on
    /// speaking, and another pause then asks again.
    fn finalize(&mut self, pause: PauseId);

    /// The turn was taken or came to nothing: drop the audio and results that are still to come.
    fn forget(&mut self);

    /// Why the last text did not come, if it is known.
    fn trouble(&mut self) -> Option<ProviderError> {
        None
    }
}

/// What a transcriber should know before it hears.
#[derive(Debug, Clone)]
pub struct Context {
    /// The language spoken.
    pub language: Language,
    /// A grammar in JSGF (Java Speech Grammar Format 1.0), for transcribers that want one.
    pub grammar: Option<std::sync::Arc<str>>,
    /// Words to expect, for transcribers that take them.
    pub key_terms: Vec<String>,
}

/// A text, and the pause that asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The pause; of partial texts, the last one asked for.
    pub pause: PauseId,
    /// The text.
    pub transcript: Transcript,
}
