//! Those who hear, think and speak, at work in a call: tasks around the seams of `providers`.

pub mod cashier;
pub mod health;
pub mod shift;

mod clause;
pub mod crew;
mod judge;
pub mod listen;
pub mod speak;
pub mod think;
pub mod tools;

#[cfg(test)]
mod rehearsal;
