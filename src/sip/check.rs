//! Whether a message may be handed on: the rules of RFC 3261 8.1.1, 8.2 and 16.3 that hold for
//! every request, whoever sent it.
//!
//! Require (420), Max-Forwards 0 (483) and unknown methods (405, 501) are left to the endpoint.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::address::NameAddr;
use super::header::{HeaderError, Name};
use super::message::{CSeq, Message};
use super::status::Status;
use super::uri::{Scheme, Uri};
use super::via::Via;

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

/// What every message must carry, as [`read`] found it well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Essentials<'a> {
    /// The Request-URI of a request: `sip:`, `sips:` or `tel:`.
    pub uri: Option<Uri<'a>>,
    /// The topmost Via.
    pub via: Via<'a>,
    /// Who sends it.
    pub from: NameAddr<'a>,
    /// For whom it was at first.
    pub to: NameAddr<'a>,
    /// The Call-ID.
    pub call_id: &'a str,
    /// The CSeq.
    pub cseq: CSeq,
    /// How many hops are left, if it says so.
    pub max_forwards: Option<u8>,
    /// The first contact, if there is one and it is not `*`.
    pub contact: Option<NameAddr<'a>>,
}

/// Checks a request or response and gives what it had to read for it: Via, From, To, Call-ID and
/// CSeq are there and well formed, each but Via once; Max-Forwards, Contact, Route and
/// Record-Route are well formed where they are. A missing Max-Forwards or tag is let pass:
/// RFC 2543 had neither.
///
/// # Errors
/// The first fault found.
pub fn read(message: &Message) -> Result<Essentials<'_>, Fault> {
    let via = first(message.vias())?.ok_or(HeaderError::Missing(Name::Via))?;
    let (from, to) = (message.from()?, message.to()?);
    let call_id = message.call_id()?;
    let cseq = message.cseq()?;
    let max_forwards = message.max_forwards()?;
    let contact = if message.is_any_contact() { None } else { first(message.contacts())? };
    first(message.routes())?;
    first(message.record_routes())?;
    let uri = match message.method() {
        Some(method) if cseq.method != *method => return Err(Fault::Mismatch),
        Some(_) => Some(request_uri(message)?),
        None => None,
    };
    Ok(Essentials { uri, via, from, to, call_id, cseq, max_forwards, contact })
}

/// Whether [`read`] finds no fault.
///
/// # Errors
/// The first fault found.
pub fn check(message: &Message) -> Result<(), Fault> {
    read(message).map(|_| ())
}

/// The first of several values, all of which must be well formed.
#[inline]
fn first<T>(
    mut values: impl Iterator<Item = Result<T, HeaderError>>,
) -> Result<Option<T>, HeaderError> {
    let mut first = None;
    values.try_for_each(|value| {
        let value = value?;
        first.get_or_insert(value);
        Ok(())
    })?;
    Ok(first)
}

fn request_uri(message: &Message) -> Result<Uri<'_>, Fault> {
    let uri = message.request_uri().map_err(|_| Fault::RequestUri)?;
    match uri.scheme() {
        Scheme::Sip | Scheme::Sips if uri.headers().is_some() => Err(Fault::RequestUri),
        Scheme::Sip | Scheme::Sips | Scheme::Tel => Ok(uri),
        Scheme::Other(_) => Err(Fault::Scheme),
    }
}
