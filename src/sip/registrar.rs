//! The registrar: lets phones prove who they are and remembers where they can be reached
//! (RFC 3261 10.3 and 22, RFC 3327, RFC 5626).
//!
//! A phone that is not known and a password that is not right look the same and take the same time
//! (T2). Nothing is kept of whoever has not proved himself (T3): the nonce carries its own proof.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod bindings;
mod keys;
mod report;
mod wish;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::bindings::{Bindings, Outdated, Request};
pub use self::keys::{Keys, NotAKey};
pub use self::report::{BindingReport, Counts, PhoneReport};
use self::wish::Wish;
use super::digest::{Algorithm, Authorization, Challenge, Quality, Side};
use super::event::{Connection, Flow};
use super::header::Name;
use super::message::Message;
use super::nonces::{Nonces, Worth};
use super::notice::{Notice, Offence};
use crate::base::network::Network;
use crate::base::random::Random;

/// Knows the phones and where they are.
#[derive(Debug)]
pub struct Registrar {
    realm: String,
    algorithms: Vec<Algorithm>,
    bounds: Bounds,
    nonces: Nonces,
    /// The phones by the name that they prove themselves with.
    accounts: HashMap<String, Arc<Phone>>,
    /// What a user is compared with whom nobody knows.
    nobody: Keys,
    bindings: HashMap<Arc<str>, Bindings>,
    /// When the first binding expires.
    due: Option<Instant>,
    counts: Counts,
    notices: VecDeque<Notice>,
}

/// What a registrar is told when it is made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What passwords belong to: the domain of the phones.
    pub realm: String,
    /// The phones.
    pub phones: Vec<Phone>,
    /// How phones may prove themselves, the best first (RFC 8760).
    pub algorithms: Vec<Algorithm>,
    /// For how long they register.
    pub bounds: Bounds,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            realm: "voxtrunk".to_owned(),
            phones: Vec::new(),
            algorithms: vec![Algorithm::SHA256, Algorithm::MD5],
            bounds: Bounds::default(),
        }
    }
}

/// Who proves himself by a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// A phone: it registers and calls.
    #[default]
    Phone,
    /// A trunk: it calls, and speaks for whoever it says.
    Trunk,
}

/// A phone that may register, or a trunk that must prove itself.
#[derive(Debug, Clone)]
pub struct Phone {
    /// Which of both.
    pub role: Role,
    /// Its name: the user part of its address.
    pub name: Arc<str>,
    /// The name that it proves itself with.
    pub username: String,
    /// What it proves itself by.
    pub keys: Keys,
    /// The name of who has it, shown to whom it calls.
    pub display: Option<String>,
    /// From where it may speak; none means from anywhere.
    pub networks: Vec<Network>,
    /// At how many places it may ring.
    pub max_contacts: usize,
}

/// For how long phones register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Less gets 423.
    pub least: Duration,
    /// More is cut.
    pub most: Duration,
    /// What a phone gets that asks for nothing in particular.
    pub usual: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let hour = Duration::from_secs(3_600);
        Self { least: Duration::from_secs(60), most: hour, usual: hour }
    }
}

/// Who sends a request.
#[derive(Debug)]
pub enum Proof {
    /// This phone: it knows the password.
    Phone(Arc<Phone>),
    /// Nobody can say. This asks for proof.
    Missing(Reply),
}

/// An answer: a status and headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers by name and value.
    pub headers: Vec<(&'static str, String)>,
}

impl Registrar {
    /// Makes a registrar. `random` makes its nonces and the keys of nobody.
    pub fn new(settings: Settings, mut random: Random, now: Instant) -> Self {
        let nobody = Keys::of_password(["", &settings.realm, &random.token(32)]);
        let phones = settings.phones.into_iter().map(Arc::new);
        let accounts = phones.map(|phone| (phone.username.clone(), phone));
        Self {
            realm: settings.realm,
            algorithms: settings.algorithms,
            bounds: settings.bounds,
            nonces: Nonces::new(random, NONCE_LIVES, now),
            accounts: accounts.collect(),
            nobody,
            bindings: HashMap::new(),
            due: None,
            counts: Counts::default(),
            notices: VecDeque::new(),
        }
    }

