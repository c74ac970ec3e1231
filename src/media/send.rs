//! What is sent: one packet for each slot from the start to the end, voice or silence.
//!
//! A slot lasts as long as the peer likes its packets, mostly 20 ms. Slots are counted from the
//! start, and slot n has the nominal time `start + n * 20 ms` and the timestamp `base + n * 160`
//! (with G.711). Silence is sent at nominal times. A talkspurt does not wait for the
//! next one: its first packet takes the next slot and goes out at once, up to 20 ms early, and the
//! packets behind it keep the same lead, so that they stand on an even grid of their own. When it
//! ends, the next silent slot is sent at its nominal time again. Slots are never invented or left
//! out, so sequence and timestamps are exact, and RTP time is never more than one frame ahead of
//! the wall clock. All times are computed from the start: lateness does not add up.
//!
//! While another port's packets are relayed, they set the pace and slots rest; see `relaying`.

mod backdrop;
mod overheard;
mod relaying;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audio::codec::Codec;
use crate::audio::coder::Encoder;
use crate::audio::frame::Rate;
use crate::audio::library::Libraries;
use crate::audio::noise::{Level, Noise};
use crate::audio::packing::Packing;
use crate::audio::resample::Resampler;
use crate::audio::tone::Tone;
use crate::base::random::Random;
use crate::media::event::{Digit, Output, Settings};
use crate::media::inlet::Inlets;
use crate::media::link::Links;
use crate::media::music::Tape;
use crate::media::playout::Playout;
use crate::media::record::Recorder;
use crate::media::relay::Relay;
use crate::media::send::backdrop::Backdrop;
use crate::media::send::overheard::Overheard;
use crate::media::tap::Tap;
use crate::rtp::packet::Header;
use crate::rtp::session::Sent;
use crate::rtp::telephone_event::{self, Slot};

/// The sending side of a port.
#[derive(Debug)]
pub struct Sender {
    /// The rate of the samples that are played.
    rate: Rate,
    encoder: Encoder,
    /// From that rate to the codec's.
    resampler: Resampler,
    packing: Packing,
    libraries: Libraries,
    /// How long a slot lasts.
    length: Duration,
    payload_type: u8,
    telephone_event: Option<u8>,
    /// Whether the session description lets us send.
    enabled: bool,
    /// Later than this, slots are left out.
    latest: Duration,
    ssrc: u32,
    sequence: u16,
    base: u32,
    started: Option<Instant>,
    /// The slot that is next.
    slot: u64,
    /// While a talkspurt runs: how much earlier than nominal its packets go.
    lead: Option<Duration>,
    /// Whether the next packet is the first after a hole.
    mark: bool,
    dialer: telephone_event::Sender,
    /// The key that is sent as a tone.
    tone: Option<(char, Tone)>,
    packets: u64,
    octets: u64,
    last_voice: Option<Instant>,
    relay: Relay,
    /// When the last packet of another port was relayed, while that goes on.
    relayed: Option<Instant>,
    /// The RTP time behind the last packet that was relayed.
    relayed_until: u32,
    /// How many other ports are to be heard.
    speakers: usize,
    inlets: Inlets,
    overheard: Overheard,
    backdrop: Backdrop,
    /// The background of a speaker that rests.
    background: Option<Level>,
    noise: Noise,
    /// How many slots in a row were silent and described, not sent.
    described: u64,
    /// Room for the samples of a frame.
    frame: Vec<i16>,
    /// Room for them at the codec's rate.
    converted: Vec<i16>,
    /// Room for its payload.
    payload: Vec<u8>,
}

/// What the sender works with: the queue, where to, who else hears it.
pub struct Desk<'a> {
    /// What is to be said.
    pub playout: &'a mut Playout,
    /// Where to send, if anybody knows.
    pub to: Option<SocketAddr>,
    /// The recording.
    pub recorder: Option<&'a mut Recorder>,
    /// Whoever must know our voice again when it comes back.
    pub tap: &'a mut Tap,
    /// The outputs of the port.
    pub out: &'a mut VecDeque<Output>,
}

