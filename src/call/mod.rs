//! The call: legs, dialplan and agent under one conductor.

pub mod admission;
pub mod briefing;
pub mod cause;
pub mod event;
pub mod record;
pub mod chronicle;
pub mod negotiation;
pub mod transfer;

pub mod conductor;
