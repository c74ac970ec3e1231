//! Who we are, when somebody wants to know: a 401 or 407 to a request of ours is answered with the
//! credentials that were bound to it, by the same request once more (RFC 3261 22.2, 22.3).

use std::time::Instant;

use bytes::Bytes;

use super::offering::LONGEST;
use super::writing::cancellation;
use super::{Endpoint, Invitation, Reinvitation, Use};
use crate::sip::account::{Answers, Bound, Tries};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Phase, Session};
use crate::sip::dialog::session_timer::least_of;
use crate::sip::event::{Ending, SessionId};
use crate::sip::header::Name;
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::print::Builder;
use crate::sip::transaction::key::Key;
use crate::sip::transaction::layer::{Datagram, TransactionId};

/// A request of ours that a response challenges.
pub(super) struct Challenged {
    datagram: Datagram,
    request: Message,
}

impl Endpoint {
    /// The request that a 401, 407 or 422 is for, as it was sent. To be asked before the layer hears
    /// the response: then the ACK takes the place of an INVITE.
    pub(super) fn challenged(&mut self, response: &Arrival) -> Option<Challenged> {
        if !matches!(response.status(), 401 | 407 | 422) {
            return None;
        }
        let datagram = self.layer.message(self.layer.find(&response.client_key())?)?;
        let request = Message::parse_datagram(&datagram.bytes).ok()?;
        Some(Challenged { datagram, request })
    }

    /// Sends the challenged request again with credentials; false when it may not be, and then
    /// the response stands.
    pub(super) fn prove(
        &mut self,
        id: TransactionId,
        challenged: &Challenged,
        response: &Arrival,
        now: Instant,
    ) -> bool {
        if response.status() == 422 {
            return self.lengthen(id, challenged, response, now);
        }
        let Some(bound) = self.bound_to(id) else { return false };
        if challenged.datagram.flow.remote.ip() != bound.peer {
            return false;
        }
        let tries = self.tries.get(&id).copied().unwrap_or_default();
        let messages = (&response.message, &challenged.request);
        let answered = self.wallet.answer(&bound.account, messages, tries, &mut self.random);
        let Ok(answers) = answered else {
            self.wallet.forget(&bound.account);
            return false;
        };
        let Some(purpose) = self.layer.user(id) else { return false };
        let purpose = std::mem::replace(purpose, Use::Told);
        self.send_again(id, (challenged, &answers), purpose, now);
        true
    }

    /// Adds the credentials of an accepted INVITE to its ACK (13.2.2.4).
    pub(super) fn credited(&self, invite: TransactionId, ack: Datagram) -> Datagram {
        let sent = self.layer.message(invite);
        let credited = sent.and_then(|sent| with_credentials_of(&sent.bytes, &ack.bytes));
        Datagram { bytes: credited.unwrap_or(ack.bytes), ..ack }
    }

    /// The account that may answer for a transaction; none when its call is being given up.
    fn bound_to(&mut self, id: TransactionId) -> Option<Bound> {
        if let Use::Ask(_, bound) = self.layer.user(id)? {
            return bound.clone();
        }
        let session = self.layer.user(id)?.session()?;
        if let Phase::Calling(calling) = &self.sessions.get(session)?.phase
            && calling.cancel.is_some()
        {
            return None;
        }
        self.wallet.bound(session).cloned()
    }

    /// Leaves an INVITE that nobody has answered to its timers.
    pub(super) fn forsake(&mut self, session: &mut Session) -> Option<Ending> {
        let Phase::Calling(calling) = &session.phase else { return None };
        if self.layer.is_proceeding(calling.transaction) || calling.cancel.is_some() {
            return None;
        }
        if let Some(Use::Invite(invitation)) = self.layer.user(calling.transaction) {
            invitation.session = NOBODY;
        }
        Some(Ending::Lost)
    }

