//! The vocabulary of the agent room: what a session is told and what it asks for.
//!
//! A `Session` is one agent at work in one conversation. It is fed facts with the time and gives
//! back orders to those who hear, think and speak, and notes for the record.

use std::time::{Duration, Instant};

use crate::agent::conversation::Request;
use crate::agent::judgement::{Judged, Judgement};
use crate::agent::tool::{ToolCall, ToolResult};
pub use crate::base::id::{PauseId, ThoughtId, TurnId, UtteranceId};
use crate::base::language::Language;
use crate::base::price::Amount;

/// What a session is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Sound flows both ways: greet.
    Began,
    /// The caller began to speak.
    SpeechStarted,
    /// The caller's voice fell off just now: what was said may be all.
    SpeechFaded,
    /// It is back after that, before it was taken for an end.
    SpeechReturned,
    /// The caller stopped.
    SpeechEnded {
        /// When the last voiced sample arrived.
        last_voiced: Instant,
    },
    /// The transcriber heard words. A final text covers everything since the caller's turn began.
    Transcript {
        /// The pause that a final text answers; partial texts carry the last pause asked for.
        pause: PauseId,
        /// What was heard.
        transcript: Transcript,
    },
    /// The turn model judged a pause.
    Judged(Judgement),
    /// The caller pressed a key.
    Digit(char),
    /// The caller wrote something: it counts as said.
    Wrote(String),
    /// The model moved.
    Thought {
        /// Which thought; stale ones are ignored.
        thought: ThoughtId,
        /// How.
        delta: Delta,
    },
    /// Speech moved.
    Spoken {
        /// Which utterance.
        utterance: UtteranceId,
        /// How.
        progress: Progress,
    },
    /// A flush took effect: how much of each utterance was heard. Those not named that were still
    /// waiting were not heard at all.
    Flushed {
        /// Utterance, how much of it was sent, and how long it is if its audio was complete.
        heard: Vec<(UtteranceId, Duration, Option<Duration>)>,
    },
    /// A tool that the session ordered has run.
    ToolDone(ToolResult),
    /// The caller holds the call: nobody hears, and nobody speaks.
    Held,
    /// The caller is back.
    Resumed,
    /// Whoever runs the house has a line said, whoever has the floor; and then the session ends, or
    /// goes on.
    Say {
        /// The words.
        text: String,
        /// Whether it ends when they were heard.
        ends: bool,
    },
    /// Whoever runs the house has the caller sent somewhere by this call of a tool, which the session
    /// runs as one of its own.
    SendAway(ToolCall),
    /// Somebody else comes in the place of the caller: what was being said to that one is cut.
    Replaced,
    /// The session should say its goodbye and end (drain, limits from outside).
    WindUp,
    /// The line is gone. What was being said is cut; `Flushed` tells how much of it was heard.
    HungUp,
}

/// What a transcriber heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Transcript {
    /// It may change.
    Partial {
        /// The words so far.
        text: String,
    },
    /// It will not change. Empty when nothing was understood.
    Final {
        /// The words.
        text: String,
        /// How sure, 0.0 to 1.0, if the transcriber says.
        confidence: Option<f32>,
        /// Whether the words are a whole phrase of the grammar: the turn sounds complete.
        complete: bool,
    },
    /// The words, of a transcriber that judges by itself whether the turn is over. It says so
    /// unasked, too, and as often as it changes its mind.
    Judged {
        /// The words so far.
        text: String,
        /// Whether the turn is over.
        verdict: Verdict,
    },
    /// It could not say, nor could anybody else. The turn goes on with what there is.
    Failed,
}

/// Whether a transcriber thinks that the caller's turn is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Open,
    /// It may be over: a model may think about it, unheard.
    Likely,
    /// It is over.
    Over,
}

/// What a model gives, piece by piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// Words to be spoken.
    Text(String),
    /// The words so far are a clause: whoever speaks them has got that far.
    Clause,
    /// A tool call, whole.
    Tool(ToolCall),
    /// What the answer took, as whoever gives it says: at its end, and told to no agent.
    Used(Vec<Amount>),
    /// The answer is complete.
    Done,
    /// It broke off, and somebody else can go on after the last whole clause.
    BrokeOff,
    /// There will be no (further) answer.
    Failed,
    /// Nor will there be one to any other turn: nobody who could answer will mend by himself.
    Down,
}

/// How an utterance moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The voice gave its first samples.
    Voiced {
        /// When.
        at: Instant,
    },
    /// Its first packet was sent.
    Started {
        /// When.
        at: Instant,
    },
    /// Its last packet was sent: it was heard whole.
    Finished {
        /// When.
        at: Instant,
    },
    /// The voice failed; whatever was sent is all.
    Failed,
}

