//! Nonces for those who must prove themselves: made without keeping anything, checked by a keyed
//! hash over time and source (T2, RFC 7616 5.4). Only answers that were right leave a trace.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::digest::Authorization;
use crate::base::random::Random;

/// Makes and checks nonces.
#[derive(Debug)]
pub struct Nonces {
    secret: [u8; 32],
    random: Random,
    begin: Instant,
    lifetime: Duration,
    /// The highest count of each nonce that was answered rightly, and when the nonce was made.
    spent: HashMap<String, (u32, Duration)>,
}

/// What a nonce is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// We made it for this source, not long ago.
    Fresh,
    /// We made it for this source, too long ago: `stale=true`.
    Old,
    /// We did not make it, or for somebody else.
    Foreign,
}

impl Nonces {
    /// Makes nonces that live for `lifetime` from when each is made.
    pub fn new(mut random: Random, lifetime: Duration, now: Instant) -> Self {
        let mut secret = [0; 32];
        random.fill(&mut secret);
        Self { secret, random, begin: now, lifetime, spent: HashMap::new() }
    }

    /// Makes a nonce for a source: 8 octets of time, 12 of chance, 16 of proof, in hexadecimal.
    pub fn make(&mut self, now: Instant, source: IpAddr) -> String {
        let mut salt = [0; 12];
        self.random.fill(&mut salt);
        let time = self.age(now).as_millis() as u64;
        let proof = self.proof(time, &salt, source);
        let octets = time.to_be_bytes().into_iter().chain(salt).chain(proof);
        octets.map(|octet| format!("{octet:02x}")).collect()
    }

    /// Tells what a nonce is worth that came from `source`.
    pub fn worth(&self, now: Instant, nonce: &str, source: IpAddr) -> Worth {
        let Some((time, salt, proof)) = read(nonce) else { return Worth::Foreign };
        let is_ours: bool = self.proof(time, &salt, source).ct_eq(&proof).into();
        if !is_ours {
            return Worth::Foreign;
        }
        let age = self.age(now).saturating_sub(Duration::from_millis(time));
        if age <= self.lifetime { Worth::Fresh } else { Worth::Old }
    }

    /// Takes an answer that was right; false when its count is not higher than the one before:
    /// somebody repeats what he has heard. Without a count a nonce is good for one request.
    pub fn spend(&mut self, now: Instant, answer: &Authorization) -> bool {
        let Some((time, ..)) = read(&answer.nonce) else { return false };
        let number = answer.count.map_or(u32::MAX, |count| count.number);
        if let Some((highest, _)) = self.spent.get_mut(&answer.nonce) {
            let is_new = number > *highest;
            *highest = number.max(*highest);
            return is_new;
        }
        if self.spent.len() >= MOST_SPENT {
            let (age, lifetime) = (self.age(now), self.lifetime);
            self.spent.retain(|_, (_, made)| age.saturating_sub(*made) <= lifetime);
        }
        if self.spent.len() >= MOST_SPENT {
            return false;
        }
        self.spent.insert(answer.nonce.clone(), (number, Duration::from_millis(time)));
        true
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begin)
    }

    fn proof(&self, time: u64, salt: &[u8; 12], source: IpAddr) -> [u8; 16] {
        let source = match source.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        // Every part has its fixed length, and half of the hash is kept back: no extension.
        let hash = Sha256::new()
            .chain_update(self.secret)
            .chain_update(time.to_be_bytes())
            .chain_update(salt)
            .chain_update(source.octets())
            .finalize();
        let mut proof = [0; 16];
        proof.iter_mut().zip(hash).for_each(|(octet, hashed)| *octet = hashed);
        proof
    }
}

fn read(nonce: &str) -> Option<(u64, [u8; 12], [u8; 16])> {
    if nonce.len() != 72 || !nonce.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let octets = (0..36).map(|at| {
        let digits = nonce.get(at * 2..at * 2 + 2)?;
        u8::from_str_radix(digits, 16).ok()
    });
    let octets: Vec<u8> = octets.collect::<Option<_>>()?;
    let (time, rest) = octets.split_first_chunk::<8>()?;
    let (salt, rest) = rest.split_first_chunk::<12>()?;
    Some((u64::from_be_bytes(*time), *salt, *rest.first_chunk::<16>()?))
}

/// How many nonces are remembered that were answered rightly.
const MOST_SPENT: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn answer(nonce: &str, number: u32) -> Authorization {
        let text = format!(
            "Digest username=\"a\", realm=\"r\", nonce=\"{nonce}\", uri=\"sip:h\", \
             response=\"x\", qop=auth, nc={number:08x}, cnonce=\"c\""
        );
        Authorization::read(text.as_bytes()).expect("an answer")
    }

    #[test]
    fn a_nonce_is_fresh_for_its_source_and_its_time_only() {
        let now = Instant::now();
        let mut nonces = Nonces::new(Random::repeatable(1), MINUTE, now);
        let (here, there) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let nonce = nonces.make(now, here);
        assert_eq!(nonces.worth(now + MINUTE, &nonce, here), Worth::Fresh);
        assert_eq!(nonces.worth(now + MINUTE * 2, &nonce, here), Worth::Old);
        assert_eq!(nonces.worth(now, &nonce, there), Worth::Foreign);
        assert_eq!(nonces.worth(now, "", here), Worth::Foreign);
        let other = Nonces::new(Random::repeatable(2), MINUTE, now);
        assert_eq!(other.worth(now, &nonce, here), Worth::Foreign);
        assert_ne!(nonces.make(now, here), nonce);
        let mut forged = nonce.clone();
        forged.replace_range(0..16, "00000000000000ff");
        assert_eq!(nonces.worth(now, &forged, here), Worth::Foreign);
    }

    #[test]
    fn a_count_is_good_once_and_must_rise() {
        let now = Instant::now();
        let mut nonces = Nonces::new(Random::repeatable(1), MINUTE, now);
        let nonce = nonces.make(now, [192, 0, 2, 1].into());
        let spent: Vec<bool> =
            [1, 1, 2, 5, 4, 6].map(|number| nonces.spend(now, &answer(&nonce, number))).to_vec();
        assert_eq!(spent, [true, false, true, true, false, true]);
    }
}
