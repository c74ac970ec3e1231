//! The end of a session: our BYE, what is still pending, and what became of silence.

use std::time::Instant;

use super::{Endpoint, Reinvitation, Use};
use crate::sip::dialog::answer::Impatience;
use crate::sip::dialog::invite::{Leaving, Phase, Session, Up};
use crate::sip::dialog::offers::{Own, Stage};
use crate::sip::dialog::session_timer::Wish;
use crate::sip::dialog::state::Dialog;
use crate::sip::event::{Ending, Event, Party, SessionId};
use crate::sip::method::Method;
use crate::sip::transaction::layer::TransactionId;

impl Endpoint {
    /// Says BYE in a session that is up; its end is reported when BYE is answered.
    pub(super) fn leave(&mut self, session: &mut Session, reason: Option<String>, now: Instant) {
        self.refuse_pending(session, now);
        self.abandon_own(session, now);
        let Phase::Up(up) = &mut session.phase else { return };
        if let Some(owed) = up.owed.take() {
            self.acknowledge_owed(up, owed, now);
        }
        let dialog = up.dialog.clone();
        self.say_bye(dialog.clone(), Some(session.id), reason.as_deref(), now);
        session.phase = Phase::Leaving(Leaving { dialog, reason });
    }

    /// Sends BYE; without a session nobody waits for its answer.
    pub(super) fn say_bye(
        &mut self,
        mut dialog: Dialog,
        session: Option<SessionId>,
        reason: Option<&str>,
        now: Instant,
    ) {
        let (mut bye, key) = self.request_inside(&mut dialog, &Method::Bye);
        if let Some(reason) = reason {
            bye = bye.header("Reason", reason);
        }
        self.open_inside(&dialog, (key, bye.finish()), Use::Bye(session), now);
    }

    /// The dialogs in which somebody is.
    pub fn dialogs(&self) -> Vec<Dialog> {
        self.sessions.standing().cloned().collect()
    }

    /// Says BYE in a dialog of somebody who was here before us and did not come to it. Requests that
    /// nobody wrote down may have been sent meanwhile, so the CSeq leaps (RFC 3261 12.2.1.1).
    pub fn bid_farewell(&mut self, now: Instant, mut dialog: Dialog) {
        dialog.local_sequence = dialog.local_sequence.saturating_add(LEAP);
        self.say_bye(dialog, None, Some(CRASHED), now);
    }

    /// Our BYE has been answered, be it by 200, 408 or 481: the session is over.
    pub(super) fn bye_answered(&mut self, session: Option<SessionId>, status: u16, now: Instant) {
        if status < 200 {
            return;
        }
        self.left(session, now, |reason| Ending::Bye { by: Party::Us, reason });
    }

    /// Our BYE has had no answer.
    pub(super) fn bye_lost(&mut self, session: Option<SessionId>, now: Instant) {
        self.left(session, now, |_| Ending::Lost);
    }

    fn left(
        &mut self,
        session: Option<SessionId>,
        now: Instant,
        ending: impl FnOnce(Option<String>) -> Ending,
    ) {
        let Some(mut session) = session.and_then(|id| self.sessions.take(id)) else { return };
        let ending = match &mut session.phase {
            Phase::Leaving(leaving) => Some(ending(leaving.reason.take())),
            Phase::Calling(_) | Phase::Ringing(_) | Phase::Up(_) => None,
        };
        self.settle(session, ending, now);
    }

    /// Answers with 487 what the owner has not answered in a session that ends (15.1.2).
    pub(super) fn refuse_pending(&mut self, session: &mut Session, now: Instant) {
        let theirs = session.all_offers().into_iter().filter_map(|offers| offers.theirs.take());
        let theirs = theirs.map(|reoffer| (reoffer.transaction, reoffer.request));
        let mut pending: Vec<_> = theirs.collect();
        if let Phase::Up(up) = &mut session.phase {
            pending.extend(up.referral.take().and_then(|referral| referral.pending));
        }
        for (transaction, request) in pending {
            let answer = self.response(&request, 487, "").finish();
            self.answer(transaction, 487, answer, now);
        }
    }

