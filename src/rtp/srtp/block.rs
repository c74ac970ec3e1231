//! AES as counter mode uses it: a stream of keys that is added to the octets.

use aes::cipher::{Block, BlockEncrypt, KeyInit};
use aes::{Aes128Enc, Aes256Enc};

/// AES with either length of its key.
pub enum Aes {
    /// 128 bits.
    Short(Aes128Enc),
    /// 256 bits.
    Long(Aes256Enc),
}

impl Aes {
    /// Takes a key of 16 or 32 octets.
    pub fn new(key: &[u8]) -> Self {
        match key.try_into() {
            Ok(key) => Self::Short(Aes128Enc::new(<&[u8; 16]>::into(key))),
            Err(_) => Self::Long(Aes256Enc::new_from_slice(key).expect("16 or 32 octets")),
        }
    }

    /// Adds the key stream that begins at `iv`, whose last two octets count blocks.
    pub fn apply_keystream(&self, iv: [u8; 16], data: &mut [u8]) {
        let mut count = 0_u16;
        for part in data.chunks_mut(AT_ONCE * 16) {
            let mut blocks = [Block::<Aes128Enc>::default(); AT_ONCE];
            let used = &mut blocks[..part.len().div_ceil(16)];
            for block in &mut *used {
                block.copy_from_slice(&iv);
                block[14..].copy_from_slice(&count.to_be_bytes());
                count = count.wrapping_add(1);
            }
            match self {
                Self::Short(aes) => aes.encrypt_blocks(used),
                Self::Long(aes) => aes.encrypt_blocks(used),
            }
            for (octet, key) in part.iter_mut().zip(used.iter().flatten()) {
                *octet ^= key;
            }
        }
    }
}

/// Blocks that are encrypted at once: more than 20 ms of G.711 have.
const AT_ONCE: usize = 16;
