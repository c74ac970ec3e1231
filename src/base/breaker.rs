//! A circuit breaker: whether somebody who failed of late is asked at all, and who of several is
//! asked next.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// After so many failures ...
    pub failures: usize,
    /// ... in so long ...
    pub within: Duration,
    /// ... nobody is let through for so long; then one, to see.
    pub pause: Duration,
    /// The longest pause that somebody may ask for.
    pub longest: Duration,
}

/// The breaker in front of one who may fail.
#[derive(Debug)]
pub struct Breaker {
    settings: Settings,
    /// The failures of late.
    failures: VecDeque<Instant>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Everybody is let through.
    Closed,
    /// Nobody is, until then.
    Open { until: Instant, because: Because },
    /// One was let through, to see.
    Trying,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Because {
    /// He failed too often.
    Failures,
    /// He asked to be left alone.
    Asked,
}

/// What a failure says of the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing: it counts.
    Counts,
    /// There should be none for so long (`Retry-After`).
    Wait(Duration),
}

/// Whether somebody may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// He may.
    Ready,
    /// He failed too often, and rests until then.
    Resting(Instant),
    /// He wants to be left alone.
    Away,
}

/// A breaker has changed its mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nobody is let through any more.
    Opened,
    /// Everybody is again.
    Closed,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            failures: 3,
            within: Duration::from_secs(10),
            pause: Duration::from_secs(15),
            longest: Duration::from_secs(300),
        }
    }
}

impl Breaker {
    /// Makes one that is closed.
    pub fn new(settings: Settings) -> Self {
        Self { settings, failures: VecDeque::new(), state: State::Closed }
    }

    /// Whether he may be asked now.
    pub fn standing(&self, now: Instant) -> Standing {
        match self.state {
            State::Closed => Standing::Ready,
            State::Open { until, .. } if until <= now => Standing::Ready,
            State::Open { until, because: Because::Failures } => Standing::Resting(until),
            State::Open { because: Because::Asked, .. } => Standing::Away,
            // Whoever tries now will tell.
            State::Trying => Standing::Resting(now + self.settings.pause),
        }
    }

    /// He is asked; what comes of it follows.
    pub fn ask(&mut self) {
        if let State::Open { .. } = self.state {
            self.state = State::Trying;
        }
    }

    /// He did what was asked.
    pub fn succeeded(&mut self) -> Option<Change> {
        self.failures.clear();
        let before = std::mem::replace(&mut self.state, State::Closed);
        (before != State::Closed).then_some(Change::Closed)
    }

    /// He did not.
    pub fn failed(&mut self, now: Instant, failure: Failure) -> Option<Change> {
        let was_closed = self.state == State::Closed;
        self.failures.push_back(now);
        let since = now.checked_sub(self.settings.within);
        while self.failures.len() > self.settings.failures
            || self.failures.front().is_some_and(|at| since.is_some_and(|since| *at < since))
        {
            self.failures.pop_front();
        }
        self.state = match failure {
            Failure::Wait(wait) => {
                let until = now + wait.min(self.settings.longest);
                State::Open { until, because: Because::Asked }
            }
            Failure::Counts if was_closed && self.failures.len() < self.settings.failures => {
                return None;
            }
            Failure::Counts => {
                let until = now + self.settings.pause;
                State::Open { until, because: Because::Failures }
            }
        };
        was_closed.then_some(Change::Opened)
    }

    /// Nobody waits any more for what he was asked: it says nothing of him.
    pub fn abandoned(&mut self, now: Instant) {
        if self.state == State::Trying {
            self.state = State::Open { until: now, because: Because::Failures };
        }
    }
}

