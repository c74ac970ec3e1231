//! From the sockets and certificates in the operator's files to open doors.

use crate::config::settings::{self, Server};
use crate::engine::doors;
use crate::net::tls;
use crate::sip::event::Transport;

/// Where SIP is spoken, and with which certificates.
pub fn doors(server: &Server) -> doors::Settings {
    let listen = server.sip.listen.iter().map(|listen| doors::Listen {
        transport: transport(listen.transport),
        bind: listen.bind,
        tls: listen
            .tls
            .as_ref()
            .filter(|_| listen.transport.is_secure())
            .and_then(|name| server.tls.get(name))
            .map(tls_files)
            .unwrap_or_default(),
        origins: listen.origins.clone(),
    });
    let opened = &server.sip.tls;
    let identity = opened.identity.as_ref().and_then(|name| server.tls.get(name));
    doors::Settings {
        listen: listen.collect(),
        client: tls::Files {
            identity: identity.map(|tls| (tls.cert.clone(), tls.key.clone())),
            authorities: opened.ca.clone(),
        },
        name_servers: server.sip.name_servers.clone(),
    }
}

/// The files of a certificate for a server.
pub fn tls_files(tls: &settings::Tls) -> tls::Files {
    tls::Files {
        identity: Some((tls.cert.clone(), tls.key.clone())),
        authorities: tls.client_ca.clone(),
    }
}

fn transport(transport: settings::Transport) -> Transport {
    match transport {
        settings::Transport::Udp => Transport::Udp,
        settings::Transport::Tcp => Transport::Tcp,
        settings::Transport::Tls => Transport::Tls,
        settings::Transport::Ws => Transport::Ws,
        settings::Transport::Wss => Transport::Wss,
    }
}
