//! An INVITE of the peer: from its arrival to our final answer (RFC 3261 13.3).

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::offers::timed;
use super::{Endpoint, Use};
use crate::sip::dialog::answer::Answer;
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Phase, Ringing, Session, Up};
use crate::sip::dialog::offers::{First, Offers};
use crate::sip::dialog::reliable::{Acceptance, Provisional, Reliable};
use crate::sip::event::{Ending, Event, Incoming, Party, SessionId};
use crate::sip::header::Name;
use crate::sip::method::Method;
use crate::sip::registrar::Role;
use crate::sip::uri::Uri;

/// How often a provisional answer is repeated: RFC 3261 13.3.1.1.
const REMINDER: Duration = Duration::from_secs(60);

impl Endpoint {
    /// Takes an INVITE that asks for a new session.
    pub(super) fn invited(&mut self, invite: Arrival, now: Instant) {
        if self.origins.contains_key(&invite.origin()) {
            return self.answer_stateless(&invite, 482, &[]);
        }
        if let Err((status, headers)) = self.timed_by_request(&invite, None) {
            return self.answer_stateless(&invite, status, &headers);
        }
        let replaces = match self.replaced_by(&invite) {
            Ok(replaces) => replaces,
            Err(status) => return self.answer_stateless(&invite, status, &[]),
        };
        let source = invite.flow.remote.ip();
        let crowded = self.sessions.half_open(source) >= self.settings.max_half_open_per_source;
        if crowded || self.is_full() {
            return self.answer_full(&invite);
        }
        let id = self.next_session;
        self.next_session = id.next();
        let origin = invite.origin();
        let purpose = Use::Incoming(id, origin.clone());
        let transaction = self.layer.serve_invite(invite.key(), invite.flow, purpose);
        self.origins.insert(origin, transaction);
        let trying = self.response(&invite, 100, "");
        self.answer(transaction, 100, trying.finish(), now);
        let tag = self.random.token(20);
        let dialog = invite.dialog_as_server(&tag);
        let incoming = Incoming { replaces, ..digested(&invite, id) };
        self.report(Event::Incoming(Box::new(incoming)));
        let reliable = Reliable::new(&invite.message, self.random.u32() >> 8);
        let offers = Offers::new(&invite.message, First::Open, Bytes::new());
        let ringing = Ringing { transaction, invite, dialog, offers, reliable, remind_at: None };
        let phase = Phase::Ringing(Box::new(ringing));
        self.sessions.put(Session { id, phase, half_open: Some(source) });
    }

    pub(super) fn progress(
        &mut self,
        session: &mut Session,
        status: u16,
        body: Option<Bytes>,
        now: Instant,
    ) -> Option<Ending> {
        let Phase::Ringing(ringing) = &mut session.phase else { return None };
        if !(101..=199).contains(&status) {
            self.drop_input();
            return None;
        }
        ringing.remind_at = Some(now + REMINDER);
        self.provide(ringing, Provisional { status, body }, now);
        None
    }

    /// Answers with 200, as soon as the caller has every provisional answer that must arrive.
    pub(super) fn accept(
        &mut self,
        session: &mut Session,
        body: Bytes,
        headers: &[(String, String)],
        now: Instant,
    ) -> Option<Ending> {
        let Phase::Ringing(ringing) = &mut session.phase else { return None };
        let acceptance = Acceptance { body, headers: headers.to_vec() };
        if ringing.reliable.holds(&acceptance) {
            return None;
        }
        let agreed = self.timed_by_request(&ringing.invite, None).unwrap_or(None);
        let tag = ringing.dialog.id.local_tag.clone();
        let answer = timed(self.accepting(&ringing.invite, &tag), agreed).extra_headers(headers);
        // An offer of ours that went ahead has its answer by PRACK: nothing is left to be described
        // (RFC 3261 13.2.1).
        let is_settled = ringing.invite.body().is_empty() && ringing.offers.first == First::Settled;
        let body = if is_settled { Bytes::new() } else { acceptance.body };
        let answer = self.with_sdp(answer, &body, ringing.invite.flow);
        let datagram = self.answer(ringing.transaction, 200, answer, now)?;
        let Offers { theirs, ours, said, heard, .. } = &mut ringing.offers;
        let said = if is_settled { std::mem::take(said) } else { body };
        let mut offers = Offers {
            theirs: theirs.take(),
            ours: ours.take(),
            ..Offers::new(&ringing.invite.message, First::Settled, said)
        };
        if is_settled {
            offers.heard = std::mem::take(heard);
        }
        let mut up = Up::answered(ringing.dialog.clone(), offers);
        let sequence = ringing.invite.sequence;
        up.answer = Some(Answer::sent(datagram, sequence, self.settings.timers, now));
        up.time(agreed, now);
        session.phase = Phase::Up(Box::new(up));
        None
    }