/// Who of several is asked next: the first that is ready, from `first` on and then from the
/// beginning. When all of them failed too often, the one who rests the shortest: whoever waits for
/// an answer is worth an attempt. `None`: whoever was not `tried` wants to be left alone.
pub fn choose(standings: &[Standing], first: usize, tried: &[usize]) -> Option<usize> {
    let count = standings.len();
    let order = || (first..count).chain(0..first.min(count)).filter(|at| !tried.contains(at));
    let ready = order().find(|at| standings[*at] == Standing::Ready);
    let resting = || {
        order()
            .filter_map(|at| match standings[at] {
                Standing::Resting(until) => Some((until, at)),
                Standing::Ready | Standing::Away => None,
            })
            .min_by_key(|(until, _)| *until)
            .map(|(_, at)| at)
    };
    ready.or_else(resting)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn three_failures_in_ten_seconds_open_it_and_one_success_closes_it() {
        let now = Instant::now();
        let mut breaker = Breaker::new(Settings::default());
        assert_eq!(breaker.failed(now, Failure::Counts), None);
        assert_eq!(breaker.failed(now + SECOND * 9, Failure::Counts), None);
        // The first of them is forgotten.
        assert_eq!(breaker.failed(now + SECOND * 12, Failure::Counts), None);
        assert_eq!(breaker.standing(now + SECOND * 12), Standing::Ready);
        let opened = now + SECOND * 13;
        assert_eq!(breaker.failed(opened, Failure::Counts), Some(Change::Opened));
        let until = opened + SECOND * 15;
        assert_eq!(breaker.standing(until - SECOND), Standing::Resting(until));
        assert_eq!(breaker.standing(until), Standing::Ready);
        breaker.ask();
        assert_ne!(breaker.standing(until), Standing::Ready, "one is enough to see");
        assert_eq!(breaker.succeeded(), Some(Change::Closed));
        assert_eq!(breaker.standing(until), Standing::Ready);
        assert_eq!(breaker.succeeded(), None);
    }

    #[test]
    fn who_fails_when_he_is_tried_again_rests_again_and_it_is_told_once() {
        let now = Instant::now();
        let mut breaker = Breaker::new(Settings { failures: 1, ..Settings::default() });
        assert_eq!(breaker.failed(now, Failure::Counts), Some(Change::Opened));
        let later = now + SECOND * 20;
        breaker.ask();
        assert_eq!(breaker.failed(later, Failure::Counts), None);
        assert_eq!(breaker.standing(later), Standing::Resting(later + SECOND * 15));
    }

    #[test]
    fn an_attempt_that_nobody_waits_for_says_nothing() {
        let now = Instant::now();
        let mut breaker = Breaker::new(Settings { failures: 1, ..Settings::default() });
        breaker.failed(now, Failure::Counts);
        breaker.ask();
        breaker.abandoned(now + SECOND * 20);
        assert_eq!(breaker.standing(now + SECOND * 20), Standing::Ready);
    }

    #[test]
    fn who_asks_for_time_gets_it_within_reason() {
        let now = Instant::now();
        let mut breaker = Breaker::new(Settings::default());
        let change = breaker.failed(now, Failure::Wait(SECOND * 7));
        assert_eq!(change, Some(Change::Opened));
        assert_eq!(breaker.standing(now + SECOND * 6), Standing::Away);
        assert_eq!(breaker.standing(now + SECOND * 7), Standing::Ready);
        breaker.failed(now, Failure::Wait(Duration::MAX));
        assert_eq!(breaker.standing(now + SECOND * 301), Standing::Ready);
    }

    #[test]
    fn the_next_who_is_ready_is_asked_and_in_need_who_rests_the_shortest() {
        let now = Instant::now();
        let (ready, away) = (Standing::Ready, Standing::Away);
        let resting = |seconds: u32| Standing::Resting(now + SECOND * seconds);
        assert_eq!(choose(&[ready, ready], 0, &[]), Some(0));
        assert_eq!(choose(&[ready, ready], 1, &[]), Some(1));
        assert_eq!(choose(&[ready, ready], 1, &[1]), Some(0));
        assert_eq!(choose(&[resting(1), ready], 0, &[]), Some(1));
        assert_eq!(choose(&[resting(9), resting(2), away], 0, &[]), Some(1));
        assert_eq!(choose(&[resting(9), resting(2), away], 0, &[1]), Some(0));
        assert_eq!(choose(&[away, away], 0, &[]), None);
        assert_eq!(choose(&[], 3, &[]), None);
    }

    proptest! {
        #[test]
        fn it_neither_stays_open_for_ever_nor_grows(
            steps in proptest::collection::vec((0_u8..5, 0_u64..40), 0..200),
        ) {
            let mut now = Instant::now();
            let mut breaker = Breaker::new(Settings::default());
            for (what, seconds) in steps {
                now += Duration::from_secs(seconds);
                match what {
                    0 => drop(breaker.failed(now, Failure::Counts)),
                    1 => drop(breaker.failed(now, Failure::Wait(Duration::from_secs(seconds * 9)))),
                    2 => drop(breaker.succeeded()),
                    3 => breaker.ask(),
                    _ => breaker.abandoned(now),
                }
                prop_assert!(breaker.failures.len() <= 3);
            }
            breaker.abandoned(now);
            prop_assert_eq!(breaker.standing(now + SECOND * 300), Standing::Ready);
        }
    }
}
