//! REFER within a session, both ways (RFC 3515, RFC 4488). One at a time each way.

use std::time::Instant;

use super::writing::is_callable;
use super::{Endpoint, Use};
use crate::sip::address::NameAddr;
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Phase, Session, Up};
use crate::sip::dialog::refer::{PATIENCE, Referral, Subscription, expires, sipfrag_status};
use crate::sip::dialog::replaces::{Replaces, named, split, uri};
use crate::sip::dialog::state::Dialog;
use crate::sip::event::{Ending, Event, Refusal, SessionId};
use crate::sip::header::Name;
use crate::sip::method::Method;
use crate::sip::status::phrase;

impl Endpoint {
    /// Asks the peer to call somebody else.
    pub(super) fn refer(
        &mut self,
        session: &mut Session,
        target: &str,
        now: Instant,
    ) -> Option<Ending> {
        let id = session.id;
        let refused = match &session.phase {
            Phase::Up(up) if up.refers.is_some() => Some(491),
            Phase::Up(up) if up.is_confirmed => (!is_callable(target)).then_some(400),
            Phase::Up(_) | Phase::Calling(_) | Phase::Ringing(_) | Phase::Leaving(_) => Some(481),
        };
        if let Some(status) = refused {
            self.report_referred(id, status);
            return None;
        }
        let Phase::Up(up) = &mut session.phase else { return None };
        up.refers = Some(Subscription { until: now + PATIENCE });
        let (refer, key) = self.request_inside(&mut up.dialog, &Method::Refer);
        let refer = refer
            .header("Contact", &self.contact_for(&up.dialog.target, up.dialog.flow))
            .header("Refer-To", &format!("<{target}>"))
            .header("Referred-By", &format!("<{}>", own_address(&up.dialog)));
        self.open_inside(&up.dialog, (key, refer.finish()), Use::Refer(id), now);
        None
    }

    /// Our REFER has been answered.
    pub(super) fn refer_answered(&mut self, session: SessionId, status: u16, now: Instant) {
        let Some(mut session) = self.sessions.take(session) else { return };
        if let Phase::Up(up) = &mut session.phase
            && up.refers.is_some()
        {
            match status {
                0..=199 => {}
                200..=299 => self.report_referred(session.id, 100),
                300.. => {
                    up.refers = None;
                    self.report_referred(session.id, status);
                }
            }
        }
        self.settle(session, None, now);
    }

    /// Takes a NOTIFY: how the call that we asked for fares.
    pub(super) fn notified(&mut self, session: &mut Session, notify: &Arrival, now: Instant) {
        let Phase::Up(up) = &mut session.phase else { return };
        let event = notify.text(Name::Event).unwrap_or_default();
        if !event.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("refer") {
            return self.object(notify, 489, now);
        }
        if up.refers.is_none() {
            return self.object(notify, 481, now);
        }
        self.object(notify, 200, now);
        let state = notify.text(Name::SubscriptionState).unwrap_or_default();
        let is_last = state.trim_start().to_ascii_lowercase().starts_with("terminated");
        let status = sipfrag_status(&notify.body());
        let is_final = status.is_some_and(|status| status >= 200);
        let until = now + expires(&state).unwrap_or(PATIENCE);
        up.refers = (!is_last && !is_final).then_some(Subscription { until });
        match status {
            Some(status) if is_final || !is_last => self.report_referred(session.id, status),
            // The subscription ended and nobody knows how the call did.
            Some(_) | None if is_last => self.report_referred(session.id, 480),
            Some(_) | None => {}
        }
    }

    /// Takes a REFER: the owner decides.
    pub(super) fn asked_to_refer(&mut self, session: &mut Session, refer: &Arrival, now: Instant) {
        let Phase::Up(up) = &mut session.phase else { return };
        let Some(target) = refer.refer_to() else { return self.object(refer, 400, now) };
        let (target, replaces) = split(&target);
        if replaces.as_deref().is_some_and(|value| Replaces::parse(value).is_none()) {
            return self.object(refer, 400, now);
        }
        if up.referral.is_some() || !up.is_confirmed {
            return self.object(refer, 491, now);
        }
        let transaction = self.layer.serve(refer.key(), refer.flow, Use::Pending(session.id), now);
        let subscribed = refer.text(Name::ReferSub).is_none_or(|value| {
            !value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("false")
        });
        up.referral = Some(Referral {
            pending: Some((transaction, refer.clone())),
            event_id: up.was_referred.then_some(refer.sequence),
            subscribed,
            until: None,
            status: 100,
        });
        up.was_referred = true;
        let referred_by = refer.text(Name::ReferredBy);
        let session = session.id;
        self.report(Event::ReferReceived { session, target, replaces, referred_by });
    }

