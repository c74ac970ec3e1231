//! Checks of the settings of the machine: addresses, ports, trunks, providers, secrets.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::agent::assistant::Choice;
use crate::base::secret::ExposeSecret;
use crate::config::diagnostic::{Diagnostic, Severity, did_you_mean};
use crate::config::inbound::Sender;
use crate::config::provider::{Need, Provider};
use crate::config::settings::Trunk;
use crate::config::source::is_secret_key;
use crate::config::subject::Subject;
use crate::config::{
    check_hep, check_http, check_inlets, check_listen, check_otel, check_recordings, check_srtp,
    check_stir,
};

/// Checks the settings of the machine.
pub fn machine(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = addresses(subject);
    found.extend(check_listen::listens(subject));
    found.extend(check_http::door(subject));
    found.extend(check_inlets::inlets(subject));
    found.extend(check_hep::collector(subject));
    found.extend(check_otel::collector(subject));
    found.extend(check_srtp::machine(subject));
    found.extend(times(subject));
    found.extend(ports(subject));
    found.extend(speech(subject));
    for (name, trunk) in &subject.server.trunks {
        found.extend(check_trunk(subject, name, trunk));
    }
    for (name, provider) in &subject.server.providers {
        found.extend(check_provider(subject, name, provider));
    }
    found.extend(check_stir::signatures(subject));
    found.extend(check_recordings::recordings(subject));
    found.extend(secrets(subject));
    let outside = subject.external.machine(subject.server);
    found.extend(outside.into_iter().map(|fault| subject.diagnostic(fault, "")));
    found
}

/// The times of SIP and of packets: what is allowed, and what is wise.
fn times(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let (sip, mut found) = (&subject.server.sip, Vec::new());
    if !(SHORTEST_T1..=LONGEST_T1).contains(&sip.t1) {
        found.push(
            Diagnostic::error("sip.t1", "T1 is between 10ms and 10s")
                .at(subject.place("sip.t1"), "an estimate of the round trip")
                .help("500ms is right for the internet"),
        );
    }
    if sip.session_min_se < LEAST_MIN_SE {
        found.push(
            Diagnostic::warning("sip.session_min_se", "RFC 4028 wants 90s or more")
                .at(subject.place("sip.session_min_se"), "peers may refresh this often")
                .help("less is for tests only"),
        );
    }
    if sip.session_expires < sip.session_min_se {
        found.push(
            Diagnostic::warning("value.range", "`session_expires` is less than `session_min_se`")
                .at(subject.place("sip.session_expires"), "peers refuse it, or refresh later")
                .help("30m is usual; RFC 4028 wants 90s or more"),
        );
    }
    let ptime = subject.server.rtp.ptime;
    if !(SHORTEST_PTIME..=LONGEST_PTIME).contains(&ptime) {
        found.push(
            Diagnostic::error("value.range", "`ptime` must be between 10ms and 60ms")
                .at(subject.place("rtp.ptime"), "out of range")
                .help("20ms is what everybody takes"),
        );
    }
    found.extend(jitter(subject));
    found
}

/// How long packets may wait for those before them.
fn jitter(subject: &Subject<'_>) -> Option<Diagnostic> {
    let bounds = subject.server.rtp.jitter;
    let (message, help) = if !(LEAST_WAIT..=LONGEST_WAIT).contains(&bounds.max) {
        ("`jitter.max` must be between 20ms and 300ms", "200ms is right for the internet")
    } else if bounds.min > bounds.max {
        ("`jitter.min` is more than `jitter.max`", "leave `min` out: what is needed is measured")
    } else {
        return None;
    };
    let place = subject.place("rtp.jitter");
    Some(Diagnostic::error("value.range", message).at(place, "out of range").help(help))
}

