//! Provisional answers that must arrive (RFC 3262), on both sides of the INVITE.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::sip::header::Name;
use crate::sip::message::Message;
use crate::sip::transaction::layer::Datagram;
use crate::sip::transaction::timers::Timers;

/// What our provisional answers wait for: one at a time is on its way, and the 200 comes last.
#[derive(Debug)]
pub struct Reliable {
    demand: Demand,
    sequence: u32,
    flight: Option<Flight>,
    waiting: VecDeque<Provisional>,
    held: Option<Acceptance>,
}

/// What the caller thinks of reliable provisional answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// It does not know them.
    Unknown,
    /// It knows them.
    Supported,
    /// It wants all of them so.
    Required,
}

/// A provisional answer to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisional {
    /// 101 to 199.
    pub status: u16,
    /// A session description, if early media is to flow.
    pub body: Option<Bytes>,
}

/// A 200 that waits until the last provisional answer has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The session description.
    pub body: Bytes,
    /// Further headers, by name and value.
    pub headers: Vec<(String, String)>,
}

/// How a provisional answer is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As ever: it may be lost.
    Plain,
    /// With this RSeq, until PRACK.
    Numbered(u32),
    /// Not now: another one is on its way.
    Later,
}

/// What a PRACK names (RFC 3262 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rack {
    /// The RSeq of the answer.
    pub rseq: u32,
    /// The CSeq of the INVITE.
    pub sequence: u32,
}

/// What an unacknowledged provisional answer wants when a timer fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Impatience {
    /// It goes out again.
    Resend(Datagram),
    /// Nobody acknowledges: the INVITE is to be refused.
    GiveUp,
}

/// What an answer that arrived brought with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// Its status only.
    Nothing,
    /// A session description.
    Description,
}

#[derive(Debug)]
struct Flight {
    rseq: u32,
    carried: Carried,
    datagram: Datagram,
    resend_at: Instant,
    pause: Duration,
    until: Instant,
}

impl Reliable {
    /// Begins with what the INVITE says of it; `first` is an RSeq below 2^31.
    pub fn new(invite: &Message, first: u32) -> Self {
        let demand = if invite.lists(Name::Require, EXTENSION) {
            Demand::Required
        } else if invite.lists(Name::Supported, EXTENSION) {
            Demand::Supported
        } else {
            Demand::Unknown
        };
        let sequence = first.clamp(1, MOST_FIRST);
        Self { demand, sequence, flight: None, waiting: VecDeque::new(), held: None }
    }

    /// Tells how a provisional answer is to be sent; one for later is kept. What has a session
    /// description arrives for sure when the caller knows how (RFC 3262 3).
    pub fn manner(&mut self, answer: &Provisional) -> Manner {
        let wanted = match self.demand {
            Demand::Unknown => false,
            Demand::Supported => answer.body.is_some(),
            Demand::Required => true,
        };
        if !wanted {
            // It would overtake, but it says nothing that the order matters for.
            return Manner::Plain;
        }
        if self.flight.is_none() {
            return Manner::Numbered(self.sequence);
        }
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(answer.clone());
        }
        Manner::Later
    }

    /// The numbered answer has been sent.
    pub fn sent(&mut self, sent: (Datagram, Carried), timers: Timers, now: Instant) {
        let (datagram, carried) = sent;
        self.flight = Some(Flight {
            rseq: self.sequence,
            carried,
            datagram,
            resend_at: now + timers.t1,
            pause: timers.t1,
            until: now + timers.patience(),
        });
        self.sequence = self.sequence.saturating_add(1);
    }

    /// Takes a PRACK; tells what has arrived, if it names the answer that is on its way.
    pub fn acknowledge(&mut self, rack: Rack, invite: u32) -> Option<Carried> {
        let named = |flight: &mut Flight| rack == Rack { rseq: flight.rseq, sequence: invite };
        self.flight.take_if(named).map(|flight| flight.carried)
    }

    /// What goes out next, now that the one before has arrived.
    pub fn take_next(&mut self) -> Option<Provisional> {
        if self.flight.is_some() { None } else { self.waiting.pop_front() }
    }

    /// Whether the 200 has to wait; then it is kept.
    pub fn holds(&mut self, acceptance: &Acceptance) -> bool {
        let holds = self.flight.is_some();
        if holds {
            self.held = Some(acceptance.clone());
        }
        holds
    }

    /// The 200 that waited, when it need not any more. What would have come before it is moot.
    pub fn release(&mut self) -> Option<Acceptance> {
        if self.flight.is_some() { None } else { self.held.take() }
    }

    /// Lets one timer fire that is due.
    pub fn tick(&mut self, now: Instant) -> Option<Impatience> {
        let flight = self.flight.as_mut()?;
        if flight.until <= now {
            self.flight = None;
            return Some(Impatience::GiveUp);
        }
        if flight.resend_at > now {
            return None;
        }
        flight.pause = flight.pause.saturating_mul(2);
        flight.resend_at = now + flight.pause;
        Some(Impatience::Resend(flight.datagram.clone()))
    }

    /// When a timer fires next.
    pub fn deadline(&self) -> Option<Instant> {
        self.flight.as_ref().map(|flight| flight.resend_at.min(flight.until))
    }
}

