//! Re-INVITE and UPDATE of ours (RFC 3261 14.1, RFC 3311 5.1): offers of the owner, and refreshes
//! of the session timer.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Endpoint, Reinvitation, Use};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Phase, Session};
use crate::sip::dialog::offers::{Ask, First, Own, Purpose, Stage, Update, glare_pause};
use crate::sip::dialog::session_timer::{Agreed, least_of};
use crate::sip::event::{Ending, Event, SessionId};
use crate::sip::method::Method;
use crate::sip::transaction::layer::TransactionId;

impl Endpoint {
    /// Offers something else, unless an offer is under way already.
    pub(super) fn reoffer(
        &mut self,
        session: &mut Session,
        body: Bytes,
        now: Instant,
    ) -> Option<Ending> {
        if let Some(status) = hindrance(session) {
            self.report_answer(session.id, Err(status));
            return None;
        }
        self.propose(session, Ask { body, purpose: Purpose::Offer }, now);
        None
    }

    /// Refreshes the session as its timer wants, by UPDATE if the peer takes it (RFC 4028 7.4). A
    /// request that is under way refreshes it, too.
    pub(super) fn refresh_session(&mut self, session: &mut Session, now: Instant) {
        if hindrance(session).is_some() {
            return;
        }
        self.propose(session, Ask { body: Bytes::new(), purpose: Purpose::Refresh }, now);
    }

    fn propose(&mut self, session: &mut Session, ask: Ask, now: Instant) {
        let (id, agreed) = (session.id, agreed_in(session));
        let is_up = matches!(session.phase, Phase::Up(_));
        let Some((dialog, offers)) = session.talk(None) else { return };
        let by_update = match ask.purpose {
            Purpose::Offer => !is_up,
            Purpose::Refresh => offers.update == Update::Allowed || offers.said.is_empty(),
        };
        let method = if by_update { Method::Update } else { Method::Invite };
        let body = match (ask.purpose, &method) {
            (Purpose::Refresh, Method::Update) => Bytes::new(),
            // The same words, with the same version in `o=`: RFC 4028 7.4.
            (Purpose::Refresh, _) => offers.said.clone(),
            (Purpose::Offer, _) => ask.body.clone(),
        };
        let (request, key) = self.request_inside(dialog, &method);
        let mut request = request
            .header("Contact", &self.contact_for(&dialog.target, dialog.flow))
            .header("Allow", &self.allowed())
            .header("Supported", &self.extensions());
        if let Some(agreed) = agreed {
            request = request
                .header("Session-Expires", &agreed.asked())
                .header("Min-SE", &self.settings.session_timers.least.as_secs().to_string());
        }
        let bytes = self.with_sdp(request, &body, dialog.flow);
        let purpose = match method {
            Method::Update => Use::Update(id),
            _ => Use::Reinvite(Reinvitation { session: id, ack: None }),
        };
        let transaction = self.open_inside(dialog, (key, bytes), purpose, now);
        let until = now + self.settings.timers.patience() * 2;
        offers.ours = Some(Own { ask, stage: Stage::Sent { transaction, until } });
    }

    /// Our re-INVITE has been answered.
    pub(super) fn reinvite_answered(&mut self, id: TransactionId, answer: &Arrival, now: Instant) {
        let Some(Use::Reinvite(Reinvitation { session, ack })) = self.layer.user(id) else {
            return;
        };
        let session = *session;
        if let Some(ack) = ack.clone() {
            return self.send(ack);
        }
        self.own_answered((id, session), answer, now);
        if (200..300).contains(&answer.status()) {
            self.acknowledge_reinvite((id, session), answer, now);
        }
    }

    /// Sends the ACK of an accepted re-INVITE, also when its session is gone meanwhile.
    fn acknowledge_reinvite(
        &mut self,
        (id, session): (TransactionId, SessionId),
        answer: &Arrival,
        now: Instant,
    ) {
        let Some(flow) = self.layer.flow(id) else { return };
        let known = self.sessions.get(session).and_then(Session::dialog).cloned();
        let dialog = known.unwrap_or_else(|| answer.dialog_as_client(flow));
        let ack = self.acknowledgement(&dialog, answer.sequence, &Bytes::new());
        let ack = self.credited(id, ack);
        if let Some(Use::Reinvite(reinvitation)) = self.layer.user(id) {
            reinvitation.ack = Some(ack.clone());
        }
        self.send_ack(&dialog, ack, now);
    }

