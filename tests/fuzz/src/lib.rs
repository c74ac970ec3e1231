//! Hostile octets: what each target does with them, and how they are made.

pub mod bodies;
