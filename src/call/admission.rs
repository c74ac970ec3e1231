//! Admission: what a datagram's source may do, decided before a single octet is parsed (T2, T3).
//!
//! Trunks are known by their addresses and never limited. Whoever we wrote to, and registered
//! phones, have a budget that no phone needs. Whoever may still prove to be a phone, and
//! strangers, have tiny ones, each alone and all together; those who offend are not heard at all.

mod bans;
mod bucket;
pub mod caps;

mod source;
mod tally;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::bans::Bans;
pub use self::bans::Policy;
pub use self::bucket::{Bucket, Budget};
use self::caps::{Caps, Newcomer};
use self::source::Source;
pub use self::tally::{Reason, Tally};
use crate::base::network::Network;
use crate::base::random::Random;
use crate::base::recent::Recent;
use crate::sip::event::{Notice, Offence, Refusal, SessionId};

/// Stands at the door of a SIP shard.
#[derive(Debug)]
pub struct Doorkeeper {
    settings: Settings,
    /// Where trunks are registered that have no address in the settings.
    learned: HashMap<IpAddr, Badge>,
    /// The addresses of each name, as name servers tell them, and what follows from all of them.
    named: HashMap<(Arc<str>, String), Vec<IpAddr>>,
    by_name: HashMap<IpAddr, usize>,
    /// The buckets of each class: of every source, and of all together.
    acquainted: Class,
    guests: Class,
    strangers: Class,
    bans: Bans,
    /// From where registered phones speak.
    phones: HashMap<Arc<str>, Vec<SocketAddr>>,
    addresses: HashMap<SocketAddr, u32>,
    /// Whom we wrote to, and when: their answers and requests are expected.
    acquaintances: Recent<SocketAddr, Instant>,
    caps: Caps,
    random: Random,
    tally: Tally,
}

/// Who is known, and how much others may ask.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The trunks and where they send from.
    pub trunks: Vec<Trunk>,
    /// The phones that may register.
    pub phones: Vec<Badge>,
    /// From where they may.
    pub phone_networks: Vec<Network>,
    /// What a stranger meets.
    pub strangers: Strangers,
    /// What one address of a stranger may send, and one where phones may be.
    pub per_source: Budget,
    /// What all strangers together may send.
    pub together: Budget,
    /// What all those together may send who may prove to be phones.
    pub guests_together: Budget,
    /// When somebody is banned.
    pub ban: Policy,
    /// How many calls there may be.
    pub caps: caps::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trunks: Vec::new(),
            phones: Vec::new(),
            phone_networks: Vec::new(),
            strangers: Strangers::Drop,
            per_source: Budget { per_second: 5.0, burst: 20 },
            together: Budget { per_second: 50.0, burst: 100 },
            guests_together: Budget { per_second: 500.0, burst: 1_000 },
            ban: Policy::default(),
            caps: caps::Settings::default(),
        }
    }
}

/// What a stranger meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strangers {
    /// Silence.
    #[default]
    Drop,
    /// 403.
    Reject,
    /// The demand to prove himself.
    Challenge,
}

/// A peer that we exchange calls with.
#[derive(Debug, Clone, Default)]
pub struct Trunk {
    /// Its name and what the dialplan is told of it.
    pub badge: Badge,
    /// Where it sends from.
    pub allow: Vec<Network>,
    /// Hosts that it sends from, by their names.
    pub names: Vec<String>,
    /// How its calls are known for its own.
    pub proof: Proof,
}

/// How the calls of a trunk are known for its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proof {
    /// They come from its address.
    #[default]
    Address,
    /// It knows a password. It is asked wherever it may come from; without any address, anywhere.
    Password,
}

/// What a call knows of whom it came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Badge {
    /// The name of the trunk in the configuration; empty when it came from a phone.
    pub name: Arc<str>,
    /// The context that routes see; empty without one.
    pub context: Arc<str>,
    /// The name of the phone; empty when it came by a trunk.
    pub phone: Arc<str>,
    /// The number that the phone shows to the outside; empty without one.
    pub caller_id: Arc<str>,
    /// The name of the tenant whose call it is; empty when it is nobody's.
    pub tenant: Arc<str>,
}

