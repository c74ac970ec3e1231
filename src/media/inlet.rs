//! Inlets: what other ports say, decoded and put in order by their clocks, for a mix or a
//! recording. A relay needs none of it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::audio::coder::Decoder;
use crate::audio::frame::Rate;
use crate::audio::library::Libraries;
use crate::audio::mix;
use crate::audio::resample::Resampler;
use crate::base::id::PortId;
use crate::media::link::{Content, Passage};

/// What several ports say.
#[derive(Debug, Default)]
pub struct Inlets {
    inlets: Vec<Inlet>,
    libraries: Libraries,
}

/// What one port says: samples from a point of its clock on.
#[derive(Debug)]
struct Inlet {
    from: PortId,
    stream: u32,
    decoder: Decoder,
    /// The RTP time of the first sample that waits.
    begin: Option<u32>,
    waiting: VecDeque<i16>,
    /// Whether enough waited to begin.
    flows: bool,
    resampler: Option<(Rate, Resampler)>,
    /// Room for one packet, and for one frame.
    samples: Vec<i16>,
    /// Room for a frame at another rate.
    converted: Vec<i16>,
}

impl Inlets {
    /// Makes none yet.
    pub fn new(libraries: Libraries) -> Self {
        Self { inlets: Vec::new(), libraries }
    }

    /// Keeps only the inlets of these ports.
    pub fn keep(&mut self, ports: &[PortId]) {
        self.inlets.retain(|inlet| ports.contains(&inlet.from));
    }

    /// Drops what waits.
    pub fn clear(&mut self) {
        self.inlets.clear();
    }

    /// Whether something may be heard.
    pub fn flow(&self) -> bool {
        self.inlets.iter().any(|inlet| !inlet.waiting.is_empty())
    }

    /// Takes a packet of voice; keys are not heard here.
    pub fn put(&mut self, from: PortId, passage: &Passage) {
        let Content::Voice(codec) = passage.content else { return };
        if codec.samples(&passage.payload) > codec.rate().samples_in(LONGEST_PACKET) {
            return;
        }
        let known = |inlet: &Inlet| {
            inlet.from == from && inlet.stream == passage.stream && inlet.decoder.codec() == codec
        };
        if !self.inlets.iter().any(known) {
            self.inlets.retain(|inlet| inlet.from != from);
            let decoder = Decoder::new(codec, &self.libraries);
            self.inlets.push(Inlet::new(from, passage.stream, decoder));
        }
        if let Some(inlet) = self.inlets.iter_mut().find(|inlet| known(inlet)) {
            inlet.put(passage);
        }
    }

    /// Adds the next samples of every port to `frame`, which is at `rate`.
    pub fn add_to(&mut self, frame: &mut [i16], rate: Rate) {
        for inlet in &mut self.inlets {
            inlet.add_to(frame, rate);
        }
    }
}

impl Inlet {
    fn new(from: PortId, stream: u32, decoder: Decoder) -> Self {
        Self {
            from,
            stream,
            decoder,
            begin: None,
            waiting: VecDeque::new(),
            flows: false,
            resampler: None,
            samples: Vec::new(),
            converted: Vec::new(),
        }
    }

    fn put(&mut self, passage: &Passage) {
        self.samples.clear();
        self.decoder.decode(&passage.payload, &mut self.samples);
        let (rate, clock) = (self.decoder.rate(), self.decoder.codec().clock_rate());
        let at = passage.timestamp;
        let begin = *self.begin.get_or_insert(at);
        let most = rate.samples_in(LONGEST);
        let ticks = i64::from(at.wrapping_sub(begin) as i32);
        let ahead = ticks * i64::from(rate.0) / i64::from(clock.max(1));
        let (ahead, skipped) = match usize::try_from(ahead) {
            Ok(ahead) if ahead <= most => (ahead, 0),
            // The clock jumped: what comes now begins anew.
            Ok(_) => {
                self.waiting.clear();
                self.begin = Some(at);
                (0, 0)
            }
            Err(_) => (0, usize::try_from(ahead.unsigned_abs()).unwrap_or(usize::MAX)),
        };
        // What comes too late to be heard is gone.
        let fresh = self.samples.get(skipped..).unwrap_or_default();
        let end = ahead + fresh.len();
        if self.waiting.len() < end {
            self.waiting.resize(end, 0);
        }
        for (place, sample) in self.waiting.iter_mut().skip(ahead).zip(fresh) {
            *place = *sample;
        }
        // Whoever sends faster than time goes is caught up with.
        let surplus = self.waiting.len().saturating_sub(most);
        self.drop_first(surplus);
    }

