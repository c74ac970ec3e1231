//! What is written down of a campaign, line by line, and what came of a call.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::number::Number;
use crate::call::amd::Verdict;
use crate::call::cause::Cause;
use crate::call::record::Record;

/// One line. Times are since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// It calls from now on.
    Started {
        /// When.
        #[serde(with = "millis")]
        at: Duration,
    },
    /// It calls nobody for now.
    Paused {
        /// When.
        #[serde(with = "millis")]
        at: Duration,
    },
    /// It goes on.
    Resumed {
        /// When.
        #[serde(with = "millis")]
        at: Duration,
    },
    /// It calls nobody any more.
    Stopped {
        /// When.
        #[serde(with = "millis")]
        at: Duration,
    },
    /// It is over.
    Finished {
        /// When.
        #[serde(with = "millis")]
        at: Duration,
        /// Why.
        why: Why,
    },
    /// Somebody is about to be called.
    Dialled {
        /// When.
        #[serde(with = "millis")]
        at: Duration,
        /// Who. Personal data.
        #[serde(with = "e164")]
        number: Number,
    },
    /// Something came of it, or nobody was called.
    Came {
        /// When.
        #[serde(with = "millis")]
        at: Duration,
        /// Who. Personal data.
        #[serde(with = "e164")]
        number: Number,
        /// What.
        #[serde(flatten)]
        outcome: Outcome,
    },
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// In a word.
    pub fate: Fate,
    /// Why the call ended, as its record has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The status by which it was refused, if that says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip_status: Option<u16>,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Who answered, if that was to be found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amd: Option<String>,
    /// How long it lasted after the answer.
    #[serde(default)]
    pub lasted_ms: u64,
}

/// Why a campaign is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Everybody was called.
    Done,
    /// So many calls as may be.
    MaxCalls,
    /// So much time as may be.
    MaxTime,
    /// Its time is over.
    Stop,
}

/// What came of a call, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Somebody answered: a person, or who knows.
    Answered,
    /// A machine answered, and no message was left.
    Machine,
    /// A machine answered, and a message was left.
    MessageLeft,
    /// Somebody or something asked who calls.
    Screening,
    /// It was busy.
    Busy,
    /// Nobody answered in time.
    NoAnswer,
    /// The call was refused, or did not get there.
    Failed,
    /// No rule allows the number.
    Blocked,
    /// The number is on a do-not-call list.
    DoNotCall,
    /// The server was stopped in the middle.
    Interrupted,
}

impl Fate {
    /// As results and events have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Machine => "machine",
            Self::MessageLeft => "message_left",
            Self::Screening => "screening",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::DoNotCall => "do_not_call",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Why {
    /// As events have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::MaxCalls => "max_calls",
            Self::MaxTime => "max_time",
            Self::Stop => "stop",
        }
    }
}

impl Outcome {
    /// One of which nothing else is known.
    pub fn of(fate: Fate) -> Self {
        let reason = String::new();
        Self { fate, reason, sip_status: None, call: None, amd: None, lasted_ms: 0 }
    }

    /// A call that did not begin.
    pub fn unbegun(why: String) -> Self {
        Self { reason: why, ..Self::of(Fate::Failed) }
    }

    /// What the record of a call says.
    pub fn of_record(record: &Record) -> Self {
        let answerer = record.answerer;
        let fate = match (record.answered, answerer.map(|it| (it.verdict, it.message))) {
            (Some(_), Some((Verdict::Machine, true))) => Fate::MessageLeft,
            (Some(_), Some((Verdict::Machine, false))) => Fate::Machine,
            (Some(_), Some((Verdict::Screening, _))) => Fate::Screening,
            (Some(_), _) => Fate::Answered,
            (None, _) => match record.cause {
                Cause::Busy => Fate::Busy,
                Cause::NoAnswer => Fate::NoAnswer,
                Cause::Blocked | Cause::NoRoute => Fate::Blocked,
                Cause::ServerShutdown | Cause::ServerCrash => Fate::Interrupted,
                _ => Fate::Failed,
            },
        };
        let sip_status = match record.cause {
            Cause::Rejected(status) if record.answered.is_none() => Some(status),
            _ => None,
        };
        let lasted = record.answered.map(|answered| record.lasted.saturating_sub(answered));
        Self {
            fate,
            reason: record.cause.end_reason().to_owned(),
            sip_status,
            call: Some(record.call.to_string()),
            amd: answerer.map(|it| it.verdict.name().to_owned()),
            lasted_ms: lasted.unwrap_or_default().as_millis() as u64,
        }
    }
}

/// What was written down; a last line that was cut off in the middle is none, and what is no line of
/// ours is named.
pub fn read(text: &str) -> (Vec<Entry>, Vec<usize>) {
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    for (at, line) in text.split_inclusive('\n').enumerate() {
        match serde_json::from_str(line) {
            Ok(entry) if line.ends_with('\n') => entries.push(entry),
            Err(_) if line.ends_with('\n') => wrong.push(at + 1),
            Ok(_) | Err(_) => {}
        }
    }
    (entries, wrong)
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(at.as_millis() as u64)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

mod e164 {
    use serde::{Deserializer, Serializer};

    use crate::base::number::Number;
    use crate::base::units;

    pub(super) fn serialize<S: Serializer>(number: &Number, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(number.to_e164())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Number, D::Error> {
        units::parsed(from)
    }
}
