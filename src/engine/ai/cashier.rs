//! The till of the server, for all its calls: whoever works is charged, and whoever may cost no
//! more is known before he is asked.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::base::price::Amount;
use crate::call::till::{Ledger, Line, Settings, Till};
use crate::engine::announcements::{Announcement, Announcer};
use crate::engine::clock;
use crate::engine::newest::Told;
use crate::providers::error::ProviderError;

/// Keeps the till.
#[derive(Debug, Default)]
pub struct Cashier {
    till: Mutex<Till>,
    /// Where it is written down what was spent.
    told: OnceLock<Told<Ledger>>,
    announcer: Announcer,
}

impl Cashier {
    /// One who tells there whose budget is spent.
    pub fn new(announcer: Announcer) -> Self {
        Self { announcer, ..Self::default() }
    }

    /// Goes on from what was spent before; what is spent from now on is told there.
    pub fn remember(&self, ledger: Ledger, told: Told<Ledger>) {
        self.till().remember(ledger);
        self.told.set(told).ok();
    }

    /// Counts by these from now on.
    pub fn settle(&self, settings: Settings) {
        self.till().settle(settings);
    }

    /// What every provider cost, and what it may.
    pub fn report(&self) -> Vec<Line> {
        self.till().report(clock::since_epoch())
    }

    /// A provider did something.
    pub fn charge(&self, provider: &str, model: Option<&str>, amounts: &[Amount]) {
        let mut till = self.till();
        let ledger = till.spend(clock::since_epoch(), (provider, model), amounts);
        if let (Some(ledger), Some(told)) = (ledger, self.told.get()) {
            told.send_replace(ledger.clone().into());
        }
        while let Some(news) = till.poll() {
            self.announcer.tell(Announcement::Budget(news));
        }
    }

    /// Why a provider is not asked any more today, if it is not.
    pub fn refusal(&self, provider: &str) -> Option<ProviderError> {
        let budget = self.till().is_spent(clock::since_epoch(), provider)?;
        Some(ProviderError::lasting(provider, format!("its daily budget of {budget} is spent")))
    }

    fn till(&self) -> MutexGuard<'_, Till> {
        // Nothing under the lock can panic half-way.
        self.till.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
