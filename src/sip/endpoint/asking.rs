//! Requests of ours outside of any dialog: REGISTER, OPTIONS, MESSAGE (RFC 3261 8.1, 10.2, 11).

use std::time::Instant;

use super::writing::is_callable;
use super::{Endpoint, Use};
use crate::sip::account::Bound;
use crate::sip::address::NameAddr;
use crate::sip::dialog::arrival::Arrival;
use crate::sip::digest::Signed;
use crate::sip::event::{AskId, Asking, Event};
use crate::sip::method::Method;
use crate::sip::print::Builder;
use crate::sip::transaction::key::Key;
use crate::sip::transaction::layer::Datagram;

impl Endpoint {
    /// Sends a request; its final answer, or 408 for none, becomes `Event::Told`.
    pub(super) fn ask(&mut self, asking: Asking, now: Instant) {
        let id = asking.id;
        let is_address = |text: &str| NameAddr::parse(text.as_bytes()).is_some();
        let fits = is_callable(&asking.target)
            && is_address(&asking.from)
            && is_address(&asking.to)
            && !matches!(asking.method, Method::Invite | Method::Ack | Method::Cancel);
        if !fits {
            return self.report(Event::untold(id, 400));
        }
        // A flood of calls must not cost us our registrations: the reserve is theirs too.
        if self.layer.len() >= self.settings.max_transactions.saturating_mul(2) {
            return self.report(Event::untold(id, 503));
        }
        let branch = self.branch();
        let mut request = self.begin_asking(&asking, &branch);
        if let Some(account) = &asking.account {
            let (method, uri) = (asking.method.as_str(), asking.target.as_str());
            let signed = Signed { method, uri, body: &asking.body };
            for (side, value) in self.wallet.foresee(account, &signed, &mut self.random) {
                request = request.header(side.answer_header().as_str(), &value);
            }
        }
        let bytes = match &asking.content_type {
            Some(content_type) => request.finish_with(content_type, &asking.body),
            None => request.finish(),
        };
        let peer = asking.flow.remote.ip();
        let bound = asking.account.clone().map(|account| Bound { account, peer });
        let key = Key::client(&branch, asking.method.as_str());
        let datagram = Datagram { flow: asking.flow, bytes };
        self.open(key, datagram, Use::Ask(id, bound), now);
    }

    /// Our request has been answered.
    pub(super) fn ask_answered(&mut self, id: AskId, answer: &Arrival) {
        let status = answer.status();
        if status >= 200 {
            let (headers, body) = (answer.headers(), answer.body());
            self.report(Event::Told { id, status, headers, body });
        }
    }

    fn begin_asking(&mut self, asking: &Asking, branch: &str) -> Builder {
        let tag = self.random.token(20);
        let (call_id, sequence) = match &asking.series {
            Some(series) => (series.call_id.clone(), series.sequence),
            None => (self.random.token(24), 1),
        };
        let mut request = Builder::request(&asking.method, &asking.target)
            .header("Via", &self.via(asking.flow, branch))
            .header("Max-Forwards", &asking.max_forwards.to_string());
        for route in &asking.routes {
            request = request.header("Route", route);
        }
        request = request
            .header("From", &format!("{};tag={tag}", asking.from))
            .header("To", &asking.to)
            .header("Call-ID", &call_id)
            .header("CSeq", &format!("{sequence} {}", asking.method));
        if let Some(contact) = &asking.contact {
            let address = self.contact_as(&contact.user, asking.flow);
            request = request.header("Contact", &format!("{address}{}", contact.params));
        }
        request.header("User-Agent", &self.settings.user_agent).extra_headers(&asking.headers)
    }
}
