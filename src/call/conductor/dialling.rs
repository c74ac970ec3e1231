//! Somebody is called: legs are placed, ring, answer or do not.

use std::sync::Arc;
use std::time::Instant;

use super::Conductor;
use crate::base::destination::Destination;
use crate::base::template;
use crate::call::cause::Cause;
use crate::call::dial::{Purpose, Round};
use crate::call::event::Output;
use crate::call::leg::{Leg, State};
use crate::call::outbound::purse::{Allowance, Payer};
use crate::call::placement::{Caller, Placement};
use crate::call::transfer::Brief;
use crate::dialplan::runner;
use crate::sip::event::{Command, Refusal, SessionId};

impl Conductor {
    /// Tries the next round; when there is none, nobody was reached.
    pub(super) fn next_round(&mut self, now: Instant) {
        let Some(dial) = &mut self.dial else { return };
        match dial.next_round() {
            Some(Round::Call(destinations)) => {
                if self.leg(self.near).is_some_and(|leg| !leg.is_bound()) {
                    self.ready_near(now);
                }
                for destination in destinations {
                    self.dial_leg(now, destination);
                }
            }
            Some(Round::Go(Destination::Webhook(url))) => self.ask_way(now, url),
            Some(Round::Go(destination)) => self.go(now, destination),
            None => self.nobody_reached(now),
        }
    }

    fn dial_leg(&mut self, now: Instant, destination: Destination) {
        let fact = self.chronicle.dialled(now, &destination);
        self.out.push_back(Output::Fact(fact));
        let number = u8::try_from(self.legs.len()).unwrap_or(u8::MAX);
        let session = self.chronicle.call().session(number);
        let mut leg = Leg::to(destination, session);
        let Some(dial) = &mut self.dial else { return };
        dial.try_leg(session);
        if number < MOST_LEGS {
            leg.bind(&mut self.out);
            self.legs.push(leg);
        } else {
            leg.ended();
            self.legs.push(leg);
            self.attempt_failed(now, session, Cause::Full);
        }
    }

    /// A leg has its socket: it can be placed.
    pub(super) fn place(&mut self, now: Instant, session: SessionId) {
        let dearest = self.leg(self.near).and_then(|leg| {
            // What the caller will speak, so that nothing needs to be decoded between both.
            leg.codec().or_else(|| leg.foresee(&self.incoming.body))
        });
        let Some(ring_limit) = self.dial.as_ref().map(|dial| dial.ring()) else { return };
        let Some(leg) = self.leg_mut(session) else { return };
        let (Some(offers), Some(destination)) = (leg.offer(dearest), leg.destination().cloned())
        else {
            return;
        };
        let mut caller = self.caller(&destination);
        let Ok(trunks) = self.way_out(&destination, &mut caller) else {
            return self.not_placed(now, session);
        };
        let mut headers =
            self.dial.as_ref().map(|dial| dial.headers().to_vec()).unwrap_or_default();
        headers.extend(self.headers_of_route());
        let is_secret = matches!(destination, Destination::OpenAi(_));
        let Ok(destination) = self.reach(destination, &mut headers) else {
            return self.not_placed(now, session);
        };
        let payer = self.payer();
        let placement = Placement {
            session,
            destination,
            trunks,
            caller,
            payer,
            offers,
            is_secret,
            headers,
            ring_limit,
        };
        self.out.push_back(Output::Place(Box::new(placement)));
    }

    /// There is no way to whom a leg was to reach.
    fn not_placed(&mut self, now: Instant, session: SessionId) {
        self.with(session, |leg, out| {
            leg.ended();
            leg.close_port(out);
        });
        self.attempt_failed(now, session, Cause::NoRoute);
    }

    /// The agent for which somebody is called: that which is there, or that to which whoever
    /// answers comes.
    fn payer(&self) -> Option<Payer> {
        let there = self.desk.casting();
        let casting = match (self.dial.as_ref()?.purpose(), &self.then) {
            (Purpose::Origination, Some(Destination::Agent(name))) => {
                self.briefing.agents.get(name)
            }
            (Purpose::Transfer(..), _) => there,
            _ => None,
        }?;
        let limits = &casting.assistant.limits;
        let allowance = Allowance {
            daily_budget: limits.daily_budget.map(|money| money.millionths),
            daily_minutes: limits.daily_minutes,
            monthly_minutes: None,
        };
        // Menus and what speaks for flows are none of the operator's agents.
        let is_own = !casting.name.contains(':');
        is_own.then(|| Payer { agent: casting.name.as_str().into(), allowance })
    }

