//! The task of one call: feeds the conductor and carries out what it orders.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::agent;
use crate::agent::event::ThoughtId;
use crate::agent::tool::ToolCall;
use crate::audio::codec::Codec;
use crate::audio::frame::Rate;
use crate::base::id::{CallId, PortId};
use crate::base::scope::Scope;
use crate::call::campaign::entry::Outcome;
use crate::call::conductor::Conductor;
use crate::call::decision::Inquiry;
use crate::call::event::{Fact, Input, Output, Sockets, Word};
use crate::call::queue;
use crate::call::record::Record;
use crate::call::stream::{self, StreamId};
use crate::call::voicemail::Fate;
use crate::engine::aftermath;
use crate::engine::ai::crew::Crew;
use crate::engine::ai::shift::Shift;
use crate::engine::ai::think::Thinking;
use crate::engine::ai::{listen, speak};
use crate::engine::audio_streams::desk;
use crate::engine::bus::{Bus, Standing};
use crate::engine::clock;
use crate::engine::conferences::{self, ConferencesHandle};
use crate::engine::deciding;
use crate::engine::errands::ErrandsHandle;
use crate::engine::journal;
use crate::engine::mailbox::{Inbox, Mailbox};
use crate::engine::media_shard::{self, MediaHandle, Opening, Pipes, Spoken};
use crate::engine::memories::Memories;
use crate::engine::playbill::Playbill;
use crate::engine::queues::{self, QueuesHandle};
use crate::engine::recorder::Recorder;
use crate::engine::roll::Reporter;
use crate::engine::sip_shard::{self, SipHandle, until};
use crate::engine::voicemail::note::{Job, Note, State};
use crate::engine::voicemail::postman::Postbox;
use crate::media::event::Settings;
use crate::net::ports::{Pair, Ports};
use crate::net::web::Web;
use crate::providers::model::Model;
use crate::providers::realtime::{Format, Talk};

/// What all calls share.
#[derive(Debug)]
pub struct House {
    /// The signalling.
    pub sip: SipHandle,
    /// The media.
    pub media: MediaHandle,
    /// Pairs of media ports.
    pub ports: Ports,
    /// Who writes recordings, and where to.
    pub recorder: Recorder,
    /// The folder of recordings.
    pub recordings: PathBuf,
    /// Where facts are told.
    pub bus: Bus,
    /// The rooms of conferences.
    pub conferences: ConferencesHandle,
    /// Those who hold the queues.
    pub queues: QueuesHandle,
    /// Who finishes what a call has begun.
    pub errands: ErrandsHandle,
    /// What is kept of callers for their next call.
    pub memories: Memories,
    /// Where messages are put that callers leave.
    pub postbox: Postbox,
    /// How servers of the operator's are asked.
    pub web: Web,
}

/// How a running call is told that the server stops.
#[derive(Debug, Clone)]
pub struct Stops {
    /// Say goodbye.
    pub wind_up: CancellationToken,
    /// Hang up.
    pub now: CancellationToken,
}

/// A port of the call.
#[derive(Debug)]
enum Port {
    /// Its sockets are bound.
    Bound(Pair),
    /// It is open and plays at this rate; what is spoken may go into the ring, as long as nobody
    /// has it.
    Open(Rate, Option<rtrb::Producer<Spoken>>),
}

/// One call at work.
#[derive(Debug)]
pub struct CallTask {
    call: CallId,
    /// The port at which those who hear and speak are.
    attached: PortId,
    /// The ports of all legs: one media shard has them all, since they pass audio to each other.
    ports: HashMap<PortId, Port>,
    conductor: Conductor,
    house: Arc<House>,
    /// Who works for the agents, as it was when the call began.
    playbill: Arc<Playbill>,
    mailbox: Mailbox,
    ear: mpsc::Sender<listen::Order>,
    mouth: mpsc::Sender<speak::Order>,
    frames: Option<mpsc::Receiver<crate::audio::frame::Frame>>,
    heard: mpsc::Sender<crate::audio::frame::Frame>,
    ear_orders: Option<mpsc::Receiver<listen::Order>>,
    mouth_orders: Option<mpsc::Receiver<speak::Order>>,
    crew: Option<Arc<Crew>>,
    models: Option<Arc<Shift<dyn Model>>>,
    /// Who hears, thinks and speaks in one.
    talk: Option<Arc<dyn Talk>>,
    /// What the caller's leg speaks.
    format: Format,
    thoughts: HashMap<ThoughtId, AbortHandle>,
    /// A message that is being left, and when its file is closed.
    message: Option<(Note, oneshot::Receiver<()>)>,
    /// Who holds the line by a stream, if anybody does.
    streams: desk::Desk,
    workers: JoinSet<()>,
    /// Who is told what came of the call, if anybody.
    reporter: Option<Reporter>,
}

