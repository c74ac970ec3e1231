//! Whole calls in virtual time, one file a behaviour.

mod simulation;

mod greeting;