    /// Cancels a forsaken INVITE that somebody rings for after all.
    pub(super) fn disown(&mut self, id: TransactionId, now: Instant) {
        let Some(Use::Invite(invitation)) = self.layer.user(id) else { return };
        if invitation.session != NOBODY {
            return;
        }
        invitation.session = NOBODY_AT_ALL;
        let Some(invite) = self.layer.message(id) else { return };
        let Some((bytes, key)) = cancellation(&invite.bytes, None) else { return };
        let datagram = Datagram { flow: invite.flow, bytes };
        self.layer.request(key, &datagram, Use::Told, now);
        self.send(datagram);
    }

    /// Asks for a longer session, as the peer demands with 422 (RFC 4028 7.3).
    fn lengthen(
        &mut self,
        id: TransactionId,
        challenged: &Challenged,
        response: &Arrival,
        now: Instant,
    ) -> bool {
        let Some(&mut Use::Invite(Invitation { session, .. })) = self.layer.user(id) else {
            return false;
        };
        let least = least_of(&response.message);
        let Some(mut taken) = self.sessions.take(session) else { return false };
        let may = match &mut taken.phase {
            Phase::Calling(calling) if calling.cancel.is_none() => {
                let is_longer = calling.asked.is_none_or(|asked| asked < least);
                calling.too_brief = calling.too_brief.saturating_add(1);
                calling.asked = Some(least);
                is_longer && least <= LONGEST && calling.too_brief <= MOST_TOO_BRIEF
            }
            Phase::Calling(_) | Phase::Ringing(_) | Phase::Up(_) | Phase::Leaving(_) => false,
        };
        self.sessions.put(taken);
        let Some(purpose) = self.layer.user(id).filter(|_| may) else { return false };
        let purpose = std::mem::replace(purpose, Use::Told);
        let seconds = least.as_secs().to_string();
        let changes = vec![(Name::SessionExpires, seconds.clone()), (Name::MinSe, seconds)];
        self.repeat(id, (challenged, &changes), purpose, now);
        true
    }

    fn send_again(
        &mut self,
        id: TransactionId,
        (challenged, answers): (&Challenged, &Answers),
        purpose: Use,
        now: Instant,
    ) {
        let proofs = answers.values.iter();
        let proofs = proofs.map(|(side, _, value)| (side.answer_header(), value.clone()));
        let mut changes: Vec<(Name, String)> = proofs.collect();
        // Credentials for another realm stay.
        for field in challenged.request.fields() {
            let is_proof = matches!(field.name(), Name::Authorization | Name::ProxyAuthorization);
            if is_proof && !is_renewed(&field, answers) {
                changes.push((field.name(), field.text().into_owned()));
            }
        }
        if let Some(next) = self.repeat(id, (challenged, &changes), purpose, now) {
            self.tried(id, next, answers.tries);
        }
    }

    /// Sends a request of ours again with other headers, as another transaction.
    fn repeat(
        &mut self,
        id: TransactionId,
        (challenged, changes): (&Challenged, &[(Name, String)]),
        purpose: Use,
        now: Instant,
    ) -> Option<TransactionId> {
        let request = &challenged.request;
        let method = request.method().cloned()?;
        let before = request.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let session = purpose.session();
        let sequence = self.sequence_after(before, session);
        let branch = self.branch();
        let via = self.via(challenged.datagram.flow, &branch);
        let bytes = again(request, &via, sequence, changes);
        let datagram = Datagram { flow: challenged.datagram.flow, bytes };
        let key = Key::client(&branch, method.as_str());
        let next = self.open(key, datagram, purpose, now);
        if let Some(mut session) = session.and_then(|session| self.sessions.take(session)) {
            session.renew(id, next);
            self.sessions.put(session);
        }
        Some(next)
    }

    /// The CSeq that follows `before`, counted in the dialog of the session if there is one.
    fn sequence_after(&mut self, before: u32, session: Option<SessionId>) -> u32 {
        let least = before.saturating_add(1);
        let session = session.and_then(|session| self.sessions.take(session));
        let Some(mut session) = session else { return least };
        let dialog = match &mut session.phase {
            Phase::Calling(_) | Phase::Ringing(_) => None,
            Phase::Up(up) => Some(&mut up.dialog),
            Phase::Leaving(leaving) => Some(&mut leaving.dialog),
        };
        let sequence = dialog.map_or(least, |dialog| {
            dialog.local_sequence = dialog.next_sequence().max(least);
            dialog.local_sequence
        });
        self.sessions.put(session);
        sequence
    }

