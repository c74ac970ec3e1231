//! A bad network between a caller and a server, by chance that can be repeated: signalling passes,
//! media is lost, held up, swapped and doubled.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use voxtrunk::base::random::Random;

/// What a network does to packets of one direction.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// The share that is lost: 0 to 1.
    pub loss: f64,
    /// How many are lost in a row, on average: 1 and more.
    pub burst: f64,
    /// Each is late by any time up to this.
    pub jitter: Duration,
    /// Whether a late one is overtaken by those behind it, or holds them up like a queue.
    pub overtaking: bool,
    /// The share that comes twice.
    pub twice: f64,
    /// By how many millionths the sender's clock goes slower.
    pub skew: f64,
}

/// A network at work; it ends when it is dropped.
#[derive(Debug)]
pub struct Network {
    /// What stands for the server.
    pub address: SocketAddr,
    _tasks: JoinSet<()>,
}

/// Two sockets side by side, for RTP and RTCP.
type Pair = [Arc<UdpSocket>; 2];

impl Weather {
    /// Nothing happens.
    pub fn fair() -> Self {
        let (jitter, overtaking) = (Duration::ZERO, false);
        Self { loss: 0.0, burst: 1.0, jitter, overtaking, twice: 0.0, skew: 0.0 }
    }

    /// So much is lost, packet by packet.
    pub fn losing(loss: f64) -> Self {
        Self { loss, ..Self::fair() }
    }

    /// So many milliseconds at most are added.
    pub fn jittering(self, millis: u64) -> Self {
        Self { jitter: Duration::from_millis(millis), ..self }
    }
}

impl Network {
    /// Opens a network before a server: `there` from the caller to it, `back` the other way.
    pub async fn open(server: SocketAddr, there: Weather, back: Weather) -> Self {
        let [near, far] = [socket().await, socket().await];
        let address = near.local_addr().expect("a bound socket");
        let [caller_side, server_side] = [pair().await, pair().await];
        let ports = [&caller_side, &server_side].map(|it| port_of(&it[0]));
        // Who is behind each pair: learned from the descriptions that pass.
        let ((caller_is, caller), (server_is, serving)) =
            (watch::channel(None), watch::channel(None));
        let mut tasks = JoinSet::new();
        let (to_caller, from_caller) = watch::channel(None);
        let (inner, outer) = (near.clone(), far.clone());
        tasks.spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok((length, from)) = inner.recv_from(&mut buffer).await {
                to_caller.send_replace(Some(from));
                let (text, at) = redirected(&buffer[..length], ports[1]);
                learn(&caller_is, from, at);
                outer.send_to(&text, server).await.ok();
            }
        });
        tasks.spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok((length, from)) = far.recv_from(&mut buffer).await {
                let (text, at) = redirected(&buffer[..length], ports[0]);
                learn(&server_is, from, at);
                let to = *from_caller.borrow();
                if let Some(to) = to {
                    near.send_to(&text, to).await.ok();
                }
            }
        });
        for (control, seed) in [(0, 21), (1, 22)] {
            let clear = Weather::fair();
            let [there, back] = if control == 0 { [there, back] } else { [clear, clear] };
            let [inner, outer] = [&caller_side, &server_side].map(|it| it[control].clone());
            let offset = control as u16;
            tasks.spawn(carry(
                inner.clone(),
                outer.clone(),
                (serving.clone(), offset),
                (there, seed),
            ));
            tasks.spawn(carry(outer, inner, (caller.clone(), offset), (back, seed + 10)));
        }
        Self { address, _tasks: tasks }
    }

    /// The URI of an extension beyond the network.
    pub fn uri(&self, extension: &str) -> String {
        format!("sip:{extension}@{}", self.address)
    }
}

/// Carries packets from one socket out of another, as the weather lets them.
async fn carry(
    from: Arc<UdpSocket>,
    out: Arc<UdpSocket>,
    (to, offset): (watch::Receiver<Option<SocketAddr>>, u16),
    (weather, seed): (Weather, u64),
) {
    let mut random = Random::repeatable(seed);
    let (began, mut buffer) = (Instant::now(), vec![0; 2_048]);
    let mut waiting: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>> = BinaryHeap::new();
    let (mut count, mut stormy, mut latest) = (0, false, began);
    loop {
        let next = waiting.peek().map(|Reverse((at, _, _))| *at);
        let never = Instant::now() + Duration::from_secs(3_600);
        tokio::select! {
            received = from.recv(&mut buffer) => {
                let Ok(length) = received else { return };
                // Losses in a row: Gilbert's chain with the mean length and the share wanted.
                let enters = weather.loss / (weather.burst * (1.0 - weather.loss));
                let leaves = 1.0 / weather.burst;
                stormy = if stormy { random.unit() >= leaves } else { random.unit() < enters };
                if stormy {
                    continue;
                }
                let copies = 1 + usize::from(random.unit() < weather.twice);
                for _ in 0..copies {
                    count += 1;
                    let now = Instant::now();
                    let drift = 0.005 + began.elapsed().as_secs_f64() * weather.skew / 1e6;
                    let late = Duration::from_secs_f64(drift.max(0.0));
                    let mut due = now + late + weather.jitter.mul_f64(random.unit());
                    if !weather.overtaking {
                        due = due.max(latest);
                    }
                    latest = latest.max(due);
                    waiting.push(Reverse((due, count, buffer[..length].to_vec())));
                }
            }
            () = sleep_until(next.unwrap_or(never)), if next.is_some() => {
                let Some(Reverse((_, _, packet))) = waiting.pop() else { continue };
                let to = *to.borrow();
                if let Some(mut to) = to {
                    to.set_port(to.port() + offset);
                    out.send_to(&packet, to).await.ok();
                }
            }
        }
    }
}

/// A message whose description names `port` for audio; and the port that it named.
fn redirected(message: &[u8], port: u16) -> (Vec<u8>, Option<u16>) {
    let text = String::from_utf8_lossy(message);
    let Some((before, after)) = text.split_once("\r\nm=audio ") else {
        return (message.to_vec(), None);
    };
    let (named, rest) = after.split_once(' ').expect("a port and more");
    assert_eq!(named.len(), port.to_string().len(), "the length of the body stays");
    let redirected = format!("{before}\r\nm=audio {port} {rest}");
    (redirected.into_bytes(), named.parse().ok())
}

fn learn(who: &watch::Sender<Option<SocketAddr>>, from: SocketAddr, port: Option<u16>) {
    if let Some(port) = port {
        who.send_replace(Some(SocketAddr::new(from.ip(), port)));
    }
}

async fn socket() -> Arc<UdpSocket> {
    Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a port"))
}

async fn pair() -> Pair {
    for _ in 0..100 {
        let first = socket().await;
        let above = port_of(&first).checked_add(1);
        let Some(above) = above.filter(|port| port.is_multiple_of(2).eq(&false)) else { continue };
        if let Ok(second) = UdpSocket::bind(("127.0.0.1", above)).await {
            return [first, Arc::new(second)];
        }
    }
    panic!("no two ports side by side");
}

fn port_of(socket: &UdpSocket) -> u16 {
    socket.local_addr().expect("a bound socket").port()
}
