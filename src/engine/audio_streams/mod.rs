//! Audio over WebSockets: those who have the line of a call by one, and those who only listen.

pub mod bot;
pub mod desk;
pub mod fork;
pub mod queue;
pub mod tap;
