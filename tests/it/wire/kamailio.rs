//! Kamailio as the registrar and proxy of a carrier: we register, are called and call through it,
//! and go over to a second one when the first dies.

use std::time::Duration;

use voxtrunk::call::placement::Caller;
use voxtrunk::sip::event::{Ending, Party};

use super::caller::{Speaker, call, say};
use super::line::Line;
use super::peers::free_port;
use super::proxy::Kamailio;
use super::server::{House, Server, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_through_the_registrar_reaches_an_agent() {
    let kamailio = start(Plan::default()).await;
    let settings = account(&[&kamailio], "60s");
    let mut server = Server::start(House::porter().and(&settings)).await;
    server_says(&server, "\"message\":\"registered\"").await;
    let target = format!("sip:4971112345@127.0.0.1:{}", kamailio.port);
    let lines = vec![say(Speaker::Flite("rms"), "goodbye").await];
    let outcome = call(&target, lines, Duration::from_secs(4)).await;
    assert!(outcome.they_hung_up(), "{:?}\n{}", outcome.ending, kamailio.log());
    let record = server.record().await;
    assert_eq!(record["trunk"], "carrier");
    assert_eq!(record["to"]["number"], "+4971112345");
    assert_eq!(record["legs"][0]["rtp"]["lost"], 0);
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    assert!(server.log().contains("\"message\":\"unregistered\""), "{}", server.log());
    kamailio.says("for 0 seconds").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_registrar_dies_the_second_one_takes_over_and_gives_back() {
    let first = start(Plan { longest: 5, ..Plan::default() }).await;
    let second = start(Plan { longest: 60, algorithm: "MD5", ..Plan::default() }).await;
    let server = Server::start(House::porter().and(&account(&[&first, &second], "60s"))).await;
    first.says("kept sip:voxtrunk@carrier.test").await;
    let port = first.port;
    first.die().await;
    second.says("kept sip:voxtrunk@carrier.test").await;
    let target = format!("sip:4971112345@127.0.0.1:{}", second.port);
    let lines = vec![say(Speaker::Flite("rms"), "goodbye").await];
    let outcome = call(&target, lines, Duration::from_secs(4)).await;
    assert!(outcome.they_hung_up(), "{:?}\n{}", outcome.ending, second.log());
    assert_eq!(server.record().await["trunk"], "carrier");
    let back = start(Plan { port, longest: 60, ..Plan::default() }).await;
    back.says("kept sip:voxtrunk@carrier.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_ours_is_let_out_with_our_credentials() {
    let callee = Server::start(House::porter()).await;
    let plan = Plan { callee: callee.address.port(), ..Plan::default() };
    let kamailio = start(plan).await;
    let line = Line::open(&(account(&[&kamailio], "60s") + "identity = \"ppi\"\n"));
    kamailio.says("kept sip:voxtrunk@carrier.test").await;
    let caller = Caller { number: "+4971112345".to_owned(), ..Caller::default() };
    let ending = line.place("tel:+4930123456", caller.clone()).await;
    assert!(matches!(ending, Ending::Bye { by: Party::Us, .. }), "{ending:?}\n{}", kamailio.log());
    kamailio.says("call to 4930123456 as <sip:4971112345@carrier.test>").await;
    assert_eq!(callee.record().await["to"]["number"], "4930123456");
    line.close().await;
    kamailio.says("for 0 seconds").await;
}

/// What a Kamailio is like.
pub struct Plan {
    port: u16,
    /// The longest time that it grants, in seconds.
    longest: u32,
    algorithm: &'static str,
    /// The port to which calls of ours go.
    callee: u16,
}

impl Default for Plan {
    fn default() -> Self {
        Self { port: free_port(), longest: 60, algorithm: "SHA-256", callee: 9 }
    }
}

/// Starts a Kamailio and waits until it answers.
pub async fn start(plan: Plan) -> Kamailio {
    let config = include_str!("kamailio/kamailio.cfg")
        .replace("LONGEST", &plan.longest.to_string())
        .replace("ALGORITHM", plan.algorithm)
        .replace("CALLEE", &plan.callee.to_string());
    Kamailio::run(&config, plan.port, &[]).await
}

/// The trunk `carrier`, with these registrars.
pub fn account(registrars: &[&Kamailio], expires: &str) -> String {
    let hosts: Vec<String> =
        registrars.iter().map(|kamailio| format!("\"127.0.0.1:{}\"", kamailio.port)).collect();
    format!(
        "[trunks.carrier]\nregistrars = [{}]\ndomain = \"carrier.test\"\nusername = \"voxtrunk\"\n\
         password = \"secret\"\nexpires = \"{expires}\"\nnumber_format = \"e164\"\n\
         did_from = [\"request-uri\", \"to\"]\noptions_ping = \"2s\"\n",
        hosts.join(", ")
    )
}

async fn server_says(server: &Server, words: &str) {
    within(Duration::from_secs(20), words, || server.log().contains(words).then_some(())).await;
}
