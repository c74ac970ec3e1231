//! The network between the phone and the server: delay, jitter, loss, duplication, all by one seed.

use std::time::Duration;

use voxtrunk::base::random::Random;

/// What the network does to datagrams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    pub delay: Duration,
    pub jitter: Duration,
    pub loss: f64,
    pub duplication: f64,
}

impl Weather {
    /// 20 ms, and nothing is lost.
    pub fn fair() -> Self {
        let delay = Duration::from_millis(20);
        Self { delay, jitter: Duration::ZERO, loss: 0.0, duplication: 0.0 }
    }

    /// Much is lost, some comes twice and much comes late.
    pub fn stormy(loss: f64) -> Self {
        let jitter = Duration::from_millis(200);
        Self { jitter, loss, duplication: 0.1, ..Self::fair() }
    }

    /// When the copies of a datagram arrive; none when it is lost.
    pub fn arrivals(&self, random: &mut Random) -> Vec<Duration> {
        let lost = random.unit() < self.loss;
        let copies = if random.unit() < self.duplication { 2 } else { 1 };
        let mut arrival = || self.delay + self.jitter.mul_f64(random.unit());
        let arrivals: Vec<Duration> = (0..copies).map(|_| arrival()).collect();
        if lost { Vec::new() } else { arrivals }
    }
}

/// Where something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Phone,
    Server,
    /// Whoever the server calls.
    Callee,
}
