//! The near side is connected with somebody else: by REFER, by a leg of our own, or because a peer
//! asked us to call somebody in its place.

use std::time::{Duration, Instant};

use super::{Conductor, Referring, Timer, Work};
use crate::agent::event::Input;
use crate::agent::tool::{ToolCall, ToolResult, names};
use crate::base::destination::Destination;
use crate::call::briefing::Refer;
use crate::call::cause::Cause;
use crate::call::chronicle::Try;
use crate::call::dial::{Dial, Purpose};
use crate::call::event::Output;
use crate::call::leg::Leg;
use crate::call::record::{Kind, Manner};
use crate::call::transfer::{self, Escort, Target};
use crate::dialplan::runner;
use crate::media::event::{Attention, Command};
use crate::media::link::Links;
use crate::sip::event::{self, Refusal, SessionId};
use crate::sip::uri::Uri;

impl Conductor {
    /// The agent wants a tool.
    pub(super) fn run(&mut self, now: Instant, call: ToolCall) {
        if self.is_of_order(now, &call)
            || self.is_of_consult(now, &call)
            || self.is_of_consent(now, &call)
            || self.is_of_detection(now, &call)
            || self.is_of_queue(now, &call)
            || self.is_of_voicemail(now, &call)
            || self.is_of_flow(now, &call)
        {
            return;
        }
        if call.name == names::HAND_OVER {
            return self.change_member(now, &call);
        }
        if call.name != names::TRANSFER_CALL {
            return self.use_tool(now, call);
        }
        let Some(casting) = self.desk.casting().cloned() else { return };
        let terms = self.briefing.trunks.get(&self.trunk.name);
        let refer = terms.map_or(Refer::First, |terms| terms.refer);
        match transfer::target(&call, &casting.assistant, refer) {
            Err(result) => self.desk.tell(now, Input::ToolDone(result)),
            Ok((target, escort)) => self.carry_out(now, call, (target, escort)),
        }
    }

    /// Sends the caller somewhere.
    pub(super) fn carry_out(
        &mut self,
        now: Instant,
        call: ToolCall,
        (target, escort): (Target, Escort),
    ) {
        match target {
            Target::Agent(to) => match self.briefing.post(&to) {
                Some(post) => {
                    let inherits = self.desk.bequeath(&call);
                    self.relieve(now, post, inherits);
                }
                None => {
                    let result = transfer::failed(&call, "nobody can be reached there");
                    self.not_reached(now, result);
                }
            },
            Target::Flow(name) => self.change_to_flow(now, &name),
            Target::End(to) => self.go(now, to),
            Target::Queue(name) => {
                let to = Destination::Queue(name.clone()).to_string();
                let fact = self.chronicle.transferred(
                    now,
                    by_agent(to, Manner::Bridge, escort.kind()),
                    None,
                );
                self.out.push_back(Output::Fact(fact));
                self.queue_up(now, &name, escort.brief);
            }
            Target::Conference(room) => {
                let to = Destination::Conference(room.clone()).to_string();
                let fact = self.chronicle.transferred(now, sent(to), None);
                self.out.push_back(Output::Fact(fact));
                self.leave_desk(now);
                self.confer(now, room);
            }
            Target::Stream(name) => {
                let to = Destination::Stream(name.clone()).to_string();
                let fact = self.chronicle.transferred(now, sent(to), None);
                self.out.push_back(Output::Fact(fact));
                self.stream(now, name, None);
            }
            Target::Voicemail(name) => {
                let to = Destination::Voicemail(name.clone()).to_string();
                let fact = self.chronicle.transferred(now, sent(to), None);
                self.out.push_back(Output::Fact(fact));
                self.leave_word(now, &name);
            }
            Target::Refer(target, to) => {
                self.work = Work::Referring(Referring { call, to, accepted: false });
                self.timers.set(Timer::Refer, now + REFER_WITHIN);
                self.sip(event::Command::Refer { session: self.near, target });
            }
            Target::Bridge(to) => self.call_for_agent(now, (call, escort), to),
        }
    }

    // By REFER.

