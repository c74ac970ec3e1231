//! The vocabulary of the media room: what a port is told and what it tells.
//!
//! A `Port` is the media of one leg. The media thread feeds it datagrams, speech probabilities and
//! commands with the time; it gives back datagrams, frames and facts. Audio never passes through
//! the owner of the call: facts do.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audio::codec::Codec;
use crate::audio::frame::Frame;
use crate::audio::library::Libraries;
use crate::audio::packing::Packing;
use crate::audio::speech;
use crate::base::id::PortId;
pub use crate::base::id::UtteranceId;
use crate::base::master_key::{Keys, Suite};
use crate::base::webrtc::Pairing;
use crate::media::jitter::Bounds;
use crate::media::link::{Links, Passage};
use crate::media::music::Tape;
pub use crate::rtp::session::Far;

/// How many samples a speech detector looks at: 32 ms at 16 kHz.
pub const WINDOW: usize = 512;

/// One window of samples for a speech detector, at 16 kHz, in -1.0..=1.0.
pub type Window = Box<[f32; WINDOW]>;

/// What a port needs to know before it opens.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The codec of what we send. The port keeps the sample rate of the first one for what it
    /// plays and records.
    pub codec: Codec,
    /// The payload type of the codec in what we send; what arrives with it is decoded too.
    pub payload_type: u8,
    /// The payload type of telephone-event (RFC 4733) in what we send, if agreed.
    pub telephone_event: Option<u8>,
    /// What else may come, and how audio is packed.
    pub packing: Packing,
    /// Where codecs come from that this house does not speak by itself.
    pub libraries: Libraries,
    /// Where the peer's session description says that it listens.
    pub remote: SocketAddr,
    /// Where its RTCP goes (usually the port above).
    pub remote_rtcp: SocketAddr,
    /// The address that its signalling came from: with a private address in the session
    /// description, media may latch to it and to nothing else (T8).
    pub signalling: IpAddr,
    /// Whether media may latch at all.
    pub symmetric: bool,
    /// Whether we may send now; false while the call is on hold.
    pub sending: bool,
    /// How late a packet is still sent, as after a sleep of the machine. Slots that are later are
    /// left out, and what was to be said in them is said in the next ones.
    pub latest: Duration,
    /// By which ways keys are heard.
    pub keys: Ways,
    /// What turns speech probabilities into edges.
    pub speech: speech::Settings,
    /// How long packets of others wait here before they are mixed or encoded anew.
    pub jitter: Bounds,
    /// Whether frames for a recording are given out.
    pub recording: bool,
    /// The keys, when packets are hidden (SRTP).
    pub srtp: Option<Keys>,
    /// What a handshake with a browser goes by. Nothing is taken or sent before `Command::Secure`
    /// gives its keys, and nothing goes anywhere but where `Command::Lead` says.
    pub web: Option<Pairing>,
    /// Whether RTCP shares the port of RTP, both ways (RFC 5761).
    pub mux: bool,
    /// CNAME for RTCP; says nothing about a person.
    pub cname: String,
    /// After how long without any packet the port says `Event::Silent`.
    pub timeout: Duration,
}

/// How late a packet is still sent where the voice is made as it is spoken: who hears it plays it
/// in its place or waits for it, and a pause is better than a burst.
pub const LATEST: Duration = Duration::from_millis(100);

/// What a port is ordered.
#[derive(Debug, Clone)]
pub enum Command {
    /// A new session description was agreed: new address, payload types, direction.
    Update(Box<Settings>),
    /// Begins to send (silence until something is played): the call was answered.
    Start,
    /// The handshake with a browser gave these keys.
    Secure(Box<Keys>),
    /// The handshake with a browser failed: `Event::Unproven` follows.
    GiveUp(Flaw),
    /// The browser is reached there.
    Lead(SocketAddr),
    /// Appends audio of an utterance to the queue. Frames are 20 ms at the port's sample rate;
    /// the last may be shorter and is filled up.
    Play {
        /// Which utterance; utterances are heard in the order of their first frame.
        utterance: UtteranceId,
        /// The samples.
        frame: Frame,
    },
    /// No more audio comes for this utterance.
    Finish {
        /// Which utterance.
        utterance: UtteranceId,
    },
    /// Holds what is queued at the next frame boundary; silence is sent.
    Pause,
    /// Goes on quietly with what is queued, from the next frame on.
    Duck,
    /// Goes on with what was held, as loud as it is.
    Resume,
    /// Drops what is queued or still to come for every utterance up to and including this one.
    Flush {
        /// The last utterance to be dropped.
        through: UtteranceId,
    },
    /// Sends keys: as telephone events, or as tones to a peer that knows none.
    Dial(Vec<Digit>),
    /// The signalling told of a key. When nobody heard that press on the line,
    /// `Event::Signalled` follows.
    Signalled(Digit),
    /// Connects the port with others of its call, or with none any more.
    Connect(Links),
    /// What the peer says reaches nobody: no other port, no listener. Keys are told all the same.
    Mute,
    /// What the peer says is heard again.
    Unmute,
    /// Plays a tape over and over wherever nothing else is to be heard.
    Music(Arc<Tape>),
    /// Stops the tape.
    NoMusic,
    /// Plays a tape over and over beneath everything that is sent, or none.
    Ambience(Option<Arc<Tape>>),
    /// Records nothing at all before `ResumeRecording`: the recording begins there.
    WithholdRecording,
    /// Keeps nothing of what is said from now on in the recording: its time goes on in silence.
    PauseRecording,
    /// Records again what is said.
    ResumeRecording,
    /// Who hears what the peer says, beside the ports that are told.
    Attend(Attention),
    /// Gives out what both sides say as for a recording, also without one, or no more.
    Tap(bool),
    /// Tells of beeps from now on, as machines give them that take messages.
    HearBeeps,
}

