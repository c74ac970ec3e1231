//! The till: what the work of providers cost today and this month, and which of them may cost no
//! more (T39).

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::calendar::Date;
use crate::base::money::{Currency, Money};
use crate::base::price::{Amount, Cost, Prices};
use crate::base::zone::Zone;
use crate::call::outbound::purse::{Account, Limit, News, Short};

/// Adds up what providers cost, in all calls.
#[derive(Debug, Default)]
pub struct Till {
    settings: Settings,
    ledger: Ledger,
    /// What was told on a day.
    told: HashSet<(String, Date, bool)>,
    news: VecDeque<News>,
}

/// What work costs, and what it may cost.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where the day begins when it begins here.
    pub zone: Zone,
    /// What work costs.
    pub prices: Prices,
    /// What a provider may cost in a day, by its name; in the currency of its prices.
    pub budgets: BTreeMap<String, Money>,
}

/// What was spent, by the name of the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger(pub BTreeMap<String, Spent>);

/// What a provider cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The last day on which it worked.
    #[serde(serialize_with = "written")]
    pub day: Date,
    /// What its prices are in.
    pub currency: Currency,
    /// On that day, in billionths.
    pub today: u64,
    /// In the month of that day, in billionths.
    pub month: u64,
}

/// A line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The provider.
    pub provider: String,
    /// What it cost.
    pub spent: Spent,
    /// What it may cost in a day.
    pub daily_budget: Option<Money>,
}

impl Till {
    /// Goes on from what was spent before.
    pub fn remember(&mut self, ledger: Ledger) {
        self.ledger = ledger;
    }

