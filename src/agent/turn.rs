//! Turn-taking: who has the floor. Every pair of state and event has a cell, no wildcard arm; a
//! row of the table is a function below.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agent::assistant::Assistant;
use crate::agent::barge_in::{BargeIn, Verdict};
use crate::agent::caller::{Caller, Words};
use crate::agent::endpointing::Ending;
use crate::agent::event::{PauseId, TurnTimes};
use crate::agent::silence::{Ladder, Rung};

/// Who has the floor, and what follows from what happens.
#[derive(Debug)]
pub struct Turn {
    assistant: Arc<Assistant>,
    barge_in: BargeIn,
    silence: Ladder,
    state: State,
    caller: Caller,
    /// Words that came when nobody waited for them.
    kept: String,
    /// The last pause that the transcriber was asked about.
    pause: PauseId,
    /// Whether its text is still to come.
    text: Text,
    /// When the model or a tool last moved.
    moved: Instant,
    comfort: Comfort,
    debt: Debt,
    orders: VecDeque<Order>,
}

/// The six states, each with its data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Nobody speaks.
    #[default]
    Listening,
    /// The caller speaks.
    Hearing {
        /// The limit of the turn.
        until: Instant,
    },
    /// The caller paused: is it the end?
    Deciding(Deciding),
    /// The caller is owed an answer.
    Thinking(Thinking),
    /// The agent speaks.
    Speaking(Speaking),
    /// The agent holds its speech because the caller makes a sound.
    Yielding(Yielding),
}

/// The caller paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deciding {
    text: Text,
    ended: Ended,
    due: Instant,
    /// What a model is already asked, unheard.
    guess: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Asked,
    Here,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// By silence after this sample.
    Pause(Instant),
    /// By the limit of a turn, at this time.
    Limit(Instant),
    /// By a key.
    Keys,
}

/// An answer is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thinking {
    since: Instant,
    work: Work,
    aside: Aside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// A model or a tool works.
    Answer,
    /// The caller is being connected, at most until then.
    Transfer(Instant),
}

/// The agent speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaking {
    manner: Manner,
    aside: Aside,
}

/// What the caller says while it is not the caller's turn.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Aside {
    /// Nothing.
    Quiet,
    /// The text of the turn itself is still to come; it was taken with these words.
    Late(String),
    /// The caller speaks.
    Talking,
    /// The caller spoke until then; the words are to come.
    Asked(Instant),
    /// The caller said something that is the next turn.
    Kept,
}

/// The agent holds its speech.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yielding {
    manner: Manner,
    sound: Sound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sound {
    /// It goes on since then, and is judged at the second time.
    Going { since: Instant, judged: Instant },
    /// It ended after this sample; at the second time the agent goes on.
    Over { last_voiced: Instant, resume: Instant },
}

/// Whether speech may be interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It gives way.
    Open,
    /// It is heard to its end.
    Protected,
}

/// What happens to a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The caller began to speak.
    SpeechStarted,
    /// The caller stopped.
    SpeechEnded {
        /// When the last voiced sample arrived.
        last_voiced: Instant,
    },
    /// Words that may change.
    Partial(String),
    /// The text of a pause.
    Words(Words),
    /// A key was pressed.
    Key(char),
    /// The deadline of the state was reached.
    Deadline,
    /// A clause was ordered from the voice.
    SpeechReady(Manner),
    /// All that was ordered from the voice was heard.
    PlayoutDone(Next),
}

/// What comes after the speech that was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it is the caller's turn.
    Nothing,
    /// The model or a tool still works.
    More,
}

/// What a turn asks its session to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// The transcriber is to listen.
    Listen,
    /// The transcriber is to give its text.
    Finalize(PauseId),
    /// The transcriber is to forget.
    Forget,
    /// The voice is to hold its breath.
    Pause,
    /// The voice is to go on.
    Resume,
    /// The agent's pause was for nothing.
    FalseInterruption,
    /// A model is to think about these words, unheard.
    Guess(String),
    /// The unheard answer is not wanted.
    Withdraw,
    /// The caller's turn is taken.
    Commit(Said),
    /// The words of the turn taken last are others.
    Correct(String),
    /// The turn taken last is to be answered after all.
    Again,
    /// The answer is not wanted: the caller speaks before it began.
    Cancel,
    /// The caller took the floor from the agent.
    Interrupt,
    /// Say that it takes a moment.
    Hold,
    /// The answer did not come.
    GiveUp,
    /// Remind the silent caller, for the time of this number from 0.
    Remind(usize),
    /// End the call with a silent caller.
    HangUp,
}

