//! The sockets of a voice: each speaks a few clauses at once, each clause in a context of its own.
//! A clause that nobody listens to any more is stopped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::settings::Settings;
use crate::audio::frame::{Frame, Rate};
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::tts::body::Samples;
use crate::providers::websocket::{self, Dial, Received, Socket};

/// The sockets of a voice, for all calls.
#[derive(Debug)]
pub(super) struct Sockets {
    dial: Dial,
    settings: Arc<Settings>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    contexts: u64,
    tasks: JoinSet<()>,
}

/// A socket at work.
#[derive(Debug, Clone)]
struct Line {
    orders: mpsc::Sender<Order>,
    /// How many clauses it speaks.
    busy: Arc<AtomicUsize>,
    opened: watch::Receiver<Option<Result<(), ProviderError>>>,
}

/// What a socket is to do.
#[derive(Debug)]
enum Order {
    Speak { context: String, text: String, audio: Audio },
    Stop { context: String },
}

type Audio = mpsc::Sender<Result<Vec<i16>, ProviderError>>;

/// The place of a clause at a socket. Dropping it stops the clause.
struct Place {
    line: Line,
    context: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.busy.fetch_sub(1, Ordering::AcqRel);
        let context = std::mem::take(&mut self.context);
        // A socket whose orders are full, or that is gone, does not have to be told.
        self.line.orders.try_send(Order::Stop { context }).ok();
    }
}

impl Sockets {
    /// Has none open yet.
    pub fn new(dial: Dial, settings: Arc<Settings>) -> Self {
        Self { dial, settings, state: Mutex::default() }
    }

    /// Sees to it that a socket is open on which another clause can be spoken.
    pub fn open(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let mut opened = self.line(&mut self.lock()).opened;
        let name = &self.settings.name;
        Box::pin(async move {
            let gone = |_| ProviderError::passing(name, "the socket did not open");
            let known = opened.wait_for(Option::is_some).await.map_err(gone)?;
            known.clone().unwrap_or(Ok(()))
        })
    }

