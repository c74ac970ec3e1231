//! The offers within one dialog (RFC 3264, RFC 3261 14, RFC 3311): at most one at a time, theirs
//! or ours, by re-INVITE or UPDATE.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::arrival::Arrival;
use crate::base::random::Random;
use crate::sip::event::Party;
use crate::sip::header::Name;
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::transaction::layer::TransactionId;

/// What is offered in a dialog.
#[derive(Debug)]
pub struct Offers {
    /// Whether the offer of the INVITE has its answer for sure: before it, there is no other one.
    pub first: First,
    /// A request of the peer that waits for the owner.
    pub theirs: Option<Reoffer>,
    /// A request of ours.
    pub ours: Option<Own>,
    /// The last session description of ours: a refresh says it again.
    pub said: Bytes,
    /// The last session description of the peer's.
    pub heard: Bytes,
    /// Whether the peer takes UPDATE.
    pub update: Update,
}

/// Where the offer of the INVITE stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// It has no answer, or one that may have been lost.
    Open,
    /// It is answered.
    Settled,
}

/// Whether the peer takes UPDATE (RFC 3311 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// It says so in Allow.
    Allowed,
    /// It does not, or it refused one.
    Unknown,
}

/// A re-INVITE, UPDATE or PRACK with an offer that waits for the owner.
#[derive(Debug)]
pub struct Reoffer {
    /// Its transaction.
    pub transaction: TransactionId,
    /// The request itself, to be answered.
    pub request: Arrival,
}

/// A re-INVITE or UPDATE of ours.
#[derive(Debug)]
pub struct Own {
    /// What it is to say.
    pub ask: Ask,
    /// How far it is.
    pub stage: Stage,
}

/// What a re-INVITE or UPDATE of ours says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The session description; an UPDATE that only refreshes needs none.
    pub body: Bytes,
    /// Why it is sent.
    pub purpose: Purpose,
}

/// Why a re-INVITE or UPDATE of ours is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The owner offers something else.
    Offer,
    /// The session timer wants it.
    Refresh,
}

/// How far a re-INVITE or UPDATE of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is on its way, and nobody waits for longer.
    Sent {
        /// Its transaction.
        transaction: TransactionId,
        /// When the session is given up.
        until: Instant,
    },
    /// It met one of the peer's (491) and is sent again.
    Later {
        /// When.
        at: Instant,
    },
}

impl Offers {
    /// Begins with what the peer's first message says, and with what we said ourselves.
    pub fn new(peer: &Message, first: First, said: Bytes) -> Self {
        Self {
            first,
            theirs: None,
            ours: None,
            said,
            heard: peer.body(),
            update: Update::Unknown.after(peer),
        }
    }

    /// Whether an offer of ours is on its way.
    pub fn is_asking(&self) -> bool {
        matches!(self.ours, Some(Own { stage: Stage::Sent { .. }, .. }))
    }

    /// Whether a request of ours may go out.
    pub fn is_free(&self) -> bool {
        self.ours.is_none() && self.theirs.is_none() && self.first == First::Settled
    }

    /// Whether this transaction is that of our request.
    pub fn is_ours(&self, id: TransactionId) -> bool {
        matches!(self.ours, Some(Own { stage: Stage::Sent { transaction, .. }, .. })
            if transaction == id)
    }

    /// Our request goes on as another transaction, since it was challenged.
    pub fn renew(&mut self, before: TransactionId, next: TransactionId) {
        if let Some(Own { stage: Stage::Sent { transaction, .. }, .. }) = &mut self.ours
            && *transaction == before
        {
            *transaction = next;
        }
    }

    /// When a timer fires next.
    pub fn deadline(&self) -> Option<Instant> {
        match self.ours.as_ref()?.stage {
            Stage::Sent { until, .. } => Some(until),
            Stage::Later { at } => Some(at),
        }
    }
}

impl Update {
    /// What is known after one more message of the peer.
    #[must_use]
    pub fn after(self, message: &Message) -> Self {
        if message.lists(Name::Allow, Method::Update.as_str()) { Self::Allowed } else { self }
    }
}

/// How long a request of ours waits after 491: whoever chose the Call-ID waits longer, so that
/// both do not meet again (RFC 3261 14.1).
pub fn glare_pause(caller: Party, random: &mut Random) -> Duration {
    let (from, steps) = match caller {
        Party::Us => (2_100, 191),
        Party::Peer => (10, 200),
    };
    from_millis(from + 10 * random.below(steps))
}

fn from_millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_glare_the_two_sides_wait_apart() {
        let mut random = Random::repeatable(3);
        for _ in 0..1_000 {
            let ours = glare_pause(Party::Us, &mut random);
            assert!((2_100..=4_000).contains(&ours.as_millis()), "{ours:?}");
            let theirs = glare_pause(Party::Peer, &mut random);
            assert!((10..=2_000).contains(&theirs.as_millis()), "{theirs:?}");
        }
    }
}
