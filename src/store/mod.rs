//! What remembers: a record of each call, and the keys of those who ask by HTTP.

pub mod api_keys;
pub mod call_archive;
pub mod call_files;
