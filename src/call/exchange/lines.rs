//! The lines to the carriers: what trunks send, by which trunk a request came, and the ways that
//! lead out by them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::traffic::{Count, Way as Direction};
use super::{Exchange, Hop, LookupId, NoWay, Output, Way, foreign_headers, names_an_address};
use crate::call::admission::{Badge, Reason};
use crate::call::cause::Cause;
use crate::call::identity::{self, Said};
use crate::call::outbound::purse::Fare;
use crate::call::placement::Placement;
use crate::call::trunk::{self, Input, Purpose, Report};
use crate::sip::account::Account;
use crate::sip::event::{AskId, Asking, Command, Event, Flow, Incoming, SessionId};
use crate::sip::registration::{Errand, is_life};

/// A request of a trunk on its way.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub trunk: Arc<str>,
    pub purpose: Purpose,
    pub errand: Box<Errand>,
    /// The host that was asked last, and those that were not asked.
    pub flow: Option<Flow>,
    pub flows: VecDeque<Flow>,
    /// When the host that was asked last was asked.
    pub since: Instant,
}

/// Who waits for an answer of the resolver.
#[derive(Debug)]
pub(super) enum Ring {
    Hunt(SessionId),
    Errand(Box<Asked>),
}

impl Exchange {
    /// How the trunks stand, in the order of their names.
    pub fn reports(&self) -> Vec<(Report, Count)> {
        let report = |trunk: &trunk::Trunk| {
            let report = trunk.report();
            let count = self.traffic.of(&report.name);
            (report, count)
        };
        self.trunks.values().map(report).collect()
    }

    /// The trunk that carries a session.
    pub fn carrier(&self, session: SessionId) -> Option<&Arc<str>> {
        self.traffic.carrier(session)
    }

    /// The trunk that was met at an address, if one was.
    pub fn trunk_met_at(&self, remote: SocketAddr) -> Option<&Arc<str>> {
        self.traffic.at(remote)
    }

    /// Whether the trunk that carries a session has room for it beside its other calls, and whoever
    /// it belongs to.
    ///
    /// # Errors
    /// With the cap that is reached.
    pub fn has_room(&mut self, session: SessionId) -> Result<(), Reason> {
        let trunk = self.traffic.carrier(session);
        if trunk.is_some_and(|name| !self.traffic.has_room(name, session)) {
            return Err(Reason::TrunkLimit);
        }
        if !self.tenants.has_room(self.tenants.of(session), session) {
            return Err(Reason::TenantLimit);
        }
        if self.purse.can_go_on(session) { Ok(()) } else { Err(Reason::TenantMinutes) }
    }

    /// Has a trunk registered anew; false when there is none of that name.
    pub fn renew(&mut self, trunk: &str, now: Instant) -> bool {
        let found = self.trunks.get_mut(trunk);
        let is_there = found.is_some();
        if let Some(trunk) = found {
            trunk.handle(now, Input::Renew);
            self.drain_trunks(now);
        }
        is_there
    }

    /// Removes every registration.
    pub fn leave(&mut self, now: Instant) {
        for trunk in self.trunks.values_mut() {
            trunk.handle(now, Input::Leave);
        }
        self.drain_trunks(now);
    }

    /// Whether nothing of us is left at any registrar.
    pub fn has_left(&self) -> bool {
        self.trunks.values().all(trunk::Trunk::is_gone)
    }

    /// The trunk whose Contact a request is addressed to. Only its registrar knows the name, so
    /// it speaks for the sender wherever the request comes from. Looks at the first line only.
    pub fn addressee(&self, datagram: &[u8]) -> Option<&Badge> {
        let line = datagram.get(..datagram.len().min(LONGEST_LINE))?;
        let uri = line.strip_prefix(b"INVITE sip:").or_else(|| line.strip_prefix(b"CANCEL sip:"));
        let user = uri?.split(|byte| *byte == b'@').next()?;
        self.contacts.get(std::str::from_utf8(user).ok()?)
    }

    /// The trunk whose Contact has that user part.
    pub fn owner_of(&self, user: &str) -> Option<Badge> {
        self.contacts.get(user).cloned()
    }

    /// The name of the tenant whose session it is; empty when it is nobody's.
    pub fn tenant_of(&self, session: SessionId) -> Arc<str> {
        self.tenants.of(session).cloned().unwrap_or_default()
    }

