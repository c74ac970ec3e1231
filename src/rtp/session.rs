//! The RTCP side of a session: when reports are sent, what they say, what the peer's reports tell.

use std::time::{Duration, Instant};

use super::emodel::{Conditions, Impairment};
use super::rtcp::{self, Compound, Malformed, SenderInfo};
use super::stats::{Reception, from_short, short};
use super::xr::{Answer, Extended, Metrics, in_256ths};
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

/// How a stream is listened to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Listening {
    /// What its codec does to it.
    pub impairment: Impairment,
    /// How long a packet lasts.
    pub packet: Duration,
    /// Packets that came too late to be heard.
    pub late: u64,
}

/// How the other side says that it hears us.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Far {
    /// Packets of ours that never came there.
    pub lost: i32,
    /// The mean opinion score of the conversation, 1.0 to 5.0, if it tells one (RFC 3611 4.7.5).
    pub score: Option<f64>,
}

/// The reports of one session.
#[derive(Debug)]
pub struct Session {
    /// The canonical name that our reports carry; says nothing about a person.
    pub cname: String,
    /// How the peer is listened to, once that is known.
    pub listening: Option<Listening>,
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
    /// Who asked for the time by an extended report: its source, its time, when that came.
    asked: Option<(u32, u32, Instant)>,
    far: Option<Far>,
}

impl Session {
    /// Opens a session of our source.
    pub fn new(ssrc: u32, now: Instant, random: Random) -> Self {
        Self {
            cname: String::new(),
            listening: None,
            ssrc,
            opened: now,
            random,
            next: None,
            reported: 0,
            reports: [None; 2],
            round_trip: None,
            asked: None,
            far: None,
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
        if let Some(ntp) = received.extended.reference {
            self.asked = Some((received.ssrc, (ntp >> 16) as u32, now));
        }
        if let Some(answer) = received.extended.answer {
            self.measure(now, answer.last_reference, answer.delay);
        }
        if let Some(metrics) = received.extended.metrics {
            let score = metrics.conversation.or(metrics.listening);
            self.far.get_or_insert_default().score = score.map(|tenths| f64::from(tenths) / 10.0);
        }
        if let Some(block) = received.block {
            self.far.get_or_insert_default().lost = block.lost;
            self.measure(now, block.last_report, block.delay);
        }
        Ok(())
    }

    /// Measures the round trip: arrival, minus when we sent, minus how long the peer held it
    /// (RFC 3550 6.4.1, RFC 3611 4.5).
    fn measure(&mut self, now: Instant, last: u32, delay: u32) {
        if last != 0 && self.reports.contains(&Some(last)) {
            let now = short(now.saturating_duration_since(self.opened));
            let trip = now.wrapping_sub(last).wrapping_sub(delay);
            self.round_trip = Some(from_short(trip)).filter(|trip| *trip < LONGEST_TRIP);
        }
    }

    /// How the other side says that it hears us.
    pub fn far(&self) -> Option<Far> {
        self.far
    }

    /// What is to be expected of what we hear, with everything that delays it; `None` before a
    /// second of it came.
    pub fn conditions(&self, reception: &Reception, listening: &Listening) -> Option<Conditions> {
        let tracker = reception.tracker();
        let expected = tracker.expected();
        if listening.packet.saturating_mul(u32::try_from(expected).unwrap_or(u32::MAX)) < JUDGED {
            return None;
        }
        let gone = tracker.lost().saturating_add(listening.late);
        let trip = self.round_trip.unwrap_or_default();
        Some(Conditions {
            impairment: listening.impairment,
            loss: gone as f64 / expected as f64,
            burst_ratio: reception.bursts().ratio(),
            // A packet is spoken, travels, and waits for the late ones.
            delay: listening.packet + trip / 2 + 2 * reception.jitter() + LISTENING,
        })
    }

    /// The extended report: how we hear the peer, the answer to its question, and our own when
    /// nothing else would tell the round trip.
    fn extended(&mut self, now: Instant, sends: bool, reception: Option<&Reception>) -> Extended {
        let answer = self.asked.take().map(|(ssrc, last_reference, came)| Answer {
            ssrc,
            last_reference,
            delay: short(now.saturating_duration_since(came)),
        });
        let reference = (!sends).then(|| self.stamp(now));
        let metrics = reception.zip(self.listening).and_then(|(reception, listening)| {
            let conditions = self.conditions(reception, &listening)?;
            Some(self.metrics(reception, &listening, &conditions))
        });
        Extended { reference, answer, metrics }
    }

    fn metrics(
        &self,
        reception: &Reception,
        listening: &Listening,
        conditions: &Conditions,
    ) -> Metrics {
        let (tracker, shape) = (reception.tracker(), reception.bursts().shape());
        let share = |count: u64| in_256ths(count as f64 / tracker.expected() as f64);
        let millis = |time: Duration| u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        let lasting = |packets: u64| {
            millis(listening.packet.saturating_mul(u32::try_from(packets).unwrap_or(u32::MAX)))
        };
        let heard = Conditions { delay: Duration::ZERO, ..*conditions };
        let tenths = |score: f64| Some((score * 10.0).round() as u8);
        Metrics {
            ssrc: reception.ssrc,
            loss: share(tracker.lost()),
            discard: share(listening.late),
            burst_density: in_256ths(shape.burst_density),
            gap_density: in_256ths(shape.gap_density),
            burst_millis: lasting(shape.burst_length),
            gap_millis: lasting(shape.gap_length),
            round_trip_millis: millis(self.round_trip.unwrap_or_default()),
            end_millis: millis(listening.packet + LISTENING),
            rating: Some(conditions.rating().round() as u8),
            listening: tenths(heard.score()),
            conversation: tenths(conditions.score()),
            waits_millis: [millis(LISTENING); 3],
        }
    }

    /// Makes the report that is due and sets the time of the next.
    pub fn report(
        &mut self,
        now: Instant,
        sent: &Sent,
        reception: Option<&mut Reception>,
    ) -> Vec<u8> {
        self.next = Some(now + self.interval());
        self.compound((now, false), sent, reception)
    }

    /// Makes the last report, with the goodbye of our source (RFC 3550 6.3.7).
    pub fn goodbye(
        &mut self,
        now: Instant,
        sent: &Sent,
        reception: Option<&mut Reception>,
    ) -> Vec<u8> {
        self.next = None;
        self.compound((now, true), sent, reception)
    }

    /// What there is to tell since the last report: a sender tells what it sent, all tell what
    /// they received.
    fn compound(
        &mut self,
        (now, leaving): (Instant, bool),
        sent: &Sent,
        reception: Option<&mut Reception>,
    ) -> Vec<u8> {
        let sender = (sent.packets > self.reported).then(|| self.sender(now, sent));
        self.reported = sent.packets;
        let extended = self.extended(now, sender.is_some(), reception.as_deref());
        let block = reception.map(|reception| reception.block(now));
        Compound { ssrc: self.ssrc, sender, block, cname: &self.cname, leaving }
            .write_with(&extended)
    }

    fn sender(&mut self, now: Instant, sent: &Sent) -> SenderInfo {
        SenderInfo {
            ntp: self.stamp(now),
            timestamp: sent.timestamp,
            packets: sent.packets as u32,
            octets: sent.octets as u32,
        }
    }

    /// The time of a report, which is remembered for its answer.
    fn stamp(&mut self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.opened);
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        let middle = short(elapsed);
        self.reports = [Some(middle), self.reports[0]];
        // The short form and the long one must agree in their middle, or no answer matches.
        (elapsed.as_secs() << 32) | (u64::from(middle & 0xffff) << 16) | fraction & 0xffff
    }

