//! Checks of `[otel]`.

use std::net::IpAddr;

use crate::base::secret::ExposeSecret;
use crate::config::diagnostic::Diagnostic;
use crate::config::otel::{Otel, Protocol};
use crate::config::subject::Subject;

/// Checks who collects calls as traces.
pub fn collector(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(otel) = &subject.server.otel else { return Vec::new() };
    let place = || subject.place("otel.endpoint");
    let mut found = values(subject, otel);
    let Some((is_secure, host, port)) = otel.place() else {
        let message = format!("`{}` is no collector", otel.endpoint);
        found.push(
            Diagnostic::error("otel.endpoint", message)
                .at(place(), "here")
                .help("write \"http://127.0.0.1:4317\", or \"https://\" and its name"),
        );
        return found;
    };
    let is_here = match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    };
    if !is_secure && !is_here {
        found.push(
            Diagnostic::warning(
                "otel.plain",
                "what calls come to would cross the network unencrypted",
            )
            .at(place(), "neither TLS nor this machine")
            .help("write \"https://\", or let a collector stand on this machine that sends it on"),
        );
    }
    let other = match otel.protocol {
        Protocol::Grpc => Protocol::Http,
        Protocol::Http => Protocol::Grpc,
    };
    if port == other.usual_port() {
        let (own, other) = (otel.protocol.name(), other.name());
        let message = format!("at port {port} collectors usually speak {other}, not {own}");
        found.push(Diagnostic::warning("otel.port", message).at(place(), "here").help(format!(
            "write protocol = \"{other}\", or the port {}",
            otel.protocol.usual_port()
        )));
    }
    found
}

/// Where secrets stand: the headers that look like some.
pub fn secrets(subject: &Subject<'_>) -> Vec<String> {
    let names = subject.server.otel.iter().flat_map(|otel| otel.headers.keys());
    let is_secret = |name: &&String| {
        let small = name.to_ascii_lowercase();
        ["auth", "key", "token", "secret"].iter().any(|word| small.contains(word))
    };
    names.filter(is_secret).map(|name| format!("otel.headers.{name}")).collect()
}

fn values(subject: &Subject<'_>, otel: &Otel) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if !(0.0..=1.0).contains(&otel.sample) {
        found.push(
            Diagnostic::error("value.range", "`sample` is between 0 and 1")
                .at(subject.place("otel.sample"), "a part of all calls")
                .help("1 tells every call, 0.1 each tenth, 0 none"),
        );
    }
    if otel.service_name.trim().is_empty() {
        found.push(
            Diagnostic::error("otel.service_name", "a server without a name is not found again")
                .at(subject.place("otel.service_name"), "empty")
                .help("take it out, or write such as \"voxtrunk-berlin\""),
        );
    }
    for (name, value) in &otel.headers {
        let path = format!("otel.headers.{name}");
        let is_name = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
        let is_value = |it: u8| it == b'\t' || (32..127).contains(&it);
        let fits = !name.is_empty()
            && name.bytes().all(is_name)
            && value.expose_secret().bytes().all(is_value);
        if !fits {
            let message = format!("the header `{name}` cannot be sent");
            found.push(
                Diagnostic::error("otel.headers", message)
                    .at(subject.place(&path), "here")
                    .help("a name has letters, digits and dashes, a value is one line of ASCII"),
            );
        }
    }
    found
}
