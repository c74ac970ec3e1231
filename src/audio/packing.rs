//! How audio goes into packets, as two sides agreed: payload types both ways, lengths, wishes.

use std::time::Duration;

use crate::audio::codec::Codec;
use crate::audio::library::Profile;

/// What a packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Voice.
    Voice(Codec),
    /// A telephone event (RFC 4733), whose duration is counted by a clock of this rate.
    Key {
        /// Ticks in a second.
        clock: u32,
    },
    /// A description of the background (RFC 3389).
    Comfort,
}

/// How audio is packed, beside the codec that we send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packing {
    /// What may come under which payload type. Each side sends the numbers that the other chose.
    pub accepts: Vec<(u8, Content)>,
    /// The clock of the telephone events that we send.
    pub key_clock: u32,
    /// How much audio we put into a packet: 10 to 60 ms.
    pub ptime: Duration,
    /// The payload type of comfort noise, if silence is described instead of sent.
    pub comfort: Option<u8>,
    /// What the peer wants of what we send in Opus.
    pub profile: Profile,
}

impl Packing {
    /// What comes under a payload type, if that was agreed.
    pub fn content(&self, payload_type: u8) -> Option<Content> {
        let agreed = self.accepts.iter().find(|(number, _)| *number == payload_type);
        agreed.map(|(_, content)| *content)
    }
}

impl Default for Packing {
    fn default() -> Self {
        Self {
            accepts: Vec::new(),
            key_clock: 8_000,
            ptime: Duration::from_millis(20),
            comfort: None,
            profile: Profile::default(),
        }
    }
}

/// How we would like audio to be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    /// How much audio in a packet, both ways, where the peer wishes nothing else.
    pub ptime: Duration,
    /// Whether silence may be described instead of sent (RFC 3389).
    pub comfort: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { ptime: Duration::from_millis(20), comfort: false }
    }
}
