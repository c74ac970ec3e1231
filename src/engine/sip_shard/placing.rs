//! Legs that calls place, and those that take the place of others: a phone that has two calls by us
//! and connects them names the second one as it knows it.

use super::SipShard;
use crate::call::event::Input;
use crate::call::placement::Placement;
use crate::engine::clock;
use crate::engine::mailbox::Mailbox;
use crate::sip::event::{Ending, Event, Party, SessionId};

impl SipShard {
    /// Places a leg of a call.
    pub(super) fn place(&mut self, mailbox: Mailbox, mut placement: Box<Placement>) {
        let session = placement.session;
        self.calls.insert(session, mailbox);
        if self.translate(&mut placement).is_some() {
            return self.exchange.place(clock::now(), placement);
        }
        let reason = Some("the call to be replaced talks with nobody".to_owned());
        let ending = Ending::Refused { by: Party::Us, status: 481, reason };
        self.tell(Event::Ended { session, ending });
    }

    /// A leg that is to take the place of a call of ours is called by the name which that call has
    /// at its far end; nothing when there is no far end. A call of somebody else keeps its name.
    fn translate(&mut self, placement: &mut Placement) -> Option<()> {
        let is_replaces = |name: &str| name.eq_ignore_ascii_case("Replaces");
        let replaces = placement.headers.iter_mut().find(|(name, _)| is_replaces(name));
        let Some((_, named)) = replaces else { return Some(()) };
        let Some(own) = self.endpoint.session_named(named) else { return Some(()) };
        let far = self.exchange.partner_of(self.exchange.leg_of(own))?;
        *named = self.endpoint.name_of(far)?;
        Some(())
    }

    /// Tells the call that has done its work, if there is one.
    pub(super) fn retire(&mut self, named: &str) {
        let Some(own) = self.endpoint.session_named(named) else { return };
        if let Some(mailbox) = self.calls.get(&self.exchange.leg_of(own)) {
            // A call that does not read is ended as one that is stuck.
            mailbox.post(Input::Retired).ok();
        }
    }

    /// Two legs talk with each other. Who is gone meanwhile talks with nobody.
    pub(super) fn pair(&mut self, one: SessionId, other: SessionId) {
        if self.calls.contains_key(&one) && self.calls.contains_key(&other) {
            self.exchange.pair(one, other);
        }
    }
}
