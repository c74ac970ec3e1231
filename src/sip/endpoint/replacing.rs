//! An INVITE that is to take the place of another call (RFC 3891), and one that is sent elsewhere.

use std::time::Instant;

use super::Endpoint;
use crate::sip::address::NameAddr;
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Phase, Session};
use crate::sip::dialog::replaces::{Replaces, Scope, named};
use crate::sip::event::{Ending, Party, SessionId};
use crate::sip::uri::Scheme;

/// How many other addresses of a redirected call are looked at.
const MOST_TARGETS: usize = 8;

impl Endpoint {
    /// The session of ours that a value of Replaces names, as its peer would write it.
    pub fn session_named(&self, replaces: &str) -> Option<SessionId> {
        self.sessions.find(&Replaces::parse(replaces)?.dialog)
    }

    /// The value of Replaces that names a session to its peer, if it is up.
    pub fn name_of(&self, session: SessionId) -> Option<String> {
        match &self.sessions.get(session)?.phase {
            Phase::Up(up) => Some(named(&up.dialog.id)),
            Phase::Calling(_) | Phase::Ringing(_) | Phase::Leaving(_) => None,
        }
    }

    /// The session that an INVITE is to take the place of, if it says so.
    ///
    /// # Errors
    /// With the status that refuses it (RFC 3891 3).
    pub(super) fn replaced_by(&self, invite: &Arrival) -> Result<Option<SessionId>, u16> {
        let Some(replaces) = Replaces::read(&invite.message).map_err(|_| 400_u16)? else {
            return Ok(None);
        };
        let found = self.sessions.find(&replaces.dialog).and_then(|id| self.sessions.get(id));
        let Some(session) = found else { return Err(481) };
        match &session.phase {
            Phase::Calling(_) => Ok(Some(session.id)),
            // Only who sent the INVITE of an early dialog may give it away.
            Phase::Ringing(_) => Err(481),
            Phase::Up(up) if up.hang_up.is_some() => Err(603),
            Phase::Up(_) if replaces.scope == Scope::Early => Err(486),
            Phase::Up(_) => Ok(Some(session.id)),
            Phase::Leaving(_) => Err(603),
        }
    }

    /// Sends the caller elsewhere: 302.
    pub(super) fn redirect(
        &mut self,
        session: &mut Session,
        targets: &[String],
        now: Instant,
    ) -> Option<Ending> {
        let Phase::Ringing(ringing) = &session.phase else { return None };
        let tag = ringing.dialog.id.local_tag.clone();
        let mut answer = self.response(&ringing.invite, 302, &tag);
        let targets = targets.iter().filter(|target| super::writing::is_callable(target));
        for target in targets.take(MOST_TARGETS) {
            answer = answer.header("Contact", &format!("<{target}>"));
        }
        self.answer(ringing.transaction, 302, answer.finish(), now);
        let reason = Some("sent elsewhere".to_owned());
        Some(Ending::Refused { by: Party::Us, status: 302, reason })
    }
}

/// Where a 3xx sends us, the dearest first; only what SIP can call (RFC 3261 8.1.3.4).
pub(super) fn targets(answer: &Arrival) -> Vec<String> {
    let contacts = answer.message.contacts().flatten().take(MOST_TARGETS);
    let mut targets: Vec<(u32, String)> = Vec::new();
    for contact in contacts {
        let uri = contact.uri();
        let is_callable = matches!(uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel);
        let text = uri.as_str().to_owned();
        // A header or method in the URI would have us send what the redirector likes.
        let is_plain = uri.headers().is_none() && !text.to_ascii_lowercase().contains(";method=");
        if is_callable && is_plain && targets.iter().all(|(_, known)| *known != text) {
            targets.push((preference(&contact), text));
        }
    }
    // Sorting is stable: equals keep their order.
    targets.sort_by_key(|(preference, _)| std::cmp::Reverse(*preference));
    targets.into_iter().map(|(_, target)| target).collect()
}

/// The `q` of a Contact in thousandths; 1 when it says nothing (RFC 3261 20.10).
fn preference(contact: &NameAddr<'_>) -> u32 {
    let Some(value) = contact.params().value("q") else { return 1_000 };
    let quality = value.parse::<f32>().ok().filter(|it| (0.0..=1.0).contains(it));
    // The range is checked: nothing is cut off.
    quality.map_or(0, |quality| (quality * 1_000.0) as u32)
}
