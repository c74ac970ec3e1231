//! What was made on other platforms, as files of ours.

pub mod command;
mod draft;
pub mod layout;
mod local;
mod makers;
mod parts;
pub mod pieces;
pub mod platform;
pub mod read;
pub mod report;
mod retell;
mod retell_edges;
mod retell_flow;
mod retell_nodes;
mod retell_tools;
mod shelf;
mod vapi;
mod vapi_squads;
mod vapi_tools;
pub mod wording;
pub mod writing;

#[cfg(test)]
mod tests;
