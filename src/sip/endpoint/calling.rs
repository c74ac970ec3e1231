//! Our INVITE: from the order to its final answer (RFC 3261 13.2, 9.1).

use std::time::Instant;

use bytes::Bytes;

use super::replacing::targets;
use super::writing::{cancellation, is_secure};
use super::{Endpoint, Invitation, Use};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Calling, Early, Owed, Phase, Session, Up};
use crate::sip::dialog::offers::{First, Offers};
use crate::sip::dialog::reliable::{Received, rseq};
use crate::sip::dialog::state::{Dialog, DialogId};
use crate::sip::event::{Ending, Event, Outgoing, Party, SessionId};
use crate::sip::message::Message;
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
        let calling = Calling {
            transaction,
            offer: outgoing.body,
            early: Vec::new(),
            asked: self.settings.session_timers.asked(),
            too_brief: 0,
            cancel: None,
            until,
        };
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
                if (300..=302).contains(&answer.status()) && session.is_calling(id) {
                    let targets = targets(answer);
                    self.report(Event::Redirected { session: session.id, targets });
                }
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
        let is_heard = self.heard_early(calling, answer, now);
        if is_heard && status != DIALOG_OVER {
            let (body, from) = (answer.body(), answer.flow.remote.ip());
            self.report(Event::Progressed { session: session.id, status, body, from });
        }
    }

    /// Notes the early dialog of a provisional answer, and acknowledges one that wants it; false
    /// when it is a repetition or out of order (RFC 3262 4).
    fn heard_early(&mut self, calling: &mut Calling, answer: &Arrival, now: Instant) -> bool {
        let rseq = rseq(&answer.message);
        let has_no_offer = calling.offer.is_empty();
        let Some(early) = self.early_dialog(calling, answer) else { return rseq.is_none() };
        let Some(rseq) = rseq else { return true };
        if !early.received.take(rseq) {
            return false;
        }
        let body = answer.body();
        let is_offer = has_no_offer && !body.is_empty();
        if !body.is_empty() {
            early.offers.heard = body;
        }
        if is_offer && early.offers.first == First::Open {
            early.unanswered = Some(rseq);
            return true;
        }
        if !early.offers.heard.is_empty() {
            early.offers.first = First::Settled;
        }
        let named = (rseq, answer.sequence);
        self.acknowledge_provisional(early, named, &Bytes::new(), now);
        if answer.status() == DIALOG_OVER {
            let over = early.dialog.id.clone();
            calling.early.retain(|early| early.dialog.id != over);
        }
        true
    }

    /// The early dialog of a provisional answer, as far as there is room for another branch.
    fn early_dialog<'a>(
        &self,
        calling: &'a mut Calling,
        answer: &Arrival,
    ) -> Option<&'a mut Early> {
        let flow = self.layer.flow(calling.transaction)?;
        let id = answer.dialog_id_as_client();
        let known = calling.early.iter().position(|early| early.dialog.id == id);
        if let Some(known) = known {
            let early = calling.early.get_mut(known)?;
            early.offers.update = early.offers.update.after(&answer.message);
            answer.refresh(&mut early.dialog);
            return Some(early);
        }
        if answer.to_tag.is_empty() || calling.early.len() >= MAX_FORKS {
            return None;
        }
        let offers = Offers::new(&answer.message, First::Open, calling.offer.clone());
        let dialog = answer.dialog_as_client(flow);
        calling.early.push(Early {
            dialog,
            offers,
            received: Received::default(),
            unanswered: None,
        });
        calling.early.last_mut()
    }

    /// Answers the offer of a provisional answer or of the 200: by PRACK or ACK.
    pub(super) fn answer_offer(
        &mut self,
        session: &mut Session,
        body: Bytes,
        now: Instant,
    ) -> Option<Ending> {
        match &mut session.phase {
            Phase::Calling(calling) => {
                let sequence = self.layer.message(calling.transaction);
                let sequence = sequence.and_then(|invite| sequence_of(&invite.bytes));
                let waits = |early: &&mut Early| early.unanswered.is_some();
                let early = calling.early.iter_mut().find(waits);
                let (Some(sequence), Some(early)) = (sequence, early) else {
                    self.drop_input();
                    return None;
                };
                let rseq = early.unanswered.take()?;
                early.offers.first = First::Settled;
                early.offers.said.clone_from(&body);
                self.acknowledge_provisional(early, (rseq, sequence), &body, now);
            }
            Phase::Up(up) => {
                let Some(owed) = up.owed.take() else {
                    self.drop_input();
                    return None;
                };
                up.offers.said.clone_from(&body);
                let ack = self.acknowledgement(&up.dialog, owed.sequence, &body);
                self.acknowledge_accepted(owed.transaction, &up.dialog, (ack, now));
            }
            Phase::Ringing(_) | Phase::Leaving(_) => self.drop_input(),
        }
        None
    }

    /// Sends the ACK of a 200, and remembers it for repetitions of that.
    fn acknowledge_accepted(
        &mut self,
        id: TransactionId,
        dialog: &Dialog,
        (ack, now): (Datagram, Instant),
    ) {
        let ack = self.credited(id, ack);
        if let Some(Use::Invite(invitation)) = self.layer.user(id) {
            invitation.acks.push((dialog.id.remote_tag.clone(), ack.clone()));
        }
        self.send_ack(dialog, ack, now);
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
        match self.sessions.take(session) {
            Some(session) if session.is_calling(id) => self.connect(session, dialog, answer, now),
            other => {
                let owes = other.as_ref().is_some_and(|session| owes(session, &dialog.id));
                if let Some(other) = other {
                    self.sessions.put(other);
                }
                if owes {
                    return;
                }
                let ack = self.acknowledgement(&dialog, answer.sequence, &Bytes::new());
                self.acknowledge_accepted(id, &dialog, (ack, now));
                self.say_bye(dialog, None, None, now);
            }
        }
    }

    fn connect(
        &mut self,
        mut session: Session,
        mut dialog: Dialog,
        answer: &Arrival,
        now: Instant,
    ) {
        let Phase::Calling(calling) = &mut session.phase else { return self.sessions.put(session) };
        let transaction = calling.transaction;
        let is_early = |early: &Early| early.dialog.id == dialog.id;
        let early = calling.early.iter().position(is_early).map(|at| calling.early.swap_remove(at));
        let (mut offers, before) = match early {
            Some(early) => (early.offers, Some(early.dialog)),
            None => {
                let said = calling.offer.clone();
                (Offers::new(&answer.message, First::Open, said), None)
            }
        };
        if let Some(before) = before {
            dialog.local_sequence = dialog.local_sequence.max(before.local_sequence);
            dialog.remote_sequence = before.remote_sequence;
        }
        let body = answer.body();
        let is_offer = calling.offer.is_empty() && offers.first == First::Open && !body.is_empty();
        offers.first = First::Settled;
        offers.update = offers.update.after(&answer.message);
        if !body.is_empty() {
            offers.heard = body;
        }
        let (cancel, asked) = (calling.cancel.take(), calling.asked);
        let mut up = Up::accepted(dialog, offers);
        up.time(self.settings.session_timers.accept(&answer.message, asked), now);
        if is_offer && cancel.is_none() {
            let until = now + self.settings.timers.patience();
            up.owed = Some(Owed { transaction, sequence: answer.sequence, until });
        } else {
            let ack = self.acknowledgement(&up.dialog, answer.sequence, &Bytes::new());
            self.acknowledge_accepted(transaction, &up.dialog, (ack, now));
        }
        session.phase = Phase::Up(Box::new(up));
        match cancel {
            // The answer crossed our CANCEL: nobody wants it any more.
            Some(cancel) => self.leave(&mut session, cancel.reason, now),
            None => {
                let (body, headers) = (answer.body(), answer.headers());
                let from = answer.flow.remote.ip();
                self.report(Event::Answered { session: session.id, body, headers, from });
            }
        }
        self.settle(session, None, now);
    }

    /// The owner had no answer to the offer of the 200: its ACK goes without, and the call ends.
    pub(super) fn owed_due(&mut self, up: &mut Up, now: Instant) -> Option<Ending> {
        let owed = up.owed.take_if(|owed| owed.until <= now)?;
        self.acknowledge_owed(up, owed, now);
        self.say_bye(up.dialog.clone(), None, None, now);
        Some(Ending::Lost)
    }

    /// Acknowledges an answer whose offer nobody answered.
    pub(super) fn acknowledge_owed(&mut self, up: &Up, owed: Owed, now: Instant) {
        let ack = self.acknowledgement(&up.dialog, owed.sequence, &Bytes::new());
        self.acknowledge_accepted(owed.transaction, &up.dialog, (ack, now));
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
    pub(super) fn calling_due(&mut self, session: &mut Session, now: Instant) -> Option<Ending> {
        if let Some(ending) = self.own_due(session, now) {
            return Some(ending);
        }
        let Phase::Calling(calling) = &mut session.phase else { return None };
        if calling.until > now {
            return None;
        }
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

/// Whether a session still owes the ACK of the answer that established it in that dialog.
fn owes(session: &Session, dialog: &DialogId) -> bool {
    matches!(&session.phase, Phase::Up(up) if up.owed.is_some() && up.dialog.id == *dialog)
}

fn sequence_of(invite: &Bytes) -> Option<u32> {
    let invite = Message::parse_datagram(invite).ok()?;
    Some(invite.cseq().ok()?.number)
}

/// A branch of a fork is over while others go on (RFC 6228).
const DIALOG_OVER: u16 = 199;

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
