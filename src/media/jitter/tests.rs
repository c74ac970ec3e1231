//! Tests of the jitter buffer over networks of every kind, in virtual time.

use proptest::prelude::*;

use super::*;
use crate::audio::coder::Encoder;
use crate::audio::tone::Tone;
use crate::base::random::Random;
use crate::media::link::Voice;

/// Packets of 20 ms of a codec on their way to a buffer that is read every 20 ms.
struct Network {
    start: Instant,
    buffer: Buffer,
    /// What is on the way: when it comes, in microseconds, and what it is.
    sent: Vec<(i64, Passage)>,
    /// Until when samples were taken, in microseconds.
    taken: i64,
    heard: Vec<i16>,
    /// How far behind the line was at each reading, in milliseconds; -1: nothing flowed.
    behind: Vec<i64>,
    longest: usize,
}

impl Network {
    fn new(rate: Rate) -> Self {
        Self {
            start: Instant::now() + Duration::from_secs(1),
            buffer: Buffer::new(rate, Libraries::default(), Bounds::default()),
            sent: Vec::new(),
            taken: 0,
            heard: Vec::new(),
            behind: Vec::new(),
            longest: 0,
        }
    }

    /// Sends `count` packets of a tone; `travels` says for each how many microseconds it takes, or
    /// that it is lost.
    fn sing(&mut self, speaker: &mut Speaker, count: u64, travels: impl FnMut(u64) -> Option<i64>) {
        let mut travels = travels;
        for packet in 0..count {
            let (made, passage) = speaker.next();
            if let Some(late) = travels(packet) {
                self.sent.push((made + late, passage));
            }
        }
    }

    /// Lets time go on to so many milliseconds.
    fn until(&mut self, millis: i64) {
        self.sent.sort_by_key(|(at, _)| *at);
        while self.taken < millis * 1_000 {
            let due = self.sent.partition_point(|(at, _)| *at <= self.taken);
            for (at, passage) in self.sent.drain(..due) {
                self.buffer.put(instant(self.start, at), &passage);
                self.longest = self.longest.max(self.buffer.len());
            }
            let now = instant(self.start, self.taken);
            let mut frame = vec![0; self.buffer.rate().samples_in(FRAME)];
            self.buffer.add_to(now, &mut frame);
            self.heard.extend(frame);
            let behind = self.buffer.behind(now + FRAME);
            self.behind.push(behind.map_or(-1, |it| it.as_millis() as i64));
            self.taken += FRAME.as_micros() as i64;
        }
    }

    /// What was heard from a time on, in milliseconds.
    fn heard_since(&self, millis: usize) -> &[i16] {
        self.heard.get(millis * self.buffer.rate().0 as usize / 1_000..).unwrap_or_default()
    }

    /// How far behind it is now, in milliseconds.
    fn now_behind(&self) -> i64 {
        *self.behind.last().expect("something was read")
    }
}

/// Who says a tone.
struct Speaker {
    encoder: Encoder,
    tone: Tone,
    stream: u32,
    index: u64,
    timestamp: u32,
    /// When the next packet is made, in nanoseconds.
    made: i64,
    /// How long its clock takes for 20 ms, in nanoseconds.
    pace: i64,
    /// What every packet holds, where a packet is a whole number of periods.
    always: Option<Bytes>,
}

impl Speaker {
    fn new(codec: Codec, hertz: f32) -> Self {
        Self {
            encoder: Encoder::plain(codec),
            tone: Tone::sine(codec.rate(), hertz),
            stream: 1,
            index: 70_000,
            timestamp: u32::MAX - 4_000,
            made: 0,
            pace: 20_000_000,
            always: None,
        }
    }

    fn next(&mut self) -> (i64, Passage) {
        let (codec, made) = (self.encoder.codec(), self.made / 1_000);
        let payload = self.always.clone().unwrap_or_else(|| self.payload());
        let passage = Passage {
            voice: Voice::Peer,
            stream: self.stream,
            index: self.index,
            timestamp: self.timestamp,
            clock: codec.clock_rate(),
            marker: false,
            content: Content::Voice(codec),
            payload,
        };
        self.index += 1;
        self.rest(1);
        (made, passage)
    }

    fn payload(&mut self) -> Bytes {
        let mut payload = Vec::new();
        self.encoder.encode(&self.tone.play(FRAME), &mut payload);
        payload.into()
    }

    /// Says nothing for so many packets.
    fn rest(&mut self, packets: u32) {
        let ticks = self.encoder.codec().ticks_in(FRAME) * packets;
        self.timestamp = self.timestamp.wrapping_add(ticks);
        self.made += self.pace * i64::from(packets);
    }
}

fn instant(start: Instant, micros: i64) -> Instant {
    start + Duration::from_micros(micros.max(0).unsigned_abs())
}

