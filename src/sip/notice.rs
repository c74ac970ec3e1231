//! What a user agent notices that is no call: phones that come and go, and what offends.

use std::sync::Arc;

use crate::sip::flow::Flow;

/// Something that is to be known beside the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A phone can be reached, and now there: other than before, though perhaps not for the first
    /// time.
    PhoneRegistered {
        /// The phone's name.
        phone: Arc<str>,
        /// Every place where it rings; at least one.
        reaches: Vec<Reach>,
    },
    /// A phone cannot be reached any more: it said so, or did not come back in time.
    PhoneGone {
        /// The phone's name.
        phone: Arc<str>,
    },
    /// A phone wants to be told what waits for it, from now on or still; it is to be told at once
    /// by `Command::Publish`.
    Subscribed {
        /// The subscription.
        id: SubscriptionId,
        /// The phone's name.
        phone: Arc<str>,
        /// Where it asked.
        flow: Flow,
    },
    /// A subscription is over.
    Unsubscribed {
        /// The subscription.
        id: SubscriptionId,
    },
    /// Somebody who is no trunk did what nobody should.
    Offended {
        /// Where it came from.
        flow: Flow,
        /// What it was.
        offence: Offence,
    },
}

/// The identity of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u64);

/// One place where a phone rings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The Request-URI: the Contact as it was registered.
    pub uri: String,
    /// Where requests go: back where the REGISTER came from, whatever the Contact says, for a
    /// phone behind NAT knows no better address of itself.
    pub flow: Flow,
    /// The values of Route, in order (RFC 3327).
    pub routes: Vec<String>,
}

/// What nobody should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offence {
    /// A password was wrong, be the user known or not.
    WrongPassword,
    /// The message cannot be read.
    Malformed,
    /// A scanner said its name.
    Scanner,
    /// A stranger tried a number that costs.
    TollNumber,
}
