//! Caps: how many calls a trunk, a phone and a number may have at once, and how many new ones a
//! trunk may bring in a second.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::{Badge, Bucket, Budget, Reason};
use crate::base::random::Random;
use crate::sip::event::{Refusal, SessionId};

/// Counts the calls that are up.
#[derive(Debug)]
pub struct Caps {
    settings: Settings,
    calls: HashMap<SessionId, Held>,
    by_phone: HashMap<Arc<str>, usize>,
    by_number: HashMap<String, usize>,
    by_address: HashMap<SocketAddr, usize>,
    paces: HashMap<Arc<str>, Bucket>,
    /// How many texts each trunk and each phone may write.
    texts: HashMap<(Arc<str>, Arc<str>), Bucket>,
}

/// What may be.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How many calls a trunk may begin, by name; without one, as many as it likes.
    pub paces: HashMap<Arc<str>, Budget>,
    /// The most calls that a phone may have with us at once, by name.
    pub phones: HashMap<Arc<str>, usize>,
    /// The most calls to one number at once.
    pub per_number: Option<usize>,
    /// The most calls that come in at once.
    pub together: Option<usize>,
}

/// A call that asks for room.
#[derive(Debug, Clone, Copy)]
pub struct Newcomer<'a> {
    /// Its session.
    pub session: SessionId,
    /// Whom it came from.
    pub badge: &'a Badge,
    /// The number that is called.
    pub number: &'a str,
    /// Where it came from.
    pub address: SocketAddr,
}

#[derive(Debug)]
struct Held {
    phone: Arc<str>,
    number: String,
    address: SocketAddr,
}

impl Caps {
    /// Makes a table without calls.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            calls: HashMap::new(),
            by_phone: HashMap::new(),
            by_number: HashMap::new(),
            by_address: HashMap::new(),
            paces: HashMap::new(),
            texts: HashMap::new(),
        }
    }

    /// Counts a new call, if there is room for it.
    ///
    /// # Errors
    /// With the cap that is reached.
    pub fn admit(&mut self, now: Instant, newcomer: &Newcomer<'_>) -> Result<(), Reason> {
        let Newcomer { session, badge, number, address } = *newcomer;
        if self.settings.together.is_some_and(|most| self.calls.len() >= most) {
            return Err(Reason::Full);
        }
        let (of_phone, of_number) = (count(&self.by_phone, &badge.phone), self.calls_to(number));
        let phone_cap = self.settings.phones.get(&badge.phone);
        if phone_cap.is_some_and(|most| of_phone >= *most) {
            return Err(Reason::PhoneLimit);
        }
        if self.settings.per_number.is_some_and(|most| of_number >= most) {
            return Err(Reason::NumberLimit);
        }
        if let Some(&budget) = self.settings.paces.get(&badge.name) {
            let pace = self.paces.entry(badge.name.clone());
            if !pace.or_insert_with(|| Bucket::full(now, budget)).take(now, budget) {
                return Err(Reason::TrunkLimit);
            }
        }
        *self.by_phone.entry(badge.phone.clone()).or_default() += 1;
        *self.by_number.entry(number.to_owned()).or_default() += 1;
        *self.by_address.entry(address).or_default() += 1;
        let held = Held { phone: badge.phone.clone(), number: number.to_owned(), address };
        self.calls.insert(session, held);
        Ok(())
    }

    /// Counts a text of a trunk or a phone, which are as many as the operator named.
    ///
    /// # Errors
    /// With the cap that is reached.
    pub fn admit_text(&mut self, now: Instant, sender: &Badge) -> Result<(), Reason> {
        let budget = self.settings.paces.get(&sender.name).copied().unwrap_or(TEXTS);
        let bucket = self.texts.entry((sender.name.clone(), sender.phone.clone()));
        let is_phone = !sender.phone.is_empty();
        match bucket.or_insert_with(|| Bucket::full(now, budget)).take(now, budget) {
            true => Ok(()),
            false if is_phone => Err(Reason::PhoneLimit),
            false => Err(Reason::TrunkLimit),
        }
    }

    /// A call is over; others are let in.
    pub fn over(&mut self, session: SessionId) {
        let Some(held) = self.calls.remove(&session) else { return };
        release(&mut self.by_phone, &held.phone);
        release(&mut self.by_number, &held.number);
        release(&mut self.by_address, &held.address);
    }

    /// Whether a call from there is up.
    pub fn is_calling(&self, address: SocketAddr) -> bool {
        self.by_address.contains_key(&address)
    }

    /// How many calls are up.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    fn calls_to(&self, number: &str) -> usize {
        self.by_number.get(number).copied().unwrap_or_default()
    }
}

