//! Edits of the operator's files by programs: in the file and at the place where a thing stands, so
//! that remarks and order stay.

pub mod cabinet;
pub mod kind;
mod laying;
mod leaves;
mod paper;
pub mod pieces;
pub mod wish;
pub mod writing;
