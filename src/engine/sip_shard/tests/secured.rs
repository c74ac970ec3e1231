//! TLS with authorities of our own.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use tokio::net::TcpStream;

use super::super::*;
use super::peer::{Folder, Peer, Setup};
use crate::call::event::Input as CallInput;
use crate::net::tls::{self, Client, Files};
use crate::sip::event::Outgoing;

/// An authority, whose certificates are kept in a folder.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: Arc<Folder>,
    name: &'static str,
}

impl Authority {
    pub fn new(folder: &Arc<Folder>, name: &'static str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        Self { issuer, folder: folder.clone(), name }
    }

    /// Its own certificate.
    pub fn file(&self) -> std::path::PathBuf {
        self.folder.put(&format!("{}.pem", self.name), &self.issuer.pem())
    }

    /// A certificate for the loopback and `pbx.test`, and its key.
    pub fn issue(&self, name: &str) -> (std::path::PathBuf, std::path::PathBuf) {
        let names = ["127.0.0.1", "pbx.test"].map(str::to_owned).to_vec();
        let mut params = CertificateParams::new(names).expect("parameters");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = self.folder.put(&format!("{name}.key"), &key.serialize_pem());
        (self.folder.put(&format!("{name}.pem"), &certificate.pem()), key)
    }
}

async fn peer(at: SocketAddr, files: Files) -> std::io::Result<Peer> {
    let client = Client::load(files).expect("a client");
    let socket = TcpStream::connect(at).await?;
    let stream = client.connector().connect(tls::name(None, at.ip()), socket).await?;
    Ok(Peer::over(Box::new(stream), Transport::Tls))
}

fn believing(authority: &Authority) -> Files {
    Files { identity: None, authorities: Some(authority.file()) }
}

#[tokio::test]
async fn a_call_comes_in_by_tls_from_whoever_believes_our_certificate() {
    let folder = Arc::new(Folder::new());
    let (ours, other) = (Authority::new(&folder, "ours"), Authority::new(&folder, "other"));
    let files = Files { identity: Some(ours.issue("server")), authorities: None };
    let desk = Setup::secured(Transport::Tls, files).start();
    let at = desk.at(Transport::Tls);
    let mut caller = peer(at, believing(&ours)).await.expect("a connection");
    let tag = caller.call().await;
    caller.hang_up(&tag).await;
    assert!(peer(at, believing(&other)).await.is_err());
}

#[tokio::test]
async fn who_must_show_a_certificate_and_has_none_is_not_let_in() {
    let folder = Arc::new(Folder::new());
    let (ours, clients) = (Authority::new(&folder, "ours"), Authority::new(&folder, "clients"));
    let identity = Some(ours.issue("server"));
    let files = Files { identity, authorities: Some(clients.file()) };
    let desk = Setup::secured(Transport::Tls, files).start();
    let at = desk.at(Transport::Tls);
    // With TLS 1.3 a client learns of it when it reads.
    if let Ok(mut nobody) = peer(at, believing(&ours)).await {
        assert!(nobody.octets().await.is_empty());
    }
    let foreign = Files { identity: Some(ours.issue("foreign")), ..believing(&ours) };
    if let Ok(mut foreign) = peer(at, foreign).await {
        assert!(foreign.octets().await.is_empty());
    }
    let proven = Files { identity: Some(clients.issue("client")), ..believing(&ours) };
    let mut proven = peer(at, proven).await.expect("a connection");
    let tag = proven.call().await;
    proven.hang_up(&tag).await;
}

#[tokio::test]
async fn a_new_certificate_is_used_for_the_next_connection_and_calls_go_on() {
    let folder = Arc::new(Folder::new());
    let (former, next) = (Authority::new(&folder, "former"), Authority::new(&folder, "next"));
    let files = Files { identity: Some(former.issue("server")), authorities: None };
    let desk = Setup::secured(Transport::Tls, files).start();
    let at = desk.at(Transport::Tls);
    let mut up = peer(at, believing(&former)).await.expect("a connection");
    let tag = up.call().await;

    // A file that is none changes nothing.
    folder.put("server.pem", "no certificate");
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert!(peer(at, believing(&former)).await.is_ok());

    next.issue("server");
    let began = clock::now();
    while peer(at, believing(&next)).await.is_err() {
        assert!(began.elapsed() < super::peer::PATIENCE, "the new certificate is not used");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(peer(at, believing(&former)).await.is_err());
    up.hang_up(&tag).await;
}

#[tokio::test]
async fn a_call_goes_out_by_tls_to_who_proves_the_name() {
    let folder = Arc::new(Folder::new());
    let ours = Authority::new(&folder, "ours");
    let files = Files { identity: Some(ours.issue("server")), authorities: None };
    let there = Setup::secured(Transport::Tls, files).start();
    let at = there.at(Transport::Tls);
    let here = Setup { client: believing(&ours), ..Setup::plain() }.start();
    for (domain, is_right) in [("pbx.test", true), ("other.test", false)] {
        let session = SessionId(if is_right { 1 } else { 2 });
        let (mailbox, mut inbox) = mailbox::pair();
        here.sip.order(Order::Name(at, domain.to_owned())).await;
        here.sip.order(Order::Adopt(session, mailbox)).await;
        let outgoing = Outgoing {
            session,
            target: format!("sips:desk@{domain}"),
            from: "<sip:here@127.0.0.1>".to_owned(),
            flow: here.sip.sockets.flow_to(Transport::Tls, at).expect("a flow"),
            body: Bytes::from_static(b"v=0\r\n"),
            headers: Vec::new(),
        };
        here.sip.order(Order::Command(Command::Invite(Box::new(outgoing)))).await;
        let settled = loop {
            match inbox.inputs.recv().await {
                Some(CallInput::Sip(Event::Answered { .. })) => break true,
                Some(CallInput::Sip(Event::Ended { .. })) => break false,
                Some(_) => {}
                None => panic!("the shard is gone"),
            }
        };
        assert_eq!(settled, is_right, "{domain}");
        // Its connection must not serve the next one.
        here.sip.order(Order::Command(Command::HangUp { session, reason: None })).await;
        here.sip.order(Order::Close(Connection { transport: Transport::Tls, remote: at })).await;
    }
}
