//! What calls of the past come to: counted by what they have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::id::CallId;
use crate::base::zone::Zone;
use crate::server::control::history::{History, Wanted, Wrong};
use crate::server::control::protocol::{Fault, FaultCode, Inquiry};
use crate::server::control::times::timestamp;
use crate::server::control::usage::MoneyView;
use crate::store::analytics::{By, Part, Question, Tally, Uncounted};

/// What calls come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InsightView {
    /// Calls that began then or later.
    pub created_after: String,
    /// Calls that began earlier.
    pub created_before: String,
    /// By whose clock hours and days begin.
    pub timezone: String,
    /// By what they are grouped.
    pub by: Vec<String>,
    /// How many calls have ended and are not counted yet; nothing when it is not known.
    pub uncounted: Option<u64>,
    /// The groups, in the order of their names and times; without any call, none.
    pub data: Vec<GroupView>,
}

/// The calls of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroupView {
    /// What they have in common: a value for each of `by`.
    pub group: BTreeMap<String, Option<String>>,
    /// How many.
    pub calls: u64,
    /// How many of them were answered.
    pub answered: u64,
    /// The same as a part of all: 0 to 1.
    pub answer_rate: f64,
    /// How long they lasted since they arrived.
    pub duration_ms: TotalView,
    /// How long those that were answered lasted since then.
    pub talk_ms: TotalView,
    /// How many had which status at their end.
    pub status: BTreeMap<String, u64>,
    /// How many ended why.
    pub end_reason: BTreeMap<String, u64>,
    /// How many turns of callers were answered.
    pub turns: u64,
    /// How long they waited for the first packet of the answer, to ten milliseconds.
    pub latency_ms: LatencyView,
    /// What the work of providers costs, in each currency; without prices, nothing.
    pub cost: Vec<MoneyView>,
}

/// A sum, and the mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TotalView {
    /// All together.
    pub sum: u64,
    /// For each; nothing when there is none.
    pub average: Option<u64>,
}

/// What half of them, 95 and 99 of a hundred, stay below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LatencyView {
    /// Half.
    pub p50: Option<u64>,
    /// 95 of a hundred.
    pub p95: Option<u64>,
    /// 99 of a hundred.
    pub p99: Option<u64>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Misfit {
    /// A word of what is asked makes no sense.
    Wrong(Wrong),
    /// The server cannot tell.
    Fault(Fault),
}

/// Counts. `zone` is the clock that is meant when none is named.
///
/// # Errors
/// When a word makes no sense, or the database does not answer.
pub async fn answer(
    history: &History,
    inquiry: &Inquiry,
    (zone, now): (&Zone, Duration),
) -> Result<InsightView, Misfit> {
    let question = question(inquiry, (zone, now)).map_err(Misfit::Wrong)?;
    let uncounted = history.uncounted();
    let found = history.analytics().count(&question).await.map_err(|why| match why {
        Uncounted::Groups => Misfit::Wrong(Wrong { parameter: "by", why: why.to_string() }),
        Uncounted::Database(_) | Uncounted::Busy => {
            tracing::warn!(%why, "calls could not be counted");
            Misfit::Fault(Fault::new(FaultCode::Busy, why.to_string()))
        }
    })?;
    let time = |call: Option<CallId>| timestamp(call.map(CallId::began).unwrap_or_default());
    let names: Vec<String> = question.by.iter().map(|by| by.name().to_owned()).collect();
    Ok(InsightView {
        created_after: time(question.filter.first),
        created_before: time(question.filter.before),
        timezone: question.zone.name().to_owned(),
        uncounted,
        data: found.into_iter().map(|(parts, tally)| view(&names, parts, &tally)).collect(),
        by: names,
    })
}

impl From<Misfit> for Fault {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Wrong(why) => Self::new(FaultCode::Impossible, why.to_string()),
            Misfit::Fault(fault) => fault,
        }
    }
}

/// Reads what is asked.
fn question(inquiry: &Inquiry, (zone, now): (&Zone, Duration)) -> Result<Question, Wrong> {
    let mut by = Vec::new();
    for name in inquiry.by.iter().flat_map(|it| it.split(',')).map(str::trim) {
        let names = || By::names().collect::<Vec<_>>().join(", ");
        let wrong = || Wrong { parameter: "by", why: format!("one or more of {}", names()) };
        let read = By::read(name).ok_or_else(wrong)?;
        if by.contains(&read) {
            return Err(Wrong { parameter: "by", why: format!("`{name}` is there twice") });
        }
        by.push(read);
    }
    let zone = named(inquiry.timezone.as_deref(), zone)?;
    let mut filter = Wanted::read(&inquiry.sought)?.filter().clone();
    let before = filter.before.map_or(now + Duration::from_millis(1), CallId::began);
    let first = filter.first.map_or(before.saturating_sub(USUAL_RANGE), CallId::began);
    if before.saturating_sub(first) > LONGEST_RANGE {
        let why = format!("at most {} days at once", LONGEST_RANGE.as_secs() / 86_400);
        return Err(Wrong { parameter: "created_after", why });
    }
    filter.first = Some(CallId::first_at(first));
    filter.before = Some(CallId::first_at(before));
    Ok(Question { filter, by, zone })
}

/// The time zone of this name; without one, `usual`.
///
/// # Errors
/// When there is none of that name.
pub fn named(name: Option<&str>, usual: &Zone) -> Result<Zone, Wrong> {
    let Some(name) = name else { return Ok(usual.clone()) };
    let wrong = |why: crate::base::zone::NotAZone| why.to_string();
    name.parse().map_err(|why| Wrong { parameter: "timezone", why: wrong(why) })
}

fn view(names: &[String], parts: Vec<Part>, tally: &Tally) -> GroupView {
    let text = |part| match part {
        Part::Name(name) => name,
        Part::Time(_, time) => Some(time),
    };
    let sum = |sum: u64, count: u64| TotalView { sum, average: sum.checked_div(count) };
    let delays = &tally.delays;
    GroupView {
        group: names.iter().cloned().zip(parts.into_iter().map(text)).collect(),
        calls: tally.calls,
        answered: tally.answered,
        answer_rate: tally.answered as f64 / tally.calls.max(1) as f64,
        duration_ms: sum(tally.lasted, tally.calls),
        talk_ms: sum(tally.talked, tally.answered),
        status: tally.statuses.clone(),
        end_reason: tally.causes.clone(),
        turns: delays.count(),
        latency_ms: LatencyView {
            p50: delays.percentile(50),
            p95: delays.percentile(95),
            p99: delays.percentile(99),
        },
        cost: tally.costs.iter().map(MoneyView::of).collect(),
    }
}

/// How far is looked back when nothing is said.
const USUAL_RANGE: Duration = Duration::from_secs(30 * 86_400);

/// The longest time that is counted at once.
const LONGEST_RANGE: Duration = Duration::from_secs(400 * 86_400);
