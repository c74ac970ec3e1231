//! The SIP shard: one task that owns a socket and every transaction and dialog on it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::call::admission::{Badge, Doorkeeper, Verdict};
use crate::call::event;
use crate::call::exchange::{self, Exchange};
use crate::call::placement::Placement;
use crate::call::trunk::{self, Health};
use crate::engine::clock;
use crate::engine::lookups::Lookups;
use crate::engine::mailbox::{self, Inbox, Mailbox};
use crate::sip::endpoint::Endpoint;
use crate::sip::event::{
    Command, Event, Flow, Incoming, Input, Output, Refusal, SessionId, Standing,
};

/// Owns a socket and the user agent on it.
#[derive(Debug)]
pub struct SipShard {
    socket: UdpSocket,
    local: SocketAddr,
    endpoint: Endpoint,
    doorkeeper: Doorkeeper,
    exchange: Exchange,
    lookups: Lookups,
    calls: HashMap<SessionId, Mailbox>,
    orders: mpsc::Receiver<Order>,
    arrivals: mpsc::Sender<Arrival>,
}

/// A new call, with the mailbox into which its signalling is already being posted.
#[derive(Debug)]
pub struct Arrival {
    /// The INVITE.
    pub incoming: Box<Incoming>,
    /// Which trunk it came by.
    pub trunk: Badge,
    /// Into the call.
    pub mailbox: Mailbox,
    /// For the call's task.
    pub inbox: Inbox,
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
    /// No new calls: every registration is removed.
    Leave,
}

/// How others reach a shard. Orders wait when the shard is behind.
#[derive(Debug, Clone)]
pub struct SipHandle {
    orders: mpsc::Sender<Order>,
    /// The address of the shard's socket.
    pub local: SocketAddr,
}

impl SipHandle {
    /// Orders something; nothing happens when the shard is gone.
    pub async fn order(&self, order: Order) {
        self.orders.send(order).await.ok();
    }
}

impl SipShard {
    /// Makes a shard on a bound socket.
    ///
    /// # Errors
    /// When the socket does not tell its address or cannot join the runtime.
    pub fn new(
        socket: std::net::UdpSocket,
        endpoint: Endpoint,
        doorkeeper: Doorkeeper,
        arrivals: mpsc::Sender<Arrival>,
    ) -> std::io::Result<(Self, SipHandle)> {
        let local = socket.local_addr()?;
        let socket = UdpSocket::from_std(socket)?;
        let (sender, orders) = mpsc::channel(1_024);
        let settings = exchange::Settings { sockets: vec![local], trunks: Vec::new() };
        let exchange = Exchange::new(settings, clock::random(), clock::now());
        let shard = Self {
            socket,
            local,
            endpoint,
            doorkeeper,
            exchange,
            lookups: Lookups::new(vec![local]),
            calls: HashMap::new(),
            orders,
            arrivals,
        };
        Ok((shard, SipHandle { orders: sender, local }))
    }

    /// Gives the shard trunks to keep.
    #[must_use]
    pub fn with_trunks(mut self, trunks: Vec<(Badge, trunk::Settings)>) -> Self {
        let settings = exchange::Settings { sockets: vec![self.local], trunks };
        self.exchange = Exchange::new(settings, clock::random(), clock::now());
        self
    }

