//! `GET /v1/events` and `GET /v1/calls/{id}/events`: what happens, as server-sent events. Whoever was
//! cut off goes on where it was; whoever is too slow is told how much it missed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use crate::base::id::CallId;
use crate::server::control::clerk::Clerk;
use crate::server::control::events as control;
use crate::server::http::asked::{Asked, OfCall};
use crate::server::http::front::late;
use crate::server::http::gate::Bearer;
use crate::server::http::problem::{Code, Problem};
use crate::server::http::witness::{self, Account, Asking, Event};
use crate::store::call_archive::CallArchive;

/// Who watches, and until when.
#[derive(Debug, Clone)]
pub struct Streams {
    clerk: Arc<Clerk>,
    archive: CallArchive,
    witness: Asking,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

/// Which events are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only these, as `call.ended,transcript.*`.
    types: Option<String>,
    /// Only those of this call.
    call_id: Option<String>,
}

/// Which events of a call are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct WantedOfCall {
    /// Only these, as `call.ended,transcript.*`.
    types: Option<String>,
}

/// What happens from now on, or from the event on that `Last-Event-ID` names.
#[utoipa::path(get, path = "/v1/events", operation_id = "events.stream", tag = "events",
    params(Wanted, ("Last-Event-ID" = Option<String>, Header,
        description = "The last event that was seen")),
    responses((status = OK, body = String, content_type = "text/event-stream"),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn all(
    State(streams): State<Streams>,
    Extension(bearer): Extension<Bearer>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let unknown = |_| Problem::parameter("call_id", "no call has such an identity");
    let call = wanted.call_id.map(|id| id.parse().map_err(unknown)).transpose()?;
    let filter = Filter { types: types(wanted.types.as_deref())?, call };
    let (permit, account) = (streams.place()?, streams.account().await?);
    let past = resumed(&account, &streams.witness.run, last_seen(&headers));
    let stream = streams.flow(account, filter, (bearer, permit));
    Ok(stream.after(past).response())
}

/// What happened in a call, as far as it is remembered, and what happens until it ends.
#[utoipa::path(get, path = "/v1/calls/{id}/events", operation_id = "calls.events", tag = "calls",
    params(("id" = String, Path, description = "The call"), WantedOfCall,
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was seen")),
    responses((status = OK, body = String, content_type = "text/event-stream"),
        (status = NO_CONTENT, description = "The call is over, and nothing more is remembered"),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn of_call(
    State(streams): State<Streams>,
    Extension(bearer): Extension<Bearer>,
    OfCall(call): OfCall,
    Asked(wanted): Asked<WantedOfCall>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = Filter { types: types(wanted.types.as_deref())?, call: Some(call) };
    let (permit, account) = (streams.place()?, streams.account().await?);
    let mut past = match last_seen(&headers) {
        None => Past { missed: None, events: account.past.clone() },
        last => resumed(&account, &streams.witness.run, last),
    };
    past.events.retain(|event| event.call == Some(call));
    if !streams.clerk.is_up(call).await? {
        if past.events.is_empty() {
            let archive = streams.archive.clone();
            let known = tokio::task::spawn_blocking(move || archive.has(call)).await;
            return match known {
                Ok(true) => Ok(StatusCode::NO_CONTENT.into_response()),
                Ok(false) | Err(_) => Err(Problem::new(Code::NotFound, "there is no such call")),
            };
        }
        // Its end is among them, or too long ago to be remembered.
        let stream = streams.flow(account, filter, (bearer, permit));
        return Ok(stream.after(past).ended().response());
    }
    Ok(streams.flow(account, filter, (bearer, permit)).after(past).response())
}

impl Streams {
    /// Room for so many who watch.
    pub fn new(
        (clerk, archive): (Arc<Clerk>, CallArchive),
        witness: Asking,
        stop: CancellationToken,
    ) -> Self {
        Self { clerk, archive, witness, places: Arc::new(Semaphore::new(MOST_STREAMS)), stop }
    }

    /// What is said in a call, for whoever has it.
    ///
    /// # Errors
    /// When too many watch.
    pub async fn words_of(self, call: CallId) -> Result<Response, Problem> {
        let types = vec!["transcript.updated".to_owned(), "call.*".to_owned()];
        let filter = Filter { types, call: Some(call) };
        let (permit, account) = (self.place()?, self.account().await?);
        let mut past = Past { missed: None, events: account.past.clone() };
        past.events.retain(|event| event.call == Some(call));
        Ok(self.flow(account, filter, (None, permit)).after(past).response())
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let full = |_| {
            let why = format!("{MOST_STREAMS} streams are open: close one of them");
            Problem::new(Code::TooMany, why).after(5)
        };
        self.places.clone().try_acquire_owned().map_err(full)
    }

    async fn account(&self) -> Result<Account, Problem> {
        self.witness.account().await.ok_or_else(late)
    }

    fn flow(
        self,
        account: Account,
        filter: Filter,
        (bearer, permit): (impl Into<Option<Bearer>>, OwnedSemaphorePermit),
    ) -> Flow {
        let mut beats = tokio::time::interval(HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Flow {
            streams: self,
            live: account.live,
            filter,
            bearer: bearer.into(),
            beats,
            next: String::new(),
            is_over: false,
            _permit: permit,
        }
    }
}

/// What is sent first.
struct Past {
    /// How many events are known to be lost, if any; nothing inside when nobody knows how many.
    missed: Option<Option<u64>>,
    events: Vec<Arc<Event>>,
}

/// One who watches.
struct Flow {
    streams: Streams,
    live: tokio::sync::broadcast::Receiver<Arc<Event>>,
    filter: Filter,
    /// The key that it is watched with, if one is needed.
    bearer: Option<Bearer>,
    beats: Interval,
    /// What is to be sent next.
    next: String,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

/// Which events are wanted.
#[derive(Debug, PartialEq, Eq)]
struct Filter {
    types: Vec<String>,
    call: Option<CallId>,
}

impl Flow {
    fn after(mut self, past: Past) -> Self {
        self.next.push_str("retry: 2000\n\n");
        if let Some(count) = past.missed {
            self.next.push_str(&missed(count));
        }
        for event in &past.events {
            self.add(event);
        }
        self
    }

    fn ended(self) -> Self {
        Self { is_over: true, ..self }
    }

    fn response(self) -> Response {
        let body = Body::from_stream(stream::unfold(self, |mut flow| async {
            let text = flow.more().await?;
            Some((Ok::<_, Infallible>(Bytes::from(text)), flow))
        }));
        let headers =
            [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
        (headers, body).into_response()
    }

    /// What is sent next; nothing at the end.
    async fn more(&mut self) -> Option<String> {
        loop {
            if !self.next.is_empty() {
                return Some(std::mem::take(&mut self.next));
            }
            if self.is_over {
                return None;
            }
            tokio::select! {
                () = self.streams.stop.cancelled() => return None,
                event = self.live.recv() => match event {
                    Ok(event) => self.add(&event),
                    Err(RecvError::Lagged(count)) => self.next.push_str(&missed(Some(count))),
                    Err(RecvError::Closed) => return None,
                },
                _ = self.beats.tick() => self.beat().await,
            }
        }
    }

    fn add(&mut self, event: &Event) {
        if self.filter.wants(event) {
            let name = witness::name(&self.streams.witness.run, event.number);
            let line = format!("id: {name}\nevent: {}\ndata: {}\n\n", event.kind, event.text);
            self.next.push_str(&line);
        }
        let is_end = event.kind == "call.ended" && event.call.is_some();
        self.is_over |= is_end && event.call == self.filter.call;
    }

    /// Says that it is still there; ends for a key that was taken back, and for a call whose end
    /// was missed.
    async fn beat(&mut self) {
        self.next.push_str(": here\n\n");
        let is_up = match self.filter.call {
            Some(call) => self.streams.clerk.is_up(call).await.unwrap_or(false),
            None => true,
        };
        let is_taken_back = self.bearer.as_ref().is_some_and(|bearer| !bearer.is_valid());
        self.is_over |= is_taken_back || !is_up && self.live.is_empty();
    }
}

impl Filter {
    fn wants(&self, event: &Event) -> bool {
        let fits = |wanted: &String| match wanted.strip_suffix('*') {
            Some(begin) => event.kind.starts_with(begin),
            None => event.kind == *wanted,
        };
        let is_wanted = self.types.is_empty() || self.types.iter().any(fits);
        is_wanted && (self.call.is_none() || self.call == event.call)
    }
}

fn missed(count: Option<u64>) -> String {
    format!("event: events.missed\ndata: {}\n\n", control::missed(count))
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

fn last_seen(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty())
}

/// Reads `call.*,transcript.updated`.
fn types(text: Option<&str>) -> Result<Vec<String>, Problem> {
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
const MOST_STREAMS: usize = 64;

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
        let filter = |text| Filter { types: types(Some(text)).expect("types"), call: None };
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
            assert!(types(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