fn addresses(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let (server, mut found) = (subject.server, Vec::new());
    if server.sip.listen.is_empty() {
        let message = "there is no socket for SIP";
        found.push(
            Diagnostic::error("sip.listen", message)
                .at(subject.place("sip.listen"), "this list is empty")
                .help("add [[sip.listen]] with bind = \"127.0.0.1:5060\""),
        );
    }
    match server.sip.external_address {
        Some(ip) if ip.is_unspecified() => {
            found.push(no_address(subject, ip, "sip.external_address"))
        }
        None => found.extend(unspecified(subject).map(|(ip, path)| no_address(subject, ip, &path))),
        Some(ip) if subject.external.owns(ip) == Some(false) => found.push(
            Diagnostic::warning(
                "sip.external_address",
                format!("{ip} is not an address of this machine"),
            )
            .at(subject.place("sip.external_address"), "callers are told to send audio here")
            .help("that is right behind NAT, if the ports are forwarded to this machine"),
        ),
        Some(_) => {}
    }
    for (at, listen) in server.sip.listen.iter().enumerate() {
        let ip = listen.bind.ip();
        if !ip.is_unspecified() && subject.external.owns(ip) == Some(false) {
            found.push(not_ours(subject, ip, &format!("sip.listen[{at}].bind")));
        }
    }
    if let Some(ip) = server.rtp.address
        && !ip.is_unspecified()
        && subject.external.owns(ip) == Some(false)
    {
        found.push(not_ours(subject, ip, "rtp.address"));
    }
    found
}

/// The first socket that is bound to no address in particular.
fn unspecified(subject: &Subject<'_>) -> Option<(IpAddr, String)> {
    let rtp = subject.server.rtp.address.map(|ip| (ip, "rtp.address".to_owned()));
    let listen = subject.server.sip.listen.iter().enumerate();
    let sip = listen.map(|(at, listen)| (listen.bind.ip(), format!("sip.listen[{at}].bind")));
    rtp.into_iter().chain(sip).find(|(ip, _)| ip.is_unspecified())
}

/// What SIP and SDP say about us must be an address: nobody can answer to 0.0.0.0.
fn no_address(subject: &Subject<'_>, ip: IpAddr, path: &str) -> Diagnostic {
    Diagnostic::error("rtp.address", format!("callers would be told to send audio to {ip}"))
        .at(subject.place(path), "every address of this machine, and none in particular")
        .help("set [sip] external_address to the address that callers reach, or bind one address")
}

fn not_ours(subject: &Subject<'_>, ip: IpAddr, path: &str) -> Diagnostic {
    Diagnostic::error("address.foreign", format!("{ip} is not an address of this machine"))
        .at(subject.place(path), "a socket cannot be bound to it")
        .help("bind an address of this machine and name the other one in [sip] external_address")
}

fn ports(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let (server, mut found) = (subject.server, Vec::new());
    let (ports, place) = (server.rtp.ports, subject.place("rtp.ports"));
    if ports.first % 2 == 1 {
        let message = format!("the first port of {ports} is odd");
        found.push(
            Diagnostic::error("ports.odd", message)
                .at(place.clone(), "RTP takes even ports, and RTCP the next (RFC 3550 11)")
                .help(format!("begin with {}", ports.first.saturating_add(1))),
        );
    }
    if ports.calls() < server.sip.max_calls {
        let message = format!(
            "{ports} has room for {} calls, and {} are allowed",
            ports.calls(),
            server.sip.max_calls
        );
        let most = subject.reading.places.find("sip.max_calls").map(|it| it.value.clone());
        found.push(
            Diagnostic::error("ports.too_few", message)
                .at(place.clone(), "two ports for each call")
                .at(most, "so many calls")
                .help("widen the range, or lower [sip] max_calls"),
        );
    }
    for (at, listen) in server.sip.listen.iter().enumerate() {
        if ports.contains(listen.bind.port()) {
            let message = format!("port {} is taken by SIP and by RTP", listen.bind.port());
            found.push(
                Diagnostic::error("ports.overlap", message)
                    .at(place.clone(), "in this range")
                    .at(subject.place(&format!("sip.listen[{at}].bind")), "and here"),
            );
        }
    }
    found
}

fn speech(subject: &Subject<'_>) -> Option<Diagnostic> {
    let threshold = subject.server.media.vad.threshold;
    (!(0.05..=0.95).contains(&threshold)).then(|| {
        Diagnostic::error("value.range", "`threshold` must be a probability from 0.05 to 0.95")
            .at(subject.place("media.vad.threshold"), "out of range")
    })
}

