//! The conductor: one call, from the INVITE to the last fact. It wires the signalling, the media
//! and the agent of all legs, and hears events; audio never passes through it. Its halves stand in
//! the folder beside this file; the machines that it conducts are legs, a dial, a desk and a drill.

mod calling;
mod conferring;
mod consulting;
mod deciding;
mod detecting;
mod dialling;
mod disclosing;
mod drilling;
mod ending;
mod entrusting;
mod flowing;
mod handing_over;
mod holding;
mod joining;
mod leaving_word;
mod obeying;
mod overseeing;
mod privacy;
mod queueing;
mod recording;
mod replacing;
mod serving;
mod signalling;
mod streaming;
mod telling;
mod transferring;
mod using;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agent::introduction::Answer;
use crate::agent::memory::Earlier;
use crate::agent::tool::ToolCall;
use crate::base::deadlines::Deadlines;
use crate::base::destination::Destination;
use crate::base::id::PortId;
use crate::base::number::Number;
use crate::base::random::Random;
use crate::base::template;
use crate::call::admission::Badge;
use crate::call::briefing::Briefing;
use crate::call::cause::Cause;
use crate::call::chronicle::{Arrival, Chronicle};
use crate::call::desk::Desk;
use crate::call::dial::{Dial, Purpose};
use crate::call::drill::{Drill, Happening};
use crate::call::event::{Fact, Input, Output, Sockets};
use crate::call::flow::Walk;
use crate::call::leg::{Agreement, Leg, State};
use crate::call::record::LeftQueue;
use crate::call::stream::StreamId;
use crate::call::transfer;
use crate::call::voicemail;
use crate::dialplan::runner;
use crate::media;
use crate::sip::event::{Command, Incoming, SessionId};

use conferring::Seat;
use consulting::Consult;
use detecting::Detection;
pub use dialling::MOST_LEGS;
pub use ending::CALL_HEADER;
use ending::redirection;
use leaving_word::Leaving;
use overseeing::Overseer;
use privacy::Privacy;
use recording::Consent;
use streaming::Streaming;
use using::Usage;

/// One call.
#[derive(Debug)]
pub struct Conductor {
    briefing: Arc<Briefing>,
    incoming: Box<Incoming>,
    trunk: Badge,
    work: Work,
    /// Where whoever we called comes to when it answers, in a call that we began.
    then: Option<Destination>,
    /// Who answers a call that we began, if that is to be found out.
    detection: Option<Box<Detection>>,
    /// The caller's leg, then those that we placed, in order; as in the record.
    legs: Vec<Leg>,
    /// The leg that the agent serves, or one side of a bridge: the caller, unless it sent somebody
    /// else in its place.
    near: SessionId,
    /// The other side of a bridge.
    far: Option<SessionId>,
    /// Whoever is being called.
    dial: Option<Dial>,
    /// Who was asked last whether it takes the caller and does not, and why.
    asked: Option<(SessionId, Cause)>,
    /// Who oversees the call.
    overseer: Option<Overseer>,
    /// A peer that sent somebody else in its place and has not hung up yet.
    leaving: Option<SessionId>,
    /// Who calls to take the place of a leg, and of which.
    replacing: Option<(Box<Incoming>, SessionId)>,
    /// Where the call waits in a queue, and then who of the queue has it.
    line: Option<Box<queueing::Place>>,
    desk: Desk,
    /// The last stream that had the line.
    stream: StreamId,
    /// The flow that the call goes through.
    flow: Option<Walk>,
    /// How often the caller was passed on among agents since it said something.
    hops: u32,
    /// What the route says that templates may name.
    route_sets: template::Variables,
    /// Headers of the INVITEs that the route wants, as templates.
    route_headers: template::Variables,
    /// The stream that the route lets listen.
    route_forks: Option<String>,
    /// Whether the route says that its calls are recorded; otherwise the agent does.
    route_records: Option<bool>,
    /// How long a server of the operator's may take to say where the call goes.
    answers_within: Option<Duration>,
    /// Whether one was asked.
    asks_way: bool,
    /// Where the operator sends the near side, while its agent lets go.
    ordered: Option<(transfer::Target, transfer::Escort)>,
    consent: Consent,
    privacy: Privacy,
    usage: Usage,
    /// Earlier calls with this caller, the oldest first.
    earlier: Vec<Earlier>,
    random: Random,
    chronicle: Chronicle,
    timers: Deadlines<Timer>,
    out: VecDeque<Output>,
}

