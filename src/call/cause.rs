//! Why a call ended: one word from which the SIP status, the Q.850 cause, the state of the call
//! and the end reason of the record follow.

use crate::sip::event::{Ending, Party, Refusal};

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The caller hung up.
    CallerHangup,
    /// Whom the caller was connected with hung up.
    CalleeHangup,
    /// The caller gave up before the answer.
    Canceled,
    /// The agent said goodbye.
    AgentEnded,
    /// The caller was sent elsewhere.
    Transferred,
    /// The caller was at a voicemail, and that is over.
    Voicemail,
    /// Nobody said anything for too long.
    SilenceTimeout,
    /// The longest call was reached.
    MaxDuration,
    /// No packet arrived for too long.
    MediaTimeout,
    /// A browser did not prove to be the one that its session description names.
    MediaUnproven,
    /// The caller's side stopped answering our signalling.
    SignallingTimeout,
    /// Providers failed too often.
    ProviderError,
    /// No route takes the call.
    NoRoute,
    /// A route refuses the call with this status.
    Rejected(u16),
    /// A route says busy, or whom we called is.
    Busy,
    /// Whom we called did not answer in time.
    NoAnswer,
    /// Whom we called cannot be reached.
    Unreachable,
    /// The media that the caller offers cannot be used; the Warning code says why
    /// (RFC 3261 20.43).
    IncompatibleMedia,
    /// The number may not be called (T1).
    Blocked,
    /// As many calls as may be are up.
    Full,
    /// The operator hung up.
    AdminEnded {
        /// The cause of Q.850 that the operator chose.
        q850: u8,
    },
    /// The server is shutting down.
    ServerShutdown,
    /// The server was killed; found out when it started again.
    ServerCrash,
    /// A fault of our own; it is a bug.
    InternalError,
}

impl Cause {
    /// The end reason in records and events: a closed list.
    pub fn end_reason(self) -> &'static str {
        match self {
            Self::CallerHangup => "caller_hangup",
            Self::CalleeHangup => "callee_hangup",
            Self::Canceled => "canceled",
            Self::AgentEnded => "agent_ended",
            Self::Transferred => "transferred",
            Self::Voicemail => "voicemail",
            Self::SilenceTimeout => "silence_timeout",
            Self::MaxDuration => "max_duration",
            Self::MediaTimeout => "media_timeout",
            Self::MediaUnproven => "media_unproven",
            Self::SignallingTimeout => "signalling_timeout",
            Self::ProviderError => "provider_error",
            Self::NoRoute => "no_route",
            Self::Rejected(_) => "rejected",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Unreachable => "unreachable",
            Self::IncompatibleMedia => "incompatible_media",
            Self::Blocked => "blocked",
            Self::Full => "full",
            Self::AdminEnded { .. } => "admin_ended",
            Self::ServerShutdown => "server_shutdown",
            Self::ServerCrash => "server_crash",
            Self::InternalError => "internal_error",
        }
    }

    /// The SIP status that refuses an unanswered call for this cause.
    pub fn refusal(self) -> Refusal {
        let status = match self {
            Self::CallerHangup | Self::Canceled => 487,
            Self::NoRoute => 404,
            Self::Rejected(status) => status,
            Self::Busy => 486,
            Self::Blocked => 403,
            Self::IncompatibleMedia => 488,
            Self::Full | Self::ServerShutdown => 503,
            Self::InternalError | Self::ServerCrash | Self::ProviderError => 500,
            Self::AdminEnded { q850 } => refusal_for(q850),
            Self::CalleeHangup
            | Self::AgentEnded
            | Self::Transferred
            | Self::Voicemail
            | Self::SilenceTimeout
            | Self::MaxDuration
            | Self::MediaTimeout
            | Self::MediaUnproven
            | Self::SignallingTimeout
            | Self::NoAnswer
            | Self::Unreachable => 480,
        };
        let retry_after = matches!(self, Self::Full | Self::ServerShutdown).then_some(10);
        Refusal { retry_after, ..Refusal::status(status) }
    }

    /// The Q.850 cause value (ITU-T Q.850 table 1).
    pub fn q850(self) -> u8 {
        match self {
            Self::CallerHangup
            | Self::CalleeHangup
            | Self::Canceled
            | Self::AgentEnded
            | Self::Transferred
            | Self::Voicemail
            | Self::SilenceTimeout
            | Self::MaxDuration => 16,
            Self::NoRoute => 1,
            Self::Busy => 17,
            Self::NoAnswer => 19,
            Self::Unreachable => 20,
            Self::Blocked => 21,
            Self::Rejected(status) => of_status(status),
            Self::AdminEnded { q850 } => q850,
            Self::SignallingTimeout | Self::MediaTimeout => 102,
            Self::IncompatibleMedia | Self::MediaUnproven => 65,
            Self::Full => 42,
            Self::ServerShutdown
            | Self::ServerCrash
            | Self::ProviderError
            | Self::InternalError => 41,
        }
    }

    /// What it means for the call that a leg which we placed ended before it was answered.
    pub fn of_ending(ending: &Ending) -> Self {
        match ending {
            // Our own rules forbid the number.
            Ending::Refused { by: Party::Us, status: 403, .. } => Self::Blocked,
            Ending::Refused { status, .. } => Self::of_refusal(*status),
            Ending::Cancelled { .. } => Self::NoAnswer,
            Ending::Lost => Self::Unreachable,
            Ending::Bye { .. } => Self::CalleeHangup,
        }
    }

    /// What it means that somebody was called and refused with this status.
    pub fn of_refusal(status: u16) -> Self {
        match status {
            486 | 600 => Self::Busy,
            480 => Self::NoAnswer,
            // Neither a challenge nor a redirection is for the caller.
            401 | 407 | 300..=399 | 408 | 500..=599 => Self::Unreachable,
            404 | 604 => Self::Rejected(404),
            status => Self::Rejected(status),
        }
    }

    /// Of several that did not answer, the cause that tells the caller most comes last.
    pub fn rank(self) -> u8 {
        match self {
            Self::Busy => 4,
            Self::Rejected(600..) => 3,
            Self::Rejected(_) | Self::Blocked => 2,
            Self::NoAnswer => 1,
            _ => 0,
        }
    }

    /// What a model or a log is told, in words.
    pub fn in_words(self) -> String {
        match self {
            Self::Busy => "it is busy there".to_owned(),
            Self::NoAnswer => "nobody answered there".to_owned(),
            Self::Unreachable | Self::NoRoute => "nobody can be reached there".to_owned(),
            Self::Rejected(status) => format!("the call was refused there (SIP {status})"),
            Self::Blocked => "calls to that number are not allowed here".to_owned(),
            other => format!("it did not work ({})", other.end_reason()),
        }
    }

    /// The value of a Reason header for a BYE (RFC 3326).
    pub fn reason_header(self) -> String {
        format!("Q.850;cause={};text=\"{}\"", self.q850(), self.end_reason())
    }

    /// The state that a call ends in: `completed` when it was answered, else what it came to.
    pub fn final_state(self, answered: bool) -> &'static str {
        match self {
            Self::ServerCrash => "failed",
            _ if answered => "completed",
            Self::Canceled | Self::CallerHangup => "canceled",
            Self::Busy => "busy",
            // The caller was told where to call instead.
            Self::Transferred => "completed",
            Self::NoAnswer => "no_answer",
            _ => "failed",
        }
    }
}