fn check_trunk(subject: &Subject<'_>, name: &str, trunk: &Trunk) -> Vec<Diagnostic> {
    let (path, mut found) = (format!("trunks.{name}"), Vec::new());
    found.extend(check_account(subject, name, trunk));
    found.extend(check_srtp::trunk(subject, name, trunk));
    let has_source = trunk.sources().next().is_some() || !trunk.inbound.allow.is_empty();
    if !has_source && trunk.inbound.auth.is_none() && !trunk.registers() {
        let message = format!("nobody can call by trunk `{name}`");
        found.push(
            Diagnostic::warning("trunk.no_source", message)
                .at(subject.key(&path), "no address counts as this trunk")
                .help(
                    "add inbound = { allow = [\"192.0.2.10\"] } with the addresses of the carrier",
                ),
        );
    }
    found.extend(check_proof(subject, name, trunk));
    for (at, sender) in trunk.inbound.allow.iter().enumerate() {
        let is_everybody = matches!(sender, Sender::Network(network) if network.prefix() == 0);
        if is_everybody && trunk.inbound.auth.is_none() {
            let message = format!("trunk `{name}` lets everybody in");
            found.push(
                Diagnostic::warning("trunk.open_inbound", message)
                    .at(
                        subject.place(&format!("{path}.inbound.allow[{at}]")),
                        "every address there is",
                    )
                    .help("name the addresses of the carrier: strangers cost you money"),
            );
        }
    }
    for (at, number) in trunk.numbers.iter().enumerate() {
        if !subject.faulty_routes && !subject.plan.reaches(number) {
            let message = format!("no route takes calls to `{number}`");
            found.push(
                Diagnostic::warning("number.unroutable", message)
                    .at(subject.place(&format!("{path}.numbers[{at}]")), "delivered by this trunk"),
            );
        }
    }
    found
}

