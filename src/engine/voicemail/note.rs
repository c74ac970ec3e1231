//! The note beside a message: who left it, how it stands, and what is still to be done with it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::id::CallId;
use crate::call::event::Word;
use crate::engine::recorder::sidecar::SEALED;

/// The note of one message. Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its name: when it was left, and in which call.
    pub id: String,
    /// The voicemail.
    #[serde(rename = "box")]
    pub mailbox: String,
    /// The call.
    pub call: String,
    /// Who left it, as dialled. Personal data.
    pub from: String,
    /// The caller's display name. Personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tenant whose call it was; empty when it was nobody's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// When it was left, as in RFC 3339.
    pub at: String,
    /// The same.
    pub since_epoch: u64,
    /// The sound, beside this note.
    pub file: String,
    /// How it stands.
    pub state: State,
    /// How long it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Whether somebody has looked at it.
    pub read: bool,
    /// What was said. Personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// Whether it is to be written down.
    pub transcription: Job,
    /// Whether it is to be sent.
    pub mail: Job,
}

/// How a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The caller is still speaking, or the server was killed while it was.
    Open,
    /// All of it is there.
    Complete,
    /// The server was killed; what there was of it is there.
    Interrupted,
}

/// Something to be done with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Job {
    /// Nobody wants it.
    None,
    /// It is still to be done.
    Pending {
        /// How often it was tried.
        #[serde(default)]
        tries: u32,
        /// When it is tried again.
        #[serde(default)]
        next: u64,
    },
    /// It is done.
    Done,
    /// It is not tried any more.
    Failed {
        /// Why.
        why: String,
    },
}

impl Job {
    /// To be done, if somebody wants it.
    pub fn wanted(is_wanted: bool) -> Self {
        if is_wanted { Self::Pending { tries: 0, next: 0 } } else { Self::None }
    }

    /// Whether it is still to be done.
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Pending { .. })
    }

    /// When it is to be done, since the Unix epoch.
    pub fn due(&self) -> Option<Duration> {
        match self {
            Self::Pending { next, .. } => Some(Duration::from_secs(*next)),
            Self::None | Self::Done | Self::Failed { .. } => None,
        }
    }

    /// It did not work at `now`: it is tried again after the wait that `patience` gives for so many
    /// tries, or, when that gives none, no more.
    pub fn failed(
        &mut self,
        now: Duration,
        why: String,
        patience: impl FnOnce(u32) -> Option<Duration>,
    ) {
        let Self::Pending { tries, .. } = self else { return };
        *self = match patience(*tries + 1) {
            Some(wait) => Self::Pending { tries: *tries + 1, next: (now + wait).as_secs() },
            None => Self::Failed { why },
        };
    }
}

impl Note {
    /// The note of a message that begins, its sound sealed or not, with what is to be done.
    pub fn begin(call: CallId, word: Word, is_sealed: bool, jobs: (Job, Job)) -> Self {
        let since_epoch = word.at.as_secs();
        let at =
            i64::try_from(since_epoch).ok().and_then(|it| jiff::Timestamp::from_second(it).ok());
        let at = at.unwrap_or_default();
        let id = format!("{}-{call}", at.strftime("%Y%m%dT%H%M%SZ"));
        let (transcription, mail) = jobs;
        Self {
            file: format!("{id}.wav{}", if is_sealed { SEALED } else { "" }),
            id,
            mailbox: word.mailbox,
            call: call.to_string(),
            from: word.from,
            name: word.name,
            tenant: String::new(),
            at: at.to_string(),
            since_epoch,
            state: State::Open,
            duration_ms: None,
            read: false,
            transcript: None,
            transcription,
            mail,
        }
    }

    /// Its end; so long was recorded.
    pub fn end(&mut self, state: State, lasts: Duration) {
        self.state = state;
        self.duration_ms = u64::try_from(lasts.as_millis()).ok().filter(|lasts| *lasts > 0);
    }

    /// Whether its sound is sealed.
    pub fn is_sealed(&self) -> bool {
        self.file.ends_with(SEALED)
    }

    /// How long it is, as minutes and seconds.
    pub fn length(&self) -> String {
        let seconds = self.duration_ms.unwrap_or_default().div_ceil(1_000);
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }

    /// Who left it, for people.
    pub fn caller(&self) -> String {
        let number = if self.from.is_empty() { "unknown" } else { &self.from };
        match self.name.as_deref().filter(|name| !name.trim().is_empty()) {
            Some(name) => format!("{name} ({number})"),
            None => number.to_owned(),
        }
    }
}
