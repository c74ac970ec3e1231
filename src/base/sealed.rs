//! Sealed files: octets hidden and proven with AES-256-GCM, chunk by chunk, so that a file that
//! was cut off still opens up to its last chunk, and nobody can change, swap, repeat or drop one
//! unseen.
//!
//! A file begins with 80 octets: a mark, the name of the master key, and the key of this file,
//! wrapped by the master key. Then chunks: a length of four octets (its highest bit stands in the
//! last chunk), the hidden octets, a tag of 16. The nonce of a chunk is its number and whether it is
//! the last (the STREAM construction).

use aes_gcm::aead::KeyInit;
use aes_gcm::{AeadInPlace, Aes256Gcm, Nonce, Tag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::base::random::Random;

/// A master key of 256 bits. It never prints itself and is wiped when it is dropped.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

/// The name of a key: tells whether it is the right one, and nothing else of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyName([u8; 8]);

/// A text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key has 32 octets, as 64 hexadecimal digits or in base64: `openssl rand -hex 32` makes one"
)]
pub struct NotKey;

/// Why a sealed file does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// It is no sealed file.
    #[error("this is no sealed file")]
    Foreign,
    /// Another key is needed.
    #[error("this was sealed with the key {theirs}, and the key here is {ours}")]
    OtherKey {
        /// Whose it is.
        theirs: KeyName,
        /// Which there is.
        ours: KeyName,
    },
    /// The beginning was changed.
    #[error("the head of the file was changed")]
    Head,
    /// A chunk was changed, swapped, repeated, or stands where another was.
    #[error("chunk {number} is not what was written there: it was changed, or chunks were moved")]
    Chunk {
        /// Counted from 1.
        number: u64,
    },
    /// Something follows on the last chunk.
    #[error("something was added behind the end, which is chunk {number}")]
    Added {
        /// How many chunks there are.
        number: u64,
    },
    /// The end is missing.
    #[error("the file was cut off after chunk {number}: its end is missing")]
    CutOff {
        /// How many chunks there are.
        number: u64,
    },
}

/// Seals one file.
pub struct Sealer {
    cipher: Aes256Gcm,
    number: u64,
}

/// Opens one file.
pub struct Opener {
    cipher: Aes256Gcm,
    number: u64,
    ended: bool,
}

/// What stands at the beginning of what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A chunk: what it hides, and how many octets it took.
    Chunk(Vec<u8>, usize),
    /// The end of the file, as it was written.
    End,
    /// The beginning of a chunk, or nothing: more would be needed.
    Missing,
}

impl Key {
    /// Reads a key as operators write it.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &str) -> Result<Self, NotKey> {
        let text = text.trim();
        let digits = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+'))
        };
        let octets: Option<Vec<u8>> = match text.len() {
            64 => text.as_bytes().chunks_exact(2).map(digits).collect(),
            _ => STANDARD.decode(text).ok(),
        };
        let octets = Zeroizing::new(octets.ok_or(NotKey)?);
        let octets: [u8; 32] = octets.as_slice().try_into().map_err(|_| NotKey)?;
        Ok(Self(Zeroizing::new(octets)))
    }

    /// Its name.
    pub fn name(&self) -> KeyName {
        let digest = Sha256::new().chain_update(NAMING).chain_update(self.0.as_slice()).finalize();
        KeyName(digest.first_chunk().copied().unwrap_or_default())
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(self.0.as_slice().into())
    }
}

impl Sealer {
    /// Begins a file with a key of its own; gives its head.
    pub fn new(key: &Key, random: &mut Random) -> (Self, Vec<u8>) {
        let (mut own, mut nonce) = (Zeroizing::new([0; 32]), [0; 12]);
        random.fill(&mut *own);
        random.fill(&mut nonce);
        let mut head = [&MARK[..], &key.name().0, &nonce].concat();
        let mut wrapped = own.to_vec();
        let tag = key
            .cipher()
            .encrypt_in_place_detached(&Nonce::from(nonce), &head, &mut wrapped)
            .expect("32 octets are not too many");
        head.append(&mut wrapped);
        head.extend_from_slice(&tag);
        (Self { cipher: Aes256Gcm::new((&*own).into()), number: 0 }, head)
    }

    /// Goes on with a file that was opened up to its last whole chunk.
    pub fn after(opener: Opener) -> Self {
        Self { cipher: opener.cipher, number: opener.number }
    }

    /// Seals a chunk of at most 16 MB; appends it to `out`.
    pub fn seal(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        self.chunk(octets, 0, out);
    }

    /// Seals the end, so that nobody can take anything away unseen.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.chunk(&[], LAST, out);
    }

    fn chunk(&mut self, octets: &[u8], last: u32, out: &mut Vec<u8>) {
        let head = (octets.len() as u32 | last).to_be_bytes();
        let nonce = nonce(self.number, last);
        let mut hidden = octets.to_vec();
        let tag = self
            .cipher
            .encrypt_in_place_detached(&nonce, &head, &mut hidden)
            .expect("a chunk is not too long");
        out.extend_from_slice(&head);
        out.append(&mut hidden);
        out.extend_from_slice(&tag);
        self.number += 1;
    }
}

