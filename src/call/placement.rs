//! A leg that a call wants placed: whom to call, as whom, and with what.

use std::sync::Arc;
use std::time::Duration;

use crate::base::destination::Destination;
use crate::call::keying::Offers;
use crate::call::outbound::purse::Payer;
use crate::sip::event::SessionId;

/// A leg to be placed.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The session's identity, chosen by the call.
    pub session: SessionId,
    /// Whom to call.
    pub destination: Destination,
    /// The trunks by which a number is called, in this order; without any, every trunk.
    pub trunks: Vec<Arc<str>>,
    /// As whom.
    pub caller: Caller,
    /// For whom, if that has a budget of its own.
    pub payer: Option<Payer>,
    /// The session description offered, for each way that the leg may go.
    pub offers: Offers,
    /// Whether nobody may hear it on the way: nothing is offered but keys, and only where these
    /// are hidden.
    pub is_secret: bool,
    /// Further headers, by name and value.
    pub headers: Vec<(String, String)>,
    /// How long it may ring.
    pub ring_limit: Duration,
}

/// Who calls, as the called party shall see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The number; empty leaves it to the trunk.
    pub number: String,
    /// The name.
    pub name: Option<String>,
    /// Whether the number is to be withheld.
    pub anonymous: bool,
    /// Who forwarded the call to us, if somebody did.
    pub diverted_by: Option<String>,
}
