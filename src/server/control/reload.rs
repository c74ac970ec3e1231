//! What is asked of who reads the files, and the answers.

use serde_json::Value;
use tokio::sync::oneshot;

use crate::server::control::view::ReloadView;
use crate::server::routing::Thought;

/// What is asked.
#[derive(Debug)]
pub enum Order {
    /// The files are to be read again.
    Read {
        /// Whether it is only told what would be changed.
        dry: bool,
        /// Who asks: told what was changed, or what is wrong.
        asker: oneshot::Sender<Result<ReloadView, String>>,
    },
    /// Which route would take a call, by the files as calls go by them now.
    Route {
        /// The call.
        thought: Box<Thought>,
        /// Who asks: told which, and why, or that there can be no such call.
        asker: oneshot::Sender<Result<Value, String>>,
    },
}
