//! The RTCP side of a session: when reports are sent, what they say, what the peer's reports tell.

use std::time::{Duration, Instant};

use super::rtcp::{self, Compound, Malformed, SenderInfo};
use super::stats::{Block, Reception, from_short, short};
use crate::base::random::Random;

/// What was sent so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// Packets.
    pub packets: u64,
    /// Octets of payload.
    pub octets: u64,
    /// Where the RTP clock stands now.
    pub timestamp: u32,
}

/// The reports of one session.
#[derive(Debug)]
pub struct Session {
    /// The canonical name that our reports carry; says nothing about a person.
    pub cname: String,
    ssrc: u32,
    /// The NTP time of our reports counts from here: a sender without a wall clock may use the
    /// time since it joined (RFC 3550 6.4.1).
    opened: Instant,
    random: Random,
    next: Option<Instant>,
    /// Packets sent when the last report was made.
    reported: u64,
    /// The middle 32 bits of the NTP times of our last two sender reports.
    reports: [Option<u32>; 2],
    round_trip: Option<Duration>,
}

impl Session {
    /// Opens a session of our source.
    pub fn new(ssrc: u32, now: Instant, random: Random) -> Self {
        Self {
            cname: String::new(),
            ssrc,
            opened: now,
            random,
            next: None,
            reported: 0,
            reports: [None; 2],
            round_trip: None,
        }
    }

    /// Begins to report; the first report comes after half an interval (RFC 3550 6.2).
    pub fn start(&mut self, now: Instant) {
        self.next = Some(now + self.interval() / 2);
    }

    /// When the next report is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// The last measured round-trip time.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Reads the peer's reports.
    ///
    /// # Errors
    /// When it is no compound packet, or from another source than the one that is received.
    pub fn handle(
        &mut self,
        now: Instant,
        bytes: &[u8],
        reception: Option<&mut Reception>,
    ) -> Result<(), Malformed> {
        let received = rtcp::parse(bytes, self.ssrc)?;
        if let Some(reception) = reception {
            if reception.ssrc != received.ssrc {
                return Err(Malformed);
            }
            if let Some(middle) = received.report {
                reception.reported(middle, now);
            }
        }
        let Some(block) = received.block else { return Ok(()) };
        if block.last_report != 0 && self.reports.contains(&Some(block.last_report)) {
            // RFC 3550 6.4.1: arrival, minus when we sent, minus how long the peer held it.
            let now = short(now.saturating_duration_since(self.opened));
            let trip = now.wrapping_sub(block.last_report).wrapping_sub(block.delay);
            self.round_trip = Some(from_short(trip)).filter(|trip| *trip < LONGEST_TRIP);
        }
        Ok(())
    }

    /// Makes the report that is due and sets the time of the next.
    pub fn report(
        &mut self,
        now: Instant,
        sent: &Sent,
        reception: Option<&mut Reception>,
    ) -> Vec<u8> {
        self.next = Some(now + self.interval());
        let (sender, block) = self.news(now, sent, reception);
        Compound { ssrc: self.ssrc, sender, block, cname: &self.cname, leaving: false }.write()
    }

    /// Makes the last report, with the goodbye of our source (RFC 3550 6.3.7).
    pub fn goodbye(
        &mut self,
        now: Instant,
        sent: &Sent,
        reception: Option<&mut Reception>,
    ) -> Vec<u8> {
        self.next = None;
        let (sender, block) = self.news(now, sent, reception);
        Compound { ssrc: self.ssrc, sender, block, cname: &self.cname, leaving: true }.write()
    }

    /// What there is to tell since the last report: a sender tells what it sent, all tell what
    /// they received.
    fn news(
        &mut self,
        now: Instant,
        sent: &Sent,
        reception: Option<&mut Reception>,
    ) -> (Option<SenderInfo>, Option<Block>) {
        let sender = (sent.packets > self.reported).then(|| self.sender(now, sent));
        self.reported = sent.packets;
        (sender, reception.map(|reception| reception.block(now)))
    }

    fn sender(&mut self, now: Instant, sent: &Sent) -> SenderInfo {
        let elapsed = now.saturating_duration_since(self.opened);
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        let middle = short(elapsed);
        self.reports = [Some(middle), self.reports[0]];
        SenderInfo {
            // The short form and the long one must agree in their middle, or no answer matches.
            ntp: (elapsed.as_secs() << 32) | (u64::from(middle & 0xffff) << 16) | fraction & 0xffff,
            timestamp: sent.timestamp,
            packets: sent.packets as u32,
            octets: sent.octets as u32,
        }
    }

    /// Five seconds, between a half and one and a half of it (RFC 3550 6.3.1): two members never
    /// need a longer one.
    fn interval(&mut self) -> Duration {
        INTERVAL.mul_f64(0.5 + self.random.unit())
    }
}

const INTERVAL: Duration = Duration::from_secs(5);

/// A longer trip is no measurement.
const LONGEST_TRIP: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn session(start: Instant) -> Session {
        Session::new(7, start, Random::repeatable(3))
    }

    #[test]
    fn the_round_trip_is_what_the_peer_did_not_hold() {
        let start = Instant::now();
        let mut session = session(start);
        let sent = Sent { packets: 1, octets: 160, timestamp: 0 };
        let bytes = session.report(start + Duration::from_secs(3), &sent, None);
        let heard = rtcp::parse(&bytes, 0).expect("our own report");
        let block = Block {
            ssrc: 7,
            last_report: heard.report.expect("a sender report"),
            delay: short(Duration::from_millis(400)),
            ..Block::default()
        };
        let answer =
            Compound { ssrc: 9, sender: None, block: Some(block), cname: "it", leaving: false };
        let arrived = start + Duration::from_millis(3_450);
        session.handle(arrived, &answer.write(), None).expect("a report");
        let trip = session.round_trip().expect("a round trip").as_micros();
        assert!((49_900..50_100).contains(&trip), "{trip} us");
    }

    #[test]
    fn reports_come_every_five_seconds_or_so() {
        let start = Instant::now();
        let mut session = session(start);
        session.start(start);
        let (mut now, mut count) = (start, 0);
        while now < start + Duration::from_secs(300) {
            let due = session.deadline().expect("a report is due");
            assert!(due > now && due < now + Duration::from_millis(7_501));
            now = due;
            session.report(now, &Sent::default(), None);
            count += 1;
        }
        assert!((50..=75).contains(&count), "{count} reports in five minutes");
    }

    #[test]
    fn who_sent_nothing_sends_a_receiver_report() {
        let start = Instant::now();
        let mut session = session(start);
        let sent = Sent { packets: 5, octets: 800, timestamp: 1 };
        let [busy, idle] = [(); 2].map(|()| session.report(start, &sent, None));
        assert!(rtcp::parse(&busy, 0).expect("a report").report.is_some());
        assert!(rtcp::parse(&idle, 0).expect("a report").report.is_none());
        let last = session.goodbye(start, &sent, None);
        assert!(rtcp::parse(&last, 0).expect("a report").goodbye);
        assert_eq!(session.deadline(), None);
    }

    #[test]
    fn a_report_of_another_source_is_refused() {
        let start = Instant::now();
        let mut session = session(start);
        let mut reception = Reception::new(9, 0, 8_000);
        let report =
            Compound { ssrc: 10, sender: None, block: None, cname: "it", leaving: true }.write();
        assert_eq!(session.handle(start, &report, Some(&mut reception)), Err(Malformed));
    }
}
