//! What programs want of the operator's files, and what came of it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::config::diagnostic::{Diagnostic, Severity};
use crate::config::editing::pieces::Difference;
use crate::config::editing::wish::{Refused, Thing};
use crate::config::load::Loaded;
use crate::server::control::view::ChangeView;

/// Something that the check says of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Finding {
    /// For programs: `route.unknown_agent` and the like.
    pub code: String,
    /// For people.
    pub message: String,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A thing in the files.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ThingView {
    /// Its name; routes need none.
    pub name: Option<String>,
    /// Its place among its kind, from 1.
    pub place: usize,
    /// What `If-Match` wants, without its quotes; good while the server runs.
    pub etag: String,
    /// The file in which it stands.
    pub file: String,
    /// What it says, as in the file. Secrets are `***`.
    #[schema(value_type = Object)]
    pub settings: Value,
}

/// What an edit came to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct EditedView {
    /// The thing as it stands now; nothing when it is gone.
    pub thing: Option<ThingView>,
    /// What it said before; nothing when it was not there.
    #[schema(value_type = Option<Object>)]
    pub said: Option<Value>,
    /// Whether it is new.
    pub created: bool,
    /// What counts for calls that begin from now on.
    pub changed: Vec<ChangeView>,
    /// What counts when the server starts again.
    pub restart: Vec<String>,
    /// What the check says now and did not say before.
    pub warnings: Vec<Finding>,
    /// Whether this is only what would be.
    pub dry: bool,
}

/// One state of the files that the server took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StateView {
    /// When, which also names it (RFC 3339).
    pub at: String,
    /// The names of the files that were not so in the state before.
    pub changed: Vec<String>,
    /// Whether calls that begin go by it now.
    pub current: bool,
}

/// A piece that is otherwise in another state of the files.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DifferenceView {
    /// What: `agents.reception`, `routes`, or a file beside the dialplans.
    pub what: String,
    /// `added`, `changed` or `removed`.
    pub how: String,
    /// What it said. Secrets are `***`.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// What it says.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
}

/// What bringing back a state came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RestoredView {
    /// The state.
    pub at: String,
    /// The names of the files that were written again.
    pub written: Vec<String>,
    /// The names of the files that went.
    pub removed: Vec<String>,
    /// What counts for calls that begin from now on.
    pub changed: Vec<ChangeView>,
    /// What counts when the server starts again.
    pub restart: Vec<String>,
    /// Whether this is only what would be.
    pub dry: bool,
}

/// Why nothing came of it. Nothing was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Rejected {
    /// It cannot be thought through.
    Refused(Refused),
    /// The check finds mistakes.
    Invalid(Vec<Finding>),
    /// The server cannot work so.
    Unfit(String),
}

impl From<Refused> for Rejected {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Thing> for ThingView {
    fn from(thing: Thing) -> Self {
        let Thing { name, place, tag, file, says } = thing;
        Self { name, place, etag: tag, file, settings: says }
    }
}

impl From<Difference> for DifferenceView {
    fn from(it: Difference) -> Self {
        let how = it.how.name().to_owned();
        Self { what: it.what, how, before: it.before, after: it.after }
    }
}

/// What the check says of this weight.
pub fn findings(loaded: &Loaded, severity: Severity) -> Vec<Finding> {
    let found = loaded.diagnostics.iter().filter(|it| it.severity == severity);
    found.take(MOST_FINDINGS).map(|it| finding(it, loaded)).collect()
}

fn finding(diagnostic: &Diagnostic, loaded: &Loaded) -> Finding {
    let place = diagnostic.labels.first().and_then(|label| {
        let file = loaded.sources.file(&label.span)?;
        Some((file.name.clone(), file.position(file.within(&label.span).start)))
    });
    Finding {
        code: diagnostic.code.to_owned(),
        message: diagnostic.message.clone(),
        line: place.as_ref().map(|(_, at)| at.line),
        column: place.as_ref().map(|(_, at)| at.column),
        file: place.map(|(file, _)| file),
        help: diagnostic.help.clone(),
    }
}

/// How many mistakes are told at once.
const MOST_FINDINGS: usize = 50;
