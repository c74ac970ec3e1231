//! The operator's files: settings of the machine, dialplans and agents, checked before use.

pub mod check;
mod check_agent;
mod check_listen;
mod check_machine;
mod check_outbound;
mod check_phone;
mod check_routes;
mod check_stir;
pub mod codec;
pub mod control;
pub mod diagnostic;
mod dialplans;
mod explain;
mod extends;
pub mod external;
mod file;
pub mod inbound;
mod interpolate;
pub mod listen;
pub mod load;
pub mod network;
pub mod phone;
pub mod presets;
pub mod provider;
mod read;
pub mod report;
pub mod security;
pub mod settings;
mod shape;
pub mod socket;
pub mod source;
pub mod stir;
pub mod subject;
#[cfg(test)]
mod tests;
mod tree;
pub mod trunk;
