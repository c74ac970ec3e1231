//! Chance, passed in: a generator that the shell seeds from the operating system and a test from a
//! number.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A cryptographically strong generator (ChaCha12). Who holds the seed knows the future, so the
/// shell seeds it from the operating system.
#[derive(Debug)]
pub struct Random(StdRng);

impl Random {
    /// Makes a generator from 32 octets of entropy.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(StdRng::from_seed(seed))
    }

    /// Makes a repeatable generator for tests and simulations.
    pub fn repeatable(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Splits off a generator for a child that must not share the parent's stream.
    pub fn split(&mut self) -> Self {
        let mut seed = [0; 32];
        self.fill(&mut seed);
        Self::from_seed(seed)
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// Draws 32 bits.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Draws 64 bits.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws 16 bits.
    pub fn u16(&mut self) -> u16 {
        (self.u32() >> 16) as u16
    }

    /// Draws a number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.u32()) * u64::from(bound)) >> 32) as u32
    }

    /// Draws a number in 0.0..1.0.
    pub fn unit(&mut self) -> f64 {
        f64::from(self.u32()) / (f64::from(u32::MAX) + 1.0)
    }

    /// Draws `length` characters of lower-case base 32 (five bits each): tags, branches, Call-IDs.
    pub fn token(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        (0..length).map(|_| char::from(ALPHABET[(self.u32() >> 27) as usize])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let (mut one, mut two) = (Random::repeatable(7), Random::repeatable(7));
        assert_eq!(one.token(24), two.token(24));
        assert_ne!(one.token(24), one.token(24));
        assert!((0..1000).all(|_| two.below(10) < 10));
    }
}
