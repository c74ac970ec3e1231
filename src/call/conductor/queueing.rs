//! The near side waits in a queue: it hears music and where it stands, until a member has it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::serving::MOST_HOPS;
use super::{Conductor, MOST_LEGS, Timer, Work};
use crate::agent::session::Opening;
use crate::agent::tool::{ToolCall, names};
use crate::base::id::PortId;
use crate::base::template;
use crate::call::briefing::{Post, Refer};
use crate::call::cause::Cause;
use crate::call::dial::{Dial, Purpose};
use crate::call::event::Output;
use crate::call::flow;
use crate::call::leg::{Leg, State};
use crate::call::queue::{Back, Input, Needs, Word};
use crate::call::record::LeftQueue;
use crate::call::transfer::{self, Brief, Escort};
use crate::dialplan::queue::{Queue, speaker};
use crate::media::event::{Attention, Command, Digit};
use crate::sip::event::SessionId;

/// A place in a line.
#[derive(Debug)]
pub(super) struct Place {
    name: String,
    queue: Arc<Queue>,
    /// Who stands there: the port of the leg that called.
    caller: PortId,
    /// Who had the caller before, and takes it back.
    from: Option<Post>,
    /// What is still to be said before anything else.
    greeting: String,
    /// What a member that answers is told.
    brief: Option<Brief>,
    life: Life,
}

#[derive(Debug, PartialEq, Eq)]
enum Life {
    /// The caller is not there yet.
    Coming,
    /// It waits.
    Waiting,
    /// It is told that it is called back, and its place is kept.
    Promised,
    /// It talks with a member.
    Talking(SessionId),
}

impl Place {
    /// The place of one who is not there any more, while members are called for it.
    pub(super) fn kept(caller: PortId, back: Back) -> Self {
        Self {
            name: back.queue,
            queue: back.terms,
            caller,
            from: None,
            greeting: String::new(),
            brief: None,
            life: Life::Coming,
        }
    }
}

impl Conductor {
    /// The near side goes into a queue.
    pub(super) fn queue_up(&mut self, now: Instant, name: &str, brief: Option<Brief>) {
        let casting = self.briefing.agents.get(&speaker(name)).cloned();
        let queue = self.briefing.queues.get(name).cloned();
        let (Some(casting), Some(queue)) = (casting, queue) else {
            return self.end(now, Cause::NoRoute);
        };
        self.hops += 1;
        if self.hops > MOST_HOPS {
            return self.end(now, Cause::SilenceTimeout);
        }
        let from = self.desk.post().filter(|_| self.flow.is_none());
        self.leave_queue(now, LeftQueue::Overflow);
        self.leave_desk(now);
        self.engage(Post { casting, squad: None });
        // That the call is recorded is said before anything else.
        let notice = self.desk.casting().and_then(|it| it.assistant.first_message.clone());
        let say = queue.say.clone().map(|say| self.rendered(&say));
        let greeting = [notice, say].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let name = name.to_owned();
        let caller = PortId(self.incoming.session.0);
        let brief = brief.or_else(|| queue.brief.clone().map(Brief::Template));
        let place = Place { name, queue, caller, from, greeting, brief, life: Life::Coming };
        self.line = Some(Box::new(place));
        self.work = Work::Queued;
        self.ready_near(now);
    }

    /// The near side has a socket: it is answered, and comes into the line when it is there.
    pub(super) fn come_in_line(&mut self, now: Instant) {
        match self.leg(self.near).map(Leg::state) {
            Some(State::Calling | State::Ringing | State::Early) => self.answer_near(now),
            Some(State::Up) => self.wait_in_line(now),
            Some(State::Answering | State::Ending | State::Over) | None => {}
        }
    }

    /// The caller is there and begins to wait.
    pub(super) fn wait_in_line(&mut self, now: Instant) {
        let needs = self.needs();
        let Some(place) = self.line.as_mut().filter(|it| it.life == Life::Coming) else { return };
        place.life = Life::Waiting;
        let (queue, terms) = (place.name.clone(), place.queue.clone());
        if let Some(longest) = terms.max_wait {
            self.timers.set(Timer::Queue, now + longest);
        }
        if terms.announce.is_wanted() {
            self.timers.set(Timer::Announce, now + terms.announce.every);
        }
        let fact = self.chronicle.queued(now, &queue);
        self.out.push_back(Output::Fact(fact));
        let own = self.desk.casting().and_then(|casting| casting.ambience.clone());
        let (near, music) = (self.near, own.unwrap_or_else(|| self.briefing.tapes.hold.clone()));
        self.with(near, |leg, out| leg.entertain(&music, out));
        self.media(Command::Attend(Attention::Keys));
        self.tell_queue(Input::Enter { queue, terms, needs });
    }