    /// Runs until `stop`, and then until no registrar knows us any more.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut buffer = BytesMut::new();
        let mut leaving = false;
        loop {
            let deadlines = [self.endpoint.deadline(), self.exchange.deadline(clock::now())];
            let deadline = deadlines.into_iter().flatten().min();
            tokio::select! {
                () = stop.cancelled(), if !leaving => {
                    leaving = true;
                    self.exchange.leave(clock::now());
                }
                readable = self.socket.readable() => {
                    if readable.is_ok() {
                        self.receive(&mut buffer);
                    }
                }
                Some(order) = self.orders.recv() => self.obey(order),
                Some((lookup, flows)) = self.lookups.next() => {
                    self.exchange.resolved(clock::now(), lookup, flows);
                }
                () = until(deadline) => {}
            }
            self.endpoint.tick(clock::now());
            self.exchange.tick(clock::now());
            self.drain();
            if leaving && self.exchange.has_left() {
                return;
            }
        }
    }

    /// Reads what there is, but not for ever: orders and timers want their turn.
    fn receive(&mut self, buffer: &mut BytesMut) {
        for _ in 0..BATCH {
            buffer.clear();
            buffer.reserve(LARGEST);
            match self.socket.try_recv_buf_from(buffer) {
                Ok((_, remote)) => {
                    let bytes = buffer.split().freeze();
                    self.judge(bytes, remote);
                }
                // A connection reset is an ICMP for something that we sent: it ends nothing.
                Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
            self.drain();
        }
    }

    fn judge(&mut self, bytes: Bytes, remote: SocketAddr) {
        let now = clock::now();
        let is_addressed = self.exchange.addressee(&bytes).is_some();
        let standing = match self.doorkeeper.judge(now, remote.ip()) {
            _ if is_addressed => Standing::Trusted,
            Verdict::Trunk(_) => Standing::Trusted,
            Verdict::Stranger => Standing::Stranger,
            Verdict::Refused => Standing::Refused,
            Verdict::Ignored => return,
        };
        let flow = Flow::udp(self.local, remote);
        // The octets are copied out of the large buffer: a message may be kept for 32 seconds.
        let bytes = Bytes::copy_from_slice(&bytes);
        self.endpoint.handle(now, Input::Received { bytes, flow, standing });
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Command(command) => {
                if let Some(command) = self.exchange.obey(command) {
                    self.endpoint.handle(clock::now(), Input::Command(command));
                }
            }
            Order::Leave => self.exchange.leave(clock::now()),
            Order::Place(mailbox, placement) => {
                self.calls.insert(placement.session, mailbox);
                self.exchange.place(clock::now(), placement);
            }
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
                    self.endpoint.handle(clock::now(), Input::Command(command));
                }
                exchange::Output::Event(event) => self.tell(event),
                exchange::Output::Known(badge, address) => self.doorkeeper.learn(badge, address),
                exchange::Output::Turned(trunk, Health::Up) => {
                    tracing::info!(%trunk, "trunk is up");
                }
                exchange::Output::Turned(trunk, Health::Down(why)) => {
                    tracing::warn!(%trunk, why, "trunk is down");
                }
                exchange::Output::Resolve(lookup, uri) => self.lookups.ask(lookup, uri),
            }
        }
    }

    fn drain_endpoint(&mut self) {
        while let Some(output) = self.endpoint.poll() {
            match output {
                // A full socket buffer loses a datagram, as the network might: timers repeat it.
                Output::Transmit { flow, bytes } => {
                    self.socket.try_send_to(&bytes, flow.remote).ok();
                }
                Output::Event(Event::Incoming(incoming)) => self.arrive(incoming),
                Output::Event(event) => {
                    if let Some(event) = self.exchange.hear(clock::now(), event) {
                        self.tell(event);
                    }
                }
            }
        }
    }

    fn arrive(&mut self, mut incoming: Box<Incoming>) {
        let session = incoming.session;
        let addressee = self.exchange.owner_of(&incoming.called_user);
        let trunk = match self.doorkeeper.judge(clock::now(), incoming.flow.remote.ip()) {
            Verdict::Trunk(trunk) => trunk,
            Verdict::Stranger | Verdict::Refused | Verdict::Ignored => Badge::default(),
        };
        let trunk = addressee.unwrap_or(trunk);
        self.exchange.read(&trunk.name, &mut incoming);
        let (mailbox, inbox) = mailbox::pair();
        let arrival = Arrival { incoming, trunk, mailbox: mailbox.clone(), inbox };
        if self.arrivals.try_send(arrival).is_ok() {
            self.calls.insert(session, mailbox);
        } else {
            let refusal = Refusal { status: 503, warning: None, retry_after: Some(5) };
            let command = Command::Refuse { session, refusal };
            self.endpoint.handle(clock::now(), Input::Command(command));
        }
    }

    fn tell(&mut self, event: Event) {
        let Some(session) = session_of(&event) else { return };
        let over = matches!(event, Event::Ended { .. });
        let Some(mailbox) = self.calls.get(&session) else { return };
        let delivered = mailbox.post(event::Input::Sip(event));
        if over {
            self.calls.remove(&session);
        } else if delivered.is_err() {
            // Nobody listens any more: the other side must not be left in a dead call.
            self.calls.remove(&session);
            let command = Command::HangUp { session, reason: None };
            self.endpoint.handle(clock::now(), Input::Command(command));
        }
    }
}

fn session_of(event: &Event) -> Option<SessionId> {
    match event {
        Event::Incoming(incoming) => Some(incoming.session),
        Event::Told { .. } => None,
        Event::Progressed { session, .. }
        | Event::Answered { session, .. }
        | Event::Confirmed { session, .. }
        | Event::Reoffered { session, .. }
        | Event::ReferReceived { session, .. }
        | Event::Referred { session, .. }
        | Event::Redirected { session, .. }
        | Event::OfferAnswered { session, .. }
        | Event::Written { session, .. }
        | Event::Info { session, .. }
        | Event::Ended { session, .. } => Some(*session),
    }
}

/// Sleeps until a deadline, or for ever without one.
pub async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// The largest datagram that UDP carries.
const LARGEST: usize = 65_535;

/// How many datagrams are read in a row.
const BATCH: usize = 64;
