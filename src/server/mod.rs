//! Puts the house together and takes it down.

pub mod running;

pub mod casting;
pub mod inspection;
pub mod assembly;

pub mod serve;
pub mod check;
pub mod telling;
pub mod demo;
pub mod dial;
