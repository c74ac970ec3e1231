//! What is asked of who reads the files, and the answers.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;

use crate::config::editing::kind::Kind;
use crate::config::editing::wish::Wish;
use crate::engine::playbill::Playbill;
use crate::server::control::edits::{
    DifferenceView, EditedView, Finding, Rejected, RestoredView, StateView, ThingView,
};
use crate::server::control::view::ReloadView;
use crate::server::numbers::NumberView;
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
    /// What stands in the files.
    Look {
        /// Of which kind.
        kind: Kind,
        /// Which one; without a name, all.
        name: Option<String>,
        /// Who asks.
        asker: Asker<Vec<ThingView>>,
    },
    /// Where calls to the numbers of the files go, by the files as calls go by them now.
    Numbers {
        /// Who asks.
        asker: Asker<Vec<NumberView>>,
    },
    /// Something in the files is to be otherwise.
    Edit {
        /// What.
        wish: Box<Wish>,
        /// Whether it is only told what would come of it.
        dry: bool,
        /// Who asks.
        asker: Asker<EditedView>,
    },
    /// A whole file of dialplans is to be otherwise.
    Lay {
        /// Where it lies, or is to lie.
        path: PathBuf,
        /// What it is to say.
        text: String,
        /// Who asks: told what the check says now and did not say before.
        asker: Asker<Vec<Finding>>,
    },
    /// What one call would be given by the files and something more.
    Cast {
        /// What more the dialplans are to say.
        text: String,
        /// Who asks.
        asker: Asker<Arc<Playbill>>,
    },
    /// Which states of the files are kept.
    States {
        /// Who asks: told the newest first.
        asker: Asker<Vec<StateView>>,
    },
    /// What is otherwise in one state than in another.
    Differ {
        /// When the first was taken; without it, the newest.
        from: Option<String>,
        /// When the second was taken; without it, the files as they are.
        to: Option<String>,
        /// Who asks.
        asker: Asker<Vec<DifferenceView>>,
    },
    /// A state is to come back.
    Restore {
        /// When it was taken.
        at: String,
        /// Whether it is only told what would come of it.
        dry: bool,
        /// Who asks.
        asker: Asker<RestoredView>,
    },
}

/// Who asks for something that may be rejected.
pub type Asker<T> = oneshot::Sender<Result<T, Rejected>>;
