//! Calls that ended, counted: how many, how long, how they ended and how fast they were answered, by
//! what they have in common. The database sums; what the clock on the wall says is put together here,
//! for SQLite knows no time zones.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::base::price::Cost;
use crate::base::zone::Zone;
use crate::store::database::{Database, DatabaseError, Dialect, Row, Statement};
use crate::store::index::{Filter, Rules};

/// What counts calls. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Analytics {
    database: Database,
    /// How many may count at once: others want to read, too.
    room: Arc<Semaphore>,
}

/// What calls of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// An agent that spoke: a call with two of them counts for both.
    Agent,
    /// The trunk.
    Trunk,
    /// The tenant.
    Tenant,
    /// The route.
    Route,
    /// `inbound` or `outbound`.
    Direction,
    /// The hour of the clock on the wall in which they began.
    Hour,
    /// The day.
    Day,
}

/// Which calls are counted, and how.
#[derive(Debug, Clone)]
pub struct Question {
    /// Which. Its identities are looked at for their times only.
    pub filter: Filter,
    /// By what; nothing: all in one.
    pub by: Vec<By>,
    /// By which clock.
    pub zone: Zone,
}

/// What a group has in common, one part for each that was asked for.
pub type Group = Vec<Part>;

/// One of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A name, or none.
    Name(Option<String>),
    /// A time, behind what puts it in order.
    Time(i64, String),
}

/// The calls of a group in sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub calls: u64,
    /// How many of them were answered.
    pub answered: u64,
    /// How long they lasted since they arrived, in milliseconds.
    pub lasted: u64,
    /// How long they lasted since they were answered, in milliseconds.
    pub talked: u64,
    /// How many had which state at their end.
    pub statuses: BTreeMap<String, u64>,
    /// How many ended why.
    pub causes: BTreeMap<String, u64>,
    /// How fast the turns of callers were answered.
    pub delays: Delays,
    /// What the work of providers costs, in each currency.
    pub costs: Vec<Cost>,
}

/// Milliseconds from the end of a turn to the first packet of its answer, counted in steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delays(BTreeMap<i64, u64>);

/// Why calls are not counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Uncounted {
    /// It does not answer.
    #[error("the database does not answer: {0}")]
    Database(#[from] DatabaseError),
    /// There would be more groups than are given.
    #[error("there are more than {MOST_GROUPS} groups: ask for less time, or group by less")]
    Groups,
    /// Others are at it.
    #[error("others are counting calls just now: try again in a few seconds")]
    Busy,
}

impl Analytics {
    /// Counts what this database lists.
    pub fn new(database: Database) -> Self {
        Self { database, room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Counts; groups come in the order of their names and times.
    ///
    /// # Errors
    /// When the database does not answer, or there are too many groups.
    pub async fn count(&self, asked: &Question) -> Result<BTreeMap<Group, Tally>, Uncounted> {
        let _room = self.room.try_acquire().map_err(|_| Uncounted::Busy)?;
        let mut groups = Groups { asked, found: BTreeMap::new(), is_full: false };
        let dialect = self.database.dialect();
        self.database.each(asked.calls(dialect), |row| groups.take_calls(row)).await?;
        if !groups.is_full {
            self.database.each(asked.turns(dialect), |row| groups.take_turns(row)).await?;
        }
        if !groups.is_full {
            self.database.each(asked.costs(dialect), |row| groups.take_costs(row)).await?;
        }
        if groups.is_full { Err(Uncounted::Groups) } else { Ok(groups.found) }
    }
}

impl By {
    /// Reads `agent` and so on.
    pub fn read(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(by, _)| *by)
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(by, _)| *by == self).map_or("", |(_, name)| name)
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }

    /// Where it stands in the database; times stand there in quarters of an hour, by which all
    /// clocks on walls are apart.
    fn column(self) -> &'static str {
        match self {
            Self::Agent => "call_agents.agent",
            Self::Trunk => "calls.trunk",
            Self::Tenant => "calls.tenant",
            Self::Route => "calls.route",
            Self::Direction => "calls.direction",
            Self::Hour | Self::Day => "calls.began / 900000",
        }
    }
}

