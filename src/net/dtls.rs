//! DTLS as browsers have it (RFC 5763, RFC 5764): a certificate of our own that a session
//! description names, and handshakes whose only purpose are the keys of SRTP. No socket is held
//! here: datagrams go in and out by hand.

mod provider;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};
use sha2::{Digest, Sha256};

use crate::base::master_key::{Keys, Master, Suite};
use crate::base::webrtc::Fingerprint;

/// Who we are to browsers: a certificate that is made once, for as long as the server runs.
pub struct Identity {
    certificate: DtlsCertificate,
    config: Arc<Config>,
    fingerprint: Fingerprint,
}

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("no certificate for browsers could be made: {0}")]
pub struct NoIdentity(String);

/// One handshake, from the hello of a browser to its keys.
pub struct Handshake {
    dtls: Option<Dtls>,
    /// The certificate that the peer must show.
    expected: Fingerprint,
    is_proven: bool,
    /// Whether the keys were given: nothing that comes later ends the call, not even what bears the
    /// address of the peer.
    is_done: bool,
    due: Option<Instant>,
    room: Vec<u8>,
}

/// What a handshake has to say.
#[derive(Debug)]
pub enum Said {
    /// To be sent to the peer.
    Datagram(Vec<u8>),
    /// It is done: these are the keys.
    Keys(Box<Keys>),
    /// It failed for good.
    Failed(Failure),
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Another certificate was shown than the session description names.
    #[error("another certificate was shown than the session description names")]
    Certificate,
    /// The rules were broken.
    #[error("{0}")]
    Protocol(String),
}

impl Identity {
    /// Makes a key and a certificate.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn new() -> Result<Self, NoIdentity> {
        let wrong = |why: &dyn fmt::Display| NoIdentity(why.to_string());
        let key = rcgen::KeyPair::generate().map_err(|why| wrong(&why))?;
        let mut terms = rcgen::CertificateParams::default();
        terms.distinguished_name = rcgen::DistinguishedName::new();
        terms.distinguished_name.push(rcgen::DnType::CommonName, "voxtrunk");
        let certificate = terms.self_signed(&key).map_err(|why| wrong(&why))?.der().to_vec();
        let config = Config::builder()
            .with_crypto_provider(provider::provider())
            .flight_start_rto(FIRST_WAIT)
            .handshake_timeout(LONGEST)
            .build();
        Ok(Self {
            fingerprint: fingerprint(&certificate),
            certificate: DtlsCertificate { certificate, private_key: key.serialize_der() },
            config: Arc::new(config.map_err(|why| wrong(&why))?),
        })
    }

    /// What session descriptions say of it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Waits for a peer that shows this certificate.
    pub fn awaiting(&self, expected: Fingerprint, now: Instant) -> Handshake {
        let dtls = Dtls::new_12(self.config.clone(), self.certificate.clone(), now);
        let room = vec![0; ROOM];
        Handshake { dtls: Some(dtls), expected, is_proven: false, is_done: false, due: None, room }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

impl Handshake {
    /// Takes a datagram of the peer.
    pub fn handle(&mut self, now: Instant, datagram: &[u8], out: &mut Vec<Said>) {
        let Some(dtls) = &mut self.dtls else { return };
        let taken = dtls.handle_timeout(now).and_then(|()| dtls.handle_packet(datagram));
        self.settle(now, taken, out);
    }

    /// Does what is due: says again what got lost, or gives up.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Said>) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let Some(dtls) = &mut self.dtls else { return };
        let taken = dtls.handle_timeout(now);
        self.settle(now, taken, out);
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    fn settle(&mut self, now: Instant, taken: Result<(), dimpl::Error>, out: &mut Vec<Said>) {
        if let Err(why) = taken {
            return self.fail(Failure::Protocol(format!("{why:?}")), out);
        }
        let Some(mut dtls) = self.dtls.take() else { return };
        let mut failure = None;
        loop {
            match dtls.poll_output(&mut self.room) {
                Output::Packet(bytes) => out.push(Said::Datagram(bytes.to_vec())),
                Output::BufferTooSmall { needed } => self.room.resize(needed.max(ROOM), 0),
                Output::Timeout(at) => {
                    // Whatever it says, the thread is not to spin.
                    self.due = Some(at.max(now + SHORTEST_WAIT));
                    break;
                }
                Output::PeerCert(der) if fingerprint(der) == self.expected => {
                    self.is_proven = true;
                }
                Output::PeerCert(_) => failure = Some(Failure::Certificate),
                Output::KeyingMaterial(octets, profile) if self.is_proven => {
                    match keys(&octets, profile) {
                        Some(_) if self.is_done => {}
                        Some(keys) => {
                            self.is_done = true;
                            out.push(Said::Keys(Box::new(keys)));
                        }
                        None => failure = Some(Failure::Protocol("no suite in common".into())),
                    }
                }
                Output::KeyingMaterial(..) => failure = Some(Failure::Certificate),
                _ => {}
            }
        }
        self.dtls = Some(dtls);
        if let Some(failure) = failure {
            self.fail(failure, out);
        }
    }

    /// Ends it; what it would have said is not sent. Once the keys are given, nobody is told.
    fn fail(&mut self, failure: Failure, out: &mut Vec<Said>) {
        (self.dtls, self.due) = (None, None);
        if self.is_done {
            return;
        }
        out.retain(|said| !matches!(said, Said::Keys(_)));
        out.push(Said::Failed(failure));
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("is_proven", &self.is_proven).finish_non_exhaustive()
    }
}

/// Whether a datagram is DTLS, by its first octet (RFC 7983 7).
pub fn is_dtls(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| (20..=63).contains(first))
}

