//! What the work of providers came to.

use super::Chronicle;
use crate::base::price::Prices;
use crate::call::uses::Used;

impl Chronicle {
    /// A provider did something that may cost something: in the turn that is going on, if there is
    /// one.
    pub fn used(&mut self, used: &Used, prices: &Prices) {
        self.record.uses.add(used, prices);
        if let Some(turn) = self.record.turns.last_mut() {
            turn.uses.add(used, prices);
        }
    }
}
