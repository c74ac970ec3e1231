//! A campaign at work: who is called next, when, and what came of each. It has no clock, no file and
//! no call: it is told the time, asks for what is to be written and whom to call, and is told what
//! came of that. Times are since the Unix epoch, since people may be called by the clock on the wall.
//!
//! What is written before a call begins is all that a server needs which was killed: who was called
//! and has no outcome is `interrupted`, and nobody is called again by mistake.

pub mod entry;
mod terms;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::base::number::Number;
use crate::base::template::Variables;
use crate::base::zone::Zone;
use crate::dialplan::campaign::rows::{Bad, Row, Rows};

pub use crate::dialplan::campaign::{Campaign as Written, rows};
pub use entry::Why;
pub use terms::Terms;

use entry::{Entry, Fate, Outcome};

/// A campaign.
#[derive(Debug)]
pub struct Campaign {
    terms: Terms,
    people: Vec<Person>,
    bad: Vec<Bad>,
    places: HashMap<Number, usize>,
    /// Numbers that nobody calls since somebody said so.
    refused: HashSet<Number>,
    state: State,
    /// Whether the server goes down: nobody is called, and nothing changes.
    held: bool,
    /// Those who are to be called, by where they are, in the order of the file.
    waiting: BTreeMap<String, Line>,
    /// Those who are called again, by when.
    again: BTreeSet<(Duration, usize)>,
    active: usize,
    /// How many calls began.
    dials: u32,
    /// How long calls lasted together.
    lasted: Duration,
    next_dial: Duration,
    /// The last time that it was told.
    seen: Duration,
    out: VecDeque<Output>,
}

/// Those who wait in one place of the world.
#[derive(Debug)]
struct Line {
    zone: Zone,
    places: VecDeque<usize>,
}

/// One who is called.
#[derive(Debug)]
struct Person {
    row: Row,
    tries: u32,
    /// How often each outcome led to another try.
    repeats: HashMap<Fate, u32>,
    stage: Stage,
    /// What came of the last try, and when.
    outcome: Option<(Duration, Outcome)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Calling,
    Again,
    Done,
}

/// How a campaign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was never started.
    Idle,
    /// It calls.
    Running,
    /// It calls nobody until it is resumed.
    Paused,
    /// An operator stopped it.
    Stopped,
    /// It is over, for this reason.
    Finished(Why),
}

/// What an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Begin, or go on with those who were not called yet.
    Start,
    /// Call nobody for now.
    Pause,
    /// Go on.
    Resume,
    /// Call nobody any more.
    Stop,
}

/// What a campaign wants done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Write this down, so that it outlives the machine; before what follows.
    Write(Entry),
    /// Call somebody; [`Campaign::came`] tells what came of it.
    Dial(Dial),
    /// Tell those who watch.
    Told(Event),
}

/// Somebody is to be called.
#[derive(Debug, Clone, PartialEq)]
pub struct Dial {
    /// The place in the campaign.
    pub place: usize,
    /// The number. Personal data.
    pub number: Number,
    /// What templates may name. Personal data.
    pub variables: Variables,
}

/// What happened to a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It calls from now on.
    Started,
    /// It is over.
    Finished(&'static str),
    /// Something came of a call.
    Row {
        /// The line in the file.
        line: u64,
        /// The number. Personal data.
        number: Number,
        /// What.
        outcome: Outcome,
        /// Whether this one is called again.
        again: bool,
    },
}

/// How many stand where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// All rows, the bad ones among them.
    pub rows: usize,
    /// Rows by which nobody can be called.
    pub bad: usize,
    /// Those who were not called yet.
    pub pending: usize,
    /// Those who are called just now.
    pub active: usize,
    /// Those who are called again later.
    pub again: usize,
    /// How many calls began.
    pub dials: u32,
    /// Those who are called no more, by what came of it.
    pub done: BTreeMap<&'static str, usize>,
}

/// How one row stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing<'a> {
    /// The line in the file.
    pub line: u64,
    /// The number. Personal data.
    pub number: Option<&'a Number>,
    /// How it stands, in a word.
    pub state: &'static str,
    /// How often it was called.
    pub tries: u32,
    /// What came of the last try, and when.
    pub outcome: Option<&'a (Duration, Outcome)>,
    /// Why the row is bad.
    pub why: Option<&'a str>,
}

