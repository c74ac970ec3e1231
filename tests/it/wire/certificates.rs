//! Certificates of an authority of our own, as an operator would have them on the disk.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::server::Folder;

/// An authority, and a certificate of it for the loopback.
#[derive(Debug)]
pub struct Authority {
    /// The authority's own certificate.
    pub file: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

impl Authority {
    /// Makes both and writes them.
    pub fn write(folder: &Folder) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        Self {
            file: folder.put("authority.pem", issuer.pem()),
            cert: folder.put("cert.pem", certificate.pem()),
            key: folder.put("key.pem", key.serialize_pem()),
        }
    }

    /// The files of a server of our own.
    pub fn files(&self) -> voxtrunk::net::tls::Files {
        let identity = Some((self.cert.clone(), self.key.clone()));
        voxtrunk::net::tls::Files { identity, authorities: None }
    }

    /// The settings of a server that listens for these transports too.
    pub fn listening(&self, transports: &[&str]) -> String {
        let mut text = format!("[tls.test]\ncert = {:?}\nkey = {:?}\n", self.cert, self.key);
        for transport in transports {
            let tls = if matches!(*transport, "tls" | "wss") { "tls = \"test\"\n" } else { "" };
            text.push_str(&format!(
                "[[sip.listen]]\ntransport = {transport:?}\nbind = \"127.0.0.1:0\"\n{tls}"
            ));
        }
        text
    }
}
