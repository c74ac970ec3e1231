//! Checks of the sockets on which SIP is spoken.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::listen::{Listen, Transport};
use crate::config::subject::Subject;

/// Checks every socket and certificate.
pub fn listens(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = twice(subject);
    for (at, listen) in subject.server.sip.listen.iter().enumerate() {
        found.extend(certificate(subject, listen, at));
        found.extend(pages(subject, listen, at));
    }
    if let Some(name) = &subject.server.sip.tls.identity {
        found.extend(undefined(subject, name, "sip.tls.identity"));
    }
    found
}

/// TCP, TLS and WebSockets share the ports of TCP; UDP has its own.
fn twice(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut taken: HashMap<(bool, SocketAddr), usize> = HashMap::new();
    for (at, listen) in subject.server.sip.listen.iter().enumerate() {
        let key = (listen.transport == Transport::Udp, listen.bind);
        if listen.bind.port() == 0 {
            continue;
        }
        let Some(first) = taken.get(&key) else {
            taken.insert(key, at);
            continue;
        };
        let message = format!("two sockets cannot be bound to {}", listen.bind);
        found.push(
            Diagnostic::error("listen.twice", message)
                .at(subject.place(&format!("sip.listen[{first}].bind")), "taken here")
                .at(subject.place(&format!("sip.listen[{at}].bind")), "and wanted here")
                .help("TCP, TLS and WebSockets share their ports: choose another one"),
        );
    }
    found
}

fn certificate(subject: &Subject<'_>, listen: &Listen, at: usize) -> Option<Diagnostic> {
    let (transport, path) = (listen.transport.name(), format!("sip.listen[{at}]"));
    match &listen.tls {
        Some(name) if listen.transport.is_secure() => {
            undefined(subject, name, &format!("{path}.tls"))
        }
        Some(_) => {
            let message = format!("{transport} needs no certificate");
            Some(
                Diagnostic::warning("tls.unused", message)
                    .at(subject.place(&format!("{path}.tls")), "not used")
                    .help("take it out, or set transport = \"tls\" or \"wss\""),
            )
        }
        None if listen.transport.is_secure() => {
            let message = format!("{transport} needs a certificate");
            Some(
                Diagnostic::error("tls.missing", message)
                    .at(subject.place(&format!("{path}.transport")), "whose?")
                    .help("add tls = \"public\" here, and a table [tls.public] with cert and key"),
            )
        }
        None => None,
    }
}

/// What is said of a certificate that is not there.
pub fn undefined(subject: &Subject<'_>, name: &str, path: &str) -> Option<Diagnostic> {
    let known = &subject.server.tls;
    if known.contains_key(name) {
        return None;
    }
    let label = match did_you_mean(name, known.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "not defined".to_owned(),
    };
    Some(
        Diagnostic::error("ref.unknown", format!("there is no certificate `{name}`"))
            .at(subject.place(path), label)
            .help(format!("add a table [tls.{name}] with cert and key")),
    )
}

fn pages(subject: &Subject<'_>, listen: &Listen, at: usize) -> Option<Diagnostic> {
    let is_lost = !listen.origins.is_empty() && !listen.transport.is_web();
    is_lost.then(|| {
        let message = format!("no browser speaks {}", listen.transport.name());
        Diagnostic::warning("origins.unused", message)
            .at(subject.place(&format!("sip.listen[{at}].origins")), "not used")
            .help("`origins` belongs to transport = \"ws\" or \"wss\"")
    })
}
