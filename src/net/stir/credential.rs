//! The certificate of somebody who signs calls (RFC 8226, ATIS-1000080): whether an authority
//! stands behind it, for which numbers it is good, and whether a signature is that of its key.

use std::time::Duration;

use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::authorities::Authorities;
use super::list::{Entitlement, NotAList};

/// A certificate that an authority stands behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The point of its key on P-256, uncompressed.
    point: Vec<u8>,
    entitlement: Entitlement,
    /// What it calls its holder.
    subject: String,
    /// From when to when it is good, since the Unix epoch.
    good: (Duration, Duration),
}

/// Why a certificate is worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// There is none in what was fetched.
    #[error("there is no certificate")]
    None,
    /// There are more than any honest chain has.
    #[error("the chain is too long")]
    TooLong,
    /// It is none.
    #[error("it cannot be read")]
    Unreadable,
    /// It is not good yet, or not good any more.
    #[error("it is not valid at this time")]
    Outdated,
    /// Nobody whom we believe stands behind it.
    #[error("no authority that we believe stands behind it")]
    Untrusted,
    /// Its key is none for ES256.
    #[error("its key is not on P-256")]
    Key,
    /// It does not say for which numbers it is (RFC 8226 9).
    #[error("it has no TNAuthList")]
    NoList,
    /// What it says of that cannot be read.
    #[error(transparent)]
    List(#[from] NotAList),
}

impl Authorities {
    /// Judges what was fetched: a chain as PEM with the signer's own certificate first, or that
    /// one as DER. `now` is since the Unix epoch.
    ///
    /// # Errors
    /// With why it is worth nothing.
    pub fn judge(&self, fetched: &[u8], now: Duration) -> Result<Credential, CredentialError> {
        let chain = chain(fetched)?;
        let (own, others) = chain.split_first().ok_or(CredentialError::None)?;
        let certificate = EndEntityCert::try_from(own).map_err(|_| CredentialError::Unreadable)?;
        let time = UnixTime::since_unix_epoch(now);
        let usage = KeyUsage::required_if_present(NO_USAGE);
        certificate
            .verify_for_usage(ALGORITHMS, &self.0, others, time, usage, None, None)
            .map_err(|why| match why {
                webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => {
                    CredentialError::Outdated
                }
                _ => CredentialError::Untrusted,
            })?;
        Credential::read(own)
    }
}

impl Credential {
    /// Takes a certificate apart that was judged.
    fn read(certificate: &[u8]) -> Result<Self, CredentialError> {
        let unreadable = |_| CredentialError::Unreadable;
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(unreadable)?;
        let list = parsed.extensions().iter().find(|it| it.oid.as_bytes() == TN_AUTH_LIST);
        let entitlement = Entitlement::read(list.ok_or(CredentialError::NoList)?.value)?;
        let key = parsed.public_key().raw;
        let point = key.strip_prefix(P256).filter(|point| point.len() == 65);
        let since_epoch = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let validity = parsed.validity();
        let subject = parsed.subject().iter_common_name().next().and_then(|it| it.as_str().ok());
        Ok(Self {
            point: point.ok_or(CredentialError::Key)?.to_vec(),
            entitlement,
            subject: subject.map(clean).unwrap_or_default(),
            good: (
                since_epoch(validity.not_before.timestamp()),
                since_epoch(validity.not_after.timestamp()),
            ),
        })
    }

    /// Whether a signature (R and S, 32 octets each) is that of its key.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.point);
        key.verify(message, signature).is_ok()
    }

    /// Whether it is good at that time, since the Unix epoch.
    pub fn is_good_at(&self, now: Duration) -> bool {
        (self.good.0..=self.good.1).contains(&now)
    }

    /// Whether it may speak for a number, in digits: a service provider may for all of them.
    pub fn speaks_for(&self, number: &str) -> bool {
        self.entitlement.holds(number)
    }

    /// Whom it names: its service provider codes, else its subject.
    pub fn holder(&self) -> String {
        match self.entitlement.providers() {
            [] => self.subject.clone(),
            codes => codes.join(", "),
        }
    }
}

/// The certificates in what was fetched.
fn chain(fetched: &[u8]) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
    if fetched.first() == Some(&DER_SEQUENCE) {
        return Ok(vec![CertificateDer::from(fetched.to_vec())]);
    }
    let found = CertificateDer::pem_slice_iter(fetched).take(LONGEST_CHAIN.saturating_add(1));
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|_| CredentialError::Unreadable)?;
    if found.len() > LONGEST_CHAIN { Err(CredentialError::TooLong) } else { Ok(found) }
}

/// What may stand in a log and on a page.
fn clean(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(LONGEST_NAME).collect()
}

/// How authorities sign: ES256 by ATIS-1000080, and what is no weaker.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P256_SHA384,
    webpki::ring::ECDSA_P384_SHA256,
    webpki::ring::ECDSA_P384_SHA384,
];

/// A certificate for signing calls has no extended key usage. One that has any is for something
/// else, such as a web server: whatever it names, it is not this (id-kp of nothing).
const NO_USAGE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x00];

/// 1.3.6.1.5.5.7.1.26: id-pe-TNAuthList (RFC 8226 9).
const TN_AUTH_LIST: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1a];

/// What stands before the point of a key on P-256 (RFC 5480 2).
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// How DER of a certificate begins.
const DER_SEQUENCE: u8 = 0x30;

/// The most certificates of a chain.
const LONGEST_CHAIN: usize = 8;

/// How much of a name is kept.
const LONGEST_NAME: usize = 64;
