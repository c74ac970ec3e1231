//! A table that forgets: it holds the keys that were asked for last, and never more than so many.

use std::collections::HashMap;
use std::hash::Hash;

/// A bounded table in two generations. When the young one is full, it becomes the old one, and
/// what nobody asked for since then is forgotten: roughly the least recently used, without a list.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    /// How many a generation holds.
    most: usize,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    /// Makes a table of at most `most` entries.
    pub fn holding(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), most: (most / 2).max(1) }
    }

    /// The entry of a key, made anew when it is not there.
    pub fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if !self.young.contains_key(&key) {
            let value = self.old.remove(&key).unwrap_or_else(make);
            if self.young.len() >= self.most {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(key, value);
        }
        self.young.get_mut(&key).expect("it was there, or has just been put there")
    }

    /// The entry of a key, if it is there.
    pub fn find(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Every entry, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.young.iter().chain(&self.old)
    }

    /// How many entries there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether there is none.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_holds_its_bound_and_what_was_asked_for_last(
            keys in prop::collection::vec(0_u16..500, 1..400),
            most in 2_usize..40,
        ) {
            let mut table = Recent::holding(most);
            for (at, key) in keys.iter().enumerate() {
                *table.entry(*key, || 0) = at;
                prop_assert!(table.len() <= most.max(2));
                prop_assert_eq!(table.find(key), Some(&at));
            }
        }
    }

    #[test]
    fn what_is_asked_for_again_and_again_stays() {
        let mut table = Recent::holding(10);
        *table.entry(0, || 0) = 77;
        for key in 1..1_000 {
            table.entry(key, || 1);
            table.entry(0, || 0);
        }
        assert_eq!(table.find(&0), Some(&77));
        assert_eq!(table.find(&1), None);
    }
}