impl Reason {
    /// How a call is refused for this reason: with the time to come back, not all at one moment.
    pub fn refusal(self, random: &mut Random) -> Refusal {
        let status = match self {
            Self::NumberLimit => 486,
            // To come back in some seconds would not help.
            Self::TenantMinutes => 403,
            _ => 503,
        };
        let seconds = 2 + random.below(9);
        let retry_after = (status == 503).then_some(seconds);
        Refusal { retry_after, ..Refusal::status(status) }
    }
}

/// How many texts somebody may write who may begin any number of calls.
const TEXTS: Budget = Budget { per_second: 10.0, burst: 50 };

fn count<K: Eq + Hash>(table: &HashMap<K, usize>, key: &K) -> usize {
    table.get(key).copied().unwrap_or_default()
}

fn release<K: Eq + Hash>(table: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = table.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            table.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HERE: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5060);

    fn badge(name: &str, phone: &str) -> Badge {
        Badge { name: name.into(), phone: phone.into(), ..Badge::default() }
    }

    fn caps() -> Caps {
        Caps::new(Settings {
            paces: HashMap::from([("carrier".into(), Budget { per_second: 2.0, burst: 3 })]),
            phones: HashMap::from([("101".into(), 2)]),
            per_number: Some(4),
            together: Some(50),
        })
    }

    #[test]
    fn each_cap_holds_and_a_call_that_ends_makes_room() {
        let (mut caps, now) = (caps(), Instant::now());
        let mut session = SessionId(0);
        let mut admit = |caps: &mut Caps, name: &str, phone: &str, number: &str, at| {
            session = session.next();
            let badge = badge(name, phone);
            caps.admit(at, &Newcomer { session, badge: &badge, number, address: HERE })
        };
        let by_carrier: Vec<bool> =
            (0..5).map(|_| admit(&mut caps, "carrier", "", "1", now).is_ok()).collect();
        assert_eq!(by_carrier, [true, true, true, false, false]);
        let later = now + Duration::from_secs(1);
        assert_eq!(admit(&mut caps, "carrier", "", "1", later), Ok(()));
        assert_eq!(admit(&mut caps, "pbx", "", "1", now), Err(Reason::NumberLimit));
        assert_eq!(admit(&mut caps, "", "101", "2", now), Ok(()));
        assert_eq!(admit(&mut caps, "", "101", "2", now), Ok(()));
        assert_eq!(admit(&mut caps, "", "101", "2", now), Err(Reason::PhoneLimit));
        for session in 0..20 {
            caps.over(SessionId(session));
        }
        assert_eq!(caps.calls(), 0);
        assert!(caps.by_phone.is_empty() && caps.by_number.is_empty());
        assert!(caps.by_address.is_empty());
    }

    #[test]
    fn who_writes_too_much_is_to_come_back_and_others_are_not() {
        let (mut caps, now) = (caps(), Instant::now());
        let mut write = |name: &str, phone: &str, at| caps.admit_text(at, &badge(name, phone));
        let by_phone = (0..60).filter(|_| write("", "101", now).is_ok()).count();
        assert_eq!(by_phone, 50);
        assert_eq!(write("", "101", now), Err(Reason::PhoneLimit));
        assert_eq!(write("", "102", now), Ok(()));
        // As many texts as calls, where the operator said how many.
        let by_carrier = (0..60).filter(|_| write("carrier", "", now).is_ok()).count();
        assert_eq!((by_carrier, write("carrier", "", now)), (3, Err(Reason::TrunkLimit)));
        assert_eq!(write("", "101", now + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn a_flood_of_calls_is_bounded_and_refused_with_a_time_to_come_back() {
        let (mut caps, now) = (caps(), Instant::now());
        for number in 0..100_000_u64 {
            let (badge, session) = (badge("pbx", ""), SessionId(number));
            let number = number.to_string();
            let newcomer = Newcomer { session, badge: &badge, number: &number, address: HERE };
            caps.admit(now, &newcomer).ok();
        }
        assert_eq!((caps.calls(), caps.by_number.len()), (50, 50));
        let mut random = Random::repeatable(1);
        let mut seconds: Vec<u32> =
            (0..100).filter_map(|_| Reason::Full.refusal(&mut random).retry_after).collect();
        seconds.sort_unstable();
        seconds.dedup();
        assert_eq!(seconds, (2..=10).collect::<Vec<u32>>());
        assert_eq!(Reason::NumberLimit.refusal(&mut random).status, 486);
    }
}
