//! SIP (RFC 3261): a zero-copy parser, transactions, dialogs and INVITE sessions, all sans-IO.

pub mod event;
pub mod transaction;
