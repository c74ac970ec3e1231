//! SIP (RFC 3261): a zero-copy parser, transactions, dialogs and INVITE sessions, all sans-IO.

pub mod endpoint;
pub mod event;
pub mod flow;
pub mod route;

// What lies between messages: transactions and dialogs.
pub mod dialog;
pub mod transaction;

// The wire: from octets to messages and back.
pub mod message;
pub mod parse;

// Who speaks: digest on both sides.
pub mod account;
pub mod digest;
pub mod nonces;
pub mod notice;
pub mod registrar;
pub mod registration;

// Who signed for the caller: the Identity header and what it carries.
pub mod identity;
pub mod passport;

pub mod census;
pub mod check;
pub mod framing;
pub mod hep;
pub mod print;

// What operators are shown.
pub mod redact;
pub mod trace;

pub mod address;
pub mod header;
pub mod method;
pub mod params;
pub mod status;
pub mod uri;
pub mod via;

mod fields;
mod lexer;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod torture;
#[cfg(test)]
mod verdicts;
#[cfg(test)]
mod witnesses;