impl Sender {
    /// Makes a sender; source, sequence and clock begin by chance (RFC 3550 5.1).
    pub fn new(settings: &Settings, random: &mut Random) -> Self {
        let (rate, libraries) = (settings.codec.rate(), settings.libraries.clone());
        let length = settings.packing.ptime;
        let mut dialer = telephone_event::Sender::default();
        dialer.pace(length);
        Self {
            rate,
            encoder: Encoder::new(settings.codec, &settings.packing.profile, &libraries),
            resampler: Resampler::new(rate, rate),
            packing: settings.packing.clone(),
            length,
            payload_type: settings.payload_type,
            telephone_event: settings.telephone_event,
            enabled: settings.sending,
            latest: settings.latest,
            ssrc: random.u32(),
            // In the lower half: who hears SRTP from its second packet on must not mistake where
            // the numbers wrap (RFC 3711 3.3.1).
            sequence: random.u16() & 0x7fff,
            base: random.u32(),
            started: None,
            slot: 0,
            lead: None,
            mark: true,
            dialer,
            tone: None,
            packets: 0,
            octets: 0,
            last_voice: None,
            relay: Relay::default(),
            relayed: None,
            relayed_until: 0,
            speakers: 0,
            inlets: Inlets::new(rate, libraries.clone(), settings.jitter),
            overheard: Overheard::new(rate),
            libraries,
            backdrop: Backdrop::default(),
            background: None,
            noise: Noise::default(),
            described: 0,
            frame: vec![0; rate.samples_in(length)],
            converted: Vec::new(),
            payload: Vec::with_capacity(rate.samples_in(length)),
        }
    }

    /// Takes a new session description; source and sequence go on, and so does the clock, at the
    /// pace of the codec.
    pub fn describe(&mut self, now: Instant, settings: &Settings) {
        let (codec, packing) = (settings.codec, &settings.packing);
        if codec != self.encoder.codec() || packing.ptime != self.length {
            self.stop_relay(now);
            self.begin_anew();
        }
        if codec != self.encoder.codec() || packing.profile != self.packing.profile {
            self.encoder = Encoder::new(codec, &packing.profile, &self.libraries);
            self.resampler = Resampler::new(self.rate, codec.rate());
            // What was sent last flows into the filter, so that nothing starts with a click.
            self.converted.clear();
            self.resampler.push(&self.frame, &mut self.converted);
        }
        self.length = packing.ptime;
        self.lead = self.lead.map(|lead| lead.min(self.length));
        self.dialer.pace(self.length);
        self.frame.resize(self.rate.samples_in(self.length), 0);
        self.packing.clone_from(packing);
        self.payload_type = settings.payload_type;
        self.telephone_event = settings.telephone_event;
        self.enabled = settings.sending;
        self.latest = settings.latest;
    }

    /// Counts slots from the next one on: from there the clock or the length is another.
    fn begin_anew(&mut self) {
        let Some(nominal) = self.nominal(self.slot) else { return };
        self.base = self.timestamp_of(self.slot);
        (self.started, self.slot) = (Some(nominal), 0);
    }

    /// Begins to send; a second time changes nothing.
    pub fn start(&mut self, now: Instant) {
        self.started.get_or_insert(now);
    }

    /// Appends keys to be dialled.
    pub fn dial(&mut self, digits: &[Digit]) {
        for code in digits.iter().filter_map(|digit| telephone_event::code(digit.key())) {
            self.dialer.push(code);
        }
    }

    /// Hears these ports from now on, and is overheard by those.
    pub fn connect(&mut self, now: Instant, links: &Links) {
        self.stop_relay(now);
        self.speakers = links.hears.len() + links.oversees.len();
        self.inlets.keep(links);
        self.overheard.by(&links.overseers);
    }

