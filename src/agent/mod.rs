//! The agent: what it is, what was said, and when it speaks and listens. It would run over a chat
//! window with the same tests: nothing here knows a telephone.

pub mod assistant;
pub mod event;
pub mod mailbox;
pub mod memory;
pub mod menu;
pub mod phrases;
pub mod tool;
pub mod tools;
pub mod transfer;

mod consent;
pub mod conversation;
pub mod disclosure;
pub mod sentence;
pub mod squad;

pub mod hearing;
pub mod languages;
pub mod lexicon;
pub mod masking;
pub mod saying;

pub mod barge_in;
pub mod caller;
pub mod endpointing;
pub mod expectation;
pub mod floor;
mod foresight;
pub mod intents;
pub mod introduction;
pub mod judgement;
mod keypad;
mod lateness;
mod overlap;
pub mod permission;
pub mod silence;
pub mod turn;

pub mod after;
pub mod answer;
pub mod speech;

mod ahead;
mod answering;
mod calling;
mod closing;
mod collecting;
mod confirming;
mod handing_over;
mod hearsay;
mod holding;
mod leaving;
mod pending;
pub mod session;

#[cfg(test)]
mod rehearsal;
