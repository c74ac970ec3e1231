//! Tells a collector of calls that are over. No call waits for it: what it does not take in time waits here, as
//! far as there is room, and is dropped and counted beyond.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::names::Names;
use super::span::{Attribute, Span, Value};
use super::{tree, wire};
use crate::call::event::Fact;
use crate::config::otel::{Otel, Protocol};
use crate::config::settings::Server;
use crate::engine::bus::Told;
use crate::engine::clock;
use crate::engine::gauges::Gauges;
use crate::net::collector::{Collector, NotTaken, Settings, Way};
use crate::net::tls;
use crate::server::running::Running;

/// Tells a collector.
pub struct Teller {
    facts: Receiver<Told>,
    collector: Collector,
    names: Names,
    content: bool,
    resource: Vec<Attribute>,
    gauges: Arc<Gauges>,
    /// What is still to be told.
    queue: VecDeque<Span>,
    /// What is being told, or will be again.
    batch: Option<Batch>,
    /// The attempt that goes on.
    under_way: Option<BoxFuture<'static, Result<Vec<u8>, NotTaken>>>,
    /// When the next attempt is due.
    due: Option<Instant>,
    /// Whether it was said that nothing is taken.
    is_failing: bool,
}

/// Spans that are told together.
struct Batch {
    message: Arc<[u8]>,
    count: u64,
    /// Since when it is tried, and how often it was.
    since: Instant,
    tries: u32,
}

impl Teller {
    /// Makes one for a server; calls that end from now on are told.
    ///
    /// # Errors
    /// When there is no client, for the operator.
    pub fn new(settings: &Otel, server: &Server, running: &Running) -> Result<Self, String> {
        let files = tls::Files { identity: None, authorities: server.sip.tls.ca.clone() };
        let headers = settings.headers.iter();
        let collector = Collector::new(Settings {
            endpoint: settings.endpoint.clone(),
            way: match settings.protocol {
                Protocol::Grpc => Way::Grpc,
                Protocol::Http => Way::Http,
            },
            headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
            tls: tls::Client::load(files).map_err(|why| why.to_string())?,
        });
        let (name, version) = (settings.service_name.as_str(), env!("CARGO_PKG_VERSION"));
        Ok(Self {
            facts: running.watch(),
            collector: collector.map_err(|why| why.to_string())?,
            names: Names::of(server),
            content: settings.content,
            resource: vec![
                ("service.name", Value::from(name)),
                ("service.version", Value::from(version)),
            ],
            gauges: running.gauges(),
            queue: VecDeque::new(),
            batch: None,
            under_way: None,
            due: None,
            is_failing: false,
        })
    }

