//! A session: one agent at work in one conversation. It joins turn-taking, thinking and speaking,
//! and is fed facts with their time; orders and notes come out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::agent::answer::{Answer, Given};
use crate::agent::assistant::{Assistant, Yields};
use crate::agent::barge_in::{phrases, says_any};
use crate::agent::conversation::Conversation;
use crate::agent::event::{Input, Note, Output, Over, Progress, TurnId, UtteranceId};
use crate::agent::floor::{Event, Last, Manner, Next, Order, Presence, State};
use crate::agent::languages::Languages;
use crate::agent::pending::{Asking, Meanwhile};
use crate::agent::phrases::Phrases;
use crate::agent::speech::{Cut, Line, Role, Sent, Speech, Stage};
use crate::agent::squad::{Handoff, Inheritance, Summing};
use crate::agent::tool::{Handlings, Tool, ToolCall};
use crate::agent::turn::Turn;
use crate::base::calendar::Date;
use crate::base::language::Language;
use crate::base::scope::Scope;

/// What a session is given besides the agent: texts rendered for this call, and its tools.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Opening {
    /// What the model is told to be and do.
    pub instructions: String,
    /// What is said first; without it the caller speaks first.
    pub first_message: Option<String>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// How the house handles them.
    pub handlings: Handlings,
    /// What questions before a tool may name.
    pub scope: Scope,
    /// The day of the call, from which others are counted.
    pub today: Option<Date>,
    /// What the agent is called among its colleagues.
    pub name: String,
    /// To whom of them it may hand the caller over.
    pub handoffs: Vec<Handoff>,
    /// The conversation that it goes on with.
    pub inherits: Option<Inheritance>,
    /// What is done as soon as the first message was heard; then nobody listens.
    pub then: Option<ToolCall>,
    /// Since when the call counts as one with this agent; without it, from now on.
    pub began: Option<Instant>,
    /// What the model is to find out of the conversation; then nothing is said, and nobody listens.
    pub judges: Option<String>,
}

/// One agent at work.
#[derive(Debug)]
pub struct Session {
    pub(super) assistant: Arc<Assistant>,
    pub(super) language: Language,
    pub(super) phrases: Phrases,
    pub(super) opening: Opening,
    pub(super) turn: Turn,
    pub(super) speech: Speech,
    pub(super) answer: Answer,
    pub(super) conversation: Conversation,
    /// The conversation in short, for who takes over.
    pub(super) summing: Option<Summing>,
    /// The turn before the first of its own.
    since: TurnId,
    /// The tool that waits for the caller's yes, or for keys.
    pub(super) asking: Option<Asking>,
    /// The key that ends a number which was whole without it, until then.
    pub(super) left_over: Option<(char, Instant)>,
    /// What is said while a tool runs.
    pub(super) meanwhile: Option<Meanwhile>,
    /// Failed turns in a row.
    pub(super) failures: u32,
    /// Whether nobody could say what was heard last.
    pub(super) hearing: Hearing,
    pub(super) ending: Ending,
    pub(super) life: Life,
    pub(super) line: Presence,
    pub(super) languages: Languages,
    /// What it says last, each as its words.
    end_phrases: Vec<Vec<String>>,
    pub(super) out: VecDeque<Output>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Life {
    Fresh,
    /// At work, at most until then.
    Live {
        until: Option<Instant>,
    },
    /// The line is gone; the caller's last words are waited for until then.
    Leaving {
        until: Instant,
        last: Last,
    },
    /// The line is gone, and nothing is waited for but how much of what was said was heard.
    Left,
    Over,
}

/// Whether somebody hears the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    /// Somebody does, or has not been asked yet.
    Well,
    /// Nobody could say what was heard last.
    Deaf,
}

/// Whether the call ends after what is being said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    None,
    /// Unless the caller takes the floor.
    Soft(Over),
    /// In any case.
    Firm(Over),
}

/// Whether a step changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Done,
    Idle,
}

