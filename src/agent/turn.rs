//! Turn-taking: who has the floor. Every pair of state and event has a cell, no wildcard arm; a
//! row of the table is a function below.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agent::assistant::{Assistant, Detector};
use crate::agent::barge_in::BargeIn;
use crate::agent::caller::Caller;
use crate::agent::endpointing::{Completeness, Ending, Expected};
use crate::agent::event::{PauseId, TurnTimes};
use crate::agent::expectation::Expectation;
use crate::agent::floor::{
    Aside, Deciding, Ended, Event, Hearing, Keypad, Next, Order, Said, Sound, State, Text,
    Thinking, Voice, Work, Yielding, speaking, thinking,
};
use crate::agent::foresight::Foresight;
use crate::agent::hearing::value::Context;
use crate::agent::silence::{Ladder, Rung};

/// Who has the floor, and what follows from what happens.
#[derive(Debug)]
pub struct Turn {
    pub(super) assistant: Arc<Assistant>,
    pub(super) barge_in: BargeIn,
    silence: Ladder,
    pub(super) state: State,
    pub(super) caller: Caller,
    /// The keys that the caller was asked for.
    pub(super) keypad: Option<Keypad>,
    /// Words that came when nobody waited for them.
    kept: String,
    /// The answer was heard, and the text of its turn is still to come; it was taken with these words.
    pub(super) late: Option<String>,
    /// The last pause that the transcriber was asked about.
    pub(super) pause: PauseId,
    /// Whether its text is still to come.
    pub(super) text: Text,
    /// When the model or a tool last moved.
    pub(super) moved: Instant,
    comfort: Comfort,
    pub(super) debt: Debt,
    /// Until when an agent that was interrupted says nothing.
    backs_off: Option<Instant>,
    /// What the caller was asked for.
    pub(super) expected: Expected,
    pub(super) foresight: Foresight,
    orders: VecDeque<Order>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comfort {
    Possible,
    Given,
}

/// Whether a turn was taken and its answer cancelled before it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Debt {
    None,
    Answer,
}

impl Turn {
    /// Nobody speaks, and no time runs before [`Turn::opens`].
    pub fn new(assistant: Arc<Assistant>, now: Instant) -> Self {
        let expected = Expected::anything(assistant.context(&assistant.spoken_language()));
        Self {
            barge_in: BargeIn::new(&assistant),
            silence: Ladder::new(assistant.silence.clone()),
            assistant,
            state: State::Listening,
            caller: Caller::default(),
            keypad: None,
            kept: String::new(),
            late: None,
            pause: PauseId::default(),
            text: Text::Here,
            moved: now,
            comfort: Comfort::Possible,
            debt: Debt::None,
            backs_off: None,
            expected,
            foresight: Foresight::default(),
            orders: VecDeque::new(),
        }
    }

