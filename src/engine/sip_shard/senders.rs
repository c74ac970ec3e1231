//! The hosts of trunks that are known by name: their addresses are asked for beside the shard, at
//! the start and again and again. What name servers told is kept for as long as it holds, so that
//! to ask often costs nothing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SipShard;
use crate::call::exchange::LookupId;
use crate::engine::clock;
use crate::engine::lookups::Found;

/// The hosts, and when they are asked for again.
#[derive(Debug, Default)]
pub struct Senders {
    hosts: Vec<(Arc<str>, String)>,
    due: Option<Instant>,
}

impl Senders {
    /// Takes the hosts by trunk and name; they are due at once.
    pub fn new(hosts: Vec<(Arc<str>, String)>, now: Instant) -> Self {
        let due = (!hosts.is_empty()).then_some(now);
        Self { hosts, due }
    }

    /// When they are to be asked for.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

impl SipShard {
    /// Asks for every host, when it is time.
    pub(super) fn ask_for_senders(&mut self, now: Instant) {
        if self.senders.due.is_none_or(|due| now < due) {
            return;
        }
        self.senders.due = Some(now + ASK_EVERY);
        for (at, (_, name)) in self.senders.hosts.iter().enumerate() {
            self.lookups.ask(lookup(at), format!("sip:{name}"));
        }
    }

    /// Takes an answer, if it is for one of the hosts.
    pub(super) fn found_sender(&mut self, found: &Found) -> bool {
        let hosts = self.senders.hosts.iter().enumerate();
        let host = hosts.map(|(at, host)| (lookup(at), host)).find(|(id, _)| *id == found.lookup);
        let Some((_, (trunk, name))) = host else { return false };
        let addresses: Vec<IpAddr> = found.flows.iter().map(|flow| flow.remote.ip()).collect();
        if self.doorkeeper.resolved(trunk, name, &addresses) {
            if addresses.is_empty() {
                tracing::warn!(%trunk, name, "nobody knows this host: its calls are a stranger's");
            } else {
                tracing::info!(%trunk, name, ?addresses, "trunk sends from");
            }
        }
        true
    }

    /// Wakes the shard for what is due here.
    pub(super) fn own_deadline(&self) -> Option<Instant> {
        [self.senders.deadline(), self.open_ways.deadline()].into_iter().flatten().min()
    }

    /// Does what is due here.
    pub(super) fn own_tick(&mut self) {
        let now = clock::now();
        self.ask_for_senders(now);
        self.keep_ways_open(now);
        self.exchange.date(clock::since_epoch());
        self.note_spending();
    }
}

/// The question for a host; the exchange counts its own from below.
fn lookup(at: usize) -> LookupId {
    LookupId(u64::MAX - at as u64)
}

/// How often hosts are asked for.
const ASK_EVERY: Duration = Duration::from_secs(30);
