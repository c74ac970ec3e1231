//! The conductor: one call, from the INVITE to the last fact. It wires the signalling, the media
//! and the agent, and hears events; audio never passes through it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::agent;
use crate::agent::event::{Over, Progress};
use crate::agent::session::{Opening, Session};
use crate::agent::tool::{ToolCall, ToolResult, names};
use crate::base::deadlines::Deadlines;
use crate::base::destination::Destination;
use crate::base::template;
use crate::call::briefing::{Briefing, Casting};
use crate::call::cause::Cause;
use crate::call::chronicle::{Arrival, Chronicle};
use crate::call::event::{Input, Output};
use crate::call::negotiation::Negotiation;
use crate::call::transfer::{self, Target};
use crate::dialplan::runner;
use crate::media;
use crate::sip::event::{Command, Ending, Event, Incoming, Party, Refusal, SessionId};

/// One call.
#[derive(Debug)]
pub struct Conductor {
    briefing: Arc<Briefing>,
    incoming: Box<Incoming>,
    state: State,
    casting: Option<Arc<Casting>>,
    /// What the route says that templates may name.
    route_sets: template::Variables,
    /// Whether the route says that its calls are recorded; otherwise the agent does.
    route_records: Option<bool>,
    session: Option<Session>,
    negotiation: Option<Negotiation>,
    chronicle: Chronicle,
    timers: Deadlines<Timer>,
    out: VecDeque<Output>,
}

/// Where a call stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Sockets are being bound for the agent that will answer.
    Binding,
    /// 200 was sent; the caller's side has not confirmed it.
    Answering,
    /// The agent is at work.
    Talking,
    /// The caller's side was asked to call somebody else.
    Referring(ToolCall),
    /// We want it to end; the signalling has not said so yet.
    Ending(Cause),
    /// The signalling is over; the port closes.
    Closing(Cause),
    /// Nothing more happens.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Timer {
    /// The referred call got nowhere.
    Refer,
    /// The port did not say its last word.
    Close,
}

impl Conductor {
    /// Takes a call that arrived and was admitted.
    pub fn new(arrival: Arrival, incoming: Box<Incoming>, briefing: Arc<Briefing>) -> Self {
        let mut conductor = Self {
            chronicle: Chronicle::new(&arrival, &incoming),
            briefing,
            incoming,
            state: State::Binding,
            casting: None,
            route_sets: template::Variables::new(),
            route_records: None,
            session: None,
            negotiation: None,
            timers: Deadlines::new(),
            out: VecDeque::new(),
        };
        conductor.route(&arrival);
        conductor
    }

