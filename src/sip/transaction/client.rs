//! The non-INVITE client transaction (RFC 3261 17.1.2).

use std::time::{Duration, Instant};

use super::timers::{Due, Timers};

/// The machine: from the request sent to its last stray answer.
#[derive(Debug)]
pub struct Client {
    state: State,
    timers: Timers,
}

#[derive(Debug)]
enum State {
    /// Timers E (`resend_at`) and F (`until`).
    Trying {
        resend_at: Instant,
        pause: Duration,
        until: Instant,
    },
    /// Timers E and F again, E now at T2.
    Proceeding {
        resend_at: Instant,
        until: Instant,
    },
    /// Timer K.
    Completed {
        until: Instant,
    },
    Terminated,
}

impl Client {
    /// Starts when the request has just been sent.
    pub fn start(now: Instant, timers: Timers) -> Self {
        let state = State::Trying {
            resend_at: timers.first_resend(now),
            pause: timers.t1,
            until: now + timers.patience(),
        };
        Self { state, timers }
    }

    /// Takes an answer with `status`; tells whether the user shall hear it.
    pub fn receive(&mut self, status: u16, now: Instant) -> bool {
        match (&self.state, status) {
            (State::Trying { resend_at, until, .. }, 0..=199) => {
                self.state = State::Proceeding { resend_at: *resend_at, until: *until };
                true
            }
            (State::Proceeding { .. }, 0..=199) => true,
            (State::Trying { .. } | State::Proceeding { .. }, 200..) => {
                self.state = State::Completed { until: now + self.timers.stray() };
                true
            }
            (State::Completed { .. } | State::Terminated, _) => false,
        }
    }

    /// Lets one timer fire that is due.
    pub fn tick(&mut self, now: Instant) -> Option<Due> {
        match &mut self.state {
            State::Trying { until, .. } | State::Proceeding { until, .. } if *until <= now => {
                self.state = State::Terminated;
                Some(Due::TimedOut)
            }
            State::Trying { resend_at, pause, .. } if *resend_at <= now => {
                *pause = self.timers.doubled(*pause);
                *resend_at = now + *pause;
                Some(Due::Resend)
            }
            State::Proceeding { resend_at, .. } if *resend_at <= now => {
                *resend_at = now + self.timers.t2;
                Some(Due::Resend)
            }
            State::Completed { until } if *until <= now => {
                self.state = State::Terminated;
                Some(Due::Over)
            }
            State::Trying { .. }
            | State::Proceeding { .. }
            | State::Completed { .. }
            | State::Terminated => None,
        }
    }

    /// Whether the final answer is still to come.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Trying { .. } | State::Proceeding { .. })
    }

    /// Whether nobody has answered a word.
    pub fn is_unheard(&self) -> bool {
        matches!(self.state, State::Trying { .. })
    }

    /// When a timer fires next.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Trying { resend_at, until, .. } | State::Proceeding { resend_at, until } => {
                Some(*resend_at.min(until))
            }
            State::Completed { until } => Some(*until),
            State::Terminated => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fire_until_silent(machine: &mut Client, start: Instant) -> Vec<(u128, Due)> {
        let mut fired = Vec::new();
        while let Some(at) = machine.deadline() {
            let due = machine.tick(at).expect("a deadline means a timer");
            fired.push(((at - start).as_millis(), due));
        }
        fired
    }

    #[test]
    fn a_request_without_an_answer_is_repeated_up_to_t2_and_times_out() {
        let start = Instant::now();
        let mut machine = Client::start(start, Timers::default());
        let fired = fire_until_silent(&mut machine, start);
        let times: Vec<u128> = fired.iter().map(|(at, _)| *at).collect();
        let expected = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
        assert_eq!(times[..10], expected);
        assert_eq!(fired[10], (32_000, Due::TimedOut));
    }

    #[test]
    fn a_provisional_answer_slows_the_repetition_to_t2() {
        let start = Instant::now();
        let mut machine = Client::start(start, Timers::default());
        assert!(machine.receive(100, start));
        let fired = fire_until_silent(&mut machine, start);
        assert_eq!(fired[0], (500, Due::Resend));
        assert_eq!(fired[1], (4_500, Due::Resend));
        assert_eq!(fired.last(), Some(&(32_000, Due::TimedOut)));
    }

    #[test]
    fn a_repeated_final_answer_is_absorbed_for_t4() {
        let start = Instant::now();
        let mut machine = Client::start(start, Timers::default());
        assert!(machine.receive(200, start));
        assert!(!machine.receive(200, start));
        assert_eq!(fire_until_silent(&mut machine, start), [(5_000, Due::Over)]);
    }
}