    /// Asks the peer to take our place in another session of ours.
    pub(super) fn refer_to_session(
        &mut self,
        session: &mut Session,
        other: SessionId,
        now: Instant,
    ) -> Option<Ending> {
        let other = self.sessions.get(other).map(|other| &other.phase);
        let Some(Phase::Up(up)) = other else {
            self.report_referred(session.id, 481);
            return None;
        };
        let target = uri(&up.dialog.target, &named(&up.dialog.id));
        self.refer(session, &target, now)
    }

    /// Lets the patience of REFERs end, ours and theirs.
    pub(super) fn referrals_due(&mut self, session: &mut Session, now: Instant) {
        let id = session.id;
        let Phase::Up(up) = &mut session.phase else { return };
        if up.refers.take_if(|subscription| subscription.until <= now).is_some() {
            self.report_referred(id, 408);
        }
        let is_over = |referral: &mut Referral| referral.until.is_some_and(|until| until <= now);
        let over = up.referral.take_if(is_over);
        if let Some(Referral { status, .. }) = over {
            up.referral = over;
            self.notify(up, (status, "terminated;reason=timeout".to_owned()), now);
            up.referral = None;
        }
    }

    /// Answers the peer's REFER with 202 and, now and whenever the owner says so again, tells it
    /// the status of the referred call. A final status ends the subscription.
    pub(super) fn answer_refer(
        &mut self,
        session: &mut Session,
        outcome: Result<u16, Refusal>,
        now: Instant,
    ) -> Option<Ending> {
        let Phase::Up(up) = &mut session.phase else { return None };
        let Some(referral) = up.referral.as_mut() else {
            self.drop_input();
            return None;
        };
        let subscribed = referral.subscribed;
        let pending = referral.pending.take();
        let status = match outcome {
            Ok(status) => status.clamp(100, 699),
            Err(refusal) => {
                if let Some((transaction, request)) = pending {
                    let refusal = Refusal { status: refusal.status.clamp(300, 699), ..refusal };
                    let answer = self.refusal(&request, &refusal, "");
                    self.answer(transaction, refusal.status, answer, now);
                    up.referral = None;
                    return None;
                }
                refusal.status.clamp(300, 699)
            }
        };
        if let Some((transaction, request)) = pending {
            let accepted = self.response(&request, 202, "");
            let accepted = accepted.header("Contact", &self.contact_towards(&request));
            let accepted =
                if subscribed { accepted } else { accepted.header("Refer-Sub", "false") };
            self.answer(transaction, 202, accepted.finish(), now);
        }
        if subscribed {
            let until = up.referral.as_ref().and_then(|referral| referral.until);
            let until = until.unwrap_or(now + PATIENCE);
            let left = until.saturating_duration_since(now).as_secs().max(1);
            let state = match status {
                0..=199 => format!("active;expires={left}"),
                200.. => "terminated;reason=noresource".to_owned(),
            };
            if let Some(referral) = &mut up.referral {
                (referral.until, referral.status) = (Some(until), status);
            }
            self.notify(up, (status, state), now);
        }
        if status >= 200 || !subscribed {
            up.referral = None;
        }
        None
    }

    fn notify(&mut self, up: &mut Up, (status, state): (u16, String), now: Instant) {
        let id = up.referral.as_ref().and_then(|referral| referral.event_id);
        let event = id.map_or("refer".to_owned(), |id| format!("refer;id={id}"));
        let (notify, key) = self.request_inside(&mut up.dialog, &Method::Notify);
        let fragment = format!("SIP/2.0 {status} {}\r\n", phrase(status));
        let bytes = notify
            .header("Contact", &self.contact_for(&up.dialog.target, up.dialog.flow))
            .header("Event", &event)
            .header("Subscription-State", &state)
            .finish_with("message/sipfrag;version=2.0", fragment.as_bytes());
        self.open_inside(&up.dialog, (key, bytes), Use::Told, now);
    }
}

/// Who we are in a dialog, without a name.
fn own_address(dialog: &Dialog) -> String {
    let address = NameAddr::parse(dialog.local.as_bytes());
    address.map(|address| address.uri().as_str().to_owned()).unwrap_or_default()
}
