//! An agent that is being made, before it is put among the pieces.

use crate::server::importing::pieces::Table;
use crate::server::importing::wording::milliseconds;

/// An agent that is being made.
#[derive(Debug, Default)]
pub struct Draft {
    /// What it says.
    pub says: Table,
    /// Its tools.
    pub tools: Vec<String>,
    /// Where it sends callers.
    pub transfers: Table,
    /// Whom it hands over to.
    pub handoffs: Vec<Handoff>,
    /// Ways to others that are known, and when they are gone.
    pub ways: Vec<(String, String)>,
    /// Whether a flow takes voice, ears and models from it.
    pub lends: bool,
    /// Ways to nobody.
    pub lost: Vec<Handoff>,
    /// Where its tools go that name no server of their own.
    pub server: Option<String>,
}

/// A way to another agent.
#[derive(Debug, Clone, Default)]
pub struct Handoff {
    /// The other one, as the file names it.
    pub to: String,
    /// What the table says besides `from` and `to`.
    pub says: Table,
}

/// How long a tool may take.
pub fn patience(seconds: Option<f64>) -> Option<String> {
    seconds.map(|it| milliseconds((it * 1_000.0).clamp(100.0, 60_000.0)))
}
