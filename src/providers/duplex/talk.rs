//! What a call holds of its realtime model: orders go to the work behind it, and sounds are taken
//! from the answers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::session::{Order, Wanted};
use super::settings::Settings;
use super::track::Track;
use crate::agent::conversation::Request;
use crate::agent::event::{Delta, PauseId, Portion, ThoughtId, Transcript, Utterance};
use crate::audio::frame::Frame;
use crate::providers::error::ProviderError;
use crate::providers::model::Model;
use crate::providers::realtime::{Format, Talk};
use crate::providers::transcriber::{Context, Heard, Listening, Transcriber};
use crate::providers::voice::Voice;

/// One call in the hands of OpenAI.
pub(super) struct OpenAiTalk {
    name: String,
    model: String,
    identity: String,
    orders: mpsc::Sender<Order>,
    /// The sounds of the last answers.
    tracks: Mutex<VecDeque<(ThoughtId, Arc<Track>)>>,
    lines: AtomicU64,
}

impl OpenAiTalk {
    /// What orders through `orders`.
    pub fn new(settings: &Settings, identity: String, orders: mpsc::Sender<Order>) -> Self {
        let (tracks, lines) = (Mutex::default(), AtomicU64::new(0));
        let (name, model) = (settings.name.clone(), settings.model.clone());
        Self { name, model, identity, orders, tracks, lines }
    }

    fn order(&self, order: Order) {
        if let Err(TrySendError::Full(_)) = self.orders.try_send(order) {
            tracing::warn!("the realtime model does not keep up");
        }
    }

    fn tracks(&self) -> MutexGuard<'_, VecDeque<(ThoughtId, Arc<Track>)>> {
        // Nothing under the lock can panic half-way.
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> ProviderError {
        ProviderError::passing(&self.name, "takes no orders any more")
    }
}

impl Transcriber for OpenAiTalk {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }

    fn name(&self) -> Option<&str> {
        Some(&self.model)
    }

    fn open(
        &self,
        context: Context,
        heard: mpsc::Sender<Heard>,
    ) -> BoxFuture<'_, Result<Box<dyn Listening>, ProviderError>> {
        self.order(Order::Listen(heard.clone(), context));
        let ear = Ear { orders: self.orders.clone(), heard };
        Box::pin(async move { Ok(Box::new(ear) as Box<dyn Listening>) })
    }
}

impl Model for OpenAiTalk {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }

    fn name(&self) -> Option<&str> {
        Some(&self.model)
    }

    fn think(&self, request: Request) -> BoxStream<'static, Result<Delta, ProviderError>> {
        let (thought, track) = (request.thought, Arc::new(Track::default()));
        {
            let mut tracks = self.tracks();
            if tracks.len() >= MOST_TRACKS {
                tracks.pop_front();
            }
            tracks.push_back((thought, track.clone()));
        }
        let (words, answer) = mpsc::channel(WORDS);
        let wanted = Wanted { request, words, track: track.clone(), is_again: false };
        if self.orders.try_send(Order::Think(wanted)).is_err() {
            track.fail(self.gone());
            let gone = Err(self.gone());
            return Box::pin(stream::once(async { gone }));
        }
        let wish = Wish { orders: self.orders.clone(), thought, track, is_over: false };
        let answer = stream::unfold((answer, wish), |(mut answer, mut wish)| async move {
            let word = answer.recv().await?;
            wish.is_over = matches!(word, Ok(Delta::Done) | Err(_));
            Some((word, (answer, wish)))
        });
        Box::pin(answer)
    }
}

impl Voice for OpenAiTalk {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }

    fn name(&self) -> Option<&str> {
        Some(&self.model)
    }

    fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
        let number = self.lines.fetch_add(1, Ordering::Relaxed);
        let track = Arc::new(Track::default());
        let order = Order::Line(number, text.to_owned(), track.clone());
        if self.orders.try_send(order).is_err() {
            track.fail(self.gone());
        }
        let hush = Hush { orders: self.orders.clone(), number };
        let sound = track.whole().map(move |frame| {
            let _while_it_is_heard = &hush;
            frame
        });
        Box::pin(sound)
    }

    fn own(
        &self,
        utterance: &Utterance,
    ) -> Option<BoxStream<'static, Result<Frame, ProviderError>>> {
        let tracks = self.tracks();
        let (_, track) = tracks.iter().find(|(thought, _)| Some(*thought) == utterance.thought)?;
        track.clause(utterance.id, &utterance.text)
    }

    fn identity(&self) -> String {
        self.identity.clone()
    }
}

impl Talk for OpenAiTalk {
    fn attune(&self, format: Format) {
        self.order(Order::Attune(format));
    }

    fn abandon(&self, thought: ThoughtId) {
        self.order(Order::Abandon(thought));
    }

    fn said(&self, utterance: &Utterance) {
        self.order(Order::Said(utterance.id, utterance.text.clone()));
    }

    fn cut(&self, portions: Vec<Portion>) {
        self.order(Order::Cut(portions));
    }
}

/// Hears the caller for it.
struct Ear {
    orders: mpsc::Sender<Order>,
    heard: mpsc::Sender<Heard>,
}

impl Ear {
    fn order(&self, order: Order) {
        if let Err(TrySendError::Full(_)) = self.orders.try_send(order) {
            tracing::warn!("the realtime model does not keep up");
        }
    }
}

impl Listening for Ear {
    fn begin(&mut self) {
        self.order(Order::Begin);
    }

    fn hear(&mut self, frame: &Frame) {
        self.order(Order::Hear(frame.samples.clone()));
    }

    fn finalize(&mut self, pause: PauseId) {
        if self.orders.try_send(Order::Finalize(pause)).is_err() {
            // Whoever waits for the text must not wait for ever.
            self.heard.try_send(Heard { pause, transcript: Transcript::Failed }).ok();
        }
    }

    fn forget(&mut self) {
        self.order(Order::Forget);
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // Somebody else hears from here on.
        self.order(Order::Forget);
    }
}

/// Somebody waits for an answer.
struct Wish {
    orders: mpsc::Sender<Order>,
    thought: ThoughtId,
    track: Arc<Track>,
    is_over: bool,
}

impl Drop for Wish {
    fn drop(&mut self) {
        if !self.is_over {
            // Somebody else may answer the same thought: those words are not spoken by this one.
            self.track.void();
            self.orders.try_send(Order::Abandon(self.thought)).ok();
        }
    }
}

/// Somebody hears a line.
struct Hush {
    orders: mpsc::Sender<Order>,
    number: u64,
}

impl Drop for Hush {
    fn drop(&mut self) {
        self.orders.try_send(Order::Hush(self.number)).ok();
    }
}

/// How many orders may wait: most are frames, ten seconds of them.
pub(super) const ORDERS: usize = 512;

/// How many words of an answer may wait.
const WORDS: usize = 4_096;

/// How many answers may still be heard.
const MOST_TRACKS: usize = 8;