    /// Begins to count pauses where another stopped.
    pub fn count_on(&mut self, before: &Self) {
        self.pause = before.pause;
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The conversation goes on in the language of `assistant`.
    pub fn changes_language(&mut self, assistant: &Assistant) {
        self.barge_in = BargeIn::new(assistant);
    }

    /// The caller was asked for this, in the language of `context`. A turn that has begun is
    /// judged by what it began with.
    pub fn expects(&mut self, expectation: Expectation, context: Context) {
        if self.caller.listening.is_none() {
            self.expected.context = context;
            self.expected.ask(expectation);
        }
    }

    /// The words of the turn in the making, as far as they are known.
    pub fn words_so_far(&self) -> String {
        self.caller.heard().to_owned()
    }

    /// It is the caller's turn from now on.
    pub fn opens(&mut self, now: Instant) {
        self.silence.quiet(now);
    }

    /// The caller is back: the silence until now was none, and patience begins anew.
    pub fn resumes(&mut self, now: Instant) {
        self.silence.broken();
        self.silence.quiet(now);
        self.moved = now;
    }

    /// The model or a tool moved: patience begins anew, unless more was granted.
    pub fn answer_moved(&mut self, now: Instant) {
        self.moved = self.moved.max(now);
    }

    /// A tool runs that may take so long, and a little more.
    pub fn waits(&mut self, now: Instant, patience: Duration) {
        let usual = self.assistant.fallback.give_up_after;
        self.answer_moved(now + (patience + GRACE).saturating_sub(usual));
    }

    /// A model was asked: patience begins anew, and nobody is being connected.
    pub fn thinks(&mut self, now: Instant) {
        self.moved = now;
        let patient = now + self.assistant.fallback.hold_after;
        if let State::Thinking(Thinking { work, hold, .. }) = &mut self.state
            && let Work::Transfer(_) = work
        {
            (*work, *hold) = (Work::Answer, patient);
        }
    }

    /// The agent takes the floor whoever has it.
    pub fn take_floor(&mut self) {
        self.hush();
        self.state = State::Listening;
    }

    /// The caller is being connected: nobody listens.
    pub fn transfer(&mut self, now: Instant) {
        self.hush();
        let work = Work::Transfer(now + TRANSFER_LIMIT);
        self.state = State::Thinking(Thinking { hold: now, work, aside: Aside::Quiet });
    }

    /// Takes the next order.
    pub fn poll(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When [`Event::Deadline`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Listening => self.silence.deadline(),
            State::Hearing(hearing) => Some(hearing.deadline()),
            State::Deciding(deciding) => Some(deciding.due),
            State::Thinking(Thinking { work: Work::Transfer(until), .. }) => Some(*until),
            State::Thinking(thinking) => {
                let give_up = self.moved + self.assistant.fallback.give_up_after;
                let hold = (self.comfort == Comfort::Possible).then_some(thinking.hold);
                Some(hold.map_or(give_up, |hold| hold.min(give_up)))
            }
            State::Speaking(_) => None,
            State::Yielding(Yielding { sound: Sound::Going { judged, .. }, .. }) => Some(*judged),
            State::Yielding(Yielding { sound: Sound::Over { resume, .. }, .. }) => Some(*resume),
        }
    }

    /// Takes an event at `now`; orders follow.
    pub fn handle(&mut self, now: Instant, event: Event) {
        // What answers an earlier pause is older than what is known.
        if let Event::Judged(judgement) = &event
            && judgement.pause != self.pause
        {
            return;
        }
        if let Event::Words(words) = &event {
            // A judgement comes unasked, as long as the turn is heard.
            let judged = matches!(words.completeness, Completeness::Judged(_));
            let unasked = judged && self.caller.listening.is_some();
            if words.pause != self.pause || (self.text == Text::Here && !unasked) {
                return;
            }
            self.text = Text::Here;
        }
        self.state = match mem::take(&mut self.state) {
            State::Listening => self.listening(now, event),
            State::Hearing(hearing) => self.hearing(now, hearing, event),
            State::Deciding(deciding) => self.deciding(now, deciding, event),
            State::Thinking(thinking) => self.thinking(now, thinking, event),
            State::Speaking(speaking) => self.speaking(now, speaking, event),
            State::Yielding(yielding) => self.yielding(now, yielding, event),
        };
    }

    fn listening(&mut self, now: Instant, event: Event) -> State {
        match event {
            Event::SpeechStarted => {
                self.wait_no_longer();
                self.hear(now)
            }
            Event::Faded | Event::Returned | Event::SpeechEnded { .. } => State::Listening,
            Event::Partial(_) | Event::Judged(_) => State::Listening,
            Event::Words(words) => {
                match self.late.take() {
                    Some(taken) => drop(self.late(now, &taken, &words)),
                    None => self.kept = words.text,
                }
                State::Listening
            }
            Event::Key(key) => {
                self.wait_no_longer();
                self.key(now, key)
            }
            Event::Wrote(text) => {
                self.wait_no_longer();
                self.wrote(now, &text)
            }
            Event::Deadline => {
                match self.silence.climb(now) {
                    Some(Rung::Remind(count)) => self.order(Order::Remind(count)),
                    Some(Rung::HangUp) => self.order(Order::HangUp),
                    None => {}
                }
                State::Listening
            }
            Event::SpeechReady(manner) => speaking(manner, Aside::Quiet),
            Event::PlayoutDone(_) => State::Listening,
        }
    }

    fn hearing(&mut self, now: Instant, mut hearing: Hearing, event: Event) -> State {
        match event {
            Event::SpeechStarted => {}
            Event::Faded => {
                hearing.voice = self.fades(now);
                self.foresee(&hearing);
            }
            Event::Returned => {
                self.returns(hearing.voice);
                hearing.voice = Voice::Sounds;
            }
            Event::SpeechEnded { last_voiced } => {
                return self.paused(now, hearing.voice, last_voiced);
            }
            Event::Partial(text) => {
                self.caller.may_have_said(&text);
                self.foresee(&hearing);
            }
            Event::Words(words) => {
                self.caller.said(now, &words);
                // The sound goes on, and it is no longer the caller's words.
                if self.sounds_over() {
                    return self.is_over(now);
                }
                self.foresee(&hearing);
            }
            // The caller went on: what was said of the pause is not asked any more.
            Event::Judged(_) => {}
            Event::Key(key) => return self.key(now, key),
            Event::Wrote(text) => return self.wrote(now, &text),
            Event::Deadline if hearing.is_to_ask(now) => {
                self.finalize();
                hearing.voice = Voice::Asked;
            }
            Event::Deadline => {
                self.caller.stops(now, now);
                self.finalize();
                return self.decide(now, Text::Asked, Ended::Limit(now));
            }
            // Nothing is spoken while the caller speaks; what is heard of it was ordered before.
            Event::SpeechReady(_) | Event::PlayoutDone(_) => {}
        }
        State::Hearing(hearing)
    }

    fn deciding(&mut self, now: Instant, mut deciding: Deciding, event: Event) -> State {
        match event {
            Event::SpeechStarted => {
                self.withdraw();
                return self.hear(now);
            }
            Event::Faded | Event::Returned | Event::SpeechEnded { .. } => {}
            Event::Partial(text) => {
                if deciding.text == Text::Asked {
                    self.caller.may_have_said(&text);
                }
            }
            Event::Words(words) => {
                self.caller.said(now, &words);
                deciding.text = Text::Here;
                deciding.due = self.due(&deciding);
                self.guess(deciding.due <= now);
            }
            Event::Judged(judgement) => {
                self.caller.judging.answer(now, judgement.complete);
                deciding.due = self.due(&deciding);
                if deciding.text == Text::Here {
                    self.guess(deciding.due <= now);
                }
            }
            Event::Key(key) => {
                self.withdraw();
                self.caller.presses(now, key);
                deciding.ended = Ended::Keys;
                deciding.due = self.due(&deciding);
            }
            Event::Wrote(text) => {
                self.withdraw();
                self.caller.writes(now, &text);
                deciding.ended = Ended::Limit(now);
                deciding.due = self.due(&deciding);
            }
            Event::Deadline => return self.commit(now, deciding),
            // The unheard answer to a guess is held until the turn is taken.
            Event::SpeechReady(_) | Event::PlayoutDone(_) => {}
        }
        State::Deciding(deciding)
    }

    fn thinking(&mut self, now: Instant, mut thinking: Thinking, event: Event) -> State {
        let connecting = matches!(thinking.work, Work::Transfer(_));
        match event {
            Event::SpeechStarted | Event::Key(_) | Event::Wrote(_) if connecting => {}
            Event::SpeechStarted => {
                self.cancel(thinking.aside);
                return self.hear(now);
            }
            Event::Faded | Event::Returned | Event::SpeechEnded { .. } => {}
            // The turn was taken; a judgement comes too late.
            Event::Partial(_) | Event::Judged(_) => {}
            Event::Words(words) => return self.words_while_thinking(now, thinking, &words),
            Event::Key(key) => {
                self.cancel(thinking.aside);
                return self.key(now, key);
            }
            Event::Wrote(text) => {
                self.cancel(thinking.aside);
                return self.wrote(now, &text);
            }
            Event::Deadline => {
                if connecting || self.moved + self.assistant.fallback.give_up_after <= now {
                    (self.moved, thinking.work) = (now, Work::Answer);
                    self.order(Order::GiveUp);
                } else {
                    self.comfort = Comfort::Given;
                    self.order(Order::Hold);
                }
            }
            Event::SpeechReady(manner) => return speaking(manner, thinking.aside),
            Event::PlayoutDone(Next::More) => {}
            Event::PlayoutDone(Next::Nothing) => return self.give_floor(now, thinking.aside),
        }
        State::Thinking(thinking)
    }
}

/// What the cells do.
impl Turn {
    /// The caller has the floor and speaks.
    pub(super) fn hear(&mut self, now: Instant) -> State {
        self.listen(now);
        let began = self.caller.listening.unwrap_or(now);
        let until = began + self.assistant.turns.max_turn;
        State::Hearing(Hearing { until, voice: Voice::Sounds })
    }

