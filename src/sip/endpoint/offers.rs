//! Re-INVITE and UPDATE of the peer (RFC 3261 14.2, RFC 3311 5.2), in a call that is up or is
//! about to be.

use std::time::Instant;

use bytes::Bytes;

use super::{Endpoint, Use};
use crate::sip::dialog::answer::Answer;
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Phase, Session};
use crate::sip::dialog::offers::{First, Reoffer};
use crate::sip::dialog::session_timer::Agreed;
use crate::sip::event::{Ending, Event, Refusal};
use crate::sip::method::Method;

impl Endpoint {
    /// Takes a re-INVITE or UPDATE; the owner answers it.
    pub(super) fn reoffered(&mut self, session: &mut Session, request: &Arrival, now: Instant) {
        if let Some(status) = hindrance(session, request) {
            return self.object(request, status, now);
        }
        let agreed = match self.timed_by(session, request) {
            Ok(agreed) => agreed,
            Err((status, headers)) => return self.object_with(request, status, &headers, now),
        };
        let is_invite = request.method == Method::Invite;
        let body = request.body();
        if !is_invite && body.is_empty() {
            return self.refresh(session, (request, agreed), now);
        }
        let transaction = if is_invite {
            self.layer.serve_invite(request.key(), request.flow, Use::Pending(session.id))
        } else {
            self.layer.serve(request.key(), request.flow, Use::Pending(session.id), now)
        };
        if is_invite {
            let trying = self.response(request, 100, "").finish();
            self.answer(transaction, 100, trying, now);
        }
        let Some((_, offers)) = session.talk(Some(&request.dialog_id_as_server())) else { return };
        offers.theirs = Some(Reoffer { transaction, request: request.clone() });
        self.report(Event::Reoffered { session: session.id, body });
    }

    /// An UPDATE without an offer says only that the peer is there, and perhaps where.
    fn refresh(
        &mut self,
        session: &mut Session,
        (request, agreed): (&Arrival, Option<Agreed>),
        now: Instant,
    ) {
        let Some((dialog, offers)) = session.talk(Some(&request.dialog_id_as_server())) else {
            return;
        };
        request.refresh(dialog);
        offers.update = offers.update.after(&request.message);
        let transaction = self.layer.serve(request.key(), request.flow, Use::Served, now);
        let answer = timed(self.accepting(request, ""), agreed).finish();
        self.answer(transaction, 200, answer, now);
        if let Phase::Up(up) = &mut session.phase {
            up.time(agreed, now);
        }
    }

    pub(super) fn answer_reoffer(
        &mut self,
        session: &mut Session,
        answer: Result<Bytes, Refusal>,
        now: Instant,
    ) -> Option<Ending> {
        let mut pending = session.all_offers().into_iter();
        let Some(Reoffer { transaction, request }) =
            pending.find_map(|offers| offers.theirs.take())
        else {
            self.drop_input();
            return None;
        };
        let body = match answer {
            Ok(body) => body,
            Err(refusal) => {
                let refusal = Refusal { status: refusal.status.clamp(300, 699), ..refusal };
                let answer = self.refusal(&request, &refusal, "");
                self.answer(transaction, refusal.status, answer, now);
                return None;
            }
        };
        let agreed = self.timed_by(session, &request).unwrap_or(None);
        let (dialog, offers) = session.talk(Some(&request.dialog_id_as_server()))?;
        offers.said = body.clone();
        offers.heard = request.body();
        let builder = self.accepting(&request, "");
        let builder = if request.makes_offer() {
            // Only an accepted offer moves the peer's Contact: 12.2.2.
            request.refresh(dialog);
            offers.update = offers.update.after(&request.message);
            timed(builder, agreed)
        } else {
            builder
        };
        let sent = self.answer(transaction, 200, self.with_sdp(builder, &body, request.flow), now);
        if let Phase::Up(up) = &mut session.phase
            && request.makes_offer()
        {
            up.time(agreed, now);
            if request.method == Method::Invite {
                let timers = self.settings.timers;
                up.answer = sent.map(|sent| Answer::sent(sent, request.sequence, timers, now));
            }
        }
        self.outdate(session);
        None
    }

    /// What becomes of the session timer by a request of the peer: only in a call that is up.
    fn timed_by(&self, session: &Session, request: &Arrival) -> Result<Option<Agreed>, Answerless> {
        match &session.phase {
            Phase::Up(up) if request.makes_offer() => self.timed_by_request(request, up.timed()),
            Phase::Up(_) | Phase::Calling(_) | Phase::Ringing(_) | Phase::Leaving(_) => Ok(None),
        }
    }

    /// What a request that begins or refreshes a session says of its timer.
    pub(super) fn timed_by_request(
        &self,
        request: &Arrival,
        before: Option<Agreed>,
    ) -> Result<Option<Agreed>, Answerless> {
        use crate::sip::dialog::session_timer::{EXTENSION, Objection};
        self.settings.session_timers.answer(&request.message, before).map_err(|why| match why {
            Objection::TooBrief(least) => (422, vec![("Min-SE", least.as_secs().to_string())]),
            Objection::Lacking => (421, vec![("Require", EXTENSION.to_owned())]),
        })
    }
}

/// A status that refuses, with its headers.
pub(super) type Answerless = (u16, Vec<(&'static str, String)>);

/// Why a request of the peer with an offer cannot be taken now, if so.
fn hindrance(session: &mut Session, request: &Arrival) -> Option<u16> {
    let has_offer = request.method == Method::Invite || !request.body().is_empty();
    // Our answer is still on its way: an offer now would cross it.
    let crosses = match &session.phase {
        Phase::Up(up) => up.answer.is_some() || up.hang_up.is_some() || up.owed.is_some(),
        Phase::Calling(_) => request.method == Method::Invite,
        Phase::Ringing(_) | Phase::Leaving(_) => false,
    };
    let is_ringing = matches!(session.phase, Phase::Ringing(_));
    let Some((_, offers)) = session.talk(Some(&request.dialog_id_as_server())) else {
        return Some(481);
    };
    if offers.theirs.is_some() || is_ringing && request.method == Method::Invite {
        return Some(500);
    }
    if crosses || has_offer && offers.is_asking() {
        return Some(491);
    }
    // RFC 3311 5.2: the offer of the INVITE is still unanswered, theirs or ours.
    let is_early = has_offer && offers.first == First::Open;
    is_early.then_some(if is_ringing { 500 } else { 491 })
}

/// Adds what was agreed about the session timer to a 200.
pub(super) fn timed(
    answer: crate::sip::print::Builder,
    agreed: Option<Agreed>,
) -> crate::sip::print::Builder {
    use crate::sip::dialog::session_timer::EXTENSION;
    use crate::sip::event::Party;
    let Some(agreed) = agreed else { return answer };
    let answer = answer.header("Session-Expires", &agreed.answered());
    match agreed.refresher {
        Party::Peer => answer.header("Require", EXTENSION),
        Party::Us => answer,
    }
}
