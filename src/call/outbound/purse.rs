//! The purse: what calls cost, and how long they may last for that (T1, T39). A minute is paid when
//! it begins. What cannot be paid does not begin, and a call out whose next minute cannot be paid
//! is over.
//!
//! Accounts are the server, each trunk, each tenant, each agent. A call is charged to all that have
//! to do with it, and goes on as long as every one of them can pay.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::exactness;
use crate::base::calendar::Date;
use crate::base::money::{Currency, Money};
use crate::base::zone::Zone;
use crate::dialplan::pattern::Match;
use crate::sip::event::SessionId;
use crate::sip::transaction::agenda::Agenda;

/// Pays for calls.
#[derive(Debug, Default)]
pub struct Purse {
    settings: Settings,
    ledger: Ledger,
    /// The time on the wall, since the Unix epoch.
    wall: Duration,
    meters: HashMap<SessionId, Meter>,
    due: Agenda<SessionId>,
    /// What was told since the day or month began.
    told: HashSet<(Account, Limit, bool)>,
    news: VecDeque<News>,
    is_changed: bool,
}

/// What may be spent, and what minutes cost.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where the day begins when it begins here.
    pub zone: Zone,
    /// What everything costs in.
    pub currency: Option<Currency>,
    /// What a minute to these numbers costs, in millionths; the most exact counts.
    pub rates: Vec<(Match, u64)>,
    /// The same for a trunk that has prices of its own.
    pub trunks: HashMap<Arc<str>, Vec<(Match, u64)>>,
    /// What a minute costs that nobody priced.
    pub unpriced: u64,
    /// What accounts may spend.
    pub allowances: HashMap<Account, Allowance>,
    /// The time zones of those who live elsewhere.
    pub zones: HashMap<Account, Zone>,
}

/// Who pays.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// The server, for every call out.
    Server,
    /// A trunk, for calls out by it.
    Trunk(Arc<str>),
    /// A tenant, for calls of its numbers, in and out.
    Tenant(Arc<str>),
    /// An agent, for calls that go out for it.
    Agent(Arc<str>),
    /// A provider, for its own work.
    Provider(Arc<str>),
}

/// What an account may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowance {
    /// For calls out, within a day, in millionths.
    pub daily_budget: Option<u64>,
    /// Minutes of calls out within a day.
    pub daily_minutes: Option<u32>,
    /// Minutes of calls within a month, in and out.
    pub monthly_minutes: Option<u32>,
}

/// What of an account is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limit {
    /// The money of a day.
    DailyBudget,
    /// The minutes of a day.
    DailyMinutes,
    /// The minutes of a month.
    MonthlyMinutes,
}

/// Who cannot pay, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of {account} {}", .limit.words(), if *.limit == Limit::DailyBudget { "is spent" } else { "are used up" })]
pub struct Short {
    /// Who.
    pub account: Account,
    /// What is spent.
    pub limit: Limit,
}

/// What a call costs, and whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fare {
    /// Who pays.
    pub accounts: Vec<Account>,
    /// What a minute costs, in millionths.
    pub price: u64,
    /// Whether it goes out.
    pub is_out: bool,
}

/// For whom a call goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payer {
    /// The agent.
    pub agent: Arc<str>,
    /// What may be spent for it.
    pub allowance: Allowance,
}

/// An account came near its limit, or reached it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Which, and what is spent.
    pub short: Short,
    /// Whether all is spent; else most of it is.
    pub is_spent: bool,
}

/// What was spent, by the name of the account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger(pub BTreeMap<String, Spent>);

/// What an account spent today and this month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The day.
    #[serde(serialize_with = "written")]
    pub day: Date,
    /// On that day.
    pub today: Sum,
    /// In the month of that day.
    pub month: Sum,
}

/// Minutes that began, and what those cost that went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sum {
    /// Minutes of calls that came in.
    pub minutes_in: u64,
    /// Minutes of calls that went out.
    pub minutes_out: u64,
    /// What they cost, in millionths.
    pub spent: u64,
}

/// A line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose.
    pub account: Account,
    /// What was spent.
    pub spent: Spent,
    /// What may be.
    pub allowance: Allowance,
}

/// What a call has cost up to now is paid; this is what comes.
#[derive(Debug)]
struct Meter {
    fare: Fare,
    /// Whether it was answered; until then a minute is put aside.
    is_running: bool,
    /// Why it was ended.
    cut: Option<Short>,
}

impl Purse {
    /// A purse from which so much was taken already.
    pub fn new(settings: Settings, ledger: Ledger) -> Self {
        Self { settings, ledger, ..Self::default() }
    }

    /// Tells the time on the wall, since the Unix epoch.
    pub fn date(&mut self, since_epoch: Duration) {
        self.wall = since_epoch;
    }