    /// The transcriber says that the turn is over while there is still a sound.
    pub(super) fn is_over(&mut self, now: Instant) -> State {
        self.caller.stops(now, now);
        self.decide(now, Text::Here, Ended::Pause(now))
    }

    /// Whether the transcriber says that the turn is over.
    pub(super) fn sounds_over(&self) -> bool {
        self.caller.ending(&self.expected) == Ending::Over
    }

    pub(super) fn decide(&mut self, now: Instant, text: Text, ended: Ended) -> State {
        let mut deciding = Deciding { text, ended, due: now };
        deciding.due = self.due(&deciding);
        if text == Text::Here {
            self.guess(deciding.due <= now);
        }
        State::Deciding(deciding)
    }

    /// When the turn is taken, as far as is known now.
    fn due(&self, deciding: &Deciding) -> Instant {
        let keys = self.keys_end_at();
        let due = match deciding.ended {
            Ended::Pause(last_voiced) => {
                let spoken =
                    last_voiced + self.caller.ending(&self.expected).wait(&self.assistant.turns);
                keys.map_or(spoken, |keys| keys.max(spoken))
            }
            Ended::Limit(at) => at,
            Ended::Keys => keys.unwrap_or(self.moved),
        };
        let due = self.backs_off.map_or(due, |until| until.max(due));
        match deciding.text {
            Text::Here => due,
            // A model that hears by itself can answer without the words.
            Text::Asked if self.assistant.realtime.is_some() => due + WORDS_LIMIT,
            Text::Asked => due + TEXT_LIMIT,
        }
    }

