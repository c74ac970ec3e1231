//! From the phones of the operator's file to those of the registrar and the exchange.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::audio::codec::Codec;
use crate::base::secret::ExposeSecret;
use crate::call::admission::Badge;
use crate::call::exchange::phones;
use crate::config::phone::{DigestAlgorithm, Phone};
use crate::config::settings::{Server, UnknownSource};
use crate::server::codecs;
use crate::sip::digest::Algorithm;
use crate::sip::registrar::{self, Bounds, Keys, Role};

/// Why a phone cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("phone `{phone}`: ha1 is {why}")]
pub struct PhoneError {
    phone: String,
    why: registrar::NotAKey,
}

/// The registrar, when there are phones or somebody is to be challenged.
///
/// # Errors
/// When the hash of a password is none.
pub fn registrar(server: &Server) -> Result<Option<registrar::Settings>, PhoneError> {
    let challenges = server.security.sip.unknown_source == UnknownSource::Challenge;
    let proves = server.trunks.values().any(|trunk| trunk.inbound.auth.is_some());
    if server.phones.is_empty() && !challenges && !proves {
        return Ok(None);
    }
    let realm = realm(server);
    let phones = server.phones.iter().map(|(name, phone)| registered(name, phone, &realm));
    let registering = &server.sip.registrar;
    let algorithm = |it: &DigestAlgorithm| match it {
        DigestAlgorithm::Sha256 => Algorithm::SHA256,
        DigestAlgorithm::Md5 => Algorithm::MD5,
    };
    let (least, most) = (registering.min_expires, registering.max_expires);
    Ok(Some(registrar::Settings {
        phones: phones.chain(trunks(server, &realm).map(Ok)).collect::<Result<_, _>>()?,
        realm,
        algorithms: registering.digest.iter().map(algorithm).collect(),
        bounds: Bounds { least, most, usual: most },
    }))
}

/// The trunks that must prove themselves.
fn trunks(server: &Server, realm: &str) -> impl Iterator<Item = registrar::Phone> {
    server.trunks.iter().filter_map(move |(name, trunk)| {
        let auth = trunk.inbound.auth.as_ref()?;
        let keys = Keys::of_password([&auth.username, realm, auth.password.expose_secret()]);
        // Where it may speak from is the doorkeeper's: names change their addresses.
        Some(registrar::Phone {
            role: Role::Trunk,
            name: name.as_str().into(),
            username: auth.username.clone(),
            keys,
            display: None,
            networks: Vec::new(),
            max_contacts: 0,
        })
    })
}

/// What the exchange knows of phones beforehand.
pub fn groups(server: &Server) -> phones::Settings {
    let groups = server.groups.iter().map(|(name, group)| {
        let phones = group.phones().map(Arc::from).collect();
        (Arc::from(name.as_str()), phones)
    });
    let domain = server.sip.domain.clone().unwrap_or_default();
    let voicemails = server.phones.iter().filter_map(|(name, phone)| {
        Some((Arc::from(name.as_str()), Arc::from(phone.voicemail.as_deref()?)))
    });
    phones::Settings { domain, groups: groups.collect(), voicemails: voicemails.collect() }
}

/// What a call is told of the phone that it came from.
pub fn badges(server: &Server) -> Vec<Badge> {
    let badge = |(name, phone): (&String, &Phone)| Badge {
        phone: name.as_str().into(),
        context: phone.context.as_deref().unwrap_or_default().into(),
        caller_id: phone.caller_id.as_deref().unwrap_or_default().into(),
        ..Badge::default()
    };
    server.phones.iter().map(badge).collect()
}

/// The codecs of phones that have their own.
pub fn codecs(server: &Server) -> BTreeMap<Arc<str>, Vec<Codec>> {
    let own = server.phones.iter().filter(|(_, phone)| !phone.codecs.is_empty());
    own.map(|(name, phone)| (name.as_str().into(), codecs::of_settings(&phone.codecs))).collect()
}

/// The most calls of each phone.
pub fn caps(server: &Server) -> HashMap<Arc<str>, usize> {
    let cap =
        |(name, phone): (&String, &Phone)| (Arc::from(name.as_str()), phone.max_calls as usize);
    server.phones.iter().map(cap).collect()
}

fn registered(name: &str, phone: &Phone, realm: &str) -> Result<registrar::Phone, PhoneError> {
    let username = phone.username.clone().unwrap_or_else(|| name.to_owned());
    let keys = match (&phone.ha1, &phone.password) {
        (Some(ha1), _) => Keys::of_ha1(ha1.expose_secret())
            .map_err(|why| PhoneError { phone: name.to_owned(), why })?,
        (None, password) => {
            let password = password.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
            Keys::of_password([&username, realm, password])
        }
    };
    Ok(registrar::Phone {
        role: Role::Phone,
        name: name.into(),
        username,
        keys,
        display: phone.name.clone(),
        networks: phone.sources(),
        max_contacts: phone.max_contacts as usize,
    })
}

fn realm(server: &Server) -> String {
    server.sip.domain.clone().unwrap_or_else(|| "voxtrunk".to_owned())
}
