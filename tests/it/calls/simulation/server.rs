//! The server: a SIP endpoint, the calls that it has, and their ports, wired as the engine wires
//! them, but in virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use voxtrunk::agent::event::{self as agent, ThoughtId};
use voxtrunk::agent::judgement::Judgement;
use voxtrunk::agent::tool::ToolCall;
use voxtrunk::audio::codec::Codec;
use voxtrunk::audio::coder::Decoder;
use voxtrunk::audio::library::Libraries;
use voxtrunk::audio::packing::Wishes;
use voxtrunk::audio::speech;
use voxtrunk::base::id::{CallId, PortId, SessionId};
use voxtrunk::base::price::Prices;
use voxtrunk::base::scope::Scope;
use voxtrunk::call::admission::Badge;
use voxtrunk::call::briefing::{Briefing, MediaPolicy, Tapes, Terms};
use voxtrunk::call::chronicle::Arrival;
use voxtrunk::call::conductor::Conductor;
use voxtrunk::call::event::{self, Fact, Input, Output};
use voxtrunk::call::exchange::{self, Exchange};
use voxtrunk::dialplan::flow;
use voxtrunk::dialplan::plan::{Plan, Route};
use voxtrunk::media;
use voxtrunk::media::link::Passage;
use voxtrunk::media::port::Port;
use voxtrunk::rtp::packet::{Malformed, Packet};
use voxtrunk::sip;
use voxtrunk::sip::endpoint::{Endpoint, Settings};
use voxtrunk::sip::event::{
    Command, Event, Flow, Incoming, Refusal, SessionId as Session, Standing, Transport,
};
use voxtrunk::sip::route::Sockets;

use super::actor::Actor;
use super::ear::Ear;
use super::mouth::Mouth;
use super::network::Side;
use super::scene::{Job, Order, Pipe, SIP, Scene, address, side_of};
use super::tongue::{QUIET, power};

/// The server.
pub struct Server {
    pub endpoint: Endpoint,
    pub actors: Vec<Actor>,
    pub routes: Vec<Route>,
    /// What each call may do.
    pub terms: Terms,
    /// How long binding a socket takes, and how many pairs there are.
    pub bind_after: Duration,
    pub pairs: u16,
    /// After how long without a packet a call ends.
    pub media_timeout: Duration,
    /// How many calls there may be.
    pub max_calls: usize,
    /// The routes with their hours, in the place of `routes`.
    pub plan: Option<Plan>,
    /// The flows by name.
    pub flows: BTreeMap<String, Arc<flow::Flow>>,
    /// When the first call comes, since the Unix epoch.
    pub epoch: Duration,
    /// What the operator's tools answer, and after how long.
    pub tools: Tools,
    /// What happened, in order.
    pub facts: Vec<(u64, SessionId, Fact)>,
    /// When voice was sent, and when silence.
    pub packets: Vec<Sent>,
    pub calls: BTreeMap<SessionId, Call>,
    /// When we answered which caller.
    answered: BTreeMap<SessionId, Instant>,
    pub ports: BTreeMap<PortId, Port>,
    /// Which call a session belongs to.
    sessions: BTreeMap<SessionId, SessionId>,
    exchange: Exchange,
    winding_up: bool,
    /// How many pairs of ports were bound.
    bound: u16,
}

/// What the operator's tools answer to a call, with what it is told, and after how long.
pub type Tools = Box<dyn FnMut(&ToolCall, &Scope) -> (Duration, Result<String, String>)>;

/// A packet that the server sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub at: u64,
    pub is_voice: bool,
}

/// A call and those who work for it.
pub struct Call {
    conductor: Conductor,
    /// The sockets of its ports.
    bound: BTreeMap<PortId, SocketAddr>,
    /// The port at which ear and mouth are.
    attached: PortId,
    actor: usize,
    ear: Ear,
    mouth: Mouth,
    thoughts: BTreeSet<ThoughtId>,
}