impl CallTask {
    /// Tells somebody at the end what came of the call.
    #[must_use]
    pub fn reporting_to(self, reporter: Option<Reporter>) -> Self {
        Self { reporter, ..self }
    }

    /// Makes the task of a call that was admitted.
    pub fn new(
        call: CallId,
        conductor: Conductor,
        (house, playbill): (Arc<House>, Arc<Playbill>),
        mailbox: Mailbox,
    ) -> Self {
        let (heard, frames) = mpsc::channel(LISTEN_FRAMES);
        let (ear, ear_orders) = mpsc::channel(ORDERS);
        let (mouth, mouth_orders) = mpsc::channel(ORDERS);
        Self {
            call,
            attached: PortId(conductor.sip_session().0),
            ports: HashMap::new(),
            conductor,
            house,
            playbill,
            mailbox,
            ear,
            mouth,
            frames: Some(frames),
            heard,
            ear_orders: Some(ear_orders),
            mouth_orders: Some(mouth_orders),
            crew: None,
            models: None,
            talk: None,
            format: Format::default(),
            thoughts: HashMap::new(),
            message: None,
            streams: desk::Desk::default(),
            workers: JoinSet::new(),
            reporter: None,
        }
    }

    /// Runs until the call is over.
    pub async fn run(mut self, mut inbox: Inbox, stops: Stops) {
        self.remember().await;
        let (mut winding, mut stopping) = (false, false);
        let mut stuck = false;
        loop {
            while let Some(output) = self.conductor.poll() {
                if !self.carry_out(output).await {
                    for port in self.ports.keys() {
                        self.media(media_shard::Order::Close(*port));
                    }
                    return;
                }
            }
            let deadline = self.conductor.deadline();
            tokio::select! {
                biased;
                () = stops.now.cancelled(), if !stopping => {
                    stopping = true;
                    self.conductor.handle(clock::now(), Input::Shutdown);
                }
                () = inbox.stuck.cancelled(), if !stuck => {
                    stuck = true;
                    tracing::error!("the call does not keep up with its events");
                    self.conductor.handle(clock::now(), Input::Shutdown);
                }
                () = stops.wind_up.cancelled(), if !winding => {
                    winding = true;
                    self.conductor.handle(clock::now(), Input::WindUp);
                }
                input = inbox.inputs.recv() => match input {
                    Some(input) => self.conductor.handle(clock::now(), input),
                    None => return,
                },
                Some(asker) = inbox.inquiries.recv() => {
                    // Who asked may have gone meanwhile.
                    asker.send(self.conductor.overview(clock::now())).ok();
                }
                Some(done) = self.workers.join_next(), if !self.workers.is_empty() => {
                    if let Err(why) = done && why.is_panic() {
                        tracing::error!(%why, "a worker of the call broke");
                        self.conductor.handle(clock::now(), Input::Shutdown);
                    }
                }
                () = until(deadline) => self.conductor.tick(clock::now()),
            }
        }
    }

    /// What is known of the callers of this call's tenant.
    fn memories(&self) -> Memories {
        self.house.memories.of(self.conductor.tenant())
    }

    /// Has looked up what is known of the caller, if an agent wants to know; it is there before
    /// somebody answers.
    async fn remember(&mut self) {
        let mut agents = self.playbill.briefing.agents.values();
        let is_wanted = agents.any(|casting| casting.assistant.memory.calls > 0);
        let Some(caller) = self.conductor.calling_number().filter(|_| is_wanted) else { return };
        let known = self.memories().look_up(caller, clock::since_epoch()).await;
        self.conductor.handle(clock::now(), Input::Remembered(known));
    }

