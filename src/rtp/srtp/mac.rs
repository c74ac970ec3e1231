//! HMAC-SHA1 (RFC 2104) over a packet and four octets behind it. The state after the key is kept,
//! so that a packet costs its own blocks and one more; it is wiped when it is dropped.

use sha1::digest::generic_array::GenericArray;
use zeroize::Zeroizing;

/// A key, digested.
pub struct Mac {
    inner: Zeroizing<[u32; 5]>,
    outer: Zeroizing<[u32; 5]>,
}

impl Mac {
    /// Takes a key of at most 64 octets.
    pub fn new(key: &[u8]) -> Self {
        let begin = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK]);
            for (octet, key) in block.iter_mut().zip(key) {
                *octet ^= key;
            }
            let mut state = Zeroizing::new(START);
            compress(&mut state, &block);
            state
        };
        Self { inner: begin(0x36), outer: begin(0x5c) }
    }

    /// The tag of `packet` with `behind` behind it.
    pub fn tag(&self, packet: &[u8], behind: [u8; 4]) -> [u8; 20] {
        let inner = finish(*self.inner, packet, &behind);
        finish(*self.outer, &[], &inner)
    }
}

/// Digests what follows on the first block: `bytes`, then at most 20 octets of `behind`.
fn finish(mut state: [u32; 5], bytes: &[u8], behind: &[u8]) -> [u8; 20] {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for block in blocks {
        compress(&mut state, block);
    }
    let mut tail = [0; 2 * BLOCK];
    let end = rest.len() + behind.len();
    for (octet, from) in tail.iter_mut().zip(rest.iter().chain(behind).chain(&[0x80])) {
        *octet = *from;
    }
    // The mark and the length want nine octets more.
    let length = if end + 9 > BLOCK { 2 * BLOCK } else { BLOCK };
    let bits = ((BLOCK + bytes.len() + behind.len()) as u64) * 8;
    tail[length - 8..length].copy_from_slice(&bits.to_be_bytes());
    let (blocks, _) = tail[..length].as_chunks::<BLOCK>();
    for block in blocks {
        compress(&mut state, block);
    }
    let mut digest = [0; 20];
    for (octets, word) in digest.chunks_exact_mut(4).zip(state) {
        octets.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

fn compress(state: &mut [u32; 5], block: &[u8; BLOCK]) {
    sha1::compress(state, std::slice::from_ref(GenericArray::from_slice(block)));
}

const BLOCK: usize = 64;

/// Where SHA-1 begins (FIPS 180-4 5.3.1).
const START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::srtp::tests::octets;

    #[test]
    fn the_vectors_of_rfc_2202_are_met() {
        let split = |text: &'static [u8]| {
            let (packet, behind) = text.split_last_chunk::<4>().expect("four octets");
            (packet, *behind)
        };
        let (packet, behind) = split(b"Hi There");
        let tag = Mac::new(&[0x0b; 20]).tag(packet, behind);
        assert_eq!(tag[..], octets("b617318655057264e28bc0b6fb378c8ef146be00"));
        let (packet, behind) = split(b"what do ya want for nothing?");
        let tag = Mac::new(b"Jefe").tag(packet, behind);
        assert_eq!(tag[..], octets("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
        let tag = Mac::new(&[0xaa; 20]).tag(&[0xdd; 46], [0xdd; 4]);
        assert_eq!(tag[..], octets("125d7342b9ac11cd91a39af48aa17b4f63f175d3"));
    }

    #[test]
    fn every_length_is_padded_as_the_digest_wants_it() {
        use sha1::{Digest, Sha1};
        for length in 0..200 {
            let packet = vec![0x5a; length];
            let pad = |octet: u8| [octet ^ 7; BLOCK];
            let inner = Sha1::new().chain_update(pad(0x36)).chain_update(&packet);
            let inner = inner.chain_update([1, 2, 3, 4]).finalize();
            let outer = Sha1::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
            assert_eq!(Mac::new(&[7; 64]).tag(&packet, [1, 2, 3, 4])[..], outer[..], "{length}");
        }
    }
}