    /// The agent is interrupted, and says nothing for a while.
    pub(super) fn interrupt(&mut self, now: Instant) {
        let backoff = self.assistant.interrupt.backoff;
        self.backs_off = (!backoff.is_zero()).then(|| now + backoff);
        self.order(Order::Interrupt);
    }

    /// Takes the caller's turn, unless it came to nothing.
    fn commit(&mut self, now: Instant, deciding: Deciding) -> State {
        self.caller.close_keys(self.terminator());
        let text = self.caller.text();
        if self.debt == Debt::Answer && (self.caller.is_wordless() || self.is_backchannel_to_debt())
        {
            self.withdraw();
            self.forget();
            self.debt = Debt::None;
            self.moved = now;
            self.order(Order::Again);
            return thinking(now + self.assistant.fallback.hold_after, Aside::Quiet);
        }
        if self.caller.is_noise() {
            self.forget();
            // Words may be under way that cross the order to forget; they belong to what follows.
            self.text = deciding.text;
            self.silence.quiet(now);
            return State::Listening;
        }
        let guess = self.redeem(&text);
        self.expected.taken(&text);
        let times = TurnTimes { committed: Some(now), ..self.caller.times };
        let (keys, judged) = (self.caller.keys().to_owned(), self.caller.judging.told());
        (self.debt, self.comfort, self.moved) = (Debt::None, Comfort::Possible, now);
        self.backs_off = None;
        self.silence.broken();
        let hold = self.hold_at(now);
        self.order(Order::Commit(Said { text: text.clone(), keys, times, judged, guess }));
        match deciding.text {
            Text::Here => {
                self.forget();
                thinking(hold, Aside::Quiet)
            }
            Text::Asked => thinking(hold, Aside::Late(text)),
        }
    }

    /// When the caller of a turn that is taken now is asked for patience. A caller who waited
    /// longer than usual for the turn to be taken is not made to wait as long again.
    fn hold_at(&self, now: Instant) -> Instant {
        let patience = self.assistant.fallback.hold_after;
        let usual = self.caller.times.last_voiced.map(|at| at + self.assistant.turns.wait);
        let waits_since = usual.map_or(now, |usual| usual.min(now));
        (waits_since + patience).max(now + patience.min(SHORTEST_THOUGHT))
    }

    /// The answer is not wanted now, but still owed.
    fn cancel(&mut self, aside: Aside) {
        self.no_longer_late(aside);
        self.debt = Debt::Answer;
        self.order(Order::Cancel);
    }

    /// The agent said it all.
    pub(super) fn give_floor(&mut self, now: Instant, aside: Aside) -> State {
        match aside {
            Aside::Quiet => {
                self.silence.quiet(now);
                State::Listening
            }
            Aside::Late(taken) => {
                self.late = Some(taken);
                self.silence.quiet(now);
                State::Listening
            }
            Aside::Talking => self.hear(now),
            Aside::Asked(last_voiced) => self.decide(now, Text::Asked, Ended::Pause(last_voiced)),
            Aside::Kept => {
                let ended = self.caller.times.last_voiced.map_or(Ended::Keys, Ended::Pause);
                self.decide(now, Text::Here, ended)
            }
        }
    }

