//! Queues at work: who waits, who serves, and who is rung for whom. One machine has all of them,
//! since somebody may serve several. It rings nobody itself: the call of a caller is told whom to
//! ring, and says what came of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::destination::Destination;
use crate::base::id::PortId;
use crate::base::number::Number;
use crate::base::random::Random;
use crate::call::dial::MOST_AT_ONCE;
use crate::dialplan::queue::{self, Queue, Strategy};

/// All queues with somebody in them, and all who serve them.
#[derive(Debug)]
pub struct Queues {
    lines: BTreeMap<String, Line>,
    callers: BTreeMap<PortId, Caller>,
    members: HashMap<Destination, Member>,
    /// Callers that came so far.
    came: u64,
    random: Random,
    out: VecDeque<(PortId, Word)>,
}

/// What those who hold a queue are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A caller comes.
    Enter {
        /// The name of the queue.
        queue: String,
        /// As it stands in the files that its call goes by.
        terms: Arc<Queue>,
        /// Who it is and what it needs.
        needs: Needs,
    },
    /// A caller wants to know how many are before it: `Word::Place`.
    Ask,
    /// A caller hangs up and wants to be called back when it is its turn.
    CallBack {
        /// At which number.
        number: Number,
        /// How long it keeps its place.
        within: Duration,
    },
    /// None of those who were rung for a caller took it.
    NotTaken,
    /// One of them did, or somebody to whom it sent the call.
    Taken(Destination),
    /// A caller left, or its talk with a member is over.
    Leave,
}

/// What a caller needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The higher, the sooner.
    pub priority: i32,
    /// What whoever takes it must be able to do.
    pub skills: BTreeSet<String>,
}

/// What the call of a caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// There is no room.
    Full,
    /// Where it stands.
    Place {
        /// From one.
        position: usize,
        /// How many wait, this one included.
        waiting: usize,
    },
    /// Ring these.
    Ring(Vec<Destination>),
    /// The caller is no longer there: begin a call that rings these, and then the caller.
    CallBack(Back),
}

/// A call back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// The name of the queue.
    pub queue: String,
    /// As it stands in the files.
    pub terms: Arc<Queue>,
    /// Who is rung first.
    pub members: Vec<Destination>,
    /// Who is called back.
    pub number: Number,
}

/// How a queue stands, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub queue: String,
    /// How many wait.
    pub waiting: usize,
    /// For how long the first has waited.
    pub longest: Duration,
    /// Who serves it, and what each is doing.
    pub members: Vec<(Destination, Doing)>,
}

/// What a member is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Waiting for callers.
    Free,
    /// It rings.
    Ringing,
    /// It talks with a caller.
    Talking,
    /// It did not answer, or has just had a call.
    Resting,
    /// It takes no callers until somebody says otherwise.
    Paused,
}

/// One queue.
#[derive(Debug)]
struct Line {
    terms: Arc<Queue>,
    /// Who waits, the next one first.
    waiting: Vec<PortId>,
    /// Who was rung last.
    last: Option<Destination>,
}

#[derive(Debug)]
struct Caller {
    queue: String,
    needs: Needs,
    came: u64,
    since: Instant,
    with: With,
    /// Where it is called back, and how long it keeps its place.
    back: Option<(Number, Instant)>,
}

/// With whom a caller has to do.
#[derive(Debug, PartialEq, Eq)]
enum With {
    /// With nobody: it waits.
    Nobody,
    /// These are rung for it.
    Rung(Vec<Destination>),
    /// It talks with this one.
    Talks(Destination),
}

#[derive(Debug, Default)]
struct Member {
    /// For whom it rings, or with whom it talks.
    with: Option<(PortId, bool)>,
    /// It is left alone until then.
    rests_until: Option<Instant>,
    paused: bool,
    calls: u64,
    /// When its last call ended.
    ended: Option<Instant>,
}

impl Queues {
    /// Makes empty ones.
    pub fn new(random: Random) -> Self {
        Self {
            lines: BTreeMap::new(),
            callers: BTreeMap::new(),
            members: HashMap::new(),
            came: 0,
            random,
            out: VecDeque::new(),
        }
    }