impl Session {
    /// Makes a session for `assistant`; it waits for `Input::Began`.
    pub fn new(assistant: Arc<Assistant>, opening: Opening, now: Instant) -> Self {
        Self {
            language: assistant.spoken_language(),
            phrases: Phrases::of(&assistant),
            opening,
            turn: Turn::new(Arc::clone(&assistant), now),
            speech: Speech::new(assistant.speaker(&assistant.spoken_language())),
            answer: Answer::default(),
            conversation: Conversation::default(),
            summing: None,
            since: TurnId::default(),
            asking: None,
            left_over: None,
            meanwhile: None,
            failures: 0,
            hearing: Hearing::Well,
            ending: Ending::None,
            life: Life::Fresh,
            line: Presence::Here,
            languages: Languages::new(assistant.spoken_language(), &assistant.languages),
            end_phrases: phrases(&assistant.end_phrases),
            out: VecDeque::new(),
            assistant,
        }
    }

    /// Makes the session of an agent that takes over from another in the same conversation: its
    /// utterances, thoughts and pauses are counted on, so that nothing of the one before is
    /// mistaken for its own.
    pub fn after(before: &Self, assistant: Arc<Assistant>, opening: Opening, now: Instant) -> Self {
        let mut session = Self::new(assistant, opening, now);
        session.count_on(before);
        session.answer.turn = before.answer.turn;
        session.since = session.answer.turn;
        session
    }

    /// Counts utterances, thoughts and pauses on from where another session of the call stopped.
    pub fn count_on(&mut self, other: &Self) {
        self.speech.count_on(&other.speech);
        self.answer.count_on(&other.answer);
        self.turn.count_on(&other.turn);
    }

    /// Counts utterances on from this one, which somebody else said.
    pub fn count_past(&mut self, last: UtteranceId) {
        self.speech.count_past(last);
    }

    /// What was said.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// Whether the caller has said something to this agent.
    pub(super) fn was_spoken_to(&self) -> bool {
        self.answer.turn != self.since
    }