    /// Reads an INVITE of a trunk as its profile says: number called, caller, name. Our account
    /// there answers if the trunk challenges what we say in the call.
    pub fn read(&mut self, trunk: &str, incoming: &mut Incoming) -> Option<Said> {
        let settings = self.trunks.get(trunk)?.settings();
        self.traffic.carry(incoming.session, &settings.name, Direction::In);
        self.traffic.meet(&settings.name, incoming.flow.remote);
        let said = identity::read(&settings.profile, incoming);
        let tenant = self.tenants.whose(trunk, &[&said.called]);
        if let Some(fare) = tenant.clone().map(Fare::of_caller) {
            self.purse.begin(incoming.session, fare);
        }
        self.tenants.carry(incoming.session, tenant);
        incoming.called_user.clone_from(&said.called);
        incoming.calling_user.clone_from(&said.caller);
        incoming.calling_name.clone_from(&said.name);
        if let Some(account) = settings.account.clone() {
            let (session, peer) = (incoming.session, incoming.flow.remote.ip());
            let command = Command::Credentials { session, account, peer };
            self.outputs.push_back(Output::Command(command));
        }
        Some(said)
    }

    pub(super) fn account(&self, trunk: &str) -> Option<Arc<Account>> {
        self.trunks.get(trunk)?.settings().account.clone()
    }

    /// The ways out by these trunks, those that are up only; and by their failovers.
    pub(super) fn by_trunks(
        &self,
        names: &[&Arc<str>],
        number: &str,
        placement: &Placement,
    ) -> Result<Vec<Way>, NoWay> {
        let mut order: Vec<&Arc<str>> = names.to_vec();
        for name in names {
            let failover = self.trunks.get(*name).and_then(|it| it.settings().failover.as_ref());
            order.extend(failover.filter(|other| !names.contains(other)));
        }
        let known = order.iter().filter_map(|name| self.trunks.get(*name));
        let session = placement.session;
        let forwarded = placement.caller.diverted_by.as_deref().unwrap_or_default();
        let tenant = |name: &str| self.tenants.whose(name, &[&placement.caller.number, forwarded]);
        let has_room = |name: &str| {
            self.traffic.has_room(name, session)
                && self.tenants.has_room(tenant(name).as_ref(), session)
        };
        let usable: Vec<&trunk::Trunk> = known.filter(|trunk| trunk.is_usable()).collect();
        let is_full = !usable.is_empty() && !usable.iter().any(|it| has_room(&it.settings().name));
        let mut ways = Vec::new();
        let mut short = None;
        for trunk in usable.into_iter().filter(|it| has_room(&it.settings().name)) {
            let settings = trunk.settings();
            let owner = tenant(&settings.name);
            let payer = placement.payer.as_ref();
            let fare = self.purse.fare((&settings.name, owner.as_ref()), number, payer);
            if let Err(why) = self.purse.can_pay(session, &fare) {
                short = Some(why);
                continue;
            }
            let written = identity::write(&settings.profile, number, &placement.caller);
            let claim = settings.signing.as_ref().zip(written.signed.as_ref());
            let claim = claim.and_then(|(signing, (caller, called))| {
                signing.claim(&settings.name, caller, called)
            });
            let headers: Vec<(String, String)> =
                written.headers.into_iter().chain(foreign_headers(placement)).collect();
            ways.extend(trunk.peers().into_iter().map(|peer| {
                let routes = trunk.routes(&peer).into_iter().map(|it| ("Route".to_owned(), it));
                Way {
                    target: written.target.clone(),
                    from: written.from.clone(),
                    headers: routes.chain(headers.clone()).collect(),
                    hop: Hop::Host(peer),
                    account: Some(settings.name.clone()),
                    tenant: owner.clone(),
                    fare: Some(fare.clone()),
                    claim: claim.clone(),
                }
            }));
        }
        match (ways.is_empty(), short) {
            (false, _) => Ok(ways),
            (true, Some(short)) => Err(NoWay::from(short)),
            (true, None) if is_full => Err(Cause::Full.into()),
            (true, None) => Err(Cause::NoRoute.into()),
        }
    }

    pub(super) fn tick_trunks(&mut self, now: Instant) {
        for trunk in self.trunks.values_mut() {
            trunk.tick(now);
        }
        self.drain_trunks(now);
    }

    /// Sends what trunks want sent, and tells what they tell.
    pub(super) fn drain_trunks(&mut self, now: Instant) {
        let mut wishes = Vec::new();
        for (name, trunk) in &mut self.trunks {
            while let Some(output) = trunk.poll() {
                wishes.push((name.clone(), output));
            }
        }
        for (name, output) in wishes {
            match output {
                trunk::Output::Turned(health) => {
                    self.outputs.push_back(Output::Turned(name, health));
                }
                trunk::Output::Stands(enrolment) => {
                    self.outputs.push_back(Output::Stands(name, enrolment));
                }
                trunk::Output::Ask(purpose, errand) => self.begin(name, purpose, errand, now),
            }
        }
    }

