//! Tools of the operator at work: requests of its own making, and those of others' protocols.

pub mod email;
pub mod http;
pub mod mcp;
pub mod seam;
pub mod sql;
pub mod webhook;
