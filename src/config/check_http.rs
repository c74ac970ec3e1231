//! Checks of the HTTP door.

use std::net::SocketAddr;

use crate::config::check_listen;
use crate::config::diagnostic::Diagnostic;
use crate::config::http::is_origin;
use crate::config::listen::Transport;
use crate::config::subject::Subject;

/// Checks the door, if there is to be one.
pub fn door(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if subject.server.security.http.webhooks.allow_private_networks {
        found.push(
            Diagnostic::error("security.private_networks", "no webhook may go everywhere inside")
                .at(subject.place("security.http.webhooks.allow_private_networks"), "all of them")
                .help("name the hosts that you trust: [security.webhooks] allow = [\"10.0.0.5\"]"),
        );
    }
    let Some(http) = &subject.server.http else { return found };
    found.extend(unbindable(subject, http.bind, "http.bind"));
    if let Some(admin) = http.admin {
        found.extend(unbindable(subject, admin.bind, "http.admin.bind"));
        if admin.bind == http.bind && admin.bind.port() != 0 {
            found.push(twice(subject, admin.bind, ("http.bind", "http.admin.bind")));
        }
        if !admin.bind.ip().is_loopback() {
            found.push(
                Diagnostic::warning("http.open", "metrics are told to whoever asks")
                    .at(subject.place("http.admin.bind"), "not only this machine comes here")
                    .help("bind 127.0.0.1, or let a firewall stand before it"),
            );
        }
    }
    for (at, origin) in http.cors.iter().enumerate().filter(|(_, origin)| !is_origin(origin)) {
        let how = match origin.as_str() {
            "*" => "name the sites: keys are not for pages of everybody",
            _ => "write \"https://app.example.com\"",
        };
        found.push(
            Diagnostic::error("http.cors", format!("`{origin}` is no origin"))
                .at(
                    subject.element("http.cors", at),
                    "a scheme and a host, and nothing behind them",
                )
                .help(how),
        );
    }
    if let Some(url) = http.public_url.as_deref().filter(|url| !is_base(url)) {
        let message = format!("`{url}` is not the address of a server");
        found.push(
            Diagnostic::error("http.public_url", message)
                .at(subject.place("http.public_url"), "here")
                .help("write such as \"https://voice.example.com\", without a slash at its end"),
        );
    }
    match &http.tls {
        Some(name) => found.extend(check_listen::undefined(subject, name, "http.tls")),
        None if !http.bind.ip().is_loopback() => found.push(
            Diagnostic::warning("http.plain", "keys go over the network without TLS")
                .at(subject.place("http.bind"), "others can read them on the way")
                .help("add tls = \"public\" and a table [tls.public], or put a proxy before it"),
        ),
        None => {}
    }
    found
}

/// Whether paths can be put behind it.
fn is_base(url: &str) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b".-:[]/_".contains(&it);
    matches!(scheme, "http" | "https")
        && !rest.is_empty()
        && !rest.starts_with('/')
        && !rest.ends_with('/')
        && rest.bytes().all(is_plain)
}

/// An address that is not ours, or taken: SIP over TCP, TLS and WebSockets has the same ports.
pub fn unbindable(subject: &Subject<'_>, bind: SocketAddr, path: &str) -> Option<Diagnostic> {
    let ip = bind.ip();
    if !ip.is_unspecified() && subject.external.owns(ip) == Some(false) {
        let message = format!("{ip} is not an address of this machine");
        return Some(
            Diagnostic::error("address.foreign", message)
                .at(subject.place(path), "a socket cannot be bound to it")
                .help("bind an address of this machine"),
        );
    }
    let listens = subject.server.sip.listen.iter();
    let at = listens.enumerate().find(|(_, listen)| {
        listen.transport != Transport::Udp && listen.bind == bind && bind.port() != 0
    })?;
    Some(twice(subject, bind, (&format!("sip.listen[{}].bind", at.0), path)))
}

fn twice(subject: &Subject<'_>, bind: SocketAddr, (first, second): (&str, &str)) -> Diagnostic {
    Diagnostic::error("listen.twice", format!("two sockets cannot be bound to {bind}"))
        .at(subject.place(first), "taken here")
        .at(subject.place(second), "and wanted here")
        .help("choose another port")
}
