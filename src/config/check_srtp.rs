//! Checks of SRTP: keys in session descriptions are secret only where the signalling is.

use crate::config::diagnostic::Diagnostic;
use crate::config::srtp::Srtp;
use crate::config::subject::Subject;
use crate::config::trunk::{Carrier, Trunk};

/// Checks what the machine says of SRTP.
pub fn machine(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let (rtp, mut found) = (&subject.server.rtp, Vec::new());
    if rtp.insecure_sdes {
        found.push(
            Diagnostic::warning("srtp.insecure_sdes", "keys of SRTP may go in the open")
                .at(
                    subject.place("rtp.insecure_sdes"),
                    "whoever reads the signalling hears the calls",
                )
                .help("use TLS, and take this out"),
        );
    }
    if rtp.srtp_suites.is_empty() {
        found.push(
            Diagnostic::error("srtp.no_suite", "SRTP has no suite that may be used")
                .at(subject.place("rtp.srtp_suites"), "empty")
                .help("take it out, or set srtp = \"off\""),
        );
    }
    let has_tls = subject.server.sip.listen.iter().any(|listen| listen.transport.is_secure());
    if rtp.srtp == Srtp::Required && !rtp.insecure_sdes && !has_tls {
        found.push(
            Diagnostic::error("srtp.without_tls", "SRTP is required, and no call can come by TLS")
                .at(subject.place("rtp.srtp"), "every call that comes in would be refused")
                .help("add a socket with transport = \"tls\": keys are secret only there"),
        );
    }
    found
}

/// Checks what a trunk says of SRTP.
pub fn trunk(subject: &Subject<'_>, name: &str, trunk: &Trunk) -> Option<Diagnostic> {
    let rtp = &subject.server.rtp;
    let required = trunk.srtp == Some(Srtp::Required) && !rtp.insecure_sdes;
    let calls_out = trunk.host.is_some() || trunk.registers();
    (required && calls_out && trunk.transport != Carrier::Tls).then(|| {
        let message = format!("trunk `{name}` requires SRTP, and its keys would go in the open");
        Diagnostic::error("srtp.without_tls", message)
            .at(subject.place(&format!("trunks.{name}.srtp")), "no call could be made")
            .help("set transport = \"tls\" in this trunk")
    })
}
