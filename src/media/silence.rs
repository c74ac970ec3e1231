//! What it means that nothing comes from a sender: a pause that it told of, a pause of one that
//! never tells, or a stall of the network, after which everything comes at once.

use std::time::Duration;

/// What is known of a sender's silence.
#[derive(Debug, Default)]
pub struct Silence {
    /// Whether it spoke and did not say that it pauses since.
    speaks: bool,
    /// Whether it ever left silence out unsaid.
    rests: bool,
    /// How much was made up in the last stall and may be said after all.
    made_up: Duration,
}

impl Silence {
    /// It says that it pauses.
    pub fn tell(&mut self) {
        self.speaks = false;
    }

    /// It speaks.
    pub fn end(&mut self) {
        self.speaks = true;
    }

    /// Whether it said that it pauses, or never spoke: its silence needs no concealment.
    pub fn is_told(&self) -> bool {
        !self.speaks
    }

    /// No packet was lost before this one, and its clock went on by so much more than its voice.
    pub fn found(&mut self, rest: Duration) {
        if rest <= SLACK || rest > LONGEST_REST {
            return;
        }
        self.rests |= self.speaks && rest >= REST;
        self.speaks = false;
    }

    /// How much later than its clock a packet may come before something is made up for it.
    pub fn patience(&self) -> Duration {
        if self.speaks && !self.rests { STALL } else { SLACK }
    }

    /// So much was made up; for the `first` time since a packet came, or again.
    pub fn make_up(&mut self, duration: Duration, first: bool) {
        let before = if first { Duration::ZERO } else { self.made_up };
        self.made_up = (before + duration).min(LONGEST_STALL);
    }

    /// How much of what was made up is given back to a packet that would be `ahead` of time.
    pub fn give_back(&mut self, ahead: Duration) -> Duration {
        let back = ahead.min(self.made_up);
        self.made_up -= back;
        back
    }
}

/// How much later or earlier than its clock a packet may come without anything being wrong.
pub const SLACK: Duration = Duration::from_millis(40);

/// Nothing comes for so long from a sender that never rests: a stall of the network or a machine.
const STALL: Duration = Duration::from_millis(400);

/// No stall lasts longer: what comes then is another matter.
const LONGEST_STALL: Duration = Duration::from_secs(1);

/// A clock that goes on so far without a packet lost: the sender leaves silence out.
const REST: Duration = Duration::from_millis(200);

/// A clock that jumps further was begun anew.
const LONGEST_REST: Duration = Duration::from_secs(60);