    /// What a call to a number costs by a trunk, and whom.
    pub fn fare(
        &self,
        (trunk, tenant): (&Arc<str>, Option<&Arc<str>>),
        number: &str,
        payer: Option<&Payer>,
    ) -> Fare {
        let own = self.settings.trunks.get(trunk).and_then(|rates| best(rates, number));
        let price = own.or_else(|| best(&self.settings.rates, number));
        let mut accounts = vec![Account::Server, Account::Trunk(trunk.clone())];
        accounts.extend(tenant.cloned().map(Account::Tenant));
        accounts.extend(payer.map(|payer| Account::Agent(payer.agent.clone())));
        Fare { accounts, price: price.unwrap_or(self.settings.unpriced), is_out: true }
    }

    /// An agent may spend so much from now on.
    pub fn allow(&mut self, payer: &Payer) {
        let account = Account::Agent(payer.agent.clone());
        self.settings.allowances.insert(account, payer.allowance);
    }

    /// Whether another minute of a call can be paid, beside the first ones of those that ring.
    ///
    /// # Errors
    /// With the account that cannot pay.
    pub fn can_pay(&self, session: SessionId, fare: &Fare) -> Result<(), Short> {
        fare.accounts.iter().try_for_each(|account| {
            let waiting = self.meters.iter().filter(|(other, meter)| {
                **other != session && !meter.is_running && meter.fare.accounts.contains(account)
            });
            let aside = waiting.fold(Sum::default(), |sum, (_, meter)| sum.plus(&meter.fare));
            self.afford(account, fare, aside)
        })
    }

    /// A call rings: its first minute is put aside.
    pub fn begin(&mut self, session: SessionId, fare: Fare) {
        self.due.arm(session, None);
        self.meters.insert(session, Meter { fare, is_running: false, cut: None });
    }

    /// Says who could not pay for a call that was refused.
    pub fn refused(&mut self, short: &Short) {
        self.tell(short, true);
    }

    /// A call was answered: its first minute is paid.
    pub fn answered(&mut self, now: Instant, session: SessionId) {
        let Some(meter) = self.meters.get_mut(&session).filter(|meter| !meter.is_running) else {
            return;
        };
        meter.is_running = true;
        let fare = meter.fare.clone();
        self.charge(&fare);
        self.due.arm(session, Some(now + MINUTE));
    }

    /// Why a call was ended, if nobody paid for it.
    pub fn cut(&mut self, session: SessionId) -> Option<Short> {
        self.meters.get_mut(&session)?.cut.take()
    }

    /// Whether the first minute of a call that came in can be had.
    pub fn can_go_on(&mut self, session: SessionId) -> bool {
        let Some(fare) = self.meters.get(&session).map(|meter| meter.fare.clone()) else {
            return true;
        };
        let may = self.can_pay(session, &fare);
        if let Err(short) = &may {
            self.tell(short, true);
        }
        may.is_ok()
    }

    /// A call is over.
    pub fn over(&mut self, session: SessionId) {
        self.meters.remove(&session);
        self.due.arm(session, None);
    }

    /// Pays the minutes that begin; gives a call that is to end, since nobody pays for it.
    pub fn tick(&mut self, now: Instant) -> Option<SessionId> {
        while let Some(session) = self.due.pop_due(now) {
            let Some(fare) = self.meters.get(&session).map(|meter| meter.fare.clone()) else {
                continue;
            };
            match self.can_pay(session, &fare) {
                // Who called in is not cut off in the middle of a sentence: it costs nothing.
                Err(short) if fare.is_out => {
                    self.tell(&short, true);
                    if let Some(meter) = self.meters.get_mut(&session) {
                        meter.cut = Some(short);
                    }
                    return Some(session);
                }
                Ok(()) | Err(_) => {
                    self.charge(&fare);
                    self.due.arm(session, Some(now + MINUTE));
                }
            }
        }
        None
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.due.next()
    }