    /// Leaves a re-INVITE of ours in a session that ends to its answer, which is acknowledged if it
    /// comes soon.
    pub(super) fn abandon_own(&mut self, session: &mut Session, now: Instant) {
        let until = now + self.settings.timers.patience();
        for offers in session.all_offers() {
            if let Some(Own { stage: Stage::Sent { transaction, .. }, .. }) = offers.ours.take()
                && self.layer.is_open(transaction)
            {
                self.lingering.arm(transaction, Some(until));
            }
        }
    }

    /// Nobody answered an UPDATE or REFER until the peer gave up: the next one may come.
    pub(super) fn forget_pending(&mut self, session: SessionId) {
        let Some(mut session) = self.sessions.take(session) else { return };
        let is_gone = |id: TransactionId| self.layer.flow(id).is_none();
        for offers in session.all_offers() {
            offers.theirs.take_if(|reoffer| is_gone(reoffer.transaction));
        }
        if let Phase::Up(up) = &mut session.phase {
            up.referral
                .take_if(|referral| referral.pending.as_ref().is_some_and(|(id, _)| is_gone(*id)));
        }
        self.sessions.put(session);
    }

    /// A transaction had no answer.
    pub(super) fn time_out(&mut self, purpose: Use, now: Instant) {
        self.forget_purpose(&purpose);
        match purpose {
            Use::Invite(invitation) => self.invite_lost(invitation.session, now),
            Use::Reinvite(Reinvitation { session, .. }) | Use::Update(session) => {
                self.own_lost(session, now);
            }
            Use::Bye(session) => self.bye_lost(session, now),
            Use::Refer(session) => self.refer_answered(session, 408, now),
            Use::Ask(id, _) => self.report(Event::untold(id, 408)),
            Use::Notify(id) => self.publication_answered(id, 408),
            // A refusal without its ACK, a CANCEL, NOTIFY, PRACK or INFO into the void: nothing is lost.
            Use::Incoming(..) | Use::Pending(_) | Use::Text(_) | Use::Served | Use::Told => {}
        }
    }

    /// Lets the timer of a session fire.
    pub(super) fn session_due(&mut self, mut session: Session, now: Instant) {
        let ending = match &mut session.phase {
            Phase::Calling(_) => self.calling_due(&mut session, now),
            Phase::Ringing(_) => self.ringing_due(&mut session, now),
            Phase::Up(_) => self.up_due(&mut session, now),
            Phase::Leaving(_) => None,
        };
        self.settle(session, ending, now);
    }

    /// Lets the timers of a session fire that is up: each that is due.
    fn up_due(&mut self, session: &mut Session, now: Instant) -> Option<Ending> {
        let Phase::Up(up) = &mut session.phase else { return None };
        if let Some(ending) = self.answer_due(up, now).or_else(|| self.owed_due(up, now)) {
            return Some(ending);
        }
        match up.timer.as_mut().and_then(|timer| timer.tick(now)) {
            Some(Wish::Expired) => {
                self.say_bye(up.dialog.clone(), None, Some(EXPIRED), now);
                return Some(Ending::Lost);
            }
            Some(Wish::Refresh) => self.refresh_session(session, now),
            None => {}
        }
        if let Some(ending) = self.own_due(session, now) {
            return Some(ending);
        }
        self.referrals_due(session, now);
        None
    }

    /// Our 200 goes out again, or the session is lost for want of an ACK (13.3.1.4).
    fn answer_due(&mut self, up: &mut Up, now: Instant) -> Option<Ending> {
        match up.answer.as_mut()?.tick(now)? {
            Impatience::Resend(datagram) => {
                self.send(datagram);
                None
            }
            Impatience::GiveUp => {
                up.answer = None;
                self.say_bye(up.dialog.clone(), None, None, now);
                Some(Ending::Lost)
            }
        }
    }

    /// Tells the owner how the REFER fares.
    pub(super) fn report_referred(&mut self, session: SessionId, status: u16) {
        self.report(Event::Referred { session, status });
    }
}

/// The Reason of our BYE when nobody refreshed the session (RFC 3326).
const EXPIRED: &str = "SIP;cause=408;text=\"session timer expired\"";

/// How many requests may have been sent that nobody knows of.
const LEAP: u32 = 1_000;

/// The Reason of a BYE for somebody else (Q.850: 41, temporary failure).
const CRASHED: &str = "Q.850;cause=41;text=\"server_crash\"";
