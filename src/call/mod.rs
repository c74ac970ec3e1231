//! The call: legs, dialplan and agent under one conductor.

pub mod admission;
pub mod amd;
pub mod briefing;
pub mod campaign;
pub mod cause;
pub mod chronicle;
pub mod event;
pub mod exchange;
pub mod identity;
pub mod negotiation;
pub mod numbering;
pub mod origination;
pub mod outbound;
pub mod outside;
pub mod overview;
pub mod placement;
pub mod record;
pub mod stage;
pub mod stir;
pub mod stream;
pub mod till;
pub mod timetable;
pub mod trace;
pub mod transfer;
pub mod uses;
pub mod veil;

pub mod decision;
pub mod desk;
pub mod dial;
pub mod drill;
pub mod flow;
pub mod keying;
pub mod keys;
pub mod leg;
pub mod trunk;
pub mod voicemail;

pub mod conductor;
pub mod conference;
pub mod queue;
