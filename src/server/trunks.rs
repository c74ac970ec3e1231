//! From the trunks of the operator's file to those of the exchange.

use std::sync::Arc;
use std::time::Duration;

use crate::call::admission::Badge;
use crate::call::exchange::tenants;
use crate::call::identity::{self, Profile};
use crate::call::numbering::{Format, Numbering};
use crate::call::trunk;
use crate::config::settings::Server;
use crate::config::trunk::{Carrier, DidPlace, Identity, NumberFormat, Ping, Trunk};
use crate::server::stir;
use crate::sip::account::Account;
use crate::sip::digest::Credentials;
use crate::sip::registration;

/// The trunks that the exchange keeps.
pub fn settings(server: &Server) -> Vec<(Badge, trunk::Settings)> {
    let trunks = server.trunks.iter();
    trunks.map(|(name, trunk)| (badge(name, trunk), line(name, trunk, server))).collect()
}

/// What a call is told of its trunk.
pub fn badge(name: &str, trunk: &Trunk) -> Badge {
    let context = trunk.context.as_deref().unwrap_or_default().into();
    Badge { name: name.into(), context, ..Badge::default() }
}

/// Whose calls the trunks carry.
pub fn tenants(server: &Server) -> tenants::Settings {
    let known = server.tenants.iter().map(|(name, tenant)| tenants::Tenant {
        name: name.as_str().into(),
        numbers: tenant.numbers.clone(),
        max_calls: tenant.limits.concurrent_calls.map(|most| most as usize),
    });
    let owned = server
        .trunks
        .iter()
        .filter_map(|(name, trunk)| Some((name.as_str().into(), trunk.tenant.as_deref()?.into())));
    tenants::Settings { tenants: known.collect(), trunks: owned.collect() }
}

/// How a trunk writes numbers.
pub fn numbering(trunk: &Trunk, server: &Server) -> Numbering {
    Numbering {
        country: trunk.country.unwrap_or(server.machine.country),
        format: format(trunk.number_format),
    }
}

fn line(name: &str, trunk: &Trunk, server: &Server) -> trunk::Settings {
    let account = account(name, trunk).map(Arc::new);
    let host = trunk.host.as_deref().or(trunk.registrars.first().map(String::as_str));
    let host = host.unwrap_or_default();
    let domain = trunk.domain.clone().unwrap_or_else(|| domain_of(host).to_owned());
    let user = trunk.username.clone().unwrap_or_default();
    let contact_user = match &account {
        Some(account) if trunk.registers() => account.contact_user(),
        Some(_) | None => String::new(),
    };
    let is_proxied = !trunk.outbound_proxy.is_empty();
    let hops: Vec<String> = hops(trunk, host);
    let registration = registration::Settings {
        registrars: hops.clone(),
        domain: format!("sip:{domain}"),
        address: format!("<sip:{user}@{domain}>"),
        contact_user: contact_user.clone(),
        is_proxied,
        expires: trunk.expires.unwrap_or(EXPIRES),
    };
    let number = trunk.numbers.first().filter(|_| trunk.numbers.len() == 1);
    let number = number.map(|number| number.text()).filter(|text| is_number(text));
    let caller_id = trunk.caller_id.as_deref().or(trunk.outbound.caller_id.as_deref());
    let profile = Profile {
        numbering: numbering(trunk, server),
        identity: identity(trunk.identity),
        did_from: trunk.did_from.iter().map(did_place).collect(),
        is_trusted: trunk.trusted_identity,
        user: user.into(),
        domain: domain.into(),
        caller_id: caller_id.or(number).map(str::to_owned),
        line: number.map(str::to_owned),
        contact_user: contact_user.into(),
    };
    trunk::Settings {
        name: name.into(),
        ping_every: match trunk.options_ping {
            // There is nobody to ask where calls only come from.
            Ping::Every(every) if !hops.is_empty() => Some(every),
            Ping::Every(_) | Ping::Off => None,
        },
        peers: hops,
        is_proxied,
        profile,
        account,
        registration: trunk.registers().then_some(registration),
        max_calls: trunk.max_calls.map(|most| most as usize),
        failover: trunk.failover.as_deref().map(Arc::from),
        signing: stir::signing(name, trunk, server),
    }
}

