//! Signed calls (STIR/SHAKEN): what a carrier signs is checked, and what we sign can be checked by
//! others. OpenSSL is the other side: it makes and checks the signatures of these tests.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use voxtrunk::net::tls;

use super::certificates::Authority;
use super::datagrams::{Wire, header};
use super::server::{Folder, House, PATIENCE, Server, finish, program};

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_signed_for_this_very_call_is_good() {
    let stage = Stage::new().await;
    let good = Token::new(&stage.url("/signer.pem"));
    let sign = |token: &Token| Some(stage.sign(token));
    let compact = "..c2ln;info=<https://127.0.0.1/a>;ppt=shaken";
    let giant = format!("a.b.c;info=<https://127.0.0.1/{}>;ppt=shaken", "a".repeat(5_000));
    let cases = [
        (sign(&good), 200),
        (None, 428),
        (Some(stage.sign(&good).replace("ppt=shaken", "ppt=div")), 428),
        (sign(&Token { issued: now() - 3_600, ..good.clone() }), 403),
        (sign(&Token { issued: now() + 3_600, ..good.clone() }), 403),
        (Some(tampered(&stage.sign(&good))), 438),
        (sign(&Token { caller: "4930999999", ..good.clone() }), 438),
        (sign(&Token { called: "4930999999", ..good.clone() }), 438),
        (Some(compact.to_owned()), 438),
        (Some(giant), 438),
    ];
    stage.expect(&cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_must_be_where_we_go_and_have_an_authority_behind_it() {
    let stage = Stage::new().await;
    let at = |url: &str| Some(stage.sign(&Token::new(url)));
    let cases = [
        (at(&stage.url("/signer.pem")), 200),
        (at(&stage.url("/stranger.pem")), 437),
        (at(&stage.url("/web.pem")), 437),
        (at(&stage.url("/nothing.pem")), 437),
        (at(&stage.url("/missing.pem")), 436),
        (at(&stage.url("/elsewhere.pem")), 436),
        (at(&stage.url("/endless.pem")), 436),
        (at("https://127.0.0.2/a.pem"), 436),
        (at("https://localhost/a.pem"), 436),
        (at("https://169.254.169.254/latest"), 436),
        (at("http://127.0.0.1/a.pem"), 436),
    ];
    stage.expect(&cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_certificates_fetched_that_never_come_holds_nobody_up() {
    let stage = Stage::new().await;
    let server = stage.server("require").await;
    let never = |at: u32| stage.sign(&Token::new(&stage.url(&format!("/never-{at}.pem"))));
    let mut hostile = Vec::new();
    for at in 0..16 {
        let mut wire = Wire::open("127.0.0.1:0", server.address).await;
        let invite = signed(&mut wire, Some(&never(at)));
        wire.send(invite.as_bytes()).await;
        hostile.push(wire);
    }
    for wire in &hostile {
        let trying = wire.receive(PATIENCE).await.expect("an answer");
        assert!(trying.starts_with("SIP/2.0 100"), "{trying}");
    }
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let busy = call(&mut wire, Some(&never(16))).await;
    assert!(busy.starts_with("SIP/2.0 503"), "{busy}");
    assert_ne!(header(&busy, "Retry-After"), "");
    assert!(call(&mut wire, None).await.starts_with("SIP/2.0 428"));
    for wire in &mut hostile {
        let answer = last_answer(wire, "INVITE").await;
        assert!(answer.starts_with("SIP/2.0 436"), "{answer}");
    }
    let good = call(&mut wire, Some(&stage.sign(&Token::new(&stage.url("/signer.pem"))))).await;
    assert!(good.starts_with("SIP/2.0 200"), "{good}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_serves_one_call_and_a_certificate_is_fetched_once() {
    let stage = Stage::new().await;
    let server = stage.server("require").await;
    let token = Token::new(&stage.url("/signer.pem"));
    let identity = stage.sign(&token);
    let server_at = server.address;
    let mut wire = Wire::open("127.0.0.1:0", server_at).await;
    let (first, again) =
        (call(&mut wire, Some(&identity)).await, call(&mut wire, Some(&identity)).await);
    assert!(first.starts_with("SIP/2.0 200"), "{first}");
    assert!(again.starts_with("SIP/2.0 438"), "{again}");
    assert!(header(&again, "Warning").contains("another call"), "{again}");
    // Three callers at once wait for one certificate.
    let other = Token::new(&stage.url("/other.pem"));
    let identities = [stage.sign(&other), stage.sign(&other), stage.sign(&other)];
    let calls = identities.map(|identity| async move {
        let mut wire = Wire::open("127.0.0.1:0", server_at).await;
        call(&mut wire, Some(&identity)).await
    });
    for answer in futures_util::future::join_all(calls).await {
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    }
    assert_eq!(stage.fetched(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_signatures_are_only_checked_routes_see_what_came_of_it() {
    let stage = Stage::new().await;
    let server = stage.server("verify").await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let attested = call(&mut wire, Some(&stage.sign(&Token::new(&stage.url("/signer.pem"))))).await;
    let unsigned = call(&mut wire, None).await;
    let wrong =
        call(&mut wire, Some(&tampered(&stage.sign(&Token::new(&stage.url("/signer.pem")))))).await;
    assert!(attested.starts_with("SIP/2.0 200"), "{attested}");
    assert!(!attested.contains("Reason:"), "{attested}");
    // The route for calls that nobody vouches for says busy.
    for answer in [unsigned, wrong] {
        assert!(answer.starts_with("SIP/2.0 486"), "{answer}");
    }
    let mut records = server.records(3).await;
    // Calls of the same millisecond stand in any order.
    records.sort_by_key(|record| record["stir"]["status"].as_u64());
    let routes: Vec<&Value> = records.iter().map(|record| &record["route"]).collect();
    assert_eq!(routes, ["attested", "unsigned", "unsigned"]);
    let statuses: Vec<&Value> = records.iter().map(|record| &record["stir"]["status"]).collect();
    assert_eq!(statuses, [&Value::Null, &json!(428), &json!(438)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_gives_up_while_the_certificate_is_fetched_is_let_go() {
    let stage = Stage::new().await;
    let server = stage.server("require").await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let identity = stage.sign(&Token::new(&stage.url("/never.pem")));
    let invite = signed(&mut wire, Some(&identity));
    wire.send(invite.as_bytes()).await;
    let trying = wire.receive(Duration::from_secs(5)).await.expect("an answer");
    assert!(trying.starts_with("SIP/2.0 100"), "{trying}");
    // Others are served meanwhile.
    let mut other = Wire::open("127.0.0.1:0", server.address).await;
    assert!(call(&mut other, None).await.starts_with("SIP/2.0 428"));
    let head = invite.split("\r\nContact:").next().expect("a head");
    let cancel =
        head.replace("INVITE", "CANCEL") + "\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    wire.send(cancel.as_bytes()).await;
    let given_up = last_answer(&mut wire, "INVITE").await;
    assert!(given_up.starts_with("SIP/2.0 487"), "{given_up}");
    let records = server.records(2).await;
    assert_eq!(records.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_sign_is_right_for_whoever_checks_it() {
    let stage = Stage::new().await;
    let key = stage.folder.path("signer.key");
    let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let port = peer.local_addr().expect("it is bound").port();
    let trunk = format!(
        "[trunks.carrier]\nhost = \"127.0.0.1:{port}\"\ndomain = \"carrier.test\"\n\
         options_ping = \"off\"\ncaller_id = \"+4971112345\"\n\
         [trunks.carrier.stir]\nattest = \"A\"\nkey = {key:?}\nx5u = {:?}\n",
        stage.url("/signer.pem")
    );
    let route = "[[route]]\ndid = \"own\"\nto = \"trunk:carrier/+4930123456\"\n\
                 [[route]]\nto = \"busy\"\n";
    let server = Server::start(House::with(route).and(&trunk)).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    for (from, attest) in [("+4971112345", "A"), ("+4989123456", "C")] {
        let body = wire.description();
        let invite = wire.request("INVITE", "own", &body);
        wire.send(invite.replacen("sip:wire@", &format!("sip:{from}@"), 1).as_bytes()).await;
        let (received, at) = invited(&peer).await;
        assert!(received.starts_with("INVITE sip:+4930123456@carrier.test"), "{received}");
        peer.send_to(refusal(&received).as_bytes(), at).await.expect("it is sent");
        stage.verify(header(&received, "Identity"), from.trim_start_matches('+'), attest);
        last_answer(&mut wire, "INVITE").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_said_before_the_server_starts() {
    let folder = Folder::new();
    let house = House::with("[[route]]\nto = \"busy\"\n").and(
        "[security.stir]\nauthorities = \"nowhere.pem\"\n\
         [trunks.one.stir]\nattest = \"A\"\nkey = \"nowhere.key\"\n\
         x5u = \"https://cert.example/a.pem\"\n\
         [trunks.two.stir]\ninbound = \"require\"\nattest = \"B\"\n",
    );
    let mut serve = program();
    serve.arg("serve").arg("--config").arg(house.write(&folder));
    let (code, text) = finish(serve).await;
    assert_ne!(code, Some(0), "{text}");
    for words in ["stir.key", "nowhere.key", "openssl ecparam", "stir.authorities", "nowhere.pem"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text.contains("trunk `two` cannot sign its calls without `key`"), "{text}");
}

/// An authority, somebody with a certificate of it, and the web server where that is.
struct Stage {
    folder: Folder,
    web: Authority,
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

/// What is to be signed.
#[derive(Clone)]
struct Token {
    caller: &'static str,
    called: &'static str,
    issued: u64,
    url: String,
}

impl Token {
    fn new(url: &str) -> Self {
        Self { caller: &CALLER[1..], called: &CALLED[1..], issued: now(), url: url.to_owned() }
    }
}

impl Stage {
    async fn new() -> Self {
        let folder = Folder::new();
        let web = Authority::write(&folder);
        let (issuer, stranger) = (authority(), authority());
        folder.put("believed.pem", issuer.pem());
        let key = KeyPair::generate().expect("a key");
        folder.put("signer.key", key.serialize_pem());
        folder.put("signer.pub", key.public_key_pem());
        let signer = certificate(&key, &issuer, true);
        let pages = vec![
            ("/signer.pem", signer.clone() + &issuer.pem()),
            ("/other.pem", signer.clone()),
            ("/nothing.pem", "nothing".to_owned()),
            ("/stranger.pem", certificate(&key, &stranger, true)),
            ("/web.pem", certificate(&key, &issuer, false)),
            ("/endless.pem", format!("{signer}{}", " ".repeat(70_000))),
        ];
        let files = web.files();
        let acceptor = tls::Server::load(files).expect("a certificate").acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, pages, count) = (acceptor.clone(), pages.clone(), count.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut request = vec![0; 4_096];
                    let read = stream.read(&mut request).await.unwrap_or_default();
                    let request = String::from_utf8_lossy(&request[..read]).into_owned();
                    let path = request.split(' ').nth(1).unwrap_or_default();
                    if path.starts_with("/never") {
                        return std::future::pending().await;
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                    let page = pages.iter().find(|(name, _)| *name == path);
                    let answer = match page {
                        Some((_, page)) => format!(
                            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\
                             Content-Length: {}\r\n\r\n{page}",
                            page.len()
                        ),
                        None if path == "/elsewhere.pem" => {
                            "HTTP/1.1 302 Found\r\nLocation: /signer.pem\r\n\
                             Content-Length: 0\r\n\r\n"
                                .to_owned()
                        }
                        None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
                    };
                    stream.write_all(answer.as_bytes()).await.ok();
                    stream.shutdown().await.ok();
                });
            }
        });
        Self { folder, web, address, asked }
    }

    /// A server whose trunk wants that done about signatures.
    async fn server(&self, inbound: &str) -> Server {
        let (authorities, ca) = (self.folder.path("believed.pem"), &self.web.file);
        let settings = format!(
            "[trunks.local.stir]\ninbound = {inbound:?}\n\
             [security.stir]\nauthorities = {authorities:?}\nhosts = [\"127.0.0.1\"]\n\
             [sip.tls]\nca = {ca:?}\n"
        );
        let plan = "[[route]]\nname = \"attested\"\nattestation = [\"A\", \"B\"]\nto = \"echo\"\n\
                    [[route]]\nname = \"unsigned\"\nattestation = \"none\"\nto = \"busy\"\n\
                    [[route]]\nto = \"hangup:404\"\n";
        Server::start(House::with(plan).and(&settings)).await
    }

    /// Has each header come to a server that requires a good one: the answer and the record say
    /// what came of it.
    async fn expect(&self, cases: &[(Option<String>, u16)]) {
        let server = self.server("require").await;
        let mut wire = Wire::open("127.0.0.1:0", server.address).await;
        for (at, (identity, status)) in cases.iter().enumerate() {
            let answer = call(&mut wire, identity.as_deref()).await;
            let is_so = answer.starts_with(&format!("SIP/2.0 {status}"));
            assert!(is_so, "case {at}: {answer}\n{}", server.log());
            let records = server.records(at + 1).await;
            // Two that came within a millisecond stand in any order.
            let own = |it: &&Value| it["legs"][0]["sip"]["call_id"] == header(&answer, "Call-ID");
            let record = records.iter().find(own).expect("its record");
            let said = &record["stir"];
            assert_eq!(record["from"]["number"], CALLER);
            let verstat = match status {
                200 => "TN-Validation-Passed",
                428 => "No-TN-Validation",
                _ => "TN-Validation-Failed",
            };
            assert_eq!(said["verstat"], verstat, "case {at}: {said:#}");
            if *status == 200 {
                let all = [&said["attestation"], &said["signer"], &said["origid"], &said["reason"]];
                assert_eq!(all, [&json!("A"), &json!("709J"), &json!(ORIGIN), &Value::Null]);
                continue;
            }
            assert!(answer.contains(&format!("Reason: STIR;cause={status}")), "{answer}");
            let why = said["reason"].as_str().expect("a reason");
            assert!(header(&answer, "Warning").contains(why), "{why}: {answer}");
            assert_eq!(
                (&said["status"], &record["end_reason"]),
                (&json!(status), &json!("rejected"))
            );
        }
        assert!(server.log().contains("caller checked"));
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn fetched(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// The value of an Identity header, signed by OpenSSL.
    fn sign(&self, token: &Token) -> String {
        let header =
            json!({ "alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": token.url });
        let claims = json!({
            "attest": "A",
            "dest": { "tn": [token.called] },
            "iat": token.issued,
            "orig": { "tn": token.caller },
            "origid": ORIGIN,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let key = self.folder.path("signer.key");
        let der = openssl(&["dgst", "-sha256", "-sign", text(&key), text(&self.put(&signed))]);
        let signature = URL_SAFE_NO_PAD.encode(fixed(&der));
        format!("{signed}.{signature};info=<{}>;alg=ES256;ppt=shaken", token.url)
    }

    /// Has OpenSSL check what we signed, and looks at what it says.
    fn verify(&self, identity: &str, caller: &str, attest: &str) {
        let (token, rest) = identity.split_once(';').expect("parameters");
        let url = self.url("/signer.pem");
        assert_eq!(rest, format!("info=<{url}>;alg=ES256;ppt=shaken"));
        let (signed, signature) = token.rsplit_once('.').expect("a signature");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        let der = self.folder.put("signature.der", der(&signature));
        let key = self.folder.path("signer.pub");
        let arguments = ["dgst", "-sha256", "-verify", text(&key), "-signature", text(&der)];
        openssl(&[&arguments[..], &[text(&self.put(signed))]].concat());
        let part = |at: usize| {
            let part = signed.split('.').nth(at).expect("two parts");
            let octets = URL_SAFE_NO_PAD.decode(part).expect("base64url");
            serde_json::from_slice::<Value>(&octets).expect("JSON")
        };
        let expected = json!({ "alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": url });
        assert_eq!(part(0), expected);
        let claims = part(1);
        assert_eq!(claims["attest"], attest);
        assert_eq!(claims["orig"], json!({ "tn": caller }));
        assert_eq!(claims["dest"], json!({ "tn": ["4930123456"] }));
        assert!(claims["iat"].as_u64().expect("seconds").abs_diff(now()) < 30);
        let origin = claims["origid"].as_str().expect("a text");
        assert_eq!(origin.len(), 36);
    }

    fn put(&self, signed: &str) -> PathBuf {
        self.folder.put("signed", signed)
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("an authority")
}

/// A certificate, with the code of a service provider if it is for signing.
fn certificate(key: &KeyPair, issuer: &CertifiedIssuer<'static, KeyPair>, signs: bool) -> String {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    if signs {
        let list = [&[0x30, 0x08, 0xa0, 0x06, 0x16, 0x04][..], b"709J"].concat();
        let list = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 26], list);
        params.custom_extensions = vec![list];
    }
    params.signed_by(key, issuer).expect("a certificate").pem()
}

/// Calls; gives the final answer, acknowledged and hung up.
async fn call(wire: &mut Wire, identity: Option<&str>) -> String {
    let invite = signed(wire, identity);
    wire.send(invite.as_bytes()).await;
    let answer = last_answer(wire, "INVITE").await;
    let (to, call_id) = (header(&answer, "To").to_owned(), header(&answer, "Call-ID").to_owned());
    if answer.starts_with("SIP/2.0 200") {
        let bye = wire.request("BYE", CALLED, "");
        let bye = bye
            .replace(header(&bye, "To"), &to)
            .replace(header(&bye, "Call-ID"), &call_id)
            .replace(header(&bye, "From"), header(&answer, "From"))
            .replace("CSeq: 1 BYE", "CSeq: 2 BYE");
        let ack = bye.replace("BYE", "ACK").replace("CSeq: 2", "CSeq: 1");
        wire.send(ack.as_bytes()).await;
        wire.send(bye.as_bytes()).await;
        last_answer(wire, "BYE").await;
    }
    answer
}

/// An INVITE of the caller with an Identity header.
fn signed(wire: &mut Wire, identity: Option<&str>) -> String {
    let body = wire.description();
    let invite = wire.request("INVITE", CALLED, &body);
    let invite = invite.replacen("<sip:wire@", &format!("<sip:{CALLER}@"), 1);
    match identity {
        Some(identity) => {
            invite.replacen("Max-Forwards", &format!("Identity: {identity}\r\nMax-Forwards"), 1)
        }
        None => invite,
    }
}

/// The final answer to a request of that method; to an INVITE it is acknowledged.
async fn last_answer(wire: &mut Wire, method: &str) -> String {
    for _ in 0..50 {
        let answer = wire.receive(Duration::from_secs(20)).await.expect("an answer");
        let is_final = !answer.starts_with("SIP/2.0 1") && answer.starts_with("SIP/2.0 ");
        if !is_final || !header(&answer, "CSeq").ends_with(method) {
            continue;
        }
        if method == "INVITE" && !answer.starts_with("SIP/2.0 2") {
            let line = |name: &str| format!("{name}: {}\r\n", header(&answer, name));
            let ack = format!(
                "ACK sip:{CALLED}@{} SIP/2.0\r\n{}{}{}{}CSeq: 1 ACK\r\nMax-Forwards: 70\r\n\
                 Content-Length: 0\r\n\r\n",
                wire.to,
                line("Via"),
                line("From"),
                line("To"),
                line("Call-ID")
            );
            wire.send(ack.as_bytes()).await;
        }
        return answer;
    }
    panic!("no final answer to {method}");
}

/// The next INVITE that a peer gets.
async fn invited(peer: &UdpSocket) -> (String, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    loop {
        let received = tokio::time::timeout(PATIENCE, peer.recv_from(&mut buffer)).await;
        let (length, at) = received.expect("an INVITE").expect("the loopback");
        let received = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if received.starts_with("INVITE ") {
            return (received, at);
        }
    }
}

/// What a peer says that is busy.
fn refusal(invite: &str) -> String {
    let line = |name: &str| format!("{name}: {}\r\n", header(invite, name));
    let to = format!("To: {};tag=busy\r\n", header(invite, "To"));
    let same = ["Via", "From", "Call-ID", "CSeq"].map(line).concat();
    format!("SIP/2.0 486 Busy Here\r\n{same}{to}Content-Length: 0\r\n\r\n")
}

/// Changes a letter in the middle of the signature.
fn tampered(identity: &str) -> String {
    let (token, rest) = identity.split_once(';').expect("parameters");
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let mut octets = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    octets[40] ^= 1;
    format!("{signed}.{};{rest}", URL_SAFE_NO_PAD.encode(octets))
}

/// R and S out of a signature as OpenSSL writes it: SEQUENCE of two INTEGERs.
fn fixed(der: &[u8]) -> Vec<u8> {
    let first = usize::from(der[3]);
    let (r, s) = (&der[4..4 + first], &der[6 + first..]);
    let wide = |number: &[u8]| {
        let bare: Vec<u8> = number.iter().copied().skip_while(|octet| *octet == 0).collect();
        [vec![0; 32 - bare.len()], bare].concat()
    };
    [wide(r), wide(s)].concat()
}

/// The other way round.
fn der(fixed: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let bare: Vec<u8> = number.iter().copied().skip_while(|octet| *octet == 0).collect();
        let sign =
            if bare.first().is_some_and(|octet| *octet >= 0x80) { vec![0] } else { Vec::new() };
        let body = [sign, bare].concat();
        [vec![2, u8::try_from(body.len()).expect("short")], body].concat()
    };
    let body = [integer(&fixed[..32]), integer(&fixed[32..])].concat();
    [vec![0x30, u8::try_from(body.len()).expect("short")], body].concat()
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output =
        Command::new("openssl").args(arguments).output().expect("openssl: run ./dev setup");
    assert!(output.status.success(), "openssl {arguments:?}: {output:?}");
    output.stdout
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs()
}

const CALLER: &str = "+4930123456";

const CALLED: &str = "+4971112345";

const ORIGIN: &str = "123e4567-e89b-12d3-a456-426655440000";
