//! What remembers: a record of each call.

pub mod call_files;
