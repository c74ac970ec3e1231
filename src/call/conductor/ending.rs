//! The end: of one leg, and of the call.

use std::time::{Duration, Instant};

use super::{Conductor, Timer, Work};
use crate::agent;
use crate::agent::introduction::Answer;
use crate::base::destination::Destination;
use crate::base::id::PortId;
use crate::call::cause::Cause;
use crate::call::event::Output;
use crate::call::leg::{Leg, State};
use crate::call::record::LeftQueue;
use crate::dialplan::plan::{How, Route};
use crate::sip::event::{Ending, Party, Refusal, SessionId};

impl Conductor {
    /// A leg is over.
    pub(super) fn leg_ended(&mut self, now: Instant, session: SessionId, ending: &Ending) {
        let Some(leg) = self.leg(session) else { return };
        if leg.state() == State::Over {
            return;
        }
        let was_answered = leg.is_up();
        let was_wanted = leg.state() != State::Ending;
        self.left_consult(now, session);
        self.member_gone(session);
        if session == self.near && !matches!(self.work, Work::Over) {
            self.leave_desk(now);
        }
        self.with(session, |leg, out| {
            leg.ended();
            leg.close_port(out);
        });
        let cause = if was_answered { None } else { Some(Cause::of_ending(ending)) };
        let own = cause.filter(|_| session != self.incoming.session && was_wanted);
        let place = self.place_of(session);
        // Who was answered and takes part no more has somebody else in its place.
        let oversees = self.is_overseer(session);
        let takes_part = session == self.near || Some(session) == self.far || oversees;
        let has_left = !takes_part && self.chronicle.was_leg_answered(place);
        let why = self.why_not_taken(session).unwrap_or(Cause::Transferred);
        let own = if has_left { Some(why) } else { own };
        self.chronicle.leg_ended(now, place, own);
        if matches!(self.work, Work::Ending(_) | Work::Over) {
            return self.check_over(now);
        }
        if self.overseer_gone(session) {
            return;
        }
        if self.dial.as_ref().is_some_and(|dial| dial.tries(session)) {
            return self.attempt_failed(now, session, Cause::of_ending(ending));
        }
        if self.is_consulting() && session == self.near {
            return self.consulted(now, Answer::HungUp);
        }
        if session == self.near || Some(session) == self.far {
            return self.side_ended(now, session, ending);
        }
        if self.leaving == Some(session) {
            self.leaving = None;
            self.timers.clear(Timer::Leave);
        }
    }

    /// One who takes part is gone: so is the call.
    fn side_ended(&mut self, now: Instant, session: SessionId, ending: &Ending) {
        let is_caller = session == self.incoming.session && !self.is_ours();
        let cause = match (&self.work, ending) {
            (Work::Referring(_), Ending::Bye { by: Party::Peer, .. }) => Cause::Transferred,
            (_, Ending::Bye { .. }) if is_caller => Cause::CallerHangup,
            (_, Ending::Bye { .. }) => Cause::CalleeHangup,
            (_, Ending::Cancelled { .. }) => Cause::Canceled,
            // Nobody pays for it any longer.
            (_, Ending::Refused { by: Party::Us, status: 403, .. }) => Cause::Blocked,
            (_, Ending::Refused { status, .. }) => Cause::Rejected(*status),
            (_, Ending::Lost) => Cause::SignallingTimeout,
        };
        let said = match ending {
            Ending::Bye { reason, .. } | Ending::Cancelled { reason, .. } => reason.clone(),
            Ending::Refused { .. } | Ending::Lost => None,
        };
        // The other side hears why, in the words of the one who hung up if there are any.
        let reason = said.unwrap_or_else(|| cause.reason_header());
        self.end_all(now, cause, (cause.refusal(), reason));
    }

    /// Ends the call from our side; the fact follows when the signalling has said so.
    pub(super) fn end(&mut self, now: Instant, cause: Cause) {
        self.end_all(now, cause, (cause.refusal(), cause.reason_header()));
    }

    /// The same, with a refusal that says more.
    pub(super) fn end_as(&mut self, now: Instant, cause: Cause, refusal: Refusal) {
        self.end_all(now, cause, (refusal, cause.reason_header()));
    }

