//! The witness: sees what happens, counts it, and remembers the last of it, so that whoever was cut
//! off can go on where it was.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::base::id::CallId;
use crate::engine::announcements::{Announcement, Announcer};
use crate::engine::bus::{Told, Watching};
use crate::engine::clock;
use crate::server::control::events;
use crate::server::http::tally::Tally;

/// What happened, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Counts up from 1.
    pub number: u64,
    /// `call.started` and the like.
    pub kind: String,
    /// The call, if it was in one.
    pub call: Option<CallId>,
    /// All of it, as JSON on one line.
    pub text: String,
}

/// Sees what happens. It is a task of its own.
#[derive(Debug)]
pub struct Witness {
    facts: broadcast::Receiver<Told>,
    announcements: broadcast::Receiver<Announcement>,
    questions: mpsc::Receiver<Question>,
    watchers: broadcast::Sender<Arc<Event>>,
    memory: Memory,
    tally: Tally,
}

/// How the witness is asked.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Names the events of this run of the server.
    pub run: Arc<str>,
    questions: mpsc::Sender<Question>,
}

/// What happened of late, and what happens from then on: nothing falls between.
#[derive(Debug)]
pub struct Account {
    /// The last of what happened, in order.
    pub past: Vec<Arc<Event>>,
    /// What happens.
    pub live: broadcast::Receiver<Arc<Event>>,
}

#[derive(Debug)]
enum Question {
    Account(oneshot::Sender<Account>),
    Tally(oneshot::Sender<Tally>),
}

/// The last of what happened: so many events, of so many octets.
#[derive(Debug, Default)]
struct Memory {
    events: VecDeque<Arc<Event>>,
    octets: usize,
    newest: u64,
}

impl Witness {
    /// Sees everything from now on.
    pub fn new(facts: &Watching, announcer: &Announcer) -> (Self, Asking) {
        let (asker, questions) = mpsc::channel(QUESTIONS);
        let witness = Self {
            facts: facts.watch(),
            announcements: announcer.watch(),
            questions,
            watchers: broadcast::channel(AHEAD).0,
            memory: Memory::default(),
            tally: Tally::default(),
        };
        let run = format!("{:x}", clock::since_epoch().as_millis());
        (witness, Asking { run: run.into(), questions: asker })
    }

    /// Serves until `stop`.
    pub async fn run(mut self, run: Arc<str>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(question) = self.questions.recv() => self.answer(question),
                told = self.facts.recv() => match told {
                    Ok(told) => {
                        self.tally.fact(told.call, &told.fact);
                        self.remember(&run, Some(told.call), events::of_call(&told));
                    }
                    Err(RecvError::Lagged(count)) => self.missed(&run, count),
                    Err(RecvError::Closed) => return,
                },
                told = self.announcements.recv() => match told {
                    Ok(told) => {
                        self.tally.announcement(&told);
                        self.remember(&run, told.call(), events::of_server(&told));
                    }
                    Err(RecvError::Lagged(count)) => self.missed(&run, count),
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    fn answer(&self, question: Question) {
        // Who asked may have gone.
        match question {
            Question::Account(asker) => {
                let past = self.memory.events.iter().cloned().collect();
                asker.send(Account { past, live: self.watchers.subscribe() }).ok();
            }
            Question::Tally(asker) => {
                asker.send(self.tally.clone()).ok();
            }
        }
    }

    /// So much happened that the witness did not see all of it.
    fn missed(&mut self, run: &str, count: u64) {
        self.tally.missed(count);
        self.remember(run, None, events::missed(Some(count)));
    }

    fn remember(&mut self, run: &str, call: Option<CallId>, event: Value) {
        let event = self.memory.take(run, call, event);
        // Nobody watching is no error.
        self.watchers.send(event).ok();
    }
}

impl Asking {
    /// What happened of late, and what happens; nothing when the witness is gone.
    pub async fn account(&self) -> Option<Account> {
        let (asker, answer) = oneshot::channel();
        self.questions.send(Question::Account(asker)).await.ok()?;
        answer.await.ok()
    }

    /// What was counted; nothing when the witness is gone.
    pub async fn tally(&self) -> Option<Tally> {
        let (asker, answer) = oneshot::channel();
        self.questions.send(Question::Tally(asker)).await.ok()?;
        answer.await.ok()
    }
}

impl Memory {
    fn take(&mut self, run: &str, call: Option<CallId>, mut event: Value) -> Arc<Event> {
        self.newest += 1;
        if let Some(event) = event.as_object_mut() {
            event.insert("id".to_owned(), json!(name(run, self.newest)));
        }
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let event = Event { number: self.newest, kind, call, text: event.to_string() };
        let event = Arc::new(event);
        self.octets += event.text.len();
        self.events.push_back(event.clone());
        while self.events.len() > MOST_EVENTS || self.octets > MOST_OCTETS {
            let Some(old) = self.events.pop_front() else { break };
            self.octets -= old.text.len();
        }
        event
    }
}

/// What an event is called.
pub fn name(run: &str, number: u64) -> String {
    format!("evt_{run}_{number}")
}

/// The number of an event that was called so in this run of the server.
pub fn number(run: &str, name: &str) -> Option<u64> {
    let (of, number) = name.strip_prefix("evt_")?.split_once('_')?;
    number.parse().ok().filter(|_| of == run)
}

/// How many events are remembered.
const MOST_EVENTS: usize = 2_048;

/// Of how many octets in all.
const MOST_OCTETS: usize = 8 * 1_024 * 1_024;

/// How many events a watcher may be behind.
const AHEAD: usize = 1_024;

/// How many questions may wait.
const QUESTIONS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_in_number_and_in_length() {
        let mut memory = Memory::default();
        for _ in 0..MOST_EVENTS + 10 {
            memory.take("a", None, json!({ "type": "trunk.up" }));
        }
        assert_eq!(memory.events.len(), MOST_EVENTS);
        assert_eq!(memory.events[0].number, 11);
        let long = "x".repeat(MOST_OCTETS / 4);
        for _ in 0..8 {
            memory.take("a", None, json!({ "type": "call.updated", "data": long }));
        }
        assert!(memory.octets <= MOST_OCTETS && memory.events.len() <= 4);
        let last = memory.events.back().expect("the newest");
        assert!(last.text.contains(&format!("\"id\":\"evt_a_{}\"", MOST_EVENTS + 18)));
    }

    #[test]
    fn the_name_of_an_event_tells_its_place_in_this_run_only() {
        assert_eq!(number("1a", &name("1a", 7)), Some(7));
        for wrong in ["", "evt_1b_7", "evt_1a_x", "7", "evt_1a_99999999999999999999999"] {
            assert_eq!(number("1a", wrong), None, "{wrong}");
        }
    }
}
