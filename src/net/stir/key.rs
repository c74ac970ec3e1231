//! Our own key, with which calls are signed.

use std::fmt;
use std::path::{Path, PathBuf};

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

/// A key for ES256.
pub struct Key {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", .path.display())]
pub struct KeyError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl Key {
    /// Reads a key as PEM: PKCS #8, or SEC 1 as `openssl ecparam` writes it.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no key on P-256.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let wrong = |why: String| KeyError { path: path.to_owned(), why };
        let pem = std::fs::read(path).map_err(|why| wrong(why.to_string()))?;
        Self::read(&pem).map_err(wrong)
    }

    /// Takes it as PEM.
    pub(super) fn read(pem: &[u8]) -> Result<Self, String> {
        let found = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "there is no key")?;
        let wrapped = match &found {
            PrivateKeyDer::Pkcs8(key) => key.secret_pkcs8_der().to_vec(),
            PrivateKeyDer::Sec1(key) => wrapped(key.secret_sec1_der()).ok_or(NOT_P256)?,
            _ => return Err(NOT_P256.to_owned()),
        };
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &wrapped, &random);
        Ok(Self { pair: pair.map_err(|_| NOT_P256)?, random })
    }

    /// Signs: R and S, 32 octets each. `None` when the system has no randomness to give.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.pair.sign(&self.random, message).ok().map(|signature| signature.as_ref().to_vec())
    }
}

/// A key is nobody's business.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// Puts a SEC 1 key on P-256 into PKCS #8 (RFC 5958 2): its version, its kind, itself.
fn wrapped(sec1: &[u8]) -> Option<Vec<u8>> {
    let inner = [&length(0x04, sec1.len())?[..], sec1].concat();
    let body = [KIND, &inner[..]].concat();
    Some([&length(0x30, body.len())?[..], &body[..]].concat())
}

/// The head of a DER value that is shorter than 256 octets.
fn length(tag: u8, octets: usize) -> Option<Vec<u8>> {
    let octets = u8::try_from(octets).ok()?;
    Some(if octets < 0x80 { vec![tag, octets] } else { vec![tag, 0x81, octets] })
}

/// Version 0, and an elliptic curve that is P-256.
const KIND: &[u8] = &[
    0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
    0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
];

const NOT_P256: &str = "it is no key on P-256, as ES256 needs it";
