//! Who serves a call at one stage: those who can, which of them is asked next, and what the call is
//! told of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::health::Health;
use crate::agent::event::ThoughtId;
use crate::base::breaker::{Standing, choose};
use crate::base::price::Amount;
use crate::call::event::{Input, Service};
use crate::call::uses::Used;
use crate::engine::mailbox::Mailbox;
use crate::providers::error::{ProviderError, Retry};

/// Those who can do one thing, the dearest first.
pub struct Lineup<T: ?Sized>(Arc<[Member<T>]>);

/// One who can do it.
pub struct Member<T: ?Sized> {
    /// How it fares in all calls.
    pub health: Arc<Health>,
    /// Who does it.
    pub who: Arc<T>,
}

/// Those who can do one thing, at work in one call. Whoever has failed in the call is asked last
/// from then on: a caller should not meet the same failure twice, nor hear voices change.
pub struct Shift<T: ?Sized> {
    lineup: Lineup<T>,
    first: AtomicUsize,
    /// Who served last, as the call was told.
    told: AtomicUsize,
    mailbox: Mailbox,
}

/// Those who were asked for one thing, and how they failed.
#[derive(Debug, Default)]
pub struct Tried {
    places: Vec<usize>,
    /// Whether one of them may do better the next time.
    passing: bool,
}

/// One who is asked. Dropping it says that nobody waits for it any more.
pub struct Attempt<T: ?Sized> {
    place: usize,
    member: Member<T>,
    open: bool,
}

impl<T: ?Sized> Lineup<T> {
    /// A line-up of these.
    pub fn of(members: Vec<Member<T>>) -> Self {
        Self(members.into())
    }

    /// The same line-up with one more, in that place or at the end.
    #[must_use]
    pub fn with(&self, place: usize, member: Member<T>) -> Self {
        let mut members = self.0.to_vec();
        members.insert(place.min(members.len()), member);
        Self::of(members)
    }

    /// Who is asked first while nobody fails.
    pub fn first(&self) -> Option<&Arc<T>> {
        self.0.first().map(|member| &member.who)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Member<T>> {
        self.0.iter()
    }
}

impl<T: ?Sized> Shift<T> {
    /// Puts a line-up to work in a call.
    pub fn new(lineup: Lineup<T>, mailbox: Mailbox) -> Self {
        let told = AtomicUsize::new(usize::MAX);
        Self { lineup, first: AtomicUsize::new(0), told, mailbox }
    }

    /// Asks the next one who was not tried.
    pub fn ask(&self, tried: &mut Tried) -> Option<Attempt<T>> {
        let place = self.next(tried)?;
        Some(self.ask_at(place, tried))
    }

    /// The first for whom `fits` holds, however it fares: for what costs it nothing.
    pub fn find(&self, fits: impl Fn(&T) -> bool) -> Option<&Arc<T>> {
        let count = self.lineup.0.len();
        let first = self.first.load(Ordering::Relaxed).min(count);
        let mut order = (first..count).chain(0..first);
        let found = order.find(|at| fits(&*self.lineup.0[*at].who))?;
        Some(&self.lineup.0[found].who)
    }

    /// What the first of them gives who has something.
    pub fn pick<R>(&self, pick: impl Fn(&T) -> Option<R>) -> Option<R> {
        self.lineup.iter().find_map(|member| pick(&member.who))
    }

    /// Whether nobody can take the place of the one who is there.
    pub fn is_alone(&self) -> bool {
        self.lineup.0.len() < 2
    }

    /// Whether there is another one who was not tried.
    pub fn has_another(&self, tried: &Tried) -> bool {
        self.next(tried).is_some()
    }

    /// Whether everybody has failed for good: wrong keys, unknown models.
    pub fn is_hopeless(&self, tried: &Tried) -> bool {
        !tried.passing && tried.places.len() >= self.lineup.0.len()
    }

    /// Somebody did what was asked.
    pub async fn served(&self, attempt: &mut Attempt<T>) {
        attempt.open = false;
        attempt.member.health.succeeded();
        self.tell_who_serves(attempt).await;
    }

