//! STUN as ICE has it (RFC 8489, RFC 8445 7): a binding request is read strictly and answered.
//! What is not proven by our password is nobody's.

use std::net::{IpAddr, SocketAddr};

use subtle::ConstantTimeEq;

use super::srtp::mac::Mac;

/// A binding request of the one who knows our password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What its answer repeats.
    transaction: [u8; 12],
    /// How dear its candidate is to the peer.
    pub priority: u32,
    /// Whether the peer chooses this pair.
    pub nominates: bool,
    /// Whether the peer thinks that it does not control the session, as we do not (RFC 8445
    /// 7.3.1.1).
    pub is_controlled: bool,
    /// The first attribute that had to be understood and is not.
    pub unknown: Option<u16>,
}

/// Whether a datagram is STUN, by its first octet (RFC 7983 7).
pub fn is_stun(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| *first <= 3)
}

/// Reads a binding request that was sent to `user` (`ours:theirs`) and is proven by `mac`. All
/// else gives nothing: it is not answered, and changes nothing.
pub fn read(bytes: &[u8], user: &str, mac: &Mac) -> Option<Request> {
    if bytes.len() > LONGEST {
        return None;
    }
    let (head, mut rest) = bytes.split_first_chunk::<HEAD>()?;
    let &[k0, k1, l0, l1, c0, c1, c2, c3, ..] = head;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let is_request = [k0, k1] == BINDING && [c0, c1, c2, c3] == COOKIE;
    if !is_request || length != rest.len() || length % 4 != 0 {
        return None;
    }
    let mut request = Request {
        transaction: *head.last_chunk()?,
        priority: 0,
        nominates: false,
        is_controlled: false,
        unknown: None,
    };
    let (mut is_ours, mut is_proven, mut is_whole) = (false, false, false);
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let (kind, value, behind) = attribute(rest)?;
        rest = behind;
        match kind {
            FINGERPRINT => {
                is_whole = rest.is_empty() && value == crc(bytes.get(..at)?).to_be_bytes();
                break;
            }
            // Behind the proof nothing counts but the fingerprint (RFC 8489 14.5).
            _ if is_proven => {}
            // Who does not know our name is not worth a digest.
            INTEGRITY if is_ours => is_proven = proof(bytes.get(..at)?, mac).ct_eq(value).into(),
            USERNAME => is_ours = value == user.as_bytes(),
            PRIORITY => request.priority = u32::from_be_bytes(value.try_into().ok()?),
            USE_CANDIDATE => request.nominates = true,
            CONTROLLED => request.is_controlled = true,
            kind if kind < OPTIONAL && kind != INTEGRITY => {
                request.unknown = request.unknown.or(Some(kind));
            }
            _ => {}
        }
    }
    (is_ours && is_proven && is_whole).then_some(request)
}

/// The name for which a datagram asks: ours, in front of that of who asks. Nothing is proven.
pub fn asked_for(bytes: &[u8]) -> Option<&str> {
    let (_, mut rest) = bytes.split_first_chunk::<HEAD>()?;
    while !rest.is_empty() {
        let (kind, value, behind) = attribute(rest)?;
        if kind == USERNAME {
            return std::str::from_utf8(value).ok()?.split(':').next();
        }
        rest = behind;
    }
    None
}

impl Request {
    /// Answers it: from there it came.
    pub fn success(&self, from: SocketAddr, mac: &Mac) -> Vec<u8> {
        let mut value = vec![0, if from.is_ipv4() { 1 } else { 2 }];
        value.extend(from.port().to_be_bytes().iter().zip(COOKIE).map(|(it, mask)| it ^ mask));
        let mask = COOKIE.iter().chain(&self.transaction);
        match from.ip() {
            IpAddr::V4(it) => {
                value.extend(it.octets().iter().zip(mask).map(|(it, mask)| it ^ mask))
            }
            IpAddr::V6(it) => {
                value.extend(it.octets().iter().zip(mask).map(|(it, mask)| it ^ mask))
            }
        }
        self.write(SUCCESS, &[(MAPPED, value)], mac)
    }

