//! The endpoint: our pure SIP user agent. Datagrams and orders go in with the time; datagrams and
//! facts come out. Its halves stand in the folder beside this file.
//!
//! What it does not do, so that nobody looks for it here: it resolves no names and opens no
//! sockets. A request inside a dialog goes where the dialog's first packet came from, never where a
//! Contact, Route or Via would lead it (T5); only the port may follow them on that same address.

mod answering;
mod asking;
mod calling;
mod carrying;
mod commands;
mod guests;
mod inside;
mod leaving;
mod offering;
mod offers;
mod pracking;
mod proving;
mod receiving;
mod referring;
mod replacing;
pub mod settings;
mod stateless;
mod subscribing;
mod telling;
#[cfg(test)]
mod tests;
mod texting;
mod writing;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use settings::Settings;

use super::account::{Bound, Tries, Wallet};
use super::dialog::arrival::Origin;
use super::dialog::invite::Session;
use super::dialog::subscription::Subscriptions;
use super::dialog::table::Table;
use super::event::{AskId, Ending, Event, Input, Output, SessionId};
use super::notice::SubscriptionId;
use super::registrar::Registrar;
use super::transaction::agenda::Agenda;
use super::transaction::layer::{Datagram, Fired, Layer, TransactionId};
use crate::base::random::Random;

/// A SIP user agent, both client and server, over datagrams.
#[derive(Debug)]
pub struct Endpoint {
    settings: Settings,
    random: Random,
    layer: Layer<Use>,
    sessions: Table,
    /// Open INVITEs by what stays the same when a proxy forks them to us twice (8.2.2.2).
    origins: HashMap<Origin, TransactionId>,
    outputs: VecDeque<Output>,
    next_session: SessionId,
    /// Makes the tags of stateless answers, the same for the same request (8.2.7).
    tag_secret: u64,
    /// The accounts that answer challenges, and how often each request was sent because of them.
    wallet: Wallet,
    tries: HashMap<TransactionId, Tries>,
    /// Who knows the phones, when phones may register.
    registrar: Option<Registrar>,
    /// Who refused a TCP connection, and until when no other one is tried.
    without_tcp: HashMap<SocketAddr, Instant>,
    /// Texts outside of calls that wait for their answer.
    texts: HashMap<SessionId, texting::Text>,
    /// Phones that are told what waits for them.
    subscriptions: Subscriptions,
    /// Re-INVITEs whose session is gone: a final answer is still acknowledged for a while.
    lingering: Agenda<TransactionId>,
    service: Service,
    dropped: u64,
    resent: u64,
}

/// Whether new calls are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Open,
    Draining,
}

/// What a transaction is for.
#[derive(Debug)]
enum Use {
    /// An INVITE that asks for a session.
    Incoming(SessionId, Origin),
    /// A re-INVITE, UPDATE or REFER that waits for the owner of a session.
    Pending(SessionId),
    /// A MESSAGE outside of calls that waits for whoever knows its reader.
    Text(SessionId),
    /// Any other request of the peer.
    Served,
    /// Our INVITE.
    Invite(Invitation),
    /// Our re-INVITE.
    Reinvite(Reinvitation),
    /// Our UPDATE.
    Update(SessionId),
    /// Our BYE; to a superfluous answer of a fork there belongs no session.
    Bye(Option<SessionId>),
    /// Our REFER.
    Refer(SessionId),
    /// Our request outside of any dialog, and the account that may answer for it.
    Ask(AskId, Option<Bound>),
    /// Our NOTIFY of a subscription.
    Notify(SubscriptionId),
    /// Our CANCEL, NOTIFY of a REFER, PRACK, INFO or MESSAGE: nobody waits for the answer.
    Told,
}

/// Our INVITE and whom it reached.
#[derive(Debug)]
struct Invitation {
    session: SessionId,
    /// The ACK for each tag that accepted it: the first won, the others were hung up.
    acks: Vec<(String, Datagram)>,
}

/// Our re-INVITE, with the ACK once it was accepted.
#[derive(Debug)]
struct Reinvitation {
    session: SessionId,
    ack: Option<Datagram>,
}

