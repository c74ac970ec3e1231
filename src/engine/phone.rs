//! The phone: a caller of our own, over real SIP and RTP, that plays a script to whoever answers.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::audio::codec::Codec;
use crate::audio::frame::{Frame, Rate};
use crate::audio::library::Libraries;
use crate::audio::packing::Wishes;
use crate::audio::resample;
use crate::audio::speech;
use crate::base::id::{PortId, SessionId, UtteranceId};
use crate::base::master_key::{Master, Suite};
use crate::base::network::Network;
use crate::call::admission::{self, Doorkeeper};
use crate::call::conductor::CALL_HEADER;
use crate::call::event::Input;
use crate::engine::clock;
use crate::engine::doors::{self, DoorError, Doors, Listen};
use crate::engine::mailbox::{self, Inbox, Mailbox};
use crate::engine::media_shard::{self, MediaHandle, Opening, Pipes};
use crate::engine::reach::{NoAddress, Reached, resolve};
use crate::engine::recorder::Recorder;
use crate::engine::sip_shard::{self, SipHandle, SipShard, until};
use crate::media::event::{self as media, Digit, Quality, Settings, Ways};
use crate::media::jitter::Bounds;
use crate::net::ports::{Pair, Ports};
use crate::net::tls;
use crate::sdp::keying::{Policy, Terms};
use crate::sdp::line::Direction;
use crate::sdp::negotiate::{self, Local};
use crate::sip::endpoint::{self, Endpoint};
use crate::sip::event::{Command, Ending, Event, Outgoing, Refusal, Transport};

/// A phone with a socket of its own.
#[derive(Debug)]
pub struct Phone {
    sip: SipHandle,
    media: MediaHandle,
    ports: Arc<Ports>,
    recorder: Recorder,
    calls: u64,
    /// The shard's task; it ends with the phone.
    _tasks: JoinSet<()>,
}

/// Where a phone stands.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The address that it calls from.
    pub local: IpAddr,
    /// Who may answer it.
    pub peers: Vec<Network>,
    /// Whom it believes by TLS beside the authorities of the system, and who it is there.
    pub tls: tls::Files,
}

/// What the phone does in a call.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// Who it says that it is: the user of its From; empty is `phone`.
    pub caller: String,
    /// The lines, one after the other.
    pub lines: Vec<Line>,
    /// Where the recording goes (stereo: what the phone heard left, what it said right).
    pub recording: Option<PathBuf>,
    /// How long it waits for the other side after the last line before it hangs up.
    pub patience: Duration,
    /// So long after the answer it hangs up in any case.
    pub hang_up_after: Option<Duration>,
    /// What it offers.
    pub offer: Offer,
}

/// What a phone offers.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The codecs, the dearest first.
    pub codecs: Vec<Codec>,
    /// How it would like audio to be packed.
    pub wishes: Wishes,
    /// Where codecs come from that this house does not speak by itself.
    pub libraries: Libraries,
    /// Whether packets are hidden.
    pub srtp: Policy,
    /// The suites of SRTP, the dearest first.
    pub suites: Vec<Suite>,
}

impl Default for Offer {
    fn default() -> Self {
        let (wishes, libraries) = (Wishes::default(), Libraries::default());
        let (codecs, suites) = (vec![Codec::Pcmu, Codec::Pcma], Vec::new());
        Self { codecs, wishes, libraries, srtp: Policy::Off, suites }
    }
}

/// One line of a script.
#[derive(Debug, Clone)]
pub struct Line {
    /// When it is played.
    pub when: When,
    /// What it is.
    pub act: Act,
}

/// When a line is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// When the other side has spoken and then been quiet for 700 ms.
    Quiet,
    /// So long after the other side began to speak: a barge-in.
    Over(Duration),
}

/// What a line does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Speaks: the words for people, and the sound at the codec's rate.
    Say(String, Frame),
    /// Presses keys.
    Press(Vec<Digit>),
}