    pub(super) fn is_substantial(&self) -> bool {
        self.barge_in.is_substantial(&self.caller.text())
    }

    /// Whether words only urge the agent on.
    pub(super) fn urges(&self, text: &str) -> bool {
        self.barge_in.is_backchannel(text)
    }

    /// Whether the caller only urges the agent on while an answer is owed.
    pub(super) fn is_backchannel_to_debt(&self) -> bool {
        self.debt == Debt::Answer
            && self.caller.keys().is_empty()
            && self.urges(&self.caller.text())
    }

    /// Nobody listens and nothing is held.
    fn hush(&mut self) {
        if matches!(self.state, State::Yielding(_)) {
            self.order(Order::Resume);
        }
        self.forget();
    }

    /// The transcriber listens, and the caller speaks.
    pub(super) fn listen(&mut self, now: Instant) {
        if self.caller.listening.is_none() {
            self.order(Order::Listen);
            self.text = Text::Here;
            self.caller.remember(mem::take(&mut self.kept));
        }
        self.caller.starts(now);
    }

    pub(super) fn finalize(&mut self) {
        self.text = Text::Asked;
        self.pause = self.pause.next();
        self.caller.judging.lapse();
        self.order(Order::Finalize(self.pause));
    }

    /// The caller paused: the transcriber is asked, and the turn model unless the words alone are
    /// sure.
    pub(super) fn inquire(&mut self, now: Instant) {
        self.finalize();
        self.have_judged(now);
    }

    /// The turn model is asked about the pause, unless the words alone are sure.
    pub(super) fn have_judged(&mut self, now: Instant) {
        let is_there = self.assistant.turns.detector == Some(Detector::Smart);
        if is_there && !self.caller.wording(&self.expected).is_sure() {
            self.caller.judging.ask(now);
            self.order(Order::Judge(self.pause));
        }
    }

    /// The caller's turn was taken or came to nothing.
    pub(super) fn forget(&mut self) {
        self.text = Text::Here;
        self.foresight.begin();
        self.late = None;
        if mem::take(&mut self.caller).listening.is_some() {
            self.order(Order::Forget);
        }
    }

    pub(super) fn order(&mut self, order: Order) {
        self.orders.push_back(order);
    }
}

/// How long after its deadline a turn waits for a text that was asked for.
const TEXT_LIMIT: Duration = Duration::from_millis(1_500);
/// The same when only the record and our manners need the text.
const WORDS_LIMIT: Duration = Duration::from_millis(400);
/// How long a transfer may take before the caller is told that it failed.
const TRANSFER_LIMIT: Duration = Duration::from_secs(60);
/// A model gets at least so long before the caller is asked for patience.
const SHORTEST_THOUGHT: Duration = Duration::from_millis(300);
/// How much longer a tool is waited for than it may take.
const GRACE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::caller::Words;
    use crate::agent::event::Verdict;
    use crate::agent::floor::Manner;
    use crate::agent::judgement::{Judgement, Likelihood};

    const STATES: [&str; 6] =
        ["Listening", "Hearing", "Deciding", "Thinking", "Speaking", "Yielding"];

    /// A turn that came to the state of this name, and the time.
    fn turn_in(state: &str) -> (Turn, Instant) {
        let start = Instant::now();
        let mut turn = Turn::new(Arc::new(Assistant::default()), start);
        turn.opens(start);
        let now = start + Duration::from_secs(1);
        let words = words(PauseId(1), "Is it open");
        let path = [
            Event::SpeechStarted,
            Event::SpeechEnded { last_voiced: now },
            Event::Words(words),
            Event::Deadline,
            Event::SpeechReady(Manner::Open),
            Event::SpeechStarted,
        ];
        for event in path {
            // The words of a pause leave the state as it is.
            if name(&turn) == state && (state != "Deciding" || turn.text == Text::Here) {
                break;
            }
            turn.handle(now, event);
        }
        turn.orders.clear();
        assert_eq!(name(&turn), state);
        (turn, now)
    }

    fn words(pause: PauseId, text: &str) -> Words {
        Words { pause, text: text.to_owned(), completeness: Completeness::Unknown }
    }

