//! The INVITE client transaction (RFC 3261 17.1.1, with the Accepted state of RFC 6026 7.2).

use std::time::{Duration, Instant};

use super::timers::{Due, Timers};

/// The machine: from the INVITE sent to its last stray answer.
#[derive(Debug)]
pub struct ClientInvite {
    state: State,
    timers: Timers,
}

/// What the user of the transaction does with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Hears it. Every 2xx is heard: each must be acknowledged by the dialog.
    Deliver,
    /// Hears it, and the transaction sends its ACK: the first refusal.
    DeliverAndAcknowledge,
    /// A refusal again: the same ACK goes out again.
    AcknowledgeAgain,
    /// Nothing: an answer that no longer matters.
    Absorb,
}

#[derive(Debug)]
enum State {
    /// Timers A (`resend_at`) and B (`until`).
    Calling {
        resend_at: Instant,
        pause: Duration,
        until: Instant,
    },
    Proceeding,
    /// Timer M.
    Accepted {
        until: Instant,
    },
    /// Timer D.
    Completed {
        until: Instant,
    },
    Terminated,
}

impl ClientInvite {
    /// Starts when the INVITE has just been sent.
    pub fn start(now: Instant, timers: Timers) -> Self {
        let state = State::Calling {
            resend_at: timers.first_resend(now),
            pause: timers.t1,
            until: now + timers.patience(),
        };
        Self { state, timers }
    }

    /// Takes an answer with `status`.
    pub fn receive(&mut self, status: u16, now: Instant) -> Verdict {
        match (&self.state, status) {
            (State::Calling { .. } | State::Proceeding, 0..=199) => {
                self.state = State::Proceeding;
                Verdict::Deliver
            }
            (State::Calling { .. } | State::Proceeding, 200..=299) => {
                self.state = State::Accepted { until: now + self.timers.patience() };
                Verdict::Deliver
            }
            (State::Calling { .. } | State::Proceeding, 300..) => {
                self.state = State::Completed { until: now + self.timers.refusal_echo() };
                Verdict::DeliverAndAcknowledge
            }
            (State::Accepted { .. }, 200..=299) => Verdict::Deliver,
            (State::Completed { .. }, 300..) => Verdict::AcknowledgeAgain,
            (State::Accepted { .. } | State::Completed { .. } | State::Terminated, _) => {
                Verdict::Absorb
            }
        }
    }

    /// Lets one timer fire that is due.
    pub fn tick(&mut self, now: Instant) -> Option<Due> {
        match &mut self.state {
            State::Calling { until, .. } if *until <= now => {
                self.state = State::Terminated;
                Some(Due::TimedOut)
            }
            State::Calling { resend_at, pause, .. } if *resend_at <= now => {
                // Timer A doubles without the bound of T2: RFC 3261 17.1.1.2.
                *pause = pause.saturating_mul(2);
                *resend_at = now + *pause;
                Some(Due::Resend)
            }
            State::Accepted { until } | State::Completed { until } if *until <= now => {
                self.state = State::Terminated;
                Some(Due::Over)
            }
            State::Calling { .. }
            | State::Proceeding
            | State::Accepted { .. }
            | State::Completed { .. }
            | State::Terminated => None,
        }
    }

    /// Whether nobody has answered a word.
    pub fn is_unheard(&self) -> bool {
        matches!(self.state, State::Calling { .. })
    }

    /// When a timer fires next.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Calling { resend_at, until, .. } => Some(*resend_at.min(until)),
            State::Accepted { until } | State::Completed { until } => Some(*until),
            State::Proceeding | State::Terminated => None,
        }
    }

    /// Whether a provisional answer has come and no final one.
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding)
    }

    /// Whether the final answer is still to come.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fire_until_silent(machine: &mut ClientInvite, start: Instant) -> Vec<(u128, Due)> {
        let mut fired = Vec::new();
        while let Some(at) = machine.deadline() {
            let due = machine.tick(at).expect("a deadline means a timer");
            fired.push(((at - start).as_millis(), due));
        }
        fired
    }

    #[test]
    fn an_invite_without_an_answer_is_repeated_six_times_and_then_times_out() {
        let start = Instant::now();
        let mut machine = ClientInvite::start(start, Timers::default());
        let fired = fire_until_silent(&mut machine, start);
        let times: Vec<u128> = fired.iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 15_500, 31_500, 32_000]);
        assert_eq!(fired.last().map(|(_, due)| *due), Some(Due::TimedOut));
    }

    #[test]
    fn a_provisional_answer_stops_the_repetition() {
        let start = Instant::now();
        let mut machine = ClientInvite::start(start, Timers::default());
        assert_eq!(machine.receive(100, start), Verdict::Deliver);
        assert!(machine.is_proceeding());
        assert_eq!(machine.deadline(), None);
    }

    #[test]
    fn a_refusal_is_delivered_once_and_acknowledged_each_time() {
        let start = Instant::now();
        let mut machine = ClientInvite::start(start, Timers::default());
        assert_eq!(machine.receive(486, start), Verdict::DeliverAndAcknowledge);
        assert_eq!(machine.receive(486, start), Verdict::AcknowledgeAgain);
        assert_eq!(machine.receive(180, start), Verdict::Absorb);
        assert_eq!(machine.receive(200, start), Verdict::Absorb);
        assert_eq!(fire_until_silent(&mut machine, start), [(32_000, Due::Over)]);
    }

    #[test]
    fn every_2xx_is_delivered_for_64_t1_because_forks_answer_late() {
        let start = Instant::now();
        let mut machine = ClientInvite::start(start, Timers::default());
        assert_eq!(machine.receive(200, start), Verdict::Deliver);
        assert_eq!(machine.receive(200, start), Verdict::Deliver);
        assert_eq!(machine.receive(486, start), Verdict::Absorb);
        assert_eq!(fire_until_silent(&mut machine, start), [(32_000, Due::Over)]);
        assert_eq!(machine.receive(200, start), Verdict::Absorb);
    }
}
