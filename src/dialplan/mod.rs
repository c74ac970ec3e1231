//! The dialplan: which call goes where. It knows numbers and names, and nothing of SIP or agents.

pub mod lint;
mod list;
pub mod outbound;
pub mod pattern;
pub mod plan;
pub mod runner;
mod way_out;