    /// Takes something that happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Sip(event) => self.signalled(now, event),
            Input::Socket(bound) => self.bound(bound),
            Input::Media(event) => self.media_moved(now, event),
            Input::Mind(input) => self.tell_session(now, input),
            Input::WindUp => self.wind_up(now),
            Input::Shutdown => self.end(Cause::ServerShutdown),
        }
        self.drain_session(now);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Refer => self.refer_moved(now, 408),
                Timer::Close => self.closed(now),
            }
        }
        if let Some(session) = &mut self.session {
            session.tick(now);
        }
        self.drain_session(now);
    }

    /// Gives the next order or fact.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        let session = self.session.as_ref().and_then(Session::deadline);
        self.timers.next().into_iter().chain(session).min()
    }

    /// The session at the SIP endpoint.
    pub fn sip_session(&self) -> SessionId {
        self.incoming.session
    }

    // Arriving.

    fn route(&mut self, arrival: &Arrival) {
        let call = runner::Call {
            did: &self.incoming.called_user,
            caller: &self.incoming.calling_user,
            trunk: &arrival.trunk.name,
            context: &arrival.trunk.context,
        };
        let Some(route) = self.briefing.plan.route(&call) else {
            return self.end(Cause::NoRoute);
        };
        let Some(destination) = route.to.first().cloned() else { return self.end(Cause::NoRoute) };
        self.route_sets = route.set.clone();
        self.route_records = route.record;
        let name = route.name.clone().unwrap_or_else(|| destination.to_string());
        let fact = self.chronicle.routed(&name, &destination.to_string());
        self.out.push_back(Output::Fact(fact));
        match destination {
            Destination::Agent(agent) => match self.briefing.agents.get(&agent).cloned() {
                Some(casting) => {
                    self.cast(&agent, casting);
                    self.out.push_back(Output::BindSocket);
                }
                None => self.end(Cause::NoRoute),
            },
            // The caller is sent there before an answer: 302 with the destination as Contact is
            // step two; a route of this step speaks or refuses.
            Destination::Sip(_)
            | Destination::Tel(_)
            | Destination::Trunk { .. }
            | Destination::Phone(_)
            | Destination::Drill(_) => self.end(Cause::NoRoute),
            Destination::Reject(status) | Destination::HangUp(status) => {
                self.end(Cause::Rejected(status));
            }
            Destination::Busy => self.end(Cause::Busy),
        }
    }

    fn cast(&mut self, agent: &str, casting: Arc<Casting>) {
        let fact = self.chronicle.agent_changed(agent);
        self.out.push_back(Output::Fact(fact));
        self.out.push_back(Output::Engage(casting.clone()));
        self.casting = Some(casting);
    }

    fn bound(&mut self, bound: Option<SocketAddr>) {
        if self.state != State::Binding {
            return;
        }
        let Some(local) = bound else { return self.end(Cause::Full) };
        let policy = self.briefing.media.clone();
        let agent_records = self.casting.as_ref().is_some_and(|casting| casting.assistant.record);
        let recording = self.route_records.unwrap_or(agent_records);
        let mut negotiation = Negotiation::new(policy, local, &self.incoming, recording);
        match negotiation.first_answer(&self.incoming.body) {
            Ok(body) => {
                self.state = State::Answering;
                let session = self.incoming.session;
                self.sip(Command::Progress { session, status: 180, body: None });
                self.agree(&mut negotiation);
                let headers = vec![(CALL_HEADER.to_owned(), self.chronicle.call().to_string())];
                self.sip(Command::Answer { session, body, headers });
                self.negotiation = Some(negotiation);
            }
            Err(refusal) => self.refuse(refusal, Cause::IncompatibleMedia),
        }
    }

    /// Opens or updates the port with what was agreed.
    fn agree(&mut self, negotiation: &mut Negotiation) {
        let Some(settings) = negotiation.settings() else { return };
        self.chronicle.media_agreed(settings.codec.name(), settings.recording);
        if negotiation.opens() {
            self.out.push_back(Output::OpenPort(Box::new(settings)));
            self.media(media::event::Command::Start);
        } else {
            let update = media::event::Command::Update(Box::new(settings));
            self.out.push_back(Output::Media(update));
        }
    }

    // Signalling.

    fn signalled(&mut self, now: Instant, event: Event) {
        match event {
            Event::Confirmed { body, .. } => self.confirmed(now, &body),
            Event::Reoffered { session, body } => self.reoffered(session, &body),
            Event::Referred { status, .. } => self.refer_moved(now, status),
            Event::ReferReceived { session, .. } => {
                // A caller that transfers us elsewhere: nobody asked for it (T7).
                let outcome = Err(Refusal::status(603));
                self.sip(Command::AnswerRefer { session, outcome });
            }
            Event::Ended { ending, .. } => self.ended(now, &ending),
            // An INFO with keys belongs to the next step; our calls out belong to the phone.
            Event::Info { .. }
            | Event::Redirected { .. }
            | Event::OfferAnswered { .. }
            | Event::Written { .. }
            | Event::Incoming(_)
            | Event::Progressed { .. }
            | Event::Answered { .. }
            | Event::Told { .. } => {}
        }
    }

    fn confirmed(&mut self, now: Instant, body: &Bytes) {
        if let Some(mut negotiation) = self.negotiation.take() {
            let accepted = negotiation.late_answer(body);
            if accepted.is_ok() {
                self.agree(&mut negotiation);
            }
            self.negotiation = Some(negotiation);
            if accepted.is_err() {
                return self.end(Cause::IncompatibleMedia);
            }
        }
        self.begin(now);
    }

    /// The agent begins, once: at the ACK, or at the first packet when that comes before it.
    fn begin(&mut self, now: Instant) {
        if self.state != State::Answering {
            return;
        }
        self.state = State::Talking;
        let fact = self.chronicle.answered(now);
        self.out.push_back(Output::Fact(fact));
        self.open_session(now);
    }

    fn open_session(&mut self, now: Instant) {
        let Some(casting) = self.casting.clone() else { return };
        let mut variables = self.chronicle.variables();
        variables.extend(self.route_sets.clone());
        let rendered = |text: &Option<String>| {
            let text = text.as_deref()?;
            // A template that fails was refused by `check`; its plain text is better than silence.
            Some(template::render(text, &variables).unwrap_or_else(|_| text.to_owned()))
        };
        let opening = Opening {
            instructions: rendered(&casting.assistant.prompt).unwrap_or_default(),
            first_message: rendered(&casting.assistant.first_message),
            tools: casting.tools.clone(),
        };
        let mut session = match &self.session {
            Some(before) => Session::after(before, casting.assistant.clone(), opening, now),
            None => Session::new(casting.assistant.clone(), opening, now),
        };
        session.handle(now, agent::event::Input::Began);
        self.session = Some(session);
    }

    fn reoffered(&mut self, session: SessionId, body: &Bytes) {
        let Some(mut negotiation) = self.negotiation.take() else {
            let answer = Err(Refusal::status(488));
            return self.sip(Command::AnswerReoffer { session, answer });
        };
        let answer = negotiation.answer_again(body);
        if answer.is_ok() {
            self.agree(&mut negotiation);
        }
        self.negotiation = Some(negotiation);
        self.sip(Command::AnswerReoffer { session, answer });
    }

    fn ended(&mut self, now: Instant, ending: &Ending) {
        let cause = match (&self.state, ending) {
            (State::Ending(cause), _) => *cause,
            (State::Closing(_) | State::Over, _) => return,
            (State::Referring(_), Ending::Bye { by: Party::Peer, .. }) => Cause::Transferred,
            (_, Ending::Bye { .. }) => Cause::CallerHangup,
            (_, Ending::Cancelled { .. }) => Cause::Canceled,
            (_, Ending::Refused { status, .. }) => Cause::Rejected(*status),
            (_, Ending::Lost) => Cause::SignallingTimeout,
        };
        self.timers.clear_all();
        self.state = State::Closing(cause);
        if self.negotiation.is_none() {
            return self.closed(now);
        }
        // What was being said is cut here; the port answers with how much of it was heard, and
        // then with the quality of the whole leg.
        self.tell_session(now, agent::event::Input::HungUp);
        let through = agent::event::UtteranceId(u64::MAX);
        self.out.push_back(Output::Mind(agent::event::Output::Flush { through }));
        self.out.push_back(Output::Media(media::event::Command::Flush { through }));
        self.out.push_back(Output::ClosePort);
        self.timers.set(Timer::Close, now + CLOSE_WITHIN);
    }

    fn closed(&mut self, now: Instant) {
        let State::Closing(cause) = self.state else { return };
        self.session = None;
        self.timers.clear_all();
        self.state = State::Over;
        let fact = self.chronicle.close(now, cause);
        self.out.push_back(Output::Fact(fact));
        self.out.push_back(Output::Over);
    }

    // Media.

    fn media_moved(&mut self, now: Instant, event: media::event::Event) {
        use media::event::Event as Media;
        let input = match event {
            Media::Heard { .. } => return self.begin(now),
            Media::SpeechStarted { .. } => agent::event::Input::SpeechStarted,
            Media::SpeechEnded { last_voiced } => agent::event::Input::SpeechEnded { last_voiced },
            Media::Digit(digit) => agent::event::Input::Digit(digit.key()),
            Media::Started { utterance, at } => {
                agent::event::Input::Spoken { utterance, progress: Progress::Started { at } }
            }
            Media::Finished { utterance, at } => {
                agent::event::Input::Spoken { utterance, progress: Progress::Finished { at } }
            }
            Media::Flushed { heard, .. } => {
                let heard =
                    heard.iter().map(|played| (played.utterance, played.heard, played.total));
                agent::event::Input::Flushed { heard: heard.collect() }
            }
            Media::Silent { .. } => return self.end(Cause::MediaTimeout),
            Media::Quality(quality) => {
                self.chronicle.quality(quality);
                return self.closed(now);
            }
        };
        self.tell_session(now, input);
    }

    // The agent.

    fn tell_session(&mut self, now: Instant, input: agent::event::Input) {
        if let Some(session) = &mut self.session {
            session.handle(now, input);
        }
    }

    fn drain_session(&mut self, now: Instant) {
        while let Some(output) = self.session.as_mut().and_then(Session::poll) {
            match output {
                agent::event::Output::Note(note) => {
                    let fact = self.chronicle.note(now, note);
                    self.out.extend(fact.map(Output::Fact));
                }
                // The call is ending: only what is noted still counts.
                _ if matches!(self.state, State::Ending(_) | State::Closing(_) | State::Over) => {}
                agent::event::Output::Pause => self.media(media::event::Command::Pause),
                agent::event::Output::Resume => self.media(media::event::Command::Resume),
                agent::event::Output::Flush { through } => {
                    self.out.push_back(Output::Mind(output));
                    self.media(media::event::Command::Flush { through });
                }
                agent::event::Output::Run(call) => self.run(now, call),
                agent::event::Output::Over(over) => self.end(cause_of(over)),
                order @ (agent::event::Output::Listen
                | agent::event::Output::Finalize(_)
                | agent::event::Output::Forget
                | agent::event::Output::Think { .. }
                | agent::event::Output::Abandon(_)
                | agent::event::Output::Speak(_)
                | agent::event::Output::Release { .. }) => self.out.push_back(Output::Mind(order)),
            }
        }
    }

    fn run(&mut self, now: Instant, call: ToolCall) {
        if call.name != names::TRANSFER_CALL {
            let result = transfer::failed(&call, "there is no such tool");
            return self.tell_session(now, agent::event::Input::ToolDone(result));
        }
        let Some(casting) = self.casting.clone() else { return };
        match transfer::target(&call, &casting.assistant) {
            Err(result) => self.tell_session(now, agent::event::Input::ToolDone(result)),
            Ok(Target::Agent(name)) => match self.briefing.agents.get(&name).cloned() {
                Some(next) => {
                    self.cast(&name, next);
                    self.open_session(now);
                }
                None => {
                    let result = transfer::failed(&call, "nobody can be reached there");
                    self.tell_session(now, agent::event::Input::ToolDone(result));
                }
            },
            Ok(Target::Refer(uri)) => {
                self.state = State::Referring(call);
                self.timers.set(Timer::Refer, now + REFER_WITHIN);
                self.sip(Command::Refer { session: self.incoming.session, target: uri });
            }
        }
    }

    fn refer_moved(&mut self, now: Instant, status: u16) {
        let State::Referring(call) = &self.state else { return };
        match status {
            0..=199 => {}
            200..=299 => self.end(Cause::Transferred),
            _ => {
                let content = format!("nobody answered there (SIP {status})");
                let result = ToolResult { id: call.id.clone(), content, failed: true };
                self.timers.clear(Timer::Refer);
                self.state = State::Talking;
                self.tell_session(now, agent::event::Input::ToolDone(result));
            }
        }
    }

    // Ending.

    fn wind_up(&mut self, now: Instant) {
        match self.state {
            State::Talking => self.tell_session(now, agent::event::Input::WindUp),
            State::Binding | State::Answering | State::Referring(_) => {
                self.end(Cause::ServerShutdown);
            }
            State::Ending(_) | State::Closing(_) | State::Over => {}
        }
    }

    /// Ends the call from our side; the fact follows when the signalling has said so.
    fn end(&mut self, cause: Cause) {
        let session = self.incoming.session;
        match self.state {
            State::Binding => self.refuse(cause.refusal(), cause),
            State::Answering | State::Talking | State::Referring(_) => {
                self.state = State::Ending(cause);
                self.sip(Command::HangUp { session, reason: Some(cause.reason_header()) });
            }
            State::Ending(_) | State::Closing(_) | State::Over => {}
        }
    }

    fn refuse(&mut self, refusal: Refusal, cause: Cause) {
        self.state = State::Ending(cause);
        self.sip(Command::Refuse { session: self.incoming.session, refusal });
    }

    fn sip(&mut self, command: Command) {
        self.out.push_back(Output::Sip(command));
    }

    fn media(&mut self, command: media::event::Command) {
        self.out.push_back(Output::Media(command));
    }
}

fn cause_of(over: Over) -> Cause {
    match over {
        Over::AgentEnded => Cause::AgentEnded,
        Over::SilenceTimeout => Cause::SilenceTimeout,
        Over::MaxDuration => Cause::MaxDuration,
        Over::ProviderError => Cause::ProviderError,
        Over::WoundUp => Cause::ServerShutdown,
    }
}

/// The header of our 200 that names the call, so that a caller can find its record.
pub const CALL_HEADER: &str = "X-Voxtrunk-Call";

/// How long a referred call may take to be answered.
const REFER_WITHIN: Duration = Duration::from_secs(40);

/// How long the port may take for its last word.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);
