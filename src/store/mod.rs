//! What remembers: the records of calls, what lists them, and what is still to be told.

pub mod analytics;
pub mod api_keys;
pub mod audit;
pub mod call_archive;
pub mod call_files;
pub mod database;
pub mod drafts;
pub mod expiry;
pub mod index;
pub mod indexer;
pub mod key_uses;
pub mod labels;
pub mod migration;
pub mod outbox;
pub mod requests;
pub mod spool;
pub mod words;
