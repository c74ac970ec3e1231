//! Requests of the peer inside a dialog (RFC 3261 12.2.2), and the ACK of our answers.

use std::time::Instant;

use super::{Endpoint, Use};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Phase, Session};
use crate::sip::event::{Ending, Event, Flow, Party, SessionId};
use crate::sip::header::Name;
use crate::sip::method::Method;
use crate::sip::transaction::server_invite::Acknowledged;

impl Endpoint {
    /// Takes a request with a tag in To.
    pub(super) fn inside(&mut self, request: &Arrival, now: Instant) {
        let session = self.session_of(request).and_then(|id| self.sessions.take(id));
        let Some(mut session) = session else {
            return self.answer_stateless(request, 481, &[]);
        };
        // Room for requests inside of calls is kept when there is none for new calls.
        if self.layer.len() >= self.settings.max_transactions.saturating_mul(2) {
            self.sessions.put(session);
            return self.answer_full(request);
        }
        session.heard_through(request.flow);
        let ending = match &mut session.phase {
            Phase::Calling(_) => {
                let talk = session.talk(Some(&request.dialog_id_as_server()));
                match talk.map(|(dialog, _)| dialog.count(request.sequence)) {
                    Some(Ok(())) => self.inside_early(&mut session, request, now),
                    Some(Err(_)) | None => self.overtaken(request, now),
                }
            }
            Phase::Ringing(ringing) => match ringing.dialog.count(request.sequence) {
                Ok(()) => self.inside_ringing(&mut session, request, now),
                Err(_) => self.overtaken(request, now),
            },
            Phase::Up(up) => match up.dialog.count(request.sequence) {
                Ok(()) => self.inside_up(&mut session, request, now),
                Err(_) => self.overtaken(request, now),
            },
            Phase::Leaving(leaving) => {
                // Both hung up at once: each is right.
                let reason = leaving.reason.clone();
                let is_bye = request.method == Method::Bye;
                self.object(request, if is_bye { 200 } else { 481 }, now);
                is_bye.then_some(Ending::Bye { by: Party::Us, reason })
            }
        };
        self.settle(session, ending, now);
    }

    /// The session that a request belongs to: it names the dialog and comes from its peer (T7).
    pub(super) fn session_of(&self, request: &Arrival) -> Option<SessionId> {
        let session = self.sessions.get(self.sessions.find(&request.dialog_id_as_server())?)?;
        let flow = match &session.phase {
            Phase::Calling(calling) => self.layer.flow(calling.transaction)?,
            Phase::Ringing(ringing) => ringing.dialog.flow,
            Phase::Up(up) => up.dialog.flow,
            Phase::Leaving(leaving) => leaving.dialog.flow,
        };
        self.is_kin(&flow, &request.flow).then_some(session.id)
    }

    /// Whether a request may belong to a dialog that goes through `flow`: it comes from the same
    /// peer, or from another address of a peer that has several (T7).
    fn is_kin(&self, flow: &Flow, from: &Flow) -> bool {
        let (own, other) = (flow.remote.ip(), from.remote.ip());
        let is_as_safe = !flow.transport.is_secure() || from.transport.is_secure();
        flow.is_of_one_peer(from) || is_as_safe && self.settings.are_kin(own, other)
    }

    /// A request inside an early dialog of our INVITE.
    fn inside_early(
        &mut self,
        session: &mut Session,
        request: &Arrival,
        now: Instant,
    ) -> Option<Ending> {
        match request.method {
            Method::Invite | Method::Update => self.reoffered(session, request, now),
            Method::Info => self.informed(session, request, now),
            Method::Message => self.written_to(session, request, now),
            Method::Options => self.object(request, 200, now),
            _ => self.object(request, 481, now),
        }
        None
    }

