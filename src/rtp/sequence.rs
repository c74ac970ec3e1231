//! Sequence numbers (RFC 3550 A.1): extended past the wrap, with loss, doubles and late packets
//! told apart, and with proof asked of a source before its numbers are believed.

/// How far ahead a packet may be before it needs proof: a minute of voice (RFC 3550 A.1).
pub const MAX_DROPOUT: u16 = 3_000;

/// How far behind a packet may be and still be called late (RFC 3550 A.1).
pub const MAX_MISORDER: u16 = 100;

/// Where a packet stands in its stream. An index is the extended sequence number; it only grows,
/// also over a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is ahead of everything before.
    Ahead {
        /// Its extended sequence number.
        index: u64,
    },
    /// It is behind, and new.
    Behind {
        /// Its extended sequence number.
        index: u64,
    },
    /// It was here before.
    Twice,
    /// Its number fits nothing; one more like it makes a restart.
    Strange,
    /// The sender began its numbers anew.
    Restarted {
        /// Its extended sequence number.
        index: u64,
    },
}

/// The sequence of one source.
#[derive(Debug, Clone)]
pub struct Tracker {
    /// The index at which the present run of numbers began.
    first: u64,
    highest: u64,
    /// Packets expected before the present run.
    expected_before: u64,
    /// Packets that came, doubles too.
    received: u64,
    /// Packets that came, doubles not.
    unique: u64,
    /// Which of the last 128 came: bit n stands for `highest - n`.
    seen: u128,
    restart: Option<Probation>,
}

impl Tracker {
    /// Begins with the first packet of a source, which counts as received.
    pub fn new(sequence: u16) -> Self {
        // One cycle up, so that late packets of the first cycle have an index too.
        let first = CYCLE + u64::from(sequence);
        Self {
            first,
            highest: first,
            expected_before: 0,
            received: 1,
            unique: 1,
            seen: 1,
            restart: None,
        }
    }

    /// Counts a packet and says where it stands.
    pub fn handle(&mut self, sequence: u16) -> Verdict {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let behind = ahead.wrapping_neg();
        if ahead == 0 || behind <= MAX_MISORDER {
            self.behind(behind)
        } else if ahead < MAX_DROPOUT {
            self.restart = None;
            self.highest += u64::from(ahead);
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.count_unique();
            Verdict::Ahead { index: self.highest }
        } else {
            self.far_away(sequence)
        }
    }

    /// Whether a packet would go on where the stream is: ahead, and within the window.
    pub fn continues_with(&self, sequence: u16) -> bool {
        (1..MAX_DROPOUT).contains(&sequence.wrapping_sub(self.highest as u16))
    }

    /// The highest index so far; the one of the first packet at the beginning.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether a packet came that is 0 to 127 behind the highest; what is further behind did not.
    pub fn came(&self, index: u64) -> bool {
        let behind = self.highest.checked_sub(index).and_then(|it| u32::try_from(it).ok());
        behind.and_then(|behind| self.seen.checked_shr(behind)).is_some_and(|seen| seen & 1 == 1)
    }

    /// How many packets should have come (RFC 3550 A.3).
    pub fn expected(&self) -> u64 {
        self.expected_before + (self.highest - self.first) + 1
    }

    /// How many came, doubles and late ones too (RFC 3550 A.3).
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many never came.
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.unique)
    }

    fn behind(&mut self, distance: u16) -> Verdict {
        self.received += 1;
        let bit = 1_u128 << distance;
        if self.seen & bit != 0 {
            return Verdict::Twice;
        }
        self.seen |= bit;
        self.unique += 1;
        Verdict::Behind { index: self.highest - u64::from(distance) }
    }

    /// Two packets in a row, far away, are a sender that restarted without telling (A.1).
    fn far_away(&mut self, sequence: u16) -> Verdict {
        let proof = self.restart.get_or_insert_with(|| Probation::new(sequence));
        if !proof.handle(sequence) {
            return Verdict::Strange;
        }
        self.restart = None;
        self.expected_before = self.expected();
        self.first = (self.highest / CYCLE + 1) * CYCLE + u64::from(sequence);
        self.highest = self.first;
        self.seen = 1;
        self.count_unique();
        Verdict::Restarted { index: self.highest }
    }

    fn count_unique(&mut self) {
        self.received += 1;
        self.unique += 1;
    }
}

