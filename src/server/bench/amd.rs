//! Who answers: the labelled set through codecs and noise, a port, the speech detector of calls, and
//! the machine that decides; in virtual time.
//!
//! Words come as from a transcriber that makes no mistakes and is [`LATE`] behind: what detection by
//! words makes of a real one is no better than that. The other matrix is of sound alone.

mod set;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Figure, quantile};
use crate::audio::codec::Codec;
use crate::audio::coder::Encoder;
use crate::audio::frame::Frame;
use crate::audio::library::Libraries;
use crate::audio::packing::Packing;
use crate::audio::tone::Tone;
use crate::audio::{resample, speech};
use crate::base::random::Random;
use crate::call::amd::{Action, Amd, Happening, Verdict};
use crate::dialplan::amd::Amd as Terms;
use crate::engine::clock;
use crate::media::event::{Command, Event, LATEST, Output, Settings, Ways};
use crate::media::jitter::Bounds;
use crate::media::port::Port;
use crate::providers::detector::Detector;
use crate::providers::tts::espeak::{self, Espeak};
use crate::providers::tts::flite::{self, Flite};
use crate::providers::vad::registry as vad;
use crate::providers::voice::Voice;
use crate::server::demo;

use set::{Item, SET, Sound, Speaker};

/// What was found out about one item.
#[derive(Debug, Clone, Default)]
struct Found {
    /// Who answered, as it was known first, and when.
    first: Option<(Verdict, Duration)>,
    /// As it was known at last.
    last: Option<Verdict>,
    /// When a machine was ready for a message, and when its tone was over, if it has one.
    ready: Option<Duration>,
    tone_over: Option<Duration>,
}

/// What is heard of an item, and the words in it with the times at which they are over.
struct Take {
    samples: Vec<i16>,
    words: Vec<(Duration, String)>,
    tone_over: Option<Duration>,
}

/// What is found out about the whole set.
pub struct Scores {
    /// Who it was, and what was found out.
    found: Vec<(Verdict, Found)>,
    /// Whether words were heard.
    hears: bool,
}

/// Measures, and prints the matrices.
pub async fn measure(tell: fn(&str)) -> Result<Vec<Figure>, String> {
    let mut figures = Vec::new();
    for hears in [false, true] {
        let scores = Scores::of(hears).await?;
        tell(&scores.matrix());
        figures.extend(scores.figures());
    }
    Ok(figures)
}

async fn found(hears: bool) -> Result<Vec<(Verdict, Found)>, String> {
    let mut detector = vad::open(vad::Kind::Kernel, Path::new("models/silero_vad.onnx"))
        .map_err(|why| why.to_string())?;
    let mut voices: BTreeMap<Speaker, Box<dyn Voice>> = BTreeMap::new();
    let mut found = Vec::new();
    for (place, item) in SET.iter().enumerate() {
        let voice = match voices.entry(item.voice) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(voice(item.voice)?),
        };
        let take = take(item, voice.as_ref(), place).await?;
        let outcome = played(&take, (place, hears), detector.as_mut());
        found.push((item.label, outcome));
    }
    Ok(found)
}

fn voice(speaker: Speaker) -> Result<Box<dyn Voice>, String> {
    Ok(match speaker {
        Speaker::Flite(name) => {
            let settings = flite::Settings { voice: name.to_owned(), ..flite::Settings::default() };
            Box::new(Flite::load(settings).map_err(|why| why.to_string())?)
        }
        Speaker::Espeak(name) => {
            let settings = espeak::Settings {
                voice: name.to_owned(),
                ..espeak::Settings::of(&"en".parse().map_err(|_| "no language")?)
            };
            Box::new(Espeak::find(settings).map_err(|why| why.to_string())?)
        }
    })
}

