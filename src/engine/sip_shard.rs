//! The SIP shard: one task that owns sockets and connections and every transaction and dialog.

mod farewell;
mod open_ways;
mod outfit;
mod placing;
mod questions;
mod senders;
mod texts;
pub mod visits;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::open_ways::OpenWays;
pub use self::questions::{DoorReport, Question};
use self::senders::Senders;
use self::visits::{Knock, Visits};
use crate::base::id::CallId;
use crate::call::admission::caps::Newcomer;
use crate::call::admission::{Doorkeeper, Reason, Verdict};
use crate::call::briefing::Briefing;
use crate::call::event;
use crate::call::exchange::waiting::Messages;
use crate::call::exchange::{self, Exchange, Trial, Untried};
use crate::call::outbound::purse::Ledger;
use crate::call::placement::Placement;
use crate::engine::announcements::{Announcement, Announcer};
use crate::engine::clock;
use crate::engine::doors::{self, Datagrams, Doors};
use crate::engine::lookups::{Found, Lookups};
use crate::engine::mailbox::{self, Mailbox};
use crate::engine::newest::Told;
use crate::engine::stir::Stir;
use crate::engine::streams::{Caps, Happening, Streams};
use crate::net::burst::{self, Burst};
use crate::net::line::{LineId, News};
use crate::sip::census::Census;
use crate::sip::endpoint::Endpoint;
use crate::sip::event::{
    Command, Connection, Event, Flow, Incoming, Input, Notice, Output, Refusal, SessionId,
    Standing, Transport,
};
use crate::sip::message::Message;
use crate::sip::route::Sockets;
use crate::sip::trace::{Entry, Trace};

pub use crate::engine::arrival::Arrival;

/// Owns sockets, connections and the user agent behind them.
#[derive(Debug)]
pub struct SipShard {
    datagrams: Vec<Datagrams>,
    streams: Streams,
    sockets: Sockets,
    endpoint: Endpoint,
    doorkeeper: Doorkeeper,
    exchange: Exchange,
    lookups: Lookups,
    senders: Senders,
    open_ways: OpenWays,
    stir: Stir,
    calls: HashMap<SessionId, Mailbox>,
    announcer: Announcer,
    /// What was said of late, and who looks on.
    trace: Trace,
    census: Census,
    live: Option<broadcast::Sender<Entry>>,
    /// Who writes down what was spent.
    spending: Option<Told<Ledger>>,
    /// Who writes down which dialogs stand.
    standing: Option<farewell::Standing>,
    /// Where the message that is being answered came from, if from nobody we know.
    stranger: Option<SocketAddr>,
    /// Who waits for the trial of a trunk.
    trials: HashMap<Arc<str>, Vec<oneshot::Sender<Result<Trial, Untried>>>>,
    visits: Visits,
    orders: mpsc::Receiver<Order>,
    arrivals: mpsc::Sender<Arrival>,
}

/// What calls order of a shard.
#[derive(Debug)]
pub enum Order {
    /// A command for a session.
    Command(Command),
    /// A call of ours begins: its events go to this mailbox.
    Adopt(SessionId, Mailbox),
    /// A call places a leg: its events go to this mailbox.
    Place(Mailbox, Box<Placement>),
    /// Two legs of a call talk with each other.
    Pair(SessionId, SessionId),
    /// The call of ours in which this value of Replaces names a leg has done its work.
    Retire(String),
    /// An address was found by that domain: its certificate must name it.
    Name(SocketAddr, String),
    /// Closes a connection.
    Close(Connection),
    /// No new calls: every registration is removed.
    Leave,
    /// A session is the first of this call.
    Named(SessionId, CallId),
    /// An operator asks something.
    Ask(Question),
    /// An operator wants a trunk registered anew.
    Renew(Arc<str>),
    /// Texts go by the routes of this briefing from now on.
    Brief(Arc<Briefing>),
    /// Somebody brings a call without SIP.
    Visit(Box<Knock>),
    /// So many messages stand in a voicemail.
    Waiting(String, Messages),
}

