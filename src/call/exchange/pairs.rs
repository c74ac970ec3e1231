//! Who talks with whom through us: a phone that connects two calls which both go by us names its own
//! side of the second, and the other end of that one knows it by another name (RFC 3891).

use std::collections::HashMap;

use super::Exchange;
use crate::sip::event::SessionId;

/// The legs that are bridged, each with the one that it hears.
#[derive(Debug, Default)]
pub(super) struct Pairs(HashMap<SessionId, SessionId>);

impl Pairs {
    /// Two legs talk with each other from now on.
    fn join(&mut self, one: SessionId, other: SessionId) {
        self.0.insert(one, other);
        self.0.insert(other, one);
    }

    /// Whom a leg talks with. Who was left for somebody else talks with nobody.
    fn of(&self, leg: SessionId) -> Option<SessionId> {
        let other = self.0.get(&leg)?;
        (self.0.get(other) == Some(&leg)).then_some(*other)
    }

    /// A leg is over.
    pub fn over(&mut self, leg: SessionId) {
        self.0.remove(&leg);
    }
}

impl Exchange {
    /// Two legs of a call talk with each other from now on.
    pub fn pair(&mut self, one: SessionId, other: SessionId) {
        self.pairs.join(one, other);
    }

    /// The session of the leg that another leg talks with.
    pub fn partner_of(&self, leg: SessionId) -> Option<SessionId> {
        self.pairs.of(leg).map(|other| self.forks.session_of(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_talks_with_whom_it_was_joined_with_last() {
        let mut pairs = Pairs::default();
        let [anna, ben, carla] = [SessionId(1), SessionId(2), SessionId(3)];
        pairs.join(anna, ben);
        assert_eq!((pairs.of(anna), pairs.of(ben), pairs.of(carla)), (Some(ben), Some(anna), None));
        pairs.join(anna, carla);
        assert_eq!((pairs.of(anna), pairs.of(ben)), (Some(carla), None));
        for leg in [anna, ben, carla] {
            pairs.over(leg);
        }
        assert!(pairs.0.is_empty());
    }
}