    /// Counts by these from now on.
    pub fn settle(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// A provider did something. Gives what was spent by all, if it costs anything.
    pub fn spend(
        &mut self,
        now: Duration,
        (provider, model): (&str, Option<&str>),
        amounts: &[Amount],
    ) -> Option<&Ledger> {
        let prices = &self.settings.prices;
        let cost = |it: &Amount| Some(prices.price(provider, model, it.unit)?.of(it.count));
        let costs: Vec<Cost> = amounts.iter().filter_map(cost).collect();
        for cost in &costs {
            let mut spent = self.spent(now, provider, cost.currency);
            let billionths = u64::try_from(cost.billionths).unwrap_or(u64::MAX);
            spent.today = spent.today.saturating_add(billionths);
            spent.month = spent.month.saturating_add(billionths);
            self.ledger.0.insert(provider.to_owned(), spent);
        }
        self.warn(now, provider);
        (!costs.is_empty()).then_some(&self.ledger)
    }

    /// What a provider may cost in a day, if it has cost that today.
    pub fn is_spent(&self, now: Duration, provider: &str) -> Option<Money> {
        let budget = *self.settings.budgets.get(provider)?;
        (self.today(now, provider, budget.currency) >= whole(budget)).then_some(budget)
    }

    /// Who came near its budget, or reached it: told once a day.
    pub fn poll(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// What every provider cost that costs something or may.
    pub fn report(&self, now: Duration) -> Vec<Line> {
        let limited = self.settings.budgets.iter().map(|(name, it)| (name, it.currency));
        let spent = self.ledger.0.iter().map(|(name, it)| (name, it.currency));
        let names: BTreeMap<&String, Currency> = spent.chain(limited).collect();
        let line = |(name, currency): (&String, Currency)| Line {
            provider: name.clone(),
            spent: self.spent(now, name, currency),
            daily_budget: self.settings.budgets.get(name).copied(),
        };
        names.into_iter().map(line).collect()
    }

    fn warn(&mut self, now: Duration, provider: &str) {
        let Some(budget) = self.settings.budgets.get(provider).copied() else { return };
        let spent = self.spent(now, provider, budget.currency);
        let parts = |of: u64| spent.today >= whole(budget) / 5 * of;
        self.told.retain(|(_, day, _)| *day == spent.day);
        for is_spent in [false, true] {
            let is_so = if is_spent { spent.today >= whole(budget) } else { parts(4) };
            if is_so && self.told.insert((provider.to_owned(), spent.day, is_spent)) {
                let account = Account::Provider(provider.into());
                let short = Short { account, limit: Limit::DailyBudget };
                self.news.push_back(News { short, is_spent });
            }
        }
    }

    fn today(&self, now: Duration, provider: &str, currency: Currency) -> u64 {
        self.spent(now, provider, currency).today
    }

    /// What a provider spent on the day that it is. What it cost in another currency was another
    /// price list.
    fn spent(&self, now: Duration, provider: &str, currency: Currency) -> Spent {
        let day = self.settings.zone.local(now).date;
        let nothing = Spent { day, currency, today: 0, month: 0 };
        let before = self.ledger.0.get(provider).filter(|it| it.currency == currency);
        let Some(&before) = before else { return nothing };
        let is_month = (before.day.year(), before.day.month()) == (day.year(), day.month());
        match (before.day == day, is_month) {
            (true, _) => before,
            (false, true) => Spent { month: before.month, ..nothing },
            (false, false) => nothing,
        }
    }
}

/// A budget in billionths.
fn whole(budget: Money) -> u64 {
    budget.millionths.saturating_mul(1_000)
}

fn written<S: serde::Serializer>(day: &Date, target: S) -> Result<S::Ok, S::Error> {
    target.collect_str(day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::price::{Tariff, Unit};

    const DAY: Duration = Duration::from_secs(86_400);

    fn till(budget: &str) -> Till {
        let mut prices = Prices::default();
        let output = "10 USD/1M tokens".parse().ok();
        prices.know("a", Tariff { output, ..Tariff::default() }, &BTreeMap::new());
        let budgets = BTreeMap::from([("a".to_owned(), budget.parse().expect("money"))]);
        let mut till = Till::default();
        till.settle(Settings { zone: Zone::default(), prices, budgets });
        till
    }

    fn wrote(count: u64) -> [Amount; 1] {
        [Amount { unit: Unit::OutputTokens, count }]
    }

    fn told(till: &mut Till) -> Vec<bool> {
        std::iter::from_fn(|| till.poll()).map(|news| news.is_spent).collect()
    }

    #[test]
    fn who_has_cost_what_it_may_is_told_once_and_is_free_again_the_next_day() {
        // The 20th of a month.
        let now = DAY * 19_000;
        let mut till = till("1 USD");
        assert!(till.spend(now, ("a", None), &wrote(79_999)).is_some());
        assert_eq!((told(&mut till), till.is_spent(now, "a")), (vec![], None));
        till.spend(now, ("a", None), &wrote(1));
        assert_eq!((told(&mut till), till.is_spent(now, "a")), (vec![false], None));
        till.spend(now, ("a", None), &wrote(20_000));
        assert_eq!(told(&mut till), [true]);
        assert_eq!(till.is_spent(now, "a"), "1 USD".parse().ok());
        till.spend(now, ("a", None), &wrote(1));
        assert!(told(&mut till).is_empty());
        let morrow = now + DAY;
        assert_eq!(till.is_spent(morrow, "a"), None);
        till.spend(morrow, ("a", None), &wrote(100_000));
        assert_eq!(told(&mut till), [false, true]);
        let line = &till.report(morrow)[0];
        assert_eq!((line.spent.today, line.spent.month), (1_000_000_000, 2_000_010_000));
    }

    #[test]
    fn what_was_spent_outlives_a_restart_and_what_has_no_price_is_not_in_it() {
        let now = DAY * 19_000;
        let mut till = till("1 USD");
        assert_eq!(till.spend(now, ("b", None), &wrote(u64::MAX)), None);
        let ledger = till.spend(now, ("a", None), &wrote(u64::MAX)).cloned().expect("spent");
        let text = serde_json::to_string(&ledger).expect("JSON");
        let again: Ledger = serde_json::from_str(&text).expect("what was written");
        assert_eq!(again, ledger);
        let mut after = self::till("1 USD");
        assert_eq!(after.is_spent(now, "a"), None);
        after.remember(again);
        assert!(after.is_spent(now, "a").is_some());
    }
}