/// How others reach a shard. Orders wait when the shard is behind.
#[derive(Debug, Clone)]
pub struct SipHandle {
    orders: mpsc::Sender<Order>,
    /// The address of the shard's first socket.
    pub local: SocketAddr,
    /// All its sockets.
    pub sockets: Sockets,
}

impl SipHandle {
    /// Orders something; nothing happens when the shard is gone.
    pub async fn order(&self, order: Order) {
        self.orders.send(order).await.ok();
    }
}

impl SipShard {
    /// Makes a shard behind open doors, of which there is at least one.
    pub fn new(
        doors: Doors,
        endpoint: Endpoint,
        doorkeeper: Doorkeeper,
        arrivals: mpsc::Sender<Arrival>,
    ) -> (Self, SipHandle) {
        let local = doors.first().unwrap_or(NOWHERE);
        let Doors { udp, streams, sockets, client, name_servers } = doors;
        let (sender, orders) = mpsc::channel(1_024);
        let settings = exchange::Settings { sockets: sockets.clone(), trunks: Vec::new() };
        let exchange = Exchange::new(settings, clock::random(), clock::now());
        let senders = Senders::new(doorkeeper.names(), clock::now());
        let shard = Self {
            datagrams: udp,
            streams: Streams::new(streams, client, Caps::default()),
            sockets: sockets.clone(),
            endpoint,
            doorkeeper,
            exchange,
            lookups: Lookups::new(sockets.clone(), name_servers),
            senders,
            open_ways: OpenWays::new(KEEP_OPEN),
            stir: Stir::default(),
            calls: HashMap::new(),
            announcer: Announcer::default(),
            trace: Trace::holding(0),
            census: Census::default(),
            live: None,
            spending: None,
            standing: None,
            stranger: None,
            trials: HashMap::new(),
            visits: Visits::default(),
            orders,
            arrivals,
        };
        (shard, SipHandle { orders: sender, local, sockets })
    }

