//! What DTLS computes with: ring, as everything else in the house that speaks TLS. One suite of
//! each version, which every browser has: ECDSA with P-256, AES-128-GCM, SHA-256.

use std::fmt;

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use dimpl::crypto::{
    Aad, ActiveKeyExchange, Buf, Cipher, CryptoProvider, Dtls12CipherSuite, Dtls13CipherSuite,
    HashAlgorithm, HashContext, HashProvider, HmacProvider, KeyProvider, NamedGroup, Nonce,
    SecureRandom, SignatureAlgorithm, SignatureVerifier, SigningKey, SupportedDtls12CipherSuite,
    SupportedDtls13CipherSuite, SupportedKxGroup, TmpBuf, check_verify_scheme,
};
use dimpl::{CryptoError, CryptoOperation};
use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{self, EcdsaKeyPair};
use ring::{aead, digest, hmac};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What DTLS computes with.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: &[&Group(NamedGroup::X25519), &Group(NamedGroup::Secp256r1)],
        signature_verification: &Ring,
        key_provider: &Ring,
        secure_random: &Ring,
        hash_provider: &Ring,
        hmac_provider: &Ring,
        cipher_suites: &[&Ring],
        dtls13_cipher_suites: &[&Ring],
    }
}

/// All that needs no state.
#[derive(Debug)]
struct Ring;

/// A group in which keys are agreed.
#[derive(Debug)]
struct Group(NamedGroup);

impl Group {
    fn algorithm(&self) -> Result<&'static agreement::Algorithm, CryptoError> {
        match self.0 {
            NamedGroup::X25519 => Ok(&agreement::X25519),
            NamedGroup::Secp256r1 => Ok(&agreement::ECDH_P256),
            other => Err(CryptoError::UnsupportedKeyExchangeGroup(other)),
        }
    }
}

impl SupportedKxGroup for Group {
    fn name(&self) -> NamedGroup {
        self.0
    }

    fn start_exchange(&self, mut room: Buf) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        let key = EphemeralPrivateKey::generate(self.algorithm()?, &SystemRandom::new());
        let key = key.map_err(|_| failed(CryptoOperation::GenerateEphemeralKey))?;
        let public = key.compute_public_key();
        let public = public.map_err(|_| failed(CryptoOperation::ComputePublicKey))?;
        room.clear();
        room.extend_from_slice(public.as_ref());
        Ok(Box::new(Exchange { group: Group(self.0), key, public: room }))
    }
}

/// A key that is used once.
struct Exchange {
    group: Group,
    key: EphemeralPrivateKey,
    public: Buf,
}

impl ActiveKeyExchange for Exchange {
    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, theirs: &[u8], out: &mut Buf) -> Result<(), CryptoError> {
        let theirs = UnparsedPublicKey::new(self.group.algorithm()?, theirs);
        let agreed = agreement::agree_ephemeral(self.key, &theirs, |secret| {
            out.clear();
            out.extend_from_slice(secret);
        });
        agreed.map_err(|_| CryptoError::InvalidPublicKey(self.group.0))
    }

    fn group(&self) -> NamedGroup {
        self.group.0
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("group", &self.group).finish_non_exhaustive()
    }
}

/// Our key of ECDSA.
struct Key(EcdsaKeyPair);

impl KeyProvider for Ring {
    fn load_private_key(&self, pkcs8: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let algorithm = &signature::ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &SystemRandom::new());
        Ok(Box::new(Key(key.map_err(|_| CryptoError::InvalidPrivateKey)?)))
    }
}

impl SigningKey for Key {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        if hash != HashAlgorithm::SHA256 {
            let key_hash = HashAlgorithm::SHA256;
            return Err(CryptoError::SigningKeyHashMismatch { key_hash, requested: hash });
        }
        let signed = self.0.sign(&SystemRandom::new(), data);
        let signed = signed.map_err(|_| failed(CryptoOperation::Sign))?;
        out.clear();
        out.extend_from_slice(signed.as_ref());
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256]
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").finish_non_exhaustive()
    }
}

impl SignatureVerifier for Ring {
    fn verify_signature(
        &self,
        certificate: &[u8],
        data: &[u8],
        signed: &[u8],
        hash: HashAlgorithm,
        kind: SignatureAlgorithm,
    ) -> Result<(), CryptoError> {
        if kind != SignatureAlgorithm::ECDSA {
            return Err(CryptoError::UnsupportedSignatureAlgorithm(kind));
        }
        let parsed = X509Certificate::from_der(certificate);
        let (_, parsed) = parsed.map_err(|_| CryptoError::CertificateParseFailed)?;
        let key = parsed.public_key();
        let curve = key.algorithm.parameters.as_ref().and_then(|it| it.as_oid().ok());
        let curve = curve.ok_or(CryptoError::MissingEcCurveParameter)?.to_id_string();
        let group = match curve.as_str() {
            "1.2.840.10045.3.1.7" => NamedGroup::Secp256r1,
            "1.3.132.0.34" => NamedGroup::Secp384r1,
            _ => return Err(CryptoError::UnsupportedEcCurve),
        };
        check_verify_scheme(kind, hash, group)?;
        let algorithm = match (group, hash) {
            (NamedGroup::Secp256r1, HashAlgorithm::SHA256) => &signature::ECDSA_P256_SHA256_ASN1,
            (NamedGroup::Secp256r1, HashAlgorithm::SHA384) => &signature::ECDSA_P256_SHA384_ASN1,
            (NamedGroup::Secp384r1, HashAlgorithm::SHA256) => &signature::ECDSA_P384_SHA256_ASN1,
            (NamedGroup::Secp384r1, HashAlgorithm::SHA384) => &signature::ECDSA_P384_SHA384_ASN1,
            _ => return Err(CryptoError::UnsupportedEcCurve),
        };
        let key = signature::UnparsedPublicKey::new(algorithm, &*key.subject_public_key.data);
        let wrong = |_| CryptoError::SignatureVerificationFailed { signature: kind, hash, group };
        key.verify(data, signed).map_err(wrong)
    }
}

