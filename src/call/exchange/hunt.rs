//! The search for somebody who answers: ways and their hosts, one after the other.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::{ENDS_WITHIN, Hop, SILENCE, Way};
use crate::call::placement::Placement;
use crate::sdp::keying::Policy;
use crate::sip::event::{Ending, Flow};

/// One leg on its way to somebody.
#[derive(Debug)]
pub struct Hunt {
    placement: Box<Placement>,
    ways: VecDeque<Way>,
    /// The way that is taken now, and the hosts on it that were not tried.
    way: Option<Way>,
    flows: VecDeque<Flow>,
    /// When the host that was asked last has been silent for too long.
    patience: Option<Instant>,
    rings_until: Instant,
    /// Whether an INVITE is under way.
    is_calling: bool,
    is_given_up: bool,
    has_spurned: bool,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Step {
    /// Call there.
    Invite(Way, Flow),
    /// Find out where that is, and say so.
    Resolve(String),
    /// There is no way left.
    Nothing,
}

impl Hunt {
    /// Begins a search.
    pub fn new(placement: Box<Placement>, ways: Vec<Way>, now: Instant) -> Self {
        let rings_until = now + placement.ring_limit;
        Self {
            placement,
            ways: ways.into(),
            way: None,
            flows: VecDeque::new(),
            patience: None,
            rings_until,
            is_calling: false,
            is_given_up: false,
            has_spurned: false,
        }
    }

    /// What is offered there; `None` when it must not be offered by that way.
    pub fn offer(&self, way: &Way, flow: &Flow) -> Option<(Policy, Bytes)> {
        match self.placement.is_secret {
            true => self.placement.offers.secret_over(flow.transport),
            false => self.placement.offers.over(way.account.as_deref(), flow.transport),
        }
    }

    /// Notes that a way is not taken, since keys must not go by it.
    pub fn spurn(&mut self) {
        self.has_spurned = true;
    }

    /// Whether a way was not taken, since keys must not go by it.
    pub fn has_spurned(&self) -> bool {
        self.has_spurned
    }

    /// Chooses the next host, on this way or on the next.
    pub fn next(&mut self, now: Instant) -> Step {
        self.is_calling = false;
        self.patience = None;
        if let (Some(way), Some(flow)) = (self.way.clone(), self.flows.pop_front()) {
            self.is_calling = true;
            let has_others = !self.flows.is_empty() || !self.ways.is_empty();
            self.patience = has_others.then(|| now + SILENCE);
            return Step::Invite(way, flow);
        }
        let Some(way) = self.ways.pop_front() else { return Step::Nothing };
        self.way = Some(way.clone());
        match way.hop {
            Hop::Flow(flow) => {
                self.flows.push_back(flow);
                self.next(now)
            }
            Hop::Host(uri) => Step::Resolve(uri),
        }
    }

    /// Takes the hosts of the present way.
    pub fn resolved(&mut self, flows: Vec<Flow>) {
        self.flows = flows.into_iter().take(MOST_HOSTS).collect();
    }

    /// Whether the end of one attempt is not the end of the search.
    pub fn survives(&self, ending: &Ending) -> bool {
        let is_worth_it = match ending {
            Ending::Lost => true,
            Ending::Refused { status, .. } => matches!(status, 408 | 500 | 502 | 503),
            Ending::Bye { .. } | Ending::Cancelled { .. } => false,
        };
        let has_others = !self.flows.is_empty() || !self.ways.is_empty();
        is_worth_it && has_others && !self.is_given_up
    }

    /// Somebody rings.
    pub fn progressed(&mut self) {
        self.patience = None;
    }

    /// Nobody wants the leg any more; tells whether no INVITE is under way.
    pub fn give_up(&mut self) -> bool {
        self.is_given_up = true;
        self.patience = None;
        !self.is_calling
    }

    /// Patience with the present host is at its end.
    pub fn hurried(&mut self) {
        self.patience = None;
    }

    /// Whether it has rung for as long as it may. Tells so once.
    pub fn is_over_time(&mut self, now: Instant) -> bool {
        let is_over = now >= self.rings_until;
        if is_over {
            // The endpoint ends what it began; nothing is due here any more.
            self.rings_until = now + ENDS_WITHIN;
        }
        is_over
    }

    /// When something is due.
    pub fn deadline(&self) -> Instant {
        self.patience.map_or(self.rings_until, |patience| patience.min(self.rings_until))
    }
}

/// How many hosts of one way are tried.
const MOST_HOSTS: usize = 16;
