//! How a trunk stands, for operators.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Health, Trunk};
use crate::sip::registration::{Enrolment, Registration};

/// How a trunk stands, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub name: Arc<str>,
    /// Whether calls can go by it; nothing before the first answer.
    pub health: Option<Health>,
    /// Since when that is so.
    pub since: Option<Instant>,
    /// Where its calls go; empty when calls only come from it.
    pub peer: String,
    /// How it is registered, if it is to be.
    pub enrolment: Option<EnrolmentReport>,
    /// How it answers OPTIONS, if it is asked.
    pub pings: Option<PingReport>,
    /// The trunk that takes its calls when it is down.
    pub failover: Option<Arc<str>>,
}

/// How a registration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentReport {
    /// How; nothing before the first answer.
    pub stands: Option<Enrolment>,
    /// Since when.
    pub since: Option<Instant>,
    /// The registrar that is used now, as a SIP URI.
    pub registrar: String,
    /// Until when the registrar knows us.
    pub until: Option<Instant>,
    /// When the next REGISTER is sent.
    pub next: Option<Instant>,
    /// The last refusal, or silence (408).
    pub refusal: Option<Refused>,
}

/// A REGISTER that did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The status; 408 is silence.
    pub status: u16,
    /// When.
    pub at: Instant,
}

/// How a trunk answers OPTIONS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingReport {
    /// How often it is asked.
    pub every: Duration,
    /// How many questions in a row have had no answer.
    pub misses: u32,
    /// The last answer.
    pub last: Option<Echo>,
}

/// An answer to OPTIONS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    /// The status; 408 is silence.
    pub status: u16,
    /// When it came.
    pub at: Instant,
    /// How long after the question.
    pub after: Duration,
}

impl Trunk {
    /// How it stands.
    pub fn report(&self) -> Report {
        let enrolment = self.registration.as_ref().map(|registration| EnrolmentReport {
            stands: self.enrolment.clone(),
            since: self.enrolled_at,
            registrar: registration.registrar().to_owned(),
            until: registration.known_until(),
            next: registration.next_request(),
            refusal: self.refusal,
        });
        let pings = self.pings.as_ref().map(|pings| PingReport {
            every: pings.every,
            misses: pings.misses,
            last: pings.last,
        });
        Report {
            name: self.settings.name.clone(),
            health: self.told.clone(),
            since: self.turned_at,
            peer: self.peers().into_iter().next().unwrap_or_default(),
            enrolment,
            pings,
            failover: self.settings.failover.clone(),
        }
    }

    /// Whether a REGISTER of it has no answer yet.
    pub fn is_registering(&self) -> bool {
        self.registration.as_ref().is_some_and(Registration::is_asking)
    }
}
