//! What tools are: how the operator defines them, what a model may give them, and what it is told.

pub mod arguments;
pub mod parameter;

pub mod definition;
pub mod letter;
pub mod outcome;
pub mod request;
pub mod statement;

pub mod builtin;
mod calculator;
