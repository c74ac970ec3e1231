//! The work behind a call in the hands of OpenAI: one socket, opened when the call begins; another
//! one when it breaks or grows old.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};
use tokio_tungstenite::tungstenite::Message;

use super::session::{Order, Session};
use super::settings::Settings;
use crate::agent::event::PauseId;
use crate::providers::error::{ProviderError, Retry};
use crate::providers::transcriber::Context;
use crate::providers::websocket::{self, Dial, Received, Socket};

/// The work for one call.
pub(super) struct Work {
    session: Session,
    dial: Dial,
    orders: mpsc::Receiver<Order>,
    socket: Option<Socket>,
    /// Why there will be no other socket.
    hopeless: Option<ProviderError>,
    /// When the text of a pause is late.
    late: Option<(PauseId, Pin<Box<Sleep>>)>,
    /// When the vendor lets us wait too long.
    stuck: Option<Pin<Box<Sleep>>>,
    /// When the socket is old.
    old: Pin<Box<Sleep>>,
    is_old: bool,
    /// How many sockets broke since the vendor last did what it was asked.
    broken: u32,
}

/// What happened.
enum Happened {
    Ordered(Option<Order>),
    Said(Option<Result<Received, ProviderError>>),
    Late,
    Stuck,
    Aged,
}

impl Work {
    /// Work through `dial` that is ordered through `orders`.
    pub fn new(
        (settings, context): (Arc<Settings>, Context),
        dial: Dial,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        let old = Box::pin(sleep(LONGEST_SOCKET));
        Self {
            session: Session::new(settings, context),
            dial,
            orders,
            socket: None,
            hopeless: None,
            late: None,
            stuck: None,
            old,
            is_old: false,
            broken: 0,
        }
    }

    /// Works until nobody can order anything.
    pub async fn run(mut self) {
        self.open().await;
        loop {
            self.send().await;
            self.tell().await;
            self.watch();
            match self.next().await {
                Happened::Ordered(Some(order)) => self.obey(order).await,
                Happened::Ordered(None) => break,
                Happened::Said(Some(Ok(Received::Text(text)))) => {
                    if let Err(why) = self.session.received(&text) {
                        self.broke(why).await;
                    }
                }
                Happened::Said(Some(Ok(Received::Binary(_)))) => {}
                Happened::Said(Some(Err(why))) => self.broke(why).await,
                Happened::Said(None) => {
                    let why = ProviderError::passing(&self.dial.provider, "closed the socket");
                    self.broke(why).await;
                }
                Happened::Late => self.session.unheard(),
                Happened::Stuck => {
                    self.stuck = None;
                    let why = ProviderError::passing(&self.dial.provider, "does not go on");
                    self.broke(why).await;
                }
                Happened::Aged => self.is_old = true,
            }
            if self.is_old && self.session.is_idle() {
                self.socket = None;
                self.open().await;
            }
        }
        if let Some(mut socket) = self.socket {
            socket.send(Message::Close(None)).await.ok();
        }
    }

    async fn next(&mut self) -> Happened {
        let aged = !self.is_old;
        tokio::select! {
            biased;
            said = receive(&mut self.socket) => Happened::Said(said),
            order = self.orders.recv() => Happened::Ordered(order),
            () = wait(self.late.as_mut().map(|(_, late)| late)) => Happened::Late,
            () = wait(self.stuck.as_mut()) => Happened::Stuck,
            () = &mut self.old, if aged => Happened::Aged,
        }
    }

    async fn obey(&mut self, order: Order) {
        let needs = matches!(order, Order::Begin | Order::Think(_) | Order::Line(..));
        if needs && self.socket.is_none() {
            self.open().await;
        }
        self.session.order(order);
        if let Some(why) = &self.hopeless {
            self.session.gives_up(&why.clone());
        } else if self.socket.is_none() {
            let why = ProviderError::passing(&self.dial.provider, "cannot be reached");
            self.session.gives_up(&why);
        }
    }

    /// Opens a socket, unless that is hopeless.
    async fn open(&mut self) {
        if self.hopeless.is_some() {
            return;
        }
        match websocket::open(&self.dial).await {
            Ok(socket) => {
                self.socket = Some(socket);
                (self.is_old, self.old) = (false, Box::pin(sleep(LONGEST_SOCKET)));
                self.session.opened();
            }
            Err(why) => self.failed(why),
        }
    }

    fn failed(&mut self, why: ProviderError) {
        tracing::warn!(%why, "the realtime model is not there");
        self.session.gives_up(&why);
        if why.retry == Retry::Never {
            self.hopeless = Some(why);
        }
    }

    /// The socket is of no use any more: another one goes on.
    async fn broke(&mut self, why: ProviderError) {
        self.socket = None;
        if why.retry == Retry::Never {
            return self.failed(why);
        }
        tracing::warn!(%why, "the realtime model is asked again");
        self.session.broke(&why);
        self.broken =
            if std::mem::take(&mut self.session.has_served) { 1 } else { self.broken + 1 };
        if self.broken <= MOST_BROKEN {
            return self.open().await;
        }
        // What is wanted next tries again.
        self.session.gives_up(&why);
    }

    async fn send(&mut self) {
        while !self.session.out.is_empty() {
            let messages = std::mem::take(&mut self.session.out);
            let Some(socket) = &mut self.socket else { return };
            if let Err(why) = post(socket, messages).await {
                self.broke(why).await;
            }
        }
    }

    async fn tell(&mut self) {
        for heard in std::mem::take(&mut self.session.tell) {
            if let Some(listener) = &self.session.listener {
                // Whoever hears no longer needs no text; a text that finds no room is a late one.
                listener.try_send(heard).ok();
            }
        }
    }

    /// Sets the clocks by what is waited for.
    fn watch(&mut self) {
        let asked = self.session.turn.as_ref().and_then(|turn| turn.asked);
        if self.late.as_ref().map(|(pause, _)| *pause) != asked {
            self.late = asked.map(|pause| (pause, Box::pin(sleep(TEXT_WITHIN))));
        }
        match (self.session.waits(), &self.stuck) {
            (true, None) => self.stuck = Some(Box::pin(sleep(GO_ON_WITHIN))),
            (false, Some(_)) => self.stuck = None,
            (true, Some(_)) | (false, None) => {}
        }
    }
}

async fn post(socket: &mut Socket, messages: Vec<Message>) -> Result<(), ProviderError> {
    for message in messages {
        socket.feed(message).await?;
    }
    socket.flush().await
}

/// The next message of a socket, or never without one.
async fn receive(socket: &mut Option<Socket>) -> Option<Result<Received, ProviderError>> {
    match socket {
        Some(socket) => socket.receive().await,
        None => std::future::pending().await,
    }
}

async fn wait(clock: Option<&mut Pin<Box<Sleep>>>) {
    match clock {
        Some(clock) => clock.await,
        None => std::future::pending().await,
    }
}

/// How long the text of a pause may take.
const TEXT_WITHIN: Duration = Duration::from_secs(3);

/// How long the vendor may take to end an answer that was cancelled, or to name what it heard.
const GO_ON_WITHIN: Duration = Duration::from_secs(3);

/// How many sockets in a row may break before nobody opens another one unasked.
const MOST_BROKEN: u32 = 2;

/// A socket is changed before the vendor ends it, which it does after 60 minutes.
const LONGEST_SOCKET: Duration = Duration::from_secs(50 * 60);
