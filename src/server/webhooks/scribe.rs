//! Writes down what webhooks are to be told, in the words of each: ours as they are, those of Vapi and
//! Retell with the call as it stands. Words are put when something happens, and stay the same however
//! often they are told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::agent::after::Report;
use crate::base::id::CallId;
use crate::base::random::Random;
use crate::call::event::Fact;
use crate::call::record::Record;
use crate::config::dialect::cousins;
use crate::config::webhook::Format;
use crate::engine::announcements::Announcement;
use crate::engine::bus::{Noted, Standing};
use crate::engine::clock;
use crate::server::control::events;
use crate::server::control::times::timestamp;
use crate::server::vapi::drawer::Drawer;
use crate::server::vapi::ledger::Ledger;
use crate::server::vapi::views::Known;
use crate::server::webhooks::endpoint::Endpoint;
use crate::server::webhooks::happening::{Happening, Message};
use crate::server::webhooks::{in_retell, in_vapi};
use crate::store::call_archive::CallArchive;
use crate::store::call_files::document;
use crate::store::drafts::Unfinished;
use crate::store::spool::Event;

/// What is known of calls beside their records.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The file of what programs of Vapi's made; it need not be there.
    pub drawer: PathBuf,
    /// What was said of calls, where programs of Vapi's are answered.
    pub ledger: Option<Ledger>,
    /// How the HTTP door is reached from outside, if that is known.
    pub public_url: Option<String>,
}

/// Writes down what is to be told.
#[derive(Debug)]
pub struct Scribe {
    endpoints: Arc<[Endpoint]>,
    sources: Sources,
    archive: CallArchive,
    /// What programs made, and when it was written.
    drawer: (Option<SystemTime>, Drawer),
    /// The traces of calls that are over and are being read by a model.
    parents: BTreeMap<CallId, String>,
    /// What is known of those.
    read: BTreeMap<CallId, BeingRead>,
    random: Random,
}

/// A call that is being read.
#[derive(Debug)]
struct BeingRead {
    since: Instant,
    /// Its record.
    told: Value,
    /// The report that waits for what is found out, if somebody is to have one.
    report: Option<Event>,
}

/// What is to be told.
#[derive(Debug, Default)]
pub struct News {
    /// At once.
    pub told: Vec<Event>,
    /// Later, and after a restart at the latest.
    pub held: Vec<(CallId, Event)>,
    /// What was held back of these calls is among what is told now.
    pub let_go: Vec<CallId>,
}

impl Scribe {
    /// One for those who are told; records of calls that ended are in the archive.
    pub fn new(endpoints: Arc<[Endpoint]>, sources: Sources, archive: CallArchive) -> Self {
        let (drawer, read) = ((None, Drawer::default()), BTreeMap::new());
        let (parents, random) = (BTreeMap::new(), clock::random());
        Self { endpoints, sources, archive, drawer, parents, read, random }
    }

    /// Whether something is held back.
    pub fn is_holding(&self) -> bool {
        !self.read.is_empty()
    }

    /// Writes down what happened in a call.
    pub fn of_call(&mut self, noted: &Noted, news: &mut News) {
        self.write(noted, news);
        let Some(parent) = self.traceparent(noted) else { return };
        let call = Some(noted.told.call.to_string());
        let held = news.held.iter_mut().map(|(_, event)| event);
        let late = self.read.get_mut(&noted.told.call).and_then(|it| it.report.as_mut());
        let all = news.told.iter_mut().chain(held).chain(late);
        for event in all.filter(|it| it.call == call && it.traceparent.is_none()) {
            event.traceparent = Some(parent.clone());
        }
    }

    /// The trace of a call, in which whoever is told goes on.
    fn traceparent(&mut self, noted: &Noted) -> Option<String> {
        let call = noted.told.call;
        let of = |record: &Record| record.trace.map(|it| it.told(it.root()).to_string());
        match (&*noted.told.fact, &noted.standing) {
            (Fact::Ended { record, .. }, Standing::Read) => {
                let parent = of(record)?;
                // Beyond, what is found out is told without.
                if self.parents.len() < MOST_READ {
                    self.parents.insert(call, parent.clone());
                }
                Some(parent)
            }
            (Fact::Ended { record, .. }, Standing::Over) => of(record),
            (_, Standing::Up(record)) => of(record),
            (Fact::Analyzed(..), Standing::Read | Standing::Over) => self.parents.remove(&call),
            (_, Standing::Read | Standing::Over) => None,
        }
    }

