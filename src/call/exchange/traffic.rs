//! How many calls each trunk carries and has carried, and whether it has room for another one.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::recent::Recent;
use crate::sip::event::SessionId;

/// Counts the calls of each trunk.
#[derive(Debug)]
pub(super) struct Traffic {
    counts: BTreeMap<Arc<str>, Count>,
    /// The most calls at once, both ways together; without, any number.
    most: HashMap<Arc<str>, usize>,
    /// Which trunk carries a session, and which way.
    sessions: HashMap<SessionId, (Arc<str>, Way)>,
    /// Where trunks were met: several may have hosts at one address.
    places: Recent<SocketAddr, Arc<str>>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            counts: BTreeMap::new(),
            most: HashMap::new(),
            sessions: HashMap::new(),
            places: Recent::holding(MOST_PLACES),
        }
    }
}

/// The calls of one trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Those that came in and are up.
    pub inbound: usize,
    /// Those that go out and are up, or ring.
    pub outbound: usize,
    /// All that came in.
    pub inbound_total: u64,
    /// All that were tried out.
    pub outbound_total: u64,
}

/// Which way a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

impl Traffic {
    /// Makes a table of trunks that carry so many calls at once at most, both ways together.
    pub fn bounded(most: HashMap<Arc<str>, usize>) -> Self {
        Self { most, ..Self::default() }
    }

    /// Whether a trunk has room for a session beside all others.
    pub fn has_room(&self, trunk: &str, session: SessionId) -> bool {
        let Some(most) = self.most.get(trunk) else { return true };
        let Count { inbound, outbound, .. } = self.of(trunk);
        let is_counted = self.carrier(session).is_some_and(|carrier| &**carrier == trunk);
        inbound.saturating_add(outbound) < most.saturating_add(usize::from(is_counted))
    }

    /// A trunk carries a session; whoever carried it before does not any more.
    pub fn carry(&mut self, session: SessionId, trunk: &Arc<str>, way: Way) {
        self.over(session);
        let count = self.counts.entry(trunk.clone()).or_default();
        let (now, total) = count.of(way);
        *now = now.saturating_add(1);
        *total = total.saturating_add(1);
        self.sessions.insert(session, (trunk.clone(), way));
    }

    /// A trunk was met at this address.
    pub fn meet(&mut self, trunk: &Arc<str>, remote: SocketAddr) {
        let known = self.places.entry(remote, || trunk.clone());
        if known != trunk {
            *known = trunk.clone();
        }
    }

    /// The trunk that was met at an address.
    pub fn at(&self, remote: SocketAddr) -> Option<&Arc<str>> {
        self.places.find(&remote)
    }

    /// A session is over.
    pub fn over(&mut self, session: SessionId) {
        let Some((trunk, way)) = self.sessions.remove(&session) else { return };
        if let Some(count) = self.counts.get_mut(&trunk) {
            let (now, _) = count.of(way);
            *now = now.saturating_sub(1);
        }
    }

    /// What a trunk carries.
    pub fn of(&self, trunk: &str) -> Count {
        self.counts.get(trunk).copied().unwrap_or_default()
    }

    /// The trunk that carries a session.
    pub fn carrier(&self, session: SessionId) -> Option<&Arc<str>> {
        self.sessions.get(&session).map(|(trunk, _)| trunk)
    }
}

impl Count {
    fn of(&mut self, way: Way) -> (&mut usize, &mut u64) {
        match way {
            Way::In => (&mut self.inbound, &mut self.inbound_total),
            Way::Out => (&mut self.outbound, &mut self.outbound_total),
        }
    }
}

/// How many addresses of trunks are remembered.
const MOST_PLACES: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_and_out_share_the_room_of_a_trunk() {
        let name: Arc<str> = "carrier".into();
        let mut traffic = Traffic::bounded(HashMap::from([(name.clone(), 2)]));
        traffic.carry(SessionId(1), &name, Way::In);
        assert!(traffic.has_room("carrier", SessionId(2)));
        traffic.carry(SessionId(2), &name, Way::Out);
        // Whoever is counted has its room.
        assert!(traffic.has_room("carrier", SessionId(1)));
        assert!(traffic.has_room("carrier", SessionId(2)));
        assert!(!traffic.has_room("carrier", SessionId(3)));
        traffic.carry(SessionId(3), &name, Way::In);
        assert!(!traffic.has_room("carrier", SessionId(3)));
        traffic.over(SessionId(3));
        traffic.over(SessionId(1));
        assert!(traffic.has_room("carrier", SessionId(3)));
        assert!(traffic.has_room("another", SessionId(3)));
    }

    #[test]
    fn a_leg_that_goes_over_to_another_trunk_is_carried_by_one_only() {
        let mut traffic = Traffic::default();
        let (first, second): (Arc<str>, Arc<str>) = ("first".into(), "second".into());
        traffic.carry(SessionId(1), &first, Way::Out);
        traffic.carry(SessionId(1), &second, Way::Out);
        traffic.carry(SessionId(2), &second, Way::In);
        assert_eq!((traffic.of("first").outbound, traffic.of("first").outbound_total), (0, 1));
        assert_eq!(traffic.of("second").outbound, 1);
        assert_eq!(traffic.carrier(SessionId(1)), Some(&second));
        traffic.over(SessionId(1));
        traffic.over(SessionId(1));
        traffic.over(SessionId(2));
        let Count { inbound, outbound, inbound_total, outbound_total } = traffic.of("second");
        assert_eq!((inbound, outbound, inbound_total, outbound_total), (0, 0, 1, 1));
    }
}