impl Endpoint {
    /// Makes an endpoint. `random` makes its tags, branches and Call-IDs.
    pub fn new(mut settings: Settings, mut random: Random) -> Self {
        // A timer of no length would never let `tick` end.
        let least = Duration::from_millis(1);
        let timers = &mut settings.timers;
        for time in [&mut timers.t1, &mut timers.t2, &mut timers.t4] {
            *time = (*time).max(least);
        }
        settings.ring_limit = settings.ring_limit.max(least);
        Self {
            layer: Layer::new(settings.timers),
            sessions: Table::default(),
            origins: HashMap::new(),
            outputs: VecDeque::new(),
            next_session: settings.first_session,
            tag_secret: random.u64(),
            wallet: Wallet::default(),
            tries: HashMap::new(),
            registrar: None,
            without_tcp: HashMap::new(),
            texts: HashMap::new(),
            subscriptions: Subscriptions::default(),
            lingering: Agenda::default(),
            service: Service::Open,
            dropped: 0,
            resent: 0,
            random,
            settings,
        }
    }

    /// Takes a datagram or an order.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Received { bytes, flow, standing } => {
                self.receive(bytes, flow, standing, now);
            }
            Input::Command(command) => self.obey(command, now),
            Input::ConnectionLost(connection) => {
                self.lose_phones_by(connection);
                self.lose_subscribers_by(&connection);
                self.connection_lost(connection, now);
            }
        }
    }

    /// Lets every timer fire that is due.
    pub fn tick(&mut self, now: Instant) {
        while let Some(fired) = self.layer.tick(now) {
            match fired {
                Fired::Resend(datagram) => {
                    self.resent = self.resent.saturating_add(1);
                    self.send(datagram);
                }
                Fired::TimedOut(purpose) => self.time_out(purpose, now),
                Fired::Over(purpose) => self.forget_purpose(&purpose),
            }
        }
        while let Some(session) = self.sessions.take_due(now) {
            self.session_due(session, now);
        }
        if let Some(registrar) = &mut self.registrar {
            registrar.tick(now);
        }
        self.drain_notices();
        self.end_subscriptions(now);
        while let Some(transaction) = self.lingering.pop_due(now) {
            self.layer.forget(transaction);
        }
    }

    /// Gives the next thing to be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Tells when `tick` is due.
    pub fn deadline(&self) -> Option<Instant> {
        let phones = self.registrar.as_ref().and_then(Registrar::deadline);
        let (calls, lingering) = (self.sessions.deadline(), self.lingering.next());
        let times =
            [self.layer.deadline(), calls, lingering, phones, self.subscriptions.deadline()];
        times.into_iter().flatten().min()
    }

    /// Whether nothing is kept: no transaction, no session, no output.
    pub fn is_idle(&self) -> bool {
        self.layer.is_empty()
            && self.sessions.is_empty()
            && self.origins.is_empty()
            && self.lingering.is_empty()
            && self.outputs.is_empty()
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// How many transactions there are.
    pub fn transactions(&self) -> usize {
        self.layer.len()
    }

    /// Who knows the phones, if phones may register.
    pub fn registrar(&self) -> Option<&Registrar> {
        self.registrar.as_ref()
    }

    /// How many datagrams and orders were of no use to anybody, since the beginning.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many messages were sent again because nobody answered, since the beginning.
    pub fn resent(&self) -> u64 {
        self.resent
    }

    fn send(&mut self, datagram: Datagram) {
        self.outputs.push_back(datagram.into());
    }

    fn report(&mut self, event: Event) {
        if let Event::Ended { session, .. } = &event {
            self.wallet.release(*session);
        }
        self.outputs.push_back(Output::Event(event));
    }

    fn drop_input(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// Puts a session back that goes on, or reports its end. Whoever took a session calls this.
    fn settle(&mut self, mut session: Session, ending: Option<Ending>, now: Instant) {
        let Some(ending) = ending else { return self.sessions.put(session) };
        self.abandon_own(&mut session, now);
        self.refuse_pending(&mut session, now);
        self.report(Event::Ended { session: session.id, ending });
    }

    /// A transaction of the peer is gone, and so is what was found by it.
    fn forget_purpose(&mut self, purpose: &Use) {
        match purpose {
            Use::Incoming(_, origin) => {
                self.origins.remove(origin);
            }
            Use::Pending(session) => self.forget_pending(*session),
            Use::Text(session) => {
                self.texts.remove(session);
            }
            Use::Served
            | Use::Invite(_)
            | Use::Reinvite(_)
            | Use::Update(_)
            | Use::Bye(_)
            | Use::Refer(_)
            | Use::Ask(..)
            | Use::Notify(_)
            | Use::Told => {}
        }
    }

    fn is_full(&self) -> bool {
        self.layer.len() >= self.settings.max_transactions
            || self.sessions.len() >= self.settings.max_sessions
    }
}
