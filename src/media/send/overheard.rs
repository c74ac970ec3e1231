//! What we ourselves say at a port, for those who oversee it: the frames of the playout as samples,
//! before anything is mixed to them. A port without overseers pays a look at an empty list.

use std::collections::VecDeque;

use bytes::{BufMut, BytesMut};

use crate::audio::codec::Codec;
use crate::audio::frame::Rate;
use crate::base::id::PortId;
use crate::media::event::Output;
use crate::media::link::{Content, Passage, Voice};

/// Offers frames to whoever oversees a port.
#[derive(Debug)]
pub struct Overheard {
    overseers: Vec<PortId>,
    /// The codec that is samples at the rate of the port.
    codec: Codec,
    /// Room for many frames. When one is full, those in the other were heard long ago: its room is
    /// taken again, and nobody asks for memory.
    rooms: [BytesMut; 2],
}

impl Overheard {
    /// Makes one for frames at `rate` that offers nothing yet.
    pub fn new(rate: Rate) -> Self {
        let codec = if rate == Rate::NARROW { Codec::L16Narrow } else { Codec::L16Wide };
        Self { overseers: Vec::new(), codec, rooms: [BytesMut::new(), BytesMut::new()] }
    }

    /// From now on, these are told.
    pub fn by(&mut self, overseers: &[PortId]) {
        self.overseers.clear();
        self.overseers.extend_from_slice(overseers);
        if overseers.is_empty() {
            self.rooms = [BytesMut::new(), BytesMut::new()];
        }
    }

    /// Offers what is said in a slot, silence too: so nobody waits for what does not come.
    pub fn offer(&mut self, slot: u64, frame: &[i16], out: &mut VecDeque<Output>) {
        if self.overseers.is_empty() {
            return;
        }
        let [room, other] = &mut self.rooms;
        let octets = frame.len() * 2;
        if room.capacity() < octets {
            std::mem::swap(room, other);
            room.reserve(ROOM.max(octets));
        }
        frame.iter().for_each(|sample| room.put_i16(*sample));
        let passage = Passage {
            voice: Voice::Ours,
            stream: 0,
            index: slot,
            timestamp: (slot as u32).wrapping_mul(frame.len() as u32),
            clock: self.codec.clock_rate(),
            marker: false,
            content: Content::Voice(self.codec),
            payload: room.split().freeze(),
        };
        for to in &self.overseers {
            out.push_back(Output::Pass { to: *to, passage: passage.clone() });
        }
    }
}

/// A second at 16 kHz; nothing waits half as long to be heard.
const ROOM: usize = 32_000;