    /// Our re-INVITE or UPDATE has been answered.
    pub(super) fn own_answered(
        &mut self,
        (id, session): (TransactionId, SessionId),
        answer: &Arrival,
        now: Instant,
    ) {
        let status = answer.status();
        if status < 200 {
            return;
        }
        let Some(mut session) = self.sessions.take(session) else { return };
        let own = session.asked_by(id).and_then(|(_, offers)| offers.ours.take());
        let Some(own) = own else { return self.sessions.put(session) };
        let ending = match status {
            200..=299 => {
                self.own_accepted(&mut session, (&own.ask, answer), now);
                None
            }
            491 => {
                let at = now + glare_pause(session.caller(), &mut self.random);
                let talk = session.talk(Some(&answer.dialog_id_as_client()));
                if let Some((_, offers)) = talk {
                    offers.ours = Some(Own { ask: own.ask, stage: Stage::Later { at } });
                }
                None
            }
            422 => {
                self.lengthen_session(&mut session, (own.ask, answer), now);
                None
            }
            // Nobody is there any more: 12.2.1.2, 14.1.
            408 | 481 => self.give_up_session(&mut session, now),
            _ => {
                self.own_refused(&mut session, (own.ask, answer), now);
                None
            }
        };
        self.settle(session, ending, now);
    }

    fn own_accepted(
        &mut self,
        session: &mut Session,
        (ask, answer): (&Ask, &Arrival),
        now: Instant,
    ) {
        let id = session.id;
        let talk = session.talk(Some(&answer.dialog_id_as_client()));
        let Some((dialog, offers)) = talk else { return };
        answer.refresh(dialog);
        offers.update = offers.update.after(&answer.message);
        let body = answer.body();
        let is_news = !body.is_empty() && body != offers.heard;
        if !ask.body.is_empty() {
            offers.said = ask.body.clone();
        }
        if !body.is_empty() {
            offers.heard = body.clone();
        }
        if ask.purpose == Purpose::Offer || is_news {
            self.report_answer(id, Ok(body));
        }
        if let Phase::Up(up) = &mut session.phase {
            let asked = up.timed().map(|agreed| agreed.interval);
            let agreed = self.settings.session_timers.accept(&answer.message, asked);
            up.time(agreed, now);
        }
    }

    fn own_refused(&mut self, session: &mut Session, (ask, answer): (Ask, &Arrival), now: Instant) {
        let status = answer.status();
        match ask.purpose {
            Purpose::Offer => self.report_answer(session.id, Err(status)),
            Purpose::Refresh if answer.method == Method::Update && matches!(status, 405 | 501) => {
                let talk = session.talk(Some(&answer.dialog_id_as_client()));
                if let Some((_, offers)) = talk.filter(|(_, offers)| !offers.said.is_empty()) {
                    offers.update = Update::Unknown;
                    self.propose(session, ask, now);
                }
            }
            // The timer asks again, as long as the session lives.
            Purpose::Refresh => {}
        }
    }

    /// 422: the session may live longer than we thought (RFC 4028 7.4).
    fn lengthen_session(
        &mut self,
        session: &mut Session,
        (ask, answer): (Ask, &Arrival),
        now: Instant,
    ) {
        let least = least_of(&answer.message);
        let Phase::Up(up) = &mut session.phase else { return };
        match up.timed().filter(|agreed| agreed.interval < least && least <= LONGEST) {
            Some(agreed) => {
                up.time(Some(Agreed { interval: least, ..agreed }), now);
                self.propose(session, ask, now);
            }
            None => self.own_refused(session, (ask, answer), now),
        }
    }

