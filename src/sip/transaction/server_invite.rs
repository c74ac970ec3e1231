//! The INVITE server transaction (RFC 3261 17.2.1, with the Accepted state of RFC 6026 7.1).

use std::time::{Duration, Instant};

use super::timers::{Due, Timers};

/// The machine: from the INVITE received to the last stray repetition of it.
#[derive(Debug)]
pub struct ServerInvite {
    state: State,
    timers: Timers,
}

/// Whom an ACK belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// It ends the repetition of a refusal: nobody else need know.
    Refusal,
    /// It acknowledges a 2xx: the dialog's affair.
    Answer,
}

#[derive(Debug)]
enum State {
    Proceeding,
    /// Timer L. The 2xx itself is repeated by the dialog.
    Accepted {
        until: Instant,
    },
    /// Timers G (`resend_at`) and H (`until`).
    Completed {
        resend_at: Instant,
        pause: Duration,
        until: Instant,
    },
    /// Timer I.
    Confirmed {
        until: Instant,
    },
    Terminated,
}

impl ServerInvite {
    /// Starts when an INVITE has arrived.
    pub fn start(timers: Timers) -> Self {
        Self { state: State::Proceeding, timers }
    }

    /// Takes the user's answer; tells whether it may be sent.
    pub fn respond(&mut self, status: u16, now: Instant) -> bool {
        if !self.is_open() {
            return false;
        }
        match status {
            0..=199 => {}
            200..=299 => self.state = State::Accepted { until: now + self.timers.patience() },
            300.. => {
                self.state = State::Completed {
                    resend_at: self.timers.first_resend(now),
                    pause: self.timers.t1,
                    until: now + self.timers.patience(),
                };
            }
        }
        true
    }

    /// Takes a repeated INVITE; tells whether the last answer goes out again. A 2xx does not: the
    /// dialog repeats it on its own (RFC 6026 7.1).
    pub fn repeat(&self) -> bool {
        matches!(self.state, State::Proceeding | State::Completed { .. })
    }

    /// Takes an ACK.
    pub fn acknowledge(&mut self, now: Instant) -> Acknowledged {
        match self.state {
            State::Completed { .. } => {
                self.state = State::Confirmed { until: now + self.timers.stray() };
                Acknowledged::Refusal
            }
            State::Proceeding | State::Confirmed { .. } | State::Terminated => {
                Acknowledged::Refusal
            }
            State::Accepted { .. } => Acknowledged::Answer,
        }
    }

    /// Lets one timer fire that is due.
    pub fn tick(&mut self, now: Instant) -> Option<Due> {
        match &mut self.state {
            State::Completed { until, .. } if *until <= now => {
                self.state = State::Terminated;
                Some(Due::TimedOut)
            }
            State::Completed { resend_at, pause, .. } if *resend_at <= now => {
                *pause = self.timers.doubled(*pause);
                *resend_at = now + *pause;
                Some(Due::Resend)
            }
            State::Accepted { until } | State::Confirmed { until } if *until <= now => {
                self.state = State::Terminated;
                Some(Due::Over)
            }
            State::Proceeding
            | State::Accepted { .. }
            | State::Completed { .. }
            | State::Confirmed { .. }
            | State::Terminated => None,
        }
    }

    /// When a timer fires next.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Completed { resend_at, until, .. } => Some(*resend_at.min(until)),
            State::Accepted { until } | State::Confirmed { until } => Some(*until),
            State::Proceeding | State::Terminated => None,
        }
    }

    /// Whether the final answer is still to be given.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Proceeding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fire_until_silent(machine: &mut ServerInvite, start: Instant) -> Vec<(u128, Due)> {
        let mut fired = Vec::new();
        while let Some(at) = machine.deadline() {
            let due = machine.tick(at).expect("a deadline means a timer");
            fired.push(((at - start).as_millis(), due));
        }
        fired
    }

    #[test]
    fn a_refusal_is_repeated_until_its_ack() {
        let start = Instant::now();
        let mut machine = ServerInvite::start(Timers::default());
        assert!(machine.respond(180, start));
        assert!(machine.respond(486, start));
        assert!(!machine.respond(200, start), "only one final answer");
        assert_eq!(machine.tick(start + Duration::from_millis(500)), Some(Due::Resend));
        assert!(machine.repeat());
        assert_eq!(machine.acknowledge(start), Acknowledged::Refusal);
        assert!(!machine.repeat());
        assert_eq!(fire_until_silent(&mut machine, start), [(5_000, Due::Over)]);
    }

    #[test]
    fn a_refusal_without_an_ack_is_given_up_after_64_t1() {
        let start = Instant::now();
        let mut machine = ServerInvite::start(Timers::default());
        machine.respond(486, start);
        let fired = fire_until_silent(&mut machine, start);
        let times: Vec<u128> = fired.iter().map(|(at, _)| *at).collect();
        assert_eq!(times[..5], [500, 1_500, 3_500, 7_500, 11_500]);
        assert_eq!(fired.last(), Some(&(32_000, Due::TimedOut)));
    }

    #[test]
    fn an_accepted_invite_absorbs_its_repetitions_and_leaves_the_ack_to_the_dialog() {
        let start = Instant::now();
        let mut machine = ServerInvite::start(Timers::default());
        assert!(machine.respond(200, start));
        assert!(!machine.repeat());
        assert_eq!(machine.acknowledge(start), Acknowledged::Answer);
        assert_eq!(fire_until_silent(&mut machine, start), [(32_000, Due::Over)]);
    }
}
