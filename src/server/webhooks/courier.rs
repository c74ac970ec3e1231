//! Tells one endpoint what is in the outbox for it: in order for each call, several calls at once,
//! again and again until it is taken. Each endpoint has a courier of its own, so that one that is
//! dead delays no other.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::engine::clock;
use crate::net::web::{Answered, Web, WebError};
use crate::server::webhooks::endpoint::{Endpoint, Message};
use crate::store::database::DatabaseError;
use crate::store::outbox::{Attempt, Delivery, Fate, Outbox};

/// Tells one endpoint.
#[derive(Debug)]
pub struct Courier {
    endpoint: Endpoint,
    outbox: Outbox,
    web: Web,
    /// What is told next.
    queue: VecDeque<Delivery>,
    /// What is being told.
    under_way: JoinSet<Done>,
    /// The numbers of both.
    numbers: HashSet<i64>,
}

/// An event that was told, or not.
#[derive(Debug, Clone, Copy)]
struct Done {
    number: i64,
    /// Nobody is there any more.
    is_gone: bool,
}

impl Courier {
    /// A courier for an endpoint.
    pub fn new(endpoint: Endpoint, outbox: Outbox, web: Web) -> Self {
        let (queue, under_way, numbers) = (VecDeque::new(), JoinSet::new(), HashSet::new());
        Self { endpoint, outbox, web, queue, under_way, numbers }
    }

    /// Serves until `stop`; `arrived` tells when there is something new.
    pub async fn run(mut self, mut arrived: watch::Receiver<()>, stop: CancellationToken) {
        let (mut is_failing, mut is_stale) = (false, true);
        loop {
            let pause = match self.set_off(&mut is_stale).await {
                Ok(pause) => {
                    is_failing = false;
                    pause
                }
                Err(why) => {
                    if !is_failing {
                        let webhook = &*self.endpoint.name;
                        tracing::warn!(%why, webhook, "the outbox cannot be read: it waits");
                    }
                    is_failing = true;
                    AGAIN
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => is_stale = true,
                Ok(()) = arrived.changed() => is_stale = true,
                Some(done) = self.under_way.join_next() => self.settled(done).await,
            }
        }
        // What is being told may be told to the end; the rest comes after the next start.
        let rest = async { while self.under_way.join_next().await.is_some() {} };
        tokio::time::timeout(END_WITHIN, rest).await.ok();
    }

    /// Sets off with what is due, as far as there is room; tells when to look again. The outbox is
    /// asked when nothing is left of what it said last, or when that may have changed.
    async fn set_off(&mut self, is_stale: &mut bool) -> Result<Duration, DatabaseError> {
        let mut pause = LOOK;
        if self.queue.is_empty() || *is_stale && self.queue.len() < ROOM {
            let (name, now) = (self.endpoint.name.clone(), clock::since_epoch());
            let due = self.outbox.due(&name, now, AHEAD + self.numbers.len()).await?;
            *is_stale = false;
            self.queue.extend(due.into_iter().filter(|it| self.numbers.insert(it.number)));
            if self.queue.is_empty() {
                let next = self.outbox.next_due(&name, now).await?;
                let wait = |next: Duration| next.saturating_sub(clock::since_epoch());
                pause = next.map_or(LOOK, wait).clamp(SHORTEST_PAUSE, LOOK);
            }
        }
        while self.under_way.len() < ROOM
            && let Some(delivery) = self.queue.pop_front()
        {
            let (endpoint, outbox, web) =
                (self.endpoint.clone(), self.outbox.clone(), self.web.clone());
            self.under_way.spawn(Trip { endpoint, outbox, web, delivery }.go());
        }
        Ok(pause)
    }

    async fn settled(&mut self, done: Result<Done, JoinError>) {
        match done {
            Ok(Done { number, is_gone: false }) => {
                self.numbers.remove(&number);
            }
            Ok(Done { number, is_gone: true }) => {
                let dropped: Vec<i64> = self.queue.drain(..).map(|it| it.number).collect();
                for number in dropped.iter().chain([&number]) {
                    self.numbers.remove(number);
                }
            }
            // A panic: which one it was is not known. All are told again.
            Err(_) => {
                self.under_way.shutdown().await;
                self.queue.clear();
                self.numbers.clear();
            }
        }
    }
}

/// One event on its way.
#[derive(Debug)]
struct Trip {
    endpoint: Endpoint,
    outbox: Outbox,
    web: Web,
    delivery: Delivery,
}

impl Trip {
    /// Tells it once, and notes what came of it.
    async fn go(self) -> Done {
        let at = clock::since_epoch();
        let Delivery { id, body, traceparent, .. } = &self.delivery;
        let message = Message { id, body, at, traceparent: traceparent.as_deref() };
        let told = self.endpoint.tell(&message, &self.web).await;
        let (attempt, is_gone) = self.judged(&told);
        let (webhook, number) = (&*self.endpoint.name, self.delivery.number);
        if attempt.fate == Fate::Dead {
            let (event, failure) = (&self.delivery.id, &attempt.failure);
            tracing::warn!(webhook, event, failure, "an event is given up: it can be replayed");
        }
        // It is not sent again before this is known, or it would be sent all the time.
        while let Err(why) = self.outbox.settle(webhook, number, &attempt).await {
            tracing::debug!(%why, webhook, "what became of an event cannot be noted");
            tokio::time::sleep(AGAIN).await;
        }
        if is_gone {
            let since = clock::since_epoch();
            match self.outbox.disable(webhook, since).await {
                Ok(()) => tracing::error!(webhook, "410 Gone: this webhook is told nothing more"),
                Err(why) => tracing::error!(%why, webhook, "a webhook is gone, and stays enabled"),
            }
        }
        Done { number, is_gone }
    }

