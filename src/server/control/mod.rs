//! The control socket: how operators talk to a running server.

pub mod protocol;
pub mod queue_view;
pub mod usage;
pub mod view;
pub mod webhook_view;

pub mod claim;
pub mod socket;

pub mod asking;
pub mod campaigns;
pub mod clerk;
pub mod columns;
mod conduct;
mod diagnosis;
pub mod edits;
pub mod events;
pub mod export;
mod files;
pub mod history;
pub mod insight;
mod lessons;
mod origination;
mod oversight;
pub mod reload;
pub mod reports;
pub mod schedules;
pub mod times;
mod wiretap;