/// Lets an item be spoken.
async fn take(item: &Item, voice: &dyn Voice, place: usize) -> Result<Take, String> {
    let rate = set::line(place).0.rate();
    let mut take = Take { samples: Vec::new(), words: Vec::new(), tone_over: None };
    for sound in item.heard {
        match sound {
            Sound::Quiet(millis) => {
                let quiet = rate.samples_in(Duration::from_millis(*millis));
                take.samples.resize(take.samples.len() + quiet, 0);
            }
            Sound::Words(text) => {
                let clip = trimmed(resample::convert(&demo::voiced(voice, text).await?, rate));
                let words: Vec<&str> = text.split_whitespace().collect();
                for count in 1..=words.len() {
                    // As if each word were as long as the others.
                    let until = take.samples.len() + clip.samples.len() * count / words.len();
                    take.words.push((rate.duration_of(until), words[..count].join(" ")));
                }
                take.samples.extend(clip.samples);
            }
            Sound::Tone(hertz, millis) => {
                let mut tone = Tone::dual(rate, *hertz).at(0.25);
                take.samples.extend(tone.play(Duration::from_millis(*millis)));
                take.tone_over = Some(rate.duration_of(take.samples.len()));
            }
        }
    }
    let tail = take.samples.len() + rate.samples_in(TAIL);
    take.samples.resize(tail, 0);
    let (mut random, peak) = (Random::repeatable(place as u64), set::line(place).1);
    for sample in &mut take.samples {
        let hiss = random.below(2 * peak.unsigned_abs() + 1) as i32 - peak;
        *sample = (i32::from(*sample) + hiss).clamp(-32_768, 32_767) as i16;
    }
    Ok(take)
}

/// A clip without the silence at its ends.
fn trimmed(mut clip: Frame) -> Frame {
    let is_loud = |sample: &i16| sample.unsigned_abs() > 300;
    let last = clip.samples.iter().rposition(is_loud).map_or(0, |at| at + 1);
    clip.samples.truncate(last);
    let first = clip.samples.iter().position(is_loud).unwrap_or(0);
    clip.samples.drain(..first);
    clip
}

/// Plays a take into a port, packet by packet.
fn played(take: &Take, (place, hears): (usize, bool), detector: &mut dyn Detector) -> Found {
    let (codec, start) = (set::line(place).0, clock::now());
    let mut random = Random::repeatable(1);
    let mut port = Port::new(settings(codec), start, &mut random);
    port.handle(start, Command::Start);
    port.handle(start, Command::HearBeeps);
    let slot = detector.open();
    let terms = Terms { message: Some("a message".to_owned()), ..Terms::default() };
    let mut amd = Amd::new(terms.clone(), terms.wait, start);
    let mut found = Found { tone_over: take.tone_over, ..Found::default() };
    let (mut encoder, mut payload) = (Encoder::plain(codec), Vec::new());
    let mut words = take.words.iter().filter(|_| hears).peekable();
    let size = codec.rate().samples_in(PACKET);
    for (count, samples) in take.samples.chunks_exact(size).enumerate() {
        let at = PACKET * (count as u32 + 1);
        let now = start + at;
        while let Some(due) = port.deadline().filter(|due| *due <= now) {
            port.tick(due);
            drain(&mut port, &mut amd, (slot, detector), due);
        }
        payload.clear();
        encoder.encode(samples, &mut payload);
        let packet = packet(codec, count as u32, &payload);
        port.handle_rtp(now, PEER, &packet);
        drain(&mut port, &mut amd, (slot, detector), now);
        while let Some((_, text)) = words.next_if(|(over, _)| *over + LATE <= at) {
            amd.handle(now, Happening::Words(text.clone()));
        }
        amd.tick(now);
        while let Some(action) = amd.poll() {
            note(&mut found, action, at);
        }
    }
    detector.close(slot);
    found
}

