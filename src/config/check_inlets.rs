//! Checks of the doors for calls that come without SIP.

use std::net::IpAddr;

use crate::config::check_http::unbindable;
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::http::is_origin;
use crate::config::inlets::Twilio;
use crate::config::subject::Subject;

/// Checks `[audiosocket]` and `[http.twilio]`.
pub fn inlets(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if let Some(door) = &subject.server.audiosocket {
        found.extend(unbindable(subject, door.bind, "audiosocket.bind"));
        found.extend(audiosocket(subject, door.bind.ip(), &door.allow));
    }
    let twilio = subject.server.http.as_ref().and_then(|http| http.twilio.as_ref());
    found.extend(twilio.and_then(|twilio| self::twilio(subject, twilio)));
    found.extend(web_calls(subject));
    let is_taken = |name: &&&str| subject.server.trunks.contains_key(**name);
    let taken = NAMES.iter().filter(is_taken).filter(|name| is_open(subject, name));
    found.extend(taken.map(|name| {
        Diagnostic::error("trunk.reserved", format!("no trunk can be called `{name}`"))
            .at(subject.place(&format!("trunks.{name}")), "routes know another door by this name")
            .help("choose another name")
    }));
    found
}

/// The name of a door that routes may name as a trunk, when it is open.
pub fn is_open(subject: &Subject<'_>, name: &str) -> bool {
    let server = subject.server;
    match name {
        "audiosocket" => server.audiosocket.is_some(),
        "twilio" => server.http.as_ref().is_some_and(|http| http.twilio.is_some()),
        _ => false,
    }
}

fn audiosocket(
    subject: &Subject<'_>,
    bind: IpAddr,
    allow: &[crate::base::network::Network],
) -> Option<Diagnostic> {
    if allow.is_empty() {
        return Some(
            Diagnostic::error("audiosocket.nobody", "nobody may connect by AudioSocket")
                .at(subject.place("audiosocket.allow"), "an empty list")
                .help("name the address of the Asterisk, as \"192.0.2.10\""),
        );
    }
    let is_own = |network: &crate::base::network::Network| network.host().is_loopback();
    if bind.is_loopback() && !allow.iter().any(is_own) {
        return Some(
            Diagnostic::warning("audiosocket.nobody", "nobody who may connect can")
                .at(subject.place("audiosocket.bind"), "only this machine comes here")
                .help("bind an address that the Asterisk reaches"),
        );
    }
    if !bind.is_loopback() && allow.iter().all(is_own) {
        return Some(
            Diagnostic::warning("audiosocket.nobody", "only this machine may connect")
                .at(subject.place("audiosocket.bind"), "and others come here, too")
                .help("name the address of the Asterisk in allow, as \"192.0.2.10\""),
        );
    }
    None
}

fn twilio(subject: &Subject<'_>, twilio: &Twilio) -> Option<Diagnostic> {
    let at = |message: &str, label: &str| {
        Diagnostic::error("twilio.url", message).at(subject.place("http.twilio.url"), label)
    };
    let rest = twilio.url.strip_prefix("wss://");
    let Some(path) = rest.and_then(|rest| rest.find('/').and_then(|at| rest.get(at..))) else {
        let message = "Twilio dials addresses with wss:// only, and signs them with their path";
        return Some(at(message, "no such address").help(EXAMPLE));
    };
    let path = path.split('?').next().unwrap_or_default();
    (path != PATH).then(|| at("this path is not the one of the door", "another path").help(EXAMPLE))
}

/// Agents that are there, and a way on which browsers give a microphone.
fn web_calls(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(http) = &subject.server.http else { return Vec::new() };
    let Some(calls) = &http.web_calls else { return Vec::new() };
    let mut found = Vec::new();
    for (at, name) in calls.agents.iter().enumerate() {
        if !subject.agents.contains_key(name) {
            let place = subject.element("http.web_calls.agents", at);
            let known = subject.agents.keys().map(String::as_str);
            let label = did_you_mean(name, known);
            let label =
                label.map_or("not defined".to_owned(), |it| format!("did you mean `{it}`?"));
            let message = format!("there is no agent `{name}`");
            found.push(Diagnostic::error("ref.unknown", message).at(place, label));
        }
    }
    for (at, origin) in calls.origins.iter().enumerate() {
        if !is_origin(origin) {
            let place = subject.element("http.web_calls.origins", at);
            found.push(
                Diagnostic::error("web_calls.origin", format!("`{origin}` is no origin"))
                    .at(place, "a scheme and a host, and nothing behind them")
                    .help("write \"https://www.example.com\""),
            );
        }
    }
    if http.tls.is_none() && !http.bind.ip().is_loopback() {
        found.push(
            Diagnostic::warning("web_calls.plain", "browsers give no microphone to this page")
                .at(subject.place("http.web_calls"), "only https:// and this machine get one")
                .help("add tls = \"public\" under [http], or put a proxy with TLS before it"),
        );
    }
    found
}

/// Where the door is.
const PATH: &str = "/v1/streams/twilio";

const EXAMPLE: &str = "write \"wss://voice.example.com/v1/streams/twilio\"";

/// The names by which routes know the doors.
const NAMES: [&str; 3] = ["audiosocket", "twilio", "web"];