/// What the source of a datagram is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A trunk.
    Trunk(Badge),
    /// Somebody who may prove to be a phone.
    Guest,
    /// Nobody we know, met with silence (but OPTIONS may be answered).
    Stranger,
    /// Nobody we know, and it is told so.
    Refused,
    /// Nobody we know, and it asks too much or is banned: not even parsed.
    Ignored,
}

impl Doorkeeper {
    /// Makes a doorkeeper. `random` spreads the times after which those come back who are refused.
    pub fn new(settings: Settings, random: Random) -> Self {
        Self {
            learned: HashMap::new(),
            named: HashMap::new(),
            by_name: HashMap::new(),
            acquainted: Class::new(ACQUAINTED, PLENTY),
            guests: Class::new(settings.per_source, settings.guests_together),
            strangers: Class::new(settings.per_source, settings.together),
            bans: Bans::new(settings.ban),
            caps: Caps::new(settings.caps.clone()),
            random,
            phones: HashMap::new(),
            addresses: HashMap::new(),
            acquaintances: Recent::holding(MOST_ACQUAINTANCES),
            tally: Tally::default(),
            settings,
        }
    }

    /// Judges a datagram by where it came from.
    pub fn judge(&mut self, now: Instant, remote: SocketAddr) -> Verdict {
        if let Some(badge) = self.trunk_at(remote.ip()) {
            return Verdict::Trunk(badge.clone());
        }
        let source = Source::of(remote.ip());
        let is_phone = self.addresses.contains_key(&remote);
        let may_be_phone = is_phone || self.may_be_phone(remote.ip());
        let is_calling = self.caps.is_calling(remote);
        let class = if is_phone || is_calling || self.is_acquainted(now, remote) {
            &mut self.acquainted
        } else if self.bans.hold(now, source) {
            self.tally.count(Reason::Banned);
            return Verdict::Ignored;
        } else if may_be_phone {
            &mut self.guests
        } else {
            self.tally.count(Reason::Stranger);
            &mut self.strangers
        };
        if let Err(reason) = class.admit(now, source) {
            self.tally.count(reason);
            return Verdict::Ignored;
        }
        match self.settings.strangers {
            _ if may_be_phone => Verdict::Guest,
            Strangers::Challenge => Verdict::Guest,
            Strangers::Reject => Verdict::Refused,
            Strangers::Drop => Verdict::Stranger,
        }
    }

    /// The badge of a call: that of the phone which proved itself, else that of the trunk at the
    /// address.
    pub fn badge(&self, phone: Option<&Arc<str>>, address: IpAddr) -> Badge {
        let of_phone = |name: &Arc<str>| {
            let known = self.settings.phones.iter().find(|badge| badge.phone == *name);
            known.cloned().unwrap_or_default()
        };
        match phone {
            Some(phone) => of_phone(phone),
            None => self.trunk_at(address).cloned().unwrap_or_default(),
        }
    }

    /// The badge of a trunk, by its name.
    pub fn badge_of(&self, trunk: &str) -> Badge {
        let known = self.settings.trunks.iter().find(|known| &*known.badge.name == trunk);
        known.map(|known| known.badge.clone()).unwrap_or_default()
    }

    /// Whether a trunk must know a password, wherever its calls come from.
    pub fn must_prove(&self, trunk: &str) -> bool {
        let known = self.settings.trunks.iter().find(|known| &*known.badge.name == trunk);
        known.is_some_and(|known| known.proof == Proof::Password)
    }

    /// The hosts of trunks, by trunk and name.
    pub fn names(&self) -> Vec<(Arc<str>, String)> {
        let pairs = |trunk: &Trunk| {
            let of = trunk.badge.name.clone();
            trunk.names.iter().map(move |name| (of.clone(), name.clone())).collect::<Vec<_>>()
        };
        self.settings.trunks.iter().flat_map(pairs).collect()
    }

    /// A host of a trunk has these addresses now, and no others. Tells whether they are new.
    pub fn resolved(&mut self, trunk: &Arc<str>, name: &str, addresses: &[IpAddr]) -> bool {
        let mut addresses: Vec<IpAddr> =
            addresses.iter().take(MOST_NAMED).map(IpAddr::to_canonical).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let before = self.named.insert((trunk.clone(), name.to_owned()), addresses.clone());
        if before.as_ref() == Some(&addresses) {
            return false;
        }
        self.by_name.clear();
        for ((trunk, _), addresses) in &self.named {
            let known = self.settings.trunks.iter().position(|it| it.badge.name == *trunk);
            let Some(known) = known else { continue };
            self.by_name.extend(addresses.iter().map(|address| (*address, known)));
        }
        true
    }

