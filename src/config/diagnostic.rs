//! What is wrong with the operator's files, as data: rendering is another matter.

use crate::config::source::Span;

/// Something that is wrong, or strange, in the operator's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of thing, stable for scripts: `route.unknown_target`.
    pub code: &'static str,
    /// Whether the server can start all the same.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where, most important first.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
}

/// Whether the server can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but somebody should look.
    Warning,
}

/// A place in a file with a remark.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// The remark; may be empty.
    pub text: String,
}

impl Diagnostic {
    /// Something because of which the server does not start.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, severity: Severity::Error, message, labels: Vec::new(), help: None }
    }

    /// Something that somebody should look at.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Points to a place; without a place nothing is pointed to.
    pub fn at(mut self, span: Option<Span>, text: impl Into<String>) -> Self {
        self.labels.extend(span.map(|span| Label { span, text: text.into() }));
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What it says, without the agent that it says it about: a mistake in an agent is not told
    /// again for each agent that inherits it.
    pub fn essence(&self) -> (&'static str, Vec<Label>, String) {
        let message = match self.message.strip_prefix("agent `") {
            Some(named) if !self.labels.is_empty() => {
                named.split_once('`').map_or(named, |(_, rest)| rest)
            }
            _ => &self.message,
        };
        (self.code, self.labels.clone(), message.to_owned())
    }

    /// Where it stands among all files; what has no place comes first.
    pub fn start(&self) -> Option<usize> {
        self.labels.first().map(|label| label.span.start)
    }
}

/// Finds what somebody probably meant, if one of `known` is near enough to `written`.
pub fn did_you_mean<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(written, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}