    pub(super) fn begin(
        &mut self,
        trunk: Arc<str>,
        purpose: Purpose,
        errand: Box<Errand>,
        now: Instant,
    ) {
        // Whoever was asked before and has said nothing is silent.
        let before = self.current.remove(&(trunk.clone(), purpose));
        if let Some(flow) = before.and_then(|id| self.asked.remove(&id)).and_then(|it| it.flow) {
            self.fell_silent(flow.remote, now);
        }
        let uri = errand.hop.clone();
        let asked =
            Asked { trunk, purpose, errand, flow: None, flows: VecDeque::new(), since: now };
        match self.settings.sockets.straight(&uri) {
            Some(flow) => self.ask(Asked { flows: VecDeque::from([flow]), ..asked }, now),
            None if names_an_address(&uri) => self.ask(asked, now),
            None => self.look_up(uri, Ring::Errand(Box::new(asked))),
        }
    }

    /// Asks the next host; when there is none the trunk is told so.
    pub(super) fn ask(&mut self, mut asked: Asked, now: Instant) {
        let Some(flow) = asked.flows.pop_front() else {
            self.note_answer(&asked, (408, &[]), now);
            return self.answer(&asked, 408, Vec::new(), now);
        };
        let id = self.next_ask();
        let errand = (*asked.errand).clone();
        let account = self.account(&asked.trunk);
        (asked.flow, asked.since) = (Some(flow), now);
        self.traffic.meet(&asked.trunk, flow.remote);
        self.current.insert((asked.trunk.clone(), asked.purpose), id);
        self.asked.insert(id, asked);
        let asking = Asking {
            id,
            method: errand.method,
            target: errand.target,
            from: errand.address.clone(),
            to: errand.address,
            flow,
            routes: errand.routes,
            max_forwards: MOST_HOPS,
            contact: errand.contact,
            series: errand.series,
            headers: errand.headers,
            content_type: None,
            body: Bytes::new(),
            account,
        };
        self.outputs.push_back(Output::Command(Command::Ask(Box::new(asking))));
    }

    /// The identity of the next request outside of calls.
    pub(super) fn next_ask(&mut self) -> AskId {
        self.last_ask = AskId(self.last_ask.0.saturating_add(1));
        self.last_ask
    }

    /// Takes the answer to a request of a trunk, or to a text.
    pub(super) fn told(&mut self, event: Event, now: Instant) {
        let Event::Told { id, status, headers, .. } = event else { return };
        if self.text_answered(id, (status, &headers)) {
            return;
        }
        let Some(asked) = self.asked.remove(&id) else { return };
        self.note_answer(&asked, (status, &headers), now);
        if !is_life(status) {
            if let Some(flow) = asked.flow {
                self.fell_silent(flow.remote, now);
            }
            if !asked.flows.is_empty() {
                return self.ask(asked, now);
            }
        }
        let is_registered = asked.purpose == Purpose::Register && (200..300).contains(&status);
        let badge = self.settings.trunks.iter().find(|(badge, _)| badge.name == asked.trunk);
        if let (true, Some((badge, _)), Some(flow)) = (is_registered, badge, asked.flow) {
            self.outputs.push_back(Output::Known(badge.clone(), flow.remote.ip()));
        }
        self.answer(&asked, status, headers, now);
    }

    fn answer(&mut self, asked: &Asked, status: u16, headers: Vec<(String, String)>, now: Instant) {
        self.current.remove(&(asked.trunk.clone(), asked.purpose));
        if let Some(trunk) = self.trunks.get_mut(&asked.trunk) {
            trunk.handle(now, Input::Told { purpose: asked.purpose, status, headers });
        }
        self.drain_trunks(now);
        self.check_trial(asked);
    }

    pub(super) fn look_up(&mut self, uri: String, ring: Ring) {
        self.last_lookup = LookupId(self.last_lookup.0.saturating_add(1));
        self.lookups.insert(self.last_lookup, ring);
        self.outputs.push_back(Output::Resolve(self.last_lookup, uri));
    }

    fn fell_silent(&mut self, host: SocketAddr, now: Instant) {
        self.silent.retain(|_, until| *until > now);
        if self.silent.len() < MOST_SILENT {
            self.silent.insert(host, now + SILENT_FOR);
        }
    }

    /// Puts hosts that were silent of late behind the others.
    pub(super) fn by_silence(&self, flows: Vec<Flow>, now: Instant) -> Vec<Flow> {
        let is_silent =
            |flow: &Flow| self.silent.get(&flow.remote).is_some_and(|until| *until > now);
        let (silent, mut lively): (Vec<Flow>, Vec<Flow>) = flows.into_iter().partition(is_silent);
        lively.extend(silent);
        lively
    }
}

/// How far a request goes that begins here (RFC 3261 8.1.1.6).
pub(super) const MOST_HOPS: u8 = 70;

/// How long a host that was silent is tried last.
const SILENT_FOR: Duration = Duration::from_secs(300);

/// How many silent hosts are remembered.
const MOST_SILENT: usize = 1_000;

/// How much of a datagram may be its first line.
const LONGEST_LINE: usize = 512;