/// The Q.850 cause for the status of a refusal (RFC 3398 8.2.6.1).
fn of_status(status: u16) -> u8 {
    match status {
        404 | 485 | 604 => 1,
        408 => 102,
        410 => 22,
        480 => 18,
        484 => 28,
        486 | 600 => 17,
        488 | 606 => 65,
        502 => 38,
        400 | 481 | 500 | 503 => 41,
        402 | 403 | 603 => 21,
        501 => 79,
        504 => 102,
        _ => 127,
    }
}

/// The status that refuses a call for a cause of Q.850 (RFC 3398 7.2.4.1).
fn refusal_for(q850: u8) -> u16 {
    match q850 {
        1..=3 => 404,
        17 => 486,
        21 => 403,
        22 => 410,
        26 => 404,
        27 => 502,
        28 => 484,
        29 => 501,
        34 | 38 | 41 | 42 | 47 => 503,
        55 | 57 => 403,
        58 => 503,
        65 | 70 => 488,
        87 => 403,
        88 => 503,
        102 => 504,
        _ => 480,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::event::Party;

    #[test]
    fn a_full_server_says_when_to_come_back() {
        let refusal = Cause::Full.refusal();
        assert_eq!((refusal.status, refusal.retry_after), (503, Some(10)));
        assert_eq!(Cause::Full.final_state(false), "failed");
        assert_eq!(Cause::CallerHangup.final_state(true), "completed");
    }

    #[test]
    fn an_operator_chooses_the_cause_and_the_caller_hears_what_it_means() {
        let cause = Cause::AdminEnded { q850: 17 };
        assert_eq!((cause.refusal().status, cause.q850()), (486, 17));
        assert_eq!(cause.reason_header(), "Q.850;cause=17;text=\"admin_ended\"");
        assert_eq!(Cause::AdminEnded { q850: 16 }.refusal().status, 480);
    }

    #[test]
    fn an_end_before_the_answer_is_told_as_the_caller_should_hear_it() {
        let refused = |status| Ending::Refused { by: Party::Peer, status, reason: None };
        for (ending, status, q850) in [
            (refused(486), 486, 17),
            (refused(603), 603, 21),
            (refused(404), 404, 1),
            (refused(407), 480, 20),
            (refused(503), 480, 20),
            (refused(302), 480, 20),
            (Ending::Cancelled { by: Party::Us, reason: None }, 480, 19),
            (Ending::Lost, 480, 20),
        ] {
            let cause = Cause::of_ending(&ending);
            assert_eq!((cause.refusal().status, cause.q850()), (status, q850), "{ending:?}");
        }
        assert!(Cause::Busy.rank() > Cause::NoAnswer.rank());
    }
}