    fn add_to(&mut self, frame: &mut [i16], rate: Rate) {
        let own = self.decoder.rate();
        if !self.flows && self.waiting.len() >= own.samples_in(CUSHION) {
            self.flows = true;
        }
        if !self.flows {
            return;
        }
        let wanted = frame.len() * own.0 as usize / (rate.0.max(1) as usize);
        let count = wanted.min(self.waiting.len());
        self.samples.clear();
        self.samples.extend(self.waiting.iter().take(count));
        self.drop_first(count);
        if self.waiting.is_empty() {
            // Run dry: the next packets make a cushion again.
            (self.flows, self.begin) = (false, None);
        }
        if own == rate {
            return mix::add(frame, &self.samples);
        }
        if self.resampler.as_ref().is_none_or(|(known, _)| *known != rate) {
            self.resampler = Some((rate, Resampler::new(own, rate)));
        }
        self.converted.clear();
        if let Some((_, resampler)) = &mut self.resampler {
            resampler.push(&self.samples, &mut self.converted);
        }
        mix::add(frame, &self.converted);
    }

    fn drop_first(&mut self, count: usize) {
        self.waiting.drain(..count.min(self.waiting.len()));
        let (rate, clock) = (self.decoder.rate(), self.decoder.codec().clock_rate());
        if let Some(begin) = &mut self.begin {
            let ticks = count as u64 * u64::from(clock) / u64::from(rate.0.max(1));
            *begin = begin.wrapping_add(ticks as u32);
        }
    }
}

/// So much waits before it is heard: what the network jitters.
const CUSHION: Duration = Duration::from_millis(40);

/// No more than this waits.
const LONGEST: Duration = Duration::from_millis(240);

/// More than any sender puts into a packet (RFC 3551 4.2).
const LONGEST_PACKET: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::codec::Codec;
    use crate::audio::coder::Encoder;
    use bytes::Bytes;

    fn passage(index: u64, level: i16) -> Passage {
        let mut payload = Vec::new();
        Encoder::plain(Codec::Pcmu).encode(&[level; 160], &mut payload);
        let (timestamp, content) = (index as u32 * 160, Content::Voice(Codec::Pcmu));
        let payload = Bytes::from(payload);
        Passage { stream: 1, index, timestamp, clock: 8_000, marker: false, content, payload }
    }

    fn levels(inlets: &mut Inlets, frames: usize) -> Vec<i16> {
        let frame = |_| {
            let mut frame = [0; 160];
            inlets.add_to(&mut frame, Rate::NARROW);
            frame[80] / 100
        };
        (0..frames).map(frame).collect()
    }

    #[test]
    fn packets_are_heard_in_the_order_of_their_clock_and_holes_are_silent() {
        let mut inlets = Inlets::default();
        for index in [10, 12, 11, 14] {
            inlets.put(PortId(1), &passage(index, index as i16 * 1_000));
        }
        let heard = levels(&mut inlets, 6);
        let near = |(heard, wanted): (&i16, i16)| (heard - wanted).abs() <= 3;
        assert!(heard.iter().zip([100, 110, 120, 0, 140, 0]).all(near), "{heard:?}");
    }

    #[test]
    fn two_ports_are_heard_together() {
        let mut inlets = Inlets::default();
        for index in 0..3 {
            inlets.put(PortId(1), &passage(index, 4_000));
            inlets.put(PortId(2), &passage(index + 700, 3_000));
        }
        let heard = levels(&mut inlets, 3);
        assert!(heard.iter().all(|level| (68..=72).contains(level)), "{heard:?}");
        inlets.keep(&[PortId(2)]);
        assert!(!inlets.flow());
    }

    #[test]
    fn a_flood_is_cut_and_a_jump_begins_anew() {
        let mut inlets = Inlets::default();
        for index in 0..1_000 {
            inlets.put(PortId(1), &passage(index, 1_000));
        }
        assert!(inlets.inlets[0].waiting.len() <= 240 * 8);
        inlets.put(PortId(1), &passage(900_000, 1_000));
        assert_eq!(inlets.inlets[0].waiting.len(), 160);
    }
}
