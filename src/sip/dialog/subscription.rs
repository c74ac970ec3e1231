//! Subscriptions (RFC 6665): who is told of what happens to a phone, in which dialog, until when.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::state::{Dialog, DialogId};
use crate::sip::flow::Connection;
use crate::sip::notice::SubscriptionId;
use crate::sip::transaction::agenda::Agenda;

/// A subscription that is on.
#[derive(Debug)]
pub struct Subscription {
    /// The phone that it belongs to.
    pub phone: Arc<str>,
    /// The dialog in which it is told.
    pub dialog: Dialog,
    /// The `id` of its Event header, which every NOTIFY repeats.
    pub event: String,
    /// When it is over unless it is asked for again.
    pub until: Instant,
}

/// All subscriptions: a phone has so many at most, and of more the oldest ends.
#[derive(Debug, Default)]
pub struct Subscriptions {
    all: HashMap<SubscriptionId, Subscription>,
    by_dialog: HashMap<DialogId, SubscriptionId>,
    ends: Agenda<SubscriptionId>,
    last: u64,
}

impl Subscriptions {
    /// Begins one; also gives one that had to end for it.
    pub fn begin(
        &mut self,
        subscription: Subscription,
    ) -> (SubscriptionId, Option<SubscriptionId>) {
        let phone = &subscription.phone;
        let same = self.all.iter().filter(|(_, other)| other.phone == *phone);
        let crowd: Vec<SubscriptionId> = same.map(|(id, _)| *id).collect();
        let oldest = crowd.iter().min().copied().filter(|_| crowd.len() >= MOST_FOR_A_PHONE);
        if let Some(oldest) = oldest {
            self.end(oldest);
        }
        self.last = self.last.saturating_add(1);
        let id = SubscriptionId(self.last);
        self.put(id, subscription);
        (id, oldest)
    }

    /// The one that a request of its phone belongs to.
    pub fn of(&self, dialog: &DialogId) -> Option<SubscriptionId> {
        self.by_dialog.get(dialog).copied()
    }

    /// One that is on.
    pub fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.all.get_mut(&id)
    }

    /// Lets one go on until then.
    pub fn renew(&mut self, id: SubscriptionId, until: Instant) {
        if let Some(subscription) = self.all.get_mut(&id) {
            subscription.until = until;
            self.ends.arm(id, Some(until));
        }
    }

    /// Puts one back that was taken out.
    pub fn put(&mut self, id: SubscriptionId, subscription: Subscription) {
        self.by_dialog.insert(subscription.dialog.id.clone(), id);
        self.ends.arm(id, Some(subscription.until));
        self.all.insert(id, subscription);
    }

    /// Ends one, or takes it out for a while.
    pub fn end(&mut self, id: SubscriptionId) -> Option<Subscription> {
        let ended = self.all.remove(&id)?;
        self.by_dialog.remove(&ended.dialog.id);
        self.ends.arm(id, None);
        Some(ended)
    }

    /// Those that were told through a connection which is gone.
    pub fn through(&self, lost: &Connection) -> Vec<SubscriptionId> {
        let through = |it: &Subscription| it.dialog.flow.connection().as_ref() == Some(lost);
        self.all.iter().filter(|(_, it)| through(it)).map(|(id, _)| *id).collect()
    }

    /// One whose time is over.
    pub fn take_due(&mut self, now: Instant) -> Option<SubscriptionId> {
        self.ends.pop_due(now)
    }

    /// When the next one is over.
    pub fn deadline(&self) -> Option<Instant> {
        self.ends.next()
    }
}

/// A phone has one for each device that it is; a device that restarted has two for a while.
const MOST_FOR_A_PHONE: usize = 10;
