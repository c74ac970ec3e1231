//! What a phone proves itself by: its password, hashed once for every algorithm.

use crate::sip::digest::{Ha1, Hash};

/// The hashes of user, realm and password, one for each hash function that is known.
#[derive(Debug, Clone)]
pub struct Keys {
    first: Ha1,
    others: Vec<Ha1>,
}

/// A text is no hash of user, realm and password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: 32 hexadecimal digits of MD5, or 64 of SHA-256")]
pub struct NotAKey;

impl Keys {
    /// Hashes user, realm and password, in this order.
    pub fn of_password(user_realm_password: [&str; 3]) -> Self {
        let made = |hash| Ha1::new(hash, user_realm_password);
        Self { first: made(Hash::Sha256), others: vec![made(Hash::Md5), made(Hash::Sha512Cut)] }
    }

    /// Takes a hash of user, realm and password that was made elsewhere: 32 hexadecimal digits are
    /// MD5, 64 are SHA-256.
    ///
    /// # Errors
    /// When it is neither.
    pub fn of_ha1(text: &str) -> Result<Self, NotAKey> {
        let hash = match text.len() {
            32 => Hash::Md5,
            64 => Hash::Sha256,
            _ => return Err(NotAKey),
        };
        let first = Ha1::from_hexadecimal(hash, text).ok_or(NotAKey)?;
        Ok(Self { first, others: Vec::new() })
    }

    /// The hash by that function. One that is not known is of another function, and so fits no
    /// answer.
    pub(super) fn of(&self, hash: Hash) -> &Ha1 {
        self.others.iter().find(|key| key.hash() == hash).unwrap_or(&self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_made_elsewhere_is_as_good_as_the_password() {
        let password = Keys::of_password(["101", "pbx.example.com", "secret"]);
        // printf '101:pbx.example.com:secret' | md5sum
        let made = Keys::of_ha1("D109E955A4D2022337E38C2BDFE99175").expect("32 digits");
        assert!(made.of(Hash::Md5) == password.of(Hash::Md5));
        assert_eq!(password.of(Hash::Sha256).hash(), Hash::Sha256);
        assert_ne!(made.of(Hash::Sha256).hash(), Hash::Sha256);
        for wrong in ["", "3d3b", "z109e955a4d2022337e38c2bdfe99175"] {
            assert!(matches!(Keys::of_ha1(wrong), Err(NotAKey)), "{wrong}");
        }
    }
}