/// With what a trunk proves itself: a user of its own, and a password that is one.
fn check_proof(subject: &Subject<'_>, name: &str, trunk: &Trunk) -> Vec<Diagnostic> {
    let (Some(auth), path) = (&trunk.inbound.auth, format!("trunks.{name}.inbound.auth")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if auth.password.expose_secret().is_empty() {
        let message = format!("trunk `{name}` proves itself with an empty password");
        found.push(
            Diagnostic::error("trunk.missing_password", message)
                .at(subject.place(&format!("{path}.password")), "everybody knows this one"),
        );
    }
    let phones = subject.server.phones.iter();
    let of_phones = phones.map(|(name, phone)| (phone.username.as_ref().unwrap_or(name), name));
    let others = subject.server.trunks.iter().filter(|(other, _)| other.as_str() != name);
    let of_trunks =
        others.filter_map(|(name, it)| Some((&it.inbound.auth.as_ref()?.username, name)));
    let taken = of_phones.chain(of_trunks).find(|(user, _)| **user == auth.username);
    if let Some((_, other)) = taken {
        let message = format!("the user `{}` is that of `{other}`, too", auth.username);
        found.push(
            Diagnostic::error("trunk.user_twice", message)
                .at(subject.place(&format!("{path}.username")), "who calls with it?")
                .help("give each its own user"),
        );
    }
    found
}

/// What an account at a trunk lacks.
fn check_account(subject: &Subject<'_>, name: &str, trunk: &Trunk) -> Vec<Diagnostic> {
    let (path, mut found) = (format!("trunks.{name}"), Vec::new());
    let lacks = |key: &str, label: &str, help: &str| {
        Diagnostic::error("trunk.incomplete", format!("trunk `{name}` has no `{key}`"))
            .at(subject.key(&path), label)
            .help(help)
    };
    if trunk.registers() && trunk.host.is_none() && trunk.registrars.is_empty() {
        found.push(lacks("host", "where is its registrar?", "add host = \"sip.carrier.example\""));
    }
    if trunk.registers() && trunk.username.is_none() {
        found.push(lacks("username", "as whom shall we register?", "add username"));
    }
    if trunk.username.is_some() && trunk.password.is_none() {
        let help = "add password = \"${env:NAME}\", or take `username` out";
        found.push(
            Diagnostic::error("trunk.missing_password", format!("trunk `{name}` has no password"))
                .at(subject.key(&format!("{path}.username")), "nobody believes a name alone")
                .help(help),
        );
    }
    if let Some(failover) = &trunk.failover
        && (failover == name || !subject.server.trunks.contains_key(failover))
    {
        let message = format!("there is no other trunk `{failover}`");
        let place = subject.place(&format!("{path}.failover"));
        found.push(Diagnostic::error("ref.unknown", message).at(place, "not defined"));
    }
    found
}

fn check_provider(subject: &Subject<'_>, name: &str, provider: &Provider) -> Vec<Diagnostic> {
    let (path, mut found) = (format!("providers.{name}"), Vec::new());
    match provider.base_url.as_deref() {
        None if provider.kind.needs(Need::BaseUrl) => found.push(
            Diagnostic::error("provider.base_url", format!("provider `{name}` has no `base_url`"))
                .at(subject.key(&path), "where does its API begin?")
                .help("such as base_url = \"http://127.0.0.1:11434/v1\""),
        ),
        Some(url) if !provider.kind.is_built_in() => found.extend(check_url(subject, url, name)),
        Some(_) | None => {}
    }
    if provider.kind.needs(Need::ApiKey) && provider.api_key.is_none() {
        found.push(
            Diagnostic::error("provider.missing_key", format!("provider `{name}` has no key"))
                .at(subject.key(&path), format!("`{:?}` lets nobody in without one", provider.kind))
                .help("add api_key = \"${env:NAME_OF_THE_KEY}\""),
        );
    }
    found.extend(check_region(subject, name, provider));
    found.extend(check_api(subject, name, provider));
    found.extend(check_local(subject, name, provider));
    // Agents have the engines behind that name.
    if !used(subject).contains(name) && !provider.kind.is_local() {
        found.push(
            Diagnostic::warning("provider.unused", format!("no agent uses provider `{name}`"))
                .at(subject.key(&path), "defined here"),
        );
    }
    found
}

/// Only a name for engines of this machine says which of them it means.
fn check_local(subject: &Subject<'_>, name: &str, provider: &Provider) -> Option<Diagnostic> {
    let said = [("stt", &provider.stt), ("tts", &provider.tts)];
    let (key, _) = said.into_iter().find(|(_, it)| it.is_some())?;
    (!provider.kind.is_local()).then(|| {
        let message = format!("`{key}` is for kind = \"local\" only");
        Diagnostic::error("key.unknown", message)
            .at(subject.place(&format!("providers.{name}.{key}")), "nobody reads this")
            .help("write `model` or `voice`, here or in the agent")
    })
}

/// Some vendors have other addresses in each region; the others have none.
fn check_region(subject: &Subject<'_>, name: &str, provider: &Provider) -> Option<Diagnostic> {
    let (path, kind) = (format!("providers.{name}"), provider.kind);
    match &provider.region {
        None if kind.needs(Need::Region) && provider.base_url.is_none() => Some(
            Diagnostic::error("provider.region", format!("provider `{name}` has no `region`"))
                .at(subject.key(&path), format!("`{kind:?}` is at another place in each"))
                .help("such as region = \"westeurope\""),
        ),
        Some(region) if !is_word(region) => Some(
            Diagnostic::error("value.invalid", format!("`{region}` is no region"))
                .at(subject.place(&format!("{path}.region")), "expected letters and digits")
                .help("such as region = \"westeurope\""),
        ),
        Some(_) if !kind.takes(Need::Region) => Some(
            Diagnostic::error("provider.region", format!("`{kind:?}` has no regions"))
                .at(subject.place(&format!("{path}.region")), "nobody reads this")
                .help("its `base_url` says where it is"),
        ),
        Some(_) | None => None,
    }
}

/// Whether a text can be a part of the name of a host.
fn is_word(text: &str) -> bool {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    !text.is_empty() && text.bytes().all(fits)
}

/// Some vendors have several interfaces.
fn check_api(subject: &Subject<'_>, name: &str, provider: &Provider) -> Option<Diagnostic> {
    let api = provider.api.as_deref()?;
    let known: Vec<&str> = provider.kind.apis().collect();
    if known.contains(&api) {
        return None;
    }
    let place = subject.place(&format!("providers.{name}.api"));
    let kind = provider.kind;
    if known.is_empty() {
        let message = format!("`{kind:?}` has one interface only");
        return Some(Diagnostic::error("provider.api", message).at(place, "nobody reads this"));
    }
    let label = match did_you_mean(api, known.iter().copied()) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => "not one of them".to_owned(),
    };
    Some(
        Diagnostic::error("provider.api", format!("`{kind:?}` has no interface `{api}`"))
            .at(place, label)
            .help(format!("there are: {}", known.join(", "))),
    )
}

