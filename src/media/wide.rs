//! Tests of ports with codecs other than G.711, other lengths of packets, and a change of both in
//! mid-call, in virtual time.

use std::time::Duration;

use crate::audio::codec::Codec;
use crate::audio::coder::{Decoder, Encoder};
use crate::audio::frame::{Frame, Rate};
use crate::audio::packing::{Content, Packing};
use crate::audio::tone::Tone;
use crate::base::id::{PortId, UtteranceId};
use crate::media::bench::{Bench, PEER, Peer, Sent, settings};
use crate::media::event::{Command, Settings};
use crate::media::link::Links;

/// A leg with a codec that needs no library, in packets of so many milliseconds.
fn leg(codec: Codec, millis: u64) -> Settings {
    let packing = Packing { ptime: Duration::from_millis(millis), ..Packing::default() };
    Settings { codec, payload_type: codec.payload_type(), packing, ..settings() }
}

/// A peer that says a tone of 500 Hz in a codec.
struct Singer {
    peer: Peer,
    encoder: Encoder,
    tone: Tone,
    millis: u64,
}

impl Singer {
    fn new(codec: Codec, millis: u64) -> Self {
        let length = codec.ticks_in(Duration::from_millis(millis));
        let tone = Tone::sine(codec.rate(), 500.0).at(0.5);
        Self { peer: Peer { length, ..Peer::new() }, encoder: Encoder::plain(codec), tone, millis }
    }

    fn sing(&mut self) -> Vec<u8> {
        let mut payload = Vec::new();
        let samples = self.tone.play(Duration::from_millis(self.millis));
        self.encoder.encode(&samples, &mut payload);
        self.peer.packet(self.encoder.codec().payload_type(), &payload)
    }
}

/// How strong a tone is among all that is in `samples`: 0 to 1.
fn purity(samples: &[i16], rate: Rate, hertz: f64) -> f64 {
    let (mut sine, mut cosine, mut power) = (0.0, 0.0, 1e-9);
    for (at, sample) in samples.iter().enumerate() {
        let angle = std::f64::consts::TAU * hertz * at as f64 / f64::from(rate.0);
        let sample = f64::from(*sample);
        (sine, cosine) = (sine + sample * angle.sin(), cosine + sample * angle.cos());
        power += sample * sample;
    }
    2.0 * (sine * sine + cosine * cosine) / (power * samples.len() as f64)
}

/// Everything in packets of a codec.
fn decoded<'a>(sent: impl IntoIterator<Item = &'a Sent>, codec: Codec) -> Vec<i16> {
    let (mut decoder, mut samples) = (Decoder::plain(codec), Vec::new());
    for packet in sent {
        decoder.decode(&packet.payload, &mut samples);
    }
    samples
}

fn play(bench: &mut Bench, rate: Rate, duration: Duration) {
    let frame = Frame::new(rate, Tone::sine(rate, 500.0).at(0.5).play(duration));
    bench.order(Command::Play { utterance: UtteranceId(1), frame });
    bench.order(Command::Finish { utterance: UtteranceId(1) });
}

#[test]
fn every_codec_is_heard_at_16_khz_in_packets_of_every_length() {
    for codec in [Codec::Pcma, Codec::G722, Codec::L16Wide, Codec::L16Narrow] {
        for millis in [10, 20, 30, 40, 60] {
            let mut bench = Bench::started(leg(codec, 20));
            let mut singer = Singer::new(codec, millis);
            for at in (0..1_200).step_by(millis as usize) {
                bench.until(at);
                bench.receive(PEER, &singer.sing());
            }
            let what = format!("{codec:?} of {millis} ms");
            let heard = bench.heard_millis();
            assert!((1_140..=1_200).contains(&heard), "{what}: {heard}");
            let clear = purity(&bench.heard[1_600..], Rate::WIDE, 500.0);
            assert!(clear > 0.97, "{what}: {clear}");
            assert_eq!(bench.port.quality().discarded, 0, "{what}");
            assert_eq!(bench.port.quality().jitter, Duration::ZERO, "{what}");
        }
    }
}

#[test]
fn every_codec_is_sent_in_packets_of_every_length() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::L16Wide] {
        for millis in [10, 20, 30, 40] {
            let mut bench = Bench::started(leg(codec, millis));
            bench.until(105);
            play(&mut bench, codec.rate(), Duration::from_millis(600));
            bench.until(1_200);
            let what = format!("{codec:?} of {millis} ms");
            let ticks = codec.ticks_in(Duration::from_millis(millis));
            for pair in bench.sent.windows(2) {
                let step = pair[1].header.timestamp.wrapping_sub(pair[0].header.timestamp);
                assert_eq!(step, ticks, "{what}");
                assert_eq!(codec.ticks(&pair[0].payload), ticks, "{what}");
            }
            let voice: Vec<&Sent> = bench.sent.iter().filter(|it| it.at >= 105).collect();
            assert_eq!((voice[0].at, voice[0].header.marker), (105, true), "{what}: at once");
            let spoken = voice.iter().take((600 / millis) as usize).copied();
            let samples = decoded(spoken, codec);
            assert!(purity(&samples[800..], codec.rate(), 500.0) > 0.97, "{what}");
        }
    }
}

