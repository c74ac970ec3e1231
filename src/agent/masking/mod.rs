//! Masking: what callers say and nobody may keep is found in transcripts and covered, across the
//! turns of a conversation and before anything of it leaves the call.

pub mod kind;

pub mod terms;

mod piece;
mod run;
mod sheet;
mod topic;

mod birth;
pub mod card;
mod email;
mod iban;
mod phone;

pub mod redactor;

#[cfg(test)]
mod labelled;