/// What happens in a call of the phone, for whoever watches.
#[derive(Debug, Clone, PartialEq)]
pub enum Moment {
    /// It rings at the other end.
    Ringing,
    /// Somebody answered.
    Answered {
        /// The codec agreed.
        codec: &'static str,
        /// The suite of SRTP, when packets are hidden.
        srtp: Option<&'static str>,
        /// The identity of the call at a voxtrunk.
        call: Option<String>,
    },
    /// The other side began to speak.
    TheySpeak,
    /// The other side stopped.
    TheyStop {
        /// When its last voiced sample came, since the INVITE was sent.
        last_voiced: Duration,
    },
    /// The phone says something.
    Says(String),
    /// The phone presses keys.
    Presses(String),
    /// The other side pressed a key.
    Hears(char),
    /// The last sample of what the phone said was sent.
    Said,
    /// How well the other side was received in the whole call.
    Received(Quality),
    /// The call is over.
    Over(Ending),
}

/// A moment, so long after the INVITE was sent.
pub type Timed = (Duration, Moment);

/// Why the phone could not even try.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The target is no SIP URI with a host that resolves.
    #[error(transparent)]
    Target(#[from] NoAddress),
    /// A SIP socket could not be bound, or TLS not be had.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// A media socket could not be bound.
    #[error("no socket: {0}")]
    Socket(#[from] std::io::Error),
}

impl Phone {
    /// Makes a phone that calls from `local` and trusts answers from `peers` only.
    ///
    /// # Errors
    /// When the socket cannot be bound.
    pub fn new(
        local: IpAddr,
        peers: Vec<Network>,
        media: MediaHandle,
        recorder: Recorder,
    ) -> Result<Self, PhoneError> {
        Self::standing(Desk { local, peers, tls: tls::Files::default() }, media, recorder)
    }

    /// Makes a phone that stands on a desk.
    ///
    /// # Errors
    /// When the socket cannot be bound.
    pub fn standing(
        desk: Desk,
        media: MediaHandle,
        recorder: Recorder,
    ) -> Result<Self, PhoneError> {
        let Desk { local, peers, tls: client } = desk;
        let any = SocketAddr::new(local, 0);
        let listen = [Transport::Udp, Transport::Tcp].map(|it| Listen::plain(it, any)).to_vec();
        let doors = Doors::open(doors::Settings { listen, client, ..Default::default() })?;
        let endpoint = Endpoint::new(endpoint::Settings::default(), clock::random());
        let trunk = admission::Trunk { allow: peers, ..admission::Trunk::default() };
        let settings = admission::Settings { trunks: vec![trunk], ..Default::default() };
        let (arrivals, _) = mpsc::channel(1);
        let doorkeeper = Doorkeeper::new(settings, clock::random());
        let (shard, sip) = SipShard::new(doors, endpoint, doorkeeper, arrivals);
        let stop = CancellationToken::new();
        let mut random = clock::random();
        let ports = Arc::new(Ports::new(local, 40_000..=48_999, random.u32() >> 8));
        let mut tasks = JoinSet::new();
        tasks.spawn(shard.run(stop));
        // Phones may share a media shard: each counts its calls from a place of its own.
        let calls = u64::from(random.u32()) << 8;
        Ok(Self { sip, media, ports, recorder, calls, _tasks: tasks })
    }

    /// Calls `target` and plays the script; gives how it ended. Moments go to `watch`.
    ///
    /// # Errors
    /// When the target is no address or no media port is free.
    pub async fn call(
        &mut self,
        target: &str,
        script: Script,
        watch: mpsc::Sender<Timed>,
    ) -> Result<Ending, PhoneError> {
        let Reached { transport, remote, domain } = resolve(target).await?;
        self.calls += 1;
        let session = SessionId((1 << 40) + self.calls);
        let (mailbox, inbox) = mailbox::pair();
        let sockets = self.ports.bind()?;
        let mut random = clock::random();
        let keys = script.offer.suites.iter().map(|suite| Master::random(*suite, &mut random));
        let keys = keys.collect();
        let local = Local {
            address: sockets.local.ip(),
            port: sockets.local.port(),
            codecs: script.offer.codecs,
            session_id: clock::since_epoch().as_secs(),
            version: 1,
            wishes: script.offer.wishes,
            srtp: Terms { policy: script.offer.srtp, keys, web: None },
        };
        let flow = self.sip.sockets.flow_to(transport, remote);
        let flow = flow.ok_or_else(|| NoAddress(target.to_owned()))?;
        if let Some(domain) = domain {
            self.sip.order(sip_shard::Order::Name(remote, domain)).await;
        }
        let caller = if script.caller.is_empty() { "phone" } else { &script.caller };
        let outgoing = Outgoing {
            session,
            target: target.to_owned(),
            from: format!("\"voxtrunk\" <sip:{caller}@{}>", flow.local),
            flow,
            body: Bytes::from(negotiate::offer(&local)),
            headers: Vec::new(),
        };
        self.sip.order(sip_shard::Order::Adopt(session, mailbox.clone())).await;
        let invite = Command::Invite(Box::new(outgoing));
        self.sip.order(sip_shard::Order::Command(invite)).await;
        let line = Conversation {
            phone: self,
            session,
            remote,
            local,
            libraries: script.offer.libraries,
            mailbox,
            sockets: Some(sockets),
            lines: script.lines.into(),
            recording: script.recording,
            recorded: None,
            patience: script.patience,
            hang_up_after: script.hang_up_after,
            began: clock::now(),
            watch,
            up: None,
        };
        Ok(line.run(inbox).await)
    }
}

/// One call of the phone.
struct Conversation<'a> {
    phone: &'a Phone,
    session: SessionId,
    remote: SocketAddr,
    local: Local,
    libraries: Libraries,
    mailbox: Mailbox,
    sockets: Option<Pair>,
    lines: VecDeque<Line>,
    recording: Option<PathBuf>,
    /// Tells when the recording is written.
    recorded: Option<oneshot::Receiver<()>>,
    patience: Duration,
    hang_up_after: Option<Duration>,
    began: Instant,
    watch: mpsc::Sender<Timed>,
    up: Option<Up>,
}

