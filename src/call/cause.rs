//! Why a call ended: one word from which the SIP status, the Q.850 cause, the state of the call
//! and the end reason of the record follow.

use crate::sip::event::Refusal;

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The caller hung up.
    CallerHangup,
    /// The caller gave up before the answer.
    Canceled,
    /// The agent said goodbye.
    AgentEnded,
    /// The caller was sent elsewhere.
    Transferred,
    /// Nobody said anything for too long.
    SilenceTimeout,
    /// The longest call was reached.
    MaxDuration,
    /// No packet arrived for too long.
    MediaTimeout,
    /// The caller's side stopped answering our signalling.
    SignallingTimeout,
    /// Providers failed too often.
    ProviderError,
    /// No route takes the call.
    NoRoute,
    /// A route refuses the call with this status.
    Rejected(u16),
    /// A route says busy, or the caller's side did.
    Busy,
    /// The media that the caller offers cannot be used; the Warning code says why
    /// (RFC 3261 20.43).
    IncompatibleMedia,
    /// Whoever is called is not there: a phone that is not registered.
    Unavailable,
    /// The number may not be called (T1).
    Blocked,
    /// As many calls as may be are up.
    Full,
    /// The server is shutting down.
    ServerShutdown,
    /// A fault of our own; it is a bug.
    InternalError,
}

impl Cause {
    /// The end reason in records and events: a closed list.
    pub fn end_reason(self) -> &'static str {
        match self {
            Self::CallerHangup => "caller_hangup",
            Self::Canceled => "canceled",
            Self::AgentEnded => "agent_ended",
            Self::Transferred => "transferred",
            Self::SilenceTimeout => "silence_timeout",
            Self::MaxDuration => "max_duration",
            Self::MediaTimeout => "media_timeout",
            Self::SignallingTimeout => "signalling_timeout",
            Self::ProviderError => "provider_error",
            Self::NoRoute => "no_route",
            Self::Rejected(_) => "rejected",
            Self::Busy => "busy",
            Self::IncompatibleMedia => "incompatible_media",
            Self::Unavailable => "unavailable",
            Self::Blocked => "blocked",
            Self::Full => "full",
            Self::ServerShutdown => "server_shutdown",
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
            Self::InternalError | Self::ProviderError => 500,
            Self::AgentEnded
            | Self::Transferred
            | Self::SilenceTimeout
            | Self::MaxDuration
            | Self::MediaTimeout
            | Self::SignallingTimeout
            | Self::Unavailable => 480,
        };
        let retry_after = matches!(self, Self::Full | Self::ServerShutdown).then_some(10);
        Refusal { status, warning: None, retry_after }
    }

    /// The Q.850 cause value (ITU-T Q.850 table 1).
    pub fn q850(self) -> u8 {
        match self {
            Self::CallerHangup
            | Self::Canceled
            | Self::AgentEnded
            | Self::Transferred
            | Self::SilenceTimeout
            | Self::MaxDuration => 16,
            Self::NoRoute => 1,
            Self::Busy => 17,
            Self::Unavailable => 20,
            Self::Rejected(_) | Self::Blocked => 21,
            Self::SignallingTimeout | Self::MediaTimeout => 102,
            Self::IncompatibleMedia => 65,
            Self::Full => 42,
            Self::ServerShutdown | Self::ProviderError | Self::InternalError => 41,
        }
    }

    /// The value of a Reason header for a BYE (RFC 3326).
    pub fn reason_header(self) -> String {
        format!("Q.850;cause={};text=\"{}\"", self.q850(), self.end_reason())
    }

    /// The state that a call ends in: `completed` when it was answered, else what it came to.
    pub fn final_state(self, answered: bool) -> &'static str {
        match self {
            _ if answered => "completed",
            Self::Canceled | Self::CallerHangup => "canceled",
            Self::Busy => "busy",
            _ => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_server_says_when_to_come_back() {
        let refusal = Cause::Full.refusal();
        assert_eq!((refusal.status, refusal.retry_after), (503, Some(10)));
        assert_eq!(Cause::Full.final_state(false), "failed");
        assert_eq!(Cause::CallerHangup.final_state(true), "completed");
    }
}
