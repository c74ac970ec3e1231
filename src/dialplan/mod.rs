//! The dialplan: which call goes where. It knows numbers and names, and nothing of SIP or agents.

pub mod amd;
pub mod campaign;
pub mod flow;
pub mod holidays;
pub mod hours;
mod index;
pub mod lint;
mod list;
pub mod numbers;
pub mod outbound;
pub mod pattern;
pub mod plan;
pub mod queue;
pub mod runner;
pub mod schedule;
mod way_out;
mod weights;
pub mod when;