impl Campaign {
    /// Takes up a campaign as it was left: what was written down, in order.
    pub fn new(terms: Terms, rows: Rows, written: Vec<Entry>, now: Duration) -> Self {
        let places = rows.rows.iter().enumerate().map(|(at, row)| (row.number.clone(), at));
        let mut campaign = Self {
            terms,
            places: places.collect(),
            people: rows.rows.into_iter().map(Person::new).collect(),
            bad: rows.bad,
            refused: HashSet::new(),
            state: State::Idle,
            held: false,
            waiting: BTreeMap::new(),
            again: BTreeSet::new(),
            active: 0,
            dials: 0,
            lasted: Duration::ZERO,
            next_dial: now,
            seen: now,
            out: VecDeque::new(),
        };
        for entry in written {
            campaign.recall(entry);
        }
        campaign.line_up();
        campaign.mend(now);
        campaign
    }

    /// Does what an operator wants.
    ///
    /// # Errors
    /// When that makes no sense now: why.
    pub fn order(&mut self, now: Duration, order: Order) -> Result<(), &'static str> {
        let at = now;
        let (state, entry) = match (order, self.state) {
            (Order::Start, State::Running) => return Err("it runs already"),
            (Order::Start, State::Paused) => return Err("it is paused: resume it"),
            (Order::Start, _) => (State::Running, Entry::Started { at }),
            (Order::Pause, State::Running) => (State::Paused, Entry::Paused { at }),
            (Order::Resume, State::Paused) => (State::Running, Entry::Resumed { at }),
            (Order::Pause, _) => return Err("it does not run"),
            (Order::Resume, _) => return Err("it is not paused"),
            (Order::Stop, State::Running | State::Paused) => {
                (State::Stopped, Entry::Stopped { at })
            }
            (Order::Stop, _) => return Err("it does not run"),
        };
        self.state = state;
        self.out.push_back(Output::Write(entry));
        match order {
            Order::Start => {
                self.next_dial = now;
                self.out.push_back(Output::Told(Event::Started));
            }
            Order::Stop => self.out.push_back(Output::Told(Event::Finished("stopped"))),
            Order::Pause | Order::Resume => {}
        }
        self.tick(now);
        Ok(())
    }

    /// Something came of a call.
    pub fn came(&mut self, now: Duration, place: usize, outcome: Outcome) {
        let Some(person) = self.people.get(place) else { return };
        if person.stage != Stage::Calling {
            return;
        }
        self.active = self.active.saturating_sub(1);
        self.ended(now, place, outcome);
        self.tick(now);
    }

    /// Nobody calls this number any more.
    pub fn refuse(&mut self, number: Number) {
        self.refused.insert(number);
    }

    /// The server goes down: nobody is called any more. It goes on when it is taken up again.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Goes on by these terms: the files were read again.
    pub fn know(&mut self, now: Duration, terms: Terms) {
        self.terms = terms;
        self.waiting.clear();
        self.line_up();
        self.tick(now);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Duration) {
        self.seen = now;
        if self.held
            || self.state != State::Running
            || self.terms.span.0.is_some_and(|start| now < start)
        {
            return;
        }
        if self.terms.span.1.is_some_and(|stop| stop <= now) {
            return self.finish(now, Why::Stop);
        }
        while let Some((at, place)) = self.again.first().copied().filter(|(at, _)| *at <= now) {
            self.again.remove(&(at, place));
            self.wait(place, VecDeque::push_front);
        }
        // A clock that was set back makes nobody wait for longer than the pace.
        self.next_dial = self.next_dial.min(now + self.terms.interval);
        while self.active < self.terms.concurrency && self.next_dial <= now {
            if let Some(why) = self.cap() {
                if self.active == 0 {
                    self.finish(now, why);
                }
                return;
            }
            let Some(place) = self.next_open(now) else { break };
            self.dial(now, place);
        }
        if self.is_empty() && self.active == 0 {
            self.finish(now, Why::Done);
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Duration> {
        let (start, stop) = self.terms.span;
        if self.held || self.state != State::Running {
            return None;
        }
        if let Some(start) = start.filter(|start| self.seen < *start) {
            return Some(start);
        }
        let mut due: Vec<Duration> = stop.into_iter().collect();
        if self.active == 0 && (self.is_empty() || self.cap().is_some()) {
            // It is over, and that is still to be said.
            due.push(self.seen);
        }
        if self.active < self.terms.concurrency && self.cap().is_none() {
            let waits = |line: &&Line| !line.is_empty();
            let open = |line: &Line| self.is_open(&line.zone, self.seen);
            match self.waiting.values().filter(waits).any(open) {
                true => due.push(self.next_dial),
                // Windows open on the minute.
                false if self.waiting.values().any(|line| !line.is_empty()) => {
                    due.push(Duration::from_secs((self.seen.as_secs() / 60 + 1) * 60));
                }
                false => {}
            }
            due.extend(self.again.first().map(|(at, _)| *at));
        }
        due.into_iter().min()
    }

    /// How it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// How many stand where.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            rows: self.people.len() + self.bad.len(),
            bad: self.bad.len(),
            dials: self.dials,
            ..Counts::default()
        };
        for person in &self.people {
            match (person.stage, &person.outcome) {
                (Stage::Waiting, None) => counts.pending += 1,
                (Stage::Calling, _) => counts.active += 1,
                (Stage::Again | Stage::Waiting, _) => counts.again += 1,
                (Stage::Done, Some((_, outcome))) => {
                    *counts.done.entry(outcome.fate.name()).or_default() += 1;
                }
                (Stage::Done, None) => {}
            }
        }
        counts
    }

    /// The rows after a line, the bad ones among them, in the order of the file.
    pub fn results(&self, after: u64, most: usize) -> Vec<Standing<'_>> {
        let people = self.people.iter().map(Person::result);
        let bad = self.bad.iter().map(|bad| Standing {
            line: bad.line,
            number: None,
            state: "bad_row",
            tries: 0,
            outcome: None,
            why: Some(&bad.why),
        });
        let mut results: Vec<Standing<'_>> =
            people.chain(bad).filter(|it| it.line > after).collect();
        results.sort_by_key(|it| it.line);
        results.truncate(most);
        results
    }

    /// Takes what was written down before.
    fn recall(&mut self, entry: Entry) {
        match entry {
            Entry::Started { .. } | Entry::Resumed { .. } => self.state = State::Running,
            Entry::Paused { .. } => self.state = State::Paused,
            Entry::Stopped { .. } => self.state = State::Stopped,
            Entry::Finished { why, .. } => self.state = State::Finished(why),
            Entry::Dialled { number, .. } => {
                self.dials = self.dials.saturating_add(1);
                // Whoever left the file is nobody's business any more.
                let person = self.places.get(&number).and_then(|at| self.people.get_mut(*at));
                if let Some(person) = person {
                    person.tries += 1;
                    person.stage = Stage::Calling;
                }
            }
            Entry::Came { at, number, outcome } => {
                self.lasted += Duration::from_millis(outcome.lasted_ms);
                if let Some(place) = self.places.get(&number).copied() {
                    self.settle(at, place, outcome);
                }
            }
        }
    }

    /// Who was called when the server was killed may have answered.
    fn mend(&mut self, now: Duration) {
        for place in 0..self.people.len() {
            if self.people.get(place).is_some_and(|it| it.stage == Stage::Calling) {
                self.ended(now, place, Outcome::of(Fate::Interrupted));
            }
        }
    }

    /// Lines those up who are to be called.
    fn line_up(&mut self) {
        for place in 0..self.people.len() {
            if self.people.get(place).is_some_and(|it| it.stage == Stage::Waiting) {
                self.wait(place, VecDeque::push_back);
            }
        }
    }

    fn wait(&mut self, place: usize, push: impl FnOnce(&mut VecDeque<usize>, usize)) {
        let Some(person) = self.people.get_mut(place) else { return };
        person.stage = Stage::Waiting;
        let zone = person.row.zone.as_ref().unwrap_or(&self.terms.zone);
        let line = self.waiting.entry(zone.name().to_owned());
        let line = line.or_insert_with(|| Line { zone: zone.clone(), places: VecDeque::new() });
        push(&mut line.places, place);
    }

    /// Whether nobody waits to be called.
    fn is_empty(&self) -> bool {
        self.again.is_empty() && self.waiting.values().all(Line::is_empty)
    }

    fn is_open(&self, zone: &Zone, now: Duration) -> bool {
        self.terms.hours.as_ref().is_none_or(|hours| hours.is_open_in(zone, now))
    }

    /// The first in the file of those who may be called now.
    fn next_open(&mut self, now: Duration) -> Option<usize> {
        let fronts = self.waiting.iter().filter_map(|(name, line)| {
            let front = *line.places.front()?;
            self.is_open(&line.zone, now).then_some((front, name))
        });
        let (_, name) = fronts.min()?;
        let name = name.clone();
        self.waiting.get_mut(&name)?.places.pop_front()
    }

    /// Why nobody may be called any more.
    fn cap(&self) -> Option<Why> {
        if self.terms.max_calls.is_some_and(|most| self.dials >= most) {
            return Some(Why::MaxCalls);
        }
        self.terms.max_time.is_some_and(|most| self.lasted >= most).then_some(Why::MaxTime)
    }

    fn dial(&mut self, now: Duration, place: usize) {
        let Some(person) = self.people.get_mut(place) else { return };
        let number = person.row.number.clone();
        let is_listed = self.terms.dnc.iter().any(|it| it.matches(number.to_e164()));
        if is_listed || self.refused.contains(&number) {
            return self.ended(now, place, Outcome::of(Fate::DoNotCall));
        }
        person.tries += 1;
        person.stage = Stage::Calling;
        let variables = person.row.variables.clone();
        self.active += 1;
        self.dials = self.dials.saturating_add(1);
        let late = now.saturating_sub(self.next_dial);
        let from = if late < self.terms.interval { self.next_dial } else { now };
        self.next_dial = from + self.terms.interval;
        let entry = Entry::Dialled { at: now, number: number.clone() };
        self.out.push_back(Output::Write(entry));
        self.out.push_back(Output::Dial(Dial { place, number, variables }));
    }

    /// Writes down what came of a row, and tells of it.
    fn ended(&mut self, now: Duration, place: usize, outcome: Outcome) {
        let Some(person) = self.people.get(place) else { return };
        let (line, number) = (person.row.line, person.row.number.clone());
        self.lasted += Duration::from_millis(outcome.lasted_ms);
        let entry = Entry::Came { at: now, number: number.clone(), outcome: outcome.clone() };
        self.out.push_back(Output::Write(entry));
        let again = self.settle(now, place, outcome.clone());
        self.out.push_back(Output::Told(Event::Row { line, number, outcome, again }));
    }

    /// What came of a row decides whether it is called again.
    fn settle(&mut self, at: Duration, place: usize, outcome: Outcome) -> bool {
        let rule = self.terms.rule(outcome.fate);
        let Some(person) = self.people.get_mut(place) else { return false };
        let repeats = person.repeats.entry(outcome.fate).or_default();
        let again = rule.filter(|rule| *repeats < rule.count);
        person.outcome = Some((at, outcome));
        person.stage = match again {
            Some(_) => Stage::Again,
            None => Stage::Done,
        };
        if let Some(rule) = again {
            *repeats += 1;
            self.again.insert((at + rule.after, place));
        }
        again.is_some()
    }

    fn finish(&mut self, now: Duration, why: Why) {
        self.state = State::Finished(why);
        self.out.push_back(Output::Write(Entry::Finished { at: now, why }));
        self.out.push_back(Output::Told(Event::Finished(why.name())));
    }
}

impl Line {
    fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

impl Person {
    fn new(row: Row) -> Self {
        let stage = Stage::Waiting;
        Self { row, tries: 0, repeats: HashMap::new(), stage, outcome: None }
    }

    fn result(&self) -> Standing<'_> {
        let state = match (self.stage, &self.outcome) {
            (Stage::Calling, _) => "calling",
            (Stage::Waiting, None) => "pending",
            (Stage::Waiting | Stage::Again, _) => "again",
            (Stage::Done, outcome) => outcome.as_ref().map_or("", |(_, it)| it.fate.name()),
        };
        let (line, number) = (self.row.line, Some(&self.row.number));
        let (tries, outcome) = (self.tries, self.outcome.as_ref());
        Standing { line, number, state, tries, outcome, why: None }
    }
}

impl State {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Finished(_) => "finished",
        }
    }
}

#[cfg(test)]
mod tests;
