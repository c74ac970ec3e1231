//! Sockets.

pub mod ports;
pub mod udp;