    /// Takes the queues as they stand in the files from now on, for all who wait and who come.
    pub fn know(&mut self, now: Instant, queues: &BTreeMap<String, Arc<Queue>>) {
        self.lines.retain(|name, line| queues.contains_key(name) || !line.waiting.is_empty());
        for (name, terms) in queues {
            match self.lines.get_mut(name) {
                Some(line) => line.terms = terms.clone(),
                None => drop(self.lines.insert(name.clone(), Line::new(terms.clone()))),
            }
        }
        self.serve(now);
    }

    /// Takes what the call of a caller says.
    pub fn handle(&mut self, now: Instant, caller: PortId, input: Input) {
        match input {
            Input::Enter { queue, terms, needs } => {
                self.enter(now, caller, (&queue, terms), needs);
            }
            Input::Ask => self.tell_place(caller),
            Input::CallBack { number, within } => self.keep_place(now, caller, (number, within)),
            Input::NotTaken => self.not_taken(now, caller),
            Input::Taken(member) => self.taken(caller, member),
            Input::Leave => self.leave(now, caller),
        }
        self.serve(now);
    }

    /// Does what is due: who rested is free again.
    pub fn tick(&mut self, now: Instant) {
        for member in self.members.values_mut() {
            if member.rests_until.is_some_and(|until| until <= now) {
                member.rests_until = None;
            }
        }
        let is_over = |it: &Caller| {
            it.with == With::Nobody && it.back.as_ref().is_some_and(|(_, until)| *until <= now)
        };
        let over = self.callers.iter().filter(|(_, it)| is_over(it)).map(|(caller, _)| *caller);
        for caller in over.collect::<Vec<_>>() {
            self.leave(now, caller);
        }
        self.serve(now);
    }

    /// The next word, and to whose call.
    pub fn poll(&mut self) -> Option<(PortId, Word)> {
        self.out.pop_front()
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        if self.lines.values().all(|line| line.waiting.is_empty()) {
            return None;
        }
        let kept = self.callers.values().filter(|it| it.with == With::Nobody);
        let kept = kept.filter_map(|it| it.back.as_ref().map(|(_, until)| *until));
        self.members.values().filter_map(|member| member.rests_until).chain(kept).min()
    }

    /// A member takes no callers, or takes them again. What it does now it does to the end. Tells
    /// whether it serves a queue.
    pub fn pause(&mut self, now: Instant, member: &Destination, paused: bool) -> bool {
        let mut lines = self.lines.values();
        let serves = lines.any(|line| line.terms.members.iter().any(|it| it.to == *member));
        if serves {
            self.members.entry(member.clone()).or_default().paused = paused;
            self.serve(now);
        }
        serves
    }

    /// How every queue stands.
    pub fn views(&self, now: Instant) -> Vec<View> {
        let view = |(name, line): (&String, &Line)| {
            let first = line.waiting.iter().filter_map(|it| self.callers.get(it));
            let since = first.map(|it| now.saturating_duration_since(it.since)).max();
            let members = line.terms.members.iter();
            let doing = |to| self.members.get(to).map_or(Doing::Free, |it| it.doing(now));
            View {
                queue: name.clone(),
                waiting: line.waiting.len(),
                longest: since.unwrap_or_default(),
                members: members.map(|it| (it.to.clone(), doing(&it.to))).collect(),
            }
        };
        self.lines.iter().map(view).collect()
    }

    fn enter(
        &mut self,
        now: Instant,
        caller: PortId,
        (queue, terms): (&str, Arc<Queue>),
        needs: Needs,
    ) {
        self.leave(now, caller);
        // A call that began before the files were read again may know a queue that they lack now.
        let line = self.lines.entry(queue.to_owned()).or_insert_with(|| Line::new(terms));
        if line.waiting.len() >= line.terms.max_callers {
            return self.out.push_back((caller, Word::Full));
        }
        self.came += 1;
        let queue = queue.to_owned();
        let with = With::Nobody;
        let new = Caller { queue, needs, came: self.came, since: now, with, back: None };
        self.callers.insert(caller, new);
        self.line_up(caller);
        self.tell_place(caller);
    }