    /// Whether a source is no stranger.
    pub fn is_known(&self, source: IpAddr) -> bool {
        self.trunk_at(source).is_some()
    }

    /// A trunk is registered at this address: it is no stranger from now on.
    pub fn learn(&mut self, badge: Badge, address: IpAddr) {
        if self.must_prove(&badge.name) {
            return;
        }
        if self.learned.len() < MOST_LEARNED || self.learned.contains_key(&address) {
            self.learned.insert(address, badge);
        }
    }

    /// Takes note of what the user agent found out.
    pub fn notice(&mut self, now: Instant, notice: &Notice) {
        match notice {
            Notice::PhoneRegistered { phone, reaches } => {
                let at = reaches.iter().map(|reach| reach.flow.remote).collect();
                self.phone_speaks(phone, at);
            }
            Notice::PhoneGone { phone } => self.phone_speaks(phone, Vec::new()),
            Notice::Subscribed { .. } | Notice::Unsubscribed { .. } => {}
            Notice::Offended { flow, offence } => self.offended(now, flow.remote.ip(), *offence),
        }
    }

    /// Remembers that we wrote this to somebody: a request makes acquainted, an answer does not.
    pub fn wrote(&mut self, now: Instant, remote: SocketAddr, octets: &[u8]) {
        if !octets.starts_with(b"SIP/2.0") {
            *self.acquaintances.entry(remote, || now) = now;
        }
    }

    /// How often the door stayed shut.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Who is banned now, and until when; in no order.
    pub fn banned(&self, now: Instant) -> Vec<(String, Instant)> {
        self.bans.banned(now).map(|(source, until)| (source.to_string(), until)).collect()
    }

    /// The trunk or the phone that is at an address, by name.
    pub fn name_of(&self, remote: SocketAddr) -> Option<Arc<str>> {
        let speaks = |(_, at): &(&Arc<str>, &Vec<SocketAddr>)| at.contains(&remote);
        let phone = self.phones.iter().find(speaks).map(|(name, _)| name.clone());
        phone.or_else(|| self.trunk_at(remote.ip()).map(|badge| badge.name.clone()))
    }

    /// Counts a new call, if there is room for it. Until it is over, whoever is there is heard.
    ///
    /// # Errors
    /// With how it is refused.
    pub fn admit(&mut self, now: Instant, newcomer: &Newcomer<'_>) -> Result<(), Refusal> {
        self.caps.admit(now, newcomer).map_err(|reason| {
            self.tally.count(reason);
            reason.refusal(&mut self.random)
        })
    }

    /// Counts a text outside of calls, if its sender does not write too much.
    ///
    /// # Errors
    /// With how it is refused.
    pub fn admit_text(&mut self, now: Instant, sender: &Badge) -> Result<(), Refusal> {
        self.caps.admit_text(now, sender).map_err(|reason| {
            self.tally.count(reason);
            reason.refusal(&mut self.random)
        })
    }

    /// Behind the door there was no room for a call: how it is refused.
    pub fn refused(&mut self, reason: Reason) -> Refusal {
        self.tally.count(reason);
        reason.refusal(&mut self.random)
    }

    /// A call that was admitted is over.
    pub fn over(&mut self, session: SessionId) {
        self.caps.over(session);
    }

    fn trunk_at(&self, address: IpAddr) -> Option<&Badge> {
        let sends = |trunk: &&Trunk| {
            trunk.proof == Proof::Address
                && trunk.allow.iter().any(|network| network.contains(address))
        };
        let known = self.settings.trunks.iter().find(sends).map(|trunk| &trunk.badge);
        let named = || {
            let trunk = self.named_at(address).filter(|trunk| trunk.proof == Proof::Address)?;
            Some(&trunk.badge)
        };
        known.or_else(named).or_else(|| self.learned.get(&address))
    }

    fn named_at(&self, address: IpAddr) -> Option<&Trunk> {
        let known = self.by_name.get(&address.to_canonical())?;
        self.settings.trunks.get(*known)
    }

