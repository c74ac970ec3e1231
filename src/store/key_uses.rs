//! How often keys were used: today, in all, and when last. A file beside that of the keys has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::calendar::Date;

/// By the identities of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUses(BTreeMap<String, KeyUse>);

/// How often one was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// The day on which it was used last, in UTC.
    #[serde(serialize_with = "written")]
    day: Date,
    /// How often on that day.
    today: u64,
    /// How often in all.
    pub total: u64,
    /// When last, in seconds since the Unix epoch.
    pub last: u64,
}

impl KeyUses {
    /// Where they are written down, below the data of a server.
    pub fn place(data: &Path) -> PathBuf {
        data.join(FILE)
    }

    /// What is written down below the data of a server; nothing when that cannot be read, for it
    /// only informs.
    pub fn below(data: &Path) -> Self {
        let text = fs::read(Self::place(data)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// What is known of a key.
    pub fn of(&self, key: &str) -> Option<&KeyUse> {
        self.0.get(key)
    }

    /// A key is used, since the Unix epoch at `now`.
    ///
    /// # Errors
    /// With how many seconds are left of the day (in UTC), when it was used as often as it may be
    /// on one.
    pub fn spend(&mut self, key: &str, daily: Option<u64>, now: Duration) -> Result<(), u32> {
        let Some(day) = Date::at(now) else { return Ok(()) };
        let known = self.0.get(key).copied();
        let today = known.map_or(0, |it| it.today_at(now));
        if daily.is_some_and(|daily| today >= daily) {
            let left = DAY.saturating_sub(now.as_secs() % DAY);
            return Err(u32::try_from(left).unwrap_or(u32::MAX));
        }
        let total = known.map_or(0, |it| it.total).saturating_add(1);
        let used = KeyUse { day, today: today + 1, total, last: now.as_secs() };
        self.0.insert(key.to_owned(), used);
        Ok(())
    }

    /// Forgets keys that there are no more.
    pub fn keep(&mut self, are_there: impl Fn(&str) -> bool) {
        self.0.retain(|key, _| are_there(key));
    }
}

impl KeyUse {
    /// How often on the day that it is then, since the Unix epoch.
    pub fn today_at(&self, now: Duration) -> u64 {
        if Date::at(now) == Some(self.day) { self.today } else { 0 }
    }
}

fn written<S: serde::Serializer>(day: &Date, target: S) -> Result<S::Ok, S::Error> {
    target.collect_str(day)
}

/// The file.
const FILE: &str = "api-key-uses.json";

/// In seconds.
const DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_used_so_often_on_a_day_and_again_on_the_next() {
        let noon = Duration::from_secs(20_000 * DAY + DAY / 2);
        let mut uses = KeyUses::default();
        for _ in 0..3 {
            assert_eq!(uses.spend("a", Some(3), noon), Ok(()));
        }
        assert_eq!(uses.spend("a", Some(3), noon), Err(43_200));
        assert_eq!(uses.spend("b", None, noon), Ok(()), "each has its own");
        let morrow = noon + Duration::from_secs(DAY);
        assert_eq!(uses.of("a").expect("used").today_at(morrow), 0);
        assert_eq!(uses.spend("a", Some(3), morrow), Ok(()));
        let text = serde_json::to_string(&uses).expect("JSON");
        let mut again: KeyUses = serde_json::from_str(&text).expect("what was written");
        assert_eq!(again, uses);
        let used = again.of("a").expect("used");
        assert_eq!((used.today_at(morrow), used.total, used.last), (1, 4, morrow.as_secs()));
        again.keep(|key| key == "b");
        assert!(again.of("a").is_none() && again.of("b").is_some());
    }
}
