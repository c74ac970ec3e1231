//! What a program wants of a thing in the files, and why it does not get it.

use serde_json::{Map, Value};

use crate::config::editing::kind::Kind;

/// What is wanted of one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// Of which kind it is.
    pub kind: Kind,
    /// Its name; of a route also its place, from 1.
    pub name: String,
    /// What is to become of it.
    pub act: Act,
    /// How it must stand.
    pub condition: Condition,
    /// Before which route a new one is to stand; otherwise it is the last.
    pub before: Option<String>,
}

/// What is to become of a thing.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// It says this, whatever it said, and is made if it is not there.
    Put(Map<String, Value>),
    /// It says this, too; a `null` takes a key away (RFC 7396).
    Merge(Map<String, Value>),
    /// It goes.
    Remove,
}

/// How a thing must stand (RFC 9110 13.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing was said: good for what is new only.
    Unsaid,
    /// It must not be there yet.
    New,
    /// It must be there, whatever it says.
    There,
    /// It must have one of these tags.
    Tagged(Vec<String>),
}

/// A thing as it stands in the files.
#[derive(Debug, Clone, PartialEq)]
pub struct Thing {
    /// Its name; routes need none.
    pub name: Option<String>,
    /// Its place among its kind, from 1.
    pub place: usize,
    /// What tells one state of it from another; good while the server runs.
    pub tag: String,
    /// The file.
    pub file: String,
    /// What it says, without secrets.
    pub says: Value,
}

/// Why an edit is refused. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such thing.
    #[error("{0}")]
    Unknown(String),
    /// It is not clear which one is meant.
    #[error("{0}")]
    Ambiguous(String),
    /// Nobody may overwrite what was not read.
    #[error("{0} is there: say with If-Match which state of it you know")]
    Unconditional(String),
    /// It is not as whoever asks thinks.
    #[error("{0}")]
    Otherwise(String),
    /// The value at this pointer (RFC 6901) cannot be.
    #[error("{1}")]
    Value(String, String),
    /// The files cannot be edited as they are.
    #[error("{0}")]
    Files(String),
    /// It lies where nobody may write by this way.
    #[error("{0}")]
    Outside(String),
    /// The disk does not take it.
    #[error("{0}")]
    Disk(String),
}