    fn write(&mut self, noted: &Noted, news: &mut News) {
        if self.endpoints.is_empty() {
            return;
        }
        let event = events::of_call(&noted.told);
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        let (call, fact) = (noted.told.call, &*noted.told.fact);
        let to = match fact {
            Fact::Analyzed(report, _) => report.webhook.as_deref(),
            _ => None,
        };
        news.told.extend(self.event((Some(call), to), event));
        if !DIALECTS.into_iter().any(|it| self.has(it)) {
            return;
        }
        match (fact, &noted.standing) {
            (Fact::Ended { record, .. }, standing) => {
                let told = Value::Object(document(record));
                let all = self.ended(call, &told);
                match standing {
                    Standing::Read if self.read.len() < MOST_READ => {
                        self.waits(call, (told, all), news);
                    }
                    Standing::Read | Standing::Over | Standing::Up(_) => news.told.extend(all),
                }
            }
            (Fact::Analyzed(report, _), _) => {
                self.analyzed(call, report, news);
            }
            (fact, Standing::Up(record)) => {
                let is_wanted = |it: &Format| self.is_told(*it, &kind, None);
                let wanted: Vec<Format> = DIALECTS.into_iter().filter(is_wanted).collect();
                if !wanted.is_empty() {
                    let told = so_far(record);
                    let messages = self.messages(call, &told, |it| {
                        let of = |format: &Format| match format {
                            Format::Standard => Vec::new(),
                            Format::Vapi => with(Format::Vapi, in_vapi::told(fact, it)),
                            Format::Retell => with(Format::Retell, in_retell::told(fact, it)),
                        };
                        wanted.iter().flat_map(of).collect()
                    });
                    news.told.extend(self.events((call, None), messages, Named::Anew));
                }
            }
            (_, Standing::Read | Standing::Over) => {}
        }
    }

    /// Writes down what happened beside the calls.
    pub fn of_server(&mut self, announcement: &Announcement) -> Option<Event> {
        if self.endpoints.is_empty() {
            return None;
        }
        self.event((announcement.call(), None), events::of_server(announcement))
    }

    /// So much happened beside the calls that not all of it was seen.
    pub fn missed(&mut self, count: u64) -> Option<Event> {
        self.event((None, None), events::missed(Some(count)))
    }

    /// Writes down the end of a call that a server left behind when it was killed.
    pub fn late_end(&mut self, left: &Unfinished) -> Vec<Event> {
        if self.endpoints.is_empty() {
            return Vec::new();
        }
        let event = events::late_end(left.call, left.document.get("ended_at"), left.end());
        let ours = self.event((Some(left.call), None), event);
        let theirs = match DIALECTS.into_iter().any(|it| self.has(it)) {
            true => self.ended(left.call, &Value::Object(left.document.clone())),
            false => Vec::new(),
        };
        ours.into_iter().chain(theirs).collect()
    }

    /// Tells what was held back for too long.
    pub fn overdue(&mut self, now: Instant, news: &mut News) {
        let is_overdue = |it: &BeingRead| now.saturating_duration_since(it.since) >= READ_WITHIN;
        for (call, late) in self.read.extract_if(.., |_, it| is_overdue(it)) {
            news.let_go.push(call);
            news.told.extend(late.report);
        }
    }

    /// The report of a call waits for what is found out; all else of its end is told.
    fn waits(&mut self, call: CallId, (told, all): (Value, Vec<Event>), news: &mut News) {
        let report = Named::AsEnd.id(call, REPORT, &mut self.random);
        let (held, now): (Vec<Event>, Vec<Event>) = all.into_iter().partition(|it| it.id == report);
        let report = held.into_iter().next();
        news.told.extend(now);
        news.held.extend(report.clone().map(|it| (call, it)));
        self.read.insert(call, BeingRead { since: clock::now(), told, report });
    }

