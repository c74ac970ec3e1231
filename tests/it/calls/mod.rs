//! Whole calls in virtual time, one file a behaviour.

mod simulation;

mod answering;
mod day;
mod dialling;
mod drills;
mod greeting;
mod hanging_up;
mod hold;
mod interruption;
mod keys;
mod laws;
mod limits;
mod loss;
mod minds;
mod refusal;
mod sets;
mod transfer;
mod turn_model;