    /// Refuses it: with whom we would both obey (487), or for what we do not understand (420).
    pub fn refusal(&self, mac: &Mac) -> Vec<u8> {
        let error = |code: u16, reason: &str| {
            let mut value = vec![0, 0, (code / 100) as u8, (code % 100) as u8];
            value.extend_from_slice(reason.as_bytes());
            (ERROR, value)
        };
        match self.unknown {
            Some(kind) => {
                let named = (UNKNOWN, kind.to_be_bytes().to_vec());
                self.write(REFUSAL, &[error(420, "Unknown Attribute"), named], mac)
            }
            None => self.write(REFUSAL, &[error(487, "Role Conflict")], mac),
        }
    }

    fn write(&self, kind: [u8; 2], attributes: &[(u16, Vec<u8>)], mac: &Mac) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&kind);
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&COOKIE);
        bytes.extend_from_slice(&self.transaction);
        for (kind, value) in attributes {
            push(&mut bytes, *kind, value);
        }
        seal(bytes, mac)
    }
}

/// Appends the proof and the fingerprint, and sets the length.
fn seal(mut bytes: Vec<u8>, mac: &Mac) -> Vec<u8> {
    let proof = proof(&bytes, mac);
    push(&mut bytes, INTEGRITY, &proof);
    let length = lengthened(bytes.len(), 8);
    bytes[2..4].copy_from_slice(&length);
    let fingerprint = crc(&bytes).to_be_bytes();
    push(&mut bytes, FINGERPRINT, &fingerprint);
    bytes
}