    /// What the route, a flow or an agent found out of the caller.
    fn needs(&self) -> Needs {
        let known = self.variables();
        let value = |name: &str| {
            let flow =
                self.flow.as_ref().and_then(|flow| flow.scope().get(&format!("vars.{name}")));
            let flow = flow.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned));
            flow.or_else(|| known.get(name).cloned()).unwrap_or_default()
        };
        let skills = value(SKILLS);
        let skills = skills.split(',').map(str::trim).filter(|skill| !skill.is_empty());
        Needs {
            priority: value(PRIORITY).trim().parse().unwrap_or_default(),
            skills: skills.map(str::to_owned).collect(),
        }
    }

    /// Whoever holds the queue says something.
    pub(super) fn told_by_queue(&mut self, now: Instant, word: Word) {
        if !self.is_in_line() {
            return;
        }
        match word {
            Word::Full => self.give_up_waiting(now, LeftQueue::Full),
            // That is for whoever begins calls.
            Word::CallBack(_) => {}
            Word::Place { position, waiting } => self.say_place(now, position, waiting),
            Word::Ring(members) => {
                // A leg has its number for good: when there is none left, nobody can be rung.
                if self.legs.len() + members.len() > usize::from(MOST_LEGS) {
                    return self.give_up_waiting(now, LeftQueue::Timeout);
                }
                let ring = self.line.as_ref().map(|place| place.queue.ring);
                let brief = self.line.as_ref().and_then(|place| place.brief.clone());
                let dial = Dial::new(Purpose::Queue, members, Vec::new(), ring);
                self.dial = Some(dial.with_brief(brief));
                self.next_round(now);
            }
        }
    }

    /// It is time to say where the caller stands.
    pub(super) fn announce_place(&mut self, now: Instant) {
        let Some(place) = self.line.as_ref() else { return };
        self.timers.set(Timer::Announce, now + place.queue.announce.every);
        if self.is_in_line() {
            self.tell_queue(Input::Ask);
        }
    }

    fn say_place(&mut self, now: Instant, position: usize, waiting: usize) {
        let (is_german, may_be_called) = (self.is_german(), self.calling_number().is_some());
        let Some(place) = &mut self.line else { return };
        let mut words = std::mem::take(&mut place.greeting);
        let announce = &place.queue.announce;
        if announce.is_wanted() {
            let known = [("position", position), ("waiting", waiting)];
            let known = known.map(|(name, value)| (name.to_owned(), value.to_string())).into();
            let told = template::render(announce.words(is_german), &known).unwrap_or_default();
            words = format!("{words} {told}");
        }
        if let Some(callback) = place.queue.callback.as_ref().filter(|_| may_be_called) {
            words = format!("{words} {}", callback.offer(is_german));
        }
        let words = words.trim().to_owned();
        if !words.is_empty() && !self.desk.is_open() {
            self.say_in_line(now, words);
        }
    }

    fn is_german(&self) -> bool {
        self.desk.casting().is_some_and(|it| it.assistant.spoken_language().is_german())
    }

    fn say_in_line(&mut self, now: Instant, words: String) {
        let then = ToolCall { name: names::SAID.to_owned(), ..ToolCall::transfer(HOUSE, "") };
        let today = self.chronicle.today();
        let (first_message, then) = (Some(words), Some(then));
        self.desk.begin(now, Opening { first_message, then, today, ..Opening::default() });
    }

    /// What the caller is told while it waits was said.
    pub(super) fn is_of_queue(&mut self, now: Instant, call: &ToolCall) -> bool {
        let is_own = call.id == HOUSE && call.name == names::SAID;
        if is_own && self.is_in_line() {
            // Everything was heard: there is nothing to be cut.
            self.desk.leave(now);
        } else if is_own && self.is_promised() {
            self.end(now, Cause::AgentEnded);
        }
        is_own
    }

    /// The caller pressed a key while it waits.
    pub(super) fn pressed_in_line(&mut self, now: Instant, digit: Digit) {
        let Some(place) = self.line.as_ref().filter(|_| self.is_in_line()) else { return };
        let Some(callback) = place.queue.callback.clone() else { return };
        let number = self.calling_number();
        let Some(number) = number.filter(|_| callback.key.starts_with(digit.key())) else { return };
        self.stop_dialling();
        self.timers.clear(Timer::Queue);
        self.timers.clear(Timer::Announce);
        self.tell_queue(Input::CallBack { number, within: callback.within });
        let fact = self.chronicle.left_queue(now, LeftQueue::Callback);
        self.out.extend(fact.map(Output::Fact));
        if let Some(place) = &mut self.line {
            place.life = Life::Promised;
        }
        self.leave_desk(now);
        let words = callback.promise(self.is_german()).to_owned();
        self.say_in_line(now, words);
    }

    /// Nobody of those who were rung took the caller.
    pub(super) fn not_taken(&mut self) {
        self.tell_queue(Input::NotTaken);
    }

    /// A member has answered.
    pub(super) fn member_answered(&mut self, now: Instant, session: SessionId) {
        self.timers.clear(Timer::Queue);
        self.timers.clear(Timer::Announce);
        let fact = self.chronicle.left_queue(now, LeftQueue::Answered);
        self.out.extend(fact.map(Output::Fact));
        self.taken_for_queue(session);
        self.leave_desk(now);
        self.end_flow();
        self.pair_with(session);
        self.join(now);
    }

    /// Who has answered is a member of the queue, if the call is one of a queue.
    pub(super) fn taken_for_queue(&mut self, session: SessionId) {
        let member = self.leg(session).and_then(Leg::destination).cloned();
        if let (Some(place), Some(member)) = (&mut self.line, member) {
            place.life = Life::Talking(session);
            self.tell_queue(Input::Taken(member));
        }
    }

    /// A leg is over: if it was a member's, it may take the next caller.
    pub(super) fn member_gone(&mut self, session: SessionId) {
        if self.line.as_ref().is_some_and(|place| place.life == Life::Talking(session)) {
            self.tell_queue(Input::Leave);
            self.line = None;
        }
    }

    /// The caller waits no more: where it goes is up to the queue, and to whoever had it before.
    pub(super) fn give_up_waiting(&mut self, now: Instant, why: LeftQueue) {
        if matches!(self.work, Work::Consulting(_)) {
            // A member may still take it.
            return self.timers.set(Timer::Queue, now + AGAIN);
        }
        if !self.is_in_line() {
            return;
        }
        self.stop_dialling();
        self.leave_desk(now);
        let place = self.line.as_mut().map(|place| (place.queue.clone(), place.from.take()));
        self.leave_queue(now, why);
        let Some((queue, from)) = place else { return };
        self.work = Work::Agent;
        self.give_back_to_agent();
        match (&queue.otherwise, from) {
            (Some(to), _) => match transfer::way(to, Refer::Never) {
                Some(target) => {
                    let call = ToolCall::transfer(HOUSE, "");
                    self.carry_out(now, call, (target, Escort::default()));
                }
                None => self.end(now, Cause::NoAnswer),
            },
            (None, _) if self.flow.is_some() => self.walk(now, flow::Input::NotReached),
            (None, Some(post)) => {
                // A menu is said again; an agent goes on with what was said.
                let past = (!post.is_menu()).then(|| self.desk.past());
                self.relieve(now, post, past);
            }
            (None, None) => self.end(now, Cause::NoAnswer),
        }
    }

    /// The caller leaves the queue, or whoever it talks with by it.
    pub(super) fn leave_queue(&mut self, now: Instant, why: LeftQueue) {
        if self.line.is_none() {
            return;
        }
        self.timers.clear(Timer::Queue);
        self.timers.clear(Timer::Announce);
        if !self.is_promised() {
            self.tell_queue(Input::Leave);
        }
        let fact = self.chronicle.left_queue(now, why);
        self.out.extend(fact.map(Output::Fact));
        self.line = None;
    }

    fn is_in_line(&self) -> bool {
        matches!(self.work, Work::Queued)
            && self.line.as_ref().is_some_and(|place| place.life == Life::Waiting)
    }

    fn is_promised(&self) -> bool {
        self.line.as_ref().is_some_and(|place| place.life == Life::Promised)
    }

    fn tell_queue(&mut self, input: Input) {
        let caller = self.line.as_ref().map(|place| place.caller);
        self.out.extend(caller.map(|caller| Output::Queue(caller, input)));
    }
}

/// The identity of what nobody but the house itself wants.
pub(super) const HOUSE: &str = "house";

/// When it is looked again whether a caller has waited too long, while a member is asked.
const AGAIN: Duration = Duration::from_secs(1);

/// The variables that say what a caller needs.
const PRIORITY: &str = "queue_priority";
const SKILLS: &str = "queue_skills";