    /// Does one thing; false when it was the last.
    async fn carry_out(&mut self, output: Output) -> bool {
        match output {
            Output::Sip(command) => {
                self.house.sip.order(sip_shard::Order::Command(command)).await;
            }
            Output::Place(placement) => {
                let order = sip_shard::Order::Place(self.mailbox.clone(), placement);
                self.house.sip.order(order).await;
            }
            Output::Retire(named) => {
                self.house.sip.order(sip_shard::Order::Retire(named)).await;
            }
            Output::Pair(one, other) => {
                self.house.sip.order(sip_shard::Order::Pair(one, other)).await;
            }
            Output::Decide(inquiry) => self.ask_way(*inquiry),
            Output::Entrust(charge) => self.playbill.entrust(self.call, *charge, &self.mailbox),
            Output::BindSocket(port) => self.bind(port),
            Output::OpenPort(port, settings) => self.open(port, *settings).await,
            Output::Media(port, command) => {
                self.media(media_shard::Order::Command(port, command));
            }
            Output::ClosePort(port) => self.close(port).await,
            Output::Join(room, port) => {
                let mailbox = self.mailbox.clone();
                self.confer(conferences::Order::Join { room, port, mailbox }).await;
            }
            Output::Leave(port) => self.confer(conferences::Order::Leave(port)).await,
            Output::Queue(caller, input) => self.tell_queue(caller, input).await,
            Output::LookInto(mailbox, most) => self.look_into(mailbox, most),
            Output::TakeDown(port, word) => self.take_down(port, *word).await,
            Output::TakenDown(port, fate) => self.taken_down(port, fate),
            Output::Attach(port) => {
                self.attached = port;
                self.give_mouth(port).await;
            }
            Output::Engage(casting) => self.engage(&casting.name).await,
            Output::Mind(order) => self.order(order).await,
            Output::Use { call, scope } => self.use_tool(call, scope),
            Output::Stream(stream, order) => self.stream(stream, order),
            Output::Fact(fact) => self.tell(fact).await,
            Output::Over => {
                self.streams.part().await;
                return false;
            }
        }
        true
    }

    /// Tells what happened to the log, and to all who want to know.
    async fn tell(&mut self, fact: Fact) {
        journal::write(&fact);
        let (after, standing) = match &fact {
            Fact::Ended { record, .. } => {
                self.report(record);
                let house = (&self.house.bus, self.memories());
                let after = aftermath::errand(&self.playbill, house, record);
                let standing = if after.is_some() { Standing::Read } else { Standing::Over };
                (after, standing)
            }
            _ => (None, Standing::Up(Box::new(self.conductor.so_far(clock::now())))),
        };
        self.house.bus.tell(self.call, fact, standing).await;
        if after.and_then(|after| self.house.errands.give(after).err()).is_some() {
            tracing::warn!("too many calls end: what was said in this one is not read");
        }
    }

    /// Tells whoever waits for it what came of the call.
    fn report(&mut self, record: &Record) {
        if let Some(reporter) = self.reporter.take() {
            // Who waited may have gone meanwhile.
            reporter.send(Outcome::of_record(record)).ok();
        }
    }

    /// Has somebody look whether there is room for another message. A disk that does not say is no
    /// reason to hang up.
    fn look_into(&mut self, mailbox: String, most: u32) {
        let (shelf, caller) = (self.house.postbox.shelf.clone(), self.mailbox.clone());
        self.workers.spawn(async move {
            let count = tokio::task::spawn_blocking(move || shelf.count(&mailbox)).await;
            let has_room = count.unwrap_or_default() < most as usize;
            // A call that is gone needs nothing.
            caller.deliver(Input::Room(has_room)).await.ok();
        });
    }

    /// Lets what is said at a port be a message.
    async fn take_down(&mut self, port: PortId, word: Word) {
        let terms = self.playbill.briefing.letterboxes.get(&word.mailbox).map(|it| &it.terms);
        let jobs = (
            Job::wanted(terms.is_some_and(|terms| terms.transcribe.is_some())),
            Job::wanted(terms.is_some_and(|terms| terms.email.is_some())),
        );
        let (recorder, shelf) = (&self.house.recorder, self.house.postbox.shelf.clone());
        let note = Note {
            tenant: self.conductor.tenant().to_owned(),
            ..Note::begin(self.call, word, recorder.key().is_some(), jobs)
        };
        let track = PortId(self.call.session(u8::MAX).0);
        let (track, closed) = recorder.open_voice(track, shelf.sound(&note), Rate::WIDE);
        // The note stands there first: a server that is killed finds the message by it.
        let begun = note.clone();
        let put = tokio::task::spawn_blocking(move || shelf.put(&begun)).await;
        if let Ok(Err(why)) = put {
            tracing::error!(%why, "the note of a message cannot be written");
        }
        self.media(media_shard::Order::TakeDown(port, Some(Box::new(track))));
        self.message = Some((note, closed));
    }

