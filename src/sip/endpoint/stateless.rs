//! Answers that keep nothing: refusals of new requests, OPTIONS, and what strangers are told.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Endpoint, Service};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::event::{Flow, Offence, Standing};
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::print;
use crate::sip::transaction::layer::Datagram;

/// An answer to somebody whose address is not proven is at most so many times as long as the
/// request (T5).
const MOST_AMPLIFIED: usize = 3;

impl Endpoint {
    /// Answers a request without a transaction; an ACK is never answered.
    pub(super) fn answer_stateless(
        &mut self,
        request: &Arrival,
        status: u16,
        headers: &[(&str, String)],
    ) {
        if request.method == Method::Ack {
            return self.drop_input();
        }
        let mut answer = self.response(request, status, &self.stateless_tag(request));
        for (name, value) in headers {
            answer = answer.header(name, value);
        }
        self.send_bounded(&request.message, request.flow, answer.finish());
    }

    /// Answers OPTIONS (11.2).
    pub(super) fn answer_options(&mut self, request: &Arrival) {
        if !self.settings.answers_pings {
            let others = self.settings.methods.iter().filter(|it| **it != Method::Options);
            let others: Vec<&str> = others.map(Method::as_str).collect();
            return self.answer_stateless(request, 405, &[("Allow", others.join(", "))]);
        }
        if self.service == Service::Draining {
            return self.answer_full(request);
        }
        let answer = self.response(request, 200, &self.stateless_tag(request));
        let answer = self.described(answer).finish();
        self.send_bounded(&request.message, request.flow, answer);
    }

    /// Says that there is no room, and when to come back: not all at the same moment.
    pub(super) fn answer_full(&mut self, request: &Arrival) {
        let seconds = 2 + self.random.below(9);
        self.answer_stateless(request, 503, &[("Retry-After", seconds.to_string())]);
    }

    /// Answers a message that cannot be read. Only somebody we know is told what is wrong.
    pub(super) fn complain(
        &mut self,
        message: &Message,
        flow: Flow,
        standing: Standing,
        status: (u16, String),
    ) {
        let tag = self.random.token(20);
        let answer = match standing {
            Standing::Trusted => {
                print::refuse(message, (status.0, status.1.as_str()), flow.remote, &tag)
            }
            Standing::Refused => print::refuse(message, 403, flow.remote, &tag),
            Standing::Guest | Standing::Stranger => None,
        };
        if standing != Standing::Trusted {
            self.offend(flow, Offence::Malformed);
        }
        self.drop_input();
        if let Some(answer) = answer {
            self.send_bounded(message, flow, answer);
        }
    }

    /// A tag that is the same for every repetition of a request, and that nobody can guess.
    pub(super) fn stateless_tag(&self, request: &Arrival) -> String {
        let mut hasher = DefaultHasher::new();
        (self.tag_secret, request.key(), &request.call_id).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    fn send_bounded(&mut self, request: &Message, flow: Flow, bytes: bytes::Bytes) {
        if !flow.transport.is_reliable()
            && bytes.len() > request.bytes().len().saturating_mul(MOST_AMPLIFIED)
        {
            return self.drop_input();
        }
        self.send(Datagram { flow, bytes });
    }
}
