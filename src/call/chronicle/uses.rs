//! What the work of providers came to.

use std::time::{Duration, Instant};

use super::Chronicle;
use crate::base::price::Prices;
use crate::call::record::Record;
use crate::call::uses::{Used, Uses};

/// What was done and may be for a turn that is not known yet: a caller is heard, and an answer is
/// thought out and voiced, before it is certain that there is a turn.
#[derive(Debug, Default)]
pub(super) struct Early(Vec<(Duration, Uses)>);

impl Chronicle {
    /// A provider did something that may cost something.
    pub fn used(&mut self, now: Instant, used: &Used, prices: &Prices) {
        let uses = Uses::new(used, prices);
        self.record.uses.add(&uses);
        let mut thoughts = self.record.thoughts.iter_mut().rev();
        let thought = used.thought.and_then(|id| thoughts.find(|it| it.id == id));
        thought.into_iter().for_each(|thought| thought.uses.add(&uses));
        let at = self.since(now);
        if let Some(uses) = self.early.keep(at, uses) {
            give(&mut self.record, &uses);
        }
    }

    /// A turn of the caller began then: what was done before was for the one before.
    pub(super) fn settle_until(&mut self, began: Duration) {
        self.early.before(began).iter().for_each(|uses| give(&mut self.record, uses));
    }

    /// The record as it stands, as if no turn came any more.
    pub(super) fn settled(&self) -> Record {
        let mut record = self.record.clone();
        self.early.0.iter().for_each(|(_, uses)| give(&mut record, uses));
        record
    }
}

impl Early {
    /// Keeps what may be for the next turn; gives back what there is no room for.
    fn keep(&mut self, at: Duration, uses: Uses) -> Option<Uses> {
        if self.0.len() >= MOST_EARLY {
            return Some(uses);
        }
        self.0.push((at, uses));
        None
    }

    /// What was done before a turn began.
    fn before(&mut self, began: Duration) -> Vec<Uses> {
        self.0.extract_if(.., |(at, _)| *at < began).map(|(_, uses)| uses).collect()
    }
}

/// What is done before the first turn is for none.
fn give(record: &mut Record, uses: &Uses) {
    record.turns.last_mut().into_iter().for_each(|turn| turn.uses.add(uses));
}

/// How much is remembered until a turn begins.
const MOST_EARLY: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::price::{Amount, Unit};
    use crate::call::stage::Stage;

    #[test]
    fn what_is_done_while_a_caller_speaks_is_for_the_turn_that_it_becomes() {
        let at = Duration::from_millis;
        let took = |count| {
            let amounts = vec![Amount { unit: Unit::OutputTokens, count }];
            let (stage, provider) = (Stage::Think, "a".into());
            let used = Used { stage, provider, model: None, thought: None, amounts };
            Uses::new(&used, &Prices::default())
        };
        let mut early = Early::default();
        assert_eq!(early.keep(at(1_000), took(1)), None);
        assert_eq!(early.keep(at(5_200), took(2)), None);
        // The caller has spoken since 5,000 ms, as is known when the turn is taken.
        assert_eq!(early.before(at(5_000)), [took(1)]);
        assert_eq!(early.before(at(9_000)), [took(2)]);
        for _ in 0..MOST_EARLY {
            assert_eq!(early.keep(at(1), took(1)), None);
        }
        assert_eq!(early.keep(at(1), took(1)), Some(took(1)));
    }
}
