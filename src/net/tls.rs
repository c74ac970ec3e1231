//! TLS (RFC 5246 at least): who we are, whom we believe, and files that may change meanwhile.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Where certificates and keys are kept, as PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// Our certificate with those that lead to its authority, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The authorities that peers need: of a server, its clients must have a certificate of one
    /// of them; of a client, they are believed beside those of the system.
    pub authorities: Option<PathBuf>,
}

/// Why TLS cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("{}: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The parts do not fit together: the key is that of another certificate.
    #[error("{}: {why}", .path.display())]
    Identity {
        /// The certificate.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A server has no certificate.
    #[error("a TLS server needs a certificate")]
    NoIdentity,
}

/// What answers TLS clients. Its files are read again when they change; connections that are up
/// keep what they began with.
#[derive(Debug)]
pub struct Server(Kept<ServerConfig>);

/// What opens TLS connections.
#[derive(Debug)]
pub struct Client(Kept<ClientConfig>);

impl Server {
    /// Reads the files.
    ///
    /// # Errors
    /// When one is missing or does not fit.
    pub fn load(files: Files) -> Result<Self, TlsError> {
        Kept::load(files, server_config).map(Self)
    }

    /// What accepts the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.current())
    }

    /// Reads the files again when they have changed; tells whether they had.
    ///
    /// # Errors
    /// When they do not fit: then the former ones stay in use.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        self.0.refresh()
    }
}

impl Client {
    /// Reads the files and the authorities that the system believes.
    ///
    /// # Errors
    /// When a file is missing or does not fit.
    pub fn load(files: Files) -> Result<Self, TlsError> {
        Kept::load(files, client_config).map(Self)
    }

    /// What the next connection is opened with.
    pub fn config(&self) -> ClientConfig {
        (*self.0.current()).clone()
    }

    /// What opens the next connection.
    pub fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.0.current())
    }

    /// Reads the files again when they have changed; tells whether they had.
    ///
    /// # Errors
    /// When they do not fit: then the former ones stay in use.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        self.0.refresh()
    }
}

/// The name that a server must prove (RFC 5922 7): the domain that was to be reached, or its
/// address when that is all we know.
pub fn name(domain: Option<&str>, address: IpAddr) -> ServerName<'static> {
    let named = domain.and_then(|domain| ServerName::try_from(domain.to_owned()).ok());
    named.unwrap_or_else(|| ServerName::from(address))
}

/// Something made of files, and made anew when they change.
struct Kept<T> {
    files: Files,
    make: fn(&Files) -> Result<T, TlsError>,
    state: RwLock<State<T>>,
}

struct State<T> {
    stamps: Vec<Stamp>,
    made: Arc<T>,
}

/// What tells a file from the one that it was.
type Stamp = Option<(SystemTime, u64)>;

impl<T> Kept<T> {
    fn load(files: Files, make: fn(&Files) -> Result<T, TlsError>) -> Result<Self, TlsError> {
        let stamps = files.stamps();
        let state = RwLock::new(State { stamps, made: Arc::new(make(&files)?) });
        Ok(Self { files, make, state })
    }

    fn current(&self) -> Arc<T> {
        self.state.read().unwrap_or_else(|poisoned| poisoned.into_inner()).made.clone()
    }

    fn refresh(&self) -> Result<bool, TlsError> {
        let stamps = self.files.stamps();
        let mut state = self.state.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if state.stamps == stamps {
            return Ok(false);
        }
        // Files that do not fit are not tried again until they change again.
        state.stamps = stamps;
        state.made = Arc::new((self.make)(&self.files)?);
        Ok(true)
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Files {
    fn stamps(&self) -> Vec<Stamp> {
        let (cert, key) = self.identity.as_ref().map(|(cert, key)| (cert, key)).unzip();
        let stamp = |path: &PathBuf| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        [cert, key, self.authorities.as_ref()].into_iter().flatten().map(stamp).collect()
    }
}

fn server_config(files: &Files) -> Result<ServerConfig, TlsError> {
    let (cert, key) = files.identity.as_ref().ok_or(TlsError::NoIdentity)?;
    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(wrong(cert))?;
    let builder = match &files.authorities {
        Some(path) => {
            let roots = Arc::new(only(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(wrong(path))?)
        }
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(chain(cert)?, private_key(key)?).map_err(wrong(cert))
}

fn client_config(files: &Files) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    // A machine without authorities reaches nobody by TLS, but may do everything else.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &files.authorities {
        roots.add_parsable_certificates(chain(path)?);
    }
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(wrong(Path::new("TLS")))?;
    let builder = builder.with_root_certificates(roots);
    match &files.identity {
        Some((cert, key)) => {
            builder.with_client_auth_cert(chain(cert)?, private_key(key)?).map_err(wrong(cert))
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn only(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        roots.add(certificate).map_err(wrong(path))?;
    }
    Ok(roots)
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |why: String| TlsError::File { path: path.to_owned(), why };
    let found = CertificateDer::pem_file_iter(path).map_err(|why| unreadable(why.to_string()))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|why| unreadable(why.to_string()))?;
    if found.is_empty() { Err(unreadable("there is no certificate".to_owned())) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let unreadable = |why: String| TlsError::File { path: path.to_owned(), why };
    PrivateKeyDer::from_pem_file(path).map_err(|why| unreadable(why.to_string()))
}

fn wrong<E: fmt::Display>(path: &Path) -> impl Fn(E) -> TlsError + '_ {
    move |why| TlsError::Identity { path: path.to_owned(), why: why.to_string() }
}