/// A turn of the caller as it is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The words.
    pub text: String,
    /// The keys.
    pub keys: String,
    /// When each stage was reached.
    pub times: TurnTimes,
    /// Whether the unheard answer fits.
    pub guess: Guess,
}

/// What became of a guess at the end of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// There was none.
    None,
    /// It was right.
    Right,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comfort {
    Possible,
    Given,
}

/// Whether a turn was taken and its answer cancelled before it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Debt {
    None,
    Answer,
}

impl Turn {
    /// Nobody speaks, and no time runs before [`Turn::opens`].
    pub fn new(assistant: Arc<Assistant>, now: Instant) -> Self {
        Self {
            barge_in: BargeIn::new(&assistant),
            silence: Ladder::new(assistant.silence.clone()),
            assistant,
            state: State::Listening,
            caller: Caller::default(),
            kept: String::new(),
            pause: PauseId::default(),
            text: Text::Here,
            moved: now,
            comfort: Comfort::Possible,
            debt: Debt::None,
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

    /// The words of the turn in the making, as far as they are known.
    pub fn words_so_far(&self) -> String {
        self.caller.heard().to_owned()
    }

    /// It is the caller's turn from now on.
    pub fn opens(&mut self, now: Instant) {
        self.silence.quiet(now);
    }

    /// The model or a tool moved: patience begins anew.
    pub fn answer_moved(&mut self, now: Instant) {
        self.moved = now;
    }

    /// A model was asked: patience begins anew, and nobody is being connected.
    pub fn thinks(&mut self, now: Instant) {
        self.moved = now;
        if let State::Thinking(Thinking { work, since, .. }) = &mut self.state
            && let Work::Transfer(_) = work
        {
            (*work, *since) = (Work::Answer, now);
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
        self.state = State::Thinking(Thinking { since: now, work, aside: Aside::Quiet });
    }

    /// Takes the next order.
    pub fn poll(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When [`Event::Deadline`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Listening => self.silence.deadline(),
            State::Hearing { until } => Some(*until),
            State::Deciding(deciding) => Some(deciding.due),
            State::Thinking(Thinking { work: Work::Transfer(until), .. }) => Some(*until),
            State::Thinking(thinking) => {
                let give_up = self.moved + self.assistant.fallback.give_up_after;
                let hold = thinking.since + self.assistant.fallback.hold_after;
                Some(if self.comfort == Comfort::Possible { give_up.min(hold) } else { give_up })
            }
            State::Speaking(_) => None,
            State::Yielding(Yielding { sound: Sound::Going { judged, .. }, .. }) => Some(*judged),
            State::Yielding(Yielding { sound: Sound::Over { resume, .. }, .. }) => Some(*resume),
        }
    }

    /// Takes an event at `now`; orders follow.
    pub fn handle(&mut self, now: Instant, event: Event) {
        // A text that answers an earlier pause is older than what is known.
        if let Event::Words(words) = &event {
            if words.pause != self.pause || self.text == Text::Here {
                return;
            }
            self.text = Text::Here;
        }
        self.state = match mem::take(&mut self.state) {
            State::Listening => self.listening(now, event),
            State::Hearing { until } => self.hearing(now, until, event),
            State::Deciding(deciding) => self.deciding(now, deciding, event),
            State::Thinking(thinking) => self.thinking(now, thinking, event),
            State::Speaking(speaking) => self.speaking(now, speaking, event),
            State::Yielding(yielding) => self.yielding(now, yielding, event),
        };
    }

    fn listening(&mut self, now: Instant, event: Event) -> State {
        match event {
            Event::SpeechStarted => self.hear(now),
            Event::SpeechEnded { .. } | Event::Partial(_) => State::Listening,
            Event::Words(words) => {
                self.kept = words.text;
                State::Listening
            }
            Event::Key(key) => self.key(now, key),
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

    fn hearing(&mut self, now: Instant, until: Instant, event: Event) -> State {
        match event {
            Event::SpeechStarted => {}
            Event::SpeechEnded { last_voiced } => return self.paused(now, last_voiced),
            Event::Partial(text) => self.caller.may_have_said(&text),
            Event::Words(words) => self.caller.said(now, &words),
            Event::Key(key) => return self.key(now, key),
            Event::Deadline => {
                self.caller.stops(now, now);
                self.finalize();
                return self.decide(now, Text::Asked, Ended::Limit(now));
            }
            // Nothing is spoken while the caller speaks; what is heard of it was ordered before.
            Event::SpeechReady(_) | Event::PlayoutDone(_) => {}
        }
        State::Hearing { until }
    }

    fn deciding(&mut self, now: Instant, mut deciding: Deciding, event: Event) -> State {
        match event {
            Event::SpeechStarted => {
                self.withdraw(&mut deciding);
                return self.hear(now);
            }
            Event::SpeechEnded { .. } => {}
            Event::Partial(text) => {
                if deciding.text == Text::Asked {
                    self.caller.may_have_said(&text);
                }
            }
            Event::Words(words) => {
                self.caller.said(now, &words);
                deciding.text = Text::Here;
                deciding.due = self.due(&deciding);
                self.guess(now, &mut deciding);
            }
            Event::Key(key) => {
                self.withdraw(&mut deciding);
                self.caller.presses(now, key);
                deciding.ended = Ended::Keys;
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
            Event::SpeechStarted | Event::Key(_) if connecting => {}
            Event::SpeechStarted => {
                self.cancel(thinking.aside);
                return self.hear(now);
            }
            Event::SpeechEnded { .. } | Event::Partial(_) => {}
            Event::Words(words) => return self.words_while_thinking(now, thinking, &words),
            Event::Key(key) => {
                self.cancel(thinking.aside);
                return self.key(now, key);
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
            Event::SpeechReady(manner) => {
                return speaking(manner, self.no_longer_late(thinking.aside));
            }
            Event::PlayoutDone(Next::More) => {}
            Event::PlayoutDone(Next::Nothing) => {
                let aside = self.no_longer_late(thinking.aside);
                return self.give_floor(now, aside);
            }
        }
        State::Thinking(thinking)
    }

    fn speaking(&mut self, now: Instant, mut state: Speaking, event: Event) -> State {
        match event {
            Event::SpeechStarted => return self.overlap(now, state),
            Event::SpeechEnded { last_voiced } => {
                if state.aside == Aside::Talking {
                    self.caller.stops(now, last_voiced);
                    self.finalize();
                    state.aside = Aside::Asked(last_voiced);
                }
            }
            Event::Partial(text) => {
                if matches!(state.aside, Aside::Talking | Aside::Asked(_)) {
                    self.caller.may_have_said(&text);
                }
            }
            Event::Words(words) => return self.words_while_speaking(now, state, &words),
            Event::Key(key) if state.manner == Manner::Open => {
                self.order(Order::Interrupt);
                return self.key(now, key);
            }
            Event::Key(key) => {
                self.caller.presses(now, key);
                if state.aside == Aside::Quiet {
                    state.aside = Aside::Kept;
                }
            }
            Event::Deadline => {}
            Event::SpeechReady(manner) => state.manner = state.manner.with(manner),
            Event::PlayoutDone(Next::Nothing) => return self.give_floor(now, state.aside),
            Event::PlayoutDone(Next::More) => return self.fall_silent(now, state.aside),
        }
        State::Speaking(state)
    }

    fn yielding(&mut self, now: Instant, mut state: Yielding, event: Event) -> State {
        match (event, state.sound) {
            (Event::SpeechStarted, Sound::Over { .. }) => {
                self.caller.starts(now);
                state.sound = self.sound(now);
            }
            (Event::SpeechStarted, Sound::Going { .. }) => {}
            (Event::SpeechEnded { last_voiced }, Sound::Going { .. }) => {
                self.caller.stops(now, last_voiced);
                self.finalize();
                let resume = now + self.assistant.interrupt.resume_after;
                state.sound = Sound::Over { last_voiced, resume };
            }
            (Event::SpeechEnded { .. }, Sound::Over { .. }) => {}
            (Event::Partial(text), Sound::Going { since, .. }) => {
                self.caller.may_have_said(&text);
                return self.judge(now, since, state);
            }
            (Event::Partial(text), Sound::Over { .. }) => self.caller.may_have_said(&text),
            (Event::Words(words), Sound::Going { .. }) => {
                self.caller.said(now, &words);
                if self.is_substantial() {
                    return self.interrupted(now);
                }
            }
            (Event::Words(words), Sound::Over { last_voiced, .. }) => {
                self.caller.said(now, &words);
                if self.is_substantial() {
                    self.break_off();
                    return self.decide(now, Text::Here, Ended::Pause(last_voiced));
                }
                self.go_on();
                self.forget();
                return speaking(state.manner, Aside::Quiet);
            }
            (Event::Key(key), Sound::Going { .. } | Sound::Over { .. }) => {
                self.break_off();
                return self.key(now, key);
            }
            (Event::Deadline, Sound::Going { since, .. }) => {
                return self.judge(now, since, state);
            }
            (Event::Deadline, Sound::Over { last_voiced, .. }) => {
                self.go_on();
                return speaking(state.manner, Aside::Asked(last_voiced));
            }
            (Event::SpeechReady(manner), Sound::Going { .. } | Sound::Over { .. }) => {
                state.manner = state.manner.with(manner);
            }
            // The agent had said it all: nothing is interrupted, and the caller may go on.
            (Event::PlayoutDone(Next::Nothing), Sound::Going { .. }) => {
                self.order(Order::Resume);
                return self.hear(now);
            }
            (Event::PlayoutDone(Next::Nothing), Sound::Over { last_voiced, .. }) => {
                self.order(Order::Resume);
                return self.decide(now, Text::Asked, Ended::Pause(last_voiced));
            }
            (Event::PlayoutDone(Next::More), Sound::Going { .. } | Sound::Over { .. }) => {}
        }
        State::Yielding(state)
    }
}

/// What the cells do.
impl Turn {
    /// The caller has the floor and speaks.
    fn hear(&mut self, now: Instant) -> State {
        self.listen(now);
        let began = self.caller.listening.unwrap_or(now);
        State::Hearing { until: began + self.assistant.turns.max_turn }
    }

    /// The caller paused.
    fn paused(&mut self, now: Instant, last_voiced: Instant) -> State {
        self.caller.stops(now, last_voiced);
        self.finalize();
        self.decide(now, Text::Asked, Ended::Pause(last_voiced))
    }

    /// A key ends what was said before it.
    fn key(&mut self, now: Instant, key: char) -> State {
        self.caller.presses(now, key);
        if self.caller.is_speaking() {
            self.caller.stops(now, now);
            self.finalize();
        }
        self.decide(now, self.text, Ended::Keys)
    }

    fn decide(&mut self, now: Instant, text: Text, ended: Ended) -> State {
        let mut deciding = Deciding { text, ended, due: now, guess: None };
        deciding.due = self.due(&deciding);
        if text == Text::Here {
            self.guess(now, &mut deciding);
        }
        State::Deciding(deciding)
    }

    /// When the turn is taken, as far as is known now.
    fn due(&self, deciding: &Deciding) -> Instant {
        let keys = self
            .caller
            .pressed()
            .map(|at| if self.caller.keys().ends_with('#') { at } else { at + BETWEEN_KEYS });
        let due = match deciding.ended {
            Ended::Pause(last_voiced) => {
                let spoken = last_voiced + self.caller.ending().wait(&self.assistant.turns);
                keys.map_or(spoken, |keys| keys.max(spoken))
            }
            Ended::Limit(at) => at,
            Ended::Keys => keys.unwrap_or(self.moved),
        };
        match deciding.text {
            Text::Here => due,
            Text::Asked => due + TEXT_LIMIT,
        }
    }

    /// Lets a model think on words that look complete while the turn may still go on.
    fn guess(&mut self, now: Instant, deciding: &mut Deciding) {
        let text = self.caller.text();
        if deciding.guess.as_ref().is_some_and(|guess| *guess == text) {
            return;
        }
        self.withdraw(deciding);
        let likely = self.caller.ending() == Ending::Complete && self.caller.keys().is_empty();
        let allowed = self.assistant.turns.preemptive && self.caller.guesses < MAX_GUESSES;
        if likely && allowed && deciding.due > now && !self.is_backchannel_to_debt() {
            self.caller.guesses += 1;
            deciding.guess = Some(text.clone());
            self.order(Order::Guess(text));
        }
    }

    fn withdraw(&mut self, deciding: &mut Deciding) {
        if deciding.guess.take().is_some() {
            self.order(Order::Withdraw);
        }
    }

    /// Takes the caller's turn, unless it came to nothing.
    fn commit(&mut self, now: Instant, mut deciding: Deciding) -> State {
        self.caller.close_keys();
        let text = self.caller.text();
        if self.debt == Debt::Answer && (self.caller.is_wordless() || self.is_backchannel_to_debt())
        {
            self.withdraw(&mut deciding);
            self.forget();
            self.debt = Debt::None;
            self.moved = now;
            self.order(Order::Again);
            return thinking(now, Aside::Quiet);
        }
        if self.caller.is_noise() {
            self.forget();
            // Words may be under way that cross the order to forget; they belong to what follows.
            self.text = deciding.text;
            self.silence.quiet(now);
            return State::Listening;
        }
        let guess = if deciding.guess.as_ref() == Some(&text) { Guess::Right } else { Guess::None };
        if guess == Guess::None {
            self.withdraw(&mut deciding);
        }
        let times = TurnTimes { committed: Some(now), ..self.caller.times };
        let keys = self.caller.keys().to_owned();
        (self.debt, self.comfort, self.moved) = (Debt::None, Comfort::Possible, now);
        self.silence.broken();
        self.order(Order::Commit(Said { text: text.clone(), keys, times, guess }));
        match deciding.text {
            Text::Here => {
                self.forget();
                thinking(now, Aside::Quiet)
            }
            Text::Asked => thinking(now, Aside::Late(text)),
        }
    }

    /// The caller speaks over the agent.
    fn overlap(&mut self, now: Instant, state: Speaking) -> State {
        if state.manner == Manner::Open {
            self.order(Order::Pause);
        }
        self.listen(now);
        match state.manner {
            Manner::Open => {
                State::Yielding(Yielding { manner: state.manner, sound: self.sound(now) })
            }
            Manner::Protected => speaking(state.manner, Aside::Talking),
        }
    }

    fn sound(&self, now: Instant) -> Sound {
        Sound::Going { since: now, judged: now + self.barge_in.min_speech() }
    }

    /// Judges sound that goes on since `since`.
    fn judge(&mut self, now: Instant, since: Instant, state: Yielding) -> State {
        let limit = since + self.assistant.turns.max_turn;
        let spoken = now.saturating_duration_since(since);
        let judged = match self.barge_in.verdict(spoken, &self.caller.text()) {
            Verdict::Wait(Some(longer)) if now < limit => since + longer,
            Verdict::Wait(None) if now < limit => limit,
            Verdict::Wait(_) | Verdict::Interrupt => return self.interrupted(now),
        };
        State::Yielding(Yielding { sound: Sound::Going { since, judged }, ..state })
    }

    fn interrupted(&mut self, now: Instant) -> State {
        self.break_off();
        self.hear(now)
    }

    /// The agent loses the floor. The pause ends with the flush: nothing is left to be held.
    fn break_off(&mut self) {
        self.order(Order::Interrupt);
        self.order(Order::Resume);
    }

    /// The agent goes on after a pause for nothing.
    fn go_on(&mut self) {
        self.order(Order::Resume);
        self.order(Order::FalseInterruption);
    }

    fn words_while_speaking(&mut self, now: Instant, state: Speaking, words: &Words) -> State {
        let Aside::Asked(last_voiced) = state.aside else { return State::Speaking(state) };
        self.caller.said(now, words);
        if !self.is_substantial() && self.caller.keys().is_empty() {
            self.forget();
            return speaking(state.manner, Aside::Quiet);
        }
        match state.manner {
            Manner::Open => {
                self.order(Order::Interrupt);
                self.decide(now, Text::Here, Ended::Pause(last_voiced))
            }
            Manner::Protected => speaking(state.manner, Aside::Kept),
        }
    }

    fn words_while_thinking(&mut self, now: Instant, state: Thinking, words: &Words) -> State {
        let aside = match state.aside.clone() {
            Aside::Late(taken) => {
                let late = words.text.trim();
                if !late.is_empty() && late != taken {
                    self.moved = now;
                    self.order(Order::Correct(late.to_owned()));
                }
                self.forget();
                Aside::Quiet
            }
            Aside::Asked(last_voiced) => {
                self.caller.said(now, words);
                if self.is_substantial() {
                    self.debt = Debt::Answer;
                    self.order(Order::Cancel);
                    return self.decide(now, Text::Here, Ended::Pause(last_voiced));
                }
                self.forget();
                Aside::Quiet
            }
            aside @ (Aside::Quiet | Aside::Talking | Aside::Kept) => aside,
        };
        State::Thinking(Thinking { aside, ..state })
    }

    /// The answer is not wanted now, but still owed.
    fn cancel(&mut self, aside: Aside) {
        self.no_longer_late(aside);
        self.debt = Debt::Answer;
        self.order(Order::Cancel);
    }

    /// The agent said it all.
    fn give_floor(&mut self, now: Instant, aside: Aside) -> State {
        match aside {
            Aside::Quiet | Aside::Late(_) => {
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

    /// The agent said what it had, and more is to come.
    fn fall_silent(&mut self, now: Instant, aside: Aside) -> State {
        match aside {
            Aside::Quiet | Aside::Late(_) | Aside::Asked(_) => thinking(now, aside),
            Aside::Talking | Aside::Kept => {
                self.debt = Debt::Answer;
                self.order(Order::Cancel);
                self.give_floor(now, aside)
            }
        }
    }

    fn no_longer_late(&mut self, aside: Aside) -> Aside {
        match aside {
            Aside::Late(_) => {
                self.forget();
                Aside::Quiet
            }
            aside @ (Aside::Quiet | Aside::Talking | Aside::Asked(_) | Aside::Kept) => aside,
        }
    }

    fn is_substantial(&self) -> bool {
        self.barge_in.is_substantial(&self.caller.text())
    }

    /// Whether the caller only urges the agent on while an answer is owed.
    fn is_backchannel_to_debt(&self) -> bool {
        self.debt == Debt::Answer
            && self.caller.keys().is_empty()
            && self.barge_in.is_backchannel(&self.caller.text())
    }

    /// Nobody listens and nothing is held.
    fn hush(&mut self) {
        if matches!(self.state, State::Yielding(_)) {
            self.order(Order::Resume);
        }
        self.forget();
    }

    /// The transcriber listens, and the caller speaks.
    fn listen(&mut self, now: Instant) {
        if self.caller.listening.is_none() {
            self.order(Order::Listen);
            self.text = Text::Here;
            self.caller.remember(mem::take(&mut self.kept));
        }
        self.caller.starts(now);
    }

    fn finalize(&mut self) {
        self.text = Text::Asked;
        self.pause = self.pause.next();
        self.order(Order::Finalize(self.pause));
    }

    /// The caller's turn was taken or came to nothing.
    fn forget(&mut self) {
        self.text = Text::Here;
        if mem::take(&mut self.caller).listening.is_some() {
            self.order(Order::Forget);
        }
    }

    fn order(&mut self, order: Order) {
        self.orders.push_back(order);
    }
}

impl Manner {
    /// Speech of this manner with more of `other`: as long as one part is protected, all is.
    fn with(self, other: Self) -> Self {
        if other == Self::Protected { other } else { self }
    }
}

fn speaking(manner: Manner, aside: Aside) -> State {
    State::Speaking(Speaking { manner, aside })
}

fn thinking(since: Instant, aside: Aside) -> State {
    State::Thinking(Thinking { since, work: Work::Answer, aside })
}

/// How long after its deadline a turn waits for a text that was asked for.
const TEXT_LIMIT: Duration = Duration::from_millis(1_500);
/// How long after a key the next one may come.
const BETWEEN_KEYS: Duration = Duration::from_millis(1_200);
/// How long a transfer may take before the caller is told that it failed.
const TRANSFER_LIMIT: Duration = Duration::from_secs(60);
/// How often in one turn a model is asked before the turn is over.
const MAX_GUESSES: u32 = 3;