/// The proof that a source is one: packets in sequence (MIN_SEQUENTIAL, RFC 3550 A.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probation {
    last: Option<u16>,
    next: u16,
}

impl Probation {
    /// Expects `sequence`, which is then handed to `handle` as the first.
    pub fn new(sequence: u16) -> Self {
        Self { last: None, next: sequence }
    }

    /// Takes a packet; true when it and the one before it were in sequence.
    pub fn handle(&mut self, sequence: u16) -> bool {
        let proven = self.last.is_some() && sequence == self.next;
        self.last = Some(sequence);
        self.next = sequence.wrapping_add(1);
        proven
    }
}

const CYCLE: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_go_on_over_the_wrap() {
        let mut tracker = Tracker::new(65_534);
        let first = tracker.highest();
        assert_eq!(tracker.handle(65_535), Verdict::Ahead { index: first + 1 });
        assert_eq!(tracker.handle(0), Verdict::Ahead { index: first + 2 });
        assert_eq!(tracker.handle(2), Verdict::Ahead { index: first + 4 });
        assert_eq!(tracker.handle(1), Verdict::Behind { index: first + 3 });
        assert_eq!((tracker.expected(), tracker.received(), tracker.lost()), (5, 5, 0));
    }

    #[test]
    fn doubles_are_no_reception_of_what_was_lost() {
        let mut tracker = Tracker::new(10);
        assert_eq!(tracker.handle(10), Verdict::Twice);
        assert!(matches!(tracker.handle(12), Verdict::Ahead { .. }));
        assert_eq!(tracker.handle(12), Verdict::Twice);
        assert_eq!(tracker.lost(), 1);
        assert!(matches!(tracker.handle(11), Verdict::Behind { .. }));
        assert_eq!(tracker.handle(11), Verdict::Twice);
        assert_eq!(tracker.lost(), 0);
    }

    #[test]
    fn a_jump_needs_a_second_packet() {
        let mut tracker = Tracker::new(100);
        assert_eq!(tracker.handle(40_000), Verdict::Strange);
        assert!(matches!(tracker.handle(101), Verdict::Ahead { .. }));
        assert_eq!(tracker.handle(40_001), Verdict::Strange, "the stream went on meanwhile");
        let before = tracker.highest();
        let Verdict::Restarted { index } = tracker.handle(40_002) else { panic!("no restart") };
        assert!(index > before);
        assert_eq!(tracker.lost(), 0);
        assert!(matches!(tracker.handle(40_003), Verdict::Ahead { .. }));
    }

    #[test]
    fn a_stranger_within_the_window_only_is_believed() {
        let tracker = Tracker::new(65_000);
        assert!(tracker.continues_with(65_001));
        assert!(tracker.continues_with(65_000_u16.wrapping_add(MAX_DROPOUT - 1)));
        assert!(!tracker.continues_with(65_000));
        assert!(!tracker.continues_with(64_999));
        assert!(!tracker.continues_with(65_000_u16.wrapping_add(MAX_DROPOUT)));
    }

    proptest! {
        #[test]
        fn an_index_is_given_out_once(sequences in prop::collection::vec(any::<u16>(), 0..300)) {
            let mut tracker = Tracker::new(0);
            let mut given = std::collections::HashSet::from([tracker.highest()]);
            for sequence in sequences {
                match tracker.handle(sequence) {
                    Verdict::Ahead { index }
                    | Verdict::Behind { index }
                    | Verdict::Restarted { index } => prop_assert!(given.insert(index)),
                    Verdict::Twice | Verdict::Strange => {}
                }
            }
        }

        #[test]
        fn no_packet_is_lost_in_a_shuffled_stream(start in any::<u16>(), order in Just((0_u16..60).collect::<Vec<_>>()).prop_shuffle()) {
            let mut tracker = Tracker::new(start);
            for offset in order {
                tracker.handle(start.wrapping_add(offset));
            }
            prop_assert_eq!(tracker.lost(), 0);
            prop_assert_eq!(tracker.expected(), 60);
        }
    }
}