fn fingerprint(der: &[u8]) -> Fingerprint {
    Fingerprint(Sha256::digest(der).into())
}

/// The keys in what was exported: those of the peer, who began, then ours; first both keys, then
/// both salts (RFC 5764 4.2).
fn keys(octets: &[u8], profile: SrtpProfile) -> Option<Keys> {
    let suite = match profile {
        SrtpProfile::AEAD_AES_128_GCM => Suite::Gcm128,
        SrtpProfile::AEAD_AES_256_GCM => Suite::Gcm256,
        SrtpProfile::AES128_CM_SHA1_80 => Suite::Aes128Sha80,
        _ => return None,
    };
    let (key, salt) = (suite.key_length(), suite.salt_length());
    let master = |nth: usize| {
        let (key_at, salt_at) = (nth * key, 2 * key + nth * salt);
        let (key, salt) = (octets.get(key_at..key_at + key)?, octets.get(salt_at..salt_at + salt)?);
        Master::new(suite, &[key, salt].concat())
    };
    Some(Keys { theirs: master(0)?, ours: master(1)? })
}

/// A flight has a few datagrams of at most the usual MTU.
const ROOM: usize = 2_048;

/// Lost datagrams are said again after this time, and then ever later (RFC 6347 4.2.4.1 allows
/// less than its second where media waits).
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// No timer is finer.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// Who is not done by then never is.
const LONGEST: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    /// What both sides come to, the browser being `Dtls` with a certificate of its own.
    fn shake(expected: impl Fn(Fingerprint) -> Fingerprint, lose: usize) -> Vec<Said> {
        let (server, browser) = (Identity::new().expect("ours"), Identity::new().expect("theirs"));
        let mut now = Instant::now();
        let mut here = server.awaiting(expected(browser.fingerprint()), now);
        let mut there = Dtls::new_12(browser.config.clone(), browser.certificate.clone(), now);
        there.set_active(true);
        let (mut said, mut room, mut sent) = (Vec::new(), vec![0; ROOM], 0);
        for _ in 0..200 {
            there.handle_timeout(now).expect("it lives");
            let mut datagrams = Vec::new();
            let mut keys = None;
            loop {
                match there.poll_output(&mut room) {
                    Output::Packet(bytes) => datagrams.push(bytes.to_vec()),
                    Output::KeyingMaterial(octets, profile) => keys = super::keys(&octets, profile),
                    Output::Timeout(_) => break,
                    _ => {}
                }
            }
            said.extend(keys.map(|keys| Said::Keys(Box::new(keys))));
            let mut out = Vec::new();
            for datagram in datagrams {
                sent += 1;
                if sent != lose {
                    here.handle(now, &datagram, &mut out);
                }
            }
            here.tick(now, &mut out);
            for one in out {
                match one {
                    Said::Datagram(bytes) => {
                        sent += 1;
                        if sent != lose {
                            there.handle_packet(&bytes).ok();
                        }
                    }
                    other => said.push(other),
                }
            }
            now += Duration::from_millis(50);
        }
        said
    }

    #[test]
    fn both_come_to_the_same_keys_even_when_something_is_lost() {
        for lose in 0..8 {
            let said = shake(|it| it, lose);
            let keys: Vec<_> = said
                .iter()
                .filter_map(|it| if let Said::Keys(keys) = it { Some(keys) } else { None })
                .collect();
            let [one, two] = keys.as_slice() else { panic!("{said:?}") };
            // Each has named its own by the role of the one who waits.
            assert_eq!(one, two);
            assert_eq!(one.ours.suite(), Suite::Gcm256);
        }
    }

    #[test]
    fn another_certificate_gives_no_keys() {
        let said = shake(|_| Fingerprint([1; 32]), 0);
        let ours: Vec<_> = said
            .iter()
            .filter_map(|it| if let Said::Failed(why) = it { Some(why) } else { None })
            .collect();
        assert_eq!(ours, [&Failure::Certificate]);
        let keys = said.iter().filter(|it| matches!(it, Said::Keys(_))).count();
        assert!(keys <= 1, "only the peer may believe that it is done");
    }

    #[test]
    fn noise_disturbs_nothing() {
        let server = Identity::new().expect("ours");
        let now = Instant::now();
        let mut here = server.awaiting(server.fingerprint(), now);
        let mut out = Vec::new();
        for length in 0..200_usize {
            let noise: Vec<u8> = (0..length).map(|at| (at * 31 + length) as u8).collect();
            for first in [20, 21, 22, 23, 63] {
                let noise: Vec<u8> = [&[first, 254, 253][..], &noise].concat();
                here.handle(now, &noise, &mut out);
            }
        }
        assert!(out.iter().all(|it| !matches!(it, Said::Keys(_))), "{out:?}");
    }
}
