//! Whoever watches: what happens from now on and what was missed, in order, until the end of what is
//! watched, of the key, or of the server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::base::id::CallId;
use crate::server::control::clerk::Clerk;
use crate::server::http::front::late;
use crate::server::http::gate::Bearer;
use crate::server::http::problem::{Code, Problem};
use crate::server::http::witness::{self, Account, Asking, Event};

/// Who watches, and until when.
#[derive(Debug, Clone)]
pub struct Streams {
    clerk: Arc<Clerk>,
    witness: Asking,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Streams {
    /// Room for so many who watch.
    pub fn new(clerk: Arc<Clerk>, witness: Asking, stop: CancellationToken) -> Self {
        Self { clerk, witness, places: Arc::new(Semaphore::new(MOST_STREAMS)), stop }
    }

    /// Whether a call is up.
    ///
    /// # Errors
    /// When nobody can say so.
    pub async fn is_up(&self, call: CallId) -> Result<bool, Problem> {
        Ok(self.clerk.is_up(call).await?)
    }

    /// Watches what the filter wants, by a key if one is needed: what happens after the event named
    /// `last`, if one is, and else from now on.
    ///
    /// # Errors
    /// When too many watch.
    pub async fn watch(
        &self,
        filter: Filter,
        last: Option<&str>,
        bearer: Option<Bearer>,
    ) -> Result<Flow, Problem> {
        self.flow(filter, bearer, |account, run| resumed(account, run, last)).await
    }

    /// Watches a call from its beginning, as far as it is remembered, or from the event on that is
    /// named `last`.
    ///
    /// # Errors
    /// When too many watch.
    pub async fn watch_call(
        &self,
        (call, types): (CallId, Vec<String>),
        last: Option<&str>,
        bearer: Option<Bearer>,
    ) -> Result<Flow, Problem> {
        let past = |account: &Account, run: &str| {
            let mut past = match last {
                None => Past { missed: None, events: account.past.clone() },
                last => resumed(account, run, last),
            };
            past.events.retain(|event| event.call == Some(call));
            past
        };
        self.flow(Filter { types, call: Some(call) }, bearer, past).await
    }

    async fn flow(
        &self,
        filter: Filter,
        bearer: Option<Bearer>,
        past: impl FnOnce(&Account, &str) -> Past,
    ) -> Result<Flow, Problem> {
        let full = |_| {
            let why = format!("{MOST_STREAMS} streams are open: close one of them");
            Problem::new(Code::TooMany, why).after(5)
        };
        let permit = self.places.clone().try_acquire_owned().map_err(full)?;
        let account = self.witness.account().await.ok_or_else(late)?;
        let past = past(&account, &self.witness.run);
        let mut beats = tokio::time::interval(HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flow = Flow {
            streams: self.clone(),
            live: account.live,
            filter,
            bearer,
            beats,
            next: past.missed.map(Item::Missed).into_iter().collect(),
            over: None,
            _permit: permit,
        };
        past.events.into_iter().for_each(|event| flow.add(event));
        Ok(flow)
    }
}

/// What comes to whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event, with its name.
    Event(String, Arc<Event>),
    /// So many events are lost; nothing inside when nobody knows how many.
    Missed(Option<u64>),
    /// Nothing happens, and somebody is there.
    Beat,
}

/// Why nothing comes any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// What was watched has ended.
    Ended,
    /// The key or the ticket is not valid any more.
    TakenBack,
    /// The server stops.
    Stopped,
}

/// Which events are wanted.
#[derive(Debug, PartialEq, Eq)]
pub struct Filter {
    types: Vec<String>,
    call: Option<CallId>,
}

/// One who watches.
pub struct Flow {
    streams: Streams,
    live: Receiver<Arc<Event>>,
    filter: Filter,
    /// The key that it is watched with, if one is needed.
    bearer: Option<Bearer>,
    beats: Interval,
    /// What comes next.
    next: VecDeque<Item>,
    over: Option<Over>,
    _permit: OwnedSemaphorePermit,
}

/// What comes first.
struct Past {
    /// How many events are known to be lost, if any; nothing inside when nobody knows how many.
    missed: Option<Option<u64>>,
    events: Vec<Arc<Event>>,
}

impl Flow {
    /// Whether nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.next.is_empty()
    }

    /// Ends after what waits to be taken.
    pub fn ended(self) -> Self {
        Self { over: Some(Over::Ended), ..self }
    }

    /// What comes next, at least one; at the end why there is nothing. Nothing is lost when this is
    /// not waited for to the end.
    ///
    /// # Errors
    /// At the end.
    pub async fn more(&mut self) -> Result<VecDeque<Item>, Over> {
        loop {
            if !self.next.is_empty() {
                return Ok(std::mem::take(&mut self.next));
            }
            if let Some(over) = self.over {
                return Err(over);
            }
            tokio::select! {
                () = self.streams.stop.cancelled() => self.over = Some(Over::Stopped),
                event = self.live.recv() => match event {
                    Ok(event) => self.add(event),
                    Err(RecvError::Lagged(count)) => self.next.push_back(Item::Missed(Some(count))),
                    Err(RecvError::Closed) => self.over = Some(Over::Stopped),
                },
                _ = self.beats.tick() => self.beat().await,
            }
        }
    }

    fn add(&mut self, event: Arc<Event>) {
        let is_end = event.kind == "call.ended" && event.call.is_some();
        if is_end && event.call == self.filter.call {
            self.over = Some(Over::Ended);
        }
        if self.filter.wants(&event) {
            let name = witness::name(&self.streams.witness.run, event.number);
            self.next.push_back(Item::Event(name, event));
        }
    }

    /// Says that it is still there; ends for a key that was taken back, and for a call whose end
    /// was missed.
    async fn beat(&mut self) {
        self.next.push_back(Item::Beat);
        let is_up = match self.filter.call {
            Some(call) => self.streams.clerk.is_up(call).await.unwrap_or(false),
            None => true,
        };
        if self.bearer.as_ref().is_some_and(|bearer| !bearer.is_valid()) {
            self.over = Some(Over::TakenBack);
        } else if !is_up && self.live.is_empty() {
            self.over = Some(Over::Ended);
        }
    }
}

