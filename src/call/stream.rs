//! Streams: somebody behind a WebSocket hears the caller and speaks with it. The words by which a
//! call and whoever holds such a line understand each other.

use std::collections::BTreeMap;

use crate::base::destination::Destination;
use crate::base::id::{PortId, UtteranceId};
use crate::base::template::Variables;
use crate::media::event::Digit;

/// What the dialplan says of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// What it is told of the call when it begins, by name: templates.
    pub parameters: BTreeMap<String, String>,
    /// Where the call goes when the stream fails and its route does not say.
    pub otherwise: Option<Destination>,
}

/// Which stream of a call it is: what one says that is over counts no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct StreamId(pub u32);

impl StreamId {
    /// The next stream of the call.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// What a call orders of the one who holds its line to a stream.
#[derive(Debug)]
pub enum Order {
    /// Open it; answered by `News::Open`, or by its end.
    Open(Box<Opening>),
    /// Let it listen to the call, which goes on without it; answered by its end.
    Listen(Box<Opening>),
    /// The caller is there: it hears and is heard from now on.
    Begin,
    /// The caller pressed a key.
    Digit(Digit),
    /// What was said up to the end of this utterance was sent to the caller.
    Heard(UtteranceId),
    /// The call has no more to do with it.
    End,
}

/// A stream that is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Its name in the configuration.
    pub stream: String,
    /// The port at which the caller is heard.
    pub port: PortId,
    /// The last utterance that was said there before.
    pub after: UtteranceId,
    /// Who calls, as dialled. Personal data.
    pub from: String,
    /// Whom, as dialled.
    pub to: String,
    /// What it is told, by name.
    pub parameters: Variables,
}

/// What happens on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Somebody is there.
    Open,
    /// These keys are to be sent to the caller.
    Dial(Vec<Digit>),
    /// It is over.
    Ended {
        /// Why.
        end: End,
        /// The last utterance that was given to the port.
        last: UtteranceId,
    },
}

/// Why a stream is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Whoever was there is done.
    Done,
    /// It lasted as long as it may.
    MaxDuration,
    /// The call has no more to do with it.
    Left,
    /// It did not work; in words that say what to do. Never a caller's words.
    Failed(String),
}

impl End {
    /// As records and events have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::MaxDuration => "max_duration",
            Self::Left => "left",
            Self::Failed(_) => "failed",
        }
    }

    /// What went wrong, if something did.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed(reason) => Some(reason),
            Self::Done | Self::MaxDuration | Self::Left => None,
        }
    }
}
