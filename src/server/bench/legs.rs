//! What a leg costs for each packet of 20 ms, there and back: one of G.711, and that of a browser,
//! which speaks Opus and hides what it says. Who hears speech costs both the same, and is not here.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Figure, stage};
use crate::audio::codec::Codec;
use crate::audio::coder::{Decoder, Encoder};
use crate::audio::frame::{Frame, Rate};
use crate::audio::library::Profile;
use crate::audio::packing::Packing;
use crate::audio::speech;
use crate::audio::tone::Tone;
use crate::base::id::UtteranceId;
use crate::base::master_key::{Keys, Master, Suite};
use crate::base::random::Random;
use crate::base::webrtc::{Credentials, Fingerprint, Pairing};
use crate::engine::clock;
use crate::media::armour::Armour;
use crate::media::event::{Command, LATEST, Settings, Ways};
use crate::media::jitter::Bounds;
use crate::media::port::Port;
use crate::server::codecs;

/// Measures.
pub fn measure() -> Vec<Figure> {
    let (plain, web) = (cost(Codec::Pcmu, false), cost(Codec::Opus, true));
    let hidden = cost(Codec::Opus, true).saturating_sub(cost(Codec::Opus, false));
    let coding = coding();
    let besides = web.saturating_sub(coding).as_secs_f64() / plain.as_secs_f64();
    let micros = |it: Duration| it.as_secs_f64() * 1e6;
    vec![
        Figure::new("media.leg_g711", micros(plain), "µs")
            .told("a packet of 20 ms, there and back"),
        Figure::new("media.leg_browser", micros(web), "µs").told(format!(
            "the same; Opus is {:.1} µs of it, SRTP {:.1} µs",
            micros(coding),
            micros(hidden)
        )),
        Figure::new("media.browser_ratio", besides, "times")
            .at_most(2.0)
            .told("a browser without what Opus costs, against G.711"),
    ]
}

/// What 20 ms cost, of both sides.
fn cost(codec: Codec, is_web: bool) -> Duration {
    let mut random = Random::repeatable(7);
    let mut now = clock::now();
    let (settings, keys) = settings(codec, is_web, &mut random);
    let mut port = Port::new(settings, now, &mut random);
    port.handle(now, Command::Start);
    let far = keys.map(|(ours, theirs)| {
        port.handle(now, Command::Lead(peer()));
        port.handle(now, Command::Secure(Box::new(ours)));
        Armour::new(theirs)
    });
    let mut packets = packets(codec, far).into_iter();
    let said = voice(codec.rate(), EACH);
    stage::cost(BATCH, || {
        now += EACH;
        let utterance = UtteranceId(1);
        port.handle(now, Command::Play { utterance, frame: said.clone() });
        port.handle_rtp(now, peer(), &packets.next().unwrap_or_default());
        port.tick(now);
        while let Some(output) = port.poll() {
            std::hint::black_box(output);
        }
    })
}

/// What Opus costs, as it is encoded and decoded by itself.
fn coding() -> Duration {
    let (mut encoder, mut decoder) = coders(Codec::Opus);
    let said = voice(Codec::Opus.rate(), EACH);
    let (mut payload, mut decoded) = (Vec::new(), Vec::new());
    stage::cost(BATCH, || {
        payload.clear();
        decoded.clear();
        encoder.encode(&said.samples, &mut payload);
        decoder.decode(&payload, &mut decoded);
    })
}

/// What the other side sends, hidden if it has keys.
fn packets(codec: Codec, mut far: Option<Armour>) -> Vec<Vec<u8>> {
    let (mut encoder, _) = coders(codec);
    let said = voice(codec.rate(), EACH);
    let ticks = codec.clock_rate() / 50;
    let packet = |number: u32| {
        let mut packet = vec![0x80, kind(codec)];
        packet.extend((number as u16).to_be_bytes());
        packet.extend((number * ticks).to_be_bytes());
        packet.extend(SOURCE.to_be_bytes());
        encoder.encode(&said.samples, &mut packet);
        if let Some(far) = &mut far {
            far.hide(&mut packet);
        }
        packet
    };
    (0..BATCH * 20).map(packet).collect()
}

fn coders(codec: Codec) -> (Encoder, Decoder) {
    let libraries = codecs::libraries();
    let profile = Profile { playback: Rate::WIDE, fec: true, ..Profile::default() };
    (Encoder::new(codec, &profile, &libraries), Decoder::new(codec, &libraries))
}

fn voice(rate: Rate, lasts: Duration) -> Frame {
    Frame::new(rate, Tone::dual(rate, [140.0, 610.0]).at(0.5).play(lasts))
}

/// A leg, and what both sides hide by, if they do.
fn settings(codec: Codec, is_web: bool, random: &mut Random) -> (Settings, Option<(Keys, Keys)>) {
    let mut master = || Master::random(Suite::Gcm256, random);
    let (ours, theirs) = (master(), master());
    let keys = is_web.then(|| {
        let there = Keys { ours: theirs.clone(), theirs: ours.clone() };
        (Keys { ours, theirs }, there)
    });
    let web = is_web.then(|| Pairing {
        ours: Credentials::random(random),
        theirs: Credentials::random(random),
        fingerprint: Fingerprint([7; 32]),
    });
    let settings = Settings {
        codec,
        payload_type: kind(codec),
        telephone_event: None,
        packing: Packing::default(),
        libraries: codecs::libraries(),
        remote: peer(),
        remote_rtcp: peer(),
        signalling: peer().ip(),
        symmetric: true,
        sending: true,
        speech: speech::Settings::default(),
        jitter: Bounds::default(),
        recording: false,
        latest: LATEST,
        keys: Ways::default(),
        srtp: None,
        mux: web.is_some(),
        web,
        cname: "bench".to_owned(),
        timeout: Duration::from_secs(3_600),
    };
    (settings, keys)
}

fn kind(codec: Codec) -> u8 {
    if codec == Codec::Opus { 111 } else { 0 }
}

fn peer() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4_000))
}

/// The length of a packet.
const EACH: Duration = Duration::from_millis(20);

/// How many packets are one batch.
const BATCH: u32 = 200;

/// The other side's SSRC.
const SOURCE: u32 = 7;
