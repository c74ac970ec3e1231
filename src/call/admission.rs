//! Admission: what a datagram's source may do, decided before a single octet is parsed (T2, T3).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::network::Network;

/// Stands at the door of a SIP shard.
#[derive(Debug)]
pub struct Doorkeeper {
    settings: Settings,
    /// Where trunks are registered that have no address in the settings.
    learned: HashMap<IpAddr, Badge>,
    strangers: Bucket,
    sources: HashMap<IpAddr, Bucket>,
    /// When the table was last swept: a flood from many addresses must not sweep for each packet.
    swept: Option<Instant>,
    refused: u64,
}

/// Who is known, and how much strangers may ask.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The trunks and where they send from.
    pub trunks: Vec<Trunk>,
    /// Whether strangers are told (403) or met with silence.
    pub tell_strangers: bool,
    /// What one stranger's address may send.
    pub per_source: Budget,
    /// What all strangers together may send.
    pub together: Budget,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trunks: Vec::new(),
            tell_strangers: false,
            per_source: Budget { per_second: 5, burst: 20 },
            together: Budget { per_second: 50, burst: 100 },
        }
    }
}

/// A peer that we exchange calls with.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// Its name and what the dialplan is told of it.
    pub badge: Badge,
    /// Where it sends from.
    pub allow: Vec<Network>,
}

/// What a call knows of the trunk that it came by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Badge {
    /// The name in the configuration.
    pub name: Arc<str>,
    /// The context that routes see; empty without one.
    pub context: Arc<str>,
}

/// So many a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How many are let in each second in the long run.
    pub per_second: u32,
    /// How many are let in at once.
    pub burst: u32,
}

/// What the source of a datagram is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A trunk.
    Trunk(Badge),
    /// Nobody we know, met with silence (but OPTIONS may be answered).
    Stranger,
    /// Nobody we know, and it is told so.
    Refused,
    /// Nobody we know, and it asks too much: not even parsed.
    Ignored,
}

impl Trunk {
    fn lets_in(&self, source: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(source))
    }
}

impl Doorkeeper {
    /// Makes a doorkeeper.
    pub fn new(settings: Settings) -> Self {
        let strangers = Bucket::full(settings.together);
        Self {
            settings,
            learned: HashMap::new(),
            strangers,
            sources: HashMap::new(),
            swept: None,
            refused: 0,
        }
    }

    /// Judges a datagram by its source address.
    pub fn judge(&mut self, now: Instant, source: IpAddr) -> Verdict {
        let known = self.settings.trunks.iter().find(|trunk| trunk.lets_in(source));
        let badge = known.map(|trunk| &trunk.badge).or_else(|| self.learned.get(&source));
        if let Some(badge) = badge {
            return Verdict::Trunk(badge.clone());
        }
        self.refused = self.refused.saturating_add(1);
        if !self.affords(now, source) {
            return Verdict::Ignored;
        }
        if self.settings.tell_strangers { Verdict::Refused } else { Verdict::Stranger }
    }

    /// Whether a source is no stranger.
    pub fn is_known(&self, source: IpAddr) -> bool {
        self.learned.contains_key(&source)
            || self.settings.trunks.iter().any(|trunk| trunk.lets_in(source))
    }

    /// A trunk is registered at this address: it is no stranger from now on.
    pub fn learn(&mut self, badge: Badge, address: IpAddr) {
        if self.learned.len() < MOST_LEARNED || self.learned.contains_key(&address) {
            self.learned.insert(address, badge);
        }
    }

    /// How many datagrams of strangers came.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn affords(&mut self, now: Instant, source: IpAddr) -> bool {
        if self.sources.len() >= MOST_SOURCES && !self.sources.contains_key(&source) {
            self.sweep(now);
            if self.sources.len() >= MOST_SOURCES {
                return false;
            }
        }
        let budget = self.settings.per_source;
        let own = self.sources.entry(source).or_insert_with(|| Bucket::full(budget));
        own.take(now, budget) && self.strangers.take(now, self.settings.together)
    }

    /// Forgets whoever has a full bucket again, at most once a second.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now < swept + Duration::from_secs(1)) {
            return;
        }
        self.swept = Some(now);
        let budget = self.settings.per_source;
        self.sources.retain(|_, bucket| !bucket.is_full(now, budget));
    }
}

/// A token bucket, in thousandths of a token.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: u64,
    at: Option<Instant>,
}

impl Bucket {
    fn full(budget: Budget) -> Self {
        Self { level: u64::from(budget.burst) * 1_000, at: None }
    }

    fn fill(&mut self, now: Instant, budget: Budget) {
        let elapsed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let more = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let more = more.saturating_mul(u64::from(budget.per_second));
        self.level = self.level.saturating_add(more).min(u64::from(budget.burst) * 1_000);
        // A fill of nothing keeps the old time, or many quick asks would never earn a token.
        if more > 0 || self.at.is_none() {
            self.at = Some(now);
        }
    }

    fn take(&mut self, now: Instant, budget: Budget) -> bool {
        self.fill(now, budget);
        let enough = self.level >= 1_000;
        if enough {
            self.level -= 1_000;
        }
        enough
    }

    fn is_full(&mut self, now: Instant, budget: Budget) -> bool {
        self.fill(now, budget);
        self.level >= u64::from(budget.burst) * 1_000
    }
}

/// How many addresses of registrars are known.
const MOST_LEARNED: usize = 1_000;

/// How many addresses of strangers are remembered.
const MOST_SOURCES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn doorkeeper() -> Doorkeeper {
        let allow = vec!["10.0.0.0/8".parse().expect("a network")];
        let trunk = Trunk { badge: badge(), allow };
        Doorkeeper::new(Settings { trunks: vec![trunk], ..Settings::default() })
    }

    fn badge() -> Badge {
        Badge { name: "pbx".into(), context: "".into() }
    }

    #[test]
    fn a_trunk_is_never_limited() {
        let (mut door, now) = (doorkeeper(), Instant::now());
        let pbx = "10.1.2.3".parse().expect("an address");
        assert!((0..10_000).all(|_| door.judge(now, pbx) == Verdict::Trunk(badge())));
    }

    #[test]
    fn a_flood_of_one_stranger_is_ignored_and_forgiven_later() {
        let (mut door, now) = (doorkeeper(), Instant::now());
        let stranger = "203.0.113.9".parse().expect("an address");
        let heard = (0..1_000).filter(|_| door.judge(now, stranger) == Verdict::Stranger).count();
        assert_eq!(heard, 20);
        let later = now + Duration::from_secs(1);
        let heard = (0..1_000).filter(|_| door.judge(later, stranger) == Verdict::Stranger).count();
        assert_eq!(heard, 5);
    }

    #[test]
    fn a_flood_of_many_strangers_is_bounded_in_answers_and_in_memory() {
        let (mut door, now) = (doorkeeper(), Instant::now());
        let mut heard = 0;
        for number in 0..50_000_u32 {
            let source = IpAddr::from((0xCB00_0000 + number).to_be_bytes());
            heard += usize::from(door.judge(now, source) == Verdict::Stranger);
        }
        assert_eq!(heard, 100);
        assert!(door.sources.len() <= MOST_SOURCES);
        assert_eq!(door.refused(), 50_000);
    }
}