/// What is to be spoken: a clause or a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    /// Its identity; utterances are heard in this order.
    pub id: UtteranceId,
    /// The words, as the record keeps them.
    pub text: String,
    /// The words, as a voice reads them: numbers and short forms are written out.
    pub spoken: String,
    /// Whether it may be synthesised but must not be heard until `Output::Release`.
    pub held: bool,
    /// The thought whose words they are; `None` of a line of the session's own.
    pub thought: Option<ThoughtId>,
}

/// How much was heard of an utterance that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// Which one.
    pub utterance: UtteranceId,
    /// The thought whose words it was.
    pub thought: Option<ThoughtId>,
    /// How much of its sound was sent.
    pub heard: Duration,
    /// The words that were probably heard.
    pub words: String,
}

/// What a session asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Transcriber: the caller's turn began; keep what was heard from a little before now.
    Listen,
    /// Transcriber: the caller paused; give a final text for everything since `Listen`.
    Finalize(PauseId),
    /// Turn model: does the turn sound complete at this pause? `Input::Judged` answers.
    Judge(PauseId),
    /// Transcriber: drop what was heard; the turn was taken or came to nothing.
    Forget,
    /// Model: think.
    Think {
        /// Which thought.
        thought: ThoughtId,
        /// What about.
        request: Request,
    },
    /// Model: stop; nobody wants it any more.
    Abandon(ThoughtId),
    /// Voice: speak, after what is already queued.
    Speak(Utterance),
    /// Voice: held utterances up to this one may be heard.
    Release {
        /// The last one.
        through: UtteranceId,
    },
    /// Voice: hold the queue at the next frame.
    Pause,
    /// Voice: go on quietly from the next frame on.
    Duck,
    /// Voice: go on, and as loud as before.
    Resume,
    /// Voice: drop everything up to this utterance. Answered by `Input::Flushed` if any of it
    /// may have been heard.
    Flush {
        /// The last one.
        through: UtteranceId,
    },
    /// Model: so much was heard of what it was about to say. For those who say it themselves.
    Cut(Vec<Portion>),
    /// Transcriber and voice: go on in this language, in which the caller speaks.
    Speaks(Language),
    /// Run a tool; answered by `Input::ToolDone` unless it ends the conversation.
    Run(ToolCall),
    /// Something for the record.
    Note(Note),
    /// The conversation is over and everything was heard.
    Over(Over),
}

/// Why a session ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The agent called `end_call`.
    AgentEnded,
    /// Nobody said anything for too long.
    SilenceTimeout,
    /// The longest call was reached.
    MaxDuration,
    /// Providers failed too often.
    ProviderError,
    /// `WindUp` was ordered.
    WoundUp,
}

/// What a session notes for the record: facts in the past tense.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// The caller's turn was taken. Told again with the same turn when a late text corrects it.
    CallerSaid {
        /// Which turn.
        turn: TurnId,
        /// When the caller began to speak or pressed the first key.
        since: Instant,
        /// The words; empty when only keys were pressed or nothing was understood.
        text: String,
        /// The keys.
        keys: String,
    },
    /// The agent's words of one utterance, as far as they were heard.
    AgentSaid {
        /// The turn that they answer; the turn 0 is the greeting.
        turn: TurnId,
        /// When the first of them was sent.
        since: Instant,
        /// The words that were heard.
        text: String,
        /// Whether the caller interrupted them.
        interrupted: bool,
    },
    /// A tool was called.
    ToolCalled(ToolCall),
    /// What came of it is known.
    ToolDone {
        /// The identity of the call.
        id: String,
        /// Whether it failed, or was not done at all.
        failed: bool,
    },
    /// A pause of the agent turned out to be for nothing.
    FalseInterruption,
    /// The caller interrupted the agent.
    Interrupted,
    /// What came of the questions to the turn model in a turn that was taken.
    TurnJudged {
        /// Which turn.
        turn: TurnId,
        /// What it said.
        judged: Judged,
    },
    /// The latency of a turn's answer, when its first packet was sent.
    TurnTimed {
        /// Which turn.
        turn: TurnId,
        /// When each stage was reached.
        times: TurnTimes,
    },
}

/// When each stage of a turn was reached. `None`: it never was, or has no meaning for the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TurnTimes {
    /// The caller began to speak or pressed the first key.
    pub began: Option<Instant>,
    /// The caller's last voiced sample arrived.
    pub last_voiced: Option<Instant>,
    /// The speech gate said that speech had ended.
    pub speech_ended: Option<Instant>,
    /// The final text was there.
    pub transcript: Option<Instant>,
    /// The turn was taken: endpointing was sure.
    pub committed: Option<Instant>,
    /// The model's first words were there.
    pub first_delta: Option<Instant>,
    /// The first clause was complete.
    pub first_clause: Option<Instant>,
    /// The voice gave its first samples.
    pub first_audio: Option<Instant>,
    /// The first packet of the answer was sent.
    pub first_packet: Option<Instant>,
}
