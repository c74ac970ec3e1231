//! The exchange: knows by which ways a leg can be placed, tries one after the other, and keeps the
//! trunks registered. It stands between the calls and the endpoint of a SIP shard, which owns it.

mod forks;
mod hunt;
mod lines;
mod pairs;
mod paying;
pub mod phones;
pub mod tenants;
mod texts;
mod traffic;
mod trials;
pub mod waiting;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::forks::Forks;
use self::hunt::{Hunt, Step};
use self::lines::{Asked, Ring};
use self::pairs::Pairs;
use self::tenants::Tenants;
use self::texts::Texts;
pub use self::traffic::Count;
use self::traffic::Traffic;
use self::trials::Trials;
pub use self::trials::{Step as TrialStep, Trial, Untried};
use self::waiting::Waiting;
use crate::base::destination::Destination;
use crate::base::random::Random;
use crate::call::admission::Badge;
use crate::call::cause::Cause;
use crate::call::identity;
use crate::call::outbound::Guard;
use crate::call::outbound::purse::{Fare, Purse, Short};
use crate::call::placement::Placement;
use crate::call::stir::Claim;
use crate::call::trunk::{self, Health, Purpose, Trunk};
use crate::sdp::keying::Policy;
use crate::sip::event::{AskId, Command, Ending, Event, Flow, Outgoing, Party, SessionId};
use crate::sip::registration::Enrolment;
use crate::sip::route::Sockets;
use crate::sip::transaction::agenda::Agenda;
use crate::sip::uri::{Host, Uri};

/// The exchange of a SIP shard.
#[derive(Debug)]
pub struct Exchange {
    settings: Settings,
    hunts: HashMap<SessionId, Hunt>,
    /// When something is due for a leg.
    agenda: Agenda<SessionId>,
    trunks: BTreeMap<Arc<str>, Trunk>,
    /// Whose Contact has that user part.
    contacts: HashMap<Arc<str>, Badge>,
    /// The requests of trunks that have no answer, and which one counts for each purpose.
    asked: HashMap<AskId, Asked>,
    current: HashMap<(Arc<str>, Purpose), AskId>,
    last_ask: AskId,
    lookups: HashMap<LookupId, Ring>,
    last_lookup: LookupId,
    /// Hosts that were silent, and until when they are tried last.
    silent: HashMap<SocketAddr, Instant>,
    phones: phones::Phones,
    forks: Forks,
    /// Who says which numbers may be called.
    guard: Option<Guard>,
    /// Who pays for calls.
    purse: Purse,
    traffic: Traffic,
    tenants: Tenants,
    pairs: Pairs,
    trials: Trials,
    texts: Texts,
    waiting: Waiting,
    outputs: VecDeque<Output>,
}

/// What an exchange is told when it is made.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The sockets of the shard.
    pub sockets: Sockets,
    /// The trunks, and what the dialplan is told of each.
    pub trunks: Vec<(Badge, trunk::Settings)>,
}

/// One way to somebody.
#[derive(Debug, Clone)]
pub struct Way {
    /// The Request-URI.
    pub target: String,
    /// From, without a tag.
    pub from: String,
    /// Where the INVITE goes.
    pub hop: Hop,
    /// Further headers; those named Route lead it.
    pub headers: Vec<(String, String)>,
    /// The trunk whose credentials answer challenges.
    pub account: Option<Arc<str>>,
    /// Whose call it is then.
    pub tenant: Option<Arc<str>>,
    /// What it costs, and whom.
    pub fare: Option<Fare>,
    /// What is to be signed for it.
    pub claim: Option<Claim>,
}

/// Why there is no way to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoWay {
    /// What that means for the call.
    pub cause: Cause,
    /// What there is to say of it.
    pub why: Option<String>,
    /// Who cannot pay for it, if that is why.
    pub short: Option<Short>,
}

impl From<Cause> for NoWay {
    fn from(cause: Cause) -> Self {
        Self { cause, why: None, short: None }
    }
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// There.
    Flow(Flow),
    /// To the host of this SIP URI, which is yet to be resolved (RFC 3263).
    Host(String),
}