    /// Plays a tape from its beginning wherever nothing else is heard, or none.
    pub fn entertain(&mut self, tape: Option<Arc<Tape>>) {
        self.backdrop.entertain(tape);
    }

    /// Plays a tape from its beginning beneath everything else, or none.
    pub fn surround(&mut self, tape: Option<Arc<Tape>>) {
        self.backdrop.surround(tape);
    }

    /// Our source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Whether the last packet was voice.
    pub fn is_speaking(&self) -> bool {
        self.lead.is_some()
    }

    /// When the last packet of voice was sent.
    pub fn last_voice(&self) -> Option<Instant> {
        self.last_voice
    }

    /// How many packets were sent.
    pub fn sent_packets(&self) -> u64 {
        self.packets
    }

    /// What was sent so far, for a report.
    pub fn sent(&self, now: Instant) -> Sent {
        let running =
            self.started.map_or(Duration::ZERO, |start| now.saturating_duration_since(start));
        let clock = self.encoder.codec().clock_rate();
        let ticks = running.as_micros() * u128::from(clock) / 1_000_000;
        Sent {
            packets: self.packets,
            octets: self.octets,
            timestamp: self.base.wrapping_add(ticks as u32),
        }
    }

    /// When something is due, if there is a `voice` frame to be sent or not, and a recording or
    /// not.
    pub fn due(&self, voice: bool, recording: bool) -> Option<Instant> {
        if let (Some(relayed), false) = (self.relayed, voice && self.may_speak()) {
            // The packets of another port set the pace; slots count for a recording only.
            let silent = relayed + PATIENCE;
            let slot = self.nominal(self.slot).filter(|_| recording);
            return Some(slot.map_or(silent, |slot| slot.min(silent)));
        }
        let nominal = self.nominal(self.slot)?;
        let early = match (voice && self.may_speak(), self.lead) {
            (false, _) => Duration::ZERO,
            (true, Some(lead)) => lead,
            (true, None) => self.length,
        };
        nominal.checked_sub(early).or(Some(nominal))
    }

    /// Sends every packet that is due.
    pub fn advance(&mut self, now: Instant, desk: &mut Desk<'_>) {
        if self.relayed.is_some_and(|at| at + PATIENCE <= now || self.mixes(desk)) {
            self.stop_relay(now);
        }
        let voice = |desk: &Desk<'_>| desk.to.is_some() && desk.playout.ready();
        while let Some(due) = self.due(voice(desk), desk.recorder.is_some())
            && due <= now
        {
            self.skip_if_late(now, desk);
            match self.relayed {
                Some(_) => self.record_slot(desk),
                None => self.send_slot(now, desk),
            }
        }
    }

    /// After a long sleep the slots in which nothing was sent are left out: the timestamps jump,
    /// and the voice goes on where it was. Sending them now would be a burst.
    fn skip_if_late(&mut self, now: Instant, desk: &mut Desk<'_>) {
        let Some(nominal) = self.nominal(self.slot) else { return };
        let late = (now + self.lead.unwrap_or_default()).saturating_duration_since(nominal);
        if late <= self.latest {
            return;
        }
        let slots = (late.as_micros() / self.length.as_micros()) as u64;
        self.frame.fill(0);
        for slot in (self.slot..self.slot + slots).take(MAX_RECORDED_SKIP) {
            self.record(slot, desk);
        }
        self.slot += slots;
        self.mark = true;
    }

