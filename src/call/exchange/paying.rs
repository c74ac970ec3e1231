//! Who pays for the calls that go by the trunks, and what happens when nobody does.

use std::time::{Duration, Instant};

use super::{Exchange, NoWay, Output};
use crate::base::money::Currency;
use crate::call::cause::Cause;
use crate::call::outbound::purse::{Ledger, Line, News, Purse, Short};
use crate::call::placement::Placement;
use crate::sip::event::{Command, Ending, Event, Party};

impl Exchange {
    /// Pays for calls out of this purse.
    #[must_use]
    pub fn with_purse(mut self, purse: Purse) -> Self {
        self.purse = purse;
        self
    }

    /// Tells the time on the wall, since the Unix epoch: budgets are those of days and months.
    pub fn date(&mut self, since_epoch: Duration) {
        self.purse.date(since_epoch);
    }

    /// What was spent, if that changed since it was asked last, and what came near its limit.
    pub fn spent(&mut self) -> (Option<Ledger>, Vec<News>) {
        let ledger = self.purse.changed().cloned();
        (ledger, std::iter::from_fn(|| self.purse.poll()).collect())
    }

    /// What every account spent and may spend, and in which currency.
    pub fn spending(&self) -> (Vec<Line>, Option<Currency>) {
        (self.purse.report(), self.purse.currency())
    }

    /// A leg is placed for somebody with a budget of its own.
    pub(super) fn pay_for(&mut self, placement: &Placement) {
        if let Some(payer) = &placement.payer {
            self.purse.allow(payer);
        }
    }

    /// Notes when minutes begin. A leg that ends since nobody pays for it was ended by our rules.
    pub(super) fn note_payment(&mut self, now: Instant, event: Event) -> Event {
        match event {
            Event::Answered { session, .. } | Event::Confirmed { session, .. } => {
                self.purse.answered(now, session);
                event
            }
            Event::Ended { session, ending: Ending::Bye { by: Party::Us, reason } } => {
                match self.purse.cut(session) {
                    Some(short) => {
                        let why = Some(short.to_string());
                        let status = Cause::Blocked.refusal().status;
                        let ending = Ending::Refused { by: Party::Us, status, reason: why };
                        Event::Ended { session, ending }
                    }
                    None => Event::Ended { session, ending: Ending::Bye { by: Party::Us, reason } },
                }
            }
            other => other,
        }
    }

    /// Ends the calls out whose next minute nobody pays.
    pub(super) fn tick_purse(&mut self, now: Instant) {
        while let Some(session) = self.purse.tick(now) {
            let reason = Some(Cause::Blocked.reason_header());
            self.outputs.push_back(Output::Command(Command::HangUp { session, reason }));
        }
    }

    /// Says who could not pay, when that is why a leg goes nowhere.
    pub(super) fn note_short(&mut self, short: Option<&Short>) {
        if let Some(short) = short {
            self.purse.refused(short);
        }
    }
}

impl From<Short> for NoWay {
    fn from(short: Short) -> Self {
        Self { cause: Cause::Blocked, why: Some(short.to_string()), short: Some(short) }
    }
}
