//! The connections of a SIP shard: which there are, whose they are, how many there may be. Each
//! has a task that only frames; what it hears comes to the shard, which owns this table.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::engine::doors::{Door, Entrance};
use crate::net::line::{End, Limits, Line, LineId, News, Order, Peer, Pipe};
use crate::net::stream::{self, Stream};
use crate::net::tls;
use crate::sip::event::{Connection, Flow, Transport};

/// How many connections there may be, and how patient they are (T25).
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// All of them.
    pub together: usize,
    /// Those of strangers.
    pub strangers: usize,
    /// Those of strangers at one address.
    pub per_source: usize,
    /// How patient each is.
    pub limits: Limits,
}

impl Default for Caps {
    fn default() -> Self {
        let limits = Limits::default();
        Self { together: 8_192, strangers: 1_000, per_source: 32, limits }
    }
}

/// Every connection of a shard.
#[derive(Debug)]
pub struct Streams {
    caps: Caps,
    links: HashMap<Connection, Link>,
    by_id: HashMap<LineId, Connection>,
    /// Where else trusted peers are reached by a connection that they opened (RFC 5923).
    aliases: HashMap<Connection, Connection>,
    /// Connections of nobody known, the oldest first.
    strangers: BTreeSet<LineId>,
    per_source: HashMap<IpAddr, usize>,
    /// The domain for which a TLS server must have a certificate.
    domains: HashMap<SocketAddr, Arc<str>>,
    client: Arc<Client>,
    last: LineId,
    tasks: JoinSet<()>,
    news: Pipes<(LineId, News)>,
    visitors: Pipes<Visitor>,
}

/// Somebody who has come through an entrance, and to whom nobody has spoken.
#[derive(Debug)]
pub struct Visitor {
    door: Arc<Door>,
    socket: TcpStream,
    /// Where he comes from.
    pub remote: SocketAddr,
}

/// What happens among the connections.
#[derive(Debug)]
pub enum Happening {
    /// Somebody wants in: to be admitted, or dropped.
    Visited(Visitor),
    /// Something happened on a connection.
    News(LineId, News),
}

/// A connection, as the shard sees it.
#[derive(Debug)]
struct Link {
    id: LineId,
    flow: Flow,
    orders: mpsc::Sender<Order>,
    is_known: bool,
    /// Whether the peer has shown a certificate that we asked for.
    is_proven: bool,
}

/// What opens TLS connections, made when the first is opened.
#[derive(Debug)]
struct Client {
    files: tls::Files,
    made: OnceCell<tls::Client>,
}

#[derive(Debug)]
struct Pipes<T> {
    sender: mpsc::Sender<T>,
    receiver: mpsc::Receiver<T>,
}

impl Streams {
    /// Begins to take connections at these entrances.
    pub fn new(entrances: Vec<Entrance>, client: tls::Files, caps: Caps) -> Self {
        let visitors = Pipes::new(VISITORS);
        let mut tasks = JoinSet::new();
        let doors: Vec<Arc<Door>> = entrances.iter().map(|it| it.door.clone()).collect();
        for entrance in entrances {
            tasks.spawn(take_in(entrance, visitors.sender.clone()));
        }
        let client = Arc::new(Client { files: client, made: OnceCell::new() });
        tasks.spawn(keep_fresh(doors, client.clone()));
        Self {
            caps,
            links: HashMap::new(),
            by_id: HashMap::new(),
            aliases: HashMap::new(),
            strangers: BTreeSet::new(),
            per_source: HashMap::new(),
            domains: HashMap::new(),
            client,
            last: LineId(0),
            tasks,
            news: Pipes::new(NEWS),
            visitors,
        }
    }

    /// Allows more or fewer connections than before, from now on.
    pub fn limit(&mut self, caps: Caps) {
        self.caps = caps;
    }

    /// How many connections there are.
    pub fn count(&self) -> usize {
        self.links.len()
    }