    /// Our re-INVITE or UPDATE had no answer.
    pub(super) fn own_lost(&mut self, session: SessionId, now: Instant) {
        let Some(mut session) = self.sessions.take(session) else { return };
        let ending = self.give_up_session(&mut session, now);
        self.settle(session, ending, now);
    }

    /// Lets the timer of our re-INVITE or UPDATE fire.
    pub(super) fn own_due(&mut self, session: &mut Session, now: Instant) -> Option<Ending> {
        let is_busy = match &session.phase {
            Phase::Up(up) => up.answer.is_some(),
            Phase::Calling(_) | Phase::Ringing(_) | Phase::Leaving(_) => false,
        };
        for offers in session.all_offers() {
            let Some(own) = &mut offers.ours else { continue };
            match &mut own.stage {
                Stage::Sent { until, .. } if *until <= now => {
                    return self.give_up_session(session, now);
                }
                Stage::Later { at } if *at <= now => {
                    if is_busy || offers.theirs.is_some() {
                        *at = now + BUSY;
                        continue;
                    }
                    let own = offers.ours.take();
                    if let Some(own) = own {
                        self.propose(session, own.ask, now);
                    }
                    return None;
                }
                Stage::Sent { .. } | Stage::Later { .. } => {}
            }
        }
        None
    }

    /// The peer does not answer within a session: it is hung up and lost.
    pub(super) fn give_up_session(
        &mut self,
        session: &mut Session,
        now: Instant,
    ) -> Option<Ending> {
        match &mut session.phase {
            Phase::Up(up) => {
                let dialog = up.dialog.clone();
                self.say_bye(dialog, None, Some(NO_ANSWER), now);
                Some(Ending::Lost)
            }
            // The call is not up: the INVITE goes its own way.
            Phase::Calling(_) | Phase::Ringing(_) => {
                let mut was_offer = false;
                for offers in session.all_offers() {
                    let own = offers.ours.take();
                    was_offer |= own.is_some_and(|own| own.ask.purpose == Purpose::Offer);
                }
                if was_offer {
                    self.report_answer(session.id, Err(408));
                }
                None
            }
            Phase::Leaving(_) => None,
        }
    }

    /// What the peer offered is agreed: an offer of ours that waits says something outdated.
    pub(super) fn outdate(&mut self, session: &mut Session) {
        let mut outdated = false;
        for offers in session.all_offers() {
            outdated |= offers.ours.take_if(|own| is_outdated(own)).is_some();
        }
        if outdated {
            self.report_answer(session.id, Err(491));
        }
    }

    pub(super) fn report_answer(&mut self, session: SessionId, outcome: Result<Bytes, u16>) {
        self.report(Event::OfferAnswered { session, outcome });
    }
}

fn is_outdated(own: &Own) -> bool {
    own.ask.purpose == Purpose::Offer && matches!(own.stage, Stage::Later { .. })
}

/// Why no request of ours may go out now, if so.
fn hindrance(session: &mut Session) -> Option<u16> {
    let is_waiting = match &session.phase {
        Phase::Up(up) => !up.is_confirmed || up.answer.is_some() || up.owed.is_some(),
        Phase::Calling(_) | Phase::Ringing(_) => false,
        Phase::Leaving(_) => return Some(481),
    };
    let is_up = matches!(session.phase, Phase::Up(_));
    let Some((_, offers)) = session.talk(None) else { return Some(481) };
    if is_waiting || !offers.is_free() || offers.first == First::Open {
        return Some(491);
    }
    (!is_up && offers.update == Update::Unknown).then_some(405)
}

fn agreed_in(session: &Session) -> Option<Agreed> {
    match &session.phase {
        Phase::Up(up) => up.timed(),
        Phase::Calling(_) | Phase::Ringing(_) | Phase::Leaving(_) => None,
    }
}

/// The Reason of our BYE when the peer does not answer (RFC 3326).
const NO_ANSWER: &str = "SIP;cause=408;text=\"no answer\"";

/// How long an offer waits while the peer's is not done with.
const BUSY: Duration = Duration::from_millis(500);

/// No session timer is made longer than a day because somebody says so.
pub(super) const LONGEST: Duration = Duration::from_secs(86_400);
