//! The way to a browser, around its port: which address is its own (ICE), and which keys (DTLS).
//! Both run on the media thread: a check of ICE costs microseconds, and a datagram of a handshake
//! is only taken from who has proven to know our password, a handful for each call.

use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use crate::base::webrtc::Pairing;
use crate::media::event::{Command, Flaw};
use crate::media::port::Port;
use crate::net::dtls::{self, Failure, Handshake, Identity, Said};
use crate::rtp::ice::{Lite, Proof};
use crate::rtp::stun;

pub mod entrance;

/// What a way is around.
pub struct Around<'a> {
    /// What speaks and hears.
    pub port: &'a mut Port,
    /// The socket of all browsers.
    pub socket: &'a UdpSocket,
}

/// The way to one browser.
#[derive(Debug)]
pub struct Web {
    pairing: Pairing,
    ice: Lite,
    handshake: Handshake,
    /// Where the last datagram of the handshake came from.
    speaker: Option<SocketAddr>,
    said: Vec<Said>,
}

impl Web {
    /// Waits for the browser of a pairing.
    pub fn new(pairing: Pairing, identity: &Identity, now: Instant) -> Self {
        Self {
            ice: Lite::new(&pairing.ours, &pairing.theirs),
            handshake: identity.awaiting(pairing.fingerprint, now),
            pairing,
            speaker: None,
            said: Vec::new(),
        }
    }

    /// Takes another agreement: names change when the browser begins ICE anew. Its certificate
    /// stays: what is proven is proven.
    pub fn agree(&mut self, pairing: &Pairing) {
        if self.pairing.ours != pairing.ours || self.pairing.theirs != pairing.theirs {
            self.ice.restart(&pairing.ours, &pairing.theirs);
            self.pairing = pairing.clone();
        }
    }

    /// Takes a datagram, told apart by its first octet (RFC 7983). Media and handshake are taken
    /// from addresses that ICE has proven, and from nowhere else (L3, T10). Tells when it proves
    /// one.
    pub fn handle(
        &mut self,
        now: Instant,
        (from, bytes): (SocketAddr, &[u8]),
        around: Around<'_>,
    ) -> Option<Proof> {
        if stun::is_stun(bytes) {
            let checked = self.ice.check(now, from, bytes)?;
            around.socket.send_to(&checked.answer, from).ok();
            if checked.moved {
                around.port.handle(now, Command::Lead(from));
            }
            return checked.proof;
        }
        if !self.ice.is_proven(from) {
            // A stranger.
        } else if dtls::is_dtls(bytes) {
            self.speaker = Some(from);
            self.handshake.handle(now, bytes, &mut self.said);
            self.settle(now, around);
        } else {
            around.port.handle_rtp(now, from, bytes);
        }
        None
    }

    /// By what name of ours it is asked for.
    pub fn name(&self) -> &str {
        self.pairing.ours.name()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant, around: Around<'_>) {
        self.handshake.tick(now, &mut self.said);
        self.settle(now, around);
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.handshake.deadline()
    }

    fn settle(&mut self, now: Instant, around: Around<'_>) {
        for said in self.said.drain(..) {
            match said {
                Said::Datagram(bytes) => {
                    if let Some(to) = self.ice.chosen().or(self.speaker) {
                        around.socket.send_to(&bytes, to).ok();
                    }
                }
                Said::Keys(keys) => around.port.handle(now, Command::Secure(keys)),
                Said::Failed(why) => {
                    tracing::warn!(%why, "a browser has not proven who it is");
                    let flaw = match why {
                        Failure::Certificate => Flaw::Certificate,
                        Failure::Protocol(_) => Flaw::Handshake,
                    };
                    around.port.handle(now, Command::GiveUp(flaw));
                }
            }
        }
    }
}
