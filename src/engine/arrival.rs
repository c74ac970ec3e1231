//! A new call on its way from the SIP shard to the supervisor.

use crate::call::admission::Badge;
use crate::call::stir::Verification;
use crate::engine::mailbox::{Inbox, Mailbox};
use crate::sip::event::Incoming;

/// A new call, with the mailbox into which its signalling is already being posted.
#[derive(Debug)]
pub struct Arrival {
    /// The INVITE.
    pub incoming: Box<Incoming>,
    /// Which trunk it came by.
    pub trunk: Badge,
    /// What came of checking its signature, where the trunk wants that.
    pub verification: Option<Verification>,
    /// Into the call.
    pub mailbox: Mailbox,
    /// For the call's task.
    pub inbox: Inbox,
}