    pub(super) fn refer_moved(&mut self, now: Instant, status: u16) {
        if let Work::Drill(_) = self.work {
            return match status {
                0..=199 => {}
                200..=299 => self.end(now, Cause::Transferred),
                300.. => self.end(now, Cause::Rejected(status)),
            };
        }
        let Work::Referring(referring) = &mut self.work else { return };
        if status < 200 {
            referring.accepted = true;
            return;
        }
        let (call, to) = (referring.call.clone(), referring.to.clone());
        // The peer does not do REFER: we can call there ourselves.
        let unwilling = !referring.accepted && matches!(status, 403 | 405 | 420 | 501 | 603);
        self.timers.clear(Timer::Refer);
        if unwilling {
            return self.call_for_agent(now, (call, Escort::default()), to);
        }
        let failed = (status >= 300).then(|| Cause::of_refusal(status));
        let try_of = by_agent(to.to_string(), Manner::Refer, Kind::Blind);
        let fact = self.chronicle.transferred(now, try_of, failed);
        self.out.push_back(Output::Fact(fact));
        let Some(failed) = failed else { return self.end(now, Cause::Transferred) };
        let content = failed.in_words();
        let result = ToolResult { id: call.id, content, failed: true };
        self.work = Work::Agent;
        self.not_reached(now, result);
    }

    // By a leg of our own.

    fn call_for_agent(
        &mut self,
        now: Instant,
        (call, escort): (ToolCall, Escort),
        to: Destination,
    ) {
        self.work = Work::Transferring;
        let purpose = Purpose::Transfer(call, escort.kind());
        let dial = Dial::new(purpose, vec![to], Vec::new(), None);
        self.dial = Some(dial.with_brief(escort.brief));
        self.wait_on();
        self.next_round(now);
    }

    pub(super) fn transfer_answered(&mut self, now: Instant, session: SessionId, kind: Kind) {
        let to = self.written_destination(session);
        let fact = self.chronicle.transferred(now, by_agent(to, Manner::Bridge, kind), None);
        self.out.push_back(Output::Fact(fact));
        self.leave_desk(now);
        self.pair_with(session);
        self.join(now);
    }

    pub(super) fn transfer_failed(
        &mut self,
        now: Instant,
        (call, kind): (&ToolCall, Kind),
        cause: Cause,
    ) {
        let to = self.legs.last().map(Leg::session).map(|last| self.written_destination(last));
        let try_of = by_agent(to.unwrap_or_default(), Manner::Bridge, kind);
        self.came_back(now, (try_of, cause), (call.id.clone(), cause.in_words()));
    }

    /// The agent has the caller again; it is told why.
    pub(super) fn came_back(
        &mut self,
        now: Instant,
        (try_of, cause): (Try, Cause),
        (id, content): (String, String),
    ) {
        let fact = self.chronicle.transferred(now, try_of, Some(cause));
        self.out.push_back(Output::Fact(fact));
        self.give_back_to_agent();
        self.work = Work::Agent;
        self.not_reached(now, ToolResult { id, content, failed: true });
    }

    /// The near side hears and is heard by the agent again.
    pub(super) fn give_back_to_agent(&mut self) {
        self.media(Command::NoMusic);
        self.media(Command::Connect(Links::default()));
        self.media(Command::Attend(Attention::Speech));
    }

    pub(super) fn written_destination(&self, session: SessionId) -> String {
        let leg = self.leg(session).and_then(Leg::destination);
        leg.map(Destination::to_string).unwrap_or_default()
    }

    // Because a peer asked.

    /// A peer wants somebody else in its place. It reaches whom it could have dialled itself, and
    /// nobody else: its target goes through the dialplan in its own context (T1, T7).
    pub(super) fn asked_to_refer(
        &mut self,
        now: Instant,
        (session, target): (SessionId, &str),
        headers: Vec<(String, String)>,
    ) {
        let takes_part = session == self.near || Some(session) == self.far;
        let may = matches!(self.work, Work::Bridged)
            || matches!(self.work, Work::Agent) && self.desk.is_open();
        let is_attended = headers.iter().any(|(name, _)| name == "Replaces");
        let kind = if is_attended { Kind::Attended } else { Kind::Blind };
        let is_free = takes_part && matches!(self.work, Work::Bridged) && self.dial.is_none();
        if let Some(place) = self.place_of_ours(target).filter(|_| is_free) {
            return self.hand_over(now, session, (place, kind), headers);
        }
        let planned = self.planned(target);
        let (true, true, None, Some((to, ring))) = (takes_part, may, &self.dial, planned) else {
            let try_of = self.by_peer(session, (target.to_owned(), Manner::Referral, kind));
            let fact = self.chronicle.transferred(now, try_of, Some(Cause::Rejected(603)));
            self.out.push_back(Output::Fact(fact));
            let outcome = Err(Refusal::status(603));
            return self.sip(event::Command::AnswerRefer { session, outcome });
        };
        self.sip(event::Command::AnswerRefer { session, outcome: Ok(100) });
        let dial = Dial::new(Purpose::Referral(session, kind), to, Vec::new(), ring);
        self.dial = Some(dial.with_headers(headers));
        self.next_round(now);
    }

