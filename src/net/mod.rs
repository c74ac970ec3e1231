//! Sockets.

pub mod burst;
pub mod ports;
pub mod udp;
pub mod watch;

// Connections: how one is had, and how it carries messages.
pub mod line;
pub mod reach;
pub mod stream;
pub mod tls;
pub mod websocket;

pub mod dns;

// Browsers: certificates and handshakes.
pub mod dtls;

// Where recordings go.
pub mod bucket;

// Who collects traces.
pub mod collector;

// Where models come from.
pub mod download;

// What tools of the operator have us ask, never inside our own networks unless it is allowed.
mod careful;
pub mod web;

// What strangers have us fetch, and what it is worth.
pub mod foreign;
pub mod stir;