/// What a call is about.
#[derive(Debug)]
enum Work {
    /// Somebody is called for the caller, who was not answered.
    Dialling,
    /// An agent speaks with the caller, or will as soon as the caller is there.
    Agent,
    /// The near side was asked to call somebody else.
    Referring(Referring),
    /// Somebody is called for the near side, which waits.
    Transferring,
    /// Whoever answered is asked whether it takes the caller, who waits.
    Consulting(Box<Consult>),
    /// Two legs talk with each other.
    Bridged,
    /// The near side is in a conference.
    Conference(Seat),
    /// The near side waits in a queue.
    Queued,
    /// A stream has the near side.
    Stream(Box<Streaming>),
    /// The near side leaves a message.
    Voicemail(Leaving),
    /// A test.
    Drill(Drill),
    /// We want it to end; not every leg is gone yet.
    Ending(Cause),
    /// Nothing more happens.
    Over,
}

/// A REFER on its way.
#[derive(Debug)]
struct Referring {
    call: ToolCall,
    to: Destination,
    /// Whether the peer took it on; a failure afterwards is that of the call, not of the REFER.
    accepted: bool,
}

/// The door by which pages call agents.
pub const WEB: &str = "web";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Timer {
    /// The referred call got nowhere.
    Refer,
    /// Who sent somebody else in its place did not hang up.
    Leave,
    /// A port did not say its last word.
    Close,
    /// More keys are to be pressed.
    Keys,
    /// It waited long enough in a queue.
    Queue,
    /// It is to be told where it stands in a queue.
    Announce,
    /// Whoever is asked does not answer.
    Consult,
    /// Nobody says where the call goes.
    Decide,
}

impl Conductor {
    /// Takes a call that arrived and was admitted.
    pub fn new(arrival: Arrival, incoming: Box<Incoming>, briefing: Arc<Briefing>) -> Self {
        let (now, leg) = (arrival.at, Leg::of_caller(&incoming));
        let mut conductor = Self::of(arrival, incoming, briefing).traced(None);
        conductor.legs.push(leg);
        if !conductor.is_refused(now) {
            conductor.route(now);
        }
        conductor
    }

    /// One that has no leg yet.
    fn of(arrival: Arrival, incoming: Box<Incoming>, briefing: Arc<Briefing>) -> Self {
        Self {
            chronicle: Chronicle::new(&arrival, &incoming),
            privacy: Privacy::new(&briefing, &arrival.trunk.tenant),
            briefing,
            trunk: arrival.trunk,
            work: Work::Dialling,
            legs: Vec::new(),
            then: None,
            detection: None,
            near: incoming.session,
            far: None,
            dial: None,
            asked: None,
            overseer: None,
            leaving: None,
            replacing: None,
            line: None,
            incoming,
            desk: Desk::default(),
            stream: StreamId::default(),
            flow: None,
            hops: 0,
            route_sets: template::Variables::new(),
            route_headers: template::Variables::new(),
            route_records: None,
            answers_within: None,
            asks_way: false,
            ordered: None,
            route_forks: None,
            consent: Consent::default(),
            usage: Usage::default(),
            earlier: Vec::new(),
            random: arrival.random,
            timers: Deadlines::new(),
            out: VecDeque::new(),
        }
    }