fn steepest(samples: &[i16]) -> i32 {
    let steps = samples.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs());
    steps.max().unwrap_or(0)
}

/// The steepest step of a sine at half of full scale, with what G.711 adds.
fn steep(hertz: f64, rate: Rate) -> i32 {
    (16_384.0 * std::f64::consts::TAU * hertz / f64::from(rate.0)) as i32 + 1_100
}

/// How much of the power stands at a frequency: 0 to 1.
fn purity(samples: &[i16], rate: Rate, hertz: f64) -> f64 {
    let piece = rate.0 as usize / 25;
    let (mut tone, mut all) = (0.0, 1e-9);
    // In pieces, because a splice may turn the phase.
    for samples in samples.chunks_exact(piece) {
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (at, sample) in samples.iter().enumerate() {
            let angle = std::f64::consts::TAU * hertz * at as f64 / f64::from(rate.0);
            let sample = f64::from(*sample);
            (sine, cosine) = (sine + sample * angle.sin(), cosine + sample * angle.cos());
            all += sample * sample;
        }
        tone += 2.0 * (sine * sine + cosine * cosine) / piece as f64;
    }
    tone / all
}

#[test]
fn on_a_good_network_speech_is_as_it_was_and_little_late() {
    for (codec, rate) in [
        (Codec::Pcmu, Rate::NARROW),
        (Codec::G722, Rate::WIDE),
        (Codec::L16Wide, Rate::NARROW),
        (Codec::Pcma, Rate::WIDE),
    ] {
        let (mut network, mut speaker) = (Network::new(rate), Speaker::new(codec, 440.0));
        network.sing(&mut speaker, 500, |_| Some(3_700));
        network.until(2_000);
        let (behind, tally) = (network.now_behind(), network.buffer.tally());
        assert!((20..=36).contains(&behind), "{codec:?}: {behind} ms");
        network.until(9_900);
        assert!(network.behind[100..].iter().all(|it| *it == behind), "{codec:?}");
        let heard = network.heard_since(1_000);
        assert!(purity(heard, rate, 440.0) > 0.99, "{codec:?}");
        assert_eq!(network.buffer.tally(), tally, "{codec:?}: nothing is done to it");
    }
}

#[test]
fn the_delay_follows_the_network_up_and_down() {
    let (mut network, mut speaker) = (Network::new(Rate::NARROW), Speaker::new(Codec::Pcmu, 300.0));
    let mut random = Random::repeatable(5);
    network.sing(&mut speaker, 250, |_| Some(2_000));
    network.sing(&mut speaker, 500, |_| Some(2_000 + i64::from(random.below(100_000))));
    network.sing(&mut speaker, 250, |_| Some(2_000));
    network.until(4_900);
    let calm = network.now_behind();
    network.until(14_900);
    let stormy = network.now_behind();
    network.until(18_100);
    let after = network.now_behind();
    assert!((20..=36).contains(&calm), "{calm} ms");
    assert!((90..=140).contains(&stormy), "{stormy} ms");
    assert!((10..=36).contains(&after), "three seconds later: {after} ms");
    assert!(steepest(network.heard_since(0)) < steep(300.0, Rate::NARROW));
    assert!(purity(network.heard_since(8_000), Rate::NARROW, 300.0) > 0.97);
}

#[test]
fn the_delay_stays_within_the_bounds_that_the_operator_sets() {
    let bounds = |least, most| {
        let [least, most] = [least, most].map(Duration::from_millis);
        Bounds { least, most }
    };
    for (bounds, travels, expected) in [
        (bounds(80, 200), 0, 80..=100),
        (bounds(0, 60), 150_000, 40..=75),
        (Bounds::default(), 0, 20..=45),
    ] {
        let mut network = Network::new(Rate::NARROW);
        network.buffer = Buffer::new(Rate::NARROW, Libraries::default(), bounds);
        let mut speaker = Speaker::new(Codec::Pcmu, 300.0);
        // Every other packet comes late.
        network.sing(&mut speaker, 400, |it| Some((it % 2) as i64 * travels));
        network.until(7_500);
        let behind = network.now_behind();
        assert!(expected.contains(&behind), "{bounds:?}: {behind} ms");
    }
}

#[test]
fn after_a_stall_the_delay_is_back_within_three_seconds() {
    for stall in [60, 150, 300, 800] {
        let (mut network, mut speaker) =
            (Network::new(Rate::NARROW), Speaker::new(Codec::Pcma, 200.0));
        // Everything that was sent in the stall comes at its end.
        network.sing(&mut speaker, 400, |packet| {
            let at = packet as i64 * 20;
            Some(1_000 * if (3_000..3_000 + stall).contains(&at) { 3_000 + stall - at } else { 2 })
        });
        network.until(3_000 + stall + 3_000);
        let behind = network.now_behind();
        assert!((5..=40).contains(&behind), "after {stall} ms: {behind} ms");
        assert!(network.longest <= MAX_PACKETS);
        assert!(steepest(network.heard_since(0)) < steep(200.0, Rate::NARROW), "{stall}");
    }
}

