//! Tests of ports that pass audio to each other, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use crate::audio::codec::Codec;
use crate::audio::coder::{Decoder, Encoder};
use crate::audio::frame::{Frame, Rate};
use crate::base::id::{PortId, UtteranceId};
use crate::media::bench::{Bench, PEER, Peer, Sent, settings};
use crate::media::event::{Attention, Command, Digit, Event, Settings};
use crate::media::link::Links;
use crate::media::music::Tape;

/// Ports of one call, each with its peer; the first is number 0.
struct Call {
    legs: Vec<(Bench, Peer)>,
}

impl Call {
    fn new(settings: Vec<Settings>) -> Self {
        let leg = |(number, settings): (usize, Settings)| {
            let peer = Peer { ssrc: 70 + number as u32, ..Peer::new() };
            (Bench::started(settings), peer)
        };
        Self { legs: settings.into_iter().enumerate().map(leg).collect() }
    }

    /// Two ports that talk with each other, and nobody else listens.
    fn bridged(one: Settings, two: Settings) -> Self {
        let mut call = Self::new(vec![one, two]);
        for leg in [0, 1] {
            call.order(leg, Command::Attend(Attention::Keys));
            call.order(leg, Command::Connect(Links::with(PortId(1 - leg as u64))));
        }
        call
    }

    fn order(&mut self, leg: usize, command: Command) {
        self.legs[leg].0.order(command);
        self.pass();
    }

    /// Packets of 20 ms from `since` to `until` (in milliseconds), as `says` has it for each leg.
    fn talk(&mut self, since: u64, until: u64, says: impl Fn(usize, u64, &mut Peer) -> Vec<u8>) {
        for at in (since..until).step_by(20) {
            for leg in 0..self.legs.len() {
                let (bench, peer) = &mut self.legs[leg];
                bench.until(at);
                let bytes = says(leg, at, peer);
                if !bytes.is_empty() {
                    bench.receive(PEER, &bytes);
                }
                self.pass();
            }
        }
        for (bench, _) in &mut self.legs {
            bench.until(until);
        }
        self.pass();
    }

    fn pass(&mut self) {
        for from in 0..self.legs.len() {
            let millis = self.legs[from].0.millis(self.legs[from].0.now);
            for (to, passage) in std::mem::take(&mut self.legs[from].0.passed) {
                let (bench, _) = &mut self.legs[to.0 as usize];
                bench.until(millis);
                bench.port.take(bench.now, PortId(from as u64), &passage);
                bench.drain();
            }
        }
    }

    fn sent(&self, leg: usize) -> &[Sent] {
        &self.legs[leg].0.sent
    }

    /// How many packets of loud voice were sent to a leg between two times.
    fn loud(&self, leg: usize, since: u64, until: u64) -> usize {
        let sent = self.sent(leg).iter().filter(|packet| (since..until).contains(&packet.at));
        sent.filter(|packet| level(packet) > 4_000).count()
    }
}

