//! What arrives: who may speak, what it belongs to, and what is wrong with it.

use std::time::Instant;

use bytes::Bytes;

use super::{Endpoint, Use};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::event::{Flow, Offence, Standing};
use crate::sip::header::Name;
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::parse::ParseError;
use crate::sip::transaction::layer::{Asked, Heard};

impl Endpoint {
    pub(super) fn receive(&mut self, bytes: Bytes, flow: Flow, standing: Standing, now: Instant) {
        let message = match Message::parse_datagram(&bytes) {
            Ok(message) => message,
            Err(ParseError::KeepAlive) => return,
            Err(ParseError::Dropped(_)) => {
                if standing != Standing::Trusted {
                    self.offend(flow, Offence::Malformed);
                }
                return self.drop_input();
            }
            Err(ParseError::Refused(refused)) => {
                let status = (refused.flaw.status(), refused.flaw.to_string());
                return self.complain(&refused.message, flow, standing, status);
            }
        };
        let arrival = match Arrival::read(message, flow) {
            Ok(arrival) => arrival,
            Err(unfit) => {
                let status = (unfit.fault.status(), unfit.fault.to_string());
                return self.complain(&unfit.message, flow, standing, status);
            }
        };
        if arrival.message.status().is_some() {
            return self.hear(&arrival, now);
        }
        match standing {
            Standing::Trusted => self.asked(arrival, now),
            Standing::Guest | Standing::Stranger | Standing::Refused if self.knows(&arrival) => {
                self.asked(arrival, now);
            }
            _ if self.is_unwelcome(&arrival, standing) => {}
            Standing::Guest => self.welcome(arrival, now),
            Standing::Refused => self.answer_stateless(&arrival, 403, &[]),
            // T3: a stranger's request keeps nothing here.
            Standing::Stranger
                if arrival.method == Method::Options && self.settings.answers_pings =>
            {
                self.answer_options(&arrival);
            }
            Standing::Stranger => self.drop_input(),
        }
    }

    /// Whether a request belongs to a call or transaction that we have with its sender: then it is
    /// welcome whatever admission thinks of new ones. Nobody else knows our tag, or its branch.
    fn knows(&self, request: &Arrival) -> bool {
        let transaction = self.layer.find(&request.key()).and_then(|id| self.layer.flow(id));
        self.session_of(request).is_some()
            || transaction.is_some_and(|flow| flow.is_of_one_peer(&request.flow))
    }

    /// Takes a request of somebody we know.
    pub(super) fn asked(&mut self, request: Arrival, now: Instant) {
        if request.method == Method::Ack {
            return self.acknowledged(&request, now);
        }
        if let Asked::Absorbed(again) = self.layer.ask(&request.key(), request.flow) {
            if let Some(again) = again {
                self.send(again);
            }
            return;
        }
        if request.method == Method::Cancel {
            return self.cancelled(&request, now);
        }
        if request.method == Method::Register {
            return self.register(&request, now);
        }
        if let Some(objection) = self.objection(&request) {
            let (status, headers) = objection;
            return self.answer_stateless(&request, status, &headers);
        }
        if !request.to_tag.is_empty() && request.method != Method::Subscribe {
            return self.inside(&request, now);
        }
        match request.method {
            Method::Invite => self.invited(request, now),
            Method::Options => self.answer_options(&request),
            // T7: nobody is referred anywhere outside of a call.
            Method::Refer => self.answer_stateless(&request, 403, &[]),
            Method::Message => self.texted(request, now),
            Method::Subscribe => self.subscribed(&request, now),
            _ => self.answer_stateless(&request, 481, &[]),
        }
    }

    /// What is wrong with a request, in the order of RFC 3261 8.2; 400 and 416 came before.
    fn objection(&self, request: &Arrival) -> Option<(u16, Vec<(&'static str, String)>)> {
        if !self.settings.methods.contains(&request.method) {
            return Some((405, vec![("Allow", self.allowed())]));
        }
        let message = &request.message;
        if request.method == Method::Options && message.max_forwards() == Ok(Some(0)) {
            return Some((483, Vec::new()));
        }
        let unknown: Vec<&str> =
            message.tokens(Name::Require).filter(|token| !self.supports(token)).collect();
        if !unknown.is_empty() {
            return Some((420, vec![("Unsupported", unknown.join(", "))]));
        }
        let is_coded = |name: &str| !name.is_empty() && !name.eq_ignore_ascii_case("identity");
        if message.tokens(Name::ContentEncoding).any(is_coded) {
            // T23: nothing is ever unpacked.
            return Some((415, vec![("Accept-Encoding", "identity".to_owned())]));
        }
        let sdp = super::writing::SDP;
        let is_read = match message.content_type() {
            Ok(Some(content_type)) => content_type.is(sdp),
            Ok(None) => true,
            Err(_) => false,
        };
        let is_foreign = request.makes_offer() && !request.body().is_empty() && !is_read;
        is_foreign.then(|| (415, vec![("Accept", sdp.to_owned())]))
    }

    /// Takes a response.
    fn hear(&mut self, response: &Arrival, now: Instant) {
        // An answer with two Vias was meant for somebody behind us: 8.1.3.3.
        if response.message.values(Name::Via).nth(1).is_some() {
            return self.drop_input();
        }
        let status = response.status();
        let challenged = self.challenged(response);
        let id = match self.layer.hear(&response.client_key(), response.flow, status, now) {
            Heard::Stray => return self.drop_input(),
            Heard::Absorbed(again) => {
                if let Some(again) = again {
                    self.send(again);
                }
                return;
            }
            Heard::Acknowledge(id) => {
                let invite = self.layer.message(id).map(|invite| invite.bytes);
                let ack = invite
                    .and_then(|invite| super::writing::refusal_ack(&invite, &response.message));
                if let Some(ack) = ack.and_then(|ack| self.layer.acknowledged(id, ack)) {
                    self.send(ack);
                }
                id
            }
            Heard::Deliver(id) => id,
        };
        if status < 200 {
            self.disown(id, now);
        }
        if challenged.is_some_and(|challenged| self.prove(id, &challenged, response, now)) {
            return;
        }
        match self.layer.user(id) {
            Some(Use::Invite(_)) => self.invite_answered(id, response, now),
            Some(Use::Reinvite(_)) => self.reinvite_answered(id, response, now),
            Some(&mut Use::Update(session)) => self.own_answered((id, session), response, now),
            Some(&mut Use::Bye(session)) => self.bye_answered(session, status, now),
            Some(&mut Use::Refer(session)) => self.refer_answered(session, status, now),
            Some(&mut Use::Ask(id, _)) => self.ask_answered(id, response),
            Some(&mut Use::Notify(id)) => self.publication_answered(id, status),
            Some(Use::Told | Use::Incoming(..) | Use::Pending(_) | Use::Text(_) | Use::Served)
            | None => {}
        }
    }
}
