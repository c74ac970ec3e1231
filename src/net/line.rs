//! A connection at work: octets become messages and messages octets. A peer that is slow, silent,
//! half or endless is cut off, and costs nobody else anything.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::{self, Message};

use super::stream::Stream;
use super::websocket::WebSocket;
use crate::sip::framing::{Framer, Piece};
use crate::sip::parse::ParseError;
use crate::sip::print;

/// A connection.
pub enum Line {
    /// TCP or TLS: messages one after the other.
    Octets(Stream),
    /// A WebSocket: a message in a frame.
    Web(Box<WebSocket>),
}

/// The identity of a connection; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId(pub u64);

/// What the owner of a connection orders.
#[derive(Debug)]
pub enum Order {
    /// Send this message.
    Send(Bytes),
    /// The peer is known by now: it may be silent for long.
    Know,
}

/// What happens on a connection.
#[derive(Debug)]
pub enum News {
    /// It is up. A peer that has shown a certificate that we asked for is proven.
    Up {
        /// Whether the peer is proven.
        is_proven: bool,
    },
    /// A whole message came.
    Message(Bytes),
    /// It is gone.
    Down(End),
}

/// Why a connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The peer closed it.
    ByPeer,
    /// Nobody needs it any more.
    ByUs,
    /// It could not be had: nobody there, no TLS, no WebSocket.
    Unreachable,
    /// It broke.
    Broken,
    /// A message took too long.
    Slow,
    /// Nothing was said for too long.
    Idle,
    /// What was said is no SIP, or has no end.
    Babble,
    /// The peer does not read.
    Stuck,
}

/// How patient a connection is.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a message may take from its first octet to its last, and the first of all.
    pub message: Duration,
    /// How long a stranger may say nothing.
    pub stranger_idle: Duration,
    /// How long somebody known may.
    pub idle: Duration,
    /// How often we ask whether the peer is there.
    pub ping: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: Duration::from_secs(10),
            stranger_idle: Duration::from_secs(30),
            idle: Duration::from_secs(900),
            ping: Duration::from_secs(25),
        }
    }
}

/// Both ends of the pipe between a connection and its owner.
#[derive(Debug)]
pub struct Pipe {
    /// Which connection it is.
    pub id: LineId,
    /// What is ordered.
    pub orders: mpsc::Receiver<Order>,
    /// What is told; when the owner is behind, the peer waits.
    pub news: mpsc::Sender<(LineId, News)>,
}

/// Whom we talk to.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address.
    pub address: std::net::SocketAddr,
    /// Whether we know it from the beginning, and ask whether it is there (RFC 5626 4.4.1).
    pub is_known: bool,
}

impl Line {
    /// Carries messages until the connection ends.
    pub async fn carry(self, pipe: &mut Pipe, peer: Peer, limits: Limits) -> End {
        match self {
            Self::Octets(stream) => octets(stream, pipe, peer, limits).await,
            Self::Web(socket) => frames(*socket, pipe, peer, limits).await,
        }
    }
}

impl Pipe {
    /// Tells the owner, who may be gone.
    pub async fn tell(&self, news: News) {
        self.news.send((self.id, news)).await.ok();
    }
}

async fn octets(mut stream: Stream, pipe: &mut Pipe, mut peer: Peer, limits: Limits) -> End {
    let mut framer = Framer::new();
    let mut buffer = BytesMut::with_capacity(READ_BUFFER);
    let idle = sleep(limits.idle_of(&peer));
    let message = sleep(limits.message);
    tokio::pin!(idle, message);
    // A stranger's first message is due from the beginning.
    let mut is_due = !peer.is_known;
    let mut pings = interval(limits.ping);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.tick().await;
    loop {
        let sent = tokio::select! {
            read = stream.read_buf(&mut buffer) => {
                match read {
                    Ok(0) => return End::ByPeer,
                    Ok(_) => framer.push(&buffer.split()),
                    Err(_) => return End::Broken,
                }
                let (pieces, sent) = match hear(&mut framer, &mut stream, pipe, &peer).await {
                    Ok(heard) => heard,
                    Err(end) => return end,
                };
                let is_amid = framer.is_amid_message();
                if pieces > 0 || (is_amid && !is_due) {
                    message.set(sleep(limits.message));
                    is_due = is_amid;
                }
                if pieces > 0 || peer.is_known {
                    idle.set(sleep(limits.idle_of(&peer)));
                }
                sent
            }
            order = pipe.orders.recv() => match order {
                Some(Order::Send(bytes)) => write(&mut stream, &bytes).await,
                Some(Order::Know) => {
                    peer.is_known = true;
                    idle.set(sleep(limits.idle_of(&peer)));
                    Ok(())
                }
                None => {
                    timeout(WRITE_LIMIT, stream.shutdown()).await.ok();
                    return End::ByUs;
                }
            },
            () = &mut message, if is_due => return End::Slow,
            () = &mut idle => return End::Idle,
            _ = pings.tick(), if peer.is_known => write(&mut stream, PING).await,
        };
        if let Err(end) = sent {
            return end;
        }
    }
}