/// Who hears what the peer of a port says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attention {
    /// A speech detector and whoever listens: frames and windows are given out.
    #[default]
    Speech,
    /// Whoever listens, and no speech detector: frames are given out.
    Ear,
    /// Nobody: only keys are told. Costs next to nothing.
    Keys,
}

/// A key of the telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(char);

impl Digit {
    /// Takes one of `0-9 * # A-D`.
    pub fn new(key: char) -> Option<Self> {
        let key = key.to_ascii_uppercase();
        matches!(key, '0'..='9' | '*' | '#' | 'A'..='D').then_some(Self(key))
    }

    /// The key.
    pub fn key(self) -> char {
        self.0
    }
}

/// What a port reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The first packet was accepted from the peer.
    Heard {
        /// Where it came from.
        from: SocketAddr,
        /// When.
        at: Instant,
    },
    /// The caller began to speak.
    SpeechStarted {
        /// When the first window of it ended.
        at: Instant,
    },
    /// The caller's voice fell off just now; it may be back in a moment.
    SpeechFaded,
    /// It is back.
    SpeechReturned,
    /// The caller stopped.
    SpeechEnded {
        /// When the last voiced sample arrived.
        last_voiced: Instant,
    },
    /// A beep is over.
    Beep {
        /// How long it was.
        lasted: Duration,
    },
    /// The caller pressed a key; each press is told once.
    Digit(Digit),
    /// The caller pressed a key of which only the signalling told so far.
    Signalled(Digit),
    /// The first packet of an utterance was sent.
    Started {
        /// Which utterance.
        utterance: UtteranceId,
        /// When.
        at: Instant,
    },
    /// The last packet of an utterance was sent.
    Finished {
        /// Which utterance.
        utterance: UtteranceId,
        /// When.
        at: Instant,
    },
    /// A flush took effect. Utterances that had finished before are not named.
    Flushed {
        /// The last utterance that was dropped.
        through: UtteranceId,
        /// How much of each utterance that had started was sent, and how long it is as far as its
        /// audio had come; in order.
        heard: Vec<Played>,
    },
    /// The handshake with a browser is done.
    Secured(Suite),
    /// It failed for good.
    Unproven(Flaw),
    /// Nothing arrived for the time that the settings say.
    Silent {
        /// Since when.
        since: Instant,
    },
    /// The reception so far, as often as reports are sent.
    Condition(Quality),
    /// The reception of the whole leg: the last word of a port.
    Quality(Quality),
}

/// Why a handshake with a browser failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Its certificate is not the one that its session description names.
    Certificate,
    /// It broke the rules, or gave up.
    Handshake,
}

/// How much of an utterance was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// Which utterance.
    pub utterance: UtteranceId,
    /// How much of it was sent.
    pub heard: Duration,
    /// How long it is; `None` while its audio was still coming.
    pub total: Option<Duration>,
}

/// How well a leg was received (RFC 3550 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    /// Packets accepted.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came late, twice, or with another's address.
    pub discarded: u64,
    /// Packets of those that came too late to be heard.
    pub late: u64,
    /// Packets that SRTP refused: not authentic, or here before.
    pub refused: u64,
    /// Interarrival jitter.
    pub jitter: Duration,
    /// The most that a packet came later than its timestamp's distance to the one before says.
    pub max_jitter: Duration,
    /// Round-trip time by RTCP, when the peer reports.
    pub round_trip: Option<Duration>,
    /// The mean opinion score of what we hear, 1.0 to 4.41, as the E-model estimates it from loss,
    /// delay and codec (ITU-T G.107); `None` before a second was heard.
    pub score: Option<f64>,
    /// How the peer says that it hears us, when it reports.
    pub far: Option<Far>,
}

/// What a port wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a packet from the RTP socket: RTP, or RTCP where it shares the port.
    SendRtp {
        /// Where to.
        to: SocketAddr,
        /// The packet.
        bytes: Vec<u8>,
    },
    /// Send an RTCP packet.
    SendRtcp {
        /// Where to.
        to: SocketAddr,
        /// The packet.
        bytes: Vec<u8>,
    },
    /// What the caller said, 20 ms at 16 kHz, for whoever listens.
    Heard(Frame),
    /// A window for the speech detector; `Port::hear` takes its probability.
    Window(Window),
    /// A packet's length of both sides at the port's sample rate, on one time line, for a
    /// recording.
    Recorded {
        /// What the caller said.
        caller: Frame,
        /// What the caller heard.
        agent: Frame,
    },
    /// Give this to another port of the call, by `Port::take`.
    Pass {
        /// Which port.
        to: PortId,
        /// What the peer said.
        passage: Passage,
    },
    /// Tell the owner of the call.
    Event(Event),
}

/// By which ways keys are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ways {
    /// As telephone events.
    pub events: bool,
    /// As tones.
    pub tones: bool,
    /// By INFO.
    pub info: bool,
}

impl Default for Ways {
    fn default() -> Self {
        Self { events: true, tones: false, info: true }
    }
}