    fn tried(&mut self, before: TransactionId, next: TransactionId, tries: Tries) {
        self.tries.remove(&before);
        if self.tries.len() >= MOST_TRIED {
            let layer = &self.layer;
            self.tries.retain(|id, _| layer.flow(*id).is_some());
        }
        self.tries.insert(next, tries);
    }
}

impl Use {
    /// The session that a request of ours belongs to.
    fn session(&self) -> Option<SessionId> {
        match self {
            Self::Invite(Invitation { session, .. }) | Self::Refer(session) => Some(*session),
            Self::Reinvite(Reinvitation { session, .. }) | Self::Update(session) => Some(*session),
            Self::Bye(session) => *session,
            Self::Incoming(..) | Self::Pending(_) | Self::Text(_) | Self::Served => None,
            Self::Ask(..) | Self::Notify(_) | Self::Told => None,
        }
    }
}

impl Session {
    /// Our INVITE goes on as another transaction.
    fn renew(&mut self, before: TransactionId, next: TransactionId) {
        if let Phase::Calling(calling) = &mut self.phase
            && calling.transaction == before
        {
            calling.transaction = next;
        }
        for offers in self.all_offers() {
            offers.renew(before, next);
        }
    }
}

/// Writes a request once more: the same but for branch, CSeq and what is changed.
fn again(request: &Message, via: &str, sequence: u32, changes: &[(Name, String)]) -> Bytes {
    let method = request.method().cloned().unwrap_or(Method::Options);
    let uri = request.request_uri().map(|uri| uri.as_str().to_owned()).unwrap_or_default();
    let mut builder = Builder::request(&method, &uri).header("Via", via);
    let mut content_type = None;
    for field in request.fields() {
        let text = field.text();
        match field.name() {
            Name::Via | Name::ContentLength => {}
            Name::ContentType => content_type = Some(text.into_owned()),
            Name::CSeq => builder = builder.header("CSeq", &format!("{sequence} {method}")),
            name if changes.iter().any(|(changed, _)| *changed == name) => {}
            _ => builder = builder.header(field.name_text(), &text),
        }
    }
    for (name, value) in changes {
        builder = builder.header(name.as_str(), value);
    }
    match content_type {
        Some(content_type) => builder.finish_with(&content_type, &request.body()),
        None => builder.finish(),
    }
}

fn is_renewed(field: &crate::sip::header::Field<'_>, answers: &Answers) -> bool {
    let sent = crate::sip::digest::Authorization::read(field.value());
    sent.is_none_or(|sent| {
        let renews = |side: crate::sip::digest::Side, realm: &str| {
            side.answer_header() == field.name() && realm == sent.realm
        };
        answers.values.iter().any(|(side, realm, _)| renews(*side, realm))
    })
}

fn with_credentials_of(invite: &Bytes, ack: &Bytes) -> Option<Bytes> {
    let invite = Message::parse_datagram(invite).ok()?;
    let is_proof = |name: Name| matches!(name, Name::Authorization | Name::ProxyAuthorization);
    if !invite.fields().any(|field| is_proof(field.name())) {
        return None;
    }
    let ack = Message::parse_datagram(ack).ok()?;
    let uri = ack.request_uri().ok()?.as_str();
    let mut builder = Builder::request(&Method::Ack, uri);
    for field in ack.fields().filter(|field| field.name() != Name::ContentLength) {
        builder = builder.header(field.name_text(), &field.text());
    }
    let builder =
        builder.copy(&invite, Name::Authorization).copy(&invite, Name::ProxyAuthorization);
    Some(builder.finish())
}

/// The session of an INVITE that nobody waits for: an answer to it is hung up.
const NOBODY: SessionId = SessionId(u64::MAX);

/// The same, once it has been cancelled.
const NOBODY_AT_ALL: SessionId = SessionId(u64::MAX - 1);
/// How often an INVITE is sent again because its session would be too brief.
const MOST_TOO_BRIEF: u8 = 3;

/// How many requests are remembered that were sent again, before those that are over go.
const MOST_TRIED: usize = 1_024;