    /// Five seconds, between a half and one and a half of it (RFC 3550 6.3.1): two members never
    /// need a longer one.
    fn interval(&mut self) -> Duration {
        INTERVAL.mul_f64(0.5 + self.random.unit())
    }
}

const INTERVAL: Duration = Duration::from_secs(5);

/// So much is heard before it is judged.
const JUDGED: Duration = Duration::from_secs(1);

/// How long a listener of ours waits for a packet that is missing.
const LISTENING: Duration = Duration::from_millis(20);

/// A longer trip is no measurement.
const LONGEST_TRIP: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::stats::Block;

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
    fn who_only_listens_asks_for_the_round_trip_and_gets_it() {
        let start = Instant::now();
        let (mut one, mut other) = (session(start), Session::new(9, start, Random::repeatable(4)));
        let at = |millis| start + Duration::from_millis(millis);
        let silent = Sent::default();
        let asks = one.report(at(1_000), &silent, None);
        other.handle(at(1_040), &asks, None).expect("a report");
        let answers = other.report(at(1_500), &silent, None);
        one.handle(at(1_560), &answers, None).expect("a report");
        let trip = one.round_trip().expect("a round trip").as_micros();
        assert!((99_900..100_100).contains(&trip), "{trip} us");
        other.handle(at(1_800), &one.report(at(1_600), &silent, None), None).expect("a report");
        assert!(other.round_trip().is_some(), "it asked too");
    }

    #[test]
    fn how_we_hear_is_told_and_how_we_are_heard_is_known() {
        let start = Instant::now();
        let (mut one, mut other) = (session(start), Session::new(9, start, Random::repeatable(4)));
        let impairment = Impairment::of(crate::audio::codec::Codec::Pcmu);
        let packet = Duration::from_millis(20);
        one.listening = Some(Listening { impairment, packet, late: 10 });
        let mut reception = Reception::new(9, 0, 8_000);
        for sequence in (1..1_000).filter(|sequence| sequence % 20 != 3) {
            reception.handle(sequence);
        }
        let report = one.report(start, &Sent::default(), Some(&mut reception));
        let metrics = rtcp::parse(&report, 9).expect("a report").extended.metrics;
        let metrics = metrics.expect("it is told");
        assert_eq!((metrics.ssrc, metrics.loss, metrics.discard), (9, 12, 2));
        let score = one.conditions(&reception, &one.listening.expect("known")).expect("a second");
        assert!((3.5..4.0).contains(&score.score()), "{}", score.score());
        let mut theirs = Reception::new(7, 0, 8_000);
        other.handle(start, &report, Some(&mut theirs)).expect("a report");
        let far = other.far().expect("it is known").score.expect("a score");
        assert!((far - score.score()).abs() < 0.06, "{far}");
        reception = Reception::new(9, 0, 8_000);
        assert_eq!(one.conditions(&reception, &one.listening.expect("known")), None, "too early");
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
