//! What ports of one call pass to each other: packets as they came, never through the call's task.

use bytes::Bytes;

pub use crate::audio::packing::Content;
use crate::base::id::PortId;

/// Who is connected with a port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Who is told what the peer of this port says.
    pub told: Vec<PortId>,
    /// Whom the peer of this port hears. One alone is relayed packet by packet; several are mixed.
    pub hears: Vec<PortId>,
    /// Who is told what we ourselves say at this port: those who oversee an agent.
    pub overseers: Vec<PortId>,
    /// At which ports the peer of this one hears what we ourselves say there.
    pub oversees: Vec<PortId>,
}

/// Whose voice a passage carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// That of the peer of the port.
    Peer,
    /// Ours: what an agent says at the port.
    Ours,
}

impl Links {
    /// Two ports that talk with each other, seen by one of them.
    pub fn with(other: PortId) -> Self {
        Self { told: vec![other], hears: vec![other], ..Self::default() }
    }

    /// A port that is heard by a listener and talks with nobody new.
    pub fn and_told(mut self, listener: PortId) -> Self {
        self.told.push(listener);
        self
    }

    /// A port that hears one more.
    pub fn and_hears(mut self, speaker: PortId) -> Self {
        self.hears.push(speaker);
        self
    }

    /// Whether the peer of this port hears a voice at another port.
    pub fn lets_in(&self, from: PortId, voice: Voice) -> bool {
        match voice {
            Voice::Peer => self.hears.contains(&from),
            Voice::Ours => self.oversees.contains(&from),
        }
    }
}

/// One packet of a peer, or a frame of ours, on its way to the peer of another port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Whose voice it is.
    pub voice: Voice,
    /// Which stream of the speaker; another one begins with a new source or a restarted clock.
    pub stream: u32,
    /// The extended sequence number in that stream: what is lost or swapped stays so.
    pub index: u64,
    /// The RTP time in that stream.
    pub timestamp: u32,
    /// The clock of that time: ticks in a second.
    pub clock: u32,
    /// Whether the marker bit was there.
    pub marker: bool,
    /// What the payload is.
    pub content: Content,
    /// The payload.
    pub payload: Bytes,
}
