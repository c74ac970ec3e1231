//! Calls that are given to models outside: they are found again here by whoever hears of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq as _;

use crate::base::id::CallId;
use crate::call::outside::Charge;
use crate::engine::ai::crew::Crew;
use crate::engine::ai::tools::Toolbox;
use crate::engine::mailbox::Mailbox;

/// The calls that wait for a word from outside.
#[derive(Debug, Clone, Default)]
pub struct Entrusted(Arc<Mutex<HashMap<CallId, Trust>>>);

/// What is done with a call.
#[derive(Debug)]
pub struct Trust {
    /// What the model is to be.
    pub charge: Charge,
    /// Who works for that agent.
    pub crew: Option<Arc<Crew>>,
    /// The tools of the operator.
    pub tools: Toolbox,
    /// The call.
    pub mailbox: Mailbox,
}

impl Entrusted {
    /// Puts a call in, before the model is called. Those that are over are forgotten.
    pub fn put(&self, call: CallId, trust: Trust) {
        let mut calls = self.calls();
        calls.retain(|_, known| !known.mailbox.is_gone());
        calls.insert(call, trust);
    }

    /// Takes a call out, by its name and its word: nobody else leads it.
    pub fn take(&self, call: CallId, token: &str) -> Option<Trust> {
        let mut calls = self.calls();
        let known = calls.get(&call)?.charge.token.as_bytes();
        let is_known: bool = known.ct_eq(token.as_bytes()).into();
        let trust = if is_known { calls.remove(&call) } else { None };
        trust.filter(|trust| !trust.mailbox.is_gone())
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<CallId, Trust>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