    /// The trunks by which a number is called, and as whom, by the rules of the operator; without
    /// rules, every trunk.
    fn way_out(
        &self,
        destination: &Destination,
        caller: &mut Caller,
    ) -> Result<Vec<Arc<str>>, Cause> {
        let (Destination::Tel(number), plan) = (destination, &self.briefing.plan) else {
            return Ok(Vec::new());
        };
        if plan.ways_out().next().is_none() {
            return Ok(Vec::new());
        }
        let rule = plan.way_out(number.to_e164(), &self.trunk.context).ok_or(Cause::NoRoute)?;
        if let Some(own) = &rule.caller_id {
            caller.number.clone_from(own);
            caller.anonymous = false;
        }
        Ok(rule.trunks.iter().map(|name| name.as_str().into()).collect())
    }

    /// What the route wants said to whom we call; what comes to nothing is not said.
    fn headers_of_route(&self) -> Vec<(String, String)> {
        if self.route_headers.is_empty() {
            return Vec::new();
        }
        let variables = self.variables();
        let rendered = self.route_headers.iter().filter_map(|(name, text)| {
            let value = template::render(text, &variables).ok()?;
            (!value.trim().is_empty()).then(|| (name.clone(), value))
        });
        rendered.collect()
    }

    /// As whom a destination is called: as the caller; a carrier is told that the call comes by
    /// the number that was called first.
    pub(super) fn caller(&self, destination: &Destination) -> Caller {
        let number = self.incoming.calling_user.clone();
        let outside = matches!(destination, Destination::Tel(_) | Destination::Trunk { .. });
        if self.is_ours() {
            let name = self.incoming.calling_name.clone();
            return Caller { number, name, ..Caller::default() };
        }
        if outside && !self.trunk.phone.is_empty() {
            // Outside nobody knows the name of a phone of ours; without a number it is the trunk's.
            let number = self.trunk.caller_id.to_string();
            let name = self.incoming.calling_name.clone();
            return Caller { number, name, ..Caller::default() };
        }
        let called = &self.incoming.called_user;
        let is_number = called.starts_with('+') && called.len() > 4;
        Caller {
            anonymous: runner::is_anonymous(&number),
            name: self.incoming.calling_name.clone(),
            diverted_by: (outside && is_number).then(|| called.clone()),
            number,
        }
    }

    /// A leg rings, perhaps with early media.
    pub(super) fn progressed(&mut self, now: Instant, session: SessionId, body: &[u8]) {
        let agreement = self.with(session, |leg, out| leg.progressed(body, out)).flatten();
        self.agreed(session, agreement);
        let Some(dial) = self.dial.as_mut().filter(|dial| dial.tries(session)) else { return };
        if matches!(dial.purpose(), Purpose::Queue | Purpose::Origination) {
            // Who waits goes on hearing music; and in a call of ours nobody waits.
            return;
        }
        let is_early =
            self.legs.iter().any(|leg| leg.session() == session && leg.state() == State::Early)
                && dial.hears_early(session);
        match (dial.purpose(), is_early) {
            (Purpose::Route, true) => self.ring_early(now, session),
            (Purpose::Route, false) => {
                let near = self.near;
                self.with(near, |leg, out| leg.ring(out));
            }
            // Who waits for a warm transfer goes on hearing music.
            (Purpose::Transfer(..), true) if dial.brief().is_none() => self.connect(session),
            (Purpose::Referral(by, _), _) => {
                // Who asked hears how it goes (RFC 3515 2.4.4).
                let by = *by;
                self.sip(Command::AnswerRefer { session: by, outcome: Ok(180) });
            }
            // Those who talk go on until somebody takes the place of one of them.
            (Purpose::Order(_), _) => {}
            (Purpose::Transfer(..) | Purpose::Queue | Purpose::Origination, _) => {}
        }
    }

    /// The caller hears what the other side plays before it answers.
    fn ring_early(&mut self, now: Instant, session: SessionId) {
        let wish = self.leg(session).and_then(Leg::codec);
        let (near, offer) = (self.near, self.incoming.body.clone());
        match self.with(near, |leg, out| leg.ring_early(&offer, wish, out)) {
            Some(Ok(agreement)) => {
                self.agreed(near, agreement);
                if self.leg(near).is_some_and(Leg::has_port) {
                    self.connect(session);
                } else {
                    self.with(near, |leg, out| leg.ring(out));
                }
            }
            Some(Err(refusal)) => self.end_as(now, Cause::IncompatibleMedia, refusal),
            None => {}
        }
    }