impl Opener {
    /// Opens the head of a file, which has [`HEAD`] octets.
    ///
    /// # Errors
    /// When it is no sealed file, or one of another key, or was changed.
    pub fn new(key: &Key, head: &[u8]) -> Result<Self, Unopened> {
        let head: &[u8; HEAD] = head.first_chunk().ok_or(Unopened::Foreign)?;
        let (proven, wrapped) = head.split_at(PROVEN);
        if !proven.starts_with(MARK) {
            return Err(Unopened::Foreign);
        }
        let (theirs, ours) = (name_in(proven), key.name());
        if theirs != ours {
            return Err(Unopened::OtherKey { theirs, ours });
        }
        let nonce: [u8; 12] = proven.last_chunk().copied().unwrap_or_default();
        let (wrapped, tag) = wrapped.split_at(32);
        let mut own = Zeroizing::new(wrapped.to_vec());
        key.cipher()
            .decrypt_in_place_detached(&Nonce::from(nonce), proven, &mut own, Tag::from_slice(tag))
            .map_err(|_| Unopened::Head)?;
        let cipher = Aes256Gcm::new_from_slice(&own).map_err(|_| Unopened::Head)?;
        Ok(Self { cipher, number: 0, ended: false })
    }

    /// Opens the next chunk, which begins with `rest`.
    ///
    /// # Errors
    /// When it is not what was written there.
    pub fn open(&mut self, rest: &[u8]) -> Result<Piece, Unopened> {
        if self.ended {
            let added = Unopened::Added { number: self.number };
            return if rest.is_empty() { Ok(Piece::End) } else { Err(added) };
        }
        let Some((head, behind)) = rest.split_first_chunk::<4>() else { return Ok(Piece::Missing) };
        let length = u32::from_be_bytes(*head);
        let (last, length) = (length & LAST, (length & !LAST) as usize);
        let changed = Unopened::Chunk { number: self.number + 1 };
        if length > LONGEST {
            return Err(changed);
        }
        let Some((hidden, behind)) = behind.split_at_checked(length) else {
            return Ok(Piece::Missing);
        };
        let Some(tag) = behind.first_chunk::<16>() else { return Ok(Piece::Missing) };
        let mut octets = hidden.to_vec();
        self.cipher
            .decrypt_in_place_detached(&nonce(self.number, last), head, &mut octets, tag.into())
            .map_err(|_| changed)?;
        self.number += 1;
        self.ended = last != 0;
        Ok(Piece::Chunk(octets, 4 + length + 16))
    }

    /// The file has no more octets.
    ///
    /// # Errors
    /// When its end is missing.
    pub fn finish(&self) -> Result<(), Unopened> {
        if self.ended { Ok(()) } else { Err(Unopened::CutOff { number: self.number }) }
    }
}

/// The name of the key that a file was sealed with, when it is sealed.
pub fn key_of(head: &[u8]) -> Option<KeyName> {
    head.get(..PROVEN).filter(|head| head.starts_with(MARK)).map(name_in)
}

fn name_in(head: &[u8]) -> KeyName {
    let name = head.get(MARK.len()..).and_then(|rest| rest.first_chunk());
    KeyName(name.copied().unwrap_or_default())
}

fn nonce(number: u64, last: u32) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last != 0);
    Nonce::from(nonce)
}

impl std::fmt::Display for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.name())
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("number", &self.number).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("number", &self.number).finish_non_exhaustive()
    }
}

/// The octets of a head.
pub const HEAD: usize = PROVEN + 48;

/// With what a sealed file begins; the last octet is the version.
const MARK: &[u8; 12] = b"VOXTRUNKSEA\x01";

/// The mark, the name of the key, and a nonce.
const PROVEN: usize = 32;

const NAMING: &[u8] = b"voxtrunk key name";

/// Stands in the length of the last chunk.
const LAST: u32 = 1 << 31;