    /// Takes a fact.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match (&self.life, input) {
            (Life::Over, _) => return,
            (Life::Leaving { .. } | Life::Left, input) => return self.take_last(now, input),
            (Life::Fresh, Input::Began) => self.begin(now),
            (Life::Fresh, Input::WindUp) => self.end(now, Over::WoundUp),
            (Life::Live { .. }, Input::HungUp) => return self.hung_up(now),
            // Before the call is up and after it began twice there is nothing to hear.
            (Life::Fresh, _) | (Life::Live { .. }, Input::Began) => {}
            (Life::Live { .. }, input) => self.take(now, input),
        }
        self.tick(now);
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Instant) {
        if let Life::Leaving { until, .. } = self.life
            && until <= now
        {
            self.close(now);
        }
        self.run(now);
        // Every deadline moves the state or itself; the bound guards against a slip of ours.
        for _ in 0..MAX_STEPS {
            let Some(due) = self.deadline().filter(|due| *due <= now) else { return };
            if self.line == Presence::Here && self.turn.deadline() == Some(due) {
                self.turn.handle(now, Event::Deadline);
            } else if self.stuck_at() == Some(due) {
                self.voice_is_stuck(now);
            } else if self.summed_up_by() == Some(due) {
                self.drop_summary();
            } else if self.meanwhile_at() == Some(due) {
                self.say_meanwhile(now);
            } else if !self.ends_unheard(now, Over::MaxDuration) {
                self.life = Life::Live { until: None };
                self.conclude(now, Over::MaxDuration, self.phrases.goodbye.clone());
            }
            self.run(now);
        }
    }

    /// Takes the next order or note.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// The last utterance that was ordered so far; 0 before the first.
    pub fn last_utterance(&self) -> UtteranceId {
        self.speech.ordered()
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let until = match self.life {
            Life::Live { until } => until,
            Life::Leaving { until, .. } => return Some(until),
            Life::Fresh | Life::Left | Life::Over => return None,
        };
        let turn = (self.line == Presence::Here).then(|| self.turn.deadline()).flatten();
        let others = [self.stuck_at(), self.summed_up_by(), self.meanwhile_at()];
        [until, turn].into_iter().chain(others).flatten().min()
    }

    /// Does what the turn orders, until nothing moves any more.
    fn run(&mut self, now: Instant) {
        for _ in 0..MAX_STEPS {
            if matches!(self.life, Life::Leaving { .. } | Life::Left | Life::Over) {
                return;
            }
            while let Some(order) = self.turn.poll() {
                self.obey(now, order);
            }
            if self.settle(now) == Step::Idle {
                return;
            }
        }
    }

    fn begin(&mut self, now: Instant) {
        let longest = Some(self.assistant.limits.max_duration).filter(|limit| !limit.is_zero());
        let began = self.opening.began.unwrap_or(now);
        self.life = Life::Live { until: longest.map(|limit| began + limit) };
        if let Some(question) = self.opening.judges.clone() {
            return self.judge(now, question);
        }
        if let Some(inheritance) = self.opening.inherits.clone() {
            return self.go_on_with(now, &inheritance);
        }
        self.announces();
        let first = self.opening.first_message.take().unwrap_or_default();
        if first.trim().is_empty() {
            self.turn.opens(now);
            return;
        }
        let protected = !self.assistant.interrupt.first_message;
        let manner = if protected { Manner::Protected } else { self.manner() };
        self.say(now, first, Role::Fixed, manner);
    }

    fn take(&mut self, now: Instant, input: Input) {
        match input {
            Input::SpeechStarted
            | Input::SpeechFaded
            | Input::SpeechReturned
            | Input::SpeechEnded { .. }
                if !self.assistant.speech => {}
            Input::SpeechStarted => {
                self.expect();
                self.turn.handle(now, Event::SpeechStarted);
            }
            Input::SpeechFaded => self.turn.handle(now, Event::Faded),
            Input::SpeechReturned => self.turn.handle(now, Event::Returned),
            Input::SpeechEnded { last_voiced } => {
                self.turn.handle(now, Event::SpeechEnded { last_voiced });
            }
            Input::Transcript { pause, transcript } => self.transcribed(now, pause, transcript),
            Input::Judged(judgement) => self.turn.handle(now, Event::Judged(judgement)),
            Input::Digit(key) if self.is_left_over(now, key) => {}
            Input::Digit(key) if KEYS.contains(key) => self.turn.handle(now, Event::Key(key)),
            Input::Wrote(text) if self.assistant.speech && !text.trim().is_empty() => {
                self.expect();
                self.turn.handle(now, Event::Wrote(text));
            }
            Input::Began | Input::HungUp | Input::Digit(_) | Input::Wrote(_) => {}
            Input::Thought { thought, delta } => self.thought(now, thought, delta),
            Input::Spoken { utterance, progress } => self.spoken(now, utterance, progress),
            Input::Flushed { heard } => self.account(now, Sent::Known(&heard)),
            Input::ToolDone(result) => self.tool_done(now, result),
            Input::Held => self.be_held(now),
            Input::Resumed => self.be_taken_back(now),
            Input::Replaced => drop(self.flush(now)),
            Input::Say { text, ends } => self.told_to_say(now, text, ends),
            Input::SendAway(call) => self.told_to_send_away(now, call),
            Input::WindUp if self.ends_unheard(now, Over::WoundUp) => {}
            Input::WindUp => self.conclude(now, Over::WoundUp, self.phrases.goodbye.clone()),
        }
    }

    fn obey(&mut self, now: Instant, order: Order) {
        match order {
            Order::Listen => self.out.push_back(Output::Listen),
            Order::Finalize(pause) => self.out.push_back(Output::Finalize(pause)),
            Order::Judge(pause) => self.out.push_back(Output::Judge(pause)),
            Order::Forget => self.out.push_back(Output::Forget),
            Order::Pause => match self.assistant.interrupt.manner {
                Yields::Pause => {
                    self.speech.pause(now);
                    self.out.push_back(Output::Pause);
                }
                Yields::Duck => self.out.push_back(Output::Duck),
            },
            Order::Resume => {
                self.speech.resume(now);
                self.out.push_back(Output::Resume);
            }
            Order::FalseInterruption => self.note(Note::FalseInterruption),
            Order::Guess(text) => self.guess(text),
            Order::Withdraw | Order::Cancel => {
                self.drop_answer(now);
            }
            Order::Commit(said) => self.commit(now, said),
            Order::Correct(text) => self.correct(now, text),
            Order::Again => self.think(now),
            Order::Interrupt => {
                if self.drop_answer(now).is_some() {
                    self.note(Note::Interrupted);
                }
            }
            Order::Hold => self.hold(now),
            Order::GiveUp => self.give_up(now),
            Order::Remind(_) if self.asks_again(now) => {}
            Order::Remind(count) => {
                let line = self.phrases.reminder(count).to_owned();
                self.say(now, line, Role::Fixed, self.manner());
            }
            Order::HangUp if self.goes_elsewhere_when_silent(now) => {}
            Order::HangUp => {
                self.ending = Ending::Soft(Over::SilenceTimeout);
                self.say(now, self.phrases.goodbye.clone(), Role::Fixed, self.manner());
            }
        }
    }

    /// Goes on when all that was ordered was heard.
    fn settle(&mut self, now: Instant) -> Step {
        let thinking = self.answer.thought.is_some();
        if !self.speech.is_idle() {
            return Step::Idle;
        }
        match self.ending {
            Ending::Firm(why) => {
                self.end(now, why);
                return Step::Done;
            }
            Ending::Soft(Over::AgentEnded) if !thinking && self.answer.given == Given::Nothing => {
                self.answer.given = Given::Worded;
                self.say(now, self.phrases.goodbye.clone(), Role::Fixed, self.manner());
                return Step::Done;
            }
            Ending::Soft(why) if !thinking => {
                self.end(now, why);
                return Step::Done;
            }
            Ending::None | Ending::Soft(_) => {}
        }
        if matches!(self.turn.state(), State::Hearing(_) | State::Deciding(_)) {
            return Step::Idle;
        }
        if thinking {
            return self.fall_silent(now, Next::More);
        }
        if self.answer.given == Given::Voiceless {
            self.fail(now);
            return Step::Done;
        }
        if self.summed_up_by().is_none()
            && let Some(call) = self.answer.handover.take()
        {
            self.hand_over(now, call);
            return Step::Done;
        }
        let next = if self.answer.is_owed() { Next::More } else { Next::Nothing };
        self.fall_silent(now, next)
    }

    /// Tells the turn that nothing is left to be heard, if it thinks that there is.
    fn fall_silent(&mut self, now: Instant, next: Next) -> Step {
        let waits = match self.turn.state() {
            State::Speaking(_) => true,
            State::Yielding(_) | State::Thinking(_) => next == Next::Nothing,
            State::Listening | State::Hearing(_) | State::Deciding(_) => false,
        };
        if !waits {
            return Step::Idle;
        }
        self.turn.handle(now, Event::PlayoutDone(next));
        Step::Done
    }
}

