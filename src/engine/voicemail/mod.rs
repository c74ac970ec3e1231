//! Messages that callers left: where they stand, who writes them down, and who brings them.

pub mod note;
pub mod shelf;

pub mod dictation;
pub mod postman;