/// The identity of a question to the resolver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct LookupId(pub u64);

/// What an exchange wants done.
#[derive(Debug)]
pub enum Output {
    /// An order for the endpoint.
    Command(Command),
    /// An INVITE for the endpoint, to be signed before.
    Sign(Box<Outgoing>, Claim),
    /// An event for the call that the session belongs to.
    Event(Event),
    /// A leg goes by a way on which packets are hidden so.
    Offered(SessionId, Policy),
    /// Where does this SIP URI lead? Answered by `resolved`.
    Resolve(LookupId, String),
    /// Calls can go by a trunk now, or cannot.
    Turned(Arc<str>, Health),
    /// The registration of a trunk stands otherwise than before.
    Stands(Arc<str>, Enrolment),
    /// A trunk is registered at this address: its requests are those of the trunk.
    Known(Badge, IpAddr),
    /// A trunk was tried for an operator.
    Tried(Box<Trial>),
}

impl Exchange {
    /// Makes an exchange.
    pub fn new(settings: Settings, mut random: Random, now: Instant) -> Self {
        let (mut trunks, mut contacts) = (BTreeMap::new(), HashMap::new());
        let most = settings.trunks.iter();
        let most = most.filter_map(|(badge, trunk)| Some((badge.name.clone(), trunk.max_calls?)));
        let traffic = Traffic::bounded(most.collect());
        for (badge, trunk) in &settings.trunks {
            let contact = trunk.profile.contact_user.clone();
            if !contact.is_empty() {
                contacts.insert(contact, badge.clone());
            }
            let trunk = Trunk::new(trunk.clone(), random.split(), now);
            trunks.insert(badge.name.clone(), trunk);
        }
        Self {
            settings,
            hunts: HashMap::new(),
            agenda: Agenda::default(),
            trunks,
            contacts,
            asked: HashMap::new(),
            current: HashMap::new(),
            last_ask: AskId::FIRST,
            lookups: HashMap::new(),
            last_lookup: LookupId::default(),
            silent: HashMap::new(),
            phones: phones::Phones::default(),
            forks: Forks::new(),
            guard: None,
            purse: Purse::default(),
            traffic,
            tenants: Tenants::default(),
            pairs: Pairs::default(),
            trials: Trials::default(),
            texts: Texts::default(),
            waiting: Waiting::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The ways to the destination of a leg, in the order in which they are tried.
    ///
    /// # Errors
    /// With the cause for which there is none.
    pub fn ways(&self, placement: &Placement) -> Result<Vec<Way>, NoWay> {
        match &placement.destination {
            Destination::Sip(uri) => Ok(vec![self.straight(uri, placement)?]),
            Destination::Tel(number) => {
                let names: Vec<&Arc<str>> = match placement.trunks.as_slice() {
                    [] => self.trunks.keys().collect(),
                    rule => rule.iter().collect(),
                };
                self.by_trunks(&names, number.to_e164(), placement)
            }
            Destination::Trunk { trunk, number } => {
                let name: Arc<str> = trunk.as_str().into();
                self.by_trunks(&[&name], number, placement)
            }
            Destination::Phone(_) | Destination::Group(_) => Ok(self.to_phones(placement)?),
            Destination::Agent(_)
            | Destination::Squad(_)
            | Destination::Menu(_)
            | Destination::Flow(_)
            | Destination::Voicemail(_)
            | Destination::Conference(_)
            | Destination::Queue(_)
            | Destination::Webhook(_)
            | Destination::Stream(_)
            | Destination::OpenAi(_)
            | Destination::Drill(_)
            | Destination::Reject(_)
            | Destination::Busy
            | Destination::HangUp(_) => Err(Cause::NoRoute.into()),
        }
    }

    /// Places a leg. Its events come with the session's identity, whichever way is taken.
    pub fn place(&mut self, now: Instant, placement: Box<Placement>) {
        let session = placement.session;
        let guard = self.guard.as_mut();
        let may = guard.map(|guard| guard.admit(now, session, &placement.destination));
        if let Some(Err(denial)) = may {
            let why = Some(denial.to_string());
            return self.refuse(session, NoWay { why, ..Cause::Blocked.into() });
        }
        self.pay_for(&placement);
        let ways = match self.ways(&placement) {
            Ok(ways) if self.hunts.len() + self.forks.len() < MOST_HUNTS => ways,
            Ok(_) => return self.refuse(session, Cause::Full),
            Err(no_way) => return self.refuse(session, no_way),
        };
        let is_forked =
            matches!(placement.destination, Destination::Phone(_) | Destination::Group(_))
                && ways.len() > 1;
        if is_forked {
            return self.ring_all(now, &placement, ways);
        }
        let hunt = Hunt::new(placement, ways, now);
        self.hunts.insert(session, hunt);
        self.advance(session, now);
    }

    /// The leg of a call that a session of the endpoint belongs to.
    pub fn leg_of(&self, session: SessionId) -> SessionId {
        self.forks.leg_of(session)
    }

    /// Takes an event of the endpoint; gives back what the call is to be told.
    pub fn hear(&mut self, now: Instant, event: Event) -> Option<Event> {
        let told = match self.forks.hear(&event) {
            Some(meaning) => self.follow(meaning),
            None => self.hear_hunt(now, event),
        };
        let told = told.map(|event| self.note_payment(now, event));
        self.note_end(told.as_ref());
        told
    }

    fn hear_hunt(&mut self, now: Instant, event: Event) -> Option<Event> {
        match &event {
            Event::Progressed { session, .. } => {
                if let Some(hunt) = self.hunts.get_mut(session) {
                    hunt.progressed();
                    self.rearm(*session);
                }
            }
            Event::Answered { session, .. } => self.forget(*session),
            Event::Ended { session, ending } => {
                let session = *session;
                let goes_on = self.hunts.get(&session).is_some_and(|hunt| hunt.survives(ending));
                if goes_on {
                    self.advance(session, now);
                    return None;
                }
                self.forget(session);
            }
            Event::Incoming(_)
            | Event::Texted(_)
            | Event::Confirmed { .. }
            | Event::Reoffered { .. }
            | Event::ReferReceived { .. }
            | Event::Referred { .. }
            | Event::Redirected { .. }
            | Event::OfferAnswered { .. }
            | Event::Written { .. }
            | Event::Info { .. } => {}
            Event::Told { .. } => {
                self.told(event, now);
                return None;
            }
        }
        Some(event)
    }

    /// Takes an order of a call before the endpoint does; `None` when that is not to see it.
    pub fn obey(&mut self, command: Command) -> Option<Command> {
        if let Command::HangUp { session, reason } = &command
            && let Some(hunt) = self.hunts.get_mut(session)
        {
            let is_waiting = hunt.give_up();
            self.rearm(*session);
            if is_waiting {
                let (session, reason) = (*session, reason.clone());
                self.forget(session);
                let ending = Ending::Cancelled { by: Party::Us, reason };
                self.outputs.push_back(Output::Event(Event::Ended { session, ending }));
                return None;
            }
        }
        let mut commands = self.forks.obey(command).into_iter();
        let first = commands.next();
        self.outputs.extend(commands.map(Output::Command));
        first
    }

    /// Keeps these to their limits.
    #[must_use]
    pub fn with_tenants(mut self, settings: tenants::Settings) -> Self {
        self.tenants = Tenants::new(settings);
        self
    }

    /// Asks the guard before a number is called.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// Takes what the resolver found, the best first; nothing means that there is nothing.
    pub fn resolved(&mut self, now: Instant, lookup: LookupId, flows: Vec<Flow>) {
        let flows = self.by_silence(flows, now);
        match self.lookups.remove(&lookup) {
            Some(Ring::Hunt(session)) => self.found(session, flows, now),
            Some(Ring::Errand(asked)) => self.ask(Asked { flows: flows.into(), ..*asked }, now),
            None => {}
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        while let Some(session) = self.agenda.pop_due(now) {
            self.hunt_due(session, now);
            self.rearm(session);
        }
        self.tick_trunks(now);
        self.tick_trials(now);
        self.tick_purse(now);
        let stopped = self.forks.tick(now);
        self.outputs.extend(stopped.into_iter().map(Output::Command));
    }

    /// Gives the next thing to be done.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if let Some(Output::Event(event)) = &output {
            self.note_end(Some(event));
        }
        output
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let trunks = self.trunks.values().filter_map(|trunk| trunk.deadline(now));
        let others = [self.agenda.next(), self.forks.deadline(), self.trials_deadline()];
        let others = others.into_iter().chain([self.purse.deadline()]);
        trunks.chain(others.flatten()).min()
    }

    /// A leg that is over makes room for others.
    fn note_end(&mut self, event: Option<&Event>) {
        let Some(Event::Ended { session, .. }) = event else { return };
        self.traffic.over(*session);
        self.tenants.over(*session);
        self.pairs.over(*session);
        self.purse.over(*session);
        if let Some(guard) = &mut self.guard {
            guard.over(*session);
        }
    }

    fn hunt_due(&mut self, session: SessionId, now: Instant) {
        let Some(hunt) = self.hunts.get_mut(&session) else { return };
        if hunt.is_over_time(now) {
            if hunt.give_up() {
                self.forget(session);
                let ending = Ending::Cancelled { by: Party::Us, reason: None };
                return self.outputs.push_back(Output::Event(Event::Ended { session, ending }));
            }
            let command = Command::HangUp { session, reason: Some(NO_ANSWER.to_owned()) };
            return self.outputs.push_back(Output::Command(command));
        }
        hunt.hurried();
        self.outputs.push_back(Output::Command(Command::Forsake { session }));
    }

    /// Goes on with the hosts of a way.
    fn found(&mut self, session: SessionId, flows: Vec<Flow>, now: Instant) {
        if let Some(hunt) = self.hunts.get_mut(&session) {
            hunt.resolved(flows);
            self.advance(session, now);
        }
    }

    /// Takes the next step of a hunt.
    fn advance(&mut self, session: SessionId, now: Instant) {
        let Some(hunt) = self.hunts.get_mut(&session) else { return };
        let mut step = hunt.next(now);
        while let Step::Invite(way, flow) = &step {
            let trunk = way.account.as_ref();
            let has_room = trunk.is_none_or(|name| self.traffic.has_room(name, session))
                && self.tenants.has_room(way.tenant.as_ref(), session)
                && way.fare.as_ref().is_none_or(|it| self.purse.can_pay(session, it).is_ok());
            if has_room && hunt.offer(way, flow).is_some() {
                break;
            }
            if has_room {
                hunt.spurn();
            }
            step = hunt.next(now);
        }
        let is_spurned = hunt.has_spurned();
        self.rearm(session);
        match step {
            Step::Invite(way, flow) => self.invite(session, &way, flow),
            Step::Resolve(uri) => match self.settings.sockets.straight(&uri) {
                Some(flow) => self.found(session, vec![flow], now),
                None if names_an_address(&uri) => self.found(session, Vec::new(), now),
                None => self.look_up(uri, Ring::Hunt(session)),
            },
            Step::Nothing if is_spurned => {
                self.forget(session);
                self.refuse(session, Cause::IncompatibleMedia);
            }
            Step::Nothing => {
                self.forget(session);
                let reason = Some("nobody can be reached there".to_owned());
                let ending = Ending::Refused { by: Party::Us, status: 503, reason };
                self.outputs.push_back(Output::Event(Event::Ended { session, ending }));
            }
        }
    }

    fn invite(&mut self, session: SessionId, way: &Way, flow: Flow) {
        let Some(hunt) = self.hunts.get(&session) else { return };
        let Some((srtp, body)) = hunt.offer(way, &flow) else { return };
        self.outputs.push_back(Output::Offered(session, srtp));
        let account = way.account.as_ref().and_then(|name| self.account(name));
        if let Some(trunk) = &way.account {
            self.traffic.carry(session, trunk, traffic::Way::Out);
            self.tenants.carry(session, way.tenant.clone());
            self.traffic.meet(trunk, flow.remote);
        }
        if let Some(fare) = way.fare.clone() {
            self.purse.begin(session, fare);
        }
        if let Some(account) = account {
            let peer = flow.remote.ip();
            let command = Command::Credentials { session, account, peer };
            self.outputs.push_back(Output::Command(command));
        }
        let outgoing = Outgoing {
            session,
            target: way.target.clone(),
            from: way.from.clone(),
            flow,
            body,
            headers: way.headers.clone(),
        };
        self.outputs.push_back(match way.claim.clone() {
            Some(claim) => Output::Sign(Box::new(outgoing), claim),
            None => Output::Command(Command::Invite(Box::new(outgoing))),
        });
    }

    /// The way to a SIP address that stands for itself.
    fn straight(&self, uri: &str, placement: &Placement) -> Result<Way, Cause> {
        let host = Uri::parse(uri).ok().and_then(|uri| uri.host()).ok_or(Cause::NoRoute)?;
        let peer = match host {
            Host::Address(address) => Some(address),
            Host::Name(_) => None,
        };
        let own = self.socket_for(peer).ok_or(Cause::NoRoute)?;
        let (from, mut headers) = identity::plain(&placement.caller, &own.to_string());
        headers.extend(foreign_headers(placement));
        let hop = Hop::Host(uri.to_owned());
        let target = uri.to_owned();
        Ok(Way { target, from, hop, headers, account: None, tenant: None, fare: None, claim: None })
    }

    fn socket_for(&self, peer: Option<IpAddr>) -> Option<SocketAddr> {
        let fits = |socket: &SocketAddr| peer.is_none_or(|peer| peer.is_ipv4() == socket.is_ipv4());
        self.settings.sockets.iter().map(|(_, socket)| socket).find(fits)
    }

    /// Notes when something is due for a leg.
    fn rearm(&mut self, session: SessionId) {
        self.agenda.arm(session, self.hunts.get(&session).map(Hunt::deadline));
    }

    fn forget(&mut self, session: SessionId) {
        if self.hunts.remove(&session).is_none() {
            return;
        }
        self.agenda.arm(session, None);
        self.lookups.retain(|_, ring| !matches!(ring, Ring::Hunt(of) if *of == session));
    }

    fn refuse(&mut self, session: SessionId, no_way: impl Into<NoWay>) {
        let NoWay { cause, why, short } = no_way.into();
        self.note_short(short.as_ref());
        let reason = why.or_else(|| Some(cause.end_reason().to_owned()));
        let status = cause.refusal().status;
        let ending = Ending::Refused { by: Party::Us, status, reason };
        self.outputs.push_back(Output::Event(Event::Ended { session, ending }));
    }
}

/// The headers that the call wants, without those that lead the request or say who calls: these
/// are the exchange's.
fn foreign_headers(placement: &Placement) -> impl Iterator<Item = (String, String)> + '_ {
    let is_ours = |name: &str| OURS.iter().any(|own| own.eq_ignore_ascii_case(name.trim()));
    placement.headers.iter().filter(move |(name, _)| !is_ours(name)).cloned()
}

fn names_an_address(uri: &str) -> bool {
    let host = Uri::parse(uri).ok().and_then(|uri| uri.host().map(|host| host.address()));
    host.is_none_or(|address| address.is_some())
}

/// Headers that no call chooses.
const OURS: [&str; 9] = [
    "Identity",
    "Route",
    "Privacy",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Remote-Party-ID",
    "Diversion",
    "Authorization",
    "Proxy-Authorization",
];

/// How many legs may be searched for at once.
const MOST_HUNTS: usize = 10_000;

/// The Reason of a CANCEL for a phone that nobody answers (Q.850: 19).
const NO_ANSWER: &str = "Q.850;cause=19;text=\"no answer\"";

/// By when the endpoint has ended a call that is cancelled: 64·T1 and another 64·T1.
const ENDS_WITHIN: Duration = Duration::from_secs(70);

/// How long a host may keep silent while there is another one: instead of 64·T1.
const SILENCE: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests;