    /// Tells the call what somebody did for it, for it may cost something.
    pub async fn used(
        &self,
        attempt: &Attempt<T>,
        thought: Option<ThoughtId>,
        model: Option<Arc<str>>,
        amounts: Vec<Amount>,
    ) {
        let health = &attempt.member.health;
        let (stage, provider) = (health.stage(), health.provider().clone());
        health.used(model.as_deref(), &amounts);
        let used = Used { stage, provider, model, thought, amounts };
        self.report(Service::Used(used)).await;
    }

    /// Tells the call who serves it, if it was somebody else before.
    pub async fn tell_who_serves(&self, attempt: &Attempt<T>) {
        if self.told.swap(attempt.place, Ordering::Relaxed) != attempt.place {
            let health = &attempt.member.health;
            let (stage, provider) = (health.stage(), health.provider().clone());
            self.report(Service::Serves { stage, provider }).await;
        }
    }

    /// Somebody failed; `true` when another can take his place.
    pub async fn failed(
        &self,
        attempt: &mut Attempt<T>,
        why: &ProviderError,
        tried: &mut Tried,
    ) -> bool {
        attempt.open = false;
        let health = &attempt.member.health;
        health.failed(why);
        tried.passing |= why.retry != Retry::Never;
        tried.add(attempt);
        let count = self.lineup.0.len();
        let first = self.first.load(Ordering::Relaxed);
        if first == attempt.place {
            self.first.store((attempt.place + 1) % count, Ordering::Relaxed);
        }
        let next = self.next(tried).map(|at| self.lineup.0[at].health.provider().clone());
        let is_followed = next.is_some();
        let (stage, provider) = (health.stage(), health.provider().clone());
        let stage_name = stage.name();
        tracing::warn!(stage = stage_name, %why, next = next.as_deref(), "a provider failed");
        let reason = why.reason.clone();
        self.report(Service::Failed { stage, provider, reason, next }).await;
        is_followed
    }

    fn ask_at(&self, place: usize, tried: &mut Tried) -> Attempt<T> {
        tried.places.push(place);
        let member = self.lineup.0[place].clone();
        member.health.asked();
        Attempt { place, member, open: true }
    }

    fn next(&self, tried: &Tried) -> Option<usize> {
        let standings: Vec<Standing> =
            self.lineup.iter().map(|member| member.health.standing()).collect();
        choose(&standings, self.first.load(Ordering::Relaxed), &tried.places)
    }

    async fn report(&self, service: Service) {
        // A call that is gone needs no report.
        self.mailbox.deliver(Input::Service(service)).await.ok();
    }
}

impl Tried {
    /// Somebody is at work already.
    pub fn add<T: ?Sized>(&mut self, attempt: &Attempt<T>) {
        if !self.places.contains(&attempt.place) {
            self.places.push(attempt.place);
        }
    }

    /// Whether one of two was asked before the other.
    pub fn was_before<T: ?Sized>(&self, one: &Attempt<T>, other: &Attempt<T>) -> bool {
        let at = |attempt: &Attempt<T>| self.places.iter().position(|it| *it == attempt.place);
        at(one) < at(other)
    }
}

impl<T: ?Sized> Attempt<T> {
    /// Who is asked.
    pub fn who(&self) -> &T {
        &self.member.who
    }

    /// Why it is not asked after all, if it may cost no more today.
    pub fn refusal(&self) -> Option<ProviderError> {
        self.member.health.refusal()
    }

    /// Its name in the configuration.
    pub fn provider(&self) -> &Arc<str> {
        self.member.health.provider()
    }

    /// A failure of it that may pass.
    pub fn passing(&self, reason: impl Into<String>) -> ProviderError {
        ProviderError::passing(self.provider(), reason)
    }
}

impl<T: ?Sized> Drop for Attempt<T> {
    fn drop(&mut self) {
        if self.open {
            self.member.health.abandoned();
        }
    }
}

impl<T: ?Sized> Clone for Lineup<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> Clone for Member<T> {
    fn clone(&self) -> Self {
        Self { health: self.health.clone(), who: self.who.clone() }
    }
}

impl<T: ?Sized> fmt::Debug for Shift<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lineup.iter().map(|member| &member.health)).finish()
    }
}
