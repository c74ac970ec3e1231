//! What a shard is given before it runs: trunks, phones, signatures, limits, a trace.

use std::time::Duration;

use super::SipShard;
use super::open_ways::OpenWays;
use crate::call::admission::Badge;
use crate::call::exchange::{self, Exchange};
use crate::call::outbound::Guard;
use crate::call::outbound::purse::Purse;
use crate::call::trunk;
use crate::engine::announcements::Announcer;
use crate::engine::stir::{self, Stir};
use crate::engine::streams::Caps;
use crate::engine::{clock, spending};
use crate::sip::trace::Trace;

impl SipShard {
    /// Lets the shard have more or fewer connections than it would.
    #[must_use]
    pub fn with_caps(mut self, caps: Caps) -> Self {
        self.streams.limit(caps);
        self
    }

    /// Gives the shard trunks to keep.
    #[must_use]
    pub fn with_trunks(mut self, trunks: Vec<(Badge, trunk::Settings)>) -> Self {
        let settings = exchange::Settings { sockets: self.sockets.clone(), trunks };
        self.exchange = Exchange::new(settings, clock::random(), clock::now());
        self
    }

    /// Checks the signatures of calls, and signs our own.
    #[must_use]
    pub fn with_stir(mut self, settings: stir::Settings) -> Self {
        self.stir = Stir::new(settings);
        self
    }

    /// Writes so often to phones that came by UDP.
    #[must_use]
    pub fn with_keep_alive(mut self, every: Duration) -> Self {
        self.open_ways = OpenWays::new(every);
        self
    }

    /// Lets calls go to phones, and asks the guard before a number is called.
    #[must_use]
    pub fn with_phones(mut self, phones: exchange::phones::Settings, guard: Guard) -> Self {
        self.exchange = self.exchange.with_phones(phones).with_guard(guard);
        self
    }

    /// Pays for calls out of this purse, and has written down what was spent.
    #[must_use]
    pub fn with_purse(mut self, purse: Purse, spending: spending::Told) -> Self {
        self.exchange = self.exchange.with_purse(purse);
        self.exchange.date(clock::since_epoch());
        self.spending = Some(spending);
        self
    }

    /// Keeps tenants to their limits.
    #[must_use]
    pub fn with_tenants(mut self, tenants: exchange::tenants::Settings) -> Self {
        self.exchange = self.exchange.with_tenants(tenants);
        self
    }

    /// Keeps the messages of late, of at most so many octets; of none it keeps nothing.
    #[must_use]
    pub fn with_trace(mut self, octets: usize) -> Self {
        self.trace = Trace::holding(octets);
        self
    }

    /// Tells what happens beside the calls to others, too.
    #[must_use]
    pub fn with_announcer(mut self, announcer: Announcer) -> Self {
        self.announcer = announcer;
        self
    }
}