    /// Finds out who sends a request. A wrong password is noticed as an offence.
    pub fn prove(&mut self, now: Instant, request: &Message, at: (Flow, Side)) -> Proof {
        let (flow, side) = at;
        let source = flow.remote.ip();
        let answers = Authorization::of(request, side);
        let Some(answer) = answers.into_iter().find(|answer| answer.realm == self.realm) else {
            return self.missing(now, source, (side, Staleness::Fresh));
        };
        let account = self.accounts.get(&answer.username).filter(|it| it.may_speak_at(source));
        let is_right = self.is_right(request, &answer, account);
        let account = account.filter(|_| is_right).cloned();
        match (self.nonces.worth(now, &answer.nonce, source), account) {
            (Worth::Fresh, Some(phone)) if self.nonces.spend(now, &answer) => {
                self.counts.proved = self.counts.proved.saturating_add(1);
                Proof::Phone(phone)
            }
            // Repeated, or too late: whoever knows the password comes again with a new nonce.
            (Worth::Fresh | Worth::Old, Some(_)) => {
                self.missing(now, source, (side, Staleness::Stale))
            }
            // Only an answer to our own question tells that the other side is where it seems to
            // be: nobody is banned for what somebody else sends in his name.
            (Worth::Fresh | Worth::Old, None) => {
                self.notices.push_back(Notice::Offended { flow, offence: Offence::WrongPassword });
                self.missing(now, source, (side, Staleness::Fresh))
            }
            (Worth::Foreign, _) => self.missing(now, source, (side, Staleness::Fresh)),
        }
    }

    /// Does what a REGISTER asks for. The first part of the answer says whether its sender has
    /// proved himself, and it is worth remembering.
    pub fn register(&mut self, now: Instant, request: &Message, flow: Flow) -> (bool, Reply) {
        match self.prove(now, request, (flow, Side::Server)) {
            Proof::Missing(reply) => (false, reply),
            Proof::Phone(phone) => {
                let done = self.registered(now, request, (flow, &phone));
                (true, done.unwrap_or_else(|refused| refused))
            }
        }
    }

    /// A connection is gone, and with it the way to the phones that used it.
    pub fn lose(&mut self, connection: Connection) {
        self.change_all(|it| it.has(connection), |it| it.lose(connection));
    }

