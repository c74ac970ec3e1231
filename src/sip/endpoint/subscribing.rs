//! SUBSCRIBE of phones (RFC 6665): what waits for them (RFC 3842) is told at once, whenever it
//! changes, and until they want to know no more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Endpoint, Use};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::subscription::Subscription;
use crate::sip::event::{Notice, Output};
use crate::sip::flow::Connection;
use crate::sip::header::Name;
use crate::sip::method::Method;
use crate::sip::notice::SubscriptionId;
use crate::sip::params::Params;

impl Endpoint {
    /// Takes a SUBSCRIBE of a phone that has proved who it is.
    pub(super) fn subscribed(&mut self, request: &Arrival, now: Instant) {
        let Some(phone) = request.phone.as_ref().map(|phone| phone.name.clone()) else {
            return self.refuse_event(request);
        };
        let Some(event) = event(request) else { return self.refuse_event(request) };
        let asked = match request.message.expires() {
            Ok(seconds) => Duration::from_secs(seconds.unwrap_or(AN_HOUR).into()),
            Err(_) => return self.answer_stateless(request, 400, &[]),
        };
        if !asked.is_zero() && asked < LEAST {
            let least = LEAST.as_secs().to_string();
            return self.answer_stateless(request, 423, &[("Min-Expires", least)]);
        }
        let granted = asked.min(MOST);
        if !request.to_tag.is_empty() {
            return self.resubscribed(request, (&phone, granted), now);
        }
        if self.layer.len() >= self.settings.max_transactions {
            return self.answer_full(request);
        }
        let tag = self.random.token(20);
        let dialog = request.dialog_as_server(&tag);
        self.grant(request, (granted, &tag), now);
        let flow = request.flow;
        let subscription =
            Subscription { phone: phone.clone(), dialog, event, until: now + granted };
        let (id, oldest) = self.subscriptions.begin(subscription);
        if let Some(id) = oldest {
            self.notices([Notice::Unsubscribed { id }]);
        }
        // One that is over at once is a question: it is answered once (4.4.3).
        self.notices([Notice::Subscribed { id, phone, flow }]);
    }

    /// Asked for again, or not wanted any more.
    fn resubscribed(
        &mut self,
        request: &Arrival,
        (phone, granted): (&Arc<str>, Duration),
        now: Instant,
    ) {
        let found = self.subscriptions.of(&request.dialog_id_as_server());
        let own = found.and_then(|id| Some((id, self.subscriptions.get_mut(id)?)));
        let Some((id, own)) = own.filter(|(_, own)| own.phone == *phone) else {
            return self.answer_stateless(request, 481, &[]);
        };
        if own.dialog.count(request.sequence).is_err() {
            return self.answer_stateless(request, 500, &[]);
        }
        request.refresh(&mut own.dialog);
        own.dialog.flow = request.flow;
        self.grant(request, (granted, ""), now);
        self.subscriptions.renew(id, now + granted);
        self.notices([Notice::Subscribed { id, phone: phone.clone(), flow: request.flow }]);
    }

    fn grant(&mut self, request: &Arrival, (granted, tag): (Duration, &str), now: Instant) {
        let transaction = self.layer.serve(request.key(), request.flow, Use::Served, now);
        let answer = self
            .response(request, 200, tag)
            .header("Contact", &self.contact_towards(request))
            .header("Expires", &granted.as_secs().to_string());
        self.answer(transaction, 200, answer.finish(), now);
    }

    /// Tells a subscriber how things stand.
    pub(super) fn publish(&mut self, id: SubscriptionId, body: &Bytes, now: Instant) {
        let Some(mut own) = self.subscriptions.end(id) else { return self.drop_input() };
        let left = own.until.saturating_duration_since(now);
        let left = left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0));
        let state = match left {
            0 => "terminated;reason=timeout".to_owned(),
            left => format!("active;expires={left}"),
        };
        self.send_notice(id, &mut own, (&state, body), now);
        if left == 0 {
            return self.notices([Notice::Unsubscribed { id }]);
        }
        self.subscriptions.put(id, own);
    }

    fn send_notice(
        &mut self,
        id: SubscriptionId,
        own: &mut Subscription,
        (state, body): (&str, &Bytes),
        now: Instant,
    ) {
        let (request, key) = self.request_inside(&mut own.dialog, &Method::Notify);
        let notify = request
            .header("Contact", &self.contact(own.dialog.flow))
            .header("Event", &own.event)
            .header("Subscription-State", state);
        let bytes = match body.is_empty() {
            true => notify.finish(),
            false => notify.finish_with(SUMMARY, body),
        };
        self.open_inside(&own.dialog, (key, bytes), Use::Notify(id), now);
    }

    /// Whoever does not take what it is told, has forgotten that it asked (4.2.2).
    pub(super) fn publication_answered(&mut self, id: SubscriptionId, status: u16) {
        if status >= 300 && self.subscriptions.end(id).is_some() {
            self.notices([Notice::Unsubscribed { id }]);
        }
    }

    /// Ends those whose time is over, and says so.
    pub(super) fn end_subscriptions(&mut self, now: Instant) {
        while let Some(id) = self.subscriptions.take_due(now) {
            let Some(mut own) = self.subscriptions.end(id) else { continue };
            self.send_notice(id, &mut own, ("terminated;reason=timeout", &Bytes::new()), now);
            self.notices([Notice::Unsubscribed { id }]);
        }
    }

    /// A connection is gone, and nobody can be told anything through it.
    pub(super) fn lose_subscribers_by(&mut self, lost: &Connection) {
        for id in self.subscriptions.through(lost) {
            self.publication_answered(id, 408);
        }
    }

    /// Refuses what we know nothing of (4.2.1.1).
    fn refuse_event(&mut self, request: &Arrival) {
        self.answer_stateless(request, 489, &[("Allow-Events", PACKAGE.to_owned())]);
    }

    fn notices<const N: usize>(&mut self, notices: [Notice; N]) {
        self.outputs.extend(notices.map(Output::Notice));
    }
}

/// The Event header as a NOTIFY repeats it, when it names what can be subscribed to.
fn event(request: &Arrival) -> Option<String> {
    let text = request.text(Name::Event)?;
    let (package, params) = text.split_once(';').unwrap_or((&text, ""));
    if !package.trim().eq_ignore_ascii_case(PACKAGE) {
        return None;
    }
    let params = format!(";{params}");
    let id = Params::parse(params.as_bytes()).and_then(|params| {
        let id = params.value("id")?;
        let fits = id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fits.then(|| id.to_owned())
    });
    Some(id.map_or_else(|| PACKAGE.to_owned(), |id| format!("{PACKAGE};id={id}")))
}

/// What can be subscribed to, and how it is told (RFC 3842).
const PACKAGE: &str = "message-summary";
const SUMMARY: &str = "application/simple-message-summary";

/// For how long, when a phone does not say, in seconds (RFC 3842 3.4).
const AN_HOUR: u32 = 3_600;
const LEAST: Duration = Duration::from_secs(60);
const MOST: Duration = Duration::from_secs(86_400);
const LONGEST_ID: usize = 64;
