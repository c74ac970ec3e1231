//! From what the operator's files say of signatures to those who check and sign.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::call::stir::{Policy, Signing};
use crate::config::external::Fault;
use crate::config::settings::Server;
use crate::config::stir::StirPolicy;
use crate::config::trunk::Trunk;
use crate::dialplan::pattern::Match;
use crate::engine::stir::{Settings, Signer};
use crate::net::foreign::Foreign;
use crate::net::stir::authorities::{Authorities, AuthoritiesError};
use crate::net::stir::key::{Key, KeyError};
use crate::net::tls::{self, TlsError};

/// Why signatures can neither be checked nor made.
#[derive(Debug, thiserror::Error)]
pub enum StirError {
    /// The authorities cannot be had.
    #[error("the authorities of signed calls cannot be read: {0}")]
    Authorities(#[from] AuthoritiesError),
    /// A key cannot be had.
    #[error("the key that signs calls cannot be used: {0}")]
    Key(#[from] KeyError),
    /// TLS cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client that fetches certificates cannot be had.
    #[error("no client for certificates: {0}")]
    Client(#[from] reqwest::Error),
}

/// Who checks and signs.
///
/// # Errors
/// When a file that is needed cannot be used.
pub fn settings(server: &Server) -> Result<Settings, StirError> {
    let mut settings =
        Settings { freshness: server.security.stir.freshness, ..Settings::default() };
    for (name, trunk) in &server.trunks {
        let name: Arc<str> = name.as_str().into();
        let policy = match trunk.stir.inbound {
            StirPolicy::Off => Policy::Off,
            StirPolicy::Verify => Policy::Verify,
            StirPolicy::Require => Policy::Require,
        };
        settings.policies.insert(name.clone(), policy);
        if let (Some(_), Some(key), Some(x5u)) =
            (trunk.stir.attest, &trunk.stir.key, &trunk.stir.x5u)
        {
            let signer = Signer { key: Key::load(key)?, certificate: x5u.clone() };
            settings.signers.insert(name, Arc::new(signer));
        }
    }
    if settings.policies.values().any(|policy| *policy != Policy::Off) {
        let files = tls::Files { identity: None, authorities: server.sip.tls.ca.clone() };
        let hosts = server.security.stir.hosts.clone();
        settings.foreign = Some(Foreign::new(hosts, &tls::Client::load(files)?)?);
        if let Some(path) = &server.security.stir.authorities {
            settings.authorities = Authorities::load(path)?;
        }
    }
    Ok(settings)
}

/// How calls by a trunk are signed, if they are.
pub fn signing(name: &str, trunk: &Trunk, server: &Server) -> Option<Signing> {
    let attestation = trunk.stir.attest?;
    let exact = |number: &str| number.parse::<Match>().ok();
    let own = trunk.caller_id.as_deref().or(trunk.outbound.caller_id.as_deref());
    let phones = server.phones.values().filter_map(|phone| phone.caller_id.as_deref());
    let named = own.into_iter().chain(phones).filter_map(exact);
    let x5u = trunk.stir.x5u.as_deref().unwrap_or_default();
    Some(Signing {
        attestation,
        own: trunk.numbers.iter().cloned().chain(named).collect(),
        origin: trunk.stir.origid.unwrap_or_else(|| origin(name, x5u)),
    })
}

/// Files that cannot be used.
pub fn faults(server: &Server) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(path) = &server.security.stir.authorities
        && let Err(why) = Authorities::load(path)
    {
        let mut fault =
            Fault::error("stir.authorities", "security.stir.authorities", why.to_string());
        fault.label = "these authorities cannot be read".to_owned();
        fault.help = Some("write the path of a PEM file with their certificates".to_owned());
        faults.push(fault);
    }
    for (name, trunk) in &server.trunks {
        let Some(path) = &trunk.stir.key else { continue };
        let Err(why) = Key::load(path) else { continue };
        let mut fault =
            Fault::error("stir.key", format!("trunks.{name}.stir.key"), why.to_string());
        fault.label = "calls cannot be signed with it".to_owned();
        fault.help = Some(
            "write the path of a PEM file with a key on P-256; `openssl ecparam -name prime256v1 \
             -genkey -noout -out stir-key.pem` makes one"
                .to_owned(),
        );
        faults.push(fault);
    }
    faults
}

/// An identity that is the same after every start and tells nothing: a UUID of our own making
/// (RFC 9562 5.8).
fn origin(name: &str, x5u: &str) -> Uuid {
    let digest = Sha256::new().chain_update(name).chain_update([0]).chain_update(x5u).finalize();
    let mut octets = [0; 16];
    octets.iter_mut().zip(digest.iter()).for_each(|(octet, found)| *octet = *found);
    uuid::Builder::from_custom_bytes(octets).into_uuid()
}
