//! The hashes of digest authentication: MD5 and two of the SHA-2 family (RFC 7616 6.1).

use std::fmt;

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

/// A hash function; the later, the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// MD5, which every peer knows and nobody should choose.
    Md5,
    /// SHA-512 cut to 256 bits.
    Sha512Cut,
    /// SHA-256, the one of RFC 8760.
    Sha256,
}

/// An algorithm: a hash function, and whether the client's nonce goes into the first part.
/// Ordered by strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Algorithm {
    /// The hash function.
    pub hash: Hash,
    /// The `-sess` variant.
    pub is_session: bool,
}

/// The hash of user, realm and password: as good as the password itself within its realm.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    hash: Hash,
    hexadecimal: String,
}

impl Hash {
    /// The hash of texts with colons between, in lower-case hexadecimal digits.
    pub(super) fn of(self, parts: &[&str]) -> String {
        self.of_bytes(parts.join(":").as_bytes())
    }

    /// The hash of octets, in lower-case hexadecimal digits.
    pub(super) fn of_bytes(self, bytes: &[u8]) -> String {
        match self {
            Self::Md5 => hexadecimal(&Md5::digest(bytes)),
            Self::Sha256 => hexadecimal(&Sha256::digest(bytes)),
            Self::Sha512Cut => hexadecimal(&Sha512_256::digest(bytes)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512Cut => "SHA-512-256",
        }
    }
}

impl Algorithm {
    /// MD5, also where no algorithm is named.
    pub const MD5: Self = Self { hash: Hash::Md5, is_session: false };
    /// SHA-256.
    pub const SHA256: Self = Self { hash: Hash::Sha256, is_session: false };

    /// Reads `SHA-256-sess` and its like, without case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Hash::Md5, Hash::Sha512Cut, Hash::Sha256]
            .into_iter()
            .flat_map(|hash| [false, true].map(|is_session| Self { hash, is_session }))
            .find(|algorithm| algorithm.to_string().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.hash.name(), if self.is_session { "-sess" } else { "" })
    }
}

impl Ha1 {
    /// Hashes user, realm and password, in this order.
    pub fn new(hash: Hash, user_realm_password: [&str; 3]) -> Self {
        Self { hash, hexadecimal: hash.of(&user_realm_password) }
    }

    /// Takes what was hashed elsewhere; `None` when it is not of the length of such a hash, or not
    /// in hexadecimal digits.
    pub fn from_hexadecimal(hash: Hash, text: &str) -> Option<Self> {
        let length = hash.of_bytes(b"").len();
        let fits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self { hash, hexadecimal: text.to_ascii_lowercase() })
    }

    /// The hash function it was made with.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    pub(in crate::sip) fn as_str(&self) -> &str {
        &self.hexadecimal
    }
}

/// It is a secret: its debug form is hidden.
impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ha1({})", self.hash.name())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