fn push(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// What proves a message that ends before its proof: its length is that with the proof (RFC 8489
/// 14.5).
fn proof(before: &[u8], mac: &Mac) -> [u8; 20] {
    let mut told = before.to_vec();
    if let Some(length) = told.get_mut(2..4) {
        length.copy_from_slice(&lengthened(before.len(), 24));
    }
    // A message is never shorter than its head.
    let Some((message, behind)) = told.split_last_chunk::<4>() else { return [0; 20] };
    mac.tag(message, *behind)
}

/// The length of a message so far, with so many octets to come.
fn lengthened(so_far: usize, more: usize) -> [u8; 2] {
    ((so_far + more).saturating_sub(HEAD) as u16).to_be_bytes()
}

/// The first attribute: its kind, its value, and what follows on it.
fn attribute(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&[k0, k1, l0, l1], rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let value = rest.get(..length)?;
    Some((u16::from_be_bytes([k0, k1]), value, rest.get(length.next_multiple_of(4)..)?))
}

/// The fingerprint (RFC 8489 14.7): CRC-32 of what stands before it.
fn crc(bytes: &[u8]) -> u32 {
    let step = |state: u32, octet: &u8| {
        (0..8).fold(state ^ u32::from(*octet), |state, _| {
            (state >> 1) ^ if state & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    };
    !bytes.iter().fold(u32::MAX, step) ^ 0x5354_554e
}

/// A check of a browser has 100 to 150 octets, and may carry something that we do not know.
const LONGEST: usize = 2_048;
const HEAD: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

const BINDING: [u8; 2] = [0x00, 0x01];
const SUCCESS: [u8; 2] = [0x01, 0x01];
const REFUSAL: [u8; 2] = [0x01, 0x11];

const USERNAME: u16 = 0x0006;
const INTEGRITY: u16 = 0x0008;
const ERROR: u16 = 0x0009;
const UNKNOWN: u16 = 0x000a;
const MAPPED: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const CONTROLLED: u16 = 0x8029;

/// From here on attributes need not be understood.
const OPTIONAL: u16 = 0x8000;

/// A check of somebody whose password is not ours, for tests.
#[cfg(test)]
pub fn stranger(user: &str) -> Vec<u8> {
    check(user, &[], &Mac::new(b"another"))
}

/// A check of a peer, for tests.
#[cfg(test)]
pub fn check(user: &str, attributes: &[(u16, Vec<u8>)], mac: &Mac) -> Vec<u8> {
    let request = Request {
        transaction: *b"transactions",
        priority: 0,
        nominates: false,
        is_controlled: false,
        unknown: None,
    };
    let head = [(USERNAME, user.as_bytes().to_vec())];
    let attributes: Vec<_> = head.into_iter().chain(attributes.iter().cloned()).collect();
    request.write(BINDING, &attributes, mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 5769 2.1: a request with its proof, as others compute it.
    const SAMPLE: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c\
        69656e74002400046e0001ff80290008932ff9b151263b36000600096576746a3a683676592020200008001\
        49aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";

    fn sample() -> Vec<u8> {
        let digits: Vec<u8> = SAMPLE.bytes().filter(u8::is_ascii_hexdigit).collect();
        let octet = |pair: &[u8]| {
            u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("digits")
        };
        digits.chunks(2).map(octet).collect()
    }

    fn mac() -> Mac {
        Mac::new(b"VOkJxbRl1RmTxUk/WvJxBt")
    }

    #[test]
    fn the_request_of_the_standard_is_proven() {
        let request = read(&sample(), "evtj:h6vY", &mac()).expect("it is good");
        assert_eq!((request.priority, request.is_controlled), (0x6e00_01ff, true));
        assert!(!request.nominates);
        assert_eq!(read(&sample(), "evtj:h6vZ", &mac()), None);
        assert_eq!(read(&sample(), "evtj:h6vY", &Mac::new(b"another password of its")), None);
    }

    #[test]
    fn an_answer_is_what_the_standard_writes() {
        // RFC 5769 2.2 has another software name in front; the address is the same.
        let request = read(&sample(), "evtj:h6vY", &mac()).expect("it is good");
        let from = "192.0.2.1:32853".parse().expect("an address");
        let answer = request.success(from, &mac());
        let mapped = [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        assert_eq!(answer[20..32], mapped);
        assert_eq!(answer[..2], SUCCESS);
        assert_eq!(usize::from(u16::from_be_bytes([answer[2], answer[3]])), answer.len() - 20);
        let six = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().expect("an address");
        let expected = [0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79];
        assert_eq!(request.success(six, &mac())[28..36], expected);
    }

    #[test]
    fn what_must_be_understood_and_is_not_is_said() {
        let odd = check("a:b", &[(0x7777, vec![1, 2, 3])], &mac());
        let request = read(&odd, "a:b", &mac()).expect("it is proven");
        assert_eq!(request.unknown, Some(0x7777));
        let refusal = request.refusal(&mac());
        assert_eq!(
            (refusal[..2].to_vec(), &refusal[24..28]),
            (REFUSAL.to_vec(), &[0, 0, 4, 20][..])
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn whatever_is_changed_is_nobodys(at in 0_usize..108, change in 1_u8..) {
            let mut bytes = sample();
            bytes[at] ^= change;
            prop_assert_eq!(read(&bytes, "evtj:h6vY", &mac()), None);
        }

        #[test]
        fn noise_is_no_request(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(read(&bytes, "evtj:h6vY", &mac()), None);
        }

        #[test]
        fn checks_are_read_as_they_were_written(priority: u32, nominates: bool, user in "[a-z]{4,40}:[a-z]{4,40}") {
            let mut said = vec![(PRIORITY, priority.to_be_bytes().to_vec())];
            said.extend(nominates.then(|| (USE_CANDIDATE, Vec::new())));
            let request = read(&check(&user, &said, &mac()), &user, &mac()).expect("it is proven");
            prop_assert_eq!((request.priority, request.nominates), (priority, nominates));
        }
    }
}
