//! A span as OpenTelemetry knows it.

use std::time::Duration;

use crate::base::trace_context::{SpanId, TraceId};

/// Something that took a time, within a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The trace.
    pub trace: TraceId,
    /// Its identity.
    pub id: SpanId,
    /// The span in which it was.
    pub parent: Option<SpanId>,
    /// What it was.
    pub name: String,
    /// Who asked whom.
    pub kind: Kind,
    /// When it began, since the Unix epoch.
    pub began: Duration,
    /// When it ended, since the Unix epoch.
    pub ended: Duration,
    /// What is known of it.
    pub attributes: Vec<Attribute>,
    /// What happened in it.
    pub events: Vec<Event>,
    /// What failed, in one of a few words.
    pub error: Option<String>,
}

/// Who asked whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nobody outside.
    Internal,
    /// Somebody outside asked us.
    Server,
    /// We asked somebody outside.
    Client,
}

/// Something that is known of a span.
pub type Attribute = (&'static str, Value);

/// What is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
}

/// Something that happened in a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, since the Unix epoch.
    pub at: Duration,
    /// What.
    pub name: &'static str,
    /// What is known of it.
    pub attributes: Vec<Attribute>,
}

impl Span {
    /// Adds something that is known of it.
    pub fn put(&mut self, key: &'static str, value: impl Into<Value>) {
        self.attributes.push((key, value.into()));
    }

    /// Adds it, if it is known.
    pub fn put_known(&mut self, key: &'static str, value: Option<impl Into<Value>>) {
        self.attributes.extend(value.map(|value| (key, value.into())));
    }

    /// It failed, for this reason of a few.
    pub fn fail(&mut self, error: impl Into<String>) {
        let error = error.into();
        self.put("error.type", error.as_str());
        self.error = Some(error);
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(it: bool) -> Self {
        Self::Bool(it)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}