#[test]
fn a_clock_that_is_wrong_by_100_ppm_neither_starves_nor_floods_in_an_hour() {
    for pace in [20_002_000, 19_998_000] {
        let (mut network, mut speaker) =
            (Network::new(Rate::NARROW), Speaker::new(Codec::Pcmu, 250.0));
        (speaker.pace, speaker.always) = (pace, Some(speaker.payload()));
        let mut random = Random::repeatable(9);
        for minute in 1..=60 {
            network.sing(&mut speaker, 3_000, |_| Some(2_000 + i64::from(random.below(9_000))));
            network.until(minute * 59_990);
            assert!((10..=55).contains(&network.now_behind()), "{} ms", network.now_behind());
            let heard = network.heard_since(50_000);
            assert!(purity(heard, Rate::NARROW, 250.0) > 0.97);
            assert!(steepest(heard) < steep(250.0, Rate::NARROW));
            network.heard.clear();
        }
        let tally = network.buffer.tally();
        // 100 ppm of an hour are 360 ms.
        let (left_out, repeated) = (tally.left_out / 8, tally.repeated / 8);
        let drift = left_out as i64 - repeated as i64 - (tally.made_up / 8) as i64;
        let wanted = if pace < 20_000_000 { 360 } else { -360 };
        assert!((drift - wanted).abs() < 60, "{tally:?}");
        assert!(left_out.min(repeated) < 150, "it does not run to and fro: {tally:?}");
        assert_eq!((tally.late, tally.overflowed), (0, 0));
        assert!(tally.made_up / 8 < 120, "{tally:?}");
    }
}

#[test]
fn what_is_swapped_is_put_in_order_and_what_came_twice_is_heard_once() {
    let (mut network, mut speaker) = (Network::new(Rate::NARROW), Speaker::new(Codec::Pcmu, 440.0));
    // Every fifth packet overtakes the one before it, and every third comes twice.
    network.sing(&mut speaker, 400, |packet| Some(if packet % 5 == 3 { 26_000 } else { 2_000 }));
    let twice: Vec<_> = network.sent.iter().step_by(3).cloned().collect();
    network.sent.extend(twice.into_iter().map(|(at, passage)| (at + 7_000, passage)));
    network.until(7_900);
    let heard = network.heard_since(1_000);
    assert!(purity(heard, Rate::NARROW, 440.0) > 0.99);
    assert!(steepest(heard) < steep(440.0, Rate::NARROW));
}

#[test]
fn what_is_lost_is_made_up_in_the_codec_and_takes_no_time() {
    for codec in [Codec::Pcmu, Codec::G722] {
        let (mut network, mut speaker) = (Network::new(codec.rate()), Speaker::new(codec, 200.0));
        let mut random = Random::repeatable(2);
        network.sing(&mut speaker, 500, |packet| {
            (packet < 20 || random.below(20) > 0).then_some(4_000)
        });
        network.until(9_900);
        let heard = network.heard_since(500);
        assert!(purity(heard, codec.rate(), 200.0) > 0.95, "{codec:?}");
        assert!((20..=40).contains(&network.now_behind()), "{}", network.now_behind());
        assert!(network.buffer.tally().made_up > 0);
    }
}

#[test]
fn a_speaker_who_pauses_is_heard_anew_and_whole() {
    let (mut network, mut speaker) = (Network::new(Rate::NARROW), Speaker::new(Codec::Pcmu, 440.0));
    for _ in 0..4 {
        network.sing(&mut speaker, 50, |_| Some(3_000));
        speaker.rest(150);
    }
    network.until(16_000);
    for burst in 0..4 {
        let begin = burst * 4_000 * 8;
        let heard = &network.heard[begin..begin + 4_000 * 8];
        let loud = heard.iter().filter(|it| it.unsigned_abs() > 8_000).count();
        // A sine is above half of its peak for two thirds of the time.
        assert!((5_200..5_900).contains(&loud), "{loud}");
        assert!(steepest(heard) < steep(440.0, Rate::NARROW) * 2, "{}", steepest(heard));
        assert!(heard[12_000..30_000].iter().all(|it| it.unsigned_abs() < 50), "silence");
    }
}

