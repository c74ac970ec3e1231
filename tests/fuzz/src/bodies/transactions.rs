//! Transactions: any order of what peers, users and time do.

use std::time::{Duration, Instant};

use bytes::Bytes;
use voxtrunk::sip::event::Flow;
use voxtrunk::sip::transaction::key::Key;
use voxtrunk::sip::transaction::layer::{Datagram, Fired, Heard, Layer, TransactionId};
use voxtrunk::sip::transaction::timers::Timers;

/// Three octets are one step. At the end every user answers or lets go, time runs out, and nothing
/// is left.
pub fn transaction_fsm(octets: &[u8]) {
    let mut world = World::new();
    for step in octets.chunks_exact(3).take(MOST_STEPS) {
        world.live(step[0], step[1], step[2]);
    }
    world.close();
}

const MOST_STEPS: usize = 400;
const METHODS: [&str; 4] = ["INVITE", "BYE", "ACK", "CANCEL"];

struct World {
    layer: Layer<u8>,
    now: Instant,
    known: Vec<TransactionId>,
}

impl World {
    fn new() -> Self {
        Self { layer: Layer::new(Timers::default()), now: Instant::now(), known: Vec::new() }
    }

    fn live(&mut self, what: u8, which: u8, how: u8) {
        let (now, flow) = (self.now, flow(how % 3));
        let client = Key::client(branch(which), METHODS[usize::from(how % 2)]);
        let server = Key::server(branch(which), "peer", METHODS[usize::from(how % 4)]);
        let sent = Datagram { flow, bytes: Bytes::from_static(b"request") };
        let picked = self.known.get(usize::from(which) % self.known.len().max(1)).copied();
        match what % 10 {
            0 if self.layer.find(&client).is_none() => {
                let id = match how % 2 {
                    0 => self.layer.invite(client, &sent, how, now),
                    _ => self.layer.request(client, &sent, how, now),
                };
                self.known.push(id);
            }
            1 if self.layer.find(&server).is_none() && how % 4 != 2 => {
                let id = match how % 4 {
                    0 => self.layer.serve_invite(server, flow, how),
                    _ => self.layer.serve(server, flow, how, now),
                };
                self.known.push(id);
            }
            2 | 3 => {
                let status = 100 + u16::from(how) * 2;
                if let Heard::Acknowledge(id) = self.layer.hear(&client, flow, status, now) {
                    self.layer.acknowledged(id, Bytes::from_static(b"ack"));
                }
            }
            4 => drop(self.layer.ask(&server, flow)),
            5 => drop(self.layer.acknowledge(&server, flow, now)),
            6 => {
                let Some(id) = picked else { return };
                let answer = Bytes::from_static(b"answer");
                self.layer.respond(id, 100 + u16::from(how) * 2, answer, now);
            }
            7 => self.wait(Duration::from_millis(u64::from(which) * u64::from(how))),
            8 if how.is_multiple_of(8) => drop(picked.and_then(|id| self.layer.forget(id))),
            9 => {
                let Some(id) = picked else { return };
                let _ = (self.layer.message(id), self.layer.is_open(id), self.layer.flow(id));
                let _ = self.layer.user(id);
                let _ = (self.layer.is_proceeding(id), self.layer.is_ours_and_open(id));
            }
            _ => {}
        }
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.layer.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            while let Some(fired) = self.layer.tick(self.now) {
                if let Fired::Resend(datagram) = fired {
                    assert!(!datagram.bytes.is_empty(), "nothing is repeated that was not said");
                }
            }
            assert!(self.layer.deadline().is_none_or(|due| due > self.now), "a past deadline");
        }
        self.now = until;
    }

    fn close(mut self) {
        for id in std::mem::take(&mut self.known) {
            self.layer.respond(id, 500, Bytes::from_static(b"500"), self.now);
            if self.layer.is_ours_and_open(id) {
                self.layer.forget(id);
            }
        }
        self.wait(Duration::from_secs(400));
        assert!(self.layer.is_empty(), "{} transactions are left", self.layer.len());
    }
}

fn branch(which: u8) -> &'static str {
    ["z9hG4bKa", "z9hG4bKb", "z9hG4bKc", "z9hG4bKd"][usize::from(which % 4)]
}

fn flow(peer: u8) -> Flow {
    Flow::udp(([192, 0, 2, 2], 5_060).into(), ([192, 0, 2, 10 + peer], 5_060).into())
}
