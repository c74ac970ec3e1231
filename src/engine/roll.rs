//! What the supervisor of all calls is asked.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::base::id::CallId;
use crate::call::campaign::entry::Outcome;
use crate::call::origination::Origination;
use crate::engine::mailbox::Mailbox;
use crate::engine::playbill::Playbill;

/// Who is told what came of a call. A call that breaks says nothing more.
pub type Reporter = oneshot::Sender<Outcome>;

/// What a call of ours has that others have not.
#[derive(Debug, Default)]
pub struct Given {
    /// Who waits for what comes of it, and is told at its end.
    pub reporter: Option<Reporter>,
    /// What it goes by, when it is not what calls go by that begin now.
    pub playbill: Option<Arc<Playbill>>,
}

/// What operators ask of a supervisor.
#[derive(Debug)]
pub enum Question {
    /// Which calls are up?
    Calls(oneshot::Sender<Roll>),
    /// A call of ours is to begin; told its identity, or why there is none.
    Originate(Box<Origination>, oneshot::Sender<Result<CallId, String>>, Given),
    /// Calls that begin from now on are given this.
    Change(Arc<Playbill>, oneshot::Sender<()>),
}

/// The calls that are up, and how many there were.
#[derive(Debug, Clone, Default)]
pub struct Roll {
    /// Those that are up, the oldest first.
    pub calls: Vec<(CallId, Mailbox)>,
    /// How many were taken since the beginning.
    pub taken: u64,
    /// How many were refused for want of room or of a trunk that may bring them.
    pub refused: u64,
}
