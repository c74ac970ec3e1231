//! Who calls whom, in the headers that carriers and telephone systems use for it: From,
//! P-Asserted-Identity and P-Preferred-Identity (RFC 3325), Remote-Party-ID, Privacy (RFC 3323),
//! Diversion (RFC 5806), P-Called-Party-ID (RFC 7315).

mod reading;
mod writing;

pub use reading::{Said, header_variables, read};
pub use writing::{Written, plain, write};

use std::sync::Arc;

use crate::call::numbering::Numbering;

/// How a trunk speaks of callers and called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// How it writes numbers.
    pub numbering: Numbering,
    /// Where we write the caller's number.
    pub identity: Identity,
    /// Where the called number stands, the best place first.
    pub did_from: Vec<DidPlace>,
    /// Whether its word on the caller counts more than From (T15).
    pub is_trusted: bool,
    /// Our user there; empty without an account.
    pub user: Arc<str>,
    /// The domain in the addresses that we write.
    pub domain: Arc<str>,
    /// The number that we call from when nobody says which.
    pub caller_id: Option<String>,
    /// The number of the line, where the trunk does not say which one was called.
    pub line: Option<String>,
    /// The user part of our Contact there: never a number.
    pub contact_user: Arc<str>,
}

/// Where the caller's number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Identity {
    /// In the user part of From.
    #[default]
    From,
    /// In P-Preferred-Identity.
    Ppi,
    /// In P-Asserted-Identity.
    Pai,
    /// In the display name of From.
    FromDisplay,
    /// In Remote-Party-ID.
    Rpid,
}

/// Where the called number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DidPlace {
    /// The user part of the Request-URI.
    RequestUri,
    /// The user part of To.
    To,
    /// P-Called-Party-ID.
    PCalledPartyId,
}

#[cfg(test)]
mod tests;
