//! MESSAGE outside of any call (RFC 3428): whoever owns the endpoint knows who reads it, and says so
//! in time or not at all.

use std::time::Instant;

use super::answering::digested;
use super::telling::{accepted, is_readable};
use super::{Endpoint, Use};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::event::{Event, SessionId};
use crate::sip::transaction::layer::TransactionId;

/// A text that waits for its answer.
#[derive(Debug)]
pub(super) struct Text {
    transaction: TransactionId,
    request: Arrival,
}

impl Endpoint {
    /// Takes a MESSAGE outside of any call: text, of a bearable length, and so many at once.
    pub(super) fn texted(&mut self, request: Arrival, now: Instant) {
        let length = request.body().len();
        if !is_readable(&request) {
            return self.answer_stateless(&request, 415, &accepted());
        }
        if length > LONGEST_TEXT {
            return self.answer_stateless(&request, 413, &[]);
        }
        // A text that is relayed to ourselves must not go round for ever.
        if request.message.max_forwards() == Ok(Some(0)) {
            return self.answer_stateless(&request, 483, &[]);
        }
        if self.texts.len() >= MOST_TEXTS || self.layer.len() >= self.settings.max_transactions {
            return self.answer_full(&request);
        }
        let session = self.next_session;
        self.next_session = session.next();
        let purpose = Use::Text(session);
        let transaction = self.layer.serve(request.key(), request.flow, purpose, now);
        let incoming = digested(&request, session);
        self.texts.insert(session, Text { transaction, request });
        self.report(Event::Texted(Box::new(incoming)));
    }

    /// Answers a text. One whose sender gave up is not answered any more (RFC 4320 4.2).
    pub(super) fn answer_text(
        &mut self,
        session: SessionId,
        (status, headers): (u16, &[(String, String)]),
        now: Instant,
    ) {
        let Some(Text { transaction, request }) = self.texts.remove(&session) else {
            return self.drop_input();
        };
        let status = status.clamp(200, 699);
        let answer = self.response(&request, status, &self.stateless_tag(&request));
        let answer = answer.extra_headers(headers).finish();
        self.answer(transaction, status, answer, now);
    }
}

/// The most octets of a text: more is no text. RFC 3428 8 wants 1,300 at most where a datagram
/// might carry it; what is longer goes on by TCP where it can.
const LONGEST_TEXT: usize = 4_096;

/// How many texts may wait for their answers at once.
const MOST_TEXTS: usize = 1_000;