    fn name(turn: &Turn) -> &'static str {
        match turn.state {
            State::Listening => "Listening",
            State::Hearing(_) => "Hearing",
            State::Deciding(_) => "Deciding",
            State::Thinking(_) => "Thinking",
            State::Speaking(_) => "Speaking",
            State::Yielding(_) => "Yielding",
        }
    }

    /// Plays one cell: the state that follows and the names of the orders.
    fn cell(state: &str, event: &str) -> String {
        let (mut turn, now) = turn_in(state);
        let now = now + Duration::from_secs(8);
        let event = match event {
            "speech starts" => Event::SpeechStarted,
            "voice fades" => Event::Faded,
            "voice returns" => Event::Returned,
            "speech ends" => Event::SpeechEnded { last_voiced: now },
            "partial" => Event::Partial("no no".to_owned()),
            "final" => {
                turn.text = Text::Asked;
                Event::Words(words(turn.pause, "no no"))
            }
            "judged" => {
                let complete = Likelihood::of(0.9);
                Event::Judged(Judgement { pause: turn.pause, complete })
            }
            "unasked: over" => {
                let completeness = Completeness::Judged(Verdict::Over);
                Event::Words(Words { completeness, ..words(turn.pause, "no no") })
            }
            "key" => Event::Key('1'),
            "written" => Event::Wrote("no no".to_owned()),
            "deadline" => Event::Deadline,
            "speech ready" => Event::SpeechReady(Manner::Open),
            "playout done" => Event::PlayoutDone(Next::Nothing),
            "more to come" => Event::PlayoutDone(Next::More),
            other => panic!("{other}"),
        };
        turn.handle(now, event);
        let orders: Vec<String> = std::iter::from_fn(|| turn.poll())
            .map(|order| format!("{order:?}"))
            .map(|order| order.split(['(', ' ']).next().unwrap_or_default().to_owned())
            .collect();
        format!("{} {}", name(&turn), orders.join(" ")).trim_end().to_owned()
    }

    /// For each event what follows in each of [`STATES`]: the next state, and the orders.
    const TABLE: [(&str, [&str; 6]); 14] = [
        (
            "speech starts",
            [
                "Hearing Listen",
                "Hearing",
                "Hearing",
                "Hearing Cancel Listen",
                "Yielding Pause Listen",
                "Yielding",
            ],
        ),
        ("voice fades", ["Listening", "Hearing", "Deciding", "Thinking", "Speaking", "Yielding"]),
        ("voice returns", ["Listening", "Hearing", "Deciding", "Thinking", "Speaking", "Yielding"]),
        (
            "speech ends",
            [
                "Listening",
                "Deciding Finalize",
                "Deciding",
                "Thinking",
                "Speaking",
                "Yielding Finalize",
            ],
        ),
        (
            "partial",
            [
                "Listening",
                "Hearing",
                "Deciding",
                "Thinking",
                "Speaking",
                "Hearing Interrupt Resume",
            ],
        ),
        (
            "final",
            [
                "Listening",
                "Hearing",
                "Deciding",
                "Thinking",
                "Speaking",
                "Hearing Interrupt Resume",
            ],
        ),
        ("judged", ["Listening", "Hearing", "Deciding", "Thinking", "Speaking", "Yielding"]),
        (
            "unasked: over",
            [
                "Listening",
                "Deciding",
                "Deciding",
                "Thinking",
                "Speaking",
                "Deciding Interrupt Resume",
            ],
        ),
        (
            "key",
            [
                "Deciding",
                "Deciding Finalize",
                "Deciding",
                "Deciding Cancel",
                "Deciding Interrupt",
                "Deciding Interrupt Resume Finalize",
            ],
        ),
        (
            "written",
            [
                "Deciding",
                "Deciding Finalize",
                "Deciding",
                "Deciding Cancel",
                "Deciding Interrupt",
                "Deciding Interrupt Resume Finalize",
            ],
        ),
        (
            "deadline",
            [
                "Listening Remind",
                "Deciding Finalize",
                "Thinking Commit Forget",
                "Thinking GiveUp",
                "Speaking",
                "Hearing Interrupt Resume",
            ],
        ),
        ("speech ready", ["Speaking", "Hearing", "Deciding", "Speaking", "Speaking", "Yielding"]),
        (
            "playout done",
            ["Listening", "Hearing", "Deciding", "Listening", "Listening", "Hearing Resume"],
        ),
        ("more to come", ["Listening", "Hearing", "Deciding", "Thinking", "Thinking", "Yielding"]),
    ];

    #[test]
    fn every_pair_of_state_and_event_has_its_cell() {
        for (event, row) in TABLE {
            for (state, expected) in STATES.into_iter().zip(row) {
                assert_eq!(cell(state, event), expected, "{state} × {event}");
            }
        }
    }
}