/// What is known while the call is up.
struct Up {
    /// When the call was answered.
    since: Instant,
    /// The rate of what the port plays.
    rate: Rate,
    /// When the other side began to speak, while it does.
    they_speak_since: Option<Instant>,
    /// Since when it has been quiet: since the answer, or its last voiced sample.
    quiet_since: Instant,
    /// Whether it has spoken since our last line.
    they_answered: bool,
    /// Whether a line of ours is being played.
    saying: bool,
    /// When our last line ended.
    said_at: Instant,
    spoken: UtteranceId,
}

impl Conversation<'_> {
    async fn run(mut self, mut inbox: Inbox) -> Ending {
        loop {
            let due = self.next_step();
            tokio::select! {
                input = inbox.inputs.recv() => match input {
                    Some(Input::Sip(Event::Ended { ending, .. })) => {
                        self.close(&mut inbox).await;
                        self.tell(Moment::Over(ending.clone())).await;
                        return ending;
                    }
                    Some(Input::Sip(event)) => self.signalled(event).await,
                    Some(Input::Media(_, event)) => self.media_moved(event).await,
                    Some(_) => {}
                    None => return Ending::Lost,
                },
                () = until(due) => self.step().await,
            }
        }
    }

    async fn signalled(&mut self, event: Event) {
        match event {
            Event::Progressed { .. } => self.tell(Moment::Ringing).await,
            Event::Answered { body, headers, .. } => self.answered(&body, &headers).await,
            Event::ReferReceived { session, .. } => {
                // This phone stays where it called.
                let outcome = Err(Refusal::status(603));
                self.order(Command::AnswerRefer { session, outcome }).await;
            }
            Event::Reoffered { session, .. } => {
                let answer = Err(Refusal::status(488));
                self.order(Command::AnswerReoffer { session, answer }).await;
            }
            Event::Incoming(_)
            | Event::Texted(_)
            | Event::Confirmed { .. }
            | Event::Referred { .. }
            | Event::Redirected { .. }
            | Event::OfferAnswered { .. }
            | Event::Written { .. }
            | Event::Info { .. }
            | Event::Told { .. }
            | Event::Ended { .. } => {}
        }
    }

    async fn answered(&mut self, body: &[u8], headers: &[(String, String)]) {
        let (agreed, sockets) = match (negotiate::accept(body, &self.local), self.sockets.take()) {
            (Ok(agreed), Some(sockets)) => (agreed, sockets),
            _ => return self.hang_up().await,
        };
        let srtp = agreed.srtp.as_ref().map(|keys| keys.ours.suite().name());
        let settings = Settings {
            codec: agreed.codec,
            payload_type: agreed.payload_type,
            telephone_event: agreed.telephone_event,
            packing: agreed.packing,
            libraries: self.libraries.clone(),
            remote: agreed.remote,
            remote_rtcp: agreed.remote_rtcp,
            signalling: self.remote.ip(),
            symmetric: true,
            sending: matches!(agreed.direction, Direction::SendReceive | Direction::SendOnly),
            speech: speech::Settings::default(),
            jitter: Bounds::default(),
            recording: self.recording.is_some(),
            latest: LATEST,
            keys: Ways::default(),
            srtp: agreed.srtp,
            web: agreed.web,
            mux: agreed.mux,
            cname: "phone@voxtrunk".to_owned(),
            timeout: Duration::from_secs(60),
        };
        let rate = settings.codec.rate();
        let recording = self.recording.take().map(|path| {
            let (track, closed) = self.phone.recorder.open(self.port(), path, rate);
            self.recorded = Some(closed);
            track
        });
        // Nobody listens to the frames: the recording holds them.
        let (heard, _) = mpsc::channel(1);
        let (_, spoken) = rtrb::RingBuffer::new(1);
        let pipes = Pipes { mailbox: self.mailbox.clone(), heard, spoken, recording };
        let opening = Opening { port: self.port(), sockets: Some(sockets), settings, pipes };
        self.phone.media.order(media_shard::Order::Open(Box::new(opening)));
        self.media(media::Command::Start);
        let now = clock::now();
        self.up = Some(Up {
            since: now,
            rate,
            they_speak_since: None,
            quiet_since: now,
            they_answered: false,
            saying: false,
            said_at: now,
            spoken: UtteranceId(0),
        });
        let named = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CALL_HEADER));
        let call = named.map(|(_, value)| value.clone());
        self.tell(Moment::Answered { codec: agreed.codec.name(), srtp, call }).await;
    }

    async fn media_moved(&mut self, event: media::Event) {
        let Some(up) = &mut self.up else { return };
        match event {
            media::Event::SpeechStarted { at } => {
                up.they_speak_since = Some(at);
                up.they_answered = true;
                self.tell(Moment::TheySpeak).await;
            }
            media::Event::SpeechEnded { last_voiced } => {
                up.they_speak_since = None;
                up.quiet_since = last_voiced;
                let last_voiced = last_voiced.saturating_duration_since(self.began);
                self.tell(Moment::TheyStop { last_voiced }).await;
            }
            media::Event::Finished { at, .. } => {
                up.saying = false;
                up.said_at = at;
                self.tell(Moment::Said).await;
            }
            media::Event::Silent { .. } => self.hang_up().await,
            media::Event::Digit(digit) => self.tell(Moment::Hears(digit.key())).await,
            media::Event::Heard { .. }
            | media::Event::SpeechFaded
            | media::Event::Beep { .. }
            | media::Event::SpeechReturned
            | media::Event::Signalled(_)
            | media::Event::Started { .. }
            | media::Event::Flushed { .. }
            | media::Event::Condition(_)
            | media::Event::Secured(_)
            | media::Event::Unproven(_)
            | media::Event::Quality(_) => {}
        }
    }

    /// When the next line is due, or the end.
    fn next_step(&self) -> Option<Instant> {
        let up = self.up.as_ref()?;
        let limit = self.hang_up_after.map(|after| up.since + after);
        let step = self.next_line(up);
        limit.into_iter().chain(step).min()
    }

    /// When the next line is due, if none is being said.
    fn next_line(&self, up: &Up) -> Option<Instant> {
        if up.saying {
            return None;
        }
        let given_up = up.said_at + LONGEST_WAIT;
        let next = match (self.lines.front().map(|line| line.when), up.they_speak_since) {
            (Some(When::Quiet), None) if up.they_answered => up.quiet_since + BEAT,
            (Some(When::Over(after)), Some(since)) => since + after,
            (None, None) if up.they_answered => up.quiet_since.max(up.said_at) + self.patience,
            (_, _) => given_up,
        };
        Some(next.min(given_up))
    }

    async fn step(&mut self) {
        let over =
            |up: &Up| self.hang_up_after.is_some_and(|after| clock::now() >= up.since + after);
        if self.up.as_ref().is_some_and(over) {
            return self.hang_up().await;
        }
        let Some(line) = self.lines.pop_front() else { return self.hang_up().await };
        let Some(up) = &mut self.up else { return };
        up.they_answered = false;
        match line.act {
            Act::Say(words, frame) => {
                up.saying = true;
                up.spoken = up.spoken.next();
                let (utterance, frame) = (up.spoken, resample::convert(&frame, up.rate));
                self.media(media::Command::Play { utterance, frame });
                self.media(media::Command::Finish { utterance });
                self.tell(Moment::Says(words)).await;
            }
            Act::Press(digits) => {
                up.said_at = clock::now();
                let keys = digits.iter().map(|digit| digit.key()).collect();
                self.media(media::Command::Dial(digits));
                self.tell(Moment::Presses(keys)).await;
            }
        }
    }

    async fn hang_up(&mut self) {
        // Once: the end of the session is on its way.
        self.up = None;
        self.order(Command::HangUp { session: self.session, reason: None }).await;
    }

    /// Closes the port, if the call ever had one, tells how well it was received, and waits until
    /// the recording is written.
    async fn close(&mut self, inbox: &mut Inbox) {
        self.phone.media.order(media_shard::Order::Close(self.port()));
        let quality = async {
            while let Some(input) = inbox.inputs.recv().await {
                if let Input::Media(_, media::Event::Quality(quality)) = input {
                    return Some(quality);
                }
            }
            None
        };
        let had_port = self.sockets.is_none();
        if had_port && let Ok(Some(quality)) = timeout(LAST_WORD, quality).await {
            self.tell(Moment::Received(quality)).await;
        }
        if let Some(recorded) = self.recorded.take() {
            timeout(LAST_WORD, recorded).await.ok();
        }
    }

    fn port(&self) -> PortId {
        PortId(self.session.0)
    }

    fn media(&self, command: media::Command) {
        self.phone.media.order(media_shard::Order::Command(self.port(), command));
    }

    async fn order(&self, command: Command) {
        self.phone.sip.order(sip_shard::Order::Command(command)).await;
    }

    async fn tell(&self, moment: Moment) {
        let at = clock::now().saturating_duration_since(self.began);
        self.watch.send((at, moment)).await.ok();
    }
}

/// What it says was made before: nothing of it is left out, however long the machine sleeps.
const LATEST: Duration = Duration::from_secs(10);

/// How long the other side is quiet before the next line.
const BEAT: Duration = Duration::from_secs(1);

/// How long the media thread may take to say how well a call was received, and the recorder to
/// write the end.
const LAST_WORD: Duration = Duration::from_secs(5);

/// How long the phone waits for a word before it goes on all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
