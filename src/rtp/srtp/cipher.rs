//! The two ways to hide a packet and to prove it: AES in counter mode with HMAC-SHA1 (RFC 3711),
//! and AES-GCM (RFC 7714). Both work in place.

use std::fmt;

use aes_gcm::aead::KeyInit;
use aes_gcm::{AeadInPlace, Aes128Gcm, Aes256Gcm, Nonce, Tag};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::block::Aes;
use super::derivation::Keys;
use super::mac::Mac;
use super::refused::Refused;
use crate::base::master_key::Suite;

/// The keys of one kind of packets, ready for use.
pub enum Cipher {
    /// Counter mode and HMAC-SHA1.
    Counter {
        /// The cipher.
        aes: Box<Aes>,
        /// The salt.
        salt: Zeroizing<[u8; 14]>,
        /// What proves a packet.
        mac: Mac,
        /// How many octets of the tag an RTP packet carries.
        tag: usize,
    },
    /// GCM.
    Gcm {
        /// The cipher.
        aes: Box<Gcm>,
        /// The salt.
        salt: Zeroizing<[u8; 12]>,
    },
}

/// GCM with either length of its key.
pub enum Gcm {
    /// 128 bits.
    Short(Aes128Gcm),
    /// 256 bits.
    Long(Aes256Gcm),
}

impl Cipher {
    /// Takes the keys of a session.
    pub fn new(suite: Suite, keys: &Keys) -> Self {
        match suite {
            Suite::Aes128Sha80 | Suite::Aes128Sha32 | Suite::Aes256Sha80 => Self::Counter {
                aes: Box::new(Aes::new(&keys.cipher)),
                salt: keys.salt.clone(),
                mac: Mac::new(&keys.mac[..]),
                tag: if suite == Suite::Aes128Sha32 { 4 } else { LONG_TAG },
            },
            Suite::Gcm128 | Suite::Gcm256 => {
                let mut salt = Zeroizing::new([0; 12]);
                salt.copy_from_slice(&keys.salt[..12]);
                Self::Gcm { aes: Box::new(Gcm::new(&keys.cipher)), salt }
            }
        }
    }

    /// Hides the payload, which begins at `begin`, and appends the tag.
    pub fn seal_rtp(&self, (ssrc, index): (u32, u64), begin: usize, packet: &mut Vec<u8>) {
        match self {
            Self::Counter { aes, salt, mac, tag } => {
                aes.apply_keystream(counter(salt, ssrc, index), tail(packet, begin));
                let proof = mac.tag(packet, rollover(index));
                packet.extend_from_slice(&proof[..*tag]);
            }
            Self::Gcm { aes, salt } => {
                let nonce = nonce(salt, ssrc, (index >> 16) as u32, index as u16);
                let begin = begin.min(packet.len());
                let (header, payload) = packet.split_at_mut(begin);
                let tag = aes.seal(&nonce, header, payload);
                packet.extend_from_slice(&tag);
            }
        }
    }

    /// Opens the payload, which begins at `begin`; gives the length of the packet without what
    /// was appended.
    pub fn open_rtp(
        &self,
        (ssrc, index): (u32, u64),
        (begin, mki): (usize, &[u8]),
        packet: &mut [u8],
    ) -> Result<usize, Refused> {
        let split = |packet_length: usize, behind: usize| {
            packet_length.checked_sub(behind).filter(|end| *end >= begin).ok_or(Refused::Malformed)
        };
        match self {
            Self::Counter { aes, salt, mac, tag } => {
                let end = split(packet.len(), mki.len() + tag)?;
                let (body, trailer) = packet.split_at_mut(end);
                let (id, proof) = trailer.split_at(mki.len());
                let expected = mac.tag(body, rollover(index));
                let authentic = expected[..*tag].ct_eq(proof) & id.ct_eq(mki);
                if !bool::from(authentic) {
                    return Err(Refused::Forged);
                }
                aes.apply_keystream(counter(salt, ssrc, index), tail(body, begin));
                Ok(end)
            }
            Self::Gcm { aes, salt } => {
                let end = split(packet.len(), mki.len() + GCM_TAG)?;
                let (body, trailer) = packet.split_at_mut(end);
                let (tag, id) = trailer.split_at(GCM_TAG);
                if id != mki {
                    return Err(Refused::Forged);
                }
                let nonce = nonce(salt, ssrc, (index >> 16) as u32, index as u16);
                let (header, payload) = body.split_at_mut(begin);
                aes.open(&nonce, (header, tag), payload)?;
                Ok(end)
            }
        }
    }

    /// Hides a compound packet behind its first header and source, and appends index and tag.
    pub fn seal_rtcp(&self, (ssrc, index): (u32, u32), packet: &mut Vec<u8>) {
        let word = (ENCRYPTED | index).to_be_bytes();
        match self {
            Self::Counter { aes, salt, mac, .. } => {
                aes.apply_keystream(counter(salt, ssrc, index.into()), tail(packet, CLEAR));
                let proof = mac.tag(packet, word);
                packet.extend_from_slice(&word);
                packet.extend_from_slice(&proof[..LONG_TAG]);
            }
            Self::Gcm { aes, salt } => {
                let nonce = report_nonce(salt, ssrc, index);
                let begin = CLEAR.min(packet.len());
                let (header, payload) = packet.split_at_mut(begin);
                let tag = aes.seal(&nonce, &associated(header, word), payload);
                packet.extend_from_slice(&tag);
                packet.extend_from_slice(&word);
            }
        }
    }