    /// Whether somebody there may prove to be a phone, or a trunk.
    fn may_be_phone(&self, address: IpAddr) -> bool {
        let contains = |network: &Network| network.contains(address);
        let asks = |trunk: &Trunk| {
            let is_anywhere = trunk.allow.is_empty() && trunk.names.is_empty();
            trunk.proof == Proof::Password && (is_anywhere || trunk.allow.iter().any(contains))
        };
        self.settings.phone_networks.iter().any(contains)
            || self.settings.trunks.iter().any(asks)
            || self.named_at(address).is_some_and(|trunk| trunk.proof == Proof::Password)
    }

    /// Whether a trunk that knows its password may use it there.
    pub fn may_speak_at(&self, trunk: &str, address: IpAddr) -> bool {
        let known = self.settings.trunks.iter().find(|known| &*known.badge.name == trunk);
        known.is_some_and(|known| {
            let is_anywhere = known.allow.is_empty() && known.names.is_empty();
            let is_named =
                self.named_at(address).is_some_and(|it| it.badge.name == known.badge.name);
            is_anywhere || is_named || known.allow.iter().any(|it| it.contains(address))
        })
    }

    fn is_acquainted(&self, now: Instant, remote: SocketAddr) -> bool {
        let wrote = self.acquaintances.find(&remote);
        wrote.is_some_and(|at| now.saturating_duration_since(*at) < ACQUAINTED_FOR)
    }

    fn phone_speaks(&mut self, phone: &Arc<str>, at: Vec<SocketAddr>) {
        for before in self.phones.remove(phone).unwrap_or_default() {
            if let Some(count) = self.addresses.get_mut(&before) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.addresses.remove(&before);
                }
            }
        }
        for address in &at {
            *self.addresses.entry(*address).or_default() += 1;
        }
        if !at.is_empty() {
            self.phones.insert(phone.clone(), at);
        }
    }

    /// Somebody did what nobody should. Trunks are never banned: they are mostly misconfigured.
    fn offended(&mut self, now: Instant, address: IpAddr, offence: Offence) {
        let (reason, weight) = match offence {
            Offence::WrongPassword => (Reason::WrongPassword, 1),
            Offence::Malformed => (Reason::Malformed, 1),
            Offence::Scanner => (Reason::Scanner, self.bans.fatal()),
            Offence::TollNumber => (Reason::TollNumber, self.bans.fatal().div_ceil(2)),
        };
        self.tally.count(reason);
        if self.trunk_at(address).is_none() {
            self.bans.note(now, Source::of(address), weight);
        }
    }
}

/// The buckets of a class of sources.
#[derive(Debug)]
struct Class {
    per_source: Budget,
    together: Budget,
    sources: Recent<Source, Bucket>,
    all: Option<Bucket>,
}

impl Class {
    fn new(per_source: Budget, together: Budget) -> Self {
        Self { per_source, together, sources: Recent::holding(MOST_SOURCES), all: None }
    }

    fn admit(&mut self, now: Instant, source: Source) -> Result<(), Reason> {
        let budget = self.per_source;
        if !self.sources.entry(source, || Bucket::full(now, budget)).take(now, budget) {
            return Err(Reason::SourceRate);
        }
        let together = self.together;
        let all = self.all.get_or_insert_with(|| Bucket::full(now, together));
        if all.take(now, together) { Ok(()) } else { Err(Reason::SharedRate) }
    }
}

/// How many addresses of registrars are known.
const MOST_LEARNED: usize = 1_000;

/// How many addresses one name may have.
const MOST_NAMED: usize = 64;

/// How many sources of a class are remembered.
const MOST_SOURCES: usize = 50_000;

/// How many of those are remembered that we wrote to.
const MOST_ACQUAINTANCES: usize = 20_000;

/// For how long somebody is acquainted: longer than any transaction and any ping lasts.
const ACQUAINTED_FOR: Duration = Duration::from_secs(600);

/// What one registered phone may send, or somebody that we wrote to.
const ACQUAINTED: Budget = Budget { per_second: 100.0, burst: 500 };

/// What all of those may send.
const PLENTY: Budget = Budget { per_second: 20_000.0, burst: 40_000 };

#[cfg(test)]
mod tests;