    /// Takes something that happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Sip(event) => self.signalled(now, event),
            Input::Socket(port, local) => self.bound(now, port, local),
            Input::Media(port, event) => self.media_moved(now, port, event),
            Input::Offered { session, srtp } => {
                self.with(session, |leg, _| leg.offered_with(srtp));
            }
            Input::Mind(input) => {
                self.follow_thought(now, &input);
                if !self.words_detected(now, &input) {
                    self.desk.tell(now, input);
                }
            }
            Input::ToolDone(result) => self.tool_done(now, result),
            Input::Service(service) => self.serviced(now, service),
            Input::Remembered(earlier) => self.earlier = earlier,
            Input::Decided(answer) => self.decided(now, answer),
            Input::Room(room) => self.tell_voicemail(now, voicemail::Happening::Room(room)),
            Input::Gathered(others) => self.gathered(now, others),
            Input::Queue(word) => self.told_by_queue(now, word),
            Input::Stream(stream, news) => self.streamed(now, stream, news),
            Input::Replace { session, incoming } => self.replace(session, incoming),
            Input::Retired => self.end(now, Cause::Transferred),
            Input::Outside(news) => self.outside(now, news),
            Input::HangUp { q850 } => self.hung_up_by_operator(now, q850),
            Input::Mute => self.media(media::event::Command::Mute),
            Input::Unmute => self.media(media::event::Command::Unmute),
            Input::Hold(waits) => self.let_wait(now, waits),
            Input::Recording(taping) => self.recording_ordered(now, taping),
            Input::Oversee { role, phone } => self.oversee(now, role, phone),
            Input::Send { to, escort } => self.send(now, to, escort),
            Input::Say { text, ends } => self.have_said(now, text, ends),
            Input::Press(digits) => self.media(media::event::Command::Dial(digits)),
            Input::WindUp => self.wind_up(now),
            Input::Shutdown => self.shut_down(now),
        }
        self.settle(now);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Refer => self.refer_moved(now, 408),
                Timer::Leave => self.dismiss_leaving(),
                Timer::Close => self.closed(now),
                Timer::Keys => self.press_keys(now),
                Timer::Queue => self.give_up_waiting(now, LeftQueue::Timeout),
                Timer::Announce => self.announce_place(now),
                Timer::Consult => self.consulted(now, Answer::Unclear),
                Timer::Decide => self.next_round(now),
            }
        }
        match &mut self.work {
            Work::Drill(drill) => drill.tick(now),
            Work::Voicemail(leaving) => leaving.voicemail.tick(now),
            _ => {}
        }
        self.desk.tick(now);
        self.flow_ticks(now);
        self.detection_ticks(now);
        self.settle(now);
    }

    /// Gives the next order or fact. Facts leave here, and nowhere else: without what nobody may
    /// keep.
    pub fn poll(&mut self) -> Option<Output> {
        Some(match self.out.pop_front()? {
            Output::Fact(fact) => Output::Fact(self.privacy.cover(fact)),
            order => order,
        })
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        let work = match &self.work {
            Work::Drill(drill) => drill.deadline(),
            Work::Voicemail(leaving) => leaving.voicemail.deadline(),
            _ => None,
        };
        let flow = self.flow.as_ref().and_then(Walk::deadline);
        let detection = self.detection.as_ref().and_then(|it| it.deadline());
        let own = [self.timers.next(), self.desk.deadline(), work, flow, detection];
        own.into_iter().flatten().min()
    }

    /// The session of the caller at the SIP endpoint.
    pub fn sip_session(&self) -> SessionId {
        self.incoming.session
    }

    /// Lets the machines have their say until they have none.
    fn settle(&mut self, now: Instant) {
        self.drain_drill(now);
        self.drain_detection(now);
        self.drain_voicemail(now);
        self.drain_desk(now);
        // What was said to the end may have been waited for.
        self.drain_voicemail(now);
        self.let_overseer_hear();
        self.check_over(now);
    }

    // Arriving.

    /// Refuses a call whose signature is not what its trunk requires.
    fn is_refused(&mut self, now: Instant) -> bool {
        let Some(Fact::Verified(verification)) = self.chronicle.verified() else { return false };
        let refusal = verification.refusal();
        self.out.push_back(Output::Fact(Fact::Verified(verification)));
        let Some(refusal) = refusal else { return false };
        self.end_as(now, Cause::Rejected(refusal.status), refusal);
        true
    }

    fn route(&mut self, now: Instant) {
        if &*self.trunk.name == WEB {
            return self.go_to_agent(now);
        }
        let call = runner::Call {
            did: &self.incoming.called_user,
            caller: &self.incoming.calling_user,
            trunk: &self.trunk.name,
            context: &self.trunk.context,
            attested: self.chronicle.attested(),
            tenant: &self.trunk.tenant,
            headers: &self.incoming.headers,
            at: Some(self.chronicle.began()),
        };
        let taken = self.briefing.plan.taken(&call, |did| self.outside_number(did));
        let Some(route) = taken.as_deref() else {
            return self.end(now, Cause::NoRoute);
        };
        let to = route.targets(&self.weighed_by(), call.did);
        let otherwise = route.otherwise(call.did);
        let targets = redirection(route, &to);
        self.route_sets = route.set.clone();
        self.route_headers = route.headers.clone();
        self.route_records = route.record;
        self.answers_within = route.timeout;
        self.route_forks.clone_from(&route.fork);
        let written: Vec<String> = to.iter().map(Destination::to_string).collect();
        let destination = written.join(", ");
        let name = route.name.clone().unwrap_or_else(|| destination.clone());
        let dial = Dial::new(Purpose::Route, to, otherwise, route.ring);
        let fact = self.chronicle.routed(&name, &destination);
        self.out.push_back(Output::Fact(fact));
        if let Some(targets) = targets {
            return self.redirect(now, targets);
        }
        self.dial = Some(dial);
        self.next_round(now);
    }

    /// What decides among destinations with weights: the caller, and the call itself of those who
    /// withhold their number.
    fn weighed_by(&self) -> String {
        let record = self.chronicle.record();
        match runner::is_anonymous(&record.from) {
            true => record.call.to_string(),
            false => record.from.clone(),
        }
    }

    /// The number of the public network that somebody dialled, if it is one.
    fn outside_number(&self, dialled: &str) -> Option<Number> {
        self.briefing.numbering.read(dialled).parse().ok()
    }

    /// The call goes to a destination that is no leg.
    fn go(&mut self, now: Instant, destination: Destination) {
        let left = self.dial.take();
        match destination {
            Destination::Agent(_) | Destination::Squad(_) | Destination::Menu(_) => {
                match self.briefing.post(&destination) {
                    Some(post) => {
                        self.cast(now, post);
                        self.work = Work::Agent;
                        self.give_back_to_agent();
                        self.ready_near(now);
                    }
                    None => self.end(now, Cause::NoRoute),
                }
            }
            Destination::Flow(name) => self.go_by_flow(now, &name),
            Destination::Conference(room) => self.confer(now, room),
            Destination::Queue(name) => self.queue_up(now, &name, None),
            Destination::Stream(name) => self.stream(now, name, left),
            Destination::Voicemail(name) => self.leave_word(now, &name),
            Destination::Drill(kind) => {
                self.work = Work::Drill(Drill::new(kind));
                self.ready_near(now);
            }
            Destination::Reject(status) | Destination::HangUp(status) => {
                self.end(now, Cause::Rejected(status));
            }
            Destination::Busy => self.end(now, Cause::Busy),
            Destination::Sip(_)
            | Destination::Tel(_)
            | Destination::Trunk { .. }
            | Destination::Webhook(_)
            | Destination::Phone(_)
            | Destination::OpenAi(_)
            | Destination::Group(_) => self.end(now, Cause::NoRoute),
        }
    }

    /// What is to come needs the port of the near side: goes on at once when it is there.
    fn ready_near(&mut self, now: Instant) {
        let near = self.near;
        let Some(leg) = self.legs.iter_mut().find(|leg| leg.session() == near) else { return };
        if leg.is_bound() { self.near_ready(now) } else { leg.bind(&mut self.out) }
    }

    fn bound(&mut self, now: Instant, port: PortId, local: Option<Sockets>) {
        if matches!(self.work, Work::Ending(_) | Work::Over) {
            // Nobody needs it any more.
            return self.out.push_back(Output::ClosePort(port));
        }
        let session = SessionId(port.0);
        let mut policy = match self.leg(session).and_then(Leg::destination) {
            Some(destination) => self.briefing.media_to(destination),
            None => self.briefing.media_of(&self.trunk),
        };
        let recording = session == self.near && self.is_recorded();
        let (is_near, replaces) = (session == self.near, self.is_replacing(session));
        let trunk = if session == self.incoming.session { &*self.trunk.name } else { "" };
        if let Some(keys) = self.briefing.trunks.get(trunk).and_then(|terms| terms.keys) {
            policy.keys = Some(keys);
        }
        let (random, withholds) = (self.random.split(), self.withholds());
        let Some(leg) = self.legs.iter_mut().find(|leg| leg.session() == session) else { return };
        let keying = match leg.transport() {
            Some(transport) => policy.srtp.keying(trunk, transport, random),
            None => policy.srtp.keying_of_ours(random),
        };
        match local {
            Some(local) => {
                leg.bound(local, policy, recording, keying);
                if withholds {
                    leg.withhold();
                }
            }
            None if is_near => return self.end(now, Cause::Full),
            None if replaces => return self.refuse_replacing(503),
            None => {
                leg.ended();
                return self.attempt_failed(now, session, Cause::Full);
            }
        }
        if leg.state() == State::Over {
            // It was given up meanwhile.
            return leg.close_port(&mut self.out);
        }
        if is_near && !self.is_originating() {
            self.near_ready(now);
        } else if replaces {
            self.answer_replacing(now);
        } else if self.is_overseer(session) {
            self.place_overseer(session);
        } else {
            self.place(now, session);
        }
    }

    /// The near side has a socket.
    fn near_ready(&mut self, now: Instant) {
        match &mut self.work {
            Work::Agent => self.answer_near(now),
            Work::Drill(drill) => drill.handle(now, Happening::Bound),
            Work::Conference(_) => self.take_seat(),
            Work::Queued => self.come_in_line(now),
            Work::Stream(_) => self.open_stream(now),
            Work::Voicemail(_) => self.ready_for_word(now),
            Work::Dialling
            | Work::Referring(_)
            | Work::Transferring
            | Work::Consulting(_)
            | Work::Bridged
            | Work::Ending(_)
            | Work::Over => {}
        }
    }

    /// Answers the caller.
    fn answer_near(&mut self, now: Instant) {
        let mut headers = vec![(CALL_HEADER.to_owned(), self.chronicle.call().to_string())];
        headers.extend(self.chronicle.complaint());
        let (near, offer) = (self.near, self.incoming.body.clone());
        let Some(leg) = self.legs.iter_mut().find(|leg| leg.session() == near) else { return };
        match leg.answer(&offer, headers, &mut self.out) {
            Ok(agreement) => self.agreed(near, agreement),
            Err(refusal) => self.end_as(now, Cause::IncompatibleMedia, refusal),
        }
    }

    // The legs.

    fn leg(&self, session: SessionId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.session() == session)
    }

    fn leg_mut(&mut self, session: SessionId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.session() == session)
    }

    /// Works on a leg, which may want something done.
    fn with<T>(
        &mut self,
        session: SessionId,
        act: impl FnOnce(&mut Leg, &mut VecDeque<Output>) -> T,
    ) -> Option<T> {
        let leg = self.legs.iter_mut().find(|leg| leg.session() == session)?;
        Some(act(leg, &mut self.out))
    }

    /// The place of a leg in the record.
    fn place_of(&self, session: SessionId) -> usize {
        self.legs.iter().position(|leg| leg.session() == session).unwrap_or(usize::MAX)
    }

    /// Notes what the media of a leg came to.
    fn agreed(&mut self, session: SessionId, agreement: Option<Agreement>) {
        if let Some(agreement) = agreement {
            self.chronicle.media_agreed(self.place_of(session), agreement);
        }
    }

    fn is_near(&self, port: PortId) -> bool {
        port.0 == self.near.0
    }

    fn sip(&mut self, command: Command) {
        self.out.push_back(Output::Sip(command));
    }

    /// Orders something of the near side's port.
    fn media(&mut self, command: media::event::Command) {
        let near = self.near;
        self.with(near, |leg, out| leg.media(command, out));
    }
}