impl Rack {
    /// Reads the RAck header of a PRACK for an INVITE.
    pub fn read(message: &Message) -> Option<Self> {
        let text = message.text(Name::RAck)?;
        let mut words = text.split_ascii_whitespace();
        let (rseq, sequence) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        (words.next() == Some("INVITE") && words.next().is_none())
            .then_some(Self { rseq, sequence })
    }
}

/// The order of the reliable provisional answers to our INVITE, in one early dialog.
#[derive(Debug, Default)]
pub struct Received {
    last: Option<u32>,
}

impl Received {
    /// Takes an answer; tells whether it is the next one, and so is to be acknowledged. One that
    /// came before is known, and one behind a gap comes again (RFC 3262 4).
    pub fn take(&mut self, rseq: u32) -> bool {
        let is_next = rseq > 0 && self.last.is_none_or(|last| last.checked_add(1) == Some(rseq));
        if is_next {
            self.last = Some(rseq);
        }
        is_next
    }
}

/// The RSeq of an answer that wants PRACK.
pub fn rseq(answer: &Message) -> Option<u32> {
    if !answer.lists(Name::Require, EXTENSION) {
        return None;
    }
    answer.text(Name::RSeq)?.trim().parse().ok()
}

/// The name of the extension.
pub const EXTENSION: &str = "100rel";

/// RFC 3262 3: the first RSeq is below 2^31.
const MOST_FIRST: u32 = (1 << 31) - 1;

/// How many provisional answers may wait for the one before.
const MOST_WAITING: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::event::Flow;

    fn invite(headers: &str) -> Message {
        let text = format!("INVITE sip:a@b SIP/2.0\r\nCSeq: 1 INVITE\r\n{headers}\r\n");
        Message::parse_datagram(&Bytes::from(text)).expect("it parses")
    }

    fn early() -> Provisional {
        Provisional { status: 183, body: Some(Bytes::from_static(b"v=0\r\n")) }
    }

    fn ringing() -> Provisional {
        Provisional { status: 180, body: None }
    }

    fn datagram() -> (Datagram, Carried) {
        let flow = Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap());
        (Datagram { flow, bytes: Bytes::from_static(b"183") }, Carried::Description)
    }

    #[test]
    fn only_who_knows_and_where_it_matters() {
        let manner = |headers: &str, answer| Reliable::new(&invite(headers), 7).manner(&answer);
        assert_eq!(manner("", early()), Manner::Plain);
        assert_eq!(manner("Supported: 100rel\r\n", early()), Manner::Numbered(7));
        assert_eq!(manner("Supported: 100rel\r\n", ringing()), Manner::Plain);
        assert_eq!(manner("Require: 100rel\r\n", ringing()), Manner::Numbered(7));
    }

    #[test]
    fn one_is_on_its_way_and_the_200_waits() {
        let now = Instant::now();
        let mut reliable = Reliable::new(&invite("Require: 100rel\r\n"), 1);
        let acceptance = Acceptance { body: Bytes::new(), headers: Vec::new() };
        assert!(!reliable.holds(&acceptance));
        assert_eq!(reliable.manner(&early()), Manner::Numbered(1));
        reliable.sent(datagram(), Timers::default(), now);
        assert_eq!(reliable.manner(&ringing()), Manner::Later);
        assert!(reliable.holds(&acceptance));
        let rack = |rseq, sequence| Rack { rseq, sequence };
        assert_eq!(reliable.acknowledge(rack(2, 4), 4), None);
        assert_eq!(reliable.acknowledge(rack(1, 3), 4), None);
        assert_eq!(reliable.take_next(), None);
        assert_eq!(reliable.acknowledge(rack(1, 4), 4), Some(Carried::Description));
        assert_eq!(reliable.acknowledge(rack(1, 4), 4), None, "once");
        assert_eq!(reliable.take_next(), Some(ringing()));
        assert_eq!(reliable.manner(&ringing()), Manner::Numbered(2));
        reliable.sent(datagram(), Timers::default(), now);
        assert_eq!(reliable.release(), None);
        assert!(reliable.acknowledge(rack(2, 4), 4).is_some());
        assert_eq!(reliable.release(), Some(acceptance));
    }

    #[test]
    fn it_is_repeated_doubling_without_end_and_given_up_after_64_t1() {
        let start = Instant::now();
        let mut reliable = Reliable::new(&invite("Require: 100rel\r\n"), 1);
        reliable.sent(datagram(), Timers::default(), start);
        let mut times = Vec::new();
        while let Some(at) = reliable.deadline() {
            times.push((at - start).as_millis());
            reliable.tick(at).expect("a deadline means a timer");
        }
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 15_500, 31_500, 32_000]);
    }

    #[test]
    fn a_rack_names_an_invite() {
        let read = |value: &str| Rack::read(&invite(&format!("RAck: {value}\r\n")));
        assert_eq!(read("776656 1 INVITE"), Some(Rack { rseq: 776_656, sequence: 1 }));
        for wrong in
            ["", "1", "1 2", "1 2 BYE", "1 2 INVITE x", "-1 2 INVITE", "1 4294967296 INVITE"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn answers_are_acknowledged_in_order_and_once() {
        let mut received = Received::default();
        let taken: Vec<bool> =
            [5, 5, 7, 6, 6, 7, 0].into_iter().map(|rseq| received.take(rseq)).collect();
        assert_eq!(taken, [true, false, false, true, false, true, false]);
    }
}
