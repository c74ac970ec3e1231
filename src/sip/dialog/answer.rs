//! A 2xx to an INVITE that waits for its ACK: the dialog repeats it (RFC 3261 13.3.1.4).

use std::time::{Duration, Instant};

use crate::sip::transaction::layer::Datagram;
use crate::sip::transaction::timers::Timers;

/// The machine: from the 200 sent to its ACK, or to the end of patience.
#[derive(Debug)]
pub struct Answer {
    sequence: u32,
    datagram: Datagram,
    timers: Timers,
    resend_at: Instant,
    pause: Duration,
    until: Instant,
}

/// What an unacknowledged answer wants when a timer fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Impatience {
    /// The answer goes out again.
    Resend(Datagram),
    /// Nobody acknowledges: the session is lost.
    GiveUp,
}

impl Answer {
    /// Starts when the 200 to the INVITE with this CSeq has just been sent.
    pub fn sent(datagram: Datagram, sequence: u32, timers: Timers, now: Instant) -> Self {
        Self {
            sequence,
            datagram,
            timers,
            resend_at: now + timers.t1,
            pause: timers.t1,
            until: now + timers.patience(),
        }
    }

    /// Whether an ACK with this CSeq is the one awaited.
    pub fn is_acknowledged_by(&self, sequence: u32) -> bool {
        self.sequence == sequence
    }

    /// Lets one timer fire that is due.
    pub fn tick(&mut self, now: Instant) -> Option<Impatience> {
        if self.until <= now {
            return Some(Impatience::GiveUp);
        }
        if self.resend_at > now {
            return None;
        }
        self.pause = self.timers.doubled(self.pause);
        self.resend_at = now + self.pause;
        Some(Impatience::Resend(self.datagram.clone()))
    }

    /// When a timer fires next.
    pub fn deadline(&self) -> Instant {
        self.resend_at.min(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::event::Flow;
    use bytes::Bytes;

    #[test]
    fn an_answer_is_repeated_from_t1_doubling_to_t2_and_given_up_after_64_t1() {
        let start = Instant::now();
        let datagram = Datagram {
            flow: Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap()),
            bytes: Bytes::from_static(b"200"),
        };
        let mut answer = Answer::sent(datagram, 1, Timers::default(), start);
        let mut times = Vec::new();
        loop {
            let at = answer.deadline();
            times.push((at - start).as_millis());
            match answer.tick(at).expect("a deadline means a timer") {
                Impatience::Resend(_) => {}
                Impatience::GiveUp => break,
            }
        }
        assert_eq!(times[..5], [500, 1_500, 3_500, 7_500, 11_500]);
        assert_eq!(times.last(), Some(&32_000));
        assert!(answer.is_acknowledged_by(1) && !answer.is_acknowledged_by(2));
    }
}
