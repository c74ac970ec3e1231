//! An agenda: deadlines of many things, each change in logarithmic time.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// Deadlines by key for tables of any size; a key has at most one. `base::deadlines` is its twin
/// for the few timers of one machine.
#[derive(Debug)]
pub struct Agenda<K> {
    by_time: BTreeSet<(Instant, K)>,
    at: HashMap<K, Instant>,
}

impl<K> Default for Agenda<K> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), at: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash + Ord> Agenda<K> {
    /// Arms `key` for `at`, or disarms it when there is nothing to wait for.
    pub fn arm(&mut self, key: K, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.at.insert(key, at),
            None => self.at.remove(&key),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, key));
        }
        if let Some(at) = at {
            self.by_time.insert((at, key));
        }
    }

    /// Tells the earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the earliest key that is due at `now`, and of equals the smallest.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.pop_first();
        self.at.remove(&key);
        Some(key)
    }

    /// Whether nothing is awaited.
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_key_moves_and_comes_out_once() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut agenda = Agenda::default();
        agenda.arm(1, Some(later(5)));
        agenda.arm(2, Some(later(2)));
        agenda.arm(1, Some(later(1)));
        agenda.arm(3, Some(later(1)));
        agenda.arm(3, None);
        assert_eq!(agenda.next(), Some(later(1)));
        assert_eq!(agenda.pop_due(later(3)), Some(1));
        assert_eq!(agenda.pop_due(later(3)), Some(2));
        assert_eq!(agenda.pop_due(later(9)), None);
        assert!(agenda.is_empty());
    }
}
