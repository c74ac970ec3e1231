//! What a turn model makes of a pause: whether the caller's turn sounds complete.

use std::time::{Duration, Instant};

use crate::base::id::PauseId;

/// The answer of a turn model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// The pause that it was asked about.
    pub pause: PauseId,
    /// How likely the turn is complete.
    pub complete: Likelihood,
}

/// How likely something is, in thousandths: values that are equal can be told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Likelihood(u16);

impl Likelihood {
    /// Takes a probability; what is outside of 0.0 to 1.0 counts as the nearer end, and what is
    /// no number as 0.0.
    pub fn of(probability: f32) -> Self {
        // A cast from a float saturates, and makes 0 of what is no number.
        Self((probability * 1_000.0).round().clamp(0.0, 1_000.0) as u16)
    }

    /// The probability, 0.0 to 1.0.
    pub fn probability(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }

    /// Whether it is likely rather than not.
    pub fn is_likely(self) -> bool {
        self.0 >= 500
    }
}

/// What came of the questions to a turn model in one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Judged {
    /// How often it was asked.
    pub asked: u32,
    /// What it said of the last pause; `None` when the turn was taken before it spoke.
    pub complete: Option<Likelihood>,
    /// How long it took for that.
    pub took: Option<Duration>,
}

/// The questions of the turn in the making.
#[derive(Debug, Clone, Default)]
pub struct Judging {
    so_far: Judged,
    asked_at: Option<Instant>,
}

impl Judging {
    /// It is asked about a pause.
    pub fn ask(&mut self, now: Instant) {
        self.so_far.asked = self.so_far.asked.saturating_add(1);
        self.asked_at = Some(now);
    }

    /// It has answered.
    pub fn answer(&mut self, now: Instant, complete: Likelihood) {
        self.so_far.complete = Some(complete);
        self.so_far.took = self.asked_at.map(|at| now.saturating_duration_since(at));
    }

    /// There is another pause: what was said of the one before does not count for it.
    pub fn lapse(&mut self) {
        *self = Self {
            so_far: Judged { asked: self.so_far.asked, ..Judged::default() },
            asked_at: None,
        };
    }

    /// What it said of the present pause.
    pub fn verdict(&self) -> Option<Likelihood> {
        self.so_far.complete
    }

    /// What came of it.
    pub fn told(&self) -> Judged {
        self.so_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_a_likelihood() {
        for (number, likelihood) in
            [(0.4994, 499), (0.4996, 500), (-3.0, 0), (7.0, 1_000), (f32::NAN, 0)]
        {
            assert_eq!(Likelihood::of(number), Likelihood(likelihood), "{number}");
        }
        assert!(Likelihood::of(0.5).is_likely() && !Likelihood::of(0.499).is_likely());
        assert!((Likelihood::of(0.123).probability() - 0.123).abs() < 1e-9);
    }

    #[test]
    fn what_was_said_of_one_pause_does_not_count_for_the_next() {
        let (start, mut judging) = (Instant::now(), Judging::default());
        judging.ask(start);
        judging.answer(start + Duration::from_millis(40), Likelihood::of(0.9));
        let told = judging.told();
        assert_eq!((told.asked, told.took), (1, Some(Duration::from_millis(40))));
        judging.lapse();
        assert_eq!(judging.told(), Judged { asked: 1, ..Judged::default() });
        judging.ask(start);
        assert_eq!((judging.told().asked, judging.verdict()), (2, None));
    }
}