/// The loudest sample of a packet of PCMU.
fn level(packet: &Sent) -> u16 {
    let mut samples = Vec::new();
    Decoder::plain(Codec::Pcmu).decode(&packet.payload, &mut samples);
    samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

/// The first leg talks, the second is quiet.
fn first_talks(leg: usize, _at: u64, peer: &mut Peer) -> Vec<u8> {
    if leg == 0 { peer.loud() } else { peer.quiet() }
}

fn is_one_stream(sent: &[Sent]) -> bool {
    sent.windows(2).all(|pair| {
        let [one, two] = pair else { return false };
        let ahead = two.header.timestamp.wrapping_sub(one.header.timestamp);
        two.header.ssrc == one.header.ssrc
            && two.header.sequence == one.header.sequence.wrapping_add(1)
            && ahead < 80_000
    })
}

#[test]
fn what_one_says_comes_out_at_the_other_at_once_and_as_it_was() {
    let mut call = Call::bridged(settings(), settings());
    call.talk(0, 2_000, first_talks);
    let sent = call.sent(1);
    assert!((99..=102).contains(&sent.len()), "{}", sent.len());
    assert!(is_one_stream(sent));
    assert!(sent.iter().all(|packet| packet.header.ssrc != 70), "a source of our own");
    let loud = Peer::new().loud();
    let voice: Vec<&Sent> = sent.iter().filter(|packet| packet.is_voice()).collect();
    assert_eq!(voice.len(), 100);
    assert!(voice.iter().all(|packet| loud.ends_with(&packet.payload) && packet.at % 20 == 0));
    assert!(voice[0].header.marker && voice[1..].iter().all(|packet| !packet.header.marker));
    assert_eq!(call.legs[0].0.windows + call.legs[1].0.windows, 0, "nobody listens");
}

#[test]
fn the_other_law_is_written_for_a_leg_that_speaks_it() {
    let other = Settings { codec: Codec::Pcma, payload_type: 8, ..settings() };
    let mut call = Call::bridged(settings(), other);
    call.talk(0, 500, first_talks);
    let voice: Vec<&Sent> = call.sent(1).iter().filter(|it| it.header.payload_type == 8).collect();
    assert!(voice.len() >= 25 && is_one_stream(call.sent(1)));
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    Decoder::plain(Codec::Pcmu).decode(&Peer::new().loud()[12..], &mut theirs);
    Decoder::plain(Codec::Pcma).decode(&voice[10].payload, &mut ours);
    assert!(theirs.iter().zip(&ours).all(|(one, two)| (one - two).abs() <= 512), "{ours:?}");
}

#[test]
fn loss_stays_loss() {
    let mut call = Call::bridged(settings(), settings());
    call.talk(0, 1_000, |leg, at, peer| match (leg, at) {
        (0, 400 | 420) => {
            peer.skip();
            Vec::new()
        }
        _ => first_talks(leg, at, peer),
    });
    let voice: Vec<&Sent> = call.sent(1).iter().filter(|packet| packet.is_voice()).collect();
    assert_eq!(voice.len(), 48);
    let gap = voice.windows(2).find(|pair| pair[1].at - pair[0].at > 20).expect("a gap");
    assert_eq!(gap[1].header.sequence.wrapping_sub(gap[0].header.sequence), 3);
    assert_eq!(gap[1].header.timestamp.wrapping_sub(gap[0].header.timestamp), 480);
}

#[test]
fn a_silent_leg_does_not_starve_the_other() {
    let mut call = Call::bridged(settings(), settings());
    call.talk(0, 1_000, first_talks);
    call.talk(1_000, 40_000, |leg, _, peer| if leg == 1 { peer.quiet() } else { Vec::new() });
    assert!(is_one_stream(call.sent(1)));
    assert!(call.sent(1).len() > 1_900, "silence flows on: {}", call.sent(1).len());
    let silent = |leg: usize| {
        let mut events = call.legs[leg].0.events.iter();
        events.any(|event| matches!(event, Event::Silent { .. }))
    };
    assert!(silent(0) && !silent(1), "only the leg that sends nothing is told of");
}

#[test]
fn a_key_passes_as_an_event_and_is_told() {
    let theirs = Settings { telephone_event: Some(96), ..settings() };
    let mut call = Call::bridged(settings(), theirs);
    call.talk(0, 200, first_talks);
    let start = call.legs[0].1.timestamp;
    call.talk(200, 400, |leg, at, peer| {
        if leg == 1 {
            return peer.quiet();
        }
        let duration = ((at - 180) * 8) as u16;
        let [high, low] = duration.to_be_bytes();
        let mut header = peer.header(101);
        (header.timestamp, header.marker) = (start, at == 200);
        peer.skip();
        header.write(&[7, if at == 380 { 0x8a } else { 10 }, high, low])
    });
    call.talk(400, 600, first_talks);
    let keys: Vec<&Sent> =
        call.sent(1).iter().filter(|packet| packet.header.payload_type == 96).collect();
    assert_eq!(keys.len(), 10);
    assert!(keys[0].header.marker && keys.iter().all(|it| it.payload[0] == 7));
    assert!(keys.iter().all(|it| it.header.timestamp == keys[0].header.timestamp));
    assert!(is_one_stream(call.sent(1)));
    let seven = Digit::new('7').expect("a key");
    assert!(call.legs[0].0.events.contains(&Event::Digit(seven)));
}

#[test]
fn a_key_is_a_tone_for_a_leg_without_events() {
    let theirs = Settings { telephone_event: None, ..settings() };
    let mut call = Call::bridged(settings(), theirs);
    call.talk(0, 200, |_, _, peer| peer.quiet());
    let start = call.legs[0].1.timestamp;
    call.talk(200, 360, |leg, at, peer| {
        if leg == 1 {
            return peer.quiet();
        }
        let [high, low] = (((at - 180) * 8) as u16).to_be_bytes();
        let mut header = peer.header(101);
        header.timestamp = start;
        peer.skip();
        header.write(&[7, 10, high, low])
    });
    call.talk(360, 500, |_, _, peer| peer.quiet());
    assert_eq!(call.loud(1, 200, 360), 8);
    assert!(is_one_stream(call.sent(1)));
}

#[test]
fn who_is_muted_is_not_heard_and_the_other_gets_silence() {
    let mut call = Call::bridged(settings(), settings());
    call.talk(0, 500, first_talks);
    call.order(0, Command::Mute);
    call.talk(500, 1_500, first_talks);
    call.order(0, Command::Unmute);
    call.talk(1_500, 2_000, first_talks);
    assert_eq!((call.loud(1, 0, 500), call.loud(1, 501, 1_500)), (25, 0));
    assert_eq!(call.loud(1, 1_500, 2_000), 25);
    assert!(is_one_stream(call.sent(1)) && call.sent(1).len() >= 90);
}

#[test]
fn who_waits_hears_music_and_then_the_other_again() {
    let mut call = Call::bridged(settings(), settings());
    call.talk(0, 500, |_, _, peer| peer.quiet());
    call.order(1, Command::Connect(Links::default()));
    call.order(1, Command::Music(Arc::new(Tape::melody())));
    call.talk(500, 3_000, first_talks);
    let music = call.sent(1).iter().filter(|it| it.at > 600 && level(it) > 300).count();
    assert!(music > 100, "{music}");
    call.order(1, Command::NoMusic);
    call.order(1, Command::Connect(Links::with(PortId(0))));
    call.talk(3_000, 3_500, first_talks);
    assert_eq!(call.loud(1, 3_000, 3_500), 25);
    assert!(is_one_stream(call.sent(1)));
}

#[test]
fn music_is_sent_as_it_was_encoded() {
    let mut call = Call::new(vec![settings()]);
    let tape = Arc::new(Tape::melody());
    call.order(0, Command::Music(tape.clone()));
    call.talk(20, 1_000, |_, _, peer| peer.quiet());
    let sent = call.sent(0);
    let first = sent.iter().position(|it| it.is_voice()).expect("music");
    for (position, packet) in sent[first..].iter().enumerate() {
        let (mut frame, mut payload) = ([0; 160], Vec::new());
        let position = (position + first - 1) as u64;
        tape.add_to(&mut frame, Rate::NARROW, position * 160);
        Encoder::plain(Codec::Pcmu).encode(&frame, &mut payload);
        let same = payload.iter().zip(&packet.payload).filter(|(one, two)| one == two).count();
        assert!(same >= 158, "{position}: {same} of 160");
    }
}

#[test]
fn a_whisper_is_heard_by_one_side_only_and_over_the_other() {
    let mut call = Call::bridged(settings(), settings());
    call.talk(0, 500, first_talks);
    let frame = Frame::new(Rate::NARROW, vec![3_000; 8_000]);
    call.order(1, Command::Play { utterance: UtteranceId(1), frame });
    call.order(1, Command::Finish { utterance: UtteranceId(1) });
    call.talk(500, 2_500, first_talks);
    let louder = |leg: usize, since: u64, until: u64| {
        let sent = call.sent(leg).iter().filter(|it| (since..until).contains(&it.at));
        sent.map(level).max().unwrap_or(0)
    };
    let alone = louder(1, 0, 500);
    assert!(louder(1, 600, 1_400) > alone + 2_000, "both at once");
    assert!(call.loud(1, 600, 1_400) >= 38, "the other is heard all the time");
    assert_eq!(louder(1, 1_700, 2_500), alone, "and afterwards alone");
    assert!(louder(0, 0, 2_500) < 100, "the other side hears nothing of it");
    assert!(is_one_stream(call.sent(1)));
}

#[test]
fn a_supervisor_hears_both_sides_and_may_whisper_to_one() {
    let mut call = Call::new(vec![settings(), settings(), settings()]);
    let [one, two, boss] = [PortId(0), PortId(1), PortId(2)];
    call.order(0, Command::Connect(Links::with(two).and_told(boss)));
    call.order(1, Command::Connect(Links::with(one).and_told(boss).and_hears(boss)));
    call.order(
        2,
        Command::Connect(Links { told: vec![two], hears: vec![one, two], ..Links::default() }),
    );
    call.talk(0, 1_000, |leg, _, peer| if leg == 2 { Vec::new() } else { peer.loud() });
    assert!(call.loud(2, 100, 1_000) >= 43, "{}", call.loud(2, 100, 1_000));
    call.talk(1_000, 2_000, |leg, _, peer| if leg == 2 { peer.loud() } else { peer.quiet() });
    assert!(call.loud(1, 1_100, 2_000) >= 43);
    assert_eq!(call.loud(0, 1_100, 2_000), 0, "the other side does not hear the whisper");
    assert_eq!(call.loud(2, 1_200, 2_000), 0);
}

#[test]
fn who_oversees_an_agent_hears_the_peer_and_what_the_agent_says() {
    let mut call = Call::new(vec![settings(), settings()]);
    let [line, boss] = [PortId(0), PortId(1)];
    let told = vec![boss];
    call.order(0, Command::Connect(Links { overseers: told.clone(), told, ..Links::default() }));
    let heard = vec![line];
    call.order(
        1,
        Command::Connect(Links { oversees: heard.clone(), hears: heard, ..Links::default() }),
    );
    call.talk(0, 500, |_, _, peer| peer.quiet());
    // The agent speaks for a second, then the peer, and at last both.
    let frame = Frame::new(Rate::NARROW, vec![3_000; 8_000]);
    call.order(0, Command::Play { utterance: UtteranceId(1), frame: frame.clone() });
    call.order(0, Command::Finish { utterance: UtteranceId(1) });
    call.talk(500, 1_500, |_, _, peer| peer.quiet());
    call.talk(1_500, 2_500, first_talks);
    call.order(0, Command::Play { utterance: UtteranceId(2), frame });
    call.order(0, Command::Finish { utterance: UtteranceId(2) });
    call.talk(2_500, 3_500, first_talks);
    call.talk(3_500, 4_000, |_, _, peer| peer.loud());
    let level = |leg: usize, since: u64, until: u64| {
        let sent = call.sent(leg).iter().filter(|it| (since..until).contains(&it.at));
        sent.map(level).max().unwrap_or(0)
    };
    assert!(level(1, 100, 500) < 100);
    assert!((2_500..3_600).contains(&level(1, 700, 1_450)), "the agent: {}", level(1, 700, 1_450));
    assert!(level(1, 1_700, 2_450) > 4_000, "the peer");
    let both = level(1, 2_700, 3_400);
    assert!(both > level(1, 1_700, 2_450) + 2_000, "both: {both}");
    assert!(is_one_stream(call.sent(1)));
    // What the agent says is heard on the line once, and of the boss there is nothing.
    assert!((2_500..3_600).contains(&level(0, 700, 1_450)));
    assert!(level(0, 3_700, 4_000) < 100, "nobody hears the boss");
    // When it is over, nothing is offered any more.
    call.order(0, Command::Connect(Links::default()));
    let frame = Frame::new(Rate::NARROW, vec![3_000; 8_000]);
    call.order(0, Command::Play { utterance: UtteranceId(3), frame });
    call.talk(4_000, 5_000, |_, _, peer| peer.quiet());
    let sent = call.sent(1).iter().filter(|it| (4_300..5_000).contains(&it.at));
    assert!(sent.map(self::level).max().unwrap_or(0) < 100);
}

#[test]
fn both_sides_of_a_bridge_are_recorded_on_one_time_line() {
    let mut call = Call::bridged(Settings { recording: true, ..settings() }, settings());
    call.talk(0, 3_000, |leg, at, peer| match (leg, at) {
        (0, 500..1_000) | (1, 1_500..2_000) => peer.loud(),
        _ => peer.quiet(),
    });
    let recorded = &call.legs[0].0.recorded;
    assert!((140..=150).contains(&recorded.len()), "{}", recorded.len());
    let loud = |samples: &[i16]| samples.iter().any(|sample| sample.unsigned_abs() > 4_000);
    let left: Vec<usize> = (0..recorded.len()).filter(|at| loud(&recorded[*at].0)).collect();
    let right: Vec<usize> = (0..recorded.len()).filter(|at| loud(&recorded[*at].1)).collect();
    assert!((24..=27).contains(&left.len()) && (23..=27).contains(&right.len()));
    assert!((24..=25).contains(&left[0]) && (74..=75).contains(&right[0]), "{left:?} {right:?}");
}

#[test]
fn an_echo_comes_back_at_once() {
    let mut call = Call::new(vec![settings()]);
    call.order(0, Command::Connect(Links::with(PortId(0))));
    call.talk(0, 1_000, |_, _, peer| peer.loud());
    assert_eq!(call.loud(0, 0, 1_000), 50);
    assert!(is_one_stream(call.sent(0)));
}

#[test]
fn a_stranger_among_the_ports_is_not_heard() {
    let mut call = Call::new(vec![settings(), settings()]);
    call.order(0, Command::Connect(Links { told: vec![PortId(1)], ..Links::default() }));
    call.talk(0, 500, first_talks);
    assert_eq!(call.loud(1, 0, 500), 0);
}

#[test]
fn a_bridge_that_ends_goes_on_as_one_stream() {
    let mut call = Call::bridged(settings(), settings());
    for (round, since) in [0, 3_000, 6_000].into_iter().enumerate() {
        call.talk(since, since + 1_510, first_talks);
        call.order(1, Command::Connect(Links::default()));
        call.legs[1].0.play(round as u64 + 1, 300);
        call.legs[1].0.finish(round as u64 + 1);
        call.talk(since + 1_520, since + 3_000, |_, _, peer| peer.quiet());
        call.order(1, Command::Connect(Links::with(PortId(0))));
    }
    assert!(is_one_stream(call.sent(1)));
    let last = Duration::from_millis(call.sent(1).last().expect("packets").at);
    assert!(last > Duration::from_millis(8_900));
}
