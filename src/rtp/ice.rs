//! ICE-lite (RFC 8445 2.5): we stand where everybody can reach us, so the peer finds the way and
//! we only answer. Media and DTLS are for the addresses that proved to know our password; that
//! which the peer chose is where we send.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::srtp::mac::Mac;
use super::stun;
use crate::base::webrtc::Credentials;

/// Our end of the way.
pub struct Lite {
    /// Whom a check names: `ours:theirs`.
    user: String,
    mac: Mac,
    /// The addresses that are proven; the one proven last stands last.
    proven: Vec<SocketAddr>,
    chosen: Option<Chosen>,
}

/// The way that the peer chose.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    to: SocketAddr,
    priority: u32,
    /// When it was chosen again last.
    at: Instant,
}

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Goes back to where it came from.
    pub answer: Vec<u8>,
    /// Whether the way is another one now.
    pub moved: bool,
    /// The address is proven, unless the check was refused.
    pub proof: Option<Proof>,
}

/// An address is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// One that was proven so long ago that it is forgotten.
    pub forgotten: Option<SocketAddr>,
}

impl Lite {
    /// Waits for the checks of a peer.
    pub fn new(ours: &Credentials, theirs: &Credentials) -> Self {
        Self {
            user: user(ours, theirs),
            mac: Mac::new(ours.password().as_bytes()),
            proven: Vec::with_capacity(MOST),
            chosen: None,
        }
    }

    /// The peer begins anew (RFC 8445 9): the old way stays until it chooses another.
    pub fn restart(&mut self, ours: &Credentials, theirs: &Credentials) {
        self.user = user(ours, theirs);
        self.mac = Mac::new(ours.password().as_bytes());
    }

    /// Takes a datagram that is STUN. `None`: it is nobody's, and changed nothing.
    pub fn check(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> Option<Checked> {
        let request = stun::read(bytes, &self.user, &self.mac)?;
        if request.unknown.is_some() || request.is_controlled {
            return Some(Checked { answer: request.refusal(&self.mac), moved: false, proof: None });
        }
        self.proven.retain(|known| *known != from);
        let forgotten = (self.proven.len() == MOST).then(|| {
            // The one chosen stays, however long ago it was proven.
            let oldest = self.proven.iter().position(|known| Some(*known) != self.chosen());
            self.proven.remove(oldest.unwrap_or_default())
        });
        self.proven.push(from);
        let moved = request.nominates && self.choose(now, from, request.priority);
        let (answer, proof) = (request.success(from, &self.mac), Some(Proof { forgotten }));
        Some(Checked { answer, moved, proof })
    }

    /// Whether the peer proved to be at this address.
    pub fn is_proven(&self, from: SocketAddr) -> bool {
        self.proven.contains(&from)
    }

    /// Where the peer wants to be reached.
    pub fn chosen(&self) -> Option<SocketAddr> {
        self.chosen.map(|chosen| chosen.to)
    }

    /// Chooses an address; tells whether it is another one. Of several that are chosen at once,
    /// as some peers do, the dearest counts; one that is no longer chosen gives way to any.
    fn choose(&mut self, now: Instant, to: SocketAddr, priority: u32) -> bool {
        let before = self.chosen;
        let gives_way = before.is_none_or(|before| {
            before.to == to
                || priority > before.priority
                || now.saturating_duration_since(before.at) >= STALE
        });
        if gives_way {
            self.chosen = Some(Chosen { to, priority, at: now });
        }
        gives_way && before.is_none_or(|before| before.to != to)
    }
}

impl fmt::Debug for Lite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lite").field("chosen", &self.chosen).finish_non_exhaustive()
    }
}

fn user(ours: &Credentials, theirs: &Credentials) -> String {
    format!("{}:{}", ours.name(), theirs.name())
}

/// So many addresses of a peer are known: those of its networks, each behind a NAT or not.
const MOST: usize = 16;