impl Server {
    pub fn new(scene: &mut Scene) -> Self {
        Self {
            endpoint: Endpoint::new(Settings::default(), scene.random.split()),
            actors: Vec::new(),
            routes: Vec::new(),
            terms: Terms::default(),
            bind_after: Duration::ZERO,
            pairs: 100,
            media_timeout: Duration::from_secs(20),
            max_calls: 100,
            plan: None,
            flows: BTreeMap::new(),
            epoch: Duration::from_secs(1_800_000_000),
            tools: Box::new(|call, _| unreachable!("no agent has the tool {}", call.name)),
            facts: Vec::new(),
            packets: Vec::new(),
            calls: BTreeMap::new(),
            answered: BTreeMap::new(),
            ports: BTreeMap::new(),
            sessions: BTreeMap::new(),
            exchange: Exchange::new(
                exchange::Settings {
                    sockets: Sockets::new([(Transport::Udp, address(Side::Server, SIP))]),
                    ..exchange::Settings::default()
                },
                scene.random.split(),
                scene.now,
            ),
            winding_up: false,
            bound: 0,
        }
    }

    /// When something is due.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let calls = self.calls.values();
        let calls = calls.flat_map(|call| [call.conductor.deadline(), call.mouth.deadline()]);
        let ports = self.ports.values().map(Port::deadline);
        let signalling = [self.endpoint.deadline(), self.exchange.deadline(now)];
        calls.chain(ports).chain(signalling).flatten().min()
    }

    /// Does what is due.
    pub fn tick(&mut self, scene: &mut Scene) {
        self.endpoint.tick(scene.now);
        self.exchange.tick(scene.now);
        self.drain_endpoint(scene);
        let due = |at: Option<Instant>, now: Instant| at.is_some_and(|at| at <= now);
        let ports: Vec<PortId> = self.ports.keys().copied().collect();
        for port in ports {
            if self.ports.get(&port).is_some_and(|port| due(port.deadline(), scene.now)) {
                self.with_port(scene, port, |port, now| port.tick(now));
                self.feed(scene, port);
            }
        }
        for id in self.ids() {
            let Some(call) = self.calls.get_mut(&id) else { continue };
            if due(call.conductor.deadline(), scene.now) {
                call.conductor.tick(scene.now);
                self.drain_call(scene, id);
            }
            self.work(scene, id);
        }
    }

    /// Lets something happen.
    pub fn handle(&mut self, scene: &mut Scene, job: Job) {
        match job {
            Job::Datagram { from, to, bytes } => self.receive(scene, (from, to), bytes),
            Job::Sip(command) => {
                if let Some(command) = self.exchange.obey(command) {
                    self.endpoint.handle(scene.now, sip::event::Input::Command(command));
                }
                self.drain_endpoint(scene);
            }
            Job::Place(placement) => {
                self.exchange.place(scene.now, placement);
                self.drain_endpoint(scene);
            }
            Job::Call(id, input) => self.tell(scene, id, input),
            Job::Media(id, order) => self.obey(scene, id, order),
            Job::Thought(id, thought, delta) => {
                let last = !matches!(delta, agent::Delta::Text(_) | agent::Delta::Tool(_));
                let Some(call) = self.calls.get_mut(&id) else { return };
                let live = call.thoughts.contains(&thought);
                if last {
                    call.thoughts.remove(&thought);
                }
                if live {
                    self.tell(scene, id, Input::Mind(agent::Input::Thought { thought, delta }));
                }
            }
            Job::Text(id, agent, input) => {
                if self.calls.get(&id).is_some_and(|call| call.ear.agent == agent) {
                    self.tell(scene, id, input);
                }
            }
        }
    }

    /// The server drains: every call is told once.
    pub fn wind_up(&mut self, scene: &mut Scene) {
        self.winding_up = true;
        for id in self.ids() {
            self.tell(scene, id, Input::WindUp);
        }
    }

    /// The server goes down.
    pub fn shut_down(&mut self, scene: &mut Scene) {
        self.winding_up = true;
        for id in self.ids() {
            self.tell(scene, id, Input::Shutdown);
        }
    }

    /// Whether nothing is left of any call.
    pub fn is_idle(&self) -> bool {
        self.endpoint.is_idle() && self.calls.is_empty() && self.ports.is_empty()
    }

    fn ids(&self) -> Vec<SessionId> {
        self.calls.keys().copied().collect()
    }

    // Signalling.

    fn receive(&mut self, scene: &mut Scene, (from, to): (SocketAddr, SocketAddr), bytes: Bytes) {
        let now = scene.now;
        if to.port() == SIP {
            let (flow, standing) = (Flow::udp(to, from), Standing::Trusted);
            let received = sip::event::Input::Received { bytes, flow, standing };
            self.endpoint.handle(now, received);
            return self.drain_endpoint(scene);
        }
        let control = to.port() % 2 == 1;
        let rtp = if control { to.port() - 1 } else { to.port() };
        let bound = self.calls.values().flat_map(|call| &call.bound);
        let port = bound.into_iter().find(|(_, bound)| bound.port() == rtp).map(|(port, _)| *port);
        let Some(port) = port else { return };
        self.with_port(scene, port, |port, now| {
            if control {
                port.handle_rtcp(now, from, &bytes)
            } else {
                port.handle_rtp(now, from, &bytes)
            }
        });
    }

    fn drain_endpoint(&mut self, scene: &mut Scene) {
        loop {
            while let Some(output) = self.endpoint.poll() {
                match output {
                    sip::event::Output::Transmit { flow, bytes } => {
                        scene.signal(flow.local, flow.remote, bytes);
                    }
                    sip::event::Output::Event(Event::Incoming(incoming)) => {
                        self.arrive(scene, incoming)
                    }
                    sip::event::Output::Event(event) => {
                        if let Some(event) = self.exchange.hear(scene.now, event) {
                            self.report(scene, event);
                        }
                    }
                    sip::event::Output::Notice(notice) => self.exchange.notice(&notice),
                }
            }
            let Some(output) = self.exchange.poll() else { return };
            match output {
                exchange::Output::Command(command) => {
                    self.endpoint.handle(scene.now, sip::event::Input::Command(command));
                }
                exchange::Output::Event(event) => self.report(scene, event),
                exchange::Output::Offered(session, srtp) => {
                    if let Some(id) = self.sessions.get(&session).copied() {
                        let offered = Input::Offered { session, srtp };
                        scene.pipe(Pipe::FromSip, id, Job::Call(id, offered));
                    }
                }
                exchange::Output::Resolve(..)
                | exchange::Output::Sign(..)
                | exchange::Output::Turned(..)
                | exchange::Output::Stands(..)
                | exchange::Output::Tried(..)
                | exchange::Output::Known(..) => panic!("there are neither names nor trunks"),
            }
        }
    }

    fn report(&mut self, scene: &mut Scene, event: Event) {
        let session = session_of(&event);
        if let Some(id) = self.sessions.get(&session).copied() {
            scene.pipe(Pipe::FromSip, id, Job::Call(id, Input::Sip(event)));
        }
    }

    fn arrive(&mut self, scene: &mut Scene, incoming: Box<Incoming>) {
        let id = incoming.session;
        if self.winding_up || self.calls.len() >= self.max_calls {
            let refusal = Refusal { retry_after: Some(10), ..Refusal::status(503) };
            let command = Command::Refuse { session: id, refusal };
            return scene.pipe(Pipe::ToSip, id, Job::Sip(command));
        }
        let since_epoch = self.epoch;
        let call = CallId::new(since_epoch, &mut scene.random);
        let came = Arrival {
            call,
            trunk: Badge::default(),
            at: scene.now,
            since_epoch,
            random: scene.random.split(),
            verification: None,
        };
        let call = Call {
            conductor: Conductor::new(came, incoming, Arc::new(self.briefing())),
            bound: BTreeMap::new(),
            attached: PortId(id.0),
            actor: 0,
            ear: Ear::default(),
            mouth: Mouth::default(),
            thoughts: BTreeSet::new(),
        };
        self.calls.insert(id, call);
        self.sessions.insert(id, id);
        self.drain_call(scene, id);
    }

    fn briefing(&self) -> Briefing {
        let agents = self.actors.iter().map(|actor| (actor.name.clone(), actor.casting()));
        Briefing {
            plan: self.plan.clone().unwrap_or_else(|| Plan::of(self.routes.clone())),
            phones: BTreeMap::new(),
            numbering: Default::default(),
            privacy: Default::default(),
            agents: agents.collect(),
            squads: BTreeMap::new(),
            flows: self.flows.clone(),
            queues: BTreeMap::new(),
            letterboxes: Default::default(),
            streams: BTreeMap::new(),
            openai: None,
            sample: None,
            prices: Prices::default(),
            trunks: BTreeMap::from([(Arc::from(""), self.terms.clone())]),
            tapes: Tapes::default(),
            media: MediaPolicy {
                address: address(Side::Server, 0).ip(),
                codecs: vec![Codec::Pcmu, Codec::Pcma],
                wishes: Wishes::default(),
                srtp: Arc::default(),
                keys: None,
                libraries: Libraries::default(),
                symmetric: true,
                timeout: self.media_timeout,
                speech: speech::Settings::default(),
                jitter: Default::default(),
            },
        }
    }

    // The call.

    fn tell(&mut self, scene: &mut Scene, id: SessionId, input: Input) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.conductor.handle(scene.now, input);
            self.drain_call(scene, id);
        }
    }

    fn drain_call(&mut self, scene: &mut Scene, id: SessionId) {
        while let Some(output) = self.calls.get_mut(&id).and_then(|call| call.conductor.poll()) {
            self.carry_out(scene, id, output);
        }
        self.work(scene, id);
    }

    fn carry_out(&mut self, scene: &mut Scene, id: SessionId, output: Output) {
        match output {
            Output::Sip(command) => self.say(scene, id, command),
            Output::Pair(near, _) => self.pair(scene, near),
            Output::Place(placement) => {
                self.sessions.insert(placement.session, id);
                scene.pipe(Pipe::ToSip, id, Job::Place(placement));
            }
            // Nobody here calls to take the place of another one.
            Output::Retire(_) => {}
            Output::BindSocket(port) => self.bind(scene, id, port),
            Output::OpenPort(port, settings) => {
                let Some(call) = self.calls.get_mut(&id) else { return };
                if port == call.attached {
                    call.mouth.open(settings.codec.rate());
                }
                scene.pipe(Pipe::ToMedia, id, Job::Media(port, Order::Open(settings)));
            }
            Output::Media(port, command) => {
                scene.pipe(Pipe::ToMedia, id, Job::Media(port, Order::Command(command)));
            }
            Output::ClosePort(port) => {
                scene.pipe(Pipe::ToMedia, id, Job::Media(port, Order::Close));
            }
            Output::Entrust(_)
            | Output::Decide(_)
            | Output::Join(..)
            | Output::Leave(_)
            | Output::Queue(..)
            | Output::Stream(..)
            | Output::LookInto(..)
            | Output::TakeDown(..)
            | Output::TakenDown(..) => unreachable!("no route leads so far outside"),
            Output::Attach(port) => {
                let Some(call) = self.calls.get_mut(&id) else { return };
                call.attached = port;
            }
            Output::Engage(casting) => {
                let named = self.actors.iter().position(|actor| actor.name == casting.name);
                let Some(call) = self.calls.get_mut(&id) else { return };
                call.actor = named.expect("every casting has an actor");
                call.ear.engage(self.actors[call.actor].hearing);
                call.mouth.engage(self.actors[call.actor].voice);
            }
            Output::Mind(order) => self.mind(scene, id, order),
            Output::Use { call, scope } => {
                let (takes, answer) = (self.tools)(&call, &scope);
                let result = match answer {
                    Ok(told) => call.done(told),
                    Err(why) => call.failed(why),
                };
                scene.later(takes, Job::Call(id, Input::ToolDone(result)));
            }
            Output::Fact(fact) => self.facts.push((scene.millis(scene.now), id, fact)),
            Output::Over => {
                // The task of the call ends and whatever it held is dropped.
                let Some(call) = self.calls.remove(&id) else { return };
                for port in call.bound.into_keys() {
                    scene.pipe(Pipe::ToMedia, id, Job::Media(port, Order::Close));
                }
                self.sessions.retain(|_, call| *call != id);
            }
        }
    }

    fn say(&mut self, scene: &mut Scene, id: SessionId, command: Command) {
        if matches!(command, Command::Answer { session, .. } if session == id) {
            self.answered.insert(id, scene.now);
        }
        scene.pipe(Pipe::ToSip, id, Job::Sip(command));
    }

    /// A quick phone may ask for the other end as soon as it is answered.
    fn pair(&self, scene: &Scene, near: SessionId) {
        let answered = self.answered.get(&near);
        assert_ne!(answered, Some(&scene.now), "answered before its other end is known");
    }

    fn bind(&mut self, scene: &mut Scene, id: SessionId, port: PortId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        self.bound += 1;
        let bound = address(Side::Server, 20_000 + 2 * self.bound);
        let bound = (self.bound <= self.pairs).then_some(bound);
        call.bound.extend(bound.map(|bound| (port, bound)));
        let sockets = bound.map(|own| event::Sockets { own, browsers: None });
        let input = Input::Socket(port, sockets);
        if self.bind_after.is_zero() {
            call.conductor.handle(scene.now, input);
        } else {
            scene.later(self.bind_after, Job::Call(id, input));
        }
    }

    fn mind(&mut self, scene: &mut Scene, id: SessionId, order: agent::Output) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        match order {
            agent::Output::Listen => call.ear.listen(&scene.tongue),
            agent::Output::Finalize(pause) => {
                let Some((input, transcriber)) = call.ear.finalize(pause, &scene.tongue) else {
                    return;
                };
                let job = Job::Text(id, call.ear.agent, Input::Mind(input));
                scene.later(transcriber.takes, job);
            }
            agent::Output::Judge(pause) => {
                let Some(model) = self.actors[call.actor].turn_model else { return };
                let judgement = Judgement { pause, complete: model.says };
                let input = Input::Mind(agent::Input::Judged(judgement));
                scene.later(model.takes, Job::Text(id, call.ear.agent, input));
            }
            agent::Output::Forget => call.ear.forget(),
            agent::Output::Think { thought, request } => {
                call.thoughts.insert(thought);
                let mut after = Duration::ZERO;
                for (wait, delta) in (self.actors[call.actor].mind)(&request) {
                    after += Duration::from_millis(wait);
                    scene.later(after, Job::Thought(id, thought, delta));
                }
            }
            agent::Output::Abandon(thought) => {
                call.thoughts.remove(&thought);
            }
            agent::Output::Speak(utterance) => call.mouth.speak(utterance),
            agent::Output::Release { through } => call.mouth.release(through),
            agent::Output::Flush { through } => call.mouth.flush(through),
            agent::Output::Speaks(_) | agent::Output::Cut(_) => {}
            agent::Output::Pause
            | agent::Output::Duck
            | agent::Output::Resume
            | agent::Output::Run(_)
            | agent::Output::Note(_)
            | agent::Output::Over(_) => panic!("the conductor carries this out itself"),
        }
    }

    /// Lets the mouth of a call work on.
    fn work(&mut self, scene: &mut Scene, id: SessionId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (told, fed) = call.mouth.work(scene.now, &mut scene.tongue);
        for input in told {
            scene.later(Duration::ZERO, Job::Call(id, Input::Mind(input)));
        }
        if fed {
            scene.pipe(Pipe::ToMedia, id, Job::Media(call.attached, Order::Feed));
        }
    }

    // Media.

    fn obey(&mut self, scene: &mut Scene, id: PortId, order: Order) {
        match order {
            Order::Open(settings) => {
                let port = Port::new(*settings, scene.now, &mut scene.random);
                assert!(self.ports.insert(id, port).is_none(), "a port is opened once");
                self.drain_port(scene, id);
            }
            Order::Command(command) => {
                self.with_port(scene, id, |port, now| port.handle(now, command));
            }
            Order::Feed => self.feed(scene, id),
            Order::Close => {
                self.with_port(scene, id, Port::close);
                self.ports.remove(&id);
            }
        }
    }

    /// The call to which a port belongs.
    fn owner(&self, port: PortId) -> Option<SessionId> {
        let owns = |call: &Call| call.bound.contains_key(&port);
        self.calls.iter().find(|(_, call)| owns(call)).map(|(id, _)| *id)
    }

    /// Moves what stands in the ring into the port, so that it is not far ahead.
    fn feed(&mut self, scene: &mut Scene, id: PortId) {
        let Some(owner) = self.owner(id) else { return };
        while self.ports.get(&id).is_some_and(|port| port.queued() < AHEAD) {
            let Some(call) = self.calls.get_mut(&owner) else { return };
            if call.attached != id {
                return;
            }
            let Some(command) = call.mouth.take() else { return };
            self.with_port(scene, id, |port, now| port.handle(now, command));
        }
    }

    fn with_port(&mut self, scene: &mut Scene, id: PortId, act: impl FnOnce(&mut Port, Instant)) {
        if let Some(port) = self.ports.get_mut(&id) {
            act(port, scene.now);
            self.drain_port(scene, id);
        }
    }

    /// Carries out what a port wants, and what those want that it passes something to.
    fn drain_port(&mut self, scene: &mut Scene, id: PortId) {
        let mut passages = VecDeque::from(self.drain_one(scene, id));
        while let Some((from, to, passage)) = passages.pop_front() {
            if let Some(port) = self.ports.get_mut(&to) {
                port.take(scene.now, from, &passage);
            }
            passages.extend(self.drain_one(scene, to));
        }
    }

    fn drain_one(&mut self, scene: &mut Scene, id: PortId) -> Vec<(PortId, PortId, Passage)> {
        use media::event::Output as Media;
        let owner = self.owner(id);
        let mut passages = Vec::new();
        let Some(port) = self.ports.get_mut(&id) else { return passages };
        while let Some(output) = port.poll() {
            let call = owner.and_then(|owner| Some((owner, self.calls.get_mut(&owner)?)));
            let Some((owner, call)) = call else { continue };
            let bound = call.bound[&id];
            match output {
                Media::SendRtp { to, bytes } => {
                    let sent = Sent { at: scene.millis(scene.now), is_voice: is_voice(&bytes) };
                    if side_of(to.ip()) == Side::Phone {
                        self.packets.push(sent);
                    }
                    scene.stream(bound, to, bytes);
                }
                Media::SendRtcp { to, bytes } => {
                    scene.stream(address(Side::Server, bound.port() + 1), to, bytes);
                }
                Media::Heard(frame) => {
                    if let Some(input) = call.ear.hear(scene.now, frame, &scene.tongue) {
                        scene.later(Duration::ZERO, Job::Call(owner, Input::Mind(input)));
                    }
                }
                Media::Window(window) => port.hear(scene.now, probability(&window)),
                Media::Recorded { .. } => {}
                Media::Pass { to, passage } => passages.push((id, to, passage)),
                Media::Event(event) => {
                    scene.pipe(Pipe::FromMedia, owner, Job::Call(owner, Input::Media(id, event)));
                }
            }
        }
        passages
    }
}