    fn send_slot(&mut self, now: Instant, desk: &mut Desk<'_>) {
        self.frame.fill(0);
        let ticks = self.length.as_micros() * u128::from(self.packing.key_clock) / 1_000_000;
        let timestamp = self.timestamp_of(self.slot);
        match desk.to.filter(|_| self.enabled) {
            None => {
                self.lead = None;
                self.mark = true;
            }
            Some(to) => match self.dialer.slot(timestamp, ticks as u16) {
                Slot::Event { marker, timestamp, payload } => {
                    self.lead = None;
                    if let Some(payload_type) = self.telephone_event {
                        let bytes = self.packet((marker, payload_type, timestamp), &payload);
                        desk.out.push_back(Output::SendRtp { to, bytes });
                    } else {
                        self.send_tone(payload, (to, self.timestamp_of(self.slot)), desk.out);
                    }
                }
                Slot::Idle if desk.playout.ready() => self.speak(now, (to, timestamp), desk),
                Slot::Idle | Slot::Rest => {
                    self.lead = None;
                    desk.playout.take_tail(&mut self.frame);
                    self.overheard.offer(self.slot, &self.frame, desk.out);
                    self.backdrop.fill(&mut self.frame, self.rate);
                    self.mix_in();
                    self.send_rest((to, timestamp), desk.out);
                }
            },
        }
        self.record(self.slot, desk);
        self.slot += 1;
    }

    /// Sends a slot of a key as a tone, to a peer that knows no telephone events.
    fn send_tone(
        &mut self,
        [event, ..]: [u8; 4],
        (to, timestamp): (SocketAddr, u32),
        out: &mut VecDeque<Output>,
    ) {
        let key = telephone_event::key(event);
        if self.tone.as_ref().map(|(of, _)| *of) != key {
            let tone = |key| Some((key, Tone::key(self.rate, key)?.at(TONE_PEAK)));
            self.tone = key.and_then(tone);
        }
        if let Some((_, tone)) = &mut self.tone {
            tone.fill(&mut self.frame);
        }
        self.send_frame((to, timestamp), out);
    }

    fn speak(&mut self, now: Instant, (to, timestamp): (SocketAddr, u32), desk: &mut Desk<'_>) {
        if self.lead.is_none() {
            let nominal = self.nominal(self.slot).unwrap_or(now);
            self.lead = Some(nominal.saturating_duration_since(now).min(self.length));
            self.mark = true;
        }
        desk.playout.take(now, &mut self.frame, desk.out);
        self.overheard.offer(self.slot, &self.frame, desk.out);
        self.backdrop.underlay(&mut self.frame, self.rate);
        self.mix_in();
        self.send_frame((to, timestamp), desk.out);
        self.last_voice = Some(now);
        desk.playout.settle(now, desk.out);
    }

    /// Adds what other ports say, as it is due in this slot.
    fn mix_in(&mut self) {
        let early = self.lead.unwrap_or_default();
        let due = self.nominal(self.slot).and_then(|nominal| nominal.checked_sub(early));
        if let Some(due) = due {
            self.inlets.add_to(due, &mut self.frame);
        }
    }

    /// Sends a frame in which nobody of ours speaks. Silence is described if the peer knows how;
    /// the description is sent at once and then five times a second.
    fn send_rest(&mut self, (to, timestamp): (SocketAddr, u32), out: &mut VecDeque<Output>) {
        let silent = self.frame.iter().all(|sample| *sample == 0);
        let Some(payload_type) = self.packing.comfort.filter(|_| silent) else {
            if let Some(level) = self.background.filter(|_| silent) {
                self.noise.add_to(&mut self.frame, level);
            }
            return self.send_frame((to, timestamp), out);
        };
        let slots = (DESCRIBED_EACH.as_micros() / self.length.as_micros()).max(1) as u64;
        if self.described.is_multiple_of(slots) {
            let level = self.background.unwrap_or(Level::SOFT);
            let bytes = self.packet((false, payload_type, timestamp), &level.payload());
            out.push_back(Output::SendRtp { to, bytes });
        }
        self.described += 1;
        self.mark = true;
    }

