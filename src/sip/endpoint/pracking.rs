//! Provisional answers that must arrive (RFC 3262): ours, until their PRACK, and the PRACK of
//! theirs.

use std::time::Instant;

use bytes::Bytes;

use super::{Endpoint, Use};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Early, Phase, Ringing, Session};
use crate::sip::dialog::offers::{First, Reoffer};
use crate::sip::dialog::reliable::{
    Acceptance, Carried, EXTENSION, Impatience, Manner, Provisional, Rack,
};
use crate::sip::event::{Ending, Event};
use crate::sip::method::Method;

/// Ours.
impl Endpoint {
    /// Sends a provisional answer, or keeps it until the one before has arrived.
    pub(super) fn provide(&mut self, ringing: &mut Ringing, answer: Provisional, now: Instant) {
        let rseq = match ringing.reliable.manner(&answer) {
            Manner::Later => return,
            Manner::Plain => None,
            Manner::Numbered(rseq) => Some(rseq),
        };
        let Provisional { status, body } = answer;
        let tag = ringing.dialog.id.local_tag.clone();
        let mut builder = self
            .response(&ringing.invite, status, &tag)
            .header("Contact", &self.contact_towards(&ringing.invite));
        if let Some(rseq) = rseq {
            builder = builder
                .header("Allow", &self.allowed())
                .header("Require", EXTENSION)
                .header("RSeq", &rseq.to_string());
        }
        let carried = if body.is_some() { Carried::Description } else { Carried::Nothing };
        let bytes = match &body {
            Some(body) => self.with_sdp(builder, body, ringing.invite.flow),
            None => builder.finish(),
        };
        let Some(sent) = self.answer(ringing.transaction, status, bytes, now) else { return };
        if let Some(body) = body {
            ringing.offers.said = body;
        }
        if rseq.is_some() {
            ringing.reliable.sent((sent, carried), self.settings.timers, now);
        }
    }

    /// Takes a PRACK for an answer of ours.
    pub(super) fn acknowledged_provisional(
        &mut self,
        session: &mut Session,
        prack: &Arrival,
        now: Instant,
    ) -> Option<Ending> {
        let Phase::Ringing(ringing) = &mut session.phase else { return None };
        let rack = Rack::read(&prack.message);
        let sequence = ringing.invite.sequence;
        let arrived = rack.and_then(|rack| ringing.reliable.acknowledge(rack, sequence));
        let Some(carried) = arrived else {
            self.object(prack, 481, now);
            return None;
        };
        self.settle_first(session, (prack, carried), now);
        let Phase::Ringing(ringing) = &mut session.phase else { return None };
        if let Some(Acceptance { body, headers }) = ringing.reliable.release() {
            return self.accept(session, body, &headers, now);
        }
        if let Some(next) = ringing.reliable.take_next() {
            self.provide(ringing, next, now);
        }
        None
    }

    /// Answers a PRACK; what it brings is the answer to our offer, or a new one (RFC 3262 5).
    fn settle_first(
        &mut self,
        session: &mut Session,
        (prack, carried): (&Arrival, Carried),
        now: Instant,
    ) {
        let id = session.id;
        let Phase::Ringing(ringing) = &mut session.phase else { return };
        let body = prack.body();
        let was_theirs = !ringing.invite.body().is_empty();
        if carried == Carried::Description && (was_theirs || !body.is_empty()) {
            ringing.offers.first = First::Settled;
        }
        if body.is_empty() {
            return self.object(prack, 200, now);
        }
        let is_new = was_theirs || carried == Carried::Nothing;
        if is_new && (ringing.offers.first == First::Open || ringing.offers.theirs.is_some()) {
            return self.object(prack, 500, now);
        }
        if is_new {
            let purpose = Use::Pending(id);
            let transaction = self.layer.serve(prack.key(), prack.flow, purpose, now);
            ringing.offers.theirs = Some(Reoffer { transaction, request: prack.clone() });
            return self.report(Event::Reoffered { session: id, body });
        }
        ringing.offers.heard = body.clone();
        self.object(prack, 200, now);
        self.report_answer(id, Ok(body));
    }

    /// Lets the timer of an answer fire that has no PRACK.
    pub(super) fn provisional_due(
        &mut self,
        ringing: &mut Ringing,
        now: Instant,
    ) -> Option<Ending> {
        match ringing.reliable.tick(now)? {
            Impatience::Resend(datagram) => {
                self.send(datagram);
                None
            }
            // RFC 3262 3: the INVITE is refused.
            Impatience::GiveUp => {
                let tag = ringing.dialog.id.local_tag.clone();
                let answer = self.response(&ringing.invite, 504, &tag).finish();
                self.answer(ringing.transaction, 504, answer, now);
                Some(Ending::Lost)
            }
        }
    }
}

/// Theirs.
impl Endpoint {
    /// Sends the PRACK of the peer's answer with that RSeq, perhaps with the answer to its offer.
    pub(super) fn acknowledge_provisional(
        &mut self,
        early: &mut Early,
        (rseq, invite): (u32, u32),
        body: &Bytes,
        now: Instant,
    ) {
        let (prack, key) = self.request_inside(&mut early.dialog, &Method::Prack);
        let prack = prack.header("RAck", &format!("{rseq} {invite} INVITE"));
        let prack = self.with_sdp(prack, body, early.dialog.flow);
        self.open_inside(&early.dialog, (key, prack), Use::Told, now);
    }
}
