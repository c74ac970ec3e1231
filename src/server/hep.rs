//! Tells a collector what is said on the wire, by HEP: beside the calls, and for nothing that it answers or
//! does not answer does a call wait.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::base::secret::{ExposeSecret, Secret};
use crate::engine::clock;
use crate::engine::sip_shard::{Question, SipHandle};
use crate::server::control::asking::ask_shard;
use crate::server::control::protocol::Fault;
use crate::server::control::times::When;
use crate::sip::hep::{Agent, Seen, datagram};
use crate::sip::message::Message;
use crate::sip::redact::redacted;
use crate::sip::trace::Entry;

/// Who collects.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is: a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The number by which it knows us.
    pub id: u32,
    /// What it asks for, if it does.
    pub password: Option<Secret>,
}

/// Tells it until the stop.
pub async fn run(sip: SipHandle, settings: Settings, stop: CancellationToken) {
    let place = format!("{}:{}", settings.host, settings.port);
    let mut teller = Teller { settings, way: None, asked: None };
    // First the ear to the wire, then the past: nothing falls in between.
    let Ok((past, mut live)) = listen(&sip).await else { return };
    tracing::info!(collector = place, "what is said on the wire is told by HEP");
    let newest = past.last().map_or(0, |entry| entry.number);
    for entry in &past {
        teller.tell(entry).await;
    }
    loop {
        let told = tokio::select! {
            told = live.recv() => told,
            () = stop.cancelled() => break,
        };
        match told {
            Ok(entry) if entry.number <= newest => {}
            Ok(entry) => teller.tell(&entry).await,
            Err(RecvError::Lagged(count)) => tracing::warn!(count, "messages are not told by HEP"),
            Err(RecvError::Closed) => return,
        }
    }
    while let Ok(entry) = live.try_recv() {
        teller.tell(&entry).await;
    }
}

async fn listen(sip: &SipHandle) -> Result<(Vec<Entry>, Receiver<Entry>), Fault> {
    let live = ask_shard(sip, Question::Follow).await?;
    Ok((ask_shard(sip, Question::Trace).await?.entries, live))
}

struct Teller {
    settings: Settings,
    way: Option<UdpSocket>,
    /// When it was last asked where the collector is.
    asked: Option<Instant>,
}

impl Teller {
    async fn tell(&mut self, entry: &Entry) {
        self.find().await;
        let Some(way) = &self.way else { return };
        let message = redacted(&entry.bytes);
        let read = Message::parse_datagram(&entry.bytes).ok();
        let seen = Seen {
            at: When::now().since_epoch(entry.at),
            heading: entry.heading,
            flow: entry.flow,
            message: message.as_bytes(),
            call_id: read.as_ref().and_then(|read| read.call_id().ok()),
        };
        let password = self.settings.password.as_ref().map(ExposeSecret::expose_secret);
        let agent = Agent { id: self.settings.id, password };
        let Some(datagram) = datagram(&agent, &seen) else { return };
        // Nobody may be there, now and then: that is no news for the calls.
        way.send(&datagram).await.ok();
    }

    /// Looks where the collector is, once in a while.
    async fn find(&mut self) {
        let now = clock::now();
        let pause = if self.way.is_some() { ASKED_EVERY } else { TRIED_EVERY };
        if self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < pause) {
            return;
        }
        let was_known = self.asked.replace(now).is_none() || self.way.is_some();
        match way(&self.settings).await {
            Ok(way) => self.way = Some(way),
            // Where it was is better than nowhere.
            Err(why) if was_known => {
                tracing::warn!(collector = self.settings.host, %why, "the collector of HEP is not found");
            }
            Err(_) => {}
        }
    }
}

async fn way(settings: &Settings) -> io::Result<UdpSocket> {
    let found = lookup_host((settings.host.as_str(), settings.port)).await?.next();
    let place = found.ok_or(io::ErrorKind::NotFound)?;
    let any: SocketAddr = match place {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(place).await?;
    Ok(socket)
}

/// How often it is asked where the collector is.
const ASKED_EVERY: Duration = Duration::from_secs(300);

/// How often, while nobody knows.
const TRIED_EVERY: Duration = Duration::from_secs(30);
