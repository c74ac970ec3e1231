//! The ladder of silence: reminders for a caller who says nothing, and at last the end.

use std::time::Instant;

use crate::agent::assistant::Silence;

/// How far a silence has come. A time of zero in the settings means never.
#[derive(Debug, Clone)]
pub struct Ladder {
    settings: Silence,
    /// Since when it is the caller's turn without a word; survives reminders.
    silent: Option<Instant>,
    /// When it last became quiet on the line.
    quiet: Option<Instant>,
    reminders: usize,
}

/// What a silence asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// Say the reminder of this number, from 0.
    Remind(usize),
    /// Say goodbye.
    HangUp,
}

impl Ladder {
    /// Stands at the foot.
    pub fn new(settings: Silence) -> Self {
        Self { settings, silent: None, quiet: None, reminders: 0 }
    }

    /// It became quiet and the caller may speak.
    pub fn quiet(&mut self, now: Instant) {
        self.quiet = Some(now);
        self.silent.get_or_insert(now);
    }

    /// The caller said something: back to the foot.
    pub fn broken(&mut self) {
        (self.silent, self.quiet, self.reminders) = (None, None, 0);
    }

    /// When the next rung is reached, if it stays quiet.
    pub fn deadline(&self) -> Option<Instant> {
        [self.remind_at(), self.hang_up_at()].into_iter().flatten().min()
    }

    /// Takes the rung that is reached at `now`.
    pub fn climb(&mut self, now: Instant) -> Option<Rung> {
        if self.hang_up_at().is_some_and(|at| at <= now) {
            return Some(Rung::HangUp);
        }
        self.remind_at().filter(|at| *at <= now)?;
        let count = self.reminders;
        let most = self.settings.reminders.and_then(|most| usize::try_from(most).ok());
        if most.is_some_and(|most| count >= most) {
            return Some(Rung::HangUp);
        }
        self.reminders = count.saturating_add(1);
        self.quiet = Some(now);
        Some(Rung::Remind(count))
    }

    fn remind_at(&self) -> Option<Instant> {
        Some(self.quiet? + Some(self.settings.remind_after).filter(|after| !after.is_zero())?)
    }

    fn hang_up_at(&self) -> Option<Instant> {
        Some(self.silent? + Some(self.settings.hangup_after).filter(|after| !after.is_zero())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn so_many_reminders_and_then_the_end() {
        let start = Instant::now();
        let mut ladder = Ladder::new(Silence {
            reminders: Some(1),
            hangup_after: Duration::ZERO,
            ..Silence::default()
        });
        ladder.quiet(start);
        assert_eq!(ladder.climb(start + Duration::from_secs(8)), Some(Rung::Remind(0)));
        assert_eq!(ladder.climb(start + Duration::from_secs(16)), Some(Rung::HangUp));
    }

    #[test]
    fn reminders_come_again_until_the_end() {
        let start = Instant::now();
        let mut ladder = Ladder::new(Silence::default());
        assert_eq!(ladder.deadline(), None);
        ladder.quiet(start);
        let mut rungs = Vec::new();
        while let Some(due) = ladder.deadline() {
            let Some(rung) = ladder.climb(due) else { break };
            rungs.push((due.duration_since(start).as_secs(), rung));
            if rung == Rung::HangUp {
                break;
            }
            ladder.quiet(due + Duration::from_secs(2));
        }
        let expected = [
            (8, Rung::Remind(0)),
            (18, Rung::Remind(1)),
            (28, Rung::Remind(2)),
            (30, Rung::HangUp),
        ];
        assert_eq!(rungs, expected);
        ladder.broken();
        assert_eq!(ladder.deadline(), None);
    }
}
