//! Inlets: what other ports say, each behind a jitter buffer of its own, for a mix, for another
//! codec or for a recording. A relay needs none of it.

use std::time::Instant;

use crate::audio::frame::Rate;
use crate::audio::library::Libraries;
use crate::base::id::PortId;
use crate::media::jitter::{Bounds, Buffer};
use crate::media::link::{Links, Passage, Voice};

/// What several ports say.
#[derive(Debug)]
pub struct Inlets {
    rate: Rate,
    libraries: Libraries,
    bounds: Bounds,
    inlets: Vec<(Speaker, Buffer)>,
}

/// At which port somebody speaks, and who.
type Speaker = (PortId, Voice);

impl Inlets {
    /// Makes none yet; samples will be at `rate`, and wait within `bounds`.
    pub fn new(rate: Rate, libraries: Libraries, bounds: Bounds) -> Self {
        Self { rate, libraries, bounds, inlets: Vec::new() }
    }

    /// Keeps only the inlets of those who are to be heard.
    pub fn keep(&mut self, links: &Links) {
        self.inlets.retain(|((port, voice), _)| links.lets_in(*port, *voice));
    }

    /// Drops what waits.
    pub fn clear(&mut self) {
        self.inlets.clear();
    }

    /// Takes a packet that came at `now`; only voice is heard here.
    pub fn put(&mut self, now: Instant, (from, passage): (PortId, &Passage)) {
        let from = (from, passage.voice);
        if !self.inlets.iter().any(|(known, _)| *known == from) {
            let buffer = Buffer::new(self.rate, self.libraries.clone(), self.bounds);
            self.inlets.push((from, buffer));
        }
        if let Some((_, buffer)) = self.inlets.iter_mut().find(|(known, _)| *known == from) {
            buffer.put(now, passage);
        }
    }

    /// Adds the next samples of every port to `frame`, which is to be heard from `now` on.
    pub fn add_to(&mut self, now: Instant, frame: &mut [i16]) {
        for (_, buffer) in &mut self.inlets {
            buffer.add_to(now, frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::audio::codec::Codec;
    use crate::audio::coder::Encoder;
    use crate::media::link::Content;

    fn passage(index: u64, level: i16) -> Passage {
        let mut payload = Vec::new();
        Encoder::plain(Codec::Pcmu).encode(&[level; 160], &mut payload);
        let (timestamp, content) = (index as u32 * 160, Content::Voice(Codec::Pcmu));
        let payload = Bytes::from(payload);
        let (voice, marker) = (Voice::Peer, false);
        Passage { voice, stream: 1, index, timestamp, clock: 8_000, marker, content, payload }
    }

    #[test]
    fn two_ports_are_heard_together_until_one_is_kept() {
        let mut inlets = Inlets::new(Rate::NARROW, Libraries::default(), Bounds::default());
        let start = Instant::now();
        let mut heard = Vec::new();
        for index in 0..20 {
            let now = start + Duration::from_millis(20) * index as u32;
            if index < 10 {
                inlets.put(now, (PortId(1), &passage(index, 4_000)));
            }
            inlets.put(now, (PortId(2), &passage(index + 700, 3_000)));
            if index == 10 {
                inlets.keep(&Links::with(PortId(2)));
            }
            let mut frame = [0; 160];
            inlets.add_to(now, &mut frame);
            heard.push(frame[80] / 100);
        }
        let near = |heard: &[i16], level: i16| heard.iter().all(|it| (it - level).abs() <= 2);
        assert!(near(&heard[3..10], 70) && near(&heard[12..20], 30), "{heard:?}");
    }
}
