//! Re-INVITE and UPDATE of the peer (RFC 3261 14.2, RFC 3311 5.2).

use std::time::Instant;

use bytes::Bytes;

use super::writing::with_sdp;
use super::{Endpoint, Use};
use crate::sip::dialog::answer::Answer;
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Phase, Reoffer, Session};
use crate::sip::event::{Ending, Event, Refusal};
use crate::sip::method::Method;

impl Endpoint {
    /// Takes a re-INVITE or UPDATE; the owner answers it.
    pub(super) fn reoffered(&mut self, session: &mut Session, request: &Arrival, now: Instant) {
        let Phase::Up(up) = &mut session.phase else { return };
        if up.reoffer.is_some() {
            return self.object(request, 500, now);
        }
        // Our answer is still on its way: an offer now would cross it.
        if up.answer.is_some() || up.hang_up.is_some() {
            return self.object(request, 491, now);
        }
        let is_invite = request.method == Method::Invite;
        let body = request.body();
        if !is_invite && body.is_empty() {
            return self.refresh(session, request, now);
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
        up.reoffer = Some(Reoffer { transaction, request: request.clone() });
        self.report(Event::Reoffered { session: session.id, body });
    }

    /// An UPDATE without an offer says only that the peer is there, and perhaps where.
    fn refresh(&mut self, session: &mut Session, request: &Arrival, now: Instant) {
        let Phase::Up(up) = &mut session.phase else { return };
        request.refresh(&mut up.dialog);
        let transaction = self.layer.serve(request.key(), request.flow, Use::Served, now);
        let answer = self.accepting(request, "").finish();
        self.answer(transaction, 200, answer, now);
    }

    pub(super) fn answer_reoffer(
        &mut self,
        session: &mut Session,
        answer: Result<Bytes, Refusal>,
        now: Instant,
    ) -> Option<Ending> {
        let Phase::Up(up) = &mut session.phase else { return None };
        let Some(Reoffer { transaction, request }) = up.reoffer.take() else {
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
        // Only an accepted offer moves the peer's Contact: 12.2.2.
        request.refresh(&mut up.dialog);
        let answer = with_sdp(self.accepting(&request, ""), &body);
        let sent = self.answer(transaction, 200, answer, now);
        if request.method == Method::Invite {
            let timers = self.settings.timers;
            up.answer = sent.map(|sent| Answer::sent(sent, request.sequence, timers, now));
        }
        None
    }
}
