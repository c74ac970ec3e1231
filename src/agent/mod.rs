//! The agent: what it is, what was said, and when it speaks and listens. It would run over a chat
//! window with the same tests: nothing here knows a telephone.

pub mod assistant;
pub mod tool;
pub mod conversation;
pub mod event;
pub mod phrases;
pub mod sentence;
pub mod endpointing;
pub mod barge_in;
pub mod silence;
pub mod intents;
