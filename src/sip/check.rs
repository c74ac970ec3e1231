//! Whether a message may be handed on: the rules of RFC 3261 8.1.1, 8.2 and 16.3 that hold for
//! every request, whoever sent it.
//!
//! Require (420), Max-Forwards 0 (483) and unknown methods (405, 501) are left to the endpoint.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::header::{HeaderError, Name};
use super::message::Message;
use super::status::Status;
use super::uri::Scheme;

/// Why a request is refused. A response with a fault is dropped, and so is an ACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A header that every message needs cannot be used.
    #[error("{0}")]
    Header(HeaderError),
    /// CSeq names another method than the first line (RFC 3261 8.1.1.5).
    #[error("CSeq Does Not Match Method")]
    Mismatch,
    /// The Request-URI is none, or carries headers (RFC 3261 19.1.1).
    #[error("Malformed Request-URI")]
    RequestUri,
    /// The Request-URI is neither `sip:`, `sips:` nor `tel:`.
    #[error("Unsupported URI Scheme")]
    Scheme,
}

impl Fault {
    /// The status that answers it; the phrase is its `Display`.
    pub fn status(self) -> u16 {
        match self {
            Self::Header(_) | Self::Mismatch | Self::RequestUri => 400,
            Self::Scheme => 416,
        }
    }
}

impl From<Fault> for Status<'_> {
    fn from(fault: Fault) -> Self {
        Self { code: fault.status(), phrase: fault.to_string().into() }
    }
}

impl From<HeaderError> for Fault {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

/// Checks a request or response: Via, From, To, Call-ID and CSeq are there and well formed, each
/// but Via once; Max-Forwards, Contact, Route and Record-Route are well formed where they are.
/// A missing Max-Forwards or tag is let pass: RFC 2543 had neither.
///
/// # Errors
/// The first fault found.
pub fn check(message: &Message) -> Result<(), Fault> {
    let mut vias = 0_usize;
    for via in message.vias() {
        via?;
        vias = vias.saturating_add(1);
    }
    if vias == 0 {
        return Err(HeaderError::Missing(Name::Via).into());
    }
    message.from()?;
    message.to()?;
    message.call_id()?;
    let cseq = message.cseq()?;
    message.max_forwards()?;
    if !message.is_any_contact() {
        for contact in message.contacts() {
            contact?;
        }
    }
    for name in [Name::Route, Name::RecordRoute] {
        for route in message.addresses(name) {
            route?;
        }
    }
    let Some(method) = message.method() else { return Ok(()) };
    if cseq.method != *method {
        return Err(Fault::Mismatch);
    }
    let uri = message.request_uri().map_err(|_| Fault::RequestUri)?;
    match uri.scheme() {
        Scheme::Sip | Scheme::Sips if uri.headers().is_some() => Err(Fault::RequestUri),
        Scheme::Sip | Scheme::Sips | Scheme::Tel => Ok(()),
        Scheme::Other(_) => Err(Fault::Scheme),
    }
}