/// How likely a window is speech, by its power.
pub fn probability(window: &media::event::Window) -> f32 {
    let power: f32 = window.iter().map(|sample| sample * sample).sum::<f32>() / window.len() as f32;
    if f64::from(power) >= QUIET { 0.95 } else { 0.02 }
}

/// Whether a packet of PCMU carries voice.
fn is_voice(bytes: &[u8]) -> bool {
    let packet = match Packet::parse(bytes) {
        Err(Malformed::Rtcp) => return false,
        packet => packet.expect("our own packet"),
    };
    let mut samples = Vec::new();
    Decoder::plain(Codec::Pcmu).decode(packet.payload, &mut samples);
    packet.header.payload_type == 0 && power(&samples) >= QUIET
}

fn session_of(event: &Event) -> Session {
    match event {
        Event::Incoming(incoming) => incoming.session,
        Event::Progressed { session, .. }
        | Event::Answered { session, .. }
        | Event::Confirmed { session, .. }
        | Event::Reoffered { session, .. }
        | Event::ReferReceived { session, .. }
        | Event::Referred { session, .. }
        | Event::Redirected { session, .. }
        | Event::OfferAnswered { session, .. }
        | Event::Written { session, .. }
        | Event::Info { session, .. }
        | Event::Ended { session, .. } => *session,
        Event::Told { .. } | Event::Texted(_) => {
            unreachable!("nobody asks anything outside of calls")
        }
    }
}

/// How much a port holds ahead of what it plays.
const AHEAD: Duration = Duration::from_millis(400);
