//! What the work of providers in a call came to, and what it costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agent::event::ThoughtId;
use crate::base::money::Currency;
use crate::base::price::{Amount, Cost, Price, Prices, Unit};
use crate::call::stage::Stage;

/// What a provider did, as whoever asked it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// What it does.
    pub stage: Stage,
    /// Its name in the configuration.
    pub provider: Arc<str>,
    /// Its model, if that is known.
    pub model: Option<Arc<str>>,
    /// For which answer of a model, if for one.
    pub thought: Option<ThoughtId>,
    /// How much of what.
    pub amounts: Vec<Amount>,
}

/// All that providers did, one line for each thing that is counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uses(Vec<Item>);

/// One thing that a provider did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it does.
    pub stage: Stage,
    /// Its name in the configuration.
    pub provider: Arc<str>,
    /// Its model, if that is known.
    pub model: Option<Arc<str>>,
    /// What is counted, and how much there was.
    pub amount: Amount,
    /// What it costs, if the operator says so.
    pub price: Option<Price>,
}

impl Uses {
    /// What was done, at these prices.
    pub fn new(used: &Used, prices: &Prices) -> Self {
        let Used { stage, provider, model, amounts, .. } = used;
        let item = |amount: &Amount| Item {
            stage: *stage,
            provider: provider.clone(),
            model: model.clone(),
            amount: *amount,
            price: prices.price(provider, model.as_deref(), amount.unit),
        };
        Self(amounts.iter().map(item).collect())
    }

    /// Adds what else was done.
    pub fn add(&mut self, other: &Self) {
        for item in &other.0 {
            if let Some(known) = self.0.iter_mut().find(|it| it.is_like(item)) {
                known.amount.count = known.amount.count.saturating_add(item.amount.count);
            } else if self.0.len() < MOST_ITEMS {
                self.0.push(item.clone());
            }
        }
    }

    /// One thing after the other, in the order in which they were first done.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.0.iter()
    }

    /// How much there was of something, whoever did it.
    pub fn count(&self, unit: Unit) -> u64 {
        self.count_of(unit, |_| true)
    }

    /// How much there was of something, of some who did it.
    pub fn count_of(&self, unit: Unit, is_one: impl Fn(&Item) -> bool) -> u64 {
        let own = self.0.iter().filter(|it| it.amount.unit == unit && is_one(it));
        own.fold(0, |sum, it| sum.saturating_add(it.amount.count))
    }

    /// What all of it costs, in each currency; nothing where nobody says what anything costs.
    pub fn costs(&self) -> Vec<Cost> {
        let mut sums: BTreeMap<Currency, u128> = BTreeMap::new();
        for cost in self.0.iter().filter_map(Item::cost) {
            let sum = sums.entry(cost.currency).or_default();
            *sum = sum.saturating_add(cost.billionths);
        }
        sums.into_iter().map(|(currency, billionths)| Cost { billionths, currency }).collect()
    }

    /// Whether nobody did anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Item {
    /// What it costs, if the operator says so.
    pub fn cost(&self) -> Option<Cost> {
        self.price.map(|price| price.of(self.amount.count))
    }

    fn is_like(&self, other: &Self) -> bool {
        let what = |it: &Self| (it.stage, it.amount.unit, it.price);
        what(self) == what(other) && self.provider == other.provider && self.model == other.model
    }
}

/// How many things are counted apart in a call: more than its agents have providers and models.
const MOST_ITEMS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::price::Tariff;

    #[test]
    fn what_is_done_again_is_counted_together_and_costs_what_it_did() {
        let tariff = |output: &str| Tariff { output: output.parse().ok(), ..Tariff::default() };
        let mut prices = Prices::default();
        prices.know("a", tariff("1 USD/1M tokens"), &BTreeMap::new());
        prices.know("b", tariff("2 EUR/1M tokens"), &BTreeMap::new());
        let mut uses = Uses::default();
        for (provider, count) in [("a", 1), ("b", 5), ("a", 2), ("free", 7)] {
            let amounts = vec![Amount { unit: Unit::OutputTokens, count }];
            let (stage, model) = (Stage::Think, None);
            let (provider, thought) = (provider.into(), None);
            let used = Used { stage, provider, model, thought, amounts };
            uses.add(&Uses::new(&used, &prices));
        }
        let counts: Vec<u64> = uses.iter().map(|it| it.amount.count).collect();
        assert_eq!((counts, uses.count(Unit::OutputTokens)), (vec![3, 5, 7], 15));
        let costs: Vec<String> =
            uses.costs().iter().map(|it| format!("{} {}", it.amount(), it.currency)).collect();
        assert_eq!(costs, ["0.00001 EUR", "0.000003 USD"]);
    }
}