    /// A caller comes into its line, before those who matter less or came later.
    fn line_up(&mut self, caller: PortId) {
        let Some(new) = self.callers.get(&caller) else { return };
        let rank = |it: &Caller| (-i64::from(it.needs.priority), it.came);
        let own = rank(new);
        let Some(line) = self.lines.get_mut(&new.queue) else { return };
        let callers = &self.callers;
        let at =
            line.waiting.partition_point(|it| callers.get(it).is_some_and(|it| rank(it) < own));
        line.waiting.insert(at, caller);
    }

    fn tell_place(&mut self, caller: PortId) {
        let line = self.callers.get(&caller).and_then(|it| self.lines.get(&it.queue));
        let Some(line) = line else { return };
        let Some(at) = line.waiting.iter().position(|it| *it == caller) else { return };
        let word = Word::Place { position: at + 1, waiting: line.waiting.len() };
        self.out.push_back((caller, word));
    }

    /// A caller is no longer there, and keeps its place.
    fn keep_place(&mut self, now: Instant, caller: PortId, (number, within): (Number, Duration)) {
        let Some(waiting) = self.callers.get_mut(&caller) else { return };
        waiting.back = Some((number, now + within));
        if let With::Rung(rung) = std::mem::replace(&mut waiting.with, With::Nobody) {
            rung.iter().for_each(|member| self.release(member, caller, now));
        }
    }

    fn not_taken(&mut self, now: Instant, caller: PortId) {
        let Some(waiting) = self.callers.get_mut(&caller) else { return };
        let With::Rung(rung) = std::mem::replace(&mut waiting.with, With::Nobody) else { return };
        let retry = self.lines.get(&waiting.queue).map(|line| line.terms.retry).unwrap_or_default();
        for member in rung {
            self.release(&member, caller, now + retry);
        }
    }

    fn taken(&mut self, caller: PortId, member: Destination) {
        let Some(waiting) = self.callers.get_mut(&caller) else { return };
        let With::Rung(rung) = &waiting.with else { return };
        // Whoever sent the call elsewhere serves the caller there.
        let served = rung.iter().find(|it| **it == member).or(rung.first()).cloned();
        let Some(member) = served else { return };
        let others: Vec<Destination> = rung.iter().filter(|it| **it != member).cloned().collect();
        waiting.with = With::Talks(member.clone());
        if let Some(line) = self.lines.get_mut(&waiting.queue) {
            line.waiting.retain(|it| *it != caller);
        }
        for other in others {
            if let Some(other) = self.members.get_mut(&other) {
                other.with = None;
            }
        }
        let member = self.members.entry(member).or_default();
        member.with = Some((caller, true));
        member.calls += 1;
    }

    fn leave(&mut self, now: Instant, caller: PortId) {
        let Some(gone) = self.callers.remove(&caller) else { return };
        let Some(line) = self.lines.get_mut(&gone.queue) else { return };
        line.waiting.retain(|it| *it != caller);
        let wrap_up = line.terms.wrap_up;
        match gone.with {
            With::Nobody => {}
            With::Rung(rung) => rung.iter().for_each(|it| self.release(it, caller, now)),
            With::Talks(member) => {
                self.release(&member, caller, now + wrap_up);
                if let Some(member) = self.members.get_mut(&member) {
                    member.ended = Some(now);
                }
            }
        }
    }

    /// A member has nothing more to do with a caller, and is left alone until then.
    fn release(&mut self, member: &Destination, caller: PortId, until: Instant) {
        let Some(member) = self.members.get_mut(member) else { return };
        if member.with.is_some_and(|(with, _)| with == caller) {
            member.with = None;
            member.rests_until = Some(until);
        }
    }

    /// Has free members rung for those who wait: first for the queues that come first, in each for
    /// those who are first in line.
    fn serve(&mut self, now: Instant) {
        let wanted = self
            .lines
            .iter()
            .filter(|(name, line)| !line.waiting.is_empty() && self.is_anybody_free(now, name));
        let mut names: Vec<(i32, String)> = wanted
            .map(|(name, line)| (line.terms.priority.saturating_neg(), name.clone()))
            .collect();
        names.sort();
        for (_, name) in names {
            let waiting = self.lines.get(&name).map(|line| line.waiting.clone());
            for caller in waiting.unwrap_or_default() {
                if !self.is_anybody_free(now, &name) {
                    break;
                }
                self.ring_for(now, caller);
            }
        }
    }