fn account(name: &str, trunk: &Trunk) -> Option<Account> {
    let outbound = &trunk.outbound;
    let username = trunk.auth_username.as_ref().or(outbound.username.as_ref());
    let username = username.or(trunk.username.as_ref())?.clone();
    let password = outbound.password.as_ref().or(trunk.password.as_ref())?.clone();
    let credentials = Credentials { username, password };
    Some(Account { name: name.into(), credentials, realms: trunk.realm.clone() })
}

/// Where requests go, as SIP URIs: the proxies, else the registrars, else the host.
fn hops(trunk: &Trunk, host: &str) -> Vec<String> {
    let user = trunk.username.as_deref().unwrap_or_default();
    let digits: String = user.chars().filter(char::is_ascii_digit).collect();
    let transport = match trunk.transport {
        Carrier::Udp => "",
        Carrier::Tcp => ";transport=tcp",
        Carrier::Tls => ";transport=tls",
    };
    let hosts: Vec<&str> = [&trunk.outbound_proxy, &trunk.registrars]
        .into_iter()
        .find(|hosts| !hosts.is_empty())
        .map_or_else(|| vec![host], |hosts| hosts.iter().map(String::as_str).collect());
    let named = hosts.into_iter().filter(|host| !host.is_empty());
    named
        .map(|host| {
            let bare = host.strip_prefix("sip:").unwrap_or(host);
            let bare = bare.split(';').next().unwrap_or_default();
            format!("sip:{}{transport}", bare.replace("{digits}", &digits))
        })
        .collect()
}

/// The host without its port.
fn domain_of(host: &str) -> &str {
    let bare = host.strip_prefix("sip:").unwrap_or(host);
    let bare = bare.split(';').next().unwrap_or_default();
    match bare.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => bare,
    }
}

fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn format(format: NumberFormat) -> Format {
    match format {
        NumberFormat::PlusE164 => Format::PlusE164,
        NumberFormat::E164 => Format::E164,
        NumberFormat::National => Format::National,
        NumberFormat::International => Format::International,
    }
}

fn identity(identity: Identity) -> identity::Identity {
    match identity {
        Identity::From => identity::Identity::From,
        Identity::Ppi => identity::Identity::Ppi,
        Identity::Pai => identity::Identity::Pai,
        Identity::FromDisplay => identity::Identity::FromDisplay,
        Identity::Rpid => identity::Identity::Rpid,
    }
}

fn did_place(place: &DidPlace) -> identity::DidPlace {
    match place {
        DidPlace::RequestUri => identity::DidPlace::RequestUri,
        DidPlace::To => identity::DidPlace::To,
        DidPlace::PCalledPartyId => identity::DidPlace::PCalledPartyId,
    }
}

/// For how long to register when nobody says.
const EXPIRES: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(lines: &str) -> trunk::Settings {
        use serde::Deserialize;
        let table = toml::de::Deserializer::parse(lines).expect("TOML");
        let trunk = Trunk::deserialize(table).expect("a trunk");
        line("carrier", &trunk, &Server::default())
    }

    #[test]
    fn an_account_registers_under_a_contact_of_its_own() {
        let text = "host = \"sip.carrier.example:5070\"\nusername = \"us\"\npassword = \"p\"\n\
                    auth_username = \"us-auth\"\nnumbers = [\"+4971112345\"]\ntransport = \"tls\"";
        let settings = trunk(text);
        let registration = settings.registration.expect("it has a user and a password");
        assert_eq!(registration.registrars, ["sip:sip.carrier.example:5070;transport=tls"]);
        assert_eq!(registration.address, "<sip:us@sip.carrier.example>");
        assert!(registration.contact_user.starts_with("voxtrunk-carrier-"));
        assert_eq!(registration.contact_user, trunk(text).profile.contact_user.to_string());
        assert_eq!(
            settings.account.map(|it| it.credentials.username.clone()),
            Some("us-auth".into())
        );
        assert_eq!(settings.profile.caller_id.as_deref(), Some("+4971112345"));
    }

    #[test]
    fn a_peer_without_host_is_never_asked_and_one_with_proxies_goes_through_them() {
        let silent = trunk("inbound = { allow = [\"192.0.2.1\"] }");
        assert_eq!((silent.ping_every, silent.peers.len()), (None, 0));
        let flex = trunk(
            "host = \"tel.example\"\nusername = \"+49199296\"\npassword = \"p\"\n\
             outbound_proxy = [\"{digits}.primary.example\", \"{digits}.secondary.example\"]",
        );
        assert_eq!(flex.peers, ["sip:49199296.primary.example", "sip:49199296.secondary.example"]);
        assert!(flex.is_proxied);
    }
}