    /// Waits for the next thing to happen.
    pub async fn next(&mut self) -> Happening {
        loop {
            tokio::select! {
                Some((id, news)) = self.news.receiver.recv() => return Happening::News(id, news),
                Some(visitor) = self.visitors.receiver.recv() => return Happening::Visited(visitor),
                // Connections that are gone have said so; here only their tasks are put away.
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// Lets a visitor in, if there is room; tells which connection had to go for it.
    pub fn admit(&mut self, visitor: Visitor, is_known: bool) -> Vec<Connection> {
        let source = visitor.remote.ip();
        let mut gone = Vec::new();
        if !is_known {
            let beside = self.per_source.get(&source).copied().unwrap_or(0);
            if beside >= self.caps.per_source {
                return gone;
            }
            if self.strangers.len() >= self.caps.strangers {
                gone.extend(self.close_a_stranger());
            }
        }
        if self.links.len() >= self.caps.together {
            gone.extend(self.close_a_stranger());
            if self.links.len() >= self.caps.together {
                return gone;
            }
        }
        let Visitor { door, socket, remote } = visitor;
        let local = reached_at(&door, &socket);
        let flow = Flow { transport: door.transport, local, remote };
        let pipe = self.join(flow, is_known);
        let (peer, limits) = (Peer { address: remote, is_known }, self.caps.limits);
        self.tasks.spawn(async move {
            let is_proven = door.asks_for_certificates();
            let line = door.welcome(socket).await;
            work(line, is_proven, (peer, limits), pipe).await;
        });
        gone
    }

    /// Sends a message through its connection, which is opened when there is none.
    ///
    /// # Errors
    /// When there can be no such connection, or the peer does not read: what is lost.
    pub fn send(&mut self, flow: Flow, bytes: Bytes) -> Result<(), Vec<Connection>> {
        let Some(wanted) = flow.connection() else { return Ok(()) };
        let connection = self.aliases.get(&wanted).copied().unwrap_or(wanted);
        if let Some(link) = self.links.get(&connection) {
            return match link.orders.try_send(Order::Send(bytes)) {
                Ok(()) => Ok(()),
                Err(_) => Err(self.forget(connection)),
            };
        }
        let mut lost = Vec::new();
        if self.links.len() >= self.caps.together {
            lost.extend(self.close_a_stranger());
        }
        let is_dialled = matches!(flow.transport, Transport::Tcp | Transport::Tls);
        if !is_dialled || self.links.len() >= self.caps.together {
            lost.push(wanted);
            return Err(lost);
        }
        self.dial(flow, bytes);
        if lost.is_empty() { Ok(()) } else { Err(lost) }
    }

    /// The flow of a connection, as long as it is there.
    pub fn flow(&self, id: LineId) -> Option<Flow> {
        self.by_id.get(&id).and_then(|it| self.links.get(it)).map(|link| link.flow)
    }

    /// The peer of a connection is no stranger any more.
    pub fn know(&mut self, connection: Connection) {
        let Some(link) = self.links.get_mut(&connection).filter(|link| !link.is_known) else {
            return;
        };
        link.is_known = true;
        // A task that is behind hears it next time.
        link.is_known = link.orders.try_send(Order::Know).is_ok();
        if link.is_known {
            let id = link.id;
            self.no_stranger(id, connection.remote.ip());
        }
    }

    /// Whether the peer has shown a certificate.
    pub fn is_proven(&self, connection: Connection) -> bool {
        self.links.get(&connection).is_some_and(|link| link.is_proven)
    }

    /// A connection has shaken hands.
    pub fn is_up(&mut self, id: LineId, is_proven: bool) {
        let connection = self.by_id.get(&id).copied();
        if let Some(link) = connection.and_then(|it| self.links.get_mut(&it)) {
            link.is_proven = is_proven;
        }
    }

    /// Lets requests to `port` of a trusted peer go through a connection that it opened.
    pub fn alias(&mut self, connection: Connection, port: u16) {
        let mut remote = connection.remote;
        remote.set_port(port);
        let alias = Connection { remote, ..connection };
        let is_new = alias != connection && !self.links.contains_key(&alias);
        if is_new && self.aliases.len() < self.caps.together {
            self.aliases.insert(alias, connection);
        }
    }

    /// A connection is gone; gives every name that it had.
    pub fn gone(&mut self, id: LineId) -> Vec<Connection> {
        match self.by_id.get(&id).copied() {
            Some(connection) => self.forget(connection),
            None => Vec::new(),
        }
    }

    /// Closes a connection; gives every name that it had.
    pub fn forget(&mut self, connection: Connection) -> Vec<Connection> {
        // Without its orders the task sends what it has, and ends.
        let Some(link) = self.links.remove(&connection) else { return Vec::new() };
        self.by_id.remove(&link.id);
        if !link.is_known {
            self.no_stranger(link.id, connection.remote.ip());
        }
        let names = self.aliases.extract_if(|_, of| *of == connection).map(|(alias, _)| alias);
        std::iter::once(connection).chain(names).collect()
    }

    /// Remembers by which domain an address was found: its certificate must name that.
    pub fn named(&mut self, address: SocketAddr, domain: &str) {
        if self.domains.len() >= MOST_DOMAINS {
            self.domains.clear();
        }
        self.domains.insert(address, domain.into());
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Closes every connection, when what was to be sent is sent.
    pub async fn close(mut self) {
        self.links.clear();
        // Entrances never end by themselves.
        timeout(FAREWELL, async { while self.news.receiver.recv().await.is_some() {} }).await.ok();
        self.tasks.shutdown().await;
    }

    fn dial(&mut self, flow: Flow, first: Bytes) {
        let pipe = self.join(flow, true);
        if let Some(link) = flow.connection().and_then(|it| self.links.get(&it)) {
            link.orders.try_send(Order::Send(first)).ok();
        }
        let domain = self.domains.get(&flow.remote).cloned();
        let (client, limits) = (self.client.clone(), self.caps.limits);
        let peer = Peer { address: flow.remote, is_known: true };
        self.tasks.spawn(async move {
            let line = open(flow, &client, domain).await;
            work(line, false, (peer, limits), pipe).await;
        });
    }

    fn join(&mut self, flow: Flow, is_known: bool) -> Pipe {
        self.last = LineId(self.last.0 + 1);
        let id = self.last;
        let (sender, orders) = mpsc::channel(ORDERS);
        let connection = Connection { transport: flow.transport, remote: flow.remote };
        // The same address twice: the kernel has forgotten the former connection before we did.
        self.forget(connection);
        self.aliases.remove(&connection);
        if !is_known {
            self.strangers.insert(id);
            *self.per_source.entry(flow.remote.ip()).or_default() += 1;
        }
        self.by_id.insert(id, connection);
        let link = Link { id, flow, orders: sender, is_known, is_proven: false };
        self.links.insert(connection, link);
        Pipe { id, orders, news: self.news.sender.clone() }
    }

    fn close_a_stranger(&mut self) -> Vec<Connection> {
        let oldest = self.strangers.first().and_then(|id| self.by_id.get(id)).copied();
        oldest.map(|connection| self.forget(connection)).unwrap_or_default()
    }

    fn no_stranger(&mut self, id: LineId, source: IpAddr) {
        if !self.strangers.remove(&id) {
            return;
        }
        if let Some(count) = self.per_source.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
    }
}

impl<T> Pipes<T> {
    fn new(room: usize) -> Self {
        let (sender, receiver) = mpsc::channel(room);
        Self { sender, receiver }
    }
}

impl Client {
    async fn connector(&self) -> Option<tokio_rustls::TlsConnector> {
        let make = || async {
            let files = self.files.clone();
            tokio::task::spawn_blocking(move || tls::Client::load(files)).await.ok()?.ok()
        };
        let made = self.made.get_or_try_init(|| async { make().await.ok_or(()) }).await;
        made.ok().map(tls::Client::connector)
    }

    fn refresh(&self) {
        if let Some(Err(why)) = self.made.get().map(tls::Client::refresh) {
            tracing::error!(%why, "the former certificate stays in use");
        }
    }
}

/// Carries messages from the handshake to the end, and says that it is over.
async fn work(line: Option<Line>, is_proven: bool, talk: (Peer, Limits), mut pipe: Pipe) {
    let (peer, limits) = talk;
    let end = match line {
        Some(line) => {
            pipe.tell(News::Up { is_proven }).await;
            line.carry(&mut pipe, peer, limits).await
        }
        None => End::Unreachable,
    };
    tracing::debug!(peer = %peer.address, ?end, "connection ended");
    pipe.tell(News::Down(end)).await;
}

/// Opens a connection to a peer.
async fn open(flow: Flow, client: &Client, domain: Option<Arc<str>>) -> Option<Line> {
    let socket = stream::dial(flow.local.ip(), flow.remote).await.ok()?;
    let stream: Stream = if flow.transport.is_secure() {
        let name = tls::name(domain.as_deref(), flow.remote.ip());
        let connecting = client.connector().await?.connect(name, socket);
        match timeout(HANDSHAKE_LIMIT, connecting).await.ok()? {
            Ok(stream) => Box::new(stream),
            Err(why) => {
                tracing::warn!(peer = %flow.remote, %why, "no TLS connection");
                return None;
            }
        }
    } else {
        Box::new(socket)
    };
    Some(Line::Octets(stream))
}

/// Where the peer of a connection reaches us again.
fn reached_at(door: &Door, socket: &TcpStream) -> SocketAddr {
    if !door.local.ip().is_unspecified() {
        return door.local;
    }
    let ip = socket.local_addr().map_or(door.local.ip(), |local| local.ip());
    SocketAddr::new(ip, door.local.port())
}

/// Takes in whoever comes; while the shard is behind, they wait in the kernel.
async fn take_in(entrance: Entrance, visitors: mpsc::Sender<Visitor>) {
    let Entrance { listener, door } = entrance;
    loop {
        match listener.accept().await {
            Ok((socket, remote)) => {
                let visitor = Visitor { door: door.clone(), socket, remote };
                if visitors.send(visitor).await.is_err() {
                    return;
                }
            }
            // No file handles left: others will be closed.
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Looks after certificates that change on the disk.
async fn keep_fresh(doors: Vec<Arc<Door>>, client: Arc<Client>) {
    loop {
        sleep(LOOK_AGAIN).await;
        let (doors, client) = (doors.clone(), client.clone());
        let look = move || {
            doors.iter().for_each(|door| door.refresh());
            client.refresh();
        };
        tokio::task::spawn_blocking(look).await.ok();
    }
}

/// How many messages of all connections may wait for the shard: at most 64 KB each.
const NEWS: usize = 256;

/// How many visitors may wait for the shard.
const VISITORS: usize = 64;

/// How many messages may wait for a peer that reads slowly.
const ORDERS: usize = 64;

/// How many addresses are remembered with their domains.
const MOST_DOMAINS: usize = 4_096;

/// How long a TLS server may take to shake hands.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// How often certificates are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How long nobody is taken in when nobody can be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the last messages may take.
const FAREWELL: Duration = Duration::from_secs(1);