    /// Tells until `stop`, and then for a few seconds what is left.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                told = self.facts.recv() => match told {
                    Ok(told) => self.hear(&told),
                    Err(RecvError::Lagged(count)) => {
                        tracing::warn!(count, "events were missed: calls may be in no trace");
                    }
                    Err(RecvError::Closed) => break,
                },
                answer = answered(&mut self.under_way) => self.settle(answer),
                () = until(self.due) => self.set_off(),
                () = stop.cancelled() => break,
            }
        }
        while let Ok(told) = self.facts.try_recv() {
            self.hear(&told);
        }
        let rest = tokio::time::timeout(END_WITHIN, self.finish()).await;
        let left = self.batch.map_or(0, |batch| batch.count) + self.queue.len() as u64;
        if rest.is_err() && left > 0 {
            count(&self.gauges.spans.dropped, left);
            tracing::warn!(left, "the server stops before all traces are told");
        }
    }

    /// Tells what is left, without pauses.
    async fn finish(&mut self) {
        while self.under_way.is_some() || self.batch.is_some() || !self.queue.is_empty() {
            if self.under_way.is_none() {
                self.set_off();
            }
            let answer = answered(&mut self.under_way).await;
            let failed = answer.is_err();
            self.settle(answer);
            if failed {
                tokio::time::sleep(LAST_PAUSE).await;
            }
        }
    }

    fn hear(&mut self, told: &Told) {
        let Fact::Ended { record, .. } = &*told.fact else { return };
        let spans = tree::spans(record, &self.names, self.content);
        if spans.is_empty() {
            return;
        }
        let waiting = self.batch.as_ref().map_or(0, |batch| batch.count as usize);
        if waiting + self.queue.len() + spans.len() > MOST {
            // Half of a tree is of no use.
            return count(&self.gauges.spans.dropped, spans.len() as u64);
        }
        self.queue.extend(spans);
        if self.under_way.is_none() && self.due.is_none() {
            // Calls that end together are told together.
            self.due = Some(clock::now() + PAUSE);
        }
    }

    /// Begins an attempt, if there is something to be told.
    fn set_off(&mut self) {
        self.due = None;
        if self.batch.is_none() && !self.queue.is_empty() {
            let end = self.queue.len().min(TOGETHER);
            let spans: Vec<Span> = self.queue.drain(..end).collect();
            let message = wire::request(&self.resource, &spans).into();
            let (count, since) = (spans.len() as u64, clock::now());
            self.batch = Some(Batch { message, count, since, tries: 0 });
        }
        let Some(batch) = &mut self.batch else { return };
        batch.tries = batch.tries.saturating_add(1);
        let (collector, message) = (self.collector.clone(), batch.message.clone());
        self.under_way = Some(async move { collector.bring(&message).await }.boxed());
    }

    fn settle(&mut self, answer: Result<Vec<u8>, NotTaken>) {
        self.under_way = None;
        let (Some(batch), now) = (&self.batch, clock::now()) else { return };
        let spans = &self.gauges.spans;
        match answer {
            Ok(answer) => {
                let rejected = wire::rejected(&answer).min(batch.count);
                count(&spans.exported, batch.count - rejected);
                count(&spans.failed, rejected);
                if self.is_failing {
                    tracing::info!("the collector takes traces again");
                }
                (self.batch, self.is_failing) = (None, false);
            }
            Err(why) => {
                if !self.is_failing {
                    tracing::warn!(%why, "the collector of traces takes none");
                }
                self.is_failing = true;
                let is_old = now.saturating_duration_since(batch.since) > LONGEST_WAIT;
                if why.passing && !is_old {
                    self.due = Some(now + pause(batch.tries, why.after));
                    return;
                }
                count(&spans.failed, batch.count);
                self.batch = None;
            }
        }
        self.due = (!self.queue.is_empty()).then_some(now);
    }
}

/// How long is waited after so many tries: many servers do not come back at once.
fn pause(tries: u32, wished: Option<Duration>) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(10));
    let pause = doubled.min(LONGEST_PAUSE).mul_f64(0.8 + 0.4 * clock::random().unit());
    pause.max(wished.unwrap_or_default().min(LONGEST_WISH))
}

fn count(counter: &AtomicU64, spans: u64) {
    counter.fetch_add(spans, Ordering::Relaxed);
}

async fn answered<T>(under_way: &mut Option<BoxFuture<'static, T>>) -> T {
    match under_way {
        Some(under_way) => under_way.await,
        None => pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => pending().await,
    }
}

/// How many spans may wait.
const MOST: usize = 8_192;

/// How many are told together.
const TOGETHER: usize = 512;

/// How long the first of them waits for others.
const PAUSE: Duration = Duration::from_millis(500);

/// How long is waited after the first failure, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest that a collector may want to be left alone.
const LONGEST_WISH: Duration = Duration::from_secs(120);

/// How long spans are brought again before they are given up.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// How long the last may take when the server stops: it waits 5 s for everybody.
const END_WITHIN: Duration = Duration::from_secs(4);

/// How soon the last are brought again.
const LAST_PAUSE: Duration = Duration::from_millis(250);
