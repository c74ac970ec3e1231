//! Ports whose packets are hidden (SRTP), and those who would like to disturb them.

use std::time::Duration;

use crate::base::id::PortId;
use crate::base::master_key::{Keys, Master, Suite};
use crate::base::random::Random;
use crate::media::armour::Armour;
use crate::media::bench::{Bench, MAPPED, PEER, Peer, STRANGER, settings};
use crate::media::event::{Command, Event, Settings};
use crate::media::link::Links;
use crate::rtp::rtcp::{self, Compound};

/// The keys of a port.
fn keys(seed: u64, suite: Suite) -> Keys {
    let mut random = Random::repeatable(seed);
    let mut key = || Master::random(suite, &mut random);
    Keys { ours: key(), theirs: key() }
}

/// What its peer has.
fn of_peer(Keys { ours, theirs }: Keys) -> Keys {
    Keys { ours: theirs, theirs: ours }
}

fn secured(keys: &Keys) -> Settings {
    Settings { srtp: Some(keys.clone()), ..settings() }
}

/// A port and a peer that hides what it sends.
struct Call {
    bench: Bench,
    peer: Peer,
    outward: Armour,
}

impl Call {
    fn new(keys: &Keys) -> Self {
        let mut bench = Bench::new(secured(keys));
        bench.armour = Some(Armour::new(of_peer(keys.clone())));
        bench.order(Command::Start);
        Self { bench, peer: Peer::new(), outward: Armour::new(of_peer(keys.clone())) }
    }

    fn hidden(&mut self) -> Vec<u8> {
        let mut packet = self.peer.loud();
        assert!(self.outward.hide(&mut packet));
        packet
    }

    /// Speaks for so many packets; `attack` sees each after it came.
    fn speak(
        &mut self,
        packets: u64,
        from: &str,
        mut attack: impl FnMut(&mut Bench, &Peer, &[u8]),
    ) {
        let begin = self.bench.millis(self.bench.now);
        for packet in 0..packets {
            self.bench.until(begin + packet * 20 + 10);
            let hidden = self.hidden();
            self.bench.receive(from, &hidden);
            attack(&mut self.bench, &self.peer, &hidden);
        }
        self.bench.until(begin + packets * 20);
    }

    fn is_unharmed(&self) {
        let heard = self.bench.heard_millis();
        assert!((9_900..=10_100).contains(&heard), "{heard} ms");
        assert!(self.bench.loud_share(20) > 0.8, "{}", self.bench.loud_share(20));
        assert!(self.bench.sent.iter().all(|packet| packet.to.to_string() == PEER));
        assert_eq!(self.bench.port.quality().received, 500);
    }
}

#[test]
fn both_hear_each_other_by_every_suite() {
    for suite in Suite::ALL {
        let mut call = Call::new(&keys(1, suite));
        call.bench.play(1, 400);
        call.speak(500, PEER, |_, _, _| {});
        call.is_unharmed();
        // What was sent was opened by the peer's keys, and sounds as it should.
        assert_eq!(call.bench.sent.iter().filter(|packet| packet.is_voice()).count(), 20);
        assert!(call.bench.reports.len() > 1);
        assert_eq!(call.bench.port.quality().refused, 0);
    }
}

#[test]
fn replayed_tampered_and_plain_packets_disturb_nothing() {
    let mut call = Call::new(&keys(1, Suite::Aes128Sha80));
    let mut old = Vec::new();
    call.speak(500, PEER, |bench, peer, hidden| {
        old.push(hidden.to_vec());
        for (place, from) in [PEER, STRANGER].into_iter().enumerate() {
            bench.receive(from, hidden);
            bench.receive(from, &old[old.len() / 2]);
            let mut tampered = hidden.to_vec();
            tampered[20 + place] ^= 1;
            bench.receive(from, &tampered);
            let mut next = peer.clone();
            bench.receive(from, &next.loud());
            bench.receive(from, &[0x80; 40]);
        }
    });
    call.is_unharmed();
    assert_eq!(call.bench.port.quality().refused, 5_000);
}

#[test]
fn a_report_in_the_clear_says_nothing() {
    let mut call = Call::new(&keys(1, Suite::Gcm128));
    let ssrc = call.peer.ssrc;
    let bye = Compound { ssrc, sender: None, block: None, cname: "x", leaving: true }.write();
    call.speak(100, PEER, |bench, _, _| bench.receive_report("198.51.100.7:4001", &bye));
    assert_eq!(call.bench.port.quality().refused, 100);
    let mut hidden = bye;
    assert!(call.outward.hide(&mut hidden));
    call.bench.receive_report("198.51.100.7:4001", &hidden);
    assert_eq!(call.bench.port.quality().refused, 100);
}

