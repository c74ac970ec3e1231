//! The order to read the files again, and its answer.

use tokio::sync::oneshot;

use crate::server::control::view::ReloadView;

/// The files are to be read again.
#[derive(Debug)]
pub struct Order {
    /// Whether it is only told what would be changed.
    pub dry: bool,
    /// Who asks: told what was changed, or what is wrong.
    pub asker: oneshot::Sender<Result<ReloadView, String>>,
}