    fn is_anybody_free(&self, now: Instant, queue: &str) -> bool {
        let members = self.lines.get(queue).into_iter().flat_map(|line| &line.terms.members);
        members.map(|it| &it.to).any(|to| self.is_free(now, to))
    }

    fn is_free(&self, now: Instant, member: &Destination) -> bool {
        self.members.get(member).is_none_or(|it| it.doing(now) == Doing::Free)
    }

    fn ring_for(&mut self, now: Instant, caller: PortId) {
        let Some(waiting) = self.callers.get(&caller) else { return };
        let Some(line) = self.lines.get(&waiting.queue) else { return };
        if waiting.with != With::Nobody {
            return;
        }
        let may = |it: &&queue::Member| {
            it.skills.is_superset(&waiting.needs.skills) && self.is_free(now, &it.to)
        };
        let able: Vec<&queue::Member> = line.terms.members.iter().filter(may).collect();
        let Some(least) = able.iter().map(|it| it.penalty).min() else { return };
        let able: Vec<Destination> =
            able.iter().filter(|it| it.penalty == least).map(|it| it.to.clone()).collect();
        let (strategy, all) = (line.terms.strategy, line.terms.members.clone());
        let (name, last) = (waiting.queue.clone(), line.last.clone());
        let rung = self.chosen(strategy, able, (&all, last));
        if let Some(line) = self.lines.get_mut(&name) {
            line.last = rung.last().cloned();
        }
        for member in &rung {
            self.members.entry(member.clone()).or_default().with = Some((caller, false));
        }
        let Some(waiting) = self.callers.get_mut(&caller) else { return };
        waiting.with = With::Rung(rung.clone());
        let word = match (&waiting.back, self.lines.get(&name)) {
            (Some((number, _)), Some(line)) => Word::CallBack(Back {
                queue: name.clone(),
                terms: line.terms.clone(),
                members: rung,
                number: number.clone(),
            }),
            _ => Word::Ring(rung),
        };
        self.out.push_back((caller, word));
    }

    /// Who of the able ones is rung.
    fn chosen(
        &mut self,
        strategy: Strategy,
        able: Vec<Destination>,
        (all, last): (&[queue::Member], Option<Destination>),
    ) -> Vec<Destination> {
        let known = |to: &Destination| self.members.get(to);
        let one = match strategy {
            Strategy::RingAll => return able.into_iter().take(MOST_AT_ONCE).collect(),
            Strategy::RoundRobin => {
                let place = |to: &Destination| all.iter().position(|it| it.to == *to);
                let after = last.as_ref().and_then(place).map_or(0, |at| at + 1);
                let turn = |to: &&Destination| {
                    let at = place(to).unwrap_or_default();
                    (at + all.len() - after) % all.len()
                };
                able.iter().min_by_key(turn)
            }
            Strategy::LeastRecent => able.iter().min_by_key(|to| known(to).and_then(|it| it.ended)),
            Strategy::FewestCalls => {
                able.iter().min_by_key(|to| known(to).map_or(0, |it| it.calls))
            }
            Strategy::Random => {
                let at = self.random.below(able.len() as u32) as usize;
                able.get(at)
            }
        };
        one.cloned().into_iter().collect()
    }
}

impl Line {
    fn new(terms: Arc<Queue>) -> Self {
        Self { terms, waiting: Vec::new(), last: None }
    }
}

impl Doing {
    /// As operators read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Ringing => "ringing",
            Self::Talking => "talking",
            Self::Resting => "resting",
            Self::Paused => "paused",
        }
    }
}

impl Member {
    fn doing(&self, now: Instant) -> Doing {
        match self.with {
            Some((_, true)) => Doing::Talking,
            Some((_, false)) => Doing::Ringing,
            None if self.paused => Doing::Paused,
            None if self.rests_until.is_some_and(|until| until > now) => Doing::Resting,
            None => Doing::Free,
        }
    }
}

#[cfg(test)]
mod tests;