/// A way that was not chosen again for so long gives way to one that is less dear.
const STALE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use proptest::prelude::*;

    const PRIORITY: u16 = 0x0024;
    const USE_CANDIDATE: u16 = 0x0025;
    const CONTROLLED: u16 = 0x8029;

    struct Bench {
        lite: Lite,
        ours: Credentials,
        theirs: Credentials,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let mut random = Random::repeatable(7);
            let (ours, theirs) =
                (Credentials::random(&mut random), Credentials::random(&mut random));
            Self { lite: Lite::new(&ours, &theirs), ours, theirs, now: Instant::now() }
        }

        fn check(&self, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
            let mac = Mac::new(self.ours.password().as_bytes());
            stun::check(&user(&self.ours, &self.theirs), attributes, &mac)
        }

        fn take(&mut self, from: &str, bytes: &[u8]) -> Option<Checked> {
            self.lite.check(self.now, from.parse().expect("an address"), bytes)
        }

        /// A check that chooses the way, with a priority.
        fn choose(&mut self, from: &str, priority: u32) -> bool {
            let priority = (PRIORITY, priority.to_be_bytes().to_vec());
            let check = self.check(&[priority, (USE_CANDIDATE, Vec::new())]);
            self.take(from, &check).expect("it is proven").moved
        }

        fn chosen(&self) -> Option<String> {
            self.lite.chosen().map(|to| to.to_string())
        }
    }

    const ONE: &str = "192.0.2.1:4000";
    const TWO: &str = "198.51.100.2:5000";

    #[test]
    fn who_knows_the_password_is_answered_and_may_speak() {
        let mut bench = Bench::new();
        let plain = bench.check(&[]);
        assert!(!bench.lite.is_proven(ONE.parse().expect("an address")));
        assert!(!bench.take(ONE, &plain).expect("it is proven").moved);
        assert!(bench.lite.is_proven(ONE.parse().expect("an address")));
        assert_eq!(bench.chosen(), None);
        assert!(bench.choose(ONE, 10) && !bench.choose(ONE, 10));
        assert_eq!(bench.chosen().as_deref(), Some(ONE));
    }

    #[test]
    fn strangers_are_not_answered_and_change_nothing() {
        let mut bench = Bench::new();
        bench.choose(ONE, 10);
        let user = user(&bench.ours, &bench.theirs);
        let wrong = Mac::new(b"a guess of somebody else");
        let chooses = [(USE_CANDIDATE, Vec::new())];
        assert_eq!(bench.take(TWO, &stun::check(&user, &chooses, &wrong)), None);
        let mac = Mac::new(bench.ours.password().as_bytes());
        assert_eq!(bench.take(TWO, &stun::check("a:b", &chooses, &mac)), None);
        assert_eq!(bench.chosen().as_deref(), Some(ONE));
        assert!(!bench.lite.is_proven(TWO.parse().expect("an address")));
    }

    #[test]
    fn the_peer_takes_the_way_with_it() {
        let mut bench = Bench::new();
        bench.choose(ONE, 10);
        assert!(bench.choose(TWO, 20), "a dearer way is taken at once");
        assert!(!bench.choose(ONE, 10), "one that is less dear is not");
        bench.now += STALE;
        assert!(bench.choose(ONE, 10), "but when the dear one is not chosen any more");
        assert_eq!(bench.chosen().as_deref(), Some(ONE));
    }

    #[test]
    fn who_wants_to_obey_as_we_do_is_refused() {
        let mut bench = Bench::new();
        let obeys = bench.check(&[(CONTROLLED, vec![0; 8]), (USE_CANDIDATE, Vec::new())]);
        let answer = bench.take(ONE, &obeys).expect("it is proven").answer;
        assert_eq!((answer[..2].to_vec(), &answer[24..28]), (vec![1, 0x11], &[0, 0, 4, 87][..]));
        assert_eq!(bench.chosen(), None);
    }

    #[test]
    fn after_a_restart_the_old_way_stays_until_another_is_chosen() {
        let mut bench = Bench::new();
        bench.choose(ONE, 10);
        let old = bench.check(&[]);
        let mut random = Random::repeatable(8);
        bench.ours = Credentials::random(&mut random);
        bench.lite.restart(&bench.ours, &bench.theirs);
        assert_eq!(bench.take(ONE, &old), None);
        assert_eq!(bench.chosen().as_deref(), Some(ONE));
        assert!(bench.choose(TWO, 20));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn however_many_addresses_there_are_the_chosen_one_is_known(
            checks in prop::collection::vec((1_u16..60, any::<bool>(), 0_u64..2_000), 1..100),
        ) {
            let mut bench = Bench::new();
            for (port, chooses, later) in checks {
                bench.now += Duration::from_millis(later);
                let from = format!("192.0.2.7:{port}");
                if chooses {
                    bench.choose(&from, u32::from(port));
                } else {
                    let check = bench.check(&[]);
                    bench.take(&from, &check);
                }
                prop_assert!(bench.lite.proven.len() <= MOST);
                prop_assert!(bench.lite.chosen().is_none_or(|to| bench.lite.is_proven(to)));
            }
        }
    }
}
