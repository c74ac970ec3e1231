//! The orders of the call's owner, each to its session.

use std::time::Instant;

use super::{Endpoint, Service};
use crate::sip::account::Bound;
use crate::sip::dialog::invite::{Calling, Cancel, HangUp, Phase, Session};
use crate::sip::event::{Command, Ending, Party, Refusal, SessionId};
use crate::sip::status::phrase;

impl Endpoint {
    pub(super) fn obey(&mut self, command: Command, now: Instant) {
        match command {
            Command::Invite(outgoing) => self.call(*outgoing, now),
            Command::Drain => self.service = Service::Draining,
            Command::Redirect { session, targets } => {
                self.with(session, now, |it, session| it.redirect(session, &targets, now));
            }
            Command::Reoffer { session, body } => {
                self.with(session, now, |it, session| it.reoffer(session, body, now));
            }
            Command::AnswerOffer { session, body } => {
                self.with(session, now, |it, session| it.answer_offer(session, body, now));
            }
            Command::Tell { session, note } => {
                self.with(session, now, |it, session| it.tell(session, &note, now));
            }
            Command::ReferToSession { session, other } => {
                self.with(session, now, |it, session| it.refer_to_session(session, other, now));
            }
            Command::Ask(asking) => self.ask(*asking, now),
            Command::Credentials { session, account, peer } => {
                self.wallet.bind(session, Bound { account, peer });
            }
            Command::Forsake { session } => {
                self.with(session, now, Self::forsake);
            }
            Command::Progress { session, status, body } => {
                self.with(session, now, |it, session| it.progress(session, status, body, now));
            }
            Command::Answer { session, body, headers } => {
                self.with(session, now, |it, session| it.accept(session, body, &headers, now));
            }
            Command::Refuse { session, refusal } => {
                self.with(session, now, |it, session| it.refuse(session, &refusal, now));
            }
            Command::HangUp { session, reason } => {
                self.with(session, now, |it, session| it.hang_up(session, reason, now));
            }
            Command::AnswerReoffer { session, answer } => {
                self.with(session, now, |it, session| it.answer_reoffer(session, answer, now));
            }
            Command::Refer { session, target } => {
                self.with(session, now, |it, session| it.refer(session, &target, now));
            }
            Command::AnswerRefer { session, outcome } => {
                self.with(session, now, |it, session| it.answer_refer(session, outcome, now));
            }
            Command::Publish { id, body } => self.publish(id, &body, now),
            Command::AnswerText { session, status, headers } => {
                self.answer_text(session, (status, &headers), now);
            }
        }
    }

    /// Works on a session and settles it. An order for a session that has ended is ignored.
    fn with(
        &mut self,
        id: SessionId,
        now: Instant,
        work: impl FnOnce(&mut Self, &mut Session) -> Option<Ending>,
    ) {
        let Some(mut session) = self.sessions.take(id) else { return self.drop_input() };
        let ending = work(self, &mut session);
        self.settle(session, ending, now);
    }

    fn hang_up(
        &mut self,
        session: &mut Session,
        reason: Option<String>,
        now: Instant,
    ) -> Option<Ending> {
        match &mut session.phase {
            Phase::Calling(calling) => {
                self.give_up(calling, reason, now);
                None
            }
            Phase::Ringing(ringing) => {
                let (transaction, invite) = (ringing.transaction, ringing.invite.clone());
                let tag = ringing.dialog.id.local_tag.clone();
                let mut answer = self.response(&invite, 480, &tag);
                if let Some(reason) = &reason {
                    answer = answer.header("Reason", reason);
                }
                self.answer(transaction, 480, answer.finish(), now);
                Some(Ending::Refused { by: Party::Us, status: 480, reason })
            }
            // The callee must not say BYE before it has the ACK: RFC 3261 15.
            Phase::Up(up) if !up.is_confirmed => {
                up.hang_up.get_or_insert(HangUp { reason });
                None
            }
            Phase::Up(_) => {
                self.leave(session, reason, now);
                None
            }
            Phase::Leaving(_) => None,
        }
    }

    /// Cancels our INVITE, at once when it has a provisional answer, else when one comes.
    pub(super) fn give_up(&mut self, calling: &mut Calling, reason: Option<String>, now: Instant) {
        if calling.cancel.is_none() {
            calling.cancel = Some(Cancel { reason, sent: false });
        }
        if self.layer.is_proceeding(calling.transaction) {
            self.cancel(calling, now);
        }
    }

    fn refuse(&mut self, session: &mut Session, refusal: &Refusal, now: Instant) -> Option<Ending> {
        let Phase::Ringing(ringing) = &session.phase else { return None };
        let (transaction, invite) = (ringing.transaction, ringing.invite.clone());
        let tag = ringing.dialog.id.local_tag.clone();
        let refusal = Refusal { status: refusal.status.clamp(300, 699), ..refusal.clone() };
        let answer = self.refusal(&invite, &refusal, &tag);
        let Refusal { status, warning, .. } = refusal;
        self.answer(transaction, status, answer, now);
        let reason = warning.map(|warning| warning.text);
        let reason = reason.or_else(|| Some(phrase(status).to_owned()));
        Some(Ending::Refused { by: Party::Us, status, reason })
    }
}
