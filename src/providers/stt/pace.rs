//! How fast a vendor is told what was said: most of them as fast as it comes; some cut off whoever
//! sends more audio than the time since the socket was opened holds.

use std::collections::VecDeque;
use std::time::Duration;

use crate::agent::event::PauseId;

/// What waits for its time.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How many samples may be sent; `None` when nobody counts them.
    credit: Option<usize>,
    waiting: VecDeque<Step>,
}

/// What the vendor is told next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Audio.
    Hear(Vec<i16>),
    /// The caller paused.
    Pause(PauseId),
}

impl Pace {
    /// Nothing waits.
    pub fn new(is_counted: bool) -> Self {
        Self { credit: is_counted.then_some(0), waiting: VecDeque::new() }
    }

    /// A socket is open; what waited for another one is told again.
    pub fn begin(&mut self) {
        self.waiting.clear();
        if let Some(credit) = &mut self.credit {
            *credit = AT_FIRST;
        }
    }

    /// [`EACH`] has passed.
    pub fn pass(&mut self) {
        if let Some(credit) = &mut self.credit {
            *credit = (*credit + IN_EACH).min(MOST);
        }
    }

    /// Audio is to be told.
    pub fn hear(&mut self, samples: Vec<i16>) {
        self.waiting.push_back(Step::Hear(samples));
    }

    /// A pause is to be told.
    pub fn pause(&mut self, pause: PauseId) {
        self.waiting.push_back(Step::Pause(pause));
    }

    /// Nothing of this is to be told any more.
    pub fn forget(&mut self) {
        self.waiting.clear();
    }

    /// What may be told now.
    pub fn step(&mut self) -> Option<Step> {
        let step = self.waiting.pop_front()?;
        if let (Some(credit), Step::Hear(samples)) = (&mut self.credit, &step) {
            let Some(left) = credit.checked_sub(samples.len()) else {
                self.waiting.push_front(step);
                return None;
            };
            *credit = left;
        }
        Some(step)
    }
}

/// How often time is counted.
pub(super) const EACH: Duration = Duration::from_millis(100);

/// How many samples are in it.
const IN_EACH: usize = 1_600;

/// How many samples may be sent at once, when a socket has just been opened: a second.
const AT_FIRST: usize = 16_000;

/// How many may be saved up: five seconds, while the caller is silent.
const MOST: usize = 5 * 16_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(pace: &mut Pace) -> usize {
        std::iter::from_fn(|| pace.step()).count()
    }

    #[test]
    fn nobody_is_told_more_than_could_have_been_said() {
        let mut pace = Pace::new(true);
        pace.begin();
        for _ in 0..20 {
            pace.hear(vec![0; 1_600]);
        }
        pace.pause(PauseId(1));
        assert_eq!(steps(&mut pace), 10, "a second at once");
        pace.pass();
        assert_eq!(steps(&mut pace), 1, "and then what time allows");
        (0..9).for_each(|_| pace.pass());
        assert_eq!(steps(&mut pace), 10, "the pause comes behind its audio");
        (0..1_000).for_each(|_| pace.pass());
        (0..100).for_each(|_| pace.hear(vec![0; 1_600]));
        assert_eq!(steps(&mut pace), 50, "silence is saved up for a while");
        pace.forget();
        (0..1_000).for_each(|_| pace.pass());
        assert_eq!(pace.step(), None);
    }

    #[test]
    fn who_does_not_count_hears_at_once() {
        let mut pace = Pace::new(false);
        pace.begin();
        (0..1_000).for_each(|_| pace.hear(vec![0; 16_000]));
        assert_eq!(steps(&mut pace), 1_000);
    }
}