/// A packet of a peer (RFC 3550 5.1).
fn packet(codec: Codec, count: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, codec.payload_type()];
    bytes.extend((count as u16).to_be_bytes());
    bytes.extend((count * codec.ticks_in(PACKET)).to_be_bytes());
    bytes.extend(7_u32.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn drain(
    port: &mut Port,
    amd: &mut Amd,
    (slot, detector): (crate::providers::detector::Slot, &mut dyn Detector),
    now: Instant,
) {
    let mut probabilities = Vec::with_capacity(1);
    while let Some(output) = port.poll() {
        match output {
            Output::Window(window) => {
                probabilities.clear();
                detector.detect(&[(slot, &window)], &mut probabilities);
                port.hear(now, probabilities.first().copied().unwrap_or_default());
            }
            Output::Event(Event::SpeechStarted { .. }) => amd.handle(now, Happening::SpeechStarted),
            Output::Event(Event::SpeechEnded { last_voiced }) => {
                amd.handle(now, Happening::SpeechEnded { last_voiced });
            }
            Output::Event(Event::Beep { .. }) => amd.handle(now, Happening::Beep),
            _ => {}
        }
    }
}

fn note(found: &mut Found, action: Action, at: Duration) {
    match action {
        Action::Verdict { verdict, after } => {
            found.first.get_or_insert((verdict, after));
            found.last = Some(verdict);
        }
        Action::Ready => {
            found.ready.get_or_insert(at);
        }
    }
}

fn settings(codec: Codec) -> Settings {
    Settings {
        codec,
        payload_type: codec.payload_type(),
        telephone_event: None,
        packing: Packing::default(),
        libraries: Libraries::default(),
        remote: PEER,
        remote_rtcp: PEER,
        signalling: PEER.ip(),
        symmetric: true,
        sending: true,
        latest: LATEST,
        keys: Ways::default(),
        speech: speech::Settings::default(),
        jitter: Bounds::default(),
        recording: false,
        srtp: None,
        web: None,
        mux: false,
        cname: "bench".to_owned(),
        timeout: Duration::from_secs(60),
    }
}

impl Scores {
    /// Plays every item of the set; where it `hears`, with its words.
    pub async fn of(hears: bool) -> Result<Self, String> {
        Ok(Self { found: found(hears).await?, hears })
    }

    /// How many items there are.
    pub fn items(&self) -> usize {
        self.found.len()
    }

    fn names(&self) -> &'static (&'static str, [&'static str; 4]) {
        if self.hears { &WORDS } else { &SOUND }
    }

    /// Who it was, down; who it was taken for at last, across.
    pub fn matrix(&self) -> String {
        let (title, _) = self.names();
        let mut table = format!("\n  {title}\n  {:<12}", "");
        for verdict in Verdict::ALL {
            table.push_str(&format!("{:>11}", verdict.name()));
        }
        for label in Verdict::ALL {
            table.push_str(&format!("\n  {:<12}", label.name()));
            for verdict in Verdict::ALL {
                table.push_str(&format!("{:>11}", self.count(label, verdict)));
            }
        }
        table
    }

    /// How many of those who are `label` were taken for `verdict` at last.
    pub fn count(&self, label: Verdict, verdict: Verdict) -> usize {
        self.found.iter().filter(|(known, it)| *known == label && it.last == Some(verdict)).count()
    }

    /// How many were right, how soon it was known, and how many messages met the tone.
    pub fn figures(&self) -> [Figure; 4] {
        let (_, [right, median, slowest, at_tone]) = *self.names();
        let found = &self.found;
        let fits = found.iter().filter(|(label, it)| it.last == Some(*label)).count();
        let times: Vec<f64> =
            found.iter().filter_map(|(_, it)| Some(it.first?.1.as_secs_f64())).collect();
        let tones =
            found.iter().filter(|(label, it)| *label == Verdict::Machine && it.tone_over.is_some());
        let (all, met) = tones.fold((0, 0), |(all, met), (_, it)| {
            let met_it = it
                .ready
                .zip(it.tone_over)
                .is_some_and(|(ready, over)| ready >= over && ready - over <= AT_TONE);
            (all + 1, met + usize::from(met_it))
        });
        [
            Figure::new(right, fits as f64, "").told(format!("of {}", found.len())),
            Figure::new(median, quantile(&times, 0.5), "s").at_most(2.0),
            Figure::new(slowest, quantile(&times, 0.95), "s"),
            Figure::new(at_tone, met as f64, "").told(format!("messages right after {all} tones")),
        ]
    }
}

/// The titles and the names of figures: by sound alone, and with words.
const SOUND: (&str, [&str; 4]) = (
    "who answered, and who it was taken for: by sound alone",
    ["amd.right", "amd.verdict", "amd.verdict_p95", "amd.at_tone"],
);
const WORDS: (&str, [&str; 4]) = (
    "the same with words, 600 ms late and without mistakes",
    ["amd.words.right", "amd.words.verdict", "amd.words.verdict_p95", "amd.words.at_tone"],
);

/// How far words are behind.
const LATE: Duration = Duration::from_millis(600);

/// How soon after a tone a message must begin.
const AT_TONE: Duration = Duration::from_millis(250);

/// What is heard after the last sound: silence.
const TAIL: Duration = Duration::from_secs(5);

const PACKET: Duration = Duration::from_millis(20);

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4_000);