    /// Lets the timers of an INVITE fire that is not answered.
    pub(super) fn ringing_due(&mut self, session: &mut Session, now: Instant) -> Option<Ending> {
        if let Some(ending) = self.own_due(session, now) {
            return Some(ending);
        }
        let Phase::Ringing(ringing) = &mut session.phase else { return None };
        if ringing.remind_at.is_some_and(|at| at <= now) {
            self.remind(ringing, now);
        }
        self.provisional_due(ringing, now)
    }

    /// Says once more that it rings.
    fn remind(&mut self, ringing: &mut Ringing, now: Instant) {
        ringing.remind_at = Some(now + REMINDER);
        if let Some(again) = self.layer.message(ringing.transaction) {
            self.send(again);
        }
    }

    /// Takes a CANCEL, which was matched to its INVITE by branch and source, not by tags.
    pub(super) fn cancelled(&mut self, cancel: &Arrival, now: Instant) {
        let found = self.layer.find(&cancel.key().cancelled()).filter(|id| {
            let flow = self.layer.flow(*id);
            flow.is_some_and(|flow| flow.is_of_one_peer(&cancel.flow))
        });
        let Some(invite) = found else { return self.answer_stateless(cancel, 481, &[]) };
        let whose = match self.layer.user(invite) {
            Some(Use::Incoming(session, _) | Use::Pending(session)) => *session,
            Some(Use::Served | Use::Invite(_) | Use::Bye(_) | Use::Refer(_))
            | Some(
                Use::Ask(..)
                | Use::Notify(_)
                | Use::Told
                | Use::Reinvite(_)
                | Use::Update(_)
                | Use::Text(_),
            )
            | None => {
                return self.answer_stateless(cancel, 481, &[]);
            }
        };
        let session = self.sessions.take(whose);
        let tag = session.as_ref().map(|session| session.local_tag().to_owned());
        let transaction = self.layer.serve(cancel.key(), cancel.flow, Use::Served, now);
        let tag = tag.unwrap_or_else(|| self.stateless_tag(cancel));
        let ok = self.response(cancel, 200, &tag).finish();
        self.answer(transaction, 200, ok, now);
        let Some(mut session) = session else { return };
        let ending = self.withdraw(&mut session, cancel, now);
        self.settle(session, ending, now);
    }

    /// Answers the cancelled INVITE with 487, unless it has its final answer (9.2).
    fn withdraw(
        &mut self,
        session: &mut Session,
        cancel: &Arrival,
        now: Instant,
    ) -> Option<Ending> {
        match &mut session.phase {
            Phase::Ringing(ringing) => {
                let tag = ringing.dialog.id.local_tag.clone();
                let answer = self.response(&ringing.invite, 487, &tag).finish();
                self.answer(ringing.transaction, 487, answer, now);
                Some(Ending::Cancelled { by: Party::Peer, reason: cancel.text(Name::Reason) })
            }
            Phase::Up(up) => {
                let pending = up.offers.theirs.take_if(|reoffer| is_invite(&reoffer.request))?;
                let answer = self.response(&pending.request, 487, "").finish();
                self.answer(pending.transaction, 487, answer, now);
                None
            }
            Phase::Calling(_) | Phase::Leaving(_) => None,
        }
    }
}

fn is_invite(request: &Arrival) -> bool {
    request.method == Method::Invite
}

/// What the owner hears of a request that begins something: an INVITE, or a text.
pub(super) fn digested(invite: &Arrival, session: SessionId) -> Incoming {
    let from = invite.message.from();
    let uri = invite.message.request_uri();
    let user = |uri: Uri<'_>| uri.user_unescaped().into_owned();
    let named = || from.ok().and_then(|from| from.display().map(Cow::into_owned));
    // L7: who calls is told by the password, not by a header. A trunk calls for others.
    let proven = |role| invite.phone.as_deref().filter(|it| it.role == role);
    let phone = proven(Role::Phone);
    let proved = phone.map(|phone| phone.name.to_string());
    Incoming {
        session,
        flow: invite.flow,
        phone: phone.map(|phone| phone.name.clone()),
        trunk: proven(Role::Trunk).map(|trunk| trunk.name.clone()),
        request_uri: uri.map(|uri| uri.as_str().to_owned()).unwrap_or_default(),
        called_user: uri.map(user).unwrap_or_default(),
        calling_user: proved
            .unwrap_or_else(|| from.map(|from| user(from.uri())).unwrap_or_default()),
        calling_name: phone.map_or_else(named, |phone| phone.display.clone()),
        sip_call_id: invite.call_id.clone(),
        user_agent: invite.text(Name::UserAgent),
        headers: invite.headers(),
        body: invite.body(),
        replaces: None,
    }
}