#[test]
fn a_gap_of_g722_is_made_up() {
    let mut bench = Bench::started(leg(Codec::G722, 20));
    let mut singer = Singer::new(Codec::G722, 20);
    for at in (0..2_000).step_by(20) {
        bench.until(at);
        let packet = singer.sing();
        if at % 200 != 100 {
            bench.receive(PEER, &packet);
        }
    }
    let heard = bench.heard_millis();
    assert!((1_960..=2_000).contains(&heard), "{heard}");
    let clear = purity(&bench.heard[1_600..], Rate::WIDE, 500.0);
    assert!(clear > 0.8, "{clear}");
}

#[test]
fn the_codec_changes_in_mid_sentence_without_a_gap_and_without_a_click() {
    for (from, to) in [
        (Codec::Pcmu, Codec::G722),
        (Codec::G722, Codec::Pcma),
        (Codec::Pcma, Codec::L16Wide),
        (Codec::L16Wide, Codec::Pcmu),
    ] {
        let mut bench = Bench::started(Settings { recording: true, ..leg(from, 20) });
        bench.until(100);
        play(&mut bench, from.rate(), Duration::from_millis(900));
        bench.until(505);
        let before = bench.sent.len();
        bench.order(Command::Update(Box::new(Settings { recording: true, ..leg(to, 30) })));
        bench.until(1_400);
        let what = format!("{from:?} to {to:?}");
        let (old, new) = bench.sent.split_at(before);
        assert!(old.iter().all(|it| it.header.payload_type == from.payload_type()), "{what}");
        assert!(new.iter().all(|it| it.header.payload_type == to.payload_type()), "{what}");
        let (last, first) = (&old[before - 1], &new[0]);
        assert_eq!(first.header.sequence, last.header.sequence.wrapping_add(1), "{what}");
        let step = first.header.timestamp.wrapping_sub(last.header.timestamp);
        assert_eq!(step, from.ticks_in(Duration::from_millis(20)), "{what}");
        assert!(first.at - last.at <= 30, "{what}: {} after {}", first.at, last.at);
        for pair in new.windows(2) {
            assert!(pair[1].at - pair[0].at <= 50, "{what}");
        }
        let samples = decoded(new.iter().take(10), to);
        let loudest = |samples: &[i16]| samples.iter().map(|it| it.unsigned_abs()).max();
        assert!(loudest(&samples[..240]) > Some(8_000), "{what}: it goes on at once");
        assert!(loudest(&samples) < Some(18_500), "{what}: no click");
        assert!(purity(&samples[400..], to.rate(), 500.0) > 0.95, "{what}");
        let lengths: Vec<usize> = bench.recorded.iter().map(|(_, agent)| agent.len()).collect();
        let frame = from.rate().samples_in(Duration::from_millis(10));
        assert!(lengths.iter().all(|it| [frame * 2, frame * 3].contains(it)), "{what}");
    }
}

#[test]
fn what_the_peer_says_after_a_change_is_heard_as_before() {
    let mut bench = Bench::started(Settings { recording: true, ..leg(Codec::Pcmu, 20) });
    let mut narrow = Singer::new(Codec::Pcmu, 20);
    for at in (0..600).step_by(20) {
        bench.until(at);
        bench.receive(PEER, &narrow.sing());
    }
    bench.order(Command::Update(Box::new(Settings { recording: true, ..leg(Codec::G722, 20) })));
    let mut wide = Singer::new(Codec::G722, 20);
    wide.peer = Peer { length: 160, ..narrow.peer };
    for at in (600..1_200).step_by(20) {
        bench.until(at);
        bench.receive(PEER, &wide.sing());
    }
    bench.until(1_800);
    // The first packet came when it was over: 20 ms before its time on the line.
    assert!((1_780..=1_820).contains(&bench.heard_millis()), "{}", bench.heard_millis());
    assert!(purity(&bench.heard[10_400..18_400], Rate::WIDE, 500.0) > 0.97);
    let caller: Vec<i16> = bench.recorded.iter().flat_map(|(caller, _)| caller.clone()).collect();
    let length = caller.len() / 8;
    assert!((1_100..=1_800).contains(&length), "recorded at 8 kHz to the end: {length} ms");
    assert!(purity(&caller[6_400..8_800], Rate::NARROW, 500.0) > 0.95);
}

