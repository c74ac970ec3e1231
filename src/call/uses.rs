//! What the work of providers in a call came to, and what it costs.

use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// Adds what was done, at these prices.
    pub fn add(&mut self, used: &Used, prices: &Prices) {
        for amount in &used.amounts {
            let known = self.0.iter_mut().find(|it| {
                it.stage == used.stage
                    && it.provider == used.provider
                    && it.model == used.model
                    && it.amount.unit == amount.unit
            });
            if let Some(item) = known {
                item.amount.count = item.amount.count.saturating_add(amount.count);
                continue;
            }
            if self.0.len() >= MOST_ITEMS {
                continue;
            }
            let price = prices.price(&used.provider, used.model.as_deref(), amount.unit);
            self.0.push(Item {
                stage: used.stage,
                provider: used.provider.clone(),
                model: used.model.clone(),
                amount: *amount,
                price,
            });
        }
    }

    /// One thing after the other, in the order in which they were first done.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.0.iter()
    }

    /// How much there was of something, whoever did it.
    pub fn count(&self, unit: Unit) -> u64 {
        let own = self.0.iter().filter(|it| it.amount.unit == unit);
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
            uses.add(&Used { stage, provider: provider.into(), model, amounts }, &prices);
        }
        let counts: Vec<u64> = uses.iter().map(|it| it.amount.count).collect();
        assert_eq!((counts, uses.count(Unit::OutputTokens)), (vec![3, 5, 7], 15));
        let costs: Vec<String> =
            uses.costs().iter().map(|it| format!("{} {}", it.amount(), it.currency)).collect();
        assert_eq!(costs, ["0.00001 EUR", "0.000003 USD"]);
    }
}
