//! How providers fare, for all calls of the server: a breaker in front of each, and who is told
//! when it opens and closes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cashier::Cashier;
use crate::base::breaker::{Breaker, Change, Failure, Settings, Standing};
use crate::base::price::Amount;
use crate::call::record::Stage;
use crate::engine::announcements::{Announcement, Announcer};
use crate::engine::clock;
use crate::providers::error::{ProviderError, Retry};

/// The health of every provider, by what it does and with which model or voice.
#[derive(Debug, Default)]
pub struct Board {
    announcer: Announcer,
    cashier: Arc<Cashier>,
    known: Mutex<BTreeMap<(Stage, String), Arc<Health>>>,
}

/// The health of one provider at one stage.
pub struct Health {
    stage: Stage,
    provider: Arc<str>,
    breaker: Mutex<Breaker>,
    announcer: Announcer,
    cashier: Arc<Cashier>,
}

impl Board {
    /// A board that tells changes there.
    pub fn new(announcer: Announcer) -> Self {
        let cashier = Arc::new(Cashier::new(announcer.clone()));
        Self { announcer, cashier, known: Mutex::default() }
    }

    /// Who knows what providers cost.
    pub fn cashier(&self) -> &Arc<Cashier> {
        &self.cashier
    }

    /// Where changes are told.
    pub fn announcer(&self) -> &Announcer {
        &self.announcer
    }

    /// The health of `provider` at a stage. Agents that want the same of it share it; another
    /// model or voice, its `variant`, may fare differently.
    pub fn of(&self, stage: Stage, provider: &str, variant: &str) -> Arc<Health> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let health = known.entry((stage, format!("{provider} {variant}")));
        let new = || Health {
            stage,
            provider: provider.into(),
            breaker: Mutex::new(Breaker::new(Settings::default())),
            announcer: self.announcer.clone(),
            cashier: self.cashier.clone(),
        };
        health.or_insert_with(|| Arc::new(new())).clone()
    }
}

impl Health {
    /// The provider's name in the configuration.
    pub fn provider(&self) -> &Arc<str> {
        &self.provider
    }

    /// What it does.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it may be asked now.
    pub fn standing(&self) -> Standing {
        self.breaker().standing(clock::now())
    }

    /// Why it is not asked any more today, if it may cost no more.
    pub fn refusal(&self) -> Option<ProviderError> {
        self.cashier.refusal(&self.provider)
    }

    /// It did something that may cost something.
    pub fn used(&self, model: Option<&str>, amounts: &[Amount]) {
        self.cashier.charge(&self.provider, model, amounts);
    }

    /// It is asked.
    pub fn asked(&self) {
        self.breaker().ask();
    }

    /// It did what was asked.
    pub fn succeeded(&self) {
        let change = self.breaker().succeeded();
        self.tell(change, None);
    }

    /// It did not.
    pub fn failed(&self, why: &ProviderError) {
        if self.refusal().is_some() {
            // Nothing is wrong with it.
            return self.abandoned();
        }
        let failure = match why.retry {
            Retry::After(wait) => Failure::Wait(wait),
            Retry::Never | Retry::Now => Failure::Counts,
        };
        let change = self.breaker().failed(clock::now(), failure);
        self.tell(change, Some(why));
    }

    /// Nobody waits for it any more.
    pub fn abandoned(&self) {
        self.breaker().abandoned(clock::now());
    }

    fn tell(&self, change: Option<Change>, why: Option<&ProviderError>) {
        let (stage, provider) = (self.stage, self.provider.clone());
        match change {
            Some(Change::Opened) => {
                let why = why.map(|why| why.reason.clone()).unwrap_or_default();
                self.announcer.tell(Announcement::ProviderDegraded { stage, provider, why });
            }
            Some(Change::Closed) => {
                self.announcer.tell(Announcement::ProviderRecovered { stage, provider });
            }
            None => {}
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // Nothing under the lock can panic half-way.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {:?}", self.stage.name(), self.provider, self.standing())
    }
}
