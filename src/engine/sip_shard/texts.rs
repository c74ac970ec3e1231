//! Who sent what begins something with us; and texts outside of calls on their way to phones.

use std::sync::Arc;

use super::SipShard;
use crate::call::admission::Badge;
use crate::call::briefing::Briefing;
use crate::engine::clock;
use crate::sip::event::{Command, Incoming, Input, SessionId};

impl SipShard {
    /// Relays texts to phones where the routes of this briefing let calls ring.
    #[must_use]
    pub fn with_briefing(mut self, briefing: Arc<Briefing>) -> Self {
        self.exchange.brief(briefing);
        self
    }

    /// Whom a request came from; nobody, when a trunk speaks from where it may not.
    pub(super) fn sender_of(&self, incoming: &Incoming) -> Option<Badge> {
        let address = incoming.flow.remote.ip();
        let addressee = self.exchange.owner_of(&incoming.called_user);
        let addressee = addressee.filter(|it| !self.doorkeeper.must_prove(&it.name));
        match (&incoming.trunk, addressee) {
            (Some(proven), _) if !self.doorkeeper.may_speak_at(proven, address) => None,
            (Some(proven), _) => Some(self.doorkeeper.badge_of(proven)),
            (None, Some(addressee)) => Some(addressee),
            (None, None) => Some(self.doorkeeper.badge(incoming.phone.as_ref(), address)),
        }
    }

    /// Takes a text outside of calls. Its words are nobody's business here (T31).
    pub(super) fn texted(&mut self, text: Box<Incoming>) {
        let session = text.session;
        let Some(sender) = self.sender_of(&text) else {
            return self.answer_text(session, 403, Vec::new());
        };
        if let Err(refusal) = self.doorkeeper.admit_text(clock::now(), &sender) {
            let seconds = refusal.retry_after.map(|seconds| seconds.to_string());
            let headers = seconds.map(|seconds| ("Retry-After".to_owned(), seconds));
            return self.answer_text(session, refusal.status, headers.into_iter().collect());
        }
        tracing::debug!(trunk = %sender.name, octets = text.body.len(), "text to be relayed");
        self.exchange.relay(&sender, text, clock::since_epoch());
    }

    fn answer_text(&mut self, session: SessionId, status: u16, headers: Vec<(String, String)>) {
        let command = Command::AnswerText { session, status, headers };
        self.endpoint.handle(clock::now(), Input::Command(command));
    }
}