const LONGEST: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(octet: u8) -> Key {
        Key(Zeroizing::new([octet; 32]))
    }

    /// The head and the chunks of a file.
    fn sealed(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut sealer, head) = Sealer::new(&key(1), &mut Random::repeatable(3));
        let mut parts = vec![head];
        for chunk in chunks {
            let mut out = Vec::new();
            sealer.seal(chunk, &mut out);
            parts.push(out);
        }
        let mut out = Vec::new();
        sealer.finish(&mut out);
        parts.push(out);
        parts
    }

    /// What opens of a file, and why no more does.
    fn opened(key: &Key, file: &[u8]) -> (Vec<u8>, Result<(), Unopened>) {
        let mut all = Vec::new();
        let mut opener = match Opener::new(key, file) {
            Ok(opener) => opener,
            Err(why) => return (all, Err(why)),
        };
        let mut rest = &file[HEAD..];
        loop {
            match opener.open(rest) {
                Ok(Piece::Chunk(octets, took)) => {
                    all.extend(octets);
                    rest = &rest[took..];
                }
                Ok(Piece::End | Piece::Missing) => return (all, opener.finish()),
                Err(why) => return (all, Err(why)),
            }
        }
    }

    #[test]
    fn a_key_is_hexadecimal_or_base64_and_never_prints_itself() {
        let hex = "ab".repeat(32);
        let key = Key::read(&hex).expect("a key");
        assert_eq!(Key::read(&STANDARD.encode([0xab; 32])).map(|it| it.name()), Ok(key.name()));
        for wrong in ["", "ab", &"zz".repeat(32), &STANDARD.encode([1; 31]), &"+1".repeat(32)] {
            assert!(Key::read(wrong).is_err(), "{wrong}");
        }
        assert!(!format!("{key:?}").contains("abab"));
    }

    #[test]
    fn what_is_sealed_opens_and_shows_nothing() {
        let file = sealed(&[b"hello caller", b"and goodbye"]).concat();
        assert_eq!(opened(&key(1), &file), (b"hello callerand goodbye".to_vec(), Ok(())));
        assert!(!file.windows(6).any(|it| it == b"caller"));
        assert_eq!(key_of(&file), Some(key(1).name()));
    }

    #[test]
    fn another_key_a_foreign_file_and_a_changed_head_are_told_apart() {
        let mut file = sealed(&[b"hello"]).concat();
        let (theirs, ours) = (key(1).name(), key(2).name());
        assert_eq!(opened(&key(2), &file).1, Err(Unopened::OtherKey { theirs, ours }));
        assert_eq!(opened(&key(1), b"RIFF").1, Err(Unopened::Foreign));
        file[40] ^= 1;
        assert_eq!(opened(&key(1), &file).1, Err(Unopened::Head));
    }

    #[test]
    fn chunks_that_are_moved_dropped_or_added_are_refused() {
        let parts = sealed(&[b"one", b"two", b"six"]);
        let file =
            |order: &[usize]| order.iter().flat_map(|at| parts[*at].clone()).collect::<Vec<u8>>();
        let why = |order: &[usize]| opened(&key(1), &file(order)).1;
        assert_eq!(why(&[0, 1, 2, 3, 4]), Ok(()));
        assert_eq!(why(&[0, 2, 1, 3, 4]), Err(Unopened::Chunk { number: 1 }));
        assert_eq!(why(&[0, 1, 3, 4]), Err(Unopened::Chunk { number: 2 }));
        assert_eq!(why(&[0, 1, 1, 2, 3, 4]), Err(Unopened::Chunk { number: 2 }));
        assert_eq!(why(&[0, 1, 2, 4]), Err(Unopened::Chunk { number: 3 }));
        assert_eq!(why(&[0, 1, 2, 3, 4, 4]), Err(Unopened::Added { number: 4 }));
        assert_eq!(why(&[0, 1, 2]), Err(Unopened::CutOff { number: 2 }));
        assert_eq!(opened(&key(1), &file(&[0, 1, 2])).0, b"onetwo");
    }

    #[test]
    fn a_file_that_was_cut_off_goes_on_with_another_chunk() {
        let mut parts = sealed(&[b"one"]);
        parts.truncate(2);
        let mut file = parts.concat();
        let mut opener = Opener::new(&key(1), &file).expect("sealed");
        assert!(matches!(opener.open(&file[HEAD..]), Ok(Piece::Chunk(_, _))));
        Sealer::after(opener).finish(&mut file);
        assert_eq!(opened(&key(1), &file), (b"one".to_vec(), Ok(())));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn a_bit_that_is_flipped_anywhere_is_seen(at in 0.0_f64..1.0, bit in 0_u8..8) {
            let mut file = sealed(&[b"hello caller", b"and goodbye"]).concat();
            let at = (at * file.len() as f64) as usize;
            file[at] ^= 1 << bit;
            prop_assert!(opened(&key(1), &file).1.is_err());
        }

        #[test]
        fn a_file_that_is_cut_off_opens_up_to_its_last_whole_chunk(cut in 0.0_f64..1.0) {
            let parts = sealed(&[b"first", b"second", b"third"]);
            let file = parts.concat();
            let cut = HEAD + (cut * (file.len() - HEAD) as f64) as usize;
            let (octets, end) = opened(&key(1), &file[..cut]);
            let is_cut_off = matches!(end, Err(Unopened::CutOff { .. }));
            prop_assert!(is_cut_off);
            prop_assert!(b"firstsecondthird".starts_with(&octets));
        }
    }
}