    /// Where the dialplan sends a target, if somebody is called there.
    fn planned(&self, target: &str) -> Option<(Vec<Destination>, Option<Duration>)> {
        let (to, ring) = self.route_to(target)?;
        let is_called = !to.is_empty() && to.iter().all(Destination::is_called);
        is_called.then_some((to, ring))
    }

    /// Where the dialplan sends a target, whatever that is.
    pub(super) fn route_of(&self, target: &str) -> Vec<Destination> {
        self.route_to(target).map(|(to, _)| to).unwrap_or_default()
    }

    fn route_to(&self, target: &str) -> Option<(Vec<Destination>, Option<Duration>)> {
        let uri = Uri::parse(target).ok()?;
        let user = uri.user_unescaped();
        let call = runner::Call {
            did: &user,
            caller: &self.incoming.calling_user,
            trunk: &self.trunk.name,
            context: &self.trunk.context,
            attested: self.chronicle.attested(),
            tenant: &self.trunk.tenant,
            headers: &self.incoming.headers,
            at: Some(self.chronicle.began()),
        };
        let route = self.briefing.plan.route(&call)?;
        let to = route.to.iter().map(|to| to.for_extension(&user)).collect();
        Some((to, route.ring))
    }

    pub(super) fn referral_answered(
        &mut self,
        now: Instant,
        session: SessionId,
        (by, kind): (SessionId, Kind),
    ) {
        let to = self.written_destination(session);
        let try_of = self.by_peer(by, (to, Manner::Referral, kind));
        let fact = self.chronicle.transferred(now, try_of, None);
        self.out.push_back(Output::Fact(fact));
        self.sip(event::Command::AnswerRefer { session: by, outcome: Ok(200) });
        self.leaving = Some(by);
        self.timers.set(Timer::Leave, now + LEAVES_WITHIN);
        self.take_place(now, session, by);
    }

    /// A leg takes the place of another one, at the agent's ear or in a bridge.
    pub(super) fn take_place(&mut self, now: Instant, session: SessionId, of: SessionId) {
        self.with(of, |leg, out| leg.connect(Links::default(), out));
        if of == self.near {
            if matches!(self.work, Work::Agent) {
                // Who leaves hears no more of the agent, which goes on with somebody else.
                self.desk.tell(now, Input::Replaced);
                self.drain_desk(now);
            }
            self.near = session;
        } else {
            self.far = Some(session);
        }
        if let (Work::Bridged, Some(far)) = (&self.work, self.far) {
            self.pair_with(far);
            return self.join(now);
        }
        if let Some(port) = self.leg(session).map(Leg::port) {
            self.out.push_back(Output::Attach(port));
        }
        self.media(Command::Attend(Attention::Speech));
        self.tell_of_hold(now);
    }

    pub(super) fn referral_failed(
        &mut self,
        now: Instant,
        (by, kind): (SessionId, Kind),
        cause: Cause,
    ) {
        let to = self.legs.last().map(Leg::session).map(|last| self.written_destination(last));
        let try_of = self.by_peer(by, (to.unwrap_or_default(), Manner::Referral, kind));
        let fact = self.chronicle.transferred(now, try_of, Some(cause));
        self.out.push_back(Output::Fact(fact));
        let outcome = Ok(cause.refusal().status);
        self.sip(event::Command::AnswerRefer { session: by, outcome });
    }

    /// A transfer that the peer of a leg wants.
    pub(super) fn by_peer(&self, session: SessionId, what: (String, Manner, Kind)) -> Try {
        let (to, manner, kind) = what;
        Try { to, manner, kind, by: Some(self.place_of(session)) }
    }

    /// Who sent somebody else in its place is hung up, if it did not do so itself.
    pub(super) fn dismiss_leaving(&mut self) {
        if let Some(session) = self.leaving.take() {
            self.drop_leg(session, Cause::Transferred);
        }
    }
}

/// A transfer that the agent wants.
pub(super) fn by_agent(to: String, manner: Manner, kind: Kind) -> Try {
    Try { to, manner, kind, by: None }
}

/// The same to where nobody needs to be asked.
fn sent(to: String) -> Try {
    by_agent(to, Manner::Bridge, Kind::Blind)
}

/// How long a referred call may take to be answered.
const REFER_WITHIN: Duration = Duration::from_secs(40);

/// How long a peer may take to hang up when its transfer has worked.
pub(super) const LEAVES_WITHIN: Duration = Duration::from_secs(2);