impl Question {
    /// How many calls, and how long they were, for each group and end.
    fn calls(&self, dialect: Dialect) -> Statement {
        let sums = "calls.status, calls.cause, count(*), count(calls.waited), \
                    CAST(sum(calls.lasted) AS BIGINT), \
                    CAST(sum(CASE WHEN calls.waited IS NULL THEN 0 \
                    ELSE calls.lasted - calls.waited END) AS BIGINT)";
        self.statement(dialect, ("", sums), &["calls.status", "calls.cause"])
    }

    /// How many turns were answered how fast, for each group.
    fn turns(&self, dialect: Dialect) -> Statement {
        let delay = "turns.first_packet_ms / 10";
        let from = "JOIN turns ON turns.call = calls.id AND turns.first_packet_ms >= 0";
        self.statement(dialect, (from, &format!("{delay}, count(*)")), &[delay])
    }

    /// What the calls of each group cost. Whole units and the rest are summed apart: no sum is too
    /// big for a database.
    fn costs(&self, dialect: Dialect) -> Statement {
        let sums = "call_costs.currency, \
                    CAST(sum(call_costs.billionths / 1000000000) AS BIGINT), \
                    CAST(sum(call_costs.billionths % 1000000000) AS BIGINT)";
        let from = "JOIN call_costs ON call_costs.call = calls.id";
        self.statement(dialect, (from, sums), &["call_costs.currency"])
    }

    fn statement(&self, dialect: Dialect, (from, sums): (&str, &str), by: &[&str]) -> Statement {
        let filter = &self.filter;
        let mut rules = Rules::default();
        let at = |call: crate::base::id::CallId| {
            i64::try_from(call.began().as_millis()).unwrap_or(i64::MAX)
        };
        rules.add("calls.began >= ?", filter.first.map_or(0, at).into());
        rules.add("calls.began < ?", filter.before.map_or(i64::MAX, at).into());
        let agents = match &filter.agent {
            Some(agent) => {
                rules.add("call_agents.agent = ?", agent.clone().into());
                "JOIN call_agents ON call_agents.call = calls.id"
            }
            None if self.by.contains(&By::Agent) => {
                "LEFT JOIN call_agents ON call_agents.call = calls.id"
            }
            None => "",
        };
        filter.columns(&mut rules, dialect);
        // All that is counted by stands in this index: rows with whole records stay unread.
        let is_wide = filter.caller.is_some() || filter.callee.is_some() || filter.search.is_some();
        let index = match dialect {
            Dialect::Sqlite if !is_wide => "INDEXED BY calls_by_time",
            Dialect::Sqlite | Dialect::Postgres => "",
        };
        let (rules, values) = rules.written();
        let own: Vec<&str> = self.by.iter().map(|by| by.column()).collect();
        let columns = [&own[..], &[sums]].concat().join(", ");
        let groups = [&own[..], by].concat().join(", ");
        let text = format!(
            "SELECT {columns} FROM calls {index} {agents} {from} WHERE {rules} GROUP BY {groups}"
        );
        Statement::new(text, values)
    }

    /// The group of a row.
    fn group(&self, row: &Row) -> Group {
        let part = |(at, by): (usize, &By)| match by {
            By::Agent | By::Trunk | By::Tenant | By::Route | By::Direction => {
                let name = row.text(at).filter(|name| !name.is_empty());
                Part::Name(name.map(str::to_owned))
            }
            By::Hour | By::Day => {
                let quarter = u64::try_from(row.number(at).unwrap_or_default()).unwrap_or_default();
                let began = Duration::from_secs(quarter.saturating_mul(900));
                match by {
                    By::Hour => {
                        let (order, hour) = self.zone.hour(began);
                        Part::Time(order, hour)
                    }
                    _ => Part::Time(0, self.zone.day(began)),
                }
            }
        };
        self.by.iter().enumerate().map(part).collect()
    }
}

