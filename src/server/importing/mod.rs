//! What was made on other platforms, as files of ours.

pub mod command;
pub mod layout;
mod local;
mod parts;
pub mod pieces;
pub mod read;
pub mod report;
mod retell;
mod retell_edges;
mod retell_flow;
mod retell_tools;
mod shelf;
mod vapi;
mod vapi_squads;
mod vapi_tools;
mod wording;
pub mod writing;
