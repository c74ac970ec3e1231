//! Guests: requests of those who are no trunk. They prove to be a phone, or nothing is kept of
//! them (T2, T3).

use std::time::Instant;

use super::{Endpoint, Use};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::digest::Side;
use crate::sip::event::{Connection, Flow, Notice, Offence, Output, Standing};
use crate::sip::header::Name;
use crate::sip::method::Method;
use crate::sip::registrar::{Proof, Registrar};

impl Endpoint {
    /// Lets phones register, and prove themselves when they call.
    #[must_use]
    pub fn with_registrar(mut self, registrar: Registrar) -> Self {
        for method in [Method::Register, Method::Subscribe] {
            if !self.settings.methods.contains(&method) {
                self.settings.methods.push(method);
            }
        }
        self.registrar = Some(registrar);
        self
    }

    /// A connection is gone: phones that came by it cannot be reached any more.
    pub(super) fn lose_phones_by(&mut self, connection: Connection) {
        if let Some(registrar) = &mut self.registrar {
            registrar.lose(connection);
        }
        self.drain_notices();
    }

    /// Takes a request of somebody who may be a phone.
    pub(super) fn welcome(&mut self, mut request: Arrival, now: Instant) {
        match request.method {
            Method::Ack => self.drop_input(),
            Method::Options => self.answer_options(&request),
            Method::Register => self.register(&request, now),
            Method::Invite | Method::Message | Method::Subscribe => {
                let Some(registrar) = &mut self.registrar else {
                    return self.answer_stateless(&request, 403, &[]);
                };
                match registrar.prove(now, &request.message, (request.flow, Side::Proxy)) {
                    Proof::Phone(phone) => {
                        request.phone = Some(phone);
                        self.asked(request, now);
                    }
                    Proof::Missing(reply) => {
                        self.answer_stateless(&request, reply.status, &reply.headers);
                    }
                }
                self.drain_notices();
            }
            Method::Bye
            | Method::Cancel
            | Method::Prack
            | Method::Notify
            | Method::Publish
            | Method::Info
            | Method::Refer
            | Method::Update
            | Method::Other(_) => self.answer_stateless(&request, 481, &[]),
        }
    }

    /// Takes a REGISTER, of whomever it is. What is kept of it is kept for its repetitions only,
    /// and only when its sender knows a password.
    pub(super) fn register(&mut self, request: &Arrival, now: Instant) {
        let Some(registrar) = &mut self.registrar else {
            return self.answer_stateless(request, 405, &[("Allow", self.allowed())]);
        };
        let (is_proved, reply) = registrar.register(now, &request.message, request.flow);
        self.drain_notices();
        if !is_proved || self.layer.len() >= self.settings.max_transactions {
            return self.answer_stateless(request, reply.status, &reply.headers);
        }
        let transaction = self.layer.serve(request.key(), request.flow, Use::Served, now);
        let mut answer = self.response(request, reply.status, &self.stateless_tag(request));
        for (name, value) in &reply.headers {
            answer = answer.header(name, value);
        }
        self.answer(transaction, reply.status, answer.finish(), now);
    }

    /// Whether a request of somebody who is no trunk deserves no answer, not even a refusal.
    pub(super) fn is_unwelcome(&mut self, request: &Arrival, standing: Standing) -> bool {
        let offence = if self.is_of_scanner(request) {
            Offence::Scanner
        } else if standing != Standing::Guest && dials_abroad(request) {
            Offence::TollNumber
        } else {
            return false;
        };
        self.offend(request.flow, offence);
        self.drop_input();
        true
    }

    /// Tells the door what somebody did who is no trunk.
    pub(super) fn offend(&mut self, flow: Flow, offence: Offence) {
        self.outputs.push_back(Output::Notice(Notice::Offended { flow, offence }));
    }

    /// Hands on what the registrar noticed.
    pub(super) fn drain_notices(&mut self) {
        while let Some(notice) = self.registrar.as_mut().and_then(Registrar::poll) {
            self.outputs.push_back(Output::Notice(notice));
        }
    }

    fn is_of_scanner(&self, request: &Arrival) -> bool {
        let agent = request.text(Name::UserAgent).unwrap_or_default().to_ascii_lowercase();
        let from = request.message.from().ok();
        let display = from.and_then(|from| from.display().map(|name| name.to_ascii_lowercase()));
        let names = [agent, display.unwrap_or_default()];
        let says = |scanner: &String| names.iter().any(|name| name.contains(scanner.as_str()));
        self.settings.scanners.iter().any(says)
    }
}

/// Whether an INVITE of nobody dials as those do who look for an open way to the world: an
/// international prefix, with whatever digits before it that might lead out of a house.
fn dials_abroad(request: &Arrival) -> bool {
    if request.method != Method::Invite {
        return false;
    }
    let uri = request.message.request_uri();
    let user = uri.map(|uri| uri.user_unescaped().into_owned()).unwrap_or_default();
    let digits: String = user.chars().filter(char::is_ascii_digit).collect();
    let is_long = digits.len() >= SHORTEST_ABROAD;
    let prefix = digits.get(..MOST_PREFIX.min(digits.len())).unwrap_or_default();
    is_long && (user.starts_with('+') || prefix.contains("00") || prefix.contains("011"))
}

/// No number abroad has fewer digits, its prefix included.
const SHORTEST_ABROAD: usize = 9;

/// Within how many digits the international prefix begins and ends.
const MOST_PREFIX: usize = 6;