impl SecureRandom for Ring {
    fn fill(&self, room: &mut [u8]) -> Result<(), CryptoError> {
        SystemRandom::new().fill(room).map_err(|_| failed(CryptoOperation::FillRandom))
    }
}

/// A digest on its way.
struct Digest(digest::Context);

impl HashProvider for Ring {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        Box::new(Digest(digest::Context::new(match algorithm {
            HashAlgorithm::SHA384 => &digest::SHA384,
            // Our suites have no other.
            _ => &digest::SHA256,
        })))
    }
}

impl HashContext for Digest {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        out.clear();
        out.extend_from_slice(self.0.clone().finish().as_ref());
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Digest").finish_non_exhaustive()
    }
}

impl HmacProvider for Ring {
    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, CryptoError> {
        let algorithm = match hash {
            HashAlgorithm::SHA256 => hmac::HMAC_SHA256,
            HashAlgorithm::SHA384 => hmac::HMAC_SHA384,
            other => return Err(CryptoError::UnsupportedHmacHash(other)),
        };
        let tag = hmac::sign(&hmac::Key::new(algorithm, key), data);
        let room = out.get_mut(..tag.as_ref().len());
        let room = room.ok_or(CryptoError::UnsupportedHmacHash(hash))?;
        room.copy_from_slice(tag.as_ref());
        Ok(room.len())
    }
}

/// AES-128-GCM under one key.
struct Gcm(aead::LessSafeKey);

impl Gcm {
    fn under(key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        let key = aead::UnboundKey::new(&aead::AES_128_GCM, key);
        let key = key.map_err(|_| failed(CryptoOperation::CreateCipher))?;
        Ok(Box::new(Self(aead::LessSafeKey::new(key))))
    }
}

/// A nonce as ring has it. DTLS counts its records, so that none comes twice under a key.
fn once(nonce: &Nonce) -> Result<aead::Nonce, CryptoError> {
    aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| CryptoError::InvalidNonce)
}

impl Cipher for Gcm {
    fn encrypt(&mut self, text: &mut Buf, aad: Aad, nonce: Nonce) -> Result<(), CryptoError> {
        let sealed = self.0.seal_in_place_append_tag(once(&nonce)?, aead::Aad::from(&*aad), text);
        sealed.map_err(|_| failed(CryptoOperation::Encrypt))
    }

    fn decrypt(
        &mut self,
        text: &mut TmpBuf<'_>,
        aad: Aad,
        nonce: Nonce,
    ) -> Result<(), CryptoError> {
        let opened = self.0.open_in_place(once(&nonce)?, aead::Aad::from(&*aad), text.as_mut());
        let length = opened.map_err(|_| failed(CryptoOperation::Decrypt))?.len();
        text.truncate(length);
        Ok(())
    }
}

impl fmt::Debug for Gcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gcm").finish_non_exhaustive()
    }
}

impl SupportedDtls12CipherSuite for Ring {
    fn suite(&self) -> Dtls12CipherSuite {
        Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn key_lengths(&self) -> (usize, usize, usize) {
        (0, 16, 4)
    }

    fn explicit_nonce_len(&self) -> usize {
        8
    }

    fn tag_len(&self) -> usize {
        16
    }

    fn create_cipher(&self, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        Gcm::under(key)
    }
}

impl SupportedDtls13CipherSuite for Ring {
    fn suite(&self) -> Dtls13CipherSuite {
        Dtls13CipherSuite::AES_128_GCM_SHA256
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn key_len(&self) -> usize {
        16
    }

    fn iv_len(&self) -> usize {
        12
    }

    fn tag_len(&self) -> usize {
        16
    }

    fn create_cipher(&self, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        Gcm::under(key)
    }

    fn encrypt_sn(&self, key: &[u8], sample: &[u8; 16]) -> [u8; 16] {
        let mut block = (*sample).into();
        Aes128::new_from_slice(key).expect("its key has 16 octets").encrypt_block(&mut block);
        block.into()
    }
}

fn failed(what: CryptoOperation) -> CryptoError {
    CryptoError::OperationFailed(what)
}
