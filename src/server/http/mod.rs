//! The HTTP door: how programs talk to a running server.

pub mod door;
pub mod openai;
pub mod opening;

mod allowance;
mod front;
mod gate;
pub mod router;
mod schedules;
mod service;

mod asked;
mod audit;
mod paging;
mod problem;

mod call_record;
mod calls;
mod campaigns;
mod console;
mod description;
mod docs;
mod events;
mod files;
mod health;
mod insight;
mod keys;
mod labels;
mod metrics;
mod models;
mod numbers;
mod orders;
mod origination;
mod peaks;
mod queues;
mod recordings;
mod repeating;
mod sockets;
mod sound;
mod steering;
pub mod streams;
mod telephony;
mod things;
mod ticket;
mod tickets;
mod transcripts;
mod trunks;
mod twiml;
mod upgrade;
mod usage;
pub mod vapi;
mod voicemails;
mod watching;
pub mod web_calls;
mod webhooks;

mod exposition;
mod tally;
mod witness;
