//! The call: legs, dialplan and agent under one conductor.

pub mod admission;
pub mod briefing;
pub mod cause;
pub mod chronicle;
pub mod event;
pub mod exchange;
pub mod identity;
pub mod negotiation;
pub mod numbering;
pub mod placement;
pub mod record;
pub mod transfer;
pub mod trunk;

pub mod conductor;