/// An API must be reached by HTTP; without TLS only nearby, because the key and the words of the
/// caller would travel in the open.
fn check_url(subject: &Subject<'_>, url: &str, name: &str) -> Option<Diagnostic> {
    let place = subject.place(&format!("providers.{name}.base_url"));
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    if !matches!(scheme, "http" | "https") || host.is_empty() {
        let message = format!("provider `{name}` has a `base_url` that is not a URL");
        return Some(
            Diagnostic::error("value.invalid", message)
                .at(place, "expected https://host/path")
                .help("such as base_url = \"http://127.0.0.1:11434/v1\""),
        );
    }
    if authority.contains('@') {
        let message = format!("provider `{name}` has a password in its `base_url`");
        return Some(
            Diagnostic::error("secret.in_url", message)
                .help("use `api_key` or `headers`: URLs stand in logs"),
        );
    }
    let remote = scheme == "http" && !is_near(host);
    let keyed = subject.server.providers.get(name).is_some_and(|it| it.api_key.is_some());
    if remote {
        let what = if keyed { "its key and what callers say" } else { "what callers say" };
        let message = format!("provider `{name}` is reached without TLS");
        return Some(
            Diagnostic::warning("provider.plain_http", message)
                .at(place, format!("{what} can be read on the way"))
                .help("use https://"),
        );
    }
    let missing = scheme == "https"
        && !keyed
        && !subject.server.providers[name].kind.needs(Need::ApiKey)
        && !subject.server.providers[name].headers.keys().any(|header| is_secret_key(header));
    missing.then(|| {
        Diagnostic::warning("provider.missing_key", format!("provider `{name}` has no key"))
            .at(place, "APIs on the internet mostly want one")
            .help("add api_key = \"${env:NAME_OF_THE_KEY}\"")
    })
}

/// Whether a host is this machine or stands in a private network.
fn is_near(host: &str) -> bool {
    match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Err(_) => host == "localhost" || !host.contains('.') || host.ends_with(".internal"),
    }
}

/// The least that RFC 4028 allows.
const LEAST_MIN_SE: Duration = Duration::from_secs(90);

/// Less than this is no round trip of any network, more is one to the moon.
const SHORTEST_T1: Duration = Duration::from_millis(10);
const LONGEST_T1: Duration = Duration::from_secs(10);

/// How long a packet may wait: one packet at least, and less than a talk can bear.
const LEAST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(300);

/// How much audio a packet can hold.
const SHORTEST_PTIME: Duration = Duration::from_millis(10);
const LONGEST_PTIME: Duration = Duration::from_millis(60);

/// The names of all providers that agents use.
fn used<'a>(subject: &Subject<'a>) -> BTreeSet<&'a str> {
    let name = |choice: &'a Choice| choice.provider.as_deref();
    subject
        .agents
        .values()
        .flat_map(|agent| {
            let fallback = &agent.fallback;
            let next = [&fallback.stt, &fallback.llm, &fallback.tts].into_iter().flatten();
            [name(&agent.stt), subject.server.thinker(agent), name(&agent.tts)]
                .into_iter()
                .chain(next.map(name))
        })
        .flatten()
        .collect()
}

/// Secrets that stand in the file in plain text (P4).
fn secrets(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut paths = Vec::new();
    for (name, provider) in &subject.server.providers {
        if provider.api_key.is_some() {
            paths.push(format!("providers.{name}.api_key"));
        }
        let secret = provider.headers.keys().filter(|key| is_secret_key(key));
        paths.extend(secret.map(|key| format!("providers.{name}.headers.{key}")));
    }
    for (name, trunk) in &subject.server.trunks {
        if trunk.inbound.auth.is_some() {
            paths.push(format!("trunks.{name}.inbound.auth.password"));
        }
        let both = [("password", &trunk.password), ("outbound.password", &trunk.outbound.password)];
        let there = both.into_iter().filter(|(_, password)| password.is_some());
        paths.extend(there.map(|(key, _)| format!("trunks.{name}.{key}")));
    }
    for (name, phone) in &subject.server.phones {
        let both = [("password", &phone.password), ("ha1", &phone.ha1)];
        let there = both.into_iter().filter(|(_, secret)| secret.is_some());
        paths.extend(there.map(|(key, _)| format!("phones.{name}.{key}")));
    }
    paths.extend(check_recordings::secrets(subject));
    paths.extend(check_otel::secrets(subject));
    paths.into_iter().filter_map(|path| in_plain_text(subject, &path)).collect()
}

/// What is said of a secret that is written without a reference.
pub fn in_plain_text(subject: &Subject<'_>, path: &str) -> Option<Diagnostic> {
    let strict = subject.server.security.require_secret_refs;
    let span = subject.place(path)?;
    let key = path.rsplit('.').next().unwrap_or_default();
    (!subject.reading.is_expanded(&span)).then(|| Diagnostic {
        severity: if strict { Severity::Error } else { Severity::Warning },
        ..Diagnostic::error("secret.plaintext", format!("`{key}` stands here in plain text"))
            .at(Some(span), "whoever reads this file knows it")
            .help("write \"${env:NAME}\" or \"${file:/run/secrets/name}\"")
    })
}
