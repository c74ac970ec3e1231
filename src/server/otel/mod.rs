//! Tells a collector of each call as a trace (OpenTelemetry), beside the calls.

pub mod wire;

pub mod span;

pub mod tree;

mod names;

pub mod teller;
