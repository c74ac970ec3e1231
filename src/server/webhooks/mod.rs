//! Webhooks: others are told what happens, by HTTP.

pub mod courier;
pub mod desk;
pub mod endpoint;
pub mod happening;
mod in_retell;
mod in_vapi;
pub mod intake;
pub mod oracle;
pub mod scribe;