    fn send_frame(&mut self, (to, timestamp): (SocketAddr, u32), out: &mut VecDeque<Output>) {
        self.described = 0;
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        let codec = self.encoder.codec();
        if codec.rate() == self.rate {
            self.encoder.encode(&self.frame, &mut payload);
        } else {
            self.converted.clear();
            self.resampler.push(&self.frame, &mut self.converted);
            self.encoder.encode(&self.converted, &mut payload);
        }
        // Opus says with two octets or fewer that nothing need be sent (RFC 7587 3.1.3).
        let may_rest = codec == Codec::Opus && self.packing.profile.dtx;
        let rests = payload.is_empty() || may_rest && payload.len() <= 2;
        if rests {
            self.mark = true;
        } else {
            let marker = std::mem::take(&mut self.mark);
            let bytes = self.packet((marker, self.payload_type, timestamp), &payload);
            out.push_back(Output::SendRtp { to, bytes });
        }
        self.payload = payload;
    }

    fn packet(
        &mut self,
        (marker, payload_type, timestamp): (bool, u8, u32),
        payload: &[u8],
    ) -> Vec<u8> {
        let (sequence, ssrc) = (self.sequence, self.ssrc);
        self.sequence = sequence.wrapping_add(1);
        self.packets += 1;
        self.octets += payload.len() as u64;
        Header { marker, payload_type, sequence, timestamp, ssrc }.write(payload)
    }

    fn record(&self, slot: u64, desk: &mut Desk<'_>) {
        desk.tap.play(&self.frame, self.rate);
        if let (Some(recorder), Some(begin)) = (&mut desk.recorder, self.nominal(slot)) {
            recorder.slot(&self.frame, begin, desk.out);
        }
    }

    fn may_speak(&self) -> bool {
        self.enabled && !self.dialer.busy()
    }

    fn nominal(&self, slot: u64) -> Option<Instant> {
        let micros = u64::try_from(self.length.as_micros()).unwrap_or(u64::MAX);
        self.started?.checked_add(Duration::from_micros(slot.saturating_mul(micros)))
    }
}

/// How often silence is described.
const DESCRIBED_EACH: Duration = Duration::from_millis(200);

/// When nothing was relayed for so long, our own silence goes on.
const PATIENCE: Duration = Duration::from_millis(200);

/// The peak of both tones of a key: each at -11 dBm0.
const TONE_PEAK: f32 = 0.4;