#[test]
fn numbers_are_asymmetric() {
    let packing = Packing {
        accepts: vec![(96, Content::Voice(Codec::G722)), (97, Content::Key { clock: 8_000 })],
        ..Packing::default()
    };
    let mut bench = Bench::started(Settings {
        codec: Codec::G722,
        payload_type: 120,
        telephone_event: Some(121),
        packing,
        ..settings()
    });
    let mut singer = Singer::new(Codec::G722, 20);
    for at in (0..400).step_by(20) {
        bench.until(at);
        let mut packet = singer.sing();
        packet[1] = 96;
        bench.receive(PEER, &packet);
    }
    bench.receive(PEER, &singer.peer.packet(97, &[7, 0x8a, 1, 0]));
    assert!(purity(&bench.heard[1_600..], Rate::WIDE, 500.0) > 0.97);
    assert_eq!(bench.events.iter().filter(|it| format!("{it:?}").contains("Digit")).count(), 1);
    assert!(bench.sent.iter().all(|packet| packet.header.payload_type == 120));
}

#[test]
fn two_legs_with_two_codecs_hear_each_other() {
    for (one, other) in [
        (leg(Codec::G722, 20), leg(Codec::Pcmu, 20)),
        (leg(Codec::Pcma, 20), leg(Codec::L16Wide, 20)),
        (leg(Codec::L16Wide, 20), leg(Codec::G722, 20)),
    ] {
        let (from, to) = (one.codec, other.codec);
        let (mut speaker, mut listener) = (Bench::started(one), Bench::started(other));
        speaker.order(Command::Connect(Links::with(PortId(1))));
        listener.order(Command::Connect(Links::with(PortId(0))));
        let mut singer = Singer::new(from, 20);
        for at in (0..1_000).step_by(20) {
            speaker.until(at);
            listener.until(at);
            speaker.receive(PEER, &singer.sing());
            for (_, passage) in std::mem::take(&mut speaker.passed) {
                listener.port.take(listener.now, PortId(0), &passage);
                listener.drain();
            }
        }
        let what = format!("{from:?} to {to:?}");
        let voice: Vec<&Sent> = listener.sent.iter().filter(|it| it.at >= 20).collect();
        assert!((49..=51).contains(&voice.len()), "{what}: {}", voice.len());
        let ticks = to.ticks_in(Duration::from_millis(20));
        for pair in voice.windows(2) {
            let step = pair[1].header.timestamp.wrapping_sub(pair[0].header.timestamp);
            assert_eq!((step, pair[1].at - pair[0].at), (ticks, 20), "{what}");
        }
        let samples = decoded(voice, to);
        assert!(purity(&samples[1_600..], to.rate(), 500.0) > 0.97, "{what}");
    }
}

#[test]
fn silence_is_described_to_a_peer_that_knows_how() {
    let packing = Packing { comfort: Some(13), ..Packing::default() };
    let mut bench = Bench::started(Settings { packing, ..settings() });
    bench.until(995);
    assert_eq!(bench.sent.len(), 5, "five in a second");
    assert!(bench.sent.iter().all(|it| it.header.payload_type == 13 && it.payload == [70]));
    bench.play(1, 100);
    bench.finish(1);
    bench.until(1_300);
    let voice: Vec<&Sent> = bench.sent.iter().filter(|it| it.header.payload_type == 0).collect();
    assert_eq!(voice.len(), 5);
    assert!(voice[0].header.marker && voice[1..].iter().all(|it| !it.header.marker));
    let after = bench.sent.iter().find(|it| it.at > voice[4].at).expect("silence again");
    assert_eq!(after.header.payload_type, 13, "at once");
    let numbers: Vec<u16> = bench.sent.iter().map(|it| it.header.sequence).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
}

#[test]
fn the_background_of_a_speaker_who_rests_goes_on_at_the_other_end() {
    let (mut speaker, mut listener) = (Bench::started(settings()), Bench::started(settings()));
    speaker.order(Command::Connect(Links::with(PortId(1))));
    listener.order(Command::Connect(Links::with(PortId(0))));
    let mut peer = Peer::new();
    for at in (0..1_000).step_by(20) {
        speaker.until(at);
        listener.until(at);
        match at {
            0..500 => speaker.receive(PEER, &peer.loud()),
            500 => speaker.receive(PEER, &peer.packet(13, &[45])),
            _ => {}
        }
        for (_, passage) in std::mem::take(&mut speaker.passed) {
            listener.port.take(listener.now, PortId(0), &passage);
            listener.drain();
        }
    }
    let rest: Vec<&Sent> = listener.sent.iter().filter(|it| it.at > 520).collect();
    assert!(rest.len() >= 22, "{}", rest.len());
    let samples = decoded(rest, Codec::Pcmu);
    let power = samples.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>();
    let level = 10.0 * (power / samples.len() as f64 / 32_768.0_f64.powi(2)).log10();
    assert!((-48.0..-42.0).contains(&level), "{level} dB");
}