    /// What is said is no message any more. Its end is written even when the call is over.
    fn taken_down(&mut self, port: PortId, fate: Fate) {
        self.media(media_shard::Order::TakeDown(port, None));
        let Some((note, closed)) = self.message.take() else { return };
        let postbox = self.house.postbox.clone();
        let ending = async move {
            // Whoever closes the file may have gone: then it is as long as it is.
            closed.await.ok();
            let shelf = postbox.shelf.clone();
            let ended = tokio::task::spawn_blocking(move || match fate {
                Fate::Kept(lasted) => {
                    shelf.change(&note, |note| note.end(State::Complete, lasted)).map(|_| ())
                }
                Fate::TooShort | Fate::Full => shelf.delete(&note),
            });
            if let Ok(Err(why)) = ended.await {
                tracing::error!(%why, "the end of a message cannot be written");
            }
            postbox.ring();
        };
        if self.house.errands.give(ending.boxed()).is_err() {
            tracing::warn!("too many calls end: a message is taken up at the next start");
        }
    }

    /// Has a tool run. What changes something is finished even when the caller hangs up.
    fn use_tool(&mut self, call: ToolCall, scope: Scope) {
        let work = self.playbill.tools.used(call, scope);
        let changes = work.changes;
        let told = work.told(self.mailbox.clone());
        let left = if changes { self.house.errands.give(told).err() } else { Some(told) };
        left.map(|told| self.workers.spawn(told));
    }

    /// Asks a server of the operator's where the call goes.
    fn ask_way(&mut self, inquiry: Inquiry) {
        let (call, web, mailbox) = (self.call, self.house.web.clone(), self.mailbox.clone());
        let named = self.playbill.deciders.get(&inquiry.url).cloned();
        self.workers.spawn(async move {
            // A call that is gone needs nothing.
            mailbox.deliver(deciding::ask((&web, named), call, inquiry).await).await.ok();
        });
    }

    fn media(&self, order: media_shard::Order) {
        self.house.media.order(order);
    }

    /// Opens a stream, or tells the one who holds the line.
    fn stream(&mut self, stream: StreamId, order: stream::Order) {
        let (mailbox, media) = (&self.mailbox, &self.house.media);
        let rate = match self.streams.port(&order).and_then(|port| self.ports.get(&port)) {
            Some(Port::Open(rate, _)) => *rate,
            Some(Port::Bound(_)) | None => Rate::NARROW,
        };
        let needs = desk::Needs { call: self.call, playbill: &self.playbill, mailbox, media };
        let place = desk::Place { rate, media, heard: &self.heard };
        if let Some(work) = self.streams.order((stream, order), &needs, &place) {
            self.workers.spawn(work);
        }
    }

    async fn tell_queue(&mut self, caller: PortId, input: queue::Input) {
        let order = queues::Order::Tell(caller, input, self.mailbox.clone());
        // The queues close when the server goes down; so does the call.
        self.house.queues.send(order).await.ok();
    }

    async fn confer(&mut self, order: conferences::Order) {
        // The rooms close when the server goes down; so does the call.
        self.house.conferences.send(order).await.ok();
    }

    fn bind(&mut self, port: PortId) {
        let local = match self.house.ports.bind() {
            Ok(pair) => {
                let own = pair.local;
                self.ports.insert(port, Port::Bound(pair));
                Some(Sockets { own, browsers: self.house.media.browsers() })
            }
            Err(why) => {
                tracing::error!(%why, "no media port is free");
                None
            }
        };
        self.conductor.handle(clock::now(), Input::Socket(port, local));
    }

    async fn open(&mut self, port: PortId, settings: Settings) {
        let Some(Port::Bound(sockets)) = self.ports.remove(&port) else { return };
        let codec = settings.codec;
        let rate = codec.rate();
        let (ring, spoken) = rtrb::RingBuffer::new(RING);
        let recording = settings.recording.then(|| {
            let place = (self.call, self.house.recordings.as_path());
            self.house.recorder.open_call(port, place, rate)
        });
        let mailbox = self.mailbox.clone();
        let pipes = Pipes { mailbox, heard: self.heard.clone(), spoken, recording };
        // A browser comes to the port of all browsers, where they are expected.
        let is_shared = settings.web.is_some() && self.house.media.browsers().is_some();
        let sockets = (!is_shared).then_some(sockets);
        let opening = Opening { port, sockets, settings, pipes };
        self.media(media_shard::Order::Open(Box::new(opening)));
        self.ports.insert(port, Port::Open(rate, Some(ring)));
        if port == self.attached {
            self.format = format_of(codec);
            self.attune();
            self.give_mouth(port).await;
        }
    }

    /// Tells whoever hears and speaks what the leg speaks.
    fn attune(&self) {
        if let Some(talk) = &self.talk {
            talk.attune(self.format);
        }
    }

    async fn close(&mut self, port: PortId) {
        if let Some(Port::Open(..)) = self.ports.remove(&port) {
            self.media(media_shard::Order::Close(port));
            self.mouth(speak::Order::Shut(port)).await;
        }
    }