    /// Who came near a limit, or reached it.
    pub fn poll(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// What was spent, if that changed since it was asked last.
    pub fn changed(&mut self) -> Option<&Ledger> {
        std::mem::take(&mut self.is_changed).then_some(&self.ledger)
    }

    /// What every account spent and may spend.
    pub fn report(&self) -> Vec<Line> {
        let line = |account: &Account| Line {
            account: account.clone(),
            spent: self.spent(account),
            allowance: self.allowance(account),
        };
        let limited = self.settings.allowances.keys().cloned();
        let spent = self.ledger.0.keys().filter_map(|name| Account::named(name));
        let mut accounts: Vec<Account> = limited.chain(spent).chain([Account::Server]).collect();
        accounts.sort();
        accounts.dedup();
        accounts.iter().map(line).collect()
    }

    /// What everything costs in.
    pub fn currency(&self) -> Option<Currency> {
        self.settings.currency
    }

    fn afford(&self, account: &Account, fare: &Fare, aside: Sum) -> Result<(), Short> {
        let (Spent { today, month, .. }, may) = (self.spent(account), self.allowance(account));
        let (today, month) = (today.and(aside).plus(fare), month.and(aside).plus(fare));
        let minutes = month.minutes_in.saturating_add(month.minutes_out);
        let is_over = |limit: Option<u64>, sum: u64| limit.is_some_and(|limit| sum > limit);
        let limit = if fare.is_out && is_over(may.daily_budget, today.spent) {
            Limit::DailyBudget
        } else if fare.is_out && is_over(may.daily_minutes.map(u64::from), today.minutes_out) {
            Limit::DailyMinutes
        } else if is_over(may.monthly_minutes.map(u64::from), minutes) {
            Limit::MonthlyMinutes
        } else {
            return Ok(());
        };
        Err(Short { account: account.clone(), limit })
    }

    fn charge(&mut self, fare: &Fare) {
        self.is_changed = true;
        for account in &fare.accounts {
            let mut spent = self.spent(account);
            spent.today = spent.today.plus(fare);
            spent.month = spent.month.plus(fare);
            let before = self.ledger.0.insert(account.to_string(), spent);
            if let Some(before) = before.filter(|before| before.day != spent.day) {
                let is_month = is_month(before.day, spent.day);
                self.told.retain(|(of, limit, _)| {
                    of != account || *limit == Limit::MonthlyMinutes && is_month
                });
            }
            self.warn(account, &spent);
        }
    }

    /// Says so once when most is spent.
    fn warn(&mut self, account: &Account, spent: &Spent) {
        let may = self.allowance(account);
        let minutes = spent.month.minutes_in.saturating_add(spent.month.minutes_out);
        let sums = [
            (Limit::DailyBudget, may.daily_budget, spent.today.spent),
            (Limit::DailyMinutes, may.daily_minutes.map(u64::from), spent.today.minutes_out),
            (Limit::MonthlyMinutes, may.monthly_minutes.map(u64::from), minutes),
        ];
        for (limit, most, sum) in sums {
            let is_near = most.is_some_and(|most| sum.saturating_mul(5) >= most.saturating_mul(4));
            if is_near {
                self.tell(&Short { account: account.clone(), limit }, false);
            }
        }
    }

    fn tell(&mut self, short: &Short, is_spent: bool) {
        if self.told.insert((short.account.clone(), short.limit, is_spent)) {
            self.news.push_back(News { short: short.clone(), is_spent });
        }
    }

    /// What an account spent on the day that it is where it lives.
    fn spent(&self, account: &Account) -> Spent {
        let zone = self.settings.zones.get(account).unwrap_or(&self.settings.zone);
        let day = zone.local(self.wall).date;
        let nothing = Spent { day, today: Sum::default(), month: Sum::default() };
        let Some(&before) = self.ledger.0.get(&account.to_string()) else { return nothing };
        match (before.day == day, is_month(before.day, day)) {
            (true, _) => before,
            (false, true) => Spent { month: before.month, ..nothing },
            (false, false) => nothing,
        }
    }

    fn allowance(&self, account: &Account) -> Allowance {
        self.settings.allowances.get(account).copied().unwrap_or_default()
    }
}

impl Fare {
    /// What a call costs that comes in: minutes of its tenant, who may have only so many.
    pub fn of_caller(tenant: Arc<str>) -> Self {
        Self { accounts: vec![Account::Tenant(tenant)], price: 0, is_out: false }
    }
}

impl Sum {
    fn plus(self, fare: &Fare) -> Self {
        let (minutes_in, minutes_out) = if fare.is_out { (0, 1) } else { (1, 0) };
        self.and(Self { minutes_in, minutes_out, spent: fare.price })
    }

    fn and(self, other: Self) -> Self {
        Self {
            minutes_in: self.minutes_in.saturating_add(other.minutes_in),
            minutes_out: self.minutes_out.saturating_add(other.minutes_out),
            spent: self.spent.saturating_add(other.spent),
        }
    }
}

impl Account {
    fn named(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "server" => Some(Self::Server),
            Some(("trunk", name)) => Some(Self::Trunk(name.into())),
            Some(("tenant", name)) => Some(Self::Tenant(name.into())),
            Some(("agent", name)) => Some(Self::Agent(name.into())),
            _ => None,
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("server"),
            Self::Trunk(name) => write!(f, "trunk:{name}"),
            Self::Tenant(name) => write!(f, "tenant:{name}"),
            Self::Agent(name) => write!(f, "agent:{name}"),
            Self::Provider(name) => write!(f, "provider:{name}"),
        }
    }
}

impl Limit {
    /// The key in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::DailyBudget => "daily_budget",
            Self::DailyMinutes => "daily_minutes",
            Self::MonthlyMinutes => "minutes_per_month",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::DailyBudget => "the daily budget",
            Self::DailyMinutes => "the minutes of the day",
            Self::MonthlyMinutes => "the minutes of the month",
        }
    }
}

/// An amount in words; without a currency, there was none to count in.
pub fn money(millionths: u64, currency: Option<Currency>) -> Option<Money> {
    currency.map(|currency| Money { millionths, currency })
}

/// Whether two days are in one month.
fn is_month(one: Date, other: Date) -> bool {
    (one.year(), one.month()) == (other.year(), other.month())
}

fn best(rates: &[(Match, u64)], number: &str) -> Option<u64> {
    let fits = rates.iter().filter(|(pattern, _)| pattern.matches(number));
    fits.max_by_key(|(pattern, _)| exactness(pattern)).map(|(_, price)| *price)
}

fn written<S: serde::Serializer>(day: &Date, target: S) -> Result<S::Ok, S::Error> {
    target.collect_str(day)
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