    /// Speaks a clause.
    pub fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
        let (audio, heard) = mpsc::channel(MOST_CHUNKS);
        let place = {
            let mut state = self.lock();
            let line = self.line(&mut state);
            state.contexts += 1;
            line.busy.fetch_add(1, Ordering::AcqRel);
            Place { line, context: format!("clause-{}", state.contexts) }
        };
        let (context, text) = (place.context.clone(), text.to_owned());
        let name = self.settings.name.clone();
        if place.line.orders.try_send(Order::Speak { context, text, audio }).is_err() {
            let why = ProviderError::passing(&name, "the socket takes nothing any more");
            return stream::iter([Err(why)]).boxed();
        }
        let patience = self.settings.timeout;
        stream::unfold(Some((heard, place)), move |speaking| {
            let name = name.clone();
            async move {
                let (mut heard, place) = speaking?;
                match timeout(patience, heard.recv()).await {
                    Ok(Some(Ok(samples))) => {
                        let frame = Frame::new(Rate::WIDE, samples);
                        Some((Ok(frame), Some((heard, place))))
                    }
                    Ok(Some(Err(why))) => Some((Err(why), None)),
                    Ok(None) => None,
                    Err(_) => {
                        let why = ProviderError::passing(&name, "no answer in time");
                        Some((Err(why), None))
                    }
                }
            }
        })
        .boxed()
    }

    /// A socket that can speak another clause; one is opened if there is none.
    fn line(&self, state: &mut State) -> Line {
        while state.tasks.try_join_next().is_some() {}
        state.lines.retain(|line| !line.orders.is_closed());
        let free = |line: &&Line| line.busy.load(Ordering::Acquire) < MOST_CONTEXTS;
        if let Some(line) = state.lines.iter().find(free) {
            return line.clone();
        }
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (told, opened) = watch::channel(None);
        let line = Line { orders, busy: Arc::default(), opened };
        let work =
            Work { settings: self.settings.clone(), orders: inbox, contexts: HashMap::new() };
        state.tasks.spawn(work.run(self.dial.clone(), told));
        state.lines.push(line.clone());
        line
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work at one socket.
struct Work {
    settings: Arc<Settings>,
    orders: mpsc::Receiver<Order>,
    contexts: HashMap<String, Clause>,
}

struct Clause {
    audio: Audio,
    samples: Samples,
}

impl Work {
    async fn run(mut self, dial: Dial, told: watch::Sender<Option<Result<(), ProviderError>>>) {
        let opened = websocket::open(&dial).await;
        // Nobody may wait for it.
        told.send(Some(opened.as_ref().map(|_| ()).map_err(Clone::clone))).ok();
        let why = match opened {
            Ok(socket) => self.serve(socket).await,
            Err(why) => Some(why),
        };
        // Orders that came meanwhile are refused like those that are under way.
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            if let Order::Speak { context, audio, .. } = order {
                let samples = Samples::default();
                self.contexts.insert(context, Clause { audio, samples });
            }
        }
        let closed = || ProviderError::passing(&dial.provider, "closed the socket");
        let why = why.unwrap_or_else(closed);
        for (_, clause) in self.contexts.drain() {
            clause.audio.try_send(Err(why.clone())).ok();
        }
    }

    /// Serves until the socket or the voice is gone; gives what was wrong, if anything was.
    async fn serve(&mut self, mut socket: Socket) -> Option<ProviderError> {
        let mut keep_alive = interval(KEEP_ALIVE);
        loop {
            let served = tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order, &mut socket).await,
                    None => {
                        socket.send(Message::text("{\"close_socket\":true}")).await.ok();
                        return None;
                    }
                },
                received = socket.receive() => match received? {
                    Ok(Received::Text(text)) => self.take(&text),
                    Ok(Received::Binary(_)) => Ok(()),
                    Err(why) => Err(why),
                },
                _ = keep_alive.tick() => self.keep_alive(&mut socket).await,
            };
            if let Err(why) = served {
                return Some(why);
            }
        }
    }

    async fn obey(&mut self, order: Order, socket: &mut Socket) -> Result<(), ProviderError> {
        match order {
            Order::Speak { context, text, audio } => {
                let manner = self.settings.manner();
                let open = json!({ "text": " ", "context_id": context, "voice_settings": manner });
                // It wants a space behind every text; the line ends are ours, not the caller's.
                let text = format!("{} ", text.trim());
                let say = json!({ "text": text, "context_id": context, "flush": true });
                // Without this, the end of the clause is not told.
                let end = json!({ "context_id": context, "close_context": true });
                self.contexts.insert(context, Clause { audio, samples: Samples::default() });
                for message in [open, say, end] {
                    socket.feed(Message::text(message.to_string())).await?;
                }
                socket.flush().await
            }
            Order::Stop { context } => {
                if self.contexts.remove(&context).is_none() {
                    return Ok(());
                }
                let stop = json!({ "context_id": context, "close_context": true });
                socket.send(Message::text(stop.to_string())).await
            }
        }
    }

    async fn keep_alive(&mut self, socket: &mut Socket) -> Result<(), ProviderError> {
        for context in self.contexts.keys() {
            let alive = json!({ "text": "", "context_id": context });
            socket.feed(Message::text(alive.to_string())).await?;
        }
        socket.flush().await
    }

    fn take(&mut self, text: &str) -> Result<(), ProviderError> {
        let name = &self.settings.name;
        let message: Incoming = serde_json::from_str(text)
            .map_err(|_| ProviderError::passing(name, "is not in the protocol"))?;
        if let Some(error) = &message.error {
            let why = complaint(name, error);
            let Some(context) = &message.context_id else { return Err(why) };
            if let Some(clause) = self.contexts.remove(context) {
                clause.audio.try_send(Err(why)).ok();
            }
            return Ok(());
        }
        // What a clause says that was stopped is not for anybody.
        let Some(context) = message.context_id else { return Ok(()) };
        let Some(clause) = self.contexts.get_mut(&context) else { return Ok(()) };
        if let Some(audio) = message.audio.filter(|audio| !audio.is_empty()) {
            let octets = STANDARD
                .decode(audio)
                .map_err(|_| ProviderError::passing(name, "is not in the protocol"))?;
            let samples = clause.samples.push(&octets);
            if !samples.is_empty() && clause.audio.try_send(Ok(samples)).is_err() {
                // Nobody listens, or the vendor says far more than it was given.
                self.contexts.remove(&context);
                return Ok(());
            }
        }
        if message.is_final.unwrap_or(false) {
            self.contexts.remove(&context);
        }
        Ok(())
    }
}

/// What an error means: a sentence of the vendor is not repeated, a code is.
fn complaint(name: &str, error: &str) -> ProviderError {
    let code = if http::is_plain(error) { error } else { "it complains" };
    let lasting = ["quota_exceeded", "invalid_api_key", "voice_not_found", "unauthorized"];
    match lasting.contains(&code) {
        true => ProviderError::lasting(name, format!("does not speak: {code}")),
        false => ProviderError::passing(name, format!("does not speak: {code}")),
    }
}

/// What the vendor says, in both of its spellings.
#[derive(Debug, Deserialize)]
struct Incoming {
    audio: Option<String>,
    #[serde(alias = "isFinal")]
    is_final: Option<bool>,
    #[serde(alias = "contextId")]
    context_id: Option<String>,
    error: Option<String>,
}

/// The most clauses that a socket speaks at once: the vendor's limit.
const MOST_CONTEXTS: usize = 5;

/// The most chunks of a clause that wait to be heard.
const MOST_CHUNKS: usize = 1_024;

/// How many orders may wait while a socket is opened.
const ORDERS: usize = 64;

/// How often contexts are kept open: the vendor closes those that are idle for 20 seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