/// What was counted so far.
#[derive(Debug)]
struct Groups<'a> {
    asked: &'a Question,
    found: BTreeMap<Group, Tally>,
    is_full: bool,
}

impl Groups<'_> {
    fn take_calls(&mut self, row: &Row) -> ControlFlow<()> {
        let first = self.asked.by.len();
        let number = |at: usize| count(row, first + at);
        let word = |at: usize| row.text(first + at).unwrap_or_default().to_owned();
        let tally = self.tally(row)?;
        tally.calls += number(2);
        tally.answered += number(3);
        tally.lasted += number(4);
        tally.talked += number(5);
        *tally.statuses.entry(word(0)).or_default() += number(2);
        *tally.causes.entry(word(1)).or_default() += number(2);
        ControlFlow::Continue(())
    }

    fn take_turns(&mut self, row: &Row) -> ControlFlow<()> {
        let first = self.asked.by.len();
        let step = row.number(first).unwrap_or_default().min(LONGEST_DELAY);
        let turns = count(row, first + 1);
        *self.tally(row)?.delays.0.entry(step).or_default() += turns;
        ControlFlow::Continue(())
    }

    fn take_costs(&mut self, row: &Row) -> ControlFlow<()> {
        let first = self.asked.by.len();
        let Some(currency) = row.text(first).and_then(|it| it.parse().ok()) else {
            return ControlFlow::Continue(());
        };
        let (whole, rest) = (count(row, first + 1), count(row, first + 2));
        let billionths = u128::from(whole) * 1_000_000_000 + u128::from(rest);
        // Quarters of an hour are put together here.
        let costs = &mut self.tally(row)?.costs;
        match costs.binary_search_by_key(&currency, |cost| cost.currency) {
            Ok(at) => costs.iter_mut().skip(at).take(1).for_each(|it| it.billionths += billionths),
            Err(at) => costs.insert(at, Cost { billionths, currency }),
        }
        ControlFlow::Continue(())
    }

    fn tally(&mut self, row: &Row) -> ControlFlow<(), &mut Tally> {
        let group = self.asked.group(row);
        if self.found.len() >= MOST_GROUPS && !self.found.contains_key(&group) {
            self.is_full = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(self.found.entry(group).or_default())
    }
}

impl Delays {
    /// How many turns.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// What so many of a hundred stayed below, in milliseconds and to ten of them; nothing without
    /// turns.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let wanted = (self.count() * percent).div_ceil(100).max(1);
        let mut passed = 0;
        let step = self.0.iter().find(|(_, count)| {
            passed += **count;
            passed >= wanted
        });
        step.and_then(|(step, _)| u64::try_from(step * 10).ok())
    }
}

fn count(row: &Row, column: usize) -> u64 {
    u64::try_from(row.number(column).unwrap_or_default()).unwrap_or_default()
}

const NAMES: &[(By, &str)] = &[
    (By::Agent, "agent"),
    (By::Trunk, "trunk"),
    (By::Tenant, "tenant"),
    (By::Route, "route"),
    (By::Direction, "direction"),
    (By::Hour, "hour"),
    (By::Day, "day"),
];

/// How many groups are given at most.
pub const MOST_GROUPS: usize = 1_000;

/// How many count at once.
const AT_ONCE: usize = 2;

/// Whatever takes longer counts as this, in steps of ten milliseconds.
const LONGEST_DELAY: i64 = 6_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_those_that_are_there() {
        let delays = |steps: &[(i64, u64)]| Delays(steps.iter().copied().collect());
        assert_eq!(delays(&[]).percentile(50), None);
        let one = delays(&[(70, 1)]);
        assert_eq!((one.percentile(50), one.percentile(99)), (Some(700), Some(700)));
        let many = delays(&[(50, 50), (80, 45), (300, 5)]);
        let told = [50, 95, 99].map(|percent| many.percentile(percent));
        assert_eq!(told, [Some(500), Some(800), Some(3_000)]);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert!(By::names().all(|name| By::read(name).is_some_and(|by| by.name() == name)));
        assert_eq!(By::read("month"), None);
    }
}
