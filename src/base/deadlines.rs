//! A table of named deadlines: the only kind of timer that a pure machine has.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

/// Deadlines by key. Setting a key again moves it; a due key is handed out once.
#[derive(Debug, Clone)]
pub struct Deadlines<K> {
    at: HashMap<K, Instant>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { at: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash + Ord> Deadlines<K> {
    /// Makes an empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Arms `key` for `at`, wherever it stood before.
    pub fn set(&mut self, key: K, at: Instant) {
        self.at.insert(key, at);
    }

    /// Disarms `key`.
    pub fn clear(&mut self, key: K) {
        self.at.remove(&key);
    }

    /// Disarms every key.
    pub fn clear_all(&mut self) {
        self.at.clear();
    }

    /// Tells when `key` is due, if it is armed.
    pub fn at(&self, key: K) -> Option<Instant> {
        self.at.get(&key).copied()
    }

    /// Tells the earliest deadline of all.
    pub fn next(&self) -> Option<Instant> {
        self.at.values().min().copied()
    }

    /// Takes one key that is due at `now`: the earliest, and of equals the smallest key.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (key, _) = self
            .at
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, at)| (*key, *at))
            .min_by_key(|(key, at)| (*at, *key))?;
        self.at.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_earliest_due_key_comes_first_and_once() {
        let start = Instant::now();
        let mut table = Deadlines::new();
        table.set('b', start + Duration::from_secs(2));
        table.set('a', start + Duration::from_secs(1));
        table.set('c', start + Duration::from_secs(9));
        let now = start + Duration::from_secs(3);
        assert_eq!(table.pop_due(now), Some('a'));
        assert_eq!(table.pop_due(now), Some('b'));
        assert_eq!(table.pop_due(now), None);
        assert_eq!(table.next(), Some(start + Duration::from_secs(9)));
    }
}