    fn end_all(&mut self, now: Instant, cause: Cause, (refusal, reason): (Refusal, String)) {
        if matches!(self.work, Work::Ending(_) | Work::Over) {
            return;
        }
        self.take_back(now);
        self.stop_dialling();
        self.leave_queue(now, LeftQueue::Abandoned);
        self.timers.clear_all();
        match std::mem::replace(&mut self.work, Work::Ending(cause)) {
            Work::Conference(_) => self.out.push_back(Output::Leave(PortId(self.near.0))),
            Work::Stream(streaming) => self.leave_stream(now, &streaming),
            Work::Voicemail(leaving) => self.left_voicemail(now, leaving),
            _ => {}
        }
        for leg in &mut self.legs {
            leg.end(refusal.clone(), reason.clone(), &mut self.out);
            if leg.state() == State::Over {
                leg.close_port(&mut self.out);
            }
        }
        self.check_over(now);
    }

    /// Closes the record when every leg is gone and the caller's last words are known; a port that
    /// does not say its last word is waited for a little.
    pub(super) fn check_over(&mut self, now: Instant) {
        if !matches!(self.work, Work::Ending(_)) || self.desk.wants_last_words() {
            return;
        }
        if self.legs.iter().all(Leg::is_gone) {
            self.closed(now);
        } else if self.legs.iter().all(|leg| leg.state() == State::Over)
            && self.timers.at(Timer::Close).is_none()
        {
            self.timers.set(Timer::Close, now + CLOSE_WITHIN);
        }
    }

    pub(super) fn closed(&mut self, now: Instant) {
        let Work::Ending(cause) = self.work else { return };
        // What was said last was noted by now, or is no longer waited for.
        self.desk.close(now);
        self.drain_desk(now);
        self.desk.clear();
        self.timers.clear_all();
        self.leave_forks(now);
        self.work = Work::Over;
        let fact = self.chronicle.close(now, cause);
        self.out.push_back(Output::Fact(fact));
        self.out.push_back(Output::Over);
    }

    /// Sends a caller who was not answered elsewhere.
    pub(super) fn redirect(&mut self, now: Instant, targets: Vec<String>) {
        self.work = Work::Ending(Cause::Transferred);
        let near = self.near;
        self.with(near, |leg, out| leg.redirect(targets, out));
        self.check_over(now);
    }

    /// The server goes down: nothing is waited for, not even the end of a word.
    pub(super) fn shut_down(&mut self, now: Instant) {
        self.leave_desk(now);
        self.desk.close(now);
        self.end(now, Cause::ServerShutdown);
        self.check_over(now);
    }

    /// The server is draining. Whoever talks with somebody else may finish.
    pub(super) fn wind_up(&mut self, now: Instant) {
        match self.work {
            Work::Agent if self.desk.is_open() => {
                self.desk.tell(now, agent::event::Input::WindUp);
            }
            Work::Agent
            | Work::Dialling
            | Work::Referring(_)
            | Work::Transferring
            | Work::Queued
            | Work::Drill(_) => self.end(now, Cause::ServerShutdown),
            Work::Consulting(_)
            | Work::Bridged
            | Work::Conference(_)
            | Work::Stream(_)
            | Work::Voicemail(_)
            | Work::Ending(_)
            | Work::Over => {}
        }
    }
}

/// The addresses that a route sends callers to, if it does.
pub(super) fn redirection(route: &Route, to: &[Destination]) -> Option<Vec<String>> {
    let uri = |destination: &Destination| match destination {
        Destination::Sip(uri) => Some(uri.clone()),
        Destination::Tel(number) => Some(format!("tel:{number}")),
        _ => None,
    };
    let targets: Vec<String> = to.iter().filter_map(uri).collect();
    (route.how == How::Redirect && !targets.is_empty()).then_some(targets)
}

/// The header of our 200 that names the call, so that a caller can find its record.
pub const CALL_HEADER: &str = "X-Voxtrunk-Call";

/// How long a port may take for its last word.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