/// Takes what is complete; counts messages.
async fn hear(
    framer: &mut Framer,
    stream: &mut Stream,
    pipe: &Pipe,
    peer: &Peer,
) -> Result<(usize, Result<(), End>), End> {
    let mut messages = 0;
    while let Some(piece) = framer.poll() {
        match piece {
            Ok(Piece::Message(bytes)) => {
                messages += 1;
                // The octets are copied out of the large buffer: they may be kept for 32 seconds.
                pipe.tell(News::Message(Bytes::copy_from_slice(&bytes))).await;
            }
            Ok(Piece::Ping) => {
                if let Err(end) = write(stream, PONG).await {
                    return Ok((messages, Err(end)));
                }
            }
            Err(ParseError::Refused(refused)) if peer.is_known => {
                // Nobody can tell where the next message begins: the last word, then silence.
                let status = (refused.flaw.status(), refused.flaw.to_string());
                let status = (status.0, status.1.as_str());
                let answer = print::refuse(&refused.message, status, peer.address, "end");
                if let Some(answer) = answer {
                    write(stream, &answer).await?;
                }
                timeout(WRITE_LIMIT, stream.shutdown()).await.ok();
                return Err(End::Babble);
            }
            Err(_) => return Err(End::Babble),
        }
    }
    Ok((messages, Ok(())))
}

async fn write(stream: &mut Stream, bytes: &[u8]) -> Result<(), End> {
    let written = timeout(WRITE_LIMIT, async {
        stream.write_all(bytes).await?;
        stream.flush().await
    });
    match written.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Broken),
        Err(_) => Err(End::Stuck),
    }
}

async fn frames(mut socket: WebSocket, pipe: &mut Pipe, mut peer: Peer, limits: Limits) -> End {
    let idle = sleep(limits.idle_of(&peer));
    tokio::pin!(idle);
    let mut pings = interval(limits.ping);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.tick().await;
    // A frame that has not come whole between two looks, while octets came, is too slow.
    let mut looks = interval(limits.message / 2);
    let (mut octets_before, mut slow_looks) = (0, 0);
    let mut is_due = !peer.is_known;
    loop {
        let sent = tokio::select! {
            frame = socket.next() => {
                octets_before = socket.get_ref().octets();
                slow_looks = 0;
                let bytes = match payload(frame) {
                    Ok(bytes) => bytes,
                    Err(end) => return end,
                };
                if peer.is_known || !bytes.is_empty() {
                    idle.set(sleep(limits.idle_of(&peer)));
                }
                match &*bytes {
                    b"" | PONG => Ok(()),
                    PING => send(&mut socket, framed(Bytes::from_static(PONG))).await,
                    _ => {
                        is_due = false;
                        pipe.tell(News::Message(bytes)).await;
                        Ok(())
                    }
                }
            }
            order = pipe.orders.recv() => match order {
                Some(Order::Send(bytes)) => send(&mut socket, framed(bytes)).await,
                Some(Order::Know) => {
                    peer.is_known = true;
                    idle.set(sleep(limits.idle_of(&peer)));
                    Ok(())
                }
                None => {
                    timeout(WRITE_LIMIT, socket.close(None)).await.ok();
                    return End::ByUs;
                }
            },
            () = &mut idle => return End::Idle,
            _ = looks.tick() => {
                let grows = socket.get_ref().octets() != octets_before;
                slow_looks += u32::from(grows || is_due);
                if slow_looks > 2 { Err(End::Slow) } else { Ok(()) }
            }
            _ = pings.tick(), if peer.is_known => {
                send(&mut socket, Message::Ping(Bytes::new())).await
            }
        };
        if let Err(end) = sent {
            return end;
        }
    }
}

/// What a frame brings; nothing, if it is none of SIP's.
fn payload(frame: Option<Result<Message, tungstenite::Error>>) -> Result<Bytes, End> {
    match frame {
        Some(Ok(Message::Text(text))) => Ok(Bytes::from(text)),
        Some(Ok(Message::Binary(bytes))) => Ok(bytes),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Bytes::new()),
        Some(Err(_)) => Err(End::Broken),
        Some(Ok(Message::Close(_))) | None => Err(End::ByPeer),
    }
}

/// SIP is text, but for bodies that are none (RFC 7118 5.2).
fn framed(bytes: Bytes) -> Message {
    match String::from_utf8(bytes.to_vec()) {
        Ok(text) => Message::text(text),
        Err(_) => Message::Binary(bytes),
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(WRITE_LIMIT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Broken),
        Err(_) => Err(End::Stuck),
    }
}

impl Limits {
    fn idle_of(&self, peer: &Peer) -> Duration {
        if peer.is_known { self.idle } else { self.stranger_idle }
    }
}

/// The question whether the peer is there, and its answer (RFC 5626 4.4.1).
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// How long a peer may take to read a message.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// The buffer of a connection: most messages fit.
const READ_BUFFER: usize = 4 << 10;
