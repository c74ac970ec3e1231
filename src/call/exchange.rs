//! The exchange: knows by which ways a leg can be placed, tries one after the other, and keeps the
//! trunks registered. It stands between the calls and the endpoint of a SIP shard, which owns it.

mod hunt;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::hunt::{Hunt, Step};
use crate::base::destination::Destination;
use crate::call::cause::Cause;
use crate::call::identity;
use crate::call::placement::Placement;
use crate::sip::event::{Command, Ending, Event, Flow, Outgoing, Party, SessionId};
use crate::sip::uri::{Host, Uri};

/// The exchange of a SIP shard.
#[derive(Debug)]
pub struct Exchange {
    settings: Settings,
    hunts: HashMap<SessionId, Hunt>,
    lookups: HashMap<LookupId, SessionId>,
    last_lookup: LookupId,
    outputs: VecDeque<Output>,
}

/// What an exchange is told when it is made.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The sockets of the shard.
    pub sockets: Vec<SocketAddr>,
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
    /// An event for the call that the session belongs to.
    Event(Event),
    /// Where does this SIP URI lead? Answered by `resolved`.
    Resolve(LookupId, String),
}

impl Exchange {
    /// Makes an exchange.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            hunts: HashMap::new(),
            lookups: HashMap::new(),
            last_lookup: LookupId::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The ways to the destination of a leg, in the order in which they are tried.
    ///
    /// # Errors
    /// With the cause for which there is none.
    pub fn ways(&self, placement: &Placement) -> Result<Vec<Way>, Cause> {
        match &placement.destination {
            Destination::Sip(uri) => self.straight(uri, placement).map(|way| vec![way]),
            Destination::Tel(_)
            | Destination::Agent(_)
            | Destination::Reject(_)
            | Destination::Busy
            | Destination::HangUp(_) => Err(Cause::NoRoute),
        }
    }

    /// Places a leg. Its events come with the session's identity, whichever way is taken.
    pub fn place(&mut self, now: Instant, placement: Box<Placement>) {
        let session = placement.session;
        let ways = match self.ways(&placement) {
            Ok(ways) if self.hunts.len() < MOST_HUNTS => ways,
            Ok(_) => return self.refuse(session, Cause::Full),
            Err(cause) => return self.refuse(session, cause),
        };
        let hunt = Hunt::new(placement, ways, now);
        self.hunts.insert(session, hunt);
        self.advance(session, now);
    }

    /// Takes an event of the endpoint; gives back what the call is to be told.
    pub fn hear(&mut self, now: Instant, event: Event) -> Option<Event> {
        match &event {
            Event::Progressed { session, .. } => {
                if let Some(hunt) = self.hunts.get_mut(session) {
                    hunt.progressed();
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
            | Event::Confirmed { .. }
            | Event::Reoffered { .. }
            | Event::ReferReceived { .. }
            | Event::Referred { .. }
            | Event::Info { .. }
            | Event::Told { .. } => {}
        }
        Some(event)
    }

    /// Takes an order of a call before the endpoint does; `None` when that is not to see it.
    pub fn obey(&mut self, command: Command) -> Option<Command> {
        if let Command::HangUp { session, reason } = &command
            && let Some(hunt) = self.hunts.get_mut(session)
        {
            let is_waiting = hunt.give_up();
            if is_waiting {
                let (session, reason) = (*session, reason.clone());
                self.forget(session);
                let ending = Ending::Cancelled { by: Party::Us, reason };
                self.outputs.push_back(Output::Event(Event::Ended { session, ending }));
                return None;
            }
        }
        Some(command)
    }

    /// Takes what the resolver found, the best first; nothing means that there is nothing.
    pub fn resolved(&mut self, now: Instant, lookup: LookupId, flows: Vec<Flow>) {
        let Some(session) = self.lookups.remove(&lookup) else { return };
        if let Some(hunt) = self.hunts.get_mut(&session) {
            hunt.resolved(flows);
            self.advance(session, now);
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        let due: Vec<SessionId> = self
            .hunts
            .iter()
            .filter(|(_, hunt)| hunt.deadline() <= now)
            .map(|(session, _)| *session)
            .collect();
        for session in due {
            self.hunt_due(session, now);
        }
    }

    /// Gives the next thing to be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.hunts.values().map(Hunt::deadline).min()
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

    /// Takes the next step of a hunt.
    fn advance(&mut self, session: SessionId, now: Instant) {
        let Some(hunt) = self.hunts.get_mut(&session) else { return };
        match hunt.next(now) {
            Step::Invite(way, flow) => self.invite(session, &way, flow),
            Step::Resolve(uri) => match flow_to(&uri, &self.settings.sockets) {
                Some(flow) => {
                    hunt.resolved(vec![flow]);
                    self.advance(session, now);
                }
                None if names_an_address(&uri) => {
                    hunt.resolved(Vec::new());
                    self.advance(session, now);
                }
                None => {
                    self.last_lookup.0 = self.last_lookup.0.saturating_add(1);
                    self.lookups.insert(self.last_lookup, session);
                    self.outputs.push_back(Output::Resolve(self.last_lookup, uri));
                }
            },
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
        let outgoing = Outgoing {
            session,
            target: way.target.clone(),
            from: way.from.clone(),
            flow,
            body: hunt.body(),
            headers: way.headers.clone(),
        };
        self.outputs.push_back(Output::Command(Command::Invite(Box::new(outgoing))));
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
        headers.extend(placement.headers.iter().cloned());
        let hop = Hop::Host(uri.to_owned());
        Ok(Way { target: uri.to_owned(), from, hop, headers, account: None })
    }

    fn socket_for(&self, peer: Option<IpAddr>) -> Option<SocketAddr> {
        let fits =
            |socket: &&SocketAddr| peer.is_none_or(|peer| peer.is_ipv4() == socket.is_ipv4());
        self.settings.sockets.iter().find(fits).copied()
    }

    fn forget(&mut self, session: SessionId) {
        self.hunts.remove(&session);
        self.lookups.retain(|_, waiting| *waiting != session);
    }

    fn refuse(&mut self, session: SessionId, cause: Cause) {
        let refusal = cause.refusal();
        let reason = Some(cause.end_reason().to_owned());
        let ending = Ending::Refused { by: Party::Us, status: refusal.status, reason };
        self.outputs.push_back(Output::Event(Event::Ended { session, ending }));
    }
}

/// The flow to a SIP URI whose host is an address, by a socket of its family.
fn flow_to(uri: &str, sockets: &[SocketAddr]) -> Option<Flow> {
    let uri = Uri::parse(uri).ok()?;
    let Some(Host::Address(address)) = uri.host() else { return None };
    let remote = SocketAddr::new(address, uri.port().unwrap_or(DEFAULT_PORT));
    let local = sockets.iter().find(|socket| socket.is_ipv4() == remote.is_ipv4())?;
    Some(Flow::udp(*local, remote))
}

fn names_an_address(uri: &str) -> bool {
    let host = Uri::parse(uri).ok().and_then(|uri| uri.host().map(|host| host.address()));
    host.is_none_or(|address| address.is_some())
}

/// The port of SIP without TLS when none is written.
const DEFAULT_PORT: u16 = 5060;

/// How many legs may be searched for at once.
const MOST_HUNTS: usize = 10_000;

/// The Reason of a CANCEL for a phone that nobody answers (Q.850: 19).
const NO_ANSWER: &str = "Q.850;cause=19;text=\"no answer\"";

/// How long a host may keep silent while there is another one: instead of 64·T1.
const SILENCE: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests;