    /// A request inside the early dialog of an INVITE that we have not answered.
    fn inside_ringing(
        &mut self,
        session: &mut Session,
        request: &Arrival,
        now: Instant,
    ) -> Option<Ending> {
        let Phase::Ringing(ringing) = &session.phase else { return None };
        match request.method {
            // A caller may end an early dialog by BYE too (15): the INVITE gets 487.
            Method::Bye => {
                self.object(request, 200, now);
                let tag = &ringing.dialog.id.local_tag;
                let answer = self.response(&ringing.invite, 487, tag).finish();
                self.answer(ringing.transaction, 487, answer, now);
                Some(Ending::Cancelled { by: Party::Peer, reason: request.text(Name::Reason) })
            }
            Method::Prack => self.acknowledged_provisional(session, request, now),
            _ => self.inside_early(session, request, now),
        }
    }

    fn inside_up(
        &mut self,
        session: &mut Session,
        request: &Arrival,
        now: Instant,
    ) -> Option<Ending> {
        match request.method {
            Method::Bye => {
                self.object(request, 200, now);
                let reason = request.text(Name::Reason);
                return Some(Ending::Bye { by: Party::Peer, reason });
            }
            Method::Invite | Method::Update => self.reoffered(session, request, now),
            Method::Info => self.informed(session, request, now),
            Method::Message => self.written_to(session, request, now),
            Method::Refer => self.asked_to_refer(session, request, now),
            Method::Notify => self.notified(session, request, now),
            Method::Options => self.object(request, 200, now),
            _ => self.object(request, 481, now),
        }
        None
    }

    /// 500 for a request that comes too late or too early (12.2.2, 14.2).
    pub(super) fn overtaken(&mut self, request: &Arrival, now: Instant) -> Option<Ending> {
        self.object(request, 500, now);
        None
    }

    /// Answers a request inside a dialog at once, by a transaction that absorbs its repetitions.
    pub(super) fn object(&mut self, request: &Arrival, status: u16, now: Instant) {
        self.object_with(request, status, &[], now);
    }

    /// The same, with further headers.
    pub(super) fn object_with(
        &mut self,
        request: &Arrival,
        status: u16,
        headers: &[(&str, String)],
        now: Instant,
    ) {
        let key = request.key();
        let transaction = if request.method == Method::Invite {
            self.layer.serve_invite(key, request.flow, Use::Served)
        } else {
            self.layer.serve(key, request.flow, Use::Served, now)
        };
        let mut answer = self.response(request, status, "");
        if request.method == Method::Options && status == 200 {
            answer = self.described(answer);
        }
        for (name, value) in headers {
            answer = answer.header(name, value);
        }
        if status == 500 {
            answer = answer.header("Retry-After", &self.random.below(10).to_string());
        }
        self.answer(transaction, status, answer.finish(), now);
    }

    /// Takes an ACK: it ends the repetition of a refusal or of our 200.
    pub(super) fn acknowledged(&mut self, ack: &Arrival, now: Instant) {
        if self.layer.acknowledge(&ack.key(), ack.flow, now) == Acknowledged::Refusal {
            return;
        }
        let session = self.session_of(ack).and_then(|id| self.sessions.take(id));
        let Some(mut session) = session else { return self.drop_input() };
        let id = session.id;
        let Phase::Up(up) = &mut session.phase else { return self.sessions.put(session) };
        let awaited = up.answer.take_if(|answer| answer.is_acknowledged_by(ack.sequence));
        if awaited.is_none() {
            return self.sessions.put(session);
        }
        let is_news = !std::mem::replace(&mut up.is_confirmed, true);
        let hang_up = up.hang_up.take();
        session.half_open = None;
        let body = ack.body();
        if !body.is_empty() {
            up.offers.heard = body.clone();
        }
        if is_news || !body.is_empty() {
            self.report(Event::Confirmed { session: id, body });
        }
        if let Some(hang_up) = hang_up {
            self.leave(&mut session, hang_up.reason, now);
        }
        self.sessions.put(session);
    }
}