impl Filter {
    /// Those of these types, as `call.*,transcript.updated`, and of this call, if one is named.
    ///
    /// # Errors
    /// When a type cannot be read.
    pub fn new(types: Option<&str>, call: Option<CallId>) -> Result<Self, Problem> {
        Ok(Self { types: kinds(types)?, call })
    }

    fn wants(&self, event: &Event) -> bool {
        let fits = |wanted: &String| match wanted.strip_suffix('*') {
            Some(begin) => event.kind.starts_with(begin),
            None => event.kind == *wanted,
        };
        let is_wanted = self.types.is_empty() || self.types.iter().any(fits);
        is_wanted && (self.call.is_none() || self.call == event.call)
    }
}

/// What was not seen since `last`.
fn resumed(account: &Account, run: &str, last: Option<&str>) -> Past {
    let Some(last) = last else { return Past { missed: None, events: Vec::new() } };
    let Some(last) = witness::number(run, last) else {
        // It is of another run of the server, or of none: all that is remembered may be news.
        return Past { missed: Some(None), events: account.past.clone() };
    };
    let next = last.saturating_add(1);
    let oldest = account.past.first().map_or(next, |event| event.number);
    let lost = oldest.saturating_sub(next);
    let events = account.past.iter().filter(|event| event.number > last).cloned().collect();
    Past { missed: (lost > 0).then_some(Some(lost)), events }
}

/// Reads `call.*,transcript.updated`.
///
/// # Errors
/// When a type cannot be read.
pub fn kinds(text: Option<&str>) -> Result<Vec<String>, Problem> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let is_type = |it: &str| {
        let word = it.strip_suffix('*').unwrap_or(it);
        let is_plain = word.bytes().all(|it| it.is_ascii_lowercase() || matches!(it, b'.' | b'_'));
        !it.is_empty() && it.len() <= LONGEST_TYPE && is_plain
    };
    let types: Vec<String> = text.split(',').map(|it| it.trim().to_owned()).collect();
    if types.len() > MOST_TYPES || !types.iter().all(|it| is_type(it)) {
        return Err(Problem::parameter("types", "write them as `call.ended,transcript.*`"));
    }
    Ok(types)
}

/// How often it is said that nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The most streams at once.
const MOST_STREAMS: usize = 256;

/// The most types that are asked for.
const MOST_TYPES: usize = 32;

/// The longest of them, in octets.
const LONGEST_TYPE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::broadcast;

    fn account(numbers: std::ops::Range<u64>) -> Account {
        let event = |number| {
            let (kind, text) = ("call.started".to_owned(), "{}".to_owned());
            Arc::new(Event { number, kind, call: None, text })
        };
        Account { past: numbers.map(event).collect(), live: broadcast::channel(1).1 }
    }

    fn told(past: &Past) -> (Option<Option<u64>>, Vec<u64>) {
        (past.missed, past.events.iter().map(|event| event.number).collect())
    }

    #[test]
    fn whoever_was_cut_off_goes_on_where_it_was() {
        let account = account(5..8);
        let after = |last| told(&resumed(&account, "a", last));
        assert_eq!(after(None), (None, vec![]));
        assert_eq!(after(Some("evt_a_6")), (None, vec![7]));
        assert_eq!(after(Some("evt_a_7")), (None, vec![]));
        assert_eq!(after(Some("evt_a_4")), (None, vec![5, 6, 7]));
        assert_eq!(after(Some("evt_a_1")), (Some(Some(3)), vec![5, 6, 7]));
        assert_eq!(after(Some("evt_b_6")), (Some(None), vec![5, 6, 7]));
        assert_eq!(after(Some("evt_a_18446744073709551615")), (None, vec![]));
    }

    #[test]
    fn types_are_wanted_by_name_or_by_their_beginning() {
        let filter = |text| Filter { types: kinds(Some(text)).expect("types"), call: None };
        let event = |kind: &str| Event {
            number: 1,
            kind: kind.to_owned(),
            call: None,
            text: String::new(),
        };
        assert!(filter("call.*, trunk.up").wants(&event("call.ended")));
        assert!(!filter("call.*,trunk.up").wants(&event("trunk.down")));
        assert!(filter("*").wants(&event("trunk.down")));
        for wrong in ["", "call.*,", "A", "ca\nll", "*.x", &"x,".repeat(40)] {
            assert!(kinds(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