/// Speaking.
impl Session {
    pub(super) fn manner(&self) -> Manner {
        if self.assistant.interrupt.enabled { Manner::Open } else { Manner::Protected }
    }

    pub(super) fn say(&mut self, now: Instant, text: String, role: Role, manner: Manner) {
        self.question_is_stale();
        let mut utterance = self.speech.say(now, self.answer.turn, text, role);
        if role == Role::Answer
            && let Some(thought) = &self.answer.thought
        {
            self.speech.was_thought(thought.id);
            utterance.thought = Some(thought.id);
        }
        match role {
            Role::Answer | Role::Fixed => {
                self.conversation.agent(utterance.id, utterance.text.clone());
            }
            Role::Filler => {}
        }
        self.out.push_back(Output::Speak(utterance));
        self.turn.handle(now, Event::SpeechReady(manner));
    }

    pub(super) fn flush(&mut self, now: Instant) -> Option<UtteranceId> {
        if self.speech.is_idle() {
            return None;
        }
        // Nobody told of the flush before this one, and nobody will.
        self.account(now, Sent::Unknown);
        let held = self.speech.held();
        if !held.is_empty() {
            self.out.push_back(Output::Cut(held));
        }
        let through = self.speech.flush(now)?;
        self.out.push_back(Output::Flush { through });
        for cut in self.speech.cut() {
            self.conversation.cut(cut.line.id, &cut.heard);
        }
        Some(through)
    }

