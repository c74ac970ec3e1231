//! Transactions (RFC 3261 17, RFC 6026): one machine for each of the four kinds, and their layer.

pub mod agenda;
pub mod client;
pub mod client_invite;
pub mod key;
pub mod layer;
pub mod server;
pub mod server_invite;
pub mod timers;
