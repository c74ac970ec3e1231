//! What the registrar knows, for operators.

use std::sync::Arc;
use std::time::Instant;

use super::{Phone, Registrar};
use crate::sip::event::Flow;

/// How a phone stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneReport {
    /// Its name.
    pub name: Arc<str>,
    /// Who has it.
    pub display: Option<String>,
    /// Where it can be reached, the most preferred first; nowhere, when it is not registered.
    pub bindings: Vec<BindingReport>,
}

/// One place where a phone can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingReport {
    /// The URI of its Contact.
    pub contact: String,
    /// Where its REGISTER came from.
    pub flow: Flow,
    /// The proxies between it and us (RFC 3327).
    pub path: Vec<String>,
    /// Its User-Agent.
    pub user_agent: Option<String>,
    /// When it registered last.
    pub refreshed: Instant,
    /// Until when it is registered.
    pub until: Instant,
}

/// What the registrar counted since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests that were asked for proof.
    pub challenged: u64,
    /// Requests whose sender gave it.
    pub proved: u64,
}

impl Registrar {
    /// Every phone, in the order of their names.
    pub fn report(&self) -> Vec<PhoneReport> {
        let report = |phone: &Arc<Phone>| PhoneReport {
            name: phone.name.clone(),
            display: phone.display.clone(),
            bindings: self.bindings.get(&phone.name).map(|it| it.report()).unwrap_or_default(),
        };
        let mut phones: Vec<PhoneReport> = self.accounts.values().map(report).collect();
        phones.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        phones
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}
