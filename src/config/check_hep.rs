//! Checks of `[hep]`.

use std::net::IpAddr;

use crate::base::network;
use crate::config::diagnostic::Diagnostic;
use crate::config::subject::Subject;

/// Checks who collects what is said on the wire.
pub fn collector(subject: &Subject<'_>) -> Option<Diagnostic> {
    let hep = subject.server.hep.as_ref()?;
    let place = || subject.place("hep.collector");
    let Some((host, _)) = hep.place() else {
        let message = format!("`{}` is no collector", hep.collector);
        return Some(
            Diagnostic::error("hep.collector", message)
                .at(place(), "here")
                .help("write \"udp://homer.internal:9060\": it is told by UDP"),
        );
    };
    let is_public = host.parse::<IpAddr>().is_ok_and(network::is_public);
    is_public.then(|| {
        Diagnostic::warning("hep.public", "who calls whom would cross the internet unencrypted")
            .at(place(), "not a network of yours")
            .help("let the collector stand beside this machine, or a tunnel between")
    })
}