    /// A leg was answered: it wins, if it is still wanted.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        session: SessionId,
        (body, headers): (&[u8], &[(String, String)]),
    ) {
        let oversees = self.is_overseer(session);
        let is_wanted = self.dial.as_ref().is_some_and(|dial| dial.tries(session));
        if !is_wanted && !oversees {
            return self.drop_leg(session, Cause::Canceled);
        }
        match self.with(session, |leg, out| leg.answered(body, out)) {
            Some(Ok(agreement)) => {
                self.agreed(session, agreement);
                self.chronicle.leg_answered(now, self.place_of(session), headers);
                match oversees {
                    true => self.overseer_answered(),
                    false => self.won(now, session),
                }
            }
            Some(Err(_)) if oversees => self.overseer_does_not_fit(session),
            Some(Err(_)) => {
                self.drop_leg(session, Cause::IncompatibleMedia);
                self.attempt_failed(now, session, Cause::IncompatibleMedia);
            }
            None => {}
        }
    }

    fn won(&mut self, now: Instant, session: SessionId) {
        let Some(dial) = self.dial.take() else { return };
        for other in dial.others(session) {
            let reason = COMPLETED_ELSEWHERE.to_owned();
            self.with(other, |leg, out| leg.end(Refusal::status(480), reason, out));
        }
        match dial.purpose().clone() {
            Purpose::Route => {
                if let Some(codec) = self.leg(session).and_then(Leg::codec) {
                    let near = self.near;
                    self.with(near, |leg, _| leg.prefer(codec));
                }
                self.pair_with(session);
                self.answer_near(now);
                self.join(now);
            }
            purpose if dial.brief().is_some() => {
                let brief = dial.brief().cloned().unwrap_or(Brief::Plain);
                self.consult(now, session, (purpose, brief));
            }
            Purpose::Transfer(_, kind) => self.transfer_answered(now, session, kind),
            Purpose::Queue => self.member_answered(now, session),
            Purpose::Origination => self.reached(now, session),
            Purpose::Referral(by, kind) => self.referral_answered(now, session, (by, kind)),
            Purpose::Order(kind) => self.ordered_one_answered(now, session, kind),
        }
    }

    /// Whom we call sends us elsewhere (RFC 3261 8.1.3.4). The call goes where the caller could
    /// have dialled itself (T1), and nowhere twice.
    pub(super) fn redirected(&mut self, now: Instant, session: SessionId, targets: &[String]) {
        let Some(dial) = self.dial.as_ref().filter(|dial| dial.tries(session)) else { return };
        let may_end_here = *dial.purpose() == Purpose::Route;
        let mut there: Vec<Destination> = Vec::new();
        for destination in targets.iter().flat_map(|target| self.route_of(target)) {
            let was_called = self.legs.iter().any(|leg| leg.destination() == Some(&destination));
            let fits = may_end_here || destination.is_called();
            if fits && !was_called && !there.contains(&destination) {
                there.push(destination);
            }
        }
        let first = self.dial.as_mut().and_then(|dial| dial.redirected(there));
        if let Some(destination) = first {
            self.dial_leg(now, destination);
        }
    }

    /// A leg came to nothing before it was answered.
    pub(super) fn attempt_failed(&mut self, now: Instant, session: SessionId, cause: Cause) {
        if self.overseer_gone(session) {
            return;
        }
        let was_heard = self.dial.as_ref().is_some_and(|dial| dial.early() == Some(session));
        let Some(dial) = self.dial.as_mut().filter(|dial| dial.tries(session)) else { return };
        let was_last = dial.failed(session, cause);
        if was_heard {
            self.wait_on();
        }
        if was_last {
            self.next_round(now);
        }
    }

    fn nobody_reached(&mut self, now: Instant) {
        let Some(dial) = self.dial.take() else { return };
        match dial.purpose() {
            Purpose::Route => self.end(now, dial.cause()),
            Purpose::Origination => {
                self.not_taken();
                self.line = None;
                self.end(now, dial.cause());
            }
            Purpose::Transfer(call, kind) => {
                self.transfer_failed(now, (call, *kind), dial.cause());
            }
            Purpose::Queue => self.not_taken(),
            Purpose::Referral(by, kind) => {
                self.referral_failed(now, (*by, *kind), dial.cause());
            }
            Purpose::Order(kind) => self.ordered_one_failed(now, *kind, dial.cause()),
        }
    }

    /// Ends a leg that nobody wants any more.
    pub(super) fn drop_leg(&mut self, session: SessionId, cause: Cause) {
        let (refusal, reason) = (cause.refusal(), cause.reason_header());
        self.with(session, |leg, out| leg.end(refusal, reason, out));
    }

    /// Drops everybody who is being called.
    pub(super) fn stop_dialling(&mut self) {
        let Some(dial) = self.dial.take() else { return };
        // No leg has this session: these are all that are being called.
        for session in dial.others(self.near) {
            self.drop_leg(session, Cause::Canceled);
        }
    }
}

/// The most legs of one call; sessions are numbered with an octet.
pub const MOST_LEGS: u8 = 250;

/// Why a fork is cancelled when another one was answered (RFC 3326 3.1): phones then list no
/// missed call.
const COMPLETED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";
