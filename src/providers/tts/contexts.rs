//! The sockets of a voice: each speaks a few clauses at once, each clause in a context of its own.
//! A clause that nobody listens to any more is stopped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::body::most_samples;
use super::over_http::Counter;
use super::sound::{Samples, Unplayable};
use crate::audio::frame::Frame;
use crate::providers::error::{ProviderError, Retry};
use crate::providers::websocket::{self, Dial, Received, Socket};

/// How a vendor is spoken to.
pub trait Dialect: Counter {
    /// The most clauses that a socket speaks at once.
    const MOST: usize;

    /// Where a socket is opened; `None` for models that are not spoken over one.
    ///
    /// # Errors
    /// When the address of the settings is none.
    fn dial(&self) -> Result<Option<Dial>, ProviderError>;

    /// What has a clause spoken: all of it follows, in order.
    fn speak(&self, context: &str, text: &str) -> Vec<Message>;

    /// What stops a clause.
    fn stop(&self, context: &str) -> Message;

    /// What keeps a clause open while nothing is sent, if that is needed.
    fn keep_alive(&self, _context: &str) -> Option<Message> {
        None
    }

    /// What ends a socket, if the vendor wants a word.
    fn goodbye(&self) -> Option<Message> {
        None
    }

    /// Reads what the vendor says.
    ///
    /// # Errors
    /// When nothing more is to be expected of this socket.
    fn read(&self, text: &str) -> Result<Said, ProviderError>;
}

/// What the vendor says of a clause.
#[derive(Debug, Default)]
pub struct Said {
    /// Which clause.
    pub context: String,
    /// Octets of its sound.
    pub audio: Vec<u8>,
    /// Whether it is over, and how.
    pub end: Option<Result<(), ProviderError>>,
}

/// The sockets of a voice, for all calls.
#[derive(Debug)]
pub(super) struct Sockets<D> {
    dial: Dial,
    dialect: Arc<D>,
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

impl<D: Dialect> Sockets<D> {
    /// Has none open yet.
    pub fn new(dial: Dial, dialect: Arc<D>) -> Self {
        Self { dial, dialect, state: Mutex::default() }
    }

    /// Sees to it that a socket is open on which another clause can be spoken.
    pub fn open(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let mut opened = self.line(&mut self.lock()).opened;
        let name = &self.dial.provider;
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
        let name = self.dial.provider.clone();
        if place.line.orders.try_send(Order::Speak { context, text, audio }).is_err() {
            let why = ProviderError::passing(&name, "the socket takes nothing any more");
            return stream::iter([Err(why)]).boxed();
        }
        let patience = self.dialect.settings().timeout;
        stream::unfold(Some((heard, place)), move |speaking| {
            let name = name.clone();
            async move {
                let (mut heard, place) = speaking?;
                match timeout(patience, heard.recv()).await {
                    Ok(Some(Ok(samples))) => {
                        let frame = Frame::new(D::RATE, samples);
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
        let free = |line: &&Line| line.busy.load(Ordering::Acquire) < D::MOST;
        if let Some(line) = state.lines.iter().find(free) {
            return line.clone();
        }
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (told, opened) = watch::channel(None);
        let line = Line { orders, busy: Arc::default(), opened };
        let work = Work { dialect: self.dialect.clone(), orders: inbox, clauses: HashMap::new() };
        state.tasks.spawn(work.run(self.dial.clone(), told));
        state.lines.push(line.clone());
        line
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a clause spoken over a socket; when that fails before anything was heard, `otherwise`.
pub(super) fn or_else(
    heard: BoxStream<'static, Result<Frame, ProviderError>>,
    otherwise: impl FnOnce() -> BoxStream<'static, Result<Frame, ProviderError>> + Send + 'static,
) -> BoxStream<'static, Result<Frame, ProviderError>> {
    stream::unfold((heard, Some(otherwise)), |(mut heard, mut otherwise)| async move {
        let first = heard.next().await?;
        match (first, otherwise.take()) {
            (Err(why), Some(otherwise)) if why.retry != Retry::Never => {
                tracing::warn!(%why, "the clause is spoken over HTTP");
                let mut heard = otherwise();
                let first = heard.next().await?;
                Some((first, (heard, None)))
            }
            (first, _) => Some((first, (heard, None))),
        }
    })
    .boxed()
}

/// The work at one socket.
struct Work<D> {
    dialect: Arc<D>,
    orders: mpsc::Receiver<Order>,
    clauses: HashMap<String, Clause>,
}

struct Clause {
    audio: Audio,
    samples: Samples,
    /// How many samples it may still have.
    left: usize,
}

impl<D: Dialect> Work<D> {
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
            if let Order::Speak { context, text, audio } = order {
                self.clauses.insert(context, Clause::of::<D>(&text, audio));
            }
        }
        let closed = || ProviderError::passing(&dial.provider, "closed the socket");
        let why = why.unwrap_or_else(closed);
        for (_, clause) in self.clauses.drain() {
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
                        if let Some(goodbye) = self.dialect.goodbye() {
                            socket.send(goodbye).await.ok();
                        }
                        return None;
                    }
                },
                received = socket.receive() => match received? {
                    Ok(Received::Text(text)) => self.take(&text, &mut socket).await,
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
                let messages = self.dialect.speak(&context, &text);
                self.clauses.insert(context, Clause::of::<D>(&text, audio));
                for message in messages {
                    socket.feed(message).await?;
                }
                socket.flush().await
            }
            Order::Stop { context } => match self.clauses.remove(&context) {
                Some(_) => socket.send(self.dialect.stop(&context)).await,
                None => Ok(()),
            },
        }
    }

    async fn keep_alive(&mut self, socket: &mut Socket) -> Result<(), ProviderError> {
        for context in self.clauses.keys() {
            if let Some(alive) = self.dialect.keep_alive(context) {
                socket.feed(alive).await?;
            }
        }
        socket.flush().await
    }

    async fn take(&mut self, text: &str, socket: &mut Socket) -> Result<(), ProviderError> {
        let said = self.dialect.read(text)?;
        // What a clause says that was stopped is not for anybody.
        let Some(clause) = self.clauses.get_mut(&said.context) else { return Ok(()) };
        let samples = clause.samples.push(&said.audio);
        if !samples.is_empty() {
            let fits = samples.len() <= clause.left;
            clause.left = clause.left.saturating_sub(samples.len());
            if !fits || clause.audio.try_send(Ok(samples)).is_err() {
                // Nobody listens, or the vendor says far more than it was given.
                let name = &self.dialect.settings().name;
                let why = ProviderError::passing(name, Unplayable::Endless.to_string());
                clause.audio.try_send(Err(why)).ok();
                self.clauses.remove(&said.context);
                return socket.send(self.dialect.stop(&said.context)).await;
            }
        }
        let Some(end) = said.end else { return Ok(()) };
        if let (Some(clause), Err(why)) = (self.clauses.remove(&said.context), end) {
            clause.audio.try_send(Err(why)).ok();
        }
        Ok(())
    }
}

impl Clause {
    fn of<D: Dialect>(text: &str, audio: Audio) -> Self {
        Self { audio, samples: Samples::default(), left: most_samples(text, D::RATE) }
    }
}

/// The most chunks of a clause that wait to be heard.
const MOST_CHUNKS: usize = 1_024;

/// How many orders may wait while a socket is opened.
const ORDERS: usize = 64;

/// How often clauses are kept open: the first vendor closes those that are idle for 20 seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
