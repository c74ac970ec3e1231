//! The non-INVITE server transaction (RFC 3261 17.2.2).

use std::time::Instant;

use super::timers::{Due, Timers};

/// The machine: from the request received to the last stray repetition of it.
#[derive(Debug)]
pub struct Server {
    state: State,
    timers: Timers,
}

#[derive(Debug)]
enum State {
    /// Nothing answered yet. The peer gives up by its timer F at `until`, and so do we: an answer
    /// after it would be a stray one (RFC 4320 4.2).
    Trying {
        until: Instant,
    },
    /// A provisional answer is out.
    Proceeding {
        until: Instant,
    },
    /// Timer J.
    Completed {
        until: Instant,
    },
    Terminated,
}

impl Server {
    /// Starts when a request has arrived.
    pub fn start(now: Instant, timers: Timers) -> Self {
        Self { state: State::Trying { until: now + timers.patience() }, timers }
    }

    /// Takes the user's answer; tells whether it may be sent.
    pub fn respond(&mut self, status: u16, now: Instant) -> bool {
        match self.state {
            State::Trying { until } | State::Proceeding { until } => {
                self.state = if status < 200 {
                    State::Proceeding { until }
                } else {
                    State::Completed { until: now + self.timers.request_echo() }
                };
                true
            }
            State::Completed { .. } | State::Terminated => false,
        }
    }

    /// Takes a repeated request; tells whether the last answer goes out again.
    pub fn repeat(&self) -> bool {
        matches!(self.state, State::Proceeding { .. } | State::Completed { .. })
    }

    /// Lets the timer fire if it is due.
    pub fn tick(&mut self, now: Instant) -> Option<Due> {
        if self.deadline()? > now {
            return None;
        }
        self.state = State::Terminated;
        Some(Due::Over)
    }

    /// When the timer fires.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Trying { until } | State::Proceeding { until } | State::Completed { until } => {
                Some(until)
            }
            State::Terminated => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_repeated_request_gets_the_same_answer_for_64_t1() {
        let start = Instant::now();
        let mut machine = Server::start(start, Timers::default());
        assert!(!machine.repeat(), "nothing to say yet");
        assert!(machine.respond(200, start));
        assert!(!machine.respond(500, start), "only one final answer");
        assert!(machine.repeat());
        assert_eq!(machine.tick(start + Duration::from_secs(31)), None);
        assert_eq!(machine.tick(start + Duration::from_secs(32)), Some(Due::Over));
        assert_eq!(machine.deadline(), None);
    }

    #[test]
    fn an_unanswered_request_is_forgotten_when_the_peer_has_given_up() {
        let start = Instant::now();
        let mut machine = Server::start(start, Timers::default());
        assert_eq!(machine.tick(start + Duration::from_secs(32)), Some(Due::Over));
        assert!(!machine.respond(200, start + Duration::from_secs(33)));
    }
}
