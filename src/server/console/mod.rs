//! The command line of operators: asks a running server and shows what it says.

pub mod client;
pub mod command;
pub mod remote;

pub mod calls;
pub mod campaigns;
pub mod history;
pub mod insight;
pub mod phones;
pub mod queues;
pub mod reload;
pub mod schedules;
pub mod status;
pub mod top;
pub mod trace;
pub mod trunks;
pub mod usage;
pub mod webhooks;

mod ended;
mod events;
mod ladder;
pub mod paint;
mod pcap;
pub mod table;
mod time;
