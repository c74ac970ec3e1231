//! The ways to phones behind NAT: a few octets every now and then keep them open (RFC 5626 4.4.1,
//! RFC 6223). Connections are kept open by their phones.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::SipShard;
use crate::sip::event::{Flow, Notice, Transport};

/// The flows of phones that came by UDP.
#[derive(Debug)]
pub struct OpenWays {
    every: Duration,
    phones: HashMap<Arc<str>, Vec<Flow>>,
    due: Option<Instant>,
}

impl OpenWays {
    /// Writes to phones so often.
    pub fn new(every: Duration) -> Self {
        Self { every: every.max(LEAST), phones: HashMap::new(), due: None }
    }

    /// Takes note of phones that come and go.
    pub fn notice(&mut self, now: Instant, notice: &Notice) {
        match notice {
            Notice::PhoneRegistered { phone, reaches } => {
                let flows = reaches.iter().map(|reach| reach.flow);
                let flows = flows.filter(|flow| flow.transport == Transport::Udp).collect();
                self.phones.insert(phone.clone(), flows);
                self.due.get_or_insert(now + self.every);
            }
            Notice::PhoneGone { phone } => {
                self.phones.remove(phone);
            }
            Notice::Subscribed { .. } | Notice::Unsubscribed { .. } | Notice::Offended { .. } => {}
        }
    }

    /// When phones are to be written to.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

impl SipShard {
    /// Writes to every phone, when it is time.
    pub(super) fn keep_ways_open(&mut self, now: Instant) {
        if self.open_ways.due.is_none_or(|due| now < due) {
            return;
        }
        let flows: Vec<Flow> = self.open_ways.phones.values().flatten().copied().collect();
        self.open_ways.due = (!flows.is_empty()).then_some(now + self.open_ways.every);
        for flow in flows {
            self.transmit(flow, Bytes::from_static(PING));
        }
    }
}

/// What means nothing (RFC 5626 4.4.1).
const PING: &[u8] = b"\r\n\r\n";

/// More often is a flood.
const LEAST: Duration = Duration::from_secs(1);