    fn spoken(&mut self, now: Instant, id: UtteranceId, progress: Progress) {
        match progress {
            Progress::Voiced { at } => {
                let line = self.speech.voiced(now, id);
                if line.is_some_and(|line| line.role == Role::Answer) {
                    self.answer.times.first_audio.get_or_insert(at);
                }
            }
            Progress::Started { at } => {
                let line = self.speech.started(now, id, at);
                if line.is_some_and(|line| line.role == Role::Answer) {
                    self.answer_started(at);
                }
            }
            Progress::Finished { .. } => self.finished(now, id),
            Progress::Failed => {
                let Some(line) = self.speech.ended(now, id) else { return };
                self.voice_failed(now, &line);
            }
        }
    }

    fn answer_started(&mut self, at: Instant) {
        self.answer.given = Given::Heard;
        if self.answer.times.first_packet.is_some() {
            return;
        }
        self.answer.times.first_packet = Some(at);
        self.note(Note::TurnTimed { turn: self.answer.turn, times: self.answer.times });
    }

    fn finished(&mut self, now: Instant, id: UtteranceId) {
        let line = match self.speech.ended(now, id) {
            Some(line) => line,
            // It ended while the order to drop it was under way.
            None => {
                let Some(line) = self.speech.was_whole(id) else { return };
                self.conversation.restore(id, &line.text);
                line
            }
        };
        self.question_heard(now, id);
        if line.role == Role::Answer {
            self.failures = 0;
            if self.ending == Ending::None && says_any(&line.text, &self.end_phrases) {
                self.ending = Ending::Soft(Over::AgentEnded);
            }
        }
        let (turn, since) = (line.turn, line.since(now));
        self.note(Note::AgentSaid { turn, since, text: line.text, interrupted: false });
    }

    /// The voice broke off: what was sent is all.
    fn voice_failed(&mut self, now: Instant, line: &Line) {
        let heard = line.heard_by(now).to_owned();
        self.conversation.cut(line.id, &heard);
        if !heard.is_empty() {
            let (turn, since) = (line.turn, line.since(now));
            self.note(Note::AgentSaid { turn, since, text: heard, interrupted: false });
        }
        self.count_voiceless(now, line);
    }

    /// Sees to it that the caller is not left in silence when a line could not be said.
    fn count_voiceless(&mut self, now: Instant, line: &Line) {
        match (line.role, line.stage) {
            (Role::Answer | Role::Filler | Role::Fixed, Stage::Audible(_)) => {}
            (Role::Answer | Role::Filler, Stage::Waiting | Stage::Held) => {
                if self.answer.given == Given::Worded {
                    self.answer.given = Given::Voiceless;
                }
            }
            (Role::Fixed, Stage::Waiting | Stage::Held) => {
                self.failures = self.failures.saturating_add(1);
                if self.ending == Ending::None && self.failures >= self.tries() {
                    let line = self.phrases.apology.clone();
                    self.conclude(now, Over::ProviderError, line);
                }
            }
        }
    }

    pub(super) fn tries(&self) -> u32 {
        self.assistant.fallback.tries.max(1)
    }

    fn stuck_at(&self) -> Option<Instant> {
        self.speech.stuck_at(self.assistant.fallback.give_up_after)
    }

    /// The voice gives no sign: whatever it was to say is dropped.
    fn voice_is_stuck(&mut self, now: Instant) {
        let Some(line) = self.speech.first().cloned() else { return };
        if let Some(thought) = self.answer.thought.take() {
            self.out.push_back(Output::Abandon(thought.id));
        }
        self.flush(now);
        self.count_voiceless(now, &line);
    }

    /// Settles what was heard of the speech that was flushed.
    pub(super) fn account(&mut self, now: Instant, sent: Sent<'_>) {
        let cuts = self.speech.settle(sent);
        if !cuts.is_empty() {
            self.out.push_back(Output::Cut(cuts.iter().map(Cut::portion).collect()));
        }
        for cut in cuts {
            self.conversation.cut(cut.line.id, &cut.heard);
            if !cut.heard.is_empty() {
                let (turn, since, text) = (cut.line.turn, cut.line.since(now), cut.heard);
                self.note(Note::AgentSaid { turn, since, text, interrupted: true });
            }
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        self.out.push_back(Output::Note(note));
    }
}

/// The keys of a telephone (RFC 4733 3.2).
const KEYS: &str = "0123456789*#ABCD";
/// More steps than any input needs.
const MAX_STEPS: usize = 64;