    /// Lets the mouth speak at a port.
    async fn give_mouth(&mut self, port: PortId) {
        let Some(Port::Open(rate, ring)) = self.ports.get_mut(&port) else { return };
        let order = match ring.take() {
            Some(ring) => speak::Order::Open(port, *rate, ring),
            // It has spoken there before.
            None => speak::Order::Turn(port),
        };
        self.mouth.send(order).await.ok();
    }

    async fn engage(&mut self, agent: &str) {
        let Some(crew) = self.playbill.crews.get(agent) else {
            tracing::error!(agent, "the agent has no crew");
            return;
        };
        let (crew, talk) = crew.in_call();
        self.talk = talk;
        self.attune();
        if let (Some(orders), Some(frames)) = (self.ear_orders.take(), self.frames.take()) {
            let ear = listen::Ear::new(self.mailbox.clone());
            self.workers.spawn(ear.run(orders, frames));
        }
        if let Some(orders) = self.mouth_orders.take() {
            let mouth = speak::Mouth::new(self.mailbox.clone(), self.house.media.clone());
            self.workers.spawn(mouth.run(orders));
        }
        self.ear.send(listen::Order::Engage(crew.clone())).await.ok();
        self.mouth.send(speak::Order::Engage(crew.clone())).await.ok();
        self.workers.spawn(crew.clone().call_begins());
        self.models = Some(Arc::new(Shift::new(crew.models.clone(), self.mailbox.clone())));
        self.crew = Some(crew);
    }

    async fn order(&mut self, order: agent::event::Output) {
        use agent::event::Output as Mind;
        match order {
            Mind::Listen => self.ear(listen::Order::Begin).await,
            Mind::Finalize(pause) => self.ear(listen::Order::Finalize(pause)).await,
            Mind::Judge(pause) => self.ear(listen::Order::Judge(pause)).await,
            Mind::Forget => self.ear(listen::Order::Forget).await,
            Mind::Think { thought, request } => {
                let (Some(crew), Some(models)) = (&self.crew, &self.models) else { return };
                let (models, mailbox) = (models.clone(), self.mailbox.clone());
                let patience = crew.patience;
                let thinking = Thinking { models, patience, thought, request, mailbox };
                let handle = self.workers.spawn(thinking.run());
                self.thoughts.retain(|_, running| !running.is_finished());
                self.thoughts.insert(thought, handle);
            }
            Mind::Abandon(thought) => {
                if let Some(running) = self.thoughts.remove(&thought) {
                    running.abort();
                }
                if let Some(talk) = &self.talk {
                    talk.abandon(thought);
                }
            }
            Mind::Speak(utterance) => {
                if let Some(talk) = self.talk.as_ref().filter(|_| utterance.thought.is_none()) {
                    talk.said(&utterance);
                }
                self.mouth(speak::Order::Speak(utterance)).await;
            }
            Mind::Cut(portions) => {
                if let Some(talk) = &self.talk {
                    talk.cut(portions);
                }
            }
            Mind::Release { through } => self.mouth(speak::Order::Release(through)).await,
            Mind::Speaks(language) => {
                // Whoever hears and speaks in one is told by its instructions.
                let Some(crew) = self.crew.as_ref().filter(|_| self.talk.is_none()) else { return };
                let crew = Arc::new(crew.speaking(&language));
                self.ear(listen::Order::Engage(crew.clone())).await;
                self.mouth(speak::Order::Engage(crew)).await;
            }
            Mind::Flush { through } => self.mouth(speak::Order::Flush(through)).await,
            // The conductor carries these out itself.
            Mind::Pause
            | Mind::Duck
            | Mind::Resume
            | Mind::Run(_)
            | Mind::Note(_)
            | Mind::Over(_) => {}
        }
    }

    async fn ear(&mut self, order: listen::Order) {
        self.ear.send(order).await.ok();
    }

    async fn mouth(&mut self, order: speak::Order) {
        self.mouth.send(order).await.ok();
    }
}

/// How samples travel to whoever hears and speaks: as on the leg, if that is G.711.
fn format_of(codec: Codec) -> Format {
    match codec {
        Codec::Pcmu => Format::Pcmu,
        Codec::Pcma => Format::Pcma,
        Codec::G722 | Codec::Opus | Codec::L16Wide | Codec::L16Narrow | Codec::G729 => {
            Format::Linear
        }
    }
}

/// How many frames may wait for the ear: two seconds.
const LISTEN_FRAMES: usize = 100;

/// How many orders may wait for the ear or the mouth.
const ORDERS: usize = 64;

/// How many frames stand in the spoken ring: with what the port holds, one second.
const RING: usize = 30;
