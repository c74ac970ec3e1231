//! The three times that every SIP timer is made of (RFC 3261 17.1.1.1, table 4).

use std::time::{Duration, Instant};

use crate::sip::flow::Transport;

/// T1, T2 and T4, and whether the timers that are zero on a stream are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// The estimated round trip; the first retransmission comes after it.
    pub t1: Duration,
    /// The longest pause between retransmissions of non-INVITE requests and INVITE answers.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
    /// Whether nothing is lost on the way: then nothing is repeated, and no repetition awaited.
    pub is_reliable: bool,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            is_reliable: false,
        }
    }
}

impl Timers {
    /// T1 with a T2 and T4 in the proportions of RFC 3261: 8 and 10 times as long.
    pub fn with_t1(t1: Duration) -> Self {
        let (t2, t4) = (t1.saturating_mul(8), t1.saturating_mul(10));
        Self { t1, t2, t4, ..Self::default() }
    }

    /// The timers of a transaction that is carried that way.
    #[must_use]
    pub fn over(self, transport: Transport) -> Self {
        Self { is_reliable: transport.is_reliable(), ..self }
    }

    /// When timers A, E and G fire first; on a stream never, since patience ends before.
    pub fn first_resend(&self, now: Instant) -> Instant {
        now + if self.is_reliable { self.patience() } else { self.t1 }
    }

    /// Timers I and K: how long the last repetition may be on its way.
    pub fn stray(&self) -> Duration {
        if self.is_reliable { Duration::ZERO } else { self.t4 }
    }

    /// Timer J: how long a request may be repeated.
    pub fn request_echo(&self) -> Duration {
        if self.is_reliable { Duration::ZERO } else { self.patience() }
    }

    /// 64·T1: timers B, F, H, J, L and M, and the patience for an ACK.
    pub fn patience(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer D: how long an INVITE's refusal may be repeated, at least 32 s for datagrams.
    pub fn refusal_echo(&self) -> Duration {
        if self.is_reliable {
            return Duration::ZERO;
        }
        self.patience().max(Duration::from_secs(32))
    }

    /// The pause after `pause`: doubled, up to T2.
    pub fn doubled(&self, pause: Duration) -> Duration {
        pause.saturating_mul(2).min(self.t2)
    }
}

/// What a transaction wants when one of its timers fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Its last message goes out once more.
    Resend,
    /// The peer never answered: the transaction is over, and its user must know.
    TimedOut,
    /// It has absorbed what it was kept for: the transaction is over.
    Over,
}
