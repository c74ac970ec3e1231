//! Saying: a written clause as a voice should read it.

pub mod chunk;
pub mod figure;
pub mod spoken;

mod amounts;
mod contact;
mod dates;
mod numbers;
mod short;
mod times;

pub mod speaker;