#[test]
fn another_source_and_a_clock_that_jumps_are_heard_at_once() {
    let (mut network, mut speaker) = (Network::new(Rate::NARROW), Speaker::new(Codec::Pcmu, 300.0));
    network.sing(&mut speaker, 100, |_| Some(3_000));
    (speaker.stream, speaker.timestamp) = (2, 5);
    network.sing(&mut speaker, 100, |_| Some(3_000));
    speaker.timestamp = 0x8000_0000;
    network.sing(&mut speaker, 100, |_| Some(3_000));
    network.until(5_900);
    let silent = network.heard_since(500).chunks(160).filter(|it| steepest(it) < 500).count();
    assert!(silent <= 10, "{silent} frames");
    assert!((20..=60).contains(&network.now_behind()));
}

#[test]
fn a_flood_is_cut_to_what_may_wait() {
    let (mut network, mut speaker) = (Network::new(Rate::NARROW), Speaker::new(Codec::Pcmu, 300.0));
    network.sing(&mut speaker, 3_000, |packet| Some(-(packet as i64) * 19_000));
    network.until(1_000);
    assert!(network.longest <= LONGEST.as_millis() as usize / 20 + 1, "{}", network.longest);
    assert!(network.buffer.tally().overflowed > 500);
    assert!(steepest(network.heard_since(0)) < 2 * steep(300.0, Rate::NARROW));
}

/// What a network does to a packet: how late it comes in milliseconds, lost, or twice.
fn weather() -> impl Strategy<Value = Vec<(u16, bool, bool)>> {
    let packet = (0_u16..400, prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    prop::collection::vec(packet, 1..150)
}

/// A ramp through such a network: each packet louder than the one before.
fn ramp(weather: &[(u16, bool, bool)]) -> Network {
    let mut network = Network::new(Rate::NARROW);
    for (at, (late, lost, twice)) in weather.iter().enumerate() {
        let level = at as i16 * 200 + 500;
        let payload: Vec<u8> = level.to_be_bytes().repeat(160);
        let passage = Passage {
            voice: Voice::Peer,
            stream: 1,
            index: at as u64,
            timestamp: at as u32 * 160,
            clock: 8_000,
            marker: false,
            content: Content::Voice(Codec::L16Narrow),
            payload: payload.into(),
        };
        let comes = (at as i64 * 20 + i64::from(*late)) * 1_000;
        for _ in 0..if *lost { 0 } else { 1 + usize::from(*twice) } {
            network.sent.push((comes, passage.clone()));
        }
    }
    network.until(weather.len() as i64 * 20 + 1_500);
    network
}

/// How loud each frame of a ramp was in which nothing was made up or blended.
fn levels(network: &Network) -> Vec<i16> {
    let whole = |frame: &&[i16]| frame[0] >= 500 && frame.iter().all(|it| *it == frame[0]);
    network.heard.chunks(160).filter(whole).map(|it| it[0]).collect()
}

#[test]
fn a_packet_that_comes_when_the_speaker_rests_is_not_heard_after_later_ones() {
    for delays in [&[90, 51, 0, 101, 101, 0, 370, 0][..], &[370, 50, 0, 280]] {
        let weather: Vec<_> = delays.iter().map(|late| (*late, false, false)).collect();
        let network = ramp(&weather);
        assert!(levels(&network).is_sorted(), "{:?}", levels(&network));
        assert!(network.buffer.tally().late > 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_network_does_nothing_is_heard_out_of_order(weather in weather()) {
        let network = ramp(&weather);
        let levels = levels(&network);
        prop_assert!(levels.is_sorted(), "{levels:?}");
        prop_assert!(network.longest <= MAX_PACKETS);
        prop_assert!(network.behind.iter().all(|it| *it <= 1_000));
    }

    #[test]
    fn octets_of_strangers_do_no_harm(
        packets in prop::collection::vec(
            ((any::<u32>(), 0_u32..3, 0_u64..20), 0_usize..300, 0_usize..5, 0_u64..300),
            0..200,
        ),
    ) {
        let codecs = [Codec::Pcmu, Codec::G722, Codec::L16Wide, Codec::Opus, Codec::G729];
        let mut buffer = Buffer::new(Rate::NARROW, Libraries::default(), Bounds::default());
        let mut now = Instant::now();
        for ((timestamp, stream, index), length, codec, wait) in packets {
            let codec = codecs[codec];
            buffer.put(now, &Passage {
                voice: Voice::Peer,
                stream,
                index,
                timestamp,
                clock: codec.clock_rate(),
                marker: false,
                content: Content::Voice(codec),
                payload: vec![0x55; length].into(),
            });
            prop_assert!(buffer.len() <= MAX_PACKETS);
            now += Duration::from_millis(wait);
            let mut frame = [0; 160];
            buffer.add_to(now, &mut frame);
            prop_assert!(buffer.ready.len() < 8_000);
        }
    }
}

/// How much is read at once.
const FRAME: Duration = Duration::from_millis(20);