    /// Lets bindings expire.
    pub fn tick(&mut self, now: Instant) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        let is_due = |bindings: &Bindings| bindings.deadline().is_some_and(|at| at <= now);
        self.change_all(is_due, |bindings| bindings.expire(now));
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Gives the next thing to be known.
    pub fn poll(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// How many phones can be reached.
    pub fn reachable(&self) -> usize {
        self.bindings.len()
    }

    /// Compares with the key of nobody when there is no such account: it takes as long.
    fn is_right(
        &self,
        request: &Message,
        answer: &Authorization,
        account: Option<&Arc<Phone>>,
    ) -> bool {
        let keys = account.map_or(&self.nobody, |phone| &phone.keys);
        let is_offered = self.algorithms.iter().any(|it| it.hash == answer.algorithm.hash);
        let method = request.method().map(|method| method.as_str()).unwrap_or_default();
        let is_made = answer.is_made_with(keys.of(answer.algorithm.hash), method, &request.body());
        let signs_this = request.request_uri().is_ok_and(|uri| uri.as_str() == answer.uri);
        is_made && signs_this && is_offered && account.is_some()
    }

    fn registered(
        &mut self,
        now: Instant,
        request: &Message,
        (flow, phone): (Flow, &Arc<Phone>),
    ) -> Result<Reply, Reply> {
        let is_unknown = |token: &&str| !KNOWN.iter().any(|it| token.eq_ignore_ascii_case(it));
        let unknown: Vec<&str> = request.tokens(Name::Require).filter(is_unknown).collect();
        if !unknown.is_empty() {
            return Err(Reply { status: 420, headers: vec![("Unsupported", unknown.join(", "))] });
        }
        let own = |to: super::address::NameAddr<'_>| to.uri().user_unescaped() == *phone.name;
        if phone.role == Role::Trunk || !request.to().is_ok_and(own) {
            return Err(Reply::of(403));
        }
        let wish = Wish::read(request, &self.bounds)?;
        let path = wish::path(request)?;
        let bindings = self.bindings.entry(phone.name.clone()).or_default();
        let before = bindings.reaches();
        let call_id = request.call_id().unwrap_or_default();
        let sequence = request.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let agent =
            request.text(Name::UserAgent).map(|it| it.chars().take(LONGEST_AGENT).collect());
        let series = Request { call_id, sequence, flow, path: path.clone(), agent };
        let bound = match wish {
            Wish::Show => Ok(()),
            Wish::Clear => bindings.clear(&series),
            Wish::Bind(contacts) => bindings.bind(now, &series, (contacts, phone.max_contacts)),
        };
        let contacts = bindings.contacts(now).into_iter().map(|value| ("Contact", value));
        let path = path.into_iter().map(|value| ("Path", value));
        let headers = contacts.chain(path).collect();
        self.changed(&phone.name, &before);
        match bound {
            Ok(()) => Ok(Reply { status: 200, headers }),
            Err(Outdated) => Err(Reply::of(500)),
        }
    }

    /// Tells what has changed, and forgets a phone without bindings.
    fn changed(&mut self, phone: &Arc<str>, before: &[super::notice::Reach]) {
        let Some(bindings) = self.bindings.get(phone) else { return };
        let reaches = bindings.reaches();
        if reaches.is_empty() {
            self.bindings.remove(phone);
        }
        self.due = self.bindings.values().filter_map(Bindings::deadline).min();
        if reaches != before {
            let phone = phone.clone();
            self.notices.push_back(match reaches.is_empty() {
                true => Notice::PhoneGone { phone },
                false => Notice::PhoneRegistered { phone, reaches },
            });
        }
    }

    fn change_all(&mut self, concerns: impl Fn(&Bindings) -> bool, change: impl Fn(&mut Bindings)) {
        let concerned =
            |(name, bindings): (&Arc<str>, &Bindings)| concerns(bindings).then(|| name.clone());
        let names: Vec<Arc<str>> = self.bindings.iter().filter_map(concerned).collect();
        for name in names {
            let Some(bindings) = self.bindings.get_mut(&name) else { continue };
            let before = bindings.reaches();
            change(bindings);
            self.changed(&name, &before);
        }
    }

    fn missing(&mut self, now: Instant, source: IpAddr, asked: (Side, Staleness)) -> Proof {
        let (side, staleness) = asked;
        self.counts.challenged = self.counts.challenged.saturating_add(1);
        let nonce = self.nonces.make(now, source);
        let challenge = |algorithm: &Algorithm| Challenge {
            realm: self.realm.clone(),
            nonce: nonce.clone(),
            opaque: None,
            algorithm: Some(*algorithm),
            qualities: vec![Quality::Auth],
            stale: staleness == Staleness::Stale,
        };
        let name = side.challenge_header().as_str();
        let challenges = self.algorithms.iter().map(|it| (name, challenge(it).to_string()));
        Proof::Missing(Reply { status: side.status(), headers: challenges.collect() })
    }
}

impl Phone {
    fn may_speak_at(&self, source: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(source))
    }
}

impl Reply {
    /// A bare status.
    pub fn of(status: u16) -> Self {
        Self { status, headers: Vec::new() }
    }
}

/// Whether an answer was right, only not new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Staleness {
    Fresh,
    Stale,
}

/// What a REGISTER may require of us.
const KNOWN: [&str; 2] = ["path", "outbound"];

/// How much of a User-Agent is remembered, in characters.
const LONGEST_AGENT: usize = 128;

/// How long a nonce is good (T2).
const NONCE_LIVES: Duration = Duration::from_secs(60);

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
