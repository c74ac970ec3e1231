//! Bans: who offends too often is not heard for a while, longer each time, and forgiven later.

use std::time::{Duration, Instant};

use super::source::Source;
use crate::base::recent::Recent;

/// Who is banned, and who is on the way there.
#[derive(Debug)]
pub struct Bans {
    policy: Policy,
    sources: Recent<Source, Record>,
}

/// When somebody is banned, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// So many offences are forgiven within `within`; the next one bans.
    pub after: u32,
    /// The time within which offences count together.
    pub within: Duration,
    /// How long the first ban lasts; each further one lasts twice as long, up to a day.
    pub lasts: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        let (within, lasts) = (Duration::from_secs(60), Duration::from_secs(3_600));
        Self { after: 10, within, lasts }
    }
}

#[derive(Debug, Clone, Copy)]
struct Record {
    /// Offences that are not forgiven yet; they leak away.
    score: f64,
    at: Instant,
    until: Option<Instant>,
    /// How often it was banned; each quiet span of a first ban forgives one.
    times: u32,
}

impl Bans {
    /// Makes a table without bans.
    pub fn new(policy: Policy) -> Self {
        Self { policy, sources: Recent::holding(MOST_SOURCES) }
    }

    /// Notes offences of that weight; tells whether they brought a ban.
    pub fn note(&mut self, now: Instant, source: Source, weight: u32) -> bool {
        let policy = self.policy;
        let clean = || Record { score: 0.0, at: now, until: None, times: 0 };
        let record = self.sources.entry(source, clean);
        if record.until.is_some_and(|until| now < until) {
            return false;
        }
        record.forgive(now, policy);
        record.score += f64::from(weight);
        let is_too_much = record.score > f64::from(policy.after);
        if is_too_much {
            let lasts = policy.lasts.saturating_mul(1 << record.times.min(MOST_DOUBLED));
            record.until = Some(now + lasts.min(LONGEST.max(policy.lasts)));
            record.times = record.times.saturating_add(1);
            record.score = 0.0;
        }
        is_too_much
    }

    /// Whether a source is banned.
    pub fn hold(&self, now: Instant, source: Source) -> bool {
        let until = self.sources.find(&source).and_then(|record| record.until);
        until.is_some_and(|until| now < until)
    }

    /// Who is banned now, and until when; in no order.
    pub fn banned(&self, now: Instant) -> impl Iterator<Item = (Source, Instant)> + '_ {
        let held = move |(source, record): (&Source, &Record)| {
            Some((*source, record.until.filter(|until| now < *until)?))
        };
        self.sources.iter().filter_map(held)
    }

    /// How much it takes to be banned at once.
    pub fn fatal(&self) -> u32 {
        self.policy.after.saturating_add(1)
    }

    /// How many sources are remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.sources.len()
    }
}

impl Record {
    /// Lets offences and bans of old fade.
    fn forgive(&mut self, now: Instant, policy: Policy) {
        let quiet = now.saturating_duration_since(self.until.unwrap_or(self.at).max(self.at));
        let rate = f64::from(policy.after) / policy.within.as_secs_f64().max(0.001);
        self.score = (self.score - quiet.as_secs_f64() * rate).max(0.0);
        let spans = quiet.as_secs() / policy.lasts.as_secs().max(1);
        self.times = self.times.saturating_sub(u32::try_from(spans).unwrap_or(u32::MAX));
        self.at = self.at.max(now);
        self.until = None;
    }
}

/// How many sources are remembered.
const MOST_SOURCES: usize = 100_000;

/// How often a ban is doubled.
const MOST_DOUBLED: u32 = 10;

/// The longest ban, unless the first is longer.
const LONGEST: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn source(last: u8) -> Source {
        Source::of([203, 0, 113, last].into())
    }

    #[test]
    fn the_eleventh_wrong_try_bans_and_an_hour_forgives() {
        let (mut bans, now) = (Bans::new(Policy::default()), Instant::now());
        let tries: Vec<bool> = (0..11).map(|_| bans.note(now, source(9), 1)).collect();
        assert_eq!(tries.iter().filter(|banned| **banned).count(), 1);
        assert!(tries[10] && bans.hold(now, source(9)) && !bans.hold(now, source(8)));
        assert!(bans.hold(now + HOUR - Duration::from_secs(1), source(9)));
        assert!(!bans.hold(now + HOUR, source(9)));
    }

    #[test]
    fn who_errs_now_and_then_is_never_banned() {
        let (mut bans, start) = (Bans::new(Policy::default()), Instant::now());
        let slowly = |at: u32| start + Duration::from_secs(7) * at;
        assert!((0..1_000).all(|at| !bans.note(slowly(at), source(9), 1)));
    }

    #[test]
    fn who_comes_back_to_offend_is_banned_for_longer_and_a_quiet_day_makes_it_short_again() {
        let (mut bans, start) = (Bans::new(Policy::default()), Instant::now());
        assert!(bans.note(start, source(9), 11));
        let again = start + HOUR;
        assert!(bans.note(again, source(9), 11));
        assert!(bans.hold(again + HOUR, source(9)) && !bans.hold(again + HOUR * 2, source(9)));
        let later = again + HOUR * 30;
        assert!(bans.note(later, source(9), 11));
        assert!(!bans.hold(later + HOUR, source(9)));
    }

    #[test]
    fn a_hundred_thousand_offenders_and_more_are_bounded() {
        let (mut bans, now) = (Bans::new(Policy::default()), Instant::now());
        for number in 0..250_000_u32 {
            bans.note(now, Source::of((0x0100_0000 + number).to_be_bytes().into()), 11);
        }
        assert!(bans.len() <= MOST_SOURCES);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_ban_ends(steps in prop::collection::vec((0_u64..10_000, 0_u32..20), 1..60)) {
            let start = Instant::now();
            let (mut bans, mut now) = (Bans::new(Policy::default()), start);
            for (step, weight) in steps {
                now += Duration::from_secs(step);
                bans.note(now, source(1), weight);
            }
            prop_assert!(!bans.hold(now + LONGEST, source(1)));
        }
    }
}
