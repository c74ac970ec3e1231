//! The words of turn-taking: who has the floor, what happens to it, and what follows.

use std::time::{Duration, Instant};

use crate::agent::caller::Words;
use crate::agent::event::{PauseId, TurnTimes};
use crate::agent::judgement::{Judged, Judgement};

/// Whether the caller is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is.
    Here,
    /// It holds the call: time stands still for turns and silences.
    Held,
}

/// The six states, each with its data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Nobody speaks.
    #[default]
    Listening,
    /// The caller speaks.
    Hearing(Hearing),
    /// The caller paused: is it the end?
    Deciding(Deciding),
    /// The caller is owed an answer.
    Thinking(Thinking),
    /// The agent speaks.
    Speaking(Speaking),
    /// The agent holds its speech because the caller makes a sound.
    Yielding(Yielding),
}

/// The caller speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hearing {
    /// The limit of the turn.
    pub(super) until: Instant,
    pub(super) voice: Voice,
}

impl Hearing {
    /// When something is due.
    pub(super) fn deadline(&self) -> Instant {
        match self.voice {
            Voice::Fades { ask: Some(at) } => at.min(self.until),
            Voice::Fades { ask: None } | Voice::Sounds | Voice::Asked => self.until,
        }
    }

    /// Whether the transcriber is to be asked now, and the turn goes on.
    pub(super) fn is_to_ask(&self, now: Instant) -> bool {
        matches!(self.voice, Voice::Fades { ask: Some(_) }) && now < self.until
    }
}

/// The voice of a caller who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// It sounds.
    Sounds,
    /// It fell off just now; if it does not come back, the transcriber is asked at that time.
    Fades { ask: Option<Instant> },
    /// It fell off, and the transcriber was asked.
    Asked,
}

/// The caller paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deciding {
    pub(super) text: Text,
    pub(super) ended: Ended,
    pub(super) due: Instant,
}

/// Where the text of a pause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Asked,
    Here,
}

/// How what was said ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
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
    /// When the caller is asked for patience.
    pub(super) hold: Instant,
    pub(super) work: Work,
    pub(super) aside: Aside,
}

/// What the caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A model or a tool works.
    Answer,
    /// The caller is being connected, at most until then.
    Transfer(Instant),
}

/// The agent speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaking {
    pub(super) manner: Manner,
    pub(super) aside: Aside,
}

/// What the caller says while it is not the caller's turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Aside {
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
    pub(super) manner: Manner,
    pub(super) sound: Sound,
}

/// The sound that the caller makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
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
    /// The voice of the caller, who speaks, fell off just now: it may be the end.
    Faded,
    /// It is back.
    Returned,
    /// The caller stopped.
    SpeechEnded {
        /// When the last voiced sample arrived.
        last_voiced: Instant,
    },
    /// Words that may change.
    Partial(String),
    /// The text of a pause.
    Words(Words),
    /// The turn model judged a pause.
    Judged(Judgement),
    /// A key was pressed.
    Key(char),
    /// The caller wrote something.
    Wrote(String),
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
    /// The turn model is to judge the pause.
    Judge(PauseId),
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

/// Keys that the caller was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keypad {
    /// How many there are at most.
    pub(super) most: usize,
    /// Whether fewer are none.
    pub(super) exactly: bool,
    /// The key that ends them.
    pub(super) terminator: Option<char>,
    /// How long after a key the next one may come.
    pub(super) timeout: Duration,
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
    /// What the turn model said.
    pub judged: Judged,
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

/// What a caller said last, before it is known or after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Last {
    /// A turn of its own.
    Turn,
    /// Words over those of the agent: a turn only if they say something.
    Aside,
    /// The text of the turn that was taken last, with these words.
    Late(String),
}

impl Manner {
    /// Speech of this manner with more of `other`: as long as one part is protected, all is.
    pub(super) fn with(self, other: Self) -> Self {
        if other == Self::Protected { other } else { self }
    }
}

/// The agent speaks.
pub(super) fn speaking(manner: Manner, aside: Aside) -> State {
    State::Speaking(Speaking { manner, aside })
}

/// The agent owes an answer, and asks for patience at `hold`.
pub(super) fn thinking(hold: Instant, aside: Aside) -> State {
    State::Thinking(Thinking { hold, work: Work::Answer, aside })
}
