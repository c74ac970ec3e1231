//! The command line of operators: asks a running server and shows what it says.

pub mod client;
pub mod command;

pub mod calls;
pub mod phones;
pub mod status;
pub mod trace;
pub mod trunks;

mod events;
mod ladder;
mod paint;
mod pcap;
mod table;
mod time;
