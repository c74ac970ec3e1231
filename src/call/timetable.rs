//! What begins by itself at its time: calls and campaigns, by the schedules in the files. It has no
//! clock and no call: it is told the time, and says what is due. What was due while nobody looked is
//! not made up for, but once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::zone::Zone;

pub use crate::dialplan::schedule::Schedule;

/// All schedules of the files. Times are since the Unix epoch.
#[derive(Debug, Default)]
pub struct Timetable {
    entries: BTreeMap<String, Entry>,
}

/// How a schedule stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What stands in the files.
    pub written: Arc<Schedule>,
    /// When it is due next, if ever.
    pub due: Option<Duration>,
    /// When it was due last, since the server began.
    pub last: Option<Duration>,
    /// Why nothing came of it then, if nothing did.
    pub problem: Option<String>,
}

impl Timetable {
    /// Takes the schedules as they stand in the files; `here` is the server's zone.
    pub fn know(
        &mut self,
        schedules: &BTreeMap<String, Arc<Schedule>>,
        here: &Zone,
        now: Duration,
    ) {
        let before = std::mem::take(&mut self.entries);
        self.entries = schedules
            .iter()
            .map(|(name, written)| {
                let known = before.get(name);
                let (last, problem) =
                    known.map_or((None, None), |it| (it.last, it.problem.clone()));
                // What is due this very moment is due whoever reads the files again.
                let is_same = |it: &&Entry| it.written == *written;
                let due = known.filter(is_same).map(|it| it.due);
                let due = due.unwrap_or_else(|| written.next(now, here));
                (name.clone(), Entry { written: written.clone(), due, last, problem })
            })
            .collect();
    }

    /// What is due by now, each once.
    pub fn due(&mut self, here: &Zone, now: Duration) -> Vec<(String, Arc<Schedule>)> {
        let mut due = Vec::new();
        for (name, entry) in &mut self.entries {
            if entry.due.is_some_and(|due| due <= now) {
                entry.last = entry.due;
                entry.due = entry.written.next(now, here);
                entry.problem = None;
                due.push((name.clone(), entry.written.clone()));
            }
        }
        due
    }

    /// Nothing came of it, or not all.
    pub fn failed(&mut self, name: &str, why: String) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.problem = Some(why);
        }
    }

    /// When something is due next.
    pub fn deadline(&self) -> Option<Duration> {
        self.entries.values().filter_map(|entry| entry.due).min()
    }

    /// All of them.
    pub fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(cron: &str) -> BTreeMap<String, Arc<Schedule>> {
        let text =
            format!("cron = {cron:?}\ncall = [\"+4930555\", \"phone:101\"]\nto = \"agent:a\"");
        let schedule: Schedule = serde_json::from_value(serde_json::json!({
            "cron": cron, "call": ["+4930555", "phone:101"], "to": "agent:a",
        }))
        .expect(&text);
        BTreeMap::from([("wake".to_owned(), Arc::new(schedule))])
    }

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    #[test]
    fn what_is_due_is_due_once_and_never_made_up_for() {
        let (here, mut table) = (Zone::utc(), Timetable::default());
        table.know(&named("*/10 * * * *"), &here, minutes(1));
        assert_eq!(table.deadline(), Some(minutes(10)));
        assert!(table.due(&here, minutes(9)).is_empty());
        let due = table.due(&here, minutes(10));
        let calls: Vec<String> = due[0].1.call.iter().map(ToString::to_string).collect();
        assert_eq!(
            (due.len(), calls),
            (1, vec!["tel:+4930555".to_owned(), "phone:101".to_owned()])
        );
        assert!(table.due(&here, minutes(10)).is_empty());
        // The machine slept for two hours.
        assert_eq!(table.due(&here, minutes(135)).len(), 1);
        assert_eq!(table.deadline(), Some(minutes(140)));
        // Who reads the same again changes nothing; another time is another one.
        table.failed("wake", "no trunk".to_owned());
        table.know(&named("*/10 * * * *"), &here, minutes(140));
        assert_eq!(table.due(&here, minutes(140)).len(), 1);
        table.failed("wake", "no trunk".to_owned());
        table.know(&named("0 12 * * *"), &here, minutes(141));
        let entry = &table.entries()["wake"];
        assert_eq!((entry.due, entry.last), (Some(minutes(720)), Some(minutes(140))));
        assert_eq!(entry.problem.as_deref(), Some("no trunk"));
        table.know(&BTreeMap::new(), &here, minutes(142));
        assert_eq!((table.deadline(), table.entries().len()), (None, 0));
    }
}
