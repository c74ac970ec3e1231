//! Dialogs (RFC 3261 12) and INVITE sessions (13 to 15): what is known of a call between messages.

pub mod answer;
pub mod arrival;
pub mod invite;
pub mod offers;
pub mod refer;
pub mod reliable;
pub mod replaces;
pub mod session_timer;
pub mod state;
pub mod subscription;
pub mod table;