    /// Runs until `stop`, and then until no registrar knows us any more.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut burst = Burst::default();
        let mut leaving = false;
        self.say_farewells();
        loop {
            let deadlines = [self.endpoint.deadline(), self.exchange.deadline(clock::now())];
            let deadline = deadlines.into_iter().chain([self.own_deadline()]).flatten().min();
            tokio::select! {
                () = stop.cancelled(), if !leaving => {
                    leaving = true;
                    self.exchange.leave(clock::now());
                }
                at = doors::readable(&self.datagrams) => self.receive(at, &mut burst),
                happening = self.streams.next() => self.happen(happening),
                Some(order) = self.orders.recv() => self.obey(order),
                Some(found) = self.lookups.next() => self.resolved(found),
                Some(checked) = self.stir.next() => self.deliver_all(checked),
                left = self.visits.left() => self.left(left),
                () = until(deadline) => {}
            }
            self.endpoint.tick(clock::now());
            self.exchange.tick(clock::now());
            self.own_tick();
            self.drain();
            if leaving && self.exchange.has_left() {
                return self.streams.close().await;
            }
        }
    }

    /// Reads what there is, but not for ever: orders and timers want their turn.
    fn receive(&mut self, at: usize, burst: &mut Burst) {
        for _ in 0..BURSTS {
            let Some(datagrams) = self.datagrams.get(at) else { return };
            let local = datagrams.local;
            let Ok(taken) = datagrams.take(burst) else { return };
            let is_all = taken.len() < burst::AT_ONCE;
            for (bytes, remote) in taken {
                self.judge(bytes, Flow::udp(local, remote));
                self.drain();
            }
            if is_all {
                return;
            }
        }
    }

    /// Takes what happened among the connections.
    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Visited(visitor) => {
                let is_known = self.doorkeeper.is_known(visitor.remote.ip());
                let gone = self.streams.admit(visitor, is_known);
                self.lose(gone);
            }
            Happening::News(id, News::Up { is_proven }) => self.streams.is_up(id, is_proven),
            Happening::News(id, News::Message(bytes)) => self.heard(id, bytes),
            Happening::News(id, News::Down(_)) => {
                let gone = self.streams.gone(id);
                self.lose(gone);
            }
        }
    }

    /// Takes a message of a connection.
    fn heard(&mut self, id: LineId, bytes: Bytes) {
        let Some(flow) = self.streams.flow(id) else { return };
        let Some(connection) = flow.connection() else { return };
        match self.judge(bytes.clone(), flow) {
            Some(Standing::Trusted) => {
                self.streams.know(connection);
                self.alias(connection, &bytes);
            }
            Some(Standing::Guest | Standing::Stranger | Standing::Refused) => {}
            // Who asks too much is not listened to any longer.
            None => {
                let gone = self.streams.forget(connection);
                self.lose(gone);
            }
        }
    }

    /// A trusted peer may say that it is reached by this connection under the address in its Via
    /// (RFC 5923 5). It counts only for the address that it comes from (T5).
    fn alias(&mut self, connection: Connection, bytes: &Bytes) {
        let is_dialled = matches!(connection.transport, Transport::Tcp | Transport::Tls);
        if !is_dialled || !bytes.windows(ALIAS.len()).any(|window| window == ALIAS) {
            return;
        }
        let Ok(message) = Message::parse_datagram(bytes) else { return };
        let Some(via) = message.method().and_then(|_| message.top_via().ok()) else { return };
        let is_there = via.host().address() == Some(connection.remote.ip());
        if is_there && via.params().find("alias").is_some() {
            let port = via.port().unwrap_or(connection.transport.default_port());
            self.streams.alias(connection, port);
        }
    }

    fn lose(&mut self, connections: Vec<Connection>) {
        for connection in connections {
            self.endpoint.handle(clock::now(), Input::ConnectionLost(connection));
        }
    }

    fn resolved(&mut self, found: Found) {
        if self.found_sender(&found) {
            return;
        }
        for flow in found.flows.iter().filter(|flow| flow.transport.is_secure()) {
            if let Some(domain) = &found.domain {
                self.streams.named(flow.remote, domain);
            }
        }
        self.exchange.resolved(clock::now(), found.lookup, found.flows);
    }

    /// Lets the endpoint hear a message, if its sender may be heard; tells how he stands.
    fn judge(&mut self, bytes: Bytes, flow: Flow) -> Option<Standing> {
        let now = clock::now();
        let addressee = self.exchange.addressee(&bytes);
        let is_addressed = addressee.is_some_and(|it| !self.doorkeeper.must_prove(&it.name));
        let standing = match self.doorkeeper.judge(now, flow.remote) {
            _ if is_addressed => Standing::Trusted,
            Verdict::Trunk(_) => Standing::Trusted,
            Verdict::Guest => Standing::Guest,
            // Silence hides nothing where a connection was accepted.
            Verdict::Stranger if flow.transport.is_reliable() => Standing::Refused,
            Verdict::Stranger => Standing::Stranger,
            Verdict::Refused => Standing::Refused,
            Verdict::Ignored => return None,
        };
        self.note_heard(&bytes, flow, standing);
        self.endpoint.handle(now, Input::Received { bytes, flow, standing });
        Some(standing)
    }

    /// Sends a message to where it goes.
    fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        self.note_said(&bytes, flow);
        self.doorkeeper.wrote(clock::now(), flow.remote, &bytes);
        if let Some(connection) = flow.connection() {
            let is_welcome = is_welcome(&bytes);
            if let Err(lost) = self.streams.send(flow, bytes) {
                self.lose(lost);
            } else if is_welcome {
                self.streams.know(connection);
            }
            return;
        }
        let own = self.datagrams.iter().find(|it| it.local == flow.local);
        let near = || self.datagrams.iter().find(|it| it.local.is_ipv4() == flow.remote.is_ipv4());
        // A full socket buffer loses a datagram, as the network might: timers repeat it.
        if let Some(Datagrams { socket, .. }) = own.or_else(near) {
            socket.try_send_to(&bytes, flow.remote).ok();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Command(command) => {
                if let Some(command) = self.exchange.obey(command) {
                    self.command(command);
                }
            }
            Order::Name(address, domain) => self.streams.named(address, &domain),
            Order::Named(session, call) => self.trace.name(session, call),
            Order::Ask(question) => self.answer(question),
            Order::Renew(trunk) => {
                self.exchange.renew(&trunk, clock::now());
            }
            Order::Brief(briefing) => self.exchange.brief(briefing),
            Order::Waiting(mailbox, count) => self.exchange.messages_wait(&mailbox, count),
            Order::Close(connection) => {
                let gone = self.streams.forget(connection);
                self.lose(gone);
            }
            Order::Leave => {
                self.exchange.leave(clock::now());
                // Balancers that ask are told to send calls elsewhere.
                self.endpoint.handle(clock::now(), Input::Command(Command::Drain));
            }
            Order::Place(mailbox, placement) => self.place(mailbox, placement),
            Order::Pair(one, other) => self.pair(one, other),
            Order::Retire(named) => self.retire(&named),
            Order::Visit(knock) => self.knocked(*knock),
            Order::Adopt(session, mailbox) => {
                self.calls.insert(session, mailbox);
            }
        }
    }

    /// Carries out what the endpoint and the exchange want, until both want nothing.
    fn drain(&mut self) {
        loop {
            self.drain_endpoint();
            let Some(output) = self.exchange.poll() else { return };
            match output {
                exchange::Output::Command(command) => {
                    if let Command::Invite(outgoing) = &command {
                        self.trace.expect(self.exchange.leg_of(outgoing.session));
                    }
                    self.command(command);
                }
                exchange::Output::Sign(mut outgoing, claim) => {
                    outgoing.headers.extend(self.stir.sign(&claim));
                    let command = Command::Invite(outgoing);
                    self.command(command);
                }
                exchange::Output::Event(event) => self.tell(event),
                exchange::Output::Offered(session, srtp) => {
                    if let Some(mailbox) = self.calls.get(&session) {
                        // A call that does not listen hears of its end.
                        mailbox.post(event::Input::Offered { session, srtp }).ok();
                    }
                }
                exchange::Output::Known(badge, address) => self.doorkeeper.learn(badge, address),
                exchange::Output::Turned(trunk, health) => {
                    self.announcer.tell(Announcement::Trunk { trunk, health });
                }
                exchange::Output::Stands(trunk, enrolment) => {
                    self.announcer.tell(Announcement::Registration { trunk, enrolment });
                }
                exchange::Output::Tried(trial) => self.tried(&trial),
                exchange::Output::Resolve(lookup, uri) => self.lookups.ask(lookup, uri),
            }
        }
    }

    fn drain_endpoint(&mut self) {
        while let Some(output) = self.endpoint.poll() {
            match output {
                Output::Transmit { flow, bytes } => self.transmit(flow, bytes),
                Output::Notice(notice) => self.notice(&notice),
                Output::Event(Event::Incoming(incoming)) => self.arrive(incoming),
                Output::Event(Event::Texted(text)) => self.texted(text),
                Output::Event(event) => self.happened(event),
            }
        }
    }

    /// Something happened in a session.
    fn happened(&mut self, event: Event) {
        self.note_dialog(&event);
        if let Event::Ended { session, .. } = &event {
            self.doorkeeper.over(*session);
        }
        if let Some(event) = self.exchange.hear(clock::now(), event) {
            self.tell(event);
        }
    }

    fn arrive(&mut self, mut incoming: Box<Incoming>) {
        let session = incoming.session;
        self.trace.relate(&incoming.sip_call_id, session);
        if let Some(replaced) = incoming.replaces {
            return self.replace(self.exchange.leg_of(replaced), incoming);
        }
        let Some(mut trunk) = self.sender_of(&incoming) else {
            return self.refuse(session, Refusal::status(403));
        };
        let said = self.exchange.read(&trunk.name, &mut incoming).unwrap_or_default();
        trunk.tenant = self.exchange.tenant_of(session);
        let newcomer = Newcomer {
            session,
            badge: &trunk,
            number: &incoming.called_user,
            address: incoming.flow.remote,
        };
        if let Err(refusal) = self.doorkeeper.admit(clock::now(), &newcomer) {
            return self.refuse(session, refusal);
        }
        if let Err(reason) = self.exchange.has_room(session) {
            let refusal = self.doorkeeper.refused(reason);
            return self.refuse(session, refusal);
        }
        let (mailbox, inbox) = mailbox::pair();
        // What happens while its signature is checked waits for the call.
        self.calls.insert(session, mailbox.clone());
        let arrival = Arrival { incoming, trunk, verification: None, mailbox, inbox };
        if let Some(arrival) = self.stir.check(arrival, said) {
            self.deliver(arrival);
        }
    }

    fn deliver_all(&mut self, arrivals: Vec<Arrival>) {
        for arrival in arrivals {
            self.deliver(arrival);
        }
    }

    /// Hands a new call to the supervisor.
    fn deliver(&mut self, arrival: Arrival) {
        let session = arrival.incoming.session;
        if self.arrivals.try_send(arrival).is_err() {
            self.calls.remove(&session);
            let refusal = self.doorkeeper.refused(Reason::Full);
            self.refuse(session, refusal);
        }
    }

    /// Hands an INVITE to the call that has the leg which it replaces.
    fn replace(&mut self, replaced: SessionId, incoming: Box<Incoming>) {
        let session = incoming.session;
        let Some(mailbox) = self.calls.get(&replaced).cloned() else {
            return self.refuse(session, Refusal::status(481));
        };
        let input = event::Input::Replace { session: replaced, incoming };
        if mailbox.post(input).is_ok() {
            self.calls.insert(session, mailbox);
        } else {
            self.refuse(session, Refusal::status(480));
        }
    }

    fn refuse(&mut self, session: SessionId, refusal: Refusal) {
        let command = Command::Refuse { session, refusal };
        self.command(command);
    }

    fn notice(&mut self, notice: &Notice) {
        self.doorkeeper.notice(clock::now(), notice);
        self.exchange.notice(notice);
        self.open_ways.notice(clock::now(), notice);
        if let Notice::Offended { flow, offence } = notice {
            tracing::debug!(source = %flow.remote.ip(), ?offence, "offended");
        }
        if let Some(announcement) = Announcement::of(notice) {
            self.announcer.tell(announcement);
        }
    }

    fn tell(&mut self, event: Event) {
        let Some(session) = event.session() else { return };
        let over = matches!(event, Event::Ended { .. });
        let Some(mailbox) = self.calls.get(&session) else { return };
        let delivered = mailbox.post(event::Input::Sip(event));
        if over {
            self.calls.remove(&session);
        } else if delivered.is_err() {
            // Nobody listens any more: the other side must not be left in a dead call.
            self.calls.remove(&session);
            let command = Command::HangUp { session, reason: None };
            self.command(command);
        }
    }
}

/// Sleeps until a deadline, or for ever without one.
pub async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Whether whoever is sent this is no stranger: we ask him, or give him what he asked for. That we
/// are there is told to anybody.
fn is_welcome(message: &Bytes) -> bool {
    let is_about_us = || message.windows(OPTIONS.len()).any(|window| window == OPTIONS);
    !message.starts_with(b"SIP/2.0 ") || (message.starts_with(b"SIP/2.0 2") && !is_about_us())
}

/// How the CSeq of a question for our abilities ends.
const OPTIONS: &[u8] = b" OPTIONS\r\n";

/// What a peer says in Via that wants its connection used both ways.
const ALIAS: &[u8] = b"alias";

/// The address of a shard without doors.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// How often phones are written to that came by UDP.
const KEEP_OPEN: Duration = Duration::from_secs(25);

/// How many bursts are read in a row.
const BURSTS: usize = 2;

#[cfg(test)]
mod tests;