#[test]
fn nothing_is_sent_to_who_only_came_first() {
    let mut call = Call::new(&keys(1, Suite::Aes128Sha80));
    for _ in 0..20 {
        let mut plain = Peer { ssrc: 5, ..Peer::new() };
        call.bench.receive(STRANGER, &plain.loud());
    }
    call.speak(500, PEER, |_, _, _| {});
    call.is_unharmed();
}

#[test]
fn who_has_the_key_is_answered_where_it_is() {
    let mut call = Call::new(&keys(1, Suite::Aes128Sha80));
    call.speak(50, MAPPED, |_, _, _| {});
    let last = call.bench.sent.last().expect("packets").to.to_string();
    assert_eq!(last, MAPPED);
    // Its network changes, and with it its address: after a pause it is followed.
    let pause = call.bench.millis(call.bench.now) + 500;
    call.bench.until(pause);
    call.speak(50, STRANGER, |_, _, _| {});
    assert_eq!(call.bench.sent.last().expect("packets").to.to_string(), STRANGER);
}

#[test]
fn a_new_key_in_mid_call_is_not_heard_as_a_gap() {
    let (one, two) = (keys(1, Suite::Aes128Sha80), keys(2, Suite::Gcm128));
    let mut call = Call::new(&one);
    call.speak(250, PEER, |_, _, _| {});
    let late = call.hidden();
    call.bench.order(Command::Update(Box::new(secured(&two))));
    call.bench.armour = Some(Armour::new(of_peer(two.clone())));
    // What was on its way under the old key still counts.
    call.bench.receive(PEER, &late);
    call.outward.rekey(of_peer(two));
    call.speak(249, PEER, |_, _, _| {});
    assert_eq!(call.bench.port.quality().received, 500);
    assert_eq!(call.bench.port.quality().refused, 0);
    assert!(call.bench.loud_share(20) > 0.8);
}

#[test]
fn a_leg_with_keys_and_a_leg_without_hear_each_other() {
    let mut call = Call::new(&keys(1, Suite::Gcm128));
    let mut plain = Bench::started(settings());
    let links = |port| Links::with(PortId(port));
    call.bench.order(Command::Connect(links(2)));
    plain.order(Command::Connect(links(1)));
    let mut other = Peer { ssrc: 99, ..Peer::new() };
    for packet in 0..100 {
        for bench in [&mut call.bench, &mut plain] {
            bench.until(packet * 20 + 10);
        }
        let hidden = call.hidden();
        call.bench.receive(PEER, &hidden);
        plain.receive(PEER, &other.loud());
        for (_, passage) in std::mem::take(&mut call.bench.passed) {
            plain.port.take(plain.now, PortId(1), &passage);
            plain.drain();
        }
        for (_, passage) in std::mem::take(&mut plain.passed) {
            call.bench.port.take(call.bench.now, PortId(2), &passage);
            call.bench.drain();
        }
    }
    for bench in [&call.bench, &plain] {
        let loud = bench.sent.iter().filter(|packet| packet.is_voice()).count();
        assert!(loud > 95, "{loud} of 100 packets");
    }
}

#[test]
fn reports_share_the_port_when_that_was_agreed() {
    for srtp in [None, Some(keys(1, Suite::Aes128Sha80))] {
        let mut bench = Bench::new(Settings { mux: true, srtp: srtp.clone(), ..settings() });
        bench.armour = srtp.clone().map(|keys| Armour::new(of_peer(keys)));
        let mut outward = srtp.map(|keys| Armour::new(of_peer(keys)));
        bench.order(Command::Start);
        let mut peer = Peer::new();
        let mut hide = |mut packet: Vec<u8>| {
            outward.as_mut().map(|armour| armour.hide(&mut packet));
            packet
        };
        for packet in 0..500 {
            bench.until(packet * 20 + 10);
            bench.receive(PEER, &hide(peer.loud()));
        }
        assert!(!bench.reports.is_empty());
        assert!(bench.reports.iter().all(|(to, _)| to.to_string() == PEER));
        let heard = rtcp::parse(&bench.reports[0].1, 0).expect("a report");
        let block = crate::rtp::stats::Block {
            ssrc: heard.ssrc,
            last_report: heard.report.expect("a sender report"),
            ..Default::default()
        };
        let ssrc = peer.ssrc;
        let report =
            Compound { ssrc, sender: None, block: Some(block), cname: "x", leaving: false };
        bench.receive(PEER, &hide(report.write()));
        let trip = bench.port.quality().round_trip.expect("a round trip");
        assert!(trip > Duration::ZERO);
        assert!(!bench.events.iter().any(|event| matches!(event, Event::Silent { .. })));
    }
}