    /// Reads where a protected report ends without what was appended, and its index. One that is
    /// not encrypted is refused: we never agree to that.
    pub fn report_index(&self, mki: usize, packet: &[u8]) -> Result<(usize, u32), Refused> {
        // The word stands before identifier and tag, or between tag and identifier.
        let (before, behind) = match self {
            Self::Counter { .. } => (0, mki + LONG_TAG),
            Self::Gcm { .. } => (GCM_TAG, mki),
        };
        let word = packet.len().checked_sub(behind).and_then(|end| packet.get(..end));
        let (rest, word) = word.and_then(|it| it.split_last_chunk()).ok_or(Refused::Malformed)?;
        let end = rest.len().checked_sub(before).filter(|end| *end >= CLEAR);
        let word = u32::from_be_bytes(*word);
        if word & ENCRYPTED == 0 {
            return Err(Refused::Forged);
        }
        Ok((end.ok_or(Refused::Malformed)?, word & !ENCRYPTED))
    }

    /// Opens a report of `end` octets.
    pub fn open_rtcp(
        &self,
        (ssrc, index): (u32, u32),
        (end, mki): (usize, &[u8]),
        packet: &mut [u8],
    ) -> Result<(), Refused> {
        let word = (ENCRYPTED | index).to_be_bytes();
        let (body, trailer) = packet.split_at_mut_checked(end).ok_or(Refused::Malformed)?;
        match self {
            Self::Counter { aes, salt, mac, .. } => {
                let proof = mac.tag(body, word);
                let (_, behind) = trailer.split_at_checked(4).ok_or(Refused::Malformed)?;
                let (id, tag) = behind.split_at_checked(mki.len()).ok_or(Refused::Malformed)?;
                let authentic = proof[..LONG_TAG].ct_eq(tag) & id.ct_eq(mki);
                if !bool::from(authentic) {
                    return Err(Refused::Forged);
                }
                aes.apply_keystream(counter(salt, ssrc, index.into()), tail(body, CLEAR));
            }
            Self::Gcm { aes, salt } => {
                let (tag, behind) = trailer.split_at_checked(GCM_TAG).ok_or(Refused::Malformed)?;
                if behind.get(4..) != Some(mki) {
                    return Err(Refused::Forged);
                }
                let nonce = report_nonce(salt, ssrc, index);
                let (header, payload) = body.split_at_mut(CLEAR);
                aes.open(&nonce, (&associated(header, word), tag), payload)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter { .. } => "Counter",
            Self::Gcm { .. } => "Gcm",
        })
    }
}

impl Gcm {
    fn new(key: &[u8]) -> Self {
        match key.try_into() {
            Ok(key) => Self::Short(Aes128Gcm::new(<&[u8; 16]>::into(key))),
            Err(_) => Self::Long(Aes256Gcm::new_from_slice(key).expect("16 or 32 octets")),
        }
    }

    fn seal(&self, nonce: &[u8; 12], header: &[u8], payload: &mut [u8]) -> [u8; GCM_TAG] {
        let nonce = Nonce::from_slice(nonce);
        let tag = match self {
            Self::Short(aes) => aes.encrypt_in_place_detached(nonce, header, payload),
            Self::Long(aes) => aes.encrypt_in_place_detached(nonce, header, payload),
        };
        tag.expect("a packet is shorter than 64 GiB").into()
    }

    /// The tag is compared in constant time, and before anything is changed.
    fn open(
        &self,
        nonce: &[u8; 12],
        (header, tag): (&[u8], &[u8]),
        payload: &mut [u8],
    ) -> Result<(), Refused> {
        let (nonce, tag) = (Nonce::from_slice(nonce), Tag::from_slice(tag));
        let opened = match self {
            Self::Short(aes) => aes.decrypt_in_place_detached(nonce, header, payload, tag),
            Self::Long(aes) => aes.decrypt_in_place_detached(nonce, header, payload, tag),
        };
        opened.map_err(|_| Refused::Forged)
    }
}

/// Where the key stream of a packet begins (RFC 3711 4.1.1).
fn counter(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let mut iv = (u128::from(ssrc) << 64) ^ (u128::from(index) << 16);
    for (place, octet) in salt.iter().enumerate() {
        iv ^= u128::from(*octet) << (8 * (15 - place));
    }
    iv.to_be_bytes()
}

/// The nonce of an RTP packet (RFC 7714 8.1).
fn nonce(salt: &[u8; 12], ssrc: u32, rollover: u32, sequence: u16) -> [u8; 12] {
    let number = (u128::from(ssrc) << 48) | (u128::from(rollover) << 16) | u128::from(sequence);
    salted(salt, number)
}

/// The nonce of a report (RFC 7714 9.1).
fn report_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> [u8; 12] {
    salted(salt, (u128::from(ssrc) << 48) | u128::from(index))
}

fn salted(salt: &[u8; 12], number: u128) -> [u8; 12] {
    let mut nonce = *salt;
    for (octet, number) in nonce.iter_mut().zip(&number.to_be_bytes()[4..]) {
        *octet ^= number;
    }
    nonce
}

/// What proves a report beside its hidden part: header, source, and the word of the index
/// (RFC 7714 9.2).
fn associated(header: &[u8], word: [u8; 4]) -> [u8; 12] {
    let mut all = [0; 12];
    for (octet, from) in all.iter_mut().zip(header.iter().chain(&word)) {
        *octet = *from;
    }
    all
}

fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn tail(bytes: &mut [u8], begin: usize) -> &mut [u8] {
    bytes.get_mut(begin..).unwrap_or_default()
}

/// Header and source of a report are in the clear.
const CLEAR: usize = 8;

/// The flag in the word of the index.
const ENCRYPTED: u32 = 1 << 31;

/// 80 bits.
const LONG_TAG: usize = 10;

const GCM_TAG: usize = 16;
