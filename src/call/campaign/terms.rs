//! How a campaign is run: what the files say of it, ready for the machine.

use std::time::Duration;

use super::entry::Fate;
use crate::base::zone::Zone;
use crate::dialplan::campaign::{Campaign as Written, Retries, Retry};
use crate::dialplan::hours::Hours;
use crate::dialplan::pattern::Match;

/// How a campaign is run.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The most calls at once.
    pub concurrency: usize,
    /// From one call to the next.
    pub interval: Duration,
    /// Who is called again.
    pub retry: Retries,
    /// When people may be called; always, without.
    pub hours: Option<Hours>,
    /// Where people are whose row does not say so.
    pub zone: Zone,
    /// Whom nobody calls.
    pub dnc: Vec<Match>,
    /// The most calls in all.
    pub max_calls: Option<u32>,
    /// The most time that all calls together last.
    pub max_time: Option<Duration>,
    /// From when until when.
    pub span: (Option<Duration>, Option<Duration>),
}

impl Terms {
    /// How a campaign of the files is run; `here` is where the server is.
    pub fn of(written: &Written, here: &Zone) -> Self {
        let per_second = written.pace.per_second.max(1.0 / 86_400.0);
        Self {
            concurrency: written.concurrency.max(1),
            interval: Duration::from_secs_f64(1.0 / per_second),
            retry: written.retry,
            hours: written.hours.clone(),
            zone: written.timezone.as_ref().unwrap_or(here).clone(),
            dnc: written.dnc.clone(),
            max_calls: written.max_calls,
            max_time: written.max_time,
            span: written.span(here),
        }
    }

    /// How often, and how late, somebody is called again who came to this.
    pub fn rule(&self, fate: Fate) -> Option<Retry> {
        let retry = &self.retry;
        match fate {
            Fate::Busy => retry.busy,
            Fate::NoAnswer => retry.no_answer,
            Fate::Machine => retry.machine,
            Fate::Failed => retry.failed,
            Fate::Interrupted => retry.interrupted,
            Fate::Answered
            | Fate::MessageLeft
            | Fate::Screening
            | Fate::Blocked
            | Fate::DoNotCall => None,
        }
    }
}
