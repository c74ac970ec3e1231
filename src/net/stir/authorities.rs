//! Whom we believe when they say who may sign calls: the authorities of SHAKEN, from a file.

use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};

/// The authorities.
#[derive(Debug, Clone, Default)]
pub struct Authorities(pub(super) Vec<TrustAnchor<'static>>);

/// Why there are none.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", .path.display())]
pub struct AuthoritiesError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl Authorities {
    /// Reads certificates of authorities as PEM.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn load(path: &Path) -> Result<Self, AuthoritiesError> {
        let wrong = |why: String| AuthoritiesError { path: path.to_owned(), why };
        let pem = std::fs::read(path).map_err(|why| wrong(why.to_string()))?;
        Self::read(&pem).map_err(wrong)
    }

    /// Takes them as PEM.
    pub(super) fn read(pem: &[u8]) -> Result<Self, String> {
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|why| why.to_string())?;
            let anchor = webpki::anchor_from_trusted_cert(&certificate);
            anchors.push(anchor.map_err(|why| why.to_string())?.to_owned());
        }
        if anchors.is_empty() {
            return Err("there is no certificate".to_owned());
        }
        Ok(Self(anchors))
    }
}