/// Of the slots that are left out, so many are silence in a recording: five seconds at 20 ms.
const MAX_RECORDED_SKIP: usize = 250;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::UtteranceId;
    use crate::media::bench::{Bench, Sent, settings};
    use crate::media::event::{Command, Event, Played};

    fn through(utterance: u64) -> Command {
        Command::Flush { through: UtteranceId(utterance) }
    }

    fn dial(keys: &str) -> Command {
        Command::Dial(keys.chars().filter_map(Digit::new).collect())
    }

    fn is_exact(sent: &[Sent]) -> bool {
        sent.windows(2).all(|pair| {
            let [one, two] = pair else { return false };
            two.header.sequence == one.header.sequence.wrapping_add(1)
                && two.header.timestamp == one.header.timestamp.wrapping_add(160)
                && two.header.ssrc == one.header.ssrc
        })
    }

    /// How far RTP time is ahead of the wall clock, in milliseconds.
    fn leads(sent: &[Sent]) -> Vec<u64> {
        let first = &sent[0];
        let ahead = |packet: &Sent| {
            let ticks = packet.header.timestamp.wrapping_sub(first.header.timestamp);
            u64::from(ticks / 8).saturating_sub(packet.at - first.at)
        };
        sent.iter().map(ahead).collect()
    }

    #[test]
    fn silence_flows_from_the_start_every_20_ms() {
        let mut bench = Bench::new(settings());
        bench.until(500);
        assert!(bench.sent.is_empty(), "nothing before the start");
        bench.order(Command::Start);
        bench.until(10_499);
        assert_eq!(bench.sent.len(), 500);
        assert!(is_exact(&bench.sent));
        for (slot, packet) in bench.sent.iter().enumerate() {
            assert_eq!(packet.at, 500 + slot as u64 * 20);
            assert_eq!(packet.header.marker, slot == 0);
            assert_eq!(packet.payload, [0xff; 160]);
        }
    }

    #[test]
    fn a_talkspurt_begins_at_once_and_runs_on_its_own_grid() {
        let mut bench = Bench::started(settings());
        bench.until(1_007);
        bench.play(1, 100);
        bench.finish(1);
        bench.until(2_000);
        let times: Vec<u64> =
            bench.sent.iter().filter(|packet| packet.is_voice()).map(|packet| packet.at).collect();
        assert_eq!(times, [1_007, 1_027, 1_047, 1_067, 1_087]);
        let after: Vec<u64> =
            bench.sent.iter().map(|packet| packet.at).filter(|at| *at > 1_087).take(3).collect();
        assert_eq!(after, [1_120, 1_140, 1_160], "silence is back on the nominal line");
        assert!(is_exact(&bench.sent));
        let marks: Vec<u64> =
            bench.sent.iter().filter(|it| it.header.marker).map(|it| it.at).collect();
        assert_eq!(marks, [0, 1_007]);
        assert_eq!(leads(&bench.sent).into_iter().max(), Some(13));
        let at = |millis| bench.start + Duration::from_millis(millis);
        let utterance = UtteranceId(1);
        assert_eq!(
            bench.events,
            [
                Event::Started { utterance, at: at(1_007) },
                Event::Finished { utterance, at: at(1_087) }
            ]
        );
    }

    #[test]
    fn ten_seconds_of_many_talkspurts_stay_exact() {
        let mut bench = Bench::started(settings());
        let mut random = Random::repeatable(5);
        let (mut now, mut spoken) = (0, 0);
        for utterance in 0..40 {
            now += 30 + u64::from(random.below(400));
            bench.until(now);
            let millis = 5 + random.below(180) as usize;
            spoken += millis.div_ceil(20);
            bench.play(utterance, millis);
            bench.finish(utterance);
        }
        bench.until(now + 1_000);
        assert!(is_exact(&bench.sent));
        assert!(leads(&bench.sent).into_iter().all(|lead| lead <= 20));
        let last = bench.sent.last().expect("packets").at;
        assert!(bench.sent.len() as u64 >= last / 20);
        assert_eq!(bench.sent.iter().filter(|packet| packet.is_voice()).count(), spoken);
        let finished =
            bench.events.iter().filter(|event| matches!(event, Event::Finished { .. })).count();
        assert_eq!(finished, 40);
    }

    #[test]
    fn an_underrun_is_silence_and_the_rest_a_new_talkspurt() {
        let mut bench = Bench::started(settings());
        bench.until(105);
        bench.play(1, 40);
        bench.until(160);
        bench.play(1, 40);
        bench.finish(1);
        bench.until(300);
        let spurts: Vec<(u64, bool)> = bench
            .sent
            .iter()
            .filter(|packet| packet.is_voice())
            .map(|packet| (packet.at, packet.header.marker))
            .collect();
        assert_eq!(spurts, [(105, true), (125, false), (160, true), (180, false)]);
        assert!(is_exact(&bench.sent));
        assert!(leads(&bench.sent).into_iter().all(|lead| lead <= 20));
    }

    #[test]
    fn audio_a_moment_late_goes_on_in_its_talkspurt() {
        let mut bench = Bench::started(settings());
        bench.until(105);
        bench.play(1, 20);
        bench.until(130);
        bench.play(1, 40);
        bench.until(200);
        let spurts: Vec<(u64, bool)> = bench
            .sent
            .iter()
            .filter(|packet| packet.is_voice())
            .map(|packet| (packet.at, packet.header.marker))
            .collect();
        assert_eq!(spurts, [(105, true), (130, false), (145, false)]);
    }

    #[test]
    fn utterances_follow_each_other_without_a_gap() {
        let mut bench = Bench::started(settings());
        bench.until(10);
        bench.play(1, 60);
        bench.finish(1);
        bench.play(2, 60);
        bench.finish(2);
        assert_eq!(bench.port.queued(), Duration::from_millis(100));
        bench.until(500);
        let times: Vec<u64> =
            bench.sent.iter().filter(|packet| packet.is_voice()).map(|packet| packet.at).collect();
        assert_eq!(times, [10, 30, 50, 70, 90, 110]);
    }

    #[test]
    fn what_was_queued_before_the_start_is_said_with_the_first_packet() {
        let mut bench = Bench::new(settings());
        bench.play(1, 40);
        bench.until(300);
        bench.order(Command::Start);
        assert_eq!(bench.sent.len(), 1);
        assert!(bench.sent[0].is_voice() && bench.sent[0].header.marker);
        bench.until(345);
        assert_eq!(leads(&bench.sent), [0, 0, 0]);
    }

    #[test]
    fn a_pause_holds_at_the_next_frame_and_a_resume_goes_on() {
        let mut bench = Bench::started(settings());
        bench.until(10);
        bench.play(1, 200);
        bench.finish(1);
        bench.until(55);
        bench.order(Command::Pause);
        bench.until(1_003);
        assert_eq!(bench.port.queued(), Duration::from_millis(140));
        bench.order(Command::Resume);
        bench.until(2_000);
        assert!(is_exact(&bench.sent));
        let times: Vec<u64> =
            bench.sent.iter().filter(|packet| packet.is_voice()).map(|packet| packet.at).collect();
        // At 80 ms the cut end fades away within a packet of silence.
        assert_eq!(times, [10, 30, 50, 80, 1_003, 1_023, 1_043, 1_063, 1_083, 1_103, 1_123]);
        let tail = bench.sent.iter().find(|packet| packet.at == 80).expect("the tail");
        assert_eq!(tail.payload[40..], [0xff; 120]);
        assert!(bench.events.iter().any(|event| matches!(event, Event::Finished { .. })));
    }

    #[test]
    fn a_flush_tells_exactly_what_was_heard() {
        let mut bench = Bench::started(settings());
        bench.until(10);
        for utterance in 1..=4 {
            bench.play(utterance, 50);
            if utterance < 3 {
                bench.finish(utterance);
            }
        }
        // Utterance 1 takes three packets (10 to 50 ms), utterance 2 was heard for two.
        bench.until(95);
        bench.order(Command::Pause);
        bench.until(300);
        bench.order(through(3));
        let heard = vec![Played {
            utterance: UtteranceId(2),
            heard: Duration::from_millis(40),
            total: Some(Duration::from_millis(50)),
        }];
        let flushed = Event::Flushed { through: UtteranceId(3), heard };
        assert_eq!(bench.events.last(), Some(&flushed));
        bench.play(3, 400);
        assert_eq!(bench.port.queued(), Duration::from_millis(50), "only utterance 4 is left");
        bench.until(400);
        assert_eq!(bench.sent.iter().filter(|packet| packet.is_voice()).count(), 6);
        bench.order(Command::Resume);
        bench.finish(4);
        bench.until(500);
        let utterance = UtteranceId(4);
        let ended = |event: &Event| matches!(event, Event::Finished { utterance: it, .. } if *it == utterance);
        assert!(bench.events.iter().any(ended));
        assert!(is_exact(&bench.sent));
    }

    #[test]
    fn a_flush_in_mid_word_stops_within_a_frame() {
        let mut bench = Bench::started(settings());
        bench.until(10);
        bench.play(1, 1_000);
        bench.until(500);
        bench.order(through(1));
        bench.until(1_000);
        let last = bench.sent.iter().filter(|packet| packet.is_voice()).map(|packet| packet.at);
        assert_eq!(last.max(), Some(520), "the fading end");
        bench.play(2, 20);
        assert!(bench.sent.last().is_some_and(Sent::is_voice), "a flush leaves no pause behind");
    }

    #[test]
    fn a_late_thread_catches_up_and_a_sleeping_one_skips() {
        let mut bench = Bench::started(settings());
        bench.until(100);
        bench.sleep_until(180);
        assert_eq!(bench.sent.len(), 10, "eighty milliseconds are caught up");
        bench.play(1, 100);
        let before = bench.sent.len();
        bench.sleep_until(1_190);
        assert_eq!(bench.sent.len(), before + 1, "a second is not");
        bench.until(1_300);
        let (one, two) = (&bench.sent[before - 1], &bench.sent[before]);
        assert_eq!(two.header.sequence, one.header.sequence.wrapping_add(1));
        assert!(two.header.marker);
        assert!(two.header.timestamp.wrapping_sub(one.header.timestamp) >= 7_840);
        assert!(is_exact(&bench.sent[before..]));
        assert!(leads(&bench.sent).into_iter().all(|lead| lead <= 20));
        assert_eq!(bench.sent.iter().filter(|packet| packet.is_voice()).count(), 5);
    }

    #[test]
    fn a_call_on_hold_is_sent_no_voice_but_reports() {
        let mut bench = Bench::started(settings());
        bench.until(1_000);
        bench.play(1, 200);
        bench.order(Command::Update(Box::new(Settings { sending: false, ..settings() })));
        let before = bench.sent.len();
        bench.until(60_000);
        assert_eq!(bench.sent.len(), before);
        assert!(bench.reports.len() > 5);
        assert!(!bench.events.iter().any(|event| matches!(event, Event::Silent { .. })));
        bench.order(Command::Update(Box::new(settings())));
        bench.until(60_500);
        let first = &bench.sent[before];
        assert!(first.header.marker && first.is_voice());
        assert!(is_exact(&bench.sent[before..]));
        assert!(leads(&bench.sent).into_iter().all(|lead| lead <= 20));
    }

    #[test]
    fn keys_are_events_between_the_voice() {
        let mut bench = Bench::started(settings());
        bench.until(95);
        bench.play(1, 100);
        bench.until(130);
        bench.order(dial("1#"));
        bench.until(2_000);
        let events: Vec<&Sent> =
            bench.sent.iter().filter(|packet| packet.header.payload_type == 101).collect();
        assert_eq!(events.len(), 20);
        for (key, event) in [(1, &events[..10]), (11, &events[10..])] {
            assert!(event.iter().all(|packet| packet.payload[0] == key));
            assert!(event.iter().all(|it| it.header.timestamp == event[0].header.timestamp));
            assert_eq!(event.iter().filter(|packet| packet.payload[1] & 0x80 != 0).count(), 3);
            assert_eq!(event.iter().filter(|packet| packet.header.marker).count(), 1);
            let durations: Vec<u16> = event
                .iter()
                .map(|packet| u16::from_be_bytes([packet.payload[2], packet.payload[3]]))
                .collect();
            assert_eq!(durations[..3], [160, 320, 480]);
            assert_eq!(durations[7..], [1_280; 3]);
        }
        let pause = events[10].at - events[9].at;
        assert_eq!(pause, 80);
        assert_eq!(bench.sent.iter().filter(|packet| packet.is_voice()).count(), 5);
        let numbers: Vec<u16> = bench.sent.iter().map(|packet| packet.header.sequence).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
        assert_eq!(bench.sent.len() as u64, bench.sent.last().expect("packets").at / 20 + 1);
    }

    #[test]
    fn a_second_of_call_makes_so_many_packets_and_no_more() {
        let mut bench = Bench::started(settings());
        bench.until(999);
        assert_eq!((bench.sent.len(), bench.outputs), (50, 50));
    }
}