    /// What was found out about a call is known.
    fn analyzed(&mut self, call: CallId, report: &Report, news: &mut News) {
        let waiting = self.read.remove(&call);
        let is_awaited = waiting.as_ref().is_some_and(|it| it.report.is_some());
        let kept = || self.archive.read(call).ok().flatten().map(Value::Object);
        let Some(mut told) = waiting.map(|it| it.told).or_else(kept) else { return };
        told["analysis"] = Value::Object(report.json());
        let messages = self.messages(call, &told, |it| {
            let of_vapi = is_awaited.then(|| (Format::Vapi, in_vapi::report(it)));
            let of_retell = (Format::Retell, in_retell::analyzed(it));
            of_vapi.into_iter().chain([of_retell]).collect()
        });
        let to = report.webhook.as_deref();
        news.told.extend(self.events((call, to), messages, Named::AsEnd));
        if is_awaited {
            news.let_go.push(call);
        }
    }

    /// What is told of the end of a call in the words of others.
    fn ended(&mut self, call: CallId, told: &Value) -> Vec<Event> {
        let messages = self.messages(call, told, |it| {
            let mut all = with(Format::Vapi, in_vapi::ended(it));
            all.extend(with(Format::Retell, in_retell::ended(it)));
            all
        });
        self.events((call, None), messages, Named::AsEnd)
    }

    /// What is made of a call as it stands.
    fn messages(
        &mut self,
        call: CallId,
        told: &Value,
        make: impl FnOnce(&Happening<'_>) -> Vec<(Format, Message)>,
    ) -> Vec<(Format, Message)> {
        self.look();
        let at = clock::since_epoch();
        let Sources { ledger, public_url, .. } = &self.sources;
        let note = ledger.as_ref().and_then(|ledger| ledger.noted(call));
        // Without it no orders are taken.
        let token = ledger.as_ref().map(|ledger| ledger.token(call)).unwrap_or_default();
        let now = timestamp(at);
        let known = Known {
            drawer: &self.drawer.1,
            note: note.as_ref(),
            base: public_url.as_deref().unwrap_or_default(),
            token: &token,
            now: &now,
        };
        make(&Happening { told, known: &known, at })
    }

    /// Those that somebody wants, or that go to one of this name in any case.
    fn events(
        &mut self,
        (call, to): (CallId, Option<&str>),
        messages: Vec<(Format, Message)>,
        named: Named,
    ) -> Vec<Event> {
        let at = i64::try_from(clock::since_epoch().as_millis()).unwrap_or(i64::MAX);
        let mut events = Vec::new();
        for (format, message) in messages {
            if self.is_told(format, message.ours, to) {
                let id = named.id(call, message.theirs, &mut self.random);
                let (kind, dialect) = (message.ours.to_owned(), format.name().to_owned());
                let call = Some(call.to_string());
                events.push(Event {
                    id,
                    kind,
                    dialect,
                    to: to.map(str::to_owned),
                    call,
                    at,
                    body: message.text(LONGEST_REPORT),
                    traceparent: None,
                });
            }
        }
        events
    }

    /// The event in our own words, if somebody is told of it.
    fn event(
        &mut self,
        (call, to): (Option<CallId>, Option<&str>),
        mut event: Value,
    ) -> Option<Event> {
        let kind = event.get("type").and_then(Value::as_str)?.to_owned();
        if !self.is_wanted(Format::Standard, &kind, to) {
            return None;
        }
        let now = clock::since_epoch();
        let id = match call {
            Some(call) if kind == "call.ended" => Event::named_end(call),
            _ => Event::named(now, &mut self.random),
        };
        event.as_object_mut()?.insert("id".to_owned(), json!(id));
        let mut body = event.to_string();
        if body.len() > LONGEST_BODY {
            event.as_object_mut()?.insert("data".to_owned(), json!({ "too_long": true }));
            body = event.to_string();
        }
        let at = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        let call = call.map(|call| call.to_string());
        let to = to.map(str::to_owned);
        let (dialect, traceparent) = (String::new(), None);
        Some(Event { id, kind, dialect, to, call, at, body, traceparent })
    }

    /// Whether somebody is told in this form.
    fn has(&self, format: Format) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.format == format)
    }

    /// Whether somebody wants such an event in this form, or one of this name is told it so.
    fn is_wanted(&self, format: Format, kind: &str, to: Option<&str>) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.format == format && endpoint.wants(kind, to))
    }

    /// Whether it is ever told so, too.
    fn is_told(&self, format: Format, kind: &str, to: Option<&str>) -> bool {
        !cousins(format, kind).is_empty() && self.is_wanted(format, kind, to)
    }

    /// Reads what programs made, if it is not what it was.
    fn look(&mut self) {
        let written = std::fs::metadata(&self.sources.drawer).and_then(|it| it.modified()).ok();
        if written == self.drawer.0 {
            return;
        }
        match Drawer::read(&self.sources.drawer) {
            Ok(drawer) => self.drawer = (written, drawer),
            // Whoever keeps it says so; those who are told read names in place of identities.
            Err(_) => self.drawer.0 = written,
        }
    }
}

