//! Webhooks: others are told what happens, by HTTP.

pub mod courier;
pub mod desk;
pub mod endpoint;
pub mod intake;