    /// What comes of an answer; and whether there is nobody any more.
    fn judged(&self, told: &Result<Answered, WebError>) -> (Attempt, bool) {
        let at = clock::since_epoch();
        let attempt = |fate, status, failure| Attempt { fate, at, status, failure };
        match told {
            Ok(answer) if (200..300).contains(&answer.status) => {
                (attempt(Fate::Delivered, Some(answer.status), None), false)
            }
            Ok(answer) if answer.status == GONE => {
                let why = "HTTP 410: it is gone".to_owned();
                (attempt(Fate::Dead, Some(answer.status), Some(why)), true)
            }
            Ok(answer) => {
                let why = match answer.status {
                    300..400 => format!("HTTP {}: nobody is sent elsewhere", answer.status),
                    status => format!("HTTP {status}"),
                };
                let fate = self.again(at, retry_after(answer));
                (attempt(fate, Some(answer.status), Some(why)), false)
            }
            Err(why) => (attempt(self.again(at, None), None, Some(why.to_string())), false),
        }
    }

    /// When it is tried again, if at all; not before `wished`.
    fn again(&self, now: Duration, wished: Option<Duration>) -> Fate {
        let tried = usize::try_from(self.delivery.attempts).unwrap_or(usize::MAX);
        let Some(pause) = self.endpoint.pauses.get(tried) else { return Fate::Dead };
        // Many that failed at once do not come back at once.
        let pause = pause.mul_f64(0.8 + 0.4 * clock::random().unit());
        Fate::Again(now.saturating_add(pause.max(wished.unwrap_or_default())))
    }
}

/// How long whoever answers wants to be left alone.
fn retry_after(answer: &Answered) -> Option<Duration> {
    let named = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("retry-after");
    let (_, value) = answer.headers.iter().find(named)?;
    let seconds = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WISH))
}

/// The couriers of all endpoints.
pub fn all(
    endpoints: &Arc<[Endpoint]>,
    outbox: &Outbox,
    web: &Web,
) -> impl Iterator<Item = Courier> {
    let courier = |it: &Endpoint| Courier::new(it.clone(), outbox.clone(), web.clone());
    endpoints.iter().map(courier).collect::<Vec<_>>().into_iter()
}

/// The status of what is there no more.
const GONE: u16 = 410;

/// How many events one endpoint is told at once.
const ROOM: usize = 8;

/// How many events are fetched ahead.
const AHEAD: usize = 64;

/// How soon the database is asked again that did not answer.
const AGAIN: Duration = Duration::from_secs(2);

const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// How often it is looked, whatever is told.
const LOOK: Duration = Duration::from_secs(60);

/// How long the last ones may take when the server stops.
const END_WITHIN: Duration = Duration::from_secs(3);

/// The longest that whoever answers may want to be left alone.
const LONGEST_WISH: Duration = Duration::from_secs(86_400);
