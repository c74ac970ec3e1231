//! Carriers and telephone systems, each with its own ways, played by SIPp.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::process::Command;
use tokio::task::JoinHandle;
use voxtrunk::base::secret::Secret;
use voxtrunk::call::placement::Caller;
use voxtrunk::sip::account::Account;
use voxtrunk::sip::digest::Credentials;
use voxtrunk::sip::event::{Ending, Party};

use super::line::Line;
use super::server::{Folder, House, SOURCE, Server, finish, within};

#[tokio::test(flavor = "multi_thread")]
async fn registrars_of_every_temper_are_served() {
    for (scenario, word) in [
        ("register_challenged", "registered"),
        ("register_too_brief", "registered"),
        ("register_two_challenges", "registered"),
        ("register_stale", "registered"),
        ("register_rejected", "credentials rejected"),
        ("register_unavailable", "not registered"),
    ] {
        let port = free_port();
        let peer = peer(scenario, port, "x");
        let server = Server::start(House::porter().and(&account("generic", port))).await;
        let done = format!("\"message\":\"{word}");
        within(Duration::from_secs(20), scenario, || server.log().contains(&done).then_some(()))
            .await;
        assert_eq!(peer.await.expect("it does not panic"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_carrier_is_called_in_its_own_way() {
    let cases = [
        ("carrier_sipgate", "sipgate", "register = false"),
        ("carrier_telekom", "telekom-companyflex", "register = false\ntransport = \"udp\""),
        ("carrier_fritzbox", "fritzbox", "register = false"),
        ("carrier_telnyx", "telnyx", "register = false"),
        ("carrier_easybell", "easybell", "register = false"),
        ("carrier_twilio", "twilio-elastic", ""),
    ];
    for (scenario, preset, more) in cases {
        let port = free_port();
        let peer = peer(scenario, port, "x");
        let proxy = if preset.starts_with("telekom") {
            format!("outbound_proxy = \"127.0.0.1:{port}\"\n")
        } else {
            String::new()
        };
        let line = Line::open(&format!("{}{proxy}{more}\n", account(preset, port)));
        let ending = line.place("tel:+4930123456", caller()).await;
        assert!(is_our_bye(&ending), "{scenario}: {ending:?}");
        assert_eq!(peer.await.expect("it does not panic"), None);
        line.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn telephone_systems_are_called_without_a_password() {
    for (scenario, preset) in
        [("carrier_asterisk", "asterisk"), ("carrier_freeswitch", "freeswitch")]
    {
        let port = free_port();
        let peer = peer(scenario, port, "x");
        let line = Line::open(&format!(
            "[trunks.carrier]\npreset = \"{preset}\"\nhost = \"127.0.0.1:{port}\"\n\
             domain = \"carrier.test\"\noptions_ping = \"off\"\n"
        ));
        let ending = line.place("trunk:carrier/+4930123456", caller()).await;
        assert!(is_our_bye(&ending), "{scenario}: {ending:?}");
        assert_eq!(peer.await.expect("it does not panic"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withheld_number_is_told_to_the_carrier_alone() {
    let port = free_port();
    let peer = peer("carrier_withheld", port, "x");
    let line = Line::open(&(account("sipgate", port) + "register = false\n"));
    let ending = line.place("tel:+4930123456", Caller { anonymous: true, ..caller() }).await;
    assert!(is_our_bye(&ending), "{ending:?}");
    assert_eq!(peer.await.expect("it does not panic"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_out_of_order_is_passed_over_and_busy_is_not() {
    let (first, second, third) = (free_port(), free_port(), free_port());
    let peers = [peer("unavailable", first, "x"), peer("busy", second, "x")];
    let line = Line::open(&format!(
        "[trunks.carrier]\npreset = \"asterisk\"\nhost = \"127.0.0.1\"\ndomain = \"carrier.test\"\n\
         registrars = [\"127.0.0.1:{first}\", \"127.0.0.1:{second}\", \"127.0.0.1:{third}\"]\n\
         options_ping = \"off\"\n"
    ));
    let ending = line.place("tel:+4930123456", caller()).await;
    assert!(matches!(ending, Ending::Refused { by: Party::Peer, status: 486, .. }), "{ending:?}");
    for peer in peers {
        assert_eq!(peer.await.expect("it does not panic"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_is_named_is_looked_up() {
    let port = free_port();
    let peer = peer("carrier_easybell", port, "x");
    let settings = account("easybell", port).replace("127.0.0.1", "localhost");
    let line = Line::open(&(settings + "register = false\n"));
    let ending = line.place("tel:+4930123456", caller()).await;
    assert!(is_our_bye(&ending), "{ending:?}");
    assert_eq!(peer.await.expect("it does not panic"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_password_that_is_not_his() {
    let port = free_port();
    let peer = peer("foreign_realm", port, "x");
    let settings = account("generic", port) + "register = false\n";
    let line = Line::open(&settings);
    let ending = line.place("tel:+4930123456", caller()).await;
    assert!(matches!(ending, Ending::Refused { status: 407, .. }), "{ending:?}");
    assert_eq!(peer.await.expect("it does not panic"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_each_carrier_are_read_in_its_own_way() {
    let cases = [
        ("call_sipgate", "sipgate", "+4971112345", "+4930123456"),
        ("call_telekom", "telekom-companyflex", "+4971112345", "anonymous"),
        ("call_fritzbox", "fritzbox", "+4971112345", "+4930123456"),
        ("call_asterisk", "generic", "911", "101"),
    ];
    for (scenario, preset, called, calling) in cases {
        // The registrar is nobody: it is enough that we are known by our Contact.
        let settings = account(preset, free_port());
        let more = "outbound_proxy = []\ntransport = \"udp\"\n";
        let server = Server::start(House::porter().and(&settings).and(more)).await;
        let user = contact_user();
        let failed = play(scenario, &user, &server.address.to_string()).await;
        assert_eq!(failed, None, "{}", server.log());
        let record = server.record().await;
        assert_eq!(record["to"]["number"], called, "{scenario}: {record}");
        assert_eq!(record["from"]["number"], calling, "{scenario}: {record}");
        assert_eq!(record["trunk"], "carrier", "{scenario}");
    }
}

/// An account at the carrier of the test, at that port.
fn account(preset: &str, port: u16) -> String {
    format!(
        "[trunks.carrier]\npreset = \"{preset}\"\nhost = \"127.0.0.1:{port}\"\n\
         domain = \"carrier.test\"\nusername = \"us\"\npassword = \"secret\"\nexpires = \"60s\"\n\
         realm = \"carrier.test\"\noptions_ping = \"off\"\n"
    )
}

fn caller() -> Caller {
    Caller { number: "+4971112345".to_owned(), ..Caller::default() }
}

fn contact_user() -> String {
    let credentials =
        Credentials { username: "us".to_owned(), password: Secret::from("secret".to_owned()) };
    Account { name: "carrier".into(), credentials, realms: Vec::new() }.contact_user()
}

fn is_our_bye(ending: &Ending) -> bool {
    matches!(ending, Ending::Bye { by: Party::Us, .. })
}

/// Lets a peer wait at a port; tells what it did not like.
fn peer(scenario: &str, port: u16, service: &str) -> JoinHandle<Option<String>> {
    let mut sipp = sipp(scenario, service);
    sipp.args(["-p", &port.to_string()]);
    let scenario = scenario.to_owned();
    tokio::spawn(async move { verdict(&scenario, sipp).await })
}

/// Lets a peer call.
async fn play(scenario: &str, service: &str, to: &str) -> Option<String> {
    let mut sipp = sipp(scenario, service);
    sipp.arg(to);
    verdict(scenario, sipp).await
}

fn sipp(scenario: &str, service: &str) -> Command {
    let path = Path::new(SOURCE).join("sipp-scenarios/peers").join(format!("{scenario}.xml"));
    let mut sipp = Command::new("sipp");
    sipp.arg("-sf").arg(path).args(["-s", service, "-i", "127.0.0.1", "-mi", "127.0.0.1"]);
    sipp.args(["-m", "1", "-timeout", "30s", "-timeout_error", "-nostdin", "-trace_err"]);
    sipp.args(["-trace_msg"]);
    sipp
}

async fn verdict(scenario: &str, mut sipp: Command) -> Option<String> {
    let folder = Folder::new();
    sipp.current_dir(folder.path("")).stdin(Stdio::null()).kill_on_drop(true);
    let (code, screen) = finish(sipp).await;
    if code == Some(0) {
        return None;
    }
    let files = std::fs::read_dir(folder.path("")).expect("its folder").flatten();
    let files = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    Some(format!(
        "{scenario} ends with {code:?}\n{screen}\n{}",
        files.collect::<Vec<_>>().join("\n")
    ))
}

/// A port that is free for datagrams and connections. It lies below those that the kernel gives to
/// whoever asks for any, and is given once.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(53).wrapping_add(given) % 4_000;
        let port = 10_000 + u16::try_from(place).expect("less than 4,000");
        let (datagrams, connections) =
            (UdpSocket::bind(("127.0.0.1", port)), TcpListener::bind(("127.0.0.1", port)));
        if datagrams.is_ok() && connections.is_ok() {
            return port;
        }
    }
}
