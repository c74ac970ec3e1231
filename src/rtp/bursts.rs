//! How losses lie in a stream: alone in gaps, or together in bursts (RFC 3611 4.7.2).

/// Losses counted as they lie. Sixteen packets that came between two losses part them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bursts {
    packets: u64,
    lost: u64,
    /// How many times losses stood in a row, one or more of them.
    runs: u64,
    /// Packets that came since the last loss.
    came: u64,
    /// From the first loss of what may become a burst to the last: packets, and losses.
    cluster: (u64, u64),
    bursts: u64,
    /// Packets and losses in bursts that are over.
    within: (u64, u64),
}

impl Bursts {
    /// Counts a packet that came.
    pub fn came(&mut self) {
        self.packets += 1;
        self.came += 1;
    }

    /// Counts so many packets in a row that never came.
    pub fn lost(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        if self.lost == 0 || self.came > 0 {
            self.runs += 1;
        }
        if self.cluster.1 > 0 && self.came < GMIN {
            self.cluster = (self.cluster.0 + self.came + count, self.cluster.1 + count);
        } else {
            self.end_burst();
            self.cluster = (count, count);
        }
        self.packets += count;
        self.lost += count;
        self.came = 0;
    }

    /// How much longer losses stand in a row than they would by chance: 1 and more (G.107 3.5).
    pub fn ratio(&self) -> f64 {
        if self.runs == 0 {
            return 1.0;
        }
        let mean = self.lost as f64 / self.runs as f64;
        (mean * (1.0 - self.lost as f64 / self.packets as f64)).max(1.0)
    }

    /// The shares lost in bursts and in gaps, 0 to 1, and the mean lengths of both in packets.
    pub fn shape(&self) -> Shape {
        let mut done = *self;
        done.end_burst();
        let (packets, lost) = done.within;
        let (gap_packets, gap_lost) = (done.packets - packets, done.lost - lost);
        Shape {
            burst_density: share(lost, packets),
            gap_density: share(gap_lost, gap_packets),
            burst_length: packets.checked_div(done.bursts).unwrap_or(0),
            gap_length: gap_packets / (done.bursts + 1),
        }
    }

    /// A loss that stands alone belongs to a gap.
    fn end_burst(&mut self) {
        let (packets, lost) = std::mem::take(&mut self.cluster);
        if lost > 1 {
            self.bursts += 1;
            self.within = (self.within.0 + packets, self.within.1 + lost);
        }
    }
}

/// The shape of the losses.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shape {
    /// The share lost within bursts.
    pub burst_density: f64,
    /// The share lost outside them.
    pub gap_density: f64,
    /// The mean length of a burst in packets.
    pub burst_length: u64,
    /// The mean length of a gap in packets.
    pub gap_length: u64,
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// So many packets that came end a burst (RFC 3611 4.7.2).
pub const GMIN: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(stream: &str) -> Bursts {
        let mut bursts = Bursts::default();
        for packet in stream.chars() {
            if packet == 'x' { bursts.lost(1) } else { bursts.came() }
        }
        bursts
    }

    #[test]
    fn a_loss_alone_is_in_a_gap() {
        let bursts = counted(&format!("{}x{}", ".".repeat(49), ".".repeat(50)));
        let shape = bursts.shape();
        assert_eq!((shape.burst_density, shape.burst_length), (0.0, 0));
        assert_eq!((shape.gap_density, shape.gap_length), (0.01, 100));
        assert!((bursts.ratio() - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn losses_near_each_other_are_a_burst() {
        let stream = format!("{0}x..x....xx{0}x{0}", ".".repeat(40));
        let shape = counted(&stream).shape();
        assert_eq!((shape.burst_density, shape.burst_length), (0.4, 10));
        assert!((shape.gap_density - 1.0 / 121.0).abs() < 1e-9);
        assert_eq!(shape.gap_length, 60);
    }

    #[test]
    fn losses_in_a_row_are_worse_than_by_chance() {
        let alone = counted(&".........x".repeat(10));
        let together = counted(&format!("{}{}", ".".repeat(90), "x".repeat(10)));
        assert!((alone.ratio() - 1.0).abs() < f64::EPSILON);
        assert!((together.ratio() - 9.0).abs() < 1e-9, "{}", together.ratio());
    }
}