/// How an event is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// As nothing else.
    Anew,
    /// By its call: it ends once, whoever tells of it.
    AsEnd,
}

impl Named {
    fn id(self, call: CallId, theirs: &str, random: &mut Random) -> String {
        match self {
            Self::Anew => Event::named(clock::since_epoch(), random),
            Self::AsEnd => format!("{}-{theirs}", Event::named_end(call)),
        }
    }
}

fn with(format: Format, all: impl IntoIterator<Item = Message>) -> Vec<(Format, Message)> {
    all.into_iter().map(|it| (format, it)).collect()
}

/// The record of a call that is up: it has no end, and of what was said the newest.
fn so_far(record: &Record) -> Value {
    let mut told = document(record);
    for key in ["ended_at", "end_reason", "q850", "duration_ms"] {
        told.remove(key);
    }
    let status = if record.answered.is_some() { "in-progress" } else { "ringing" };
    told.insert("status".to_owned(), json!(status));
    if let Some(Value::Array(lines)) = told.get_mut("transcript") {
        let older = lines.len().saturating_sub(NEWEST);
        lines.drain(..older);
    }
    Value::Object(told)
}

/// The forms that are not ours.
const DIALECTS: [Format; 2] = [Format::Vapi, Format::Retell];

/// What waits for a model.
const REPORT: &str = "end-of-call-report";

/// How long it waits: two models may take 20 s each, and others may be read before.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// How many calls wait at once; the reports of others say nothing of what is found out.
const MOST_READ: usize = 1_000;

/// How many lines of a call that is up are told again with each that is new.
const NEWEST: usize = 100;

/// The longest event, in octets; whoever is told can ask for the call.
const LONGEST_BODY: usize = 64 * 1_024;

/// The longest in the words of others, who have all that was said in it.
const LONGEST_REPORT: usize = 1_024 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::webhook::Webhook;

    #[test]
    fn a_report_waits_for_what_is_found_out_and_not_for_ever() {
        let settings =
            "url = \"https://a.test\"\nsecret = \"x\"\nformat = \"vapi\"\nevents = [\"*\"]";
        let webhook: Webhook = toml::from_str(settings).expect("a webhook");
        let nowhere = PathBuf::from("/nonexistent");
        let sources = Sources { drawer: nowhere.join("x"), ledger: None, public_url: None };
        let endpoints = Arc::new([Endpoint::new("app", &webhook)]);
        let mut scribe = Scribe::new(endpoints, sources, CallArchive::new(nowhere));
        let call = CallId::new(Duration::from_secs(1), &mut Random::repeatable(1));
        let told = json!({ "id": call.to_string(), "end_reason": "agent_ended",
            "ended_at": "2026-01-01T00:00:09.000Z" });
        for is_found in [true, false] {
            let (mut now, mut later, mut late) =
                (News::default(), News::default(), News::default());
            let all = scribe.ended(call, &told);
            scribe.waits(call, (told.clone(), all), &mut now);
            assert_eq!((now.told.len(), now.held.len()), (1, 1));
            assert!(scribe.is_holding() && now.told[0].body.contains("status-update"));
            scribe.overdue(clock::now(), &mut later);
            assert!(later.told.is_empty() && later.let_go.is_empty());
            let summary = Some("It is mended.".to_owned());
            let found = Report { summary, ..Report::default() };
            match is_found {
                true => scribe.analyzed(call, &found, &mut later),
                false => scribe.overdue(clock::now() + READ_WITHIN, &mut later),
            }
            let report = later.told.first().expect("a report");
            assert_eq!((later.told.len(), &later.let_go), (1, &vec![call]));
            assert_eq!(report.id, now.held[0].1.id, "it is never told twice");
            assert_eq!(report.body.contains("It is mended."), is_found, "{}", report.body);
            scribe.analyzed(call, &found, &mut late);
            assert!(late.told.is_empty() && !scribe.is_holding());
        }
    }
}
