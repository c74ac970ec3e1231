//! What operators are shown of queues.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// How many wait.
    pub waiting: usize,
    /// For how long the first of them has waited.
    pub longest_wait_s: u64,
    /// Who serves it.
    pub members: Vec<MemberView>,
}

/// One member of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberView {
    /// Where it is called.
    pub to: String,
    /// `free`, `ringing`, `talking`, `resting` or `paused`.
    pub state: String,
}

/// A member that rests, or works again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PausedView {
    /// Where it is called.
    pub member: String,
    /// Whether it takes no callers.
    pub paused: bool,
}
