//! The clerk at the files: whoever reads them is asked, and changes them.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::config::editing::kind::Kind;
use crate::config::editing::wish::{Refused, Wish};
use crate::engine::playbill::Playbill;
use crate::server::control::clerk::Clerk;
use crate::server::control::edits::{
    DifferenceView, EditedView, Finding, Rejected, RestoredView, StateView, ThingView,
};
use crate::server::control::reload::{Asker, Order};
use crate::server::numbers::NumberView;

impl Clerk {
    /// What stands in the files of a kind: all, or the one of this name.
    ///
    /// # Errors
    /// When the files cannot be read, or there is no such thing.
    pub async fn looked(
        &self,
        kind: Kind,
        name: Option<String>,
    ) -> Result<Vec<ThingView>, Rejected> {
        self.of_files(|asker| Order::Look { kind, name, asker }).await
    }

    /// Where calls to the numbers of the files go.
    ///
    /// # Errors
    /// When the server has no files.
    pub async fn numbers(&self) -> Result<Vec<NumberView>, Rejected> {
        self.of_files(|asker| Order::Numbers { asker }).await
    }

    /// Changes something in the files.
    ///
    /// # Errors
    /// When it cannot be; nothing was changed then.
    pub async fn edited(&self, wish: Wish, dry: bool) -> Result<EditedView, Rejected> {
        let wish = Box::new(wish);
        self.of_files(|asker| Order::Edit { wish, dry, asker }).await
    }

    /// The states of the files that are kept, the newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn states(&self) -> Result<Vec<StateView>, Rejected> {
        self.of_files(|asker| Order::States { asker }).await
    }

    /// What is otherwise in one state of the files than in another.
    ///
    /// # Errors
    /// When there is no such state.
    pub async fn differing(
        &self,
        from: Option<String>,
        to: Option<String>,
    ) -> Result<Vec<DifferenceView>, Rejected> {
        self.of_files(|asker| Order::Differ { from, to, asker }).await
    }

    /// Brings a state of the files back.
    ///
    /// # Errors
    /// When there is none, or the server cannot work so; nothing was changed then.
    pub async fn restored(&self, at: String, dry: bool) -> Result<RestoredView, Rejected> {
        self.of_files(|asker| Order::Restore { at, dry, asker }).await
    }

    /// Lets a whole file of dialplans say something else; tells what the check says now and did not
    /// say before.
    ///
    /// # Errors
    /// When it cannot be; nothing was changed then.
    pub async fn laid(&self, path: PathBuf, text: String) -> Result<Vec<Finding>, Rejected> {
        self.of_files(|asker| Order::Lay { path, text, asker }).await
    }

    /// What one call would be given if the dialplans said something more.
    ///
    /// # Errors
    /// When it cannot be.
    pub async fn cast(&self, text: String) -> Result<Arc<Playbill>, Rejected> {
        self.of_files(|asker| Order::Cast { text, asker }).await
    }

    async fn of_files<T>(&self, order: impl FnOnce(Asker<T>) -> Order) -> Result<T, Rejected> {
        let nobody = |why: &str| Rejected::Refused(Refused::Files(why.to_owned()));
        let Some(reloads) = &self.reloads else {
            return Err(nobody("this server does not read its files again"));
        };
        let (asker, answer) = oneshot::channel();
        let gone = || nobody("the server is going down");
        reloads.send(order(asker)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
