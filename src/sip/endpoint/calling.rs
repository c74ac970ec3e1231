//! Our INVITE: from the order to its final answer (RFC 3261 13.2, 9.1).

use std::time::Instant;

use super::writing::{cancellation, is_secure};
use super::{Endpoint, Invitation, Use};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Calling, Phase, Session, Up};
use crate::sip::dialog::state::Dialog;
use crate::sip::event::{Ending, Event, Outgoing, Party, SessionId};
use crate::sip::transaction::key::Key;
use crate::sip::transaction::layer::{Datagram, TransactionId};

/// How many branches of a fork are followed; a peer that answers with more is left to its timers.
const MAX_FORKS: usize = 8;

impl Endpoint {
    pub(super) fn call(&mut self, outgoing: Outgoing, now: Instant) {
        let id = outgoing.session;
        if self.sessions.get(id).is_some() {
            return self.drop_input();
        }
        let refused = |status: u16, reason: &str| Event::Ended {
            session: id,
            ending: Ending::Refused { by: Party::Us, status, reason: Some(reason.to_owned()) },
        };
        if self.is_full() {
            return self.report(refused(503, "too many calls"));
        }
        if is_secure(&outgoing.target) && !outgoing.flow.transport.is_secure() {
            return self.report(refused(400, "a sips address is called by TLS only"));
        }
        let branch = self.branch();
        let Some(bytes) = self.invite(&outgoing, &branch) else {
            return self.report(refused(400, "target or From is not an address"));
        };
        let datagram = Datagram { flow: outgoing.flow, bytes };
        let key = Key::client(&branch, "INVITE");
        let purpose = Use::Invite(Invitation { session: id, acks: Vec::new() });
        let transaction = self.open(key, datagram, purpose, now);
        let until = now + self.settings.ring_limit;
        let calling = Calling { transaction, early: Vec::new(), cancel: None, until };
        self.sessions.put(Session { id, phase: Phase::Calling(calling), half_open: None });
    }

    /// Takes an answer to our INVITE.
    pub(super) fn invite_answered(&mut self, id: TransactionId, answer: &Arrival, now: Instant) {
        let Some(Use::Invite(invitation)) = self.layer.user(id) else { return };
        let session = invitation.session;
        match answer.status() {
            0..=199 => {
                let Some(mut session) = self.sessions.take(session) else { return };
                self.progressed(&mut session, answer, now);
                self.settle(session, None, now);
            }
            200..=299 => self.accepted(id, answer, now),
            300.. => {
                let Some(session) = self.sessions.take(session) else { return };
                let ending = match &session.phase {
                    Phase::Calling(calling) => Some(refused(calling, answer)),
                    Phase::Ringing(_) | Phase::Up(_) | Phase::Leaving(_) => None,
                };
                self.settle(session, ending, now);
            }
        }
    }

    fn progressed(&mut self, session: &mut Session, answer: &Arrival, now: Instant) {
        let Phase::Calling(calling) = &mut session.phase else { return };
        if calling.cancel.is_some() {
            return self.cancel(calling, now);
        }
        let status = answer.status();
        if status == 100 {
            return;
        }
        let dialog = answer.dialog_id_as_client();
        let fresh = !answer.to_tag.is_empty() && !calling.early.contains(&dialog);
        if fresh && calling.early.len() < MAX_FORKS {
            calling.early.push(dialog);
        }
        let body = answer.body();
        self.report(Event::Progressed { session: session.id, status, body });
    }

    /// Takes a 2xx: the first wins, those of other branches of a fork are hung up (13.2.2.4).
    fn accepted(&mut self, id: TransactionId, answer: &Arrival, now: Instant) {
        let Some(Use::Invite(invitation)) = self.layer.user(id) else { return };
        let known = invitation.acks.iter().find(|(tag, _)| *tag == answer.to_tag);
        if let Some((_, ack)) = known {
            let ack = ack.clone();
            return self.send(ack);
        }
        if invitation.acks.len() >= MAX_FORKS {
            return self.drop_input();
        }
        let session = invitation.session;
        let Some(flow) = self.layer.flow(id) else { return };
        let dialog = answer.dialog_as_client(flow);
        let ack = self.acknowledgement(&dialog);
        let ack = self.credited(id, ack);
        if let Some(Use::Invite(invitation)) = self.layer.user(id) {
            invitation.acks.push((answer.to_tag.clone(), ack.clone()));
        }
        self.send(ack);
        match self.sessions.take(session) {
            Some(session) if session.is_calling(id) => self.connect(session, dialog, answer, now),
            other => {
                if let Some(other) = other {
                    self.sessions.put(other);
                }
                self.say_bye(dialog, None, None, now);
            }
        }
    }

    fn connect(&mut self, mut session: Session, dialog: Dialog, answer: &Arrival, now: Instant) {
        let Phase::Calling(calling) = &mut session.phase else { return self.sessions.put(session) };
        let cancel = calling.cancel.take();
        session.phase = Phase::Up(Box::new(Up::new(dialog, Party::Peer)));
        match cancel {
            // The answer crossed our CANCEL: nobody wants it any more.
            Some(cancel) => self.leave(&mut session, cancel.reason, now),
            None => {
                let (body, headers) = (answer.body(), answer.headers());
                self.report(Event::Answered { session: session.id, body, headers });
            }
        }
        self.settle(session, None, now);
    }

    /// Sends CANCEL, once; after it the final answer is awaited for 64·T1 (9.1).
    pub(super) fn cancel(&mut self, calling: &mut Calling, now: Instant) {
        let Some(cancel) = calling.cancel.as_mut().filter(|cancel| !cancel.sent) else { return };
        cancel.sent = true;
        calling.until = now + self.settings.timers.patience();
        let Some(invite) = self.layer.message(calling.transaction) else { return };
        let Some((bytes, key)) = cancellation(&invite.bytes, cancel.reason.as_deref()) else {
            return;
        };
        let datagram = Datagram { flow: invite.flow, bytes };
        self.layer.request(key, &datagram, Use::Told, now);
        self.send(datagram);
    }

    /// Nobody answered our INVITE in time: it is cancelled, or given up when it was already.
    pub(super) fn calling_due(&mut self, calling: &mut Calling, now: Instant) -> Option<Ending> {
        if let Some(cancel) = calling.cancel.take_if(|cancel| cancel.sent) {
            self.layer.forget(calling.transaction);
            return Some(Ending::Cancelled { by: Party::Us, reason: cancel.reason });
        }
        calling.until = now + self.settings.timers.patience() * 2;
        self.give_up(calling, None, now);
        None
    }

    /// Our INVITE had no answer at all.
    pub(super) fn invite_lost(&mut self, session: SessionId, now: Instant) {
        let Some(session) = self.sessions.take(session) else { return };
        self.settle(session, Some(Ending::Lost), now);
    }
}

fn refused(calling: &Calling, answer: &Arrival) -> Ending {
    let status = answer.status();
    match &calling.cancel {
        Some(cancel) if status == 487 => {
            Ending::Cancelled { by: Party::Us, reason: cancel.reason.clone() }
        }
        Some(_) | None => {
            Ending::Refused { by: Party::Peer, status, reason: Some(answer.explanation()) }
        }
    }
}
