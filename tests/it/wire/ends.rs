//! The ends of trunks and phones: how they prove themselves, what they speak, which way leads out
//! to them, and what lies between.

use std::time::Duration;

use serde_json::{Value, json};

use super::caller::call;
use super::control::told;
use super::deskphone::Deskphone;
use super::oversight;
use super::peers::free_port;
use super::phones::PHONES;
use super::proxy::Kamailio;
use super::server::{House, PATIENCE, Server, within};
use super::softphone::{Softphone, silence};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_trunk_with_a_password_is_known_by_it_and_speaks_its_own_codecs() {
    let trunk = "[trunks.pbx]\ncodecs = [\"pcmu\"]\n\
                 inbound = { auth = { username = \"pbx\", password = \"secret\" } }\n\
                 [sip.registrar]\ndigest = [\"md5\"]\n";
    let server = Server::start(nobody(House::porter()).and(trunk)).await;
    let account = |password: &str| {
        format!("<sip:4711@127.0.0.1>;auth_user=pbx;auth_pass={password};regint=0")
    };
    let mut thief = Softphone::start(&account("guess"), &silence(), "").await;
    thief.order("dial", &server.uri("porter")).await;
    thief.event("CALL_CLOSED").await;
    thief.stop().await;
    let mut pbx = Softphone::start(&account("secret"), &silence(), "").await;
    pbx.order("dial", &server.uri("porter")).await;
    pbx.event("CALL_ESTABLISHED").await;
    pbx.order("hangup", "").await;
    let record = server.record().await;
    assert_eq!(record["trunk"], "pbx", "{record:#}");
    assert_eq!(record["from"]["number"], "4711");
    // Without the trunk's own list it would be A-law, which stands first in ours.
    assert_eq!(record["legs"][0]["codec"], "PCMU");
    pbx.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_of_a_trunk_may_be_a_name() {
    let trunk = "[trunks.carrier]\ninbound = { allow = [\"localhost\"] }\n";
    let server = Server::start(nobody(House::porter()).and(trunk)).await;
    says(&server, "trunk sends from").await;
    let outcome = call(&server.uri("nobody"), Vec::new(), Duration::from_secs(1)).await;
    let text = format!("{:?}", outcome.ending);
    assert!(text.contains("603"), "{text}");
    let record = server.record().await;
    assert_eq!(record["trunk"], "carrier", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_phone_dials_out_by_the_second_trunk_when_the_first_is_dead() {
    // At another address than the phone's: who calls from that of a trunk is the trunk.
    let carrier = House { bind: "127.0.0.2:0".to_owned(), ..House::porter() };
    let carrier = Server::start(carrier).await;
    let settings = format!(
        "[trunks.dead]\nhost = \"127.0.0.2:{}\"\noptions_ping = \"off\"\n\
         [trunks.carrier]\nhost = \"{}\"\noptions_ping = \"off\"\nnumber_format = \"e164\"\n\
         [trunks.other]\nhost = \"127.0.0.2:{}\"\noptions_ping = \"off\"\n{PHONE}",
        free_port(),
        carrier.address,
        free_port()
    );
    let dialplan = "[[outbound]]\nname = \"Germany\"\nnumber = \"+49*\"\ncontext = \"internal\"\n\
                    trunks = [\"dead\", \"carrier\"]\ncaller_id = \"+4971112345\"\n\
                    [[outbound]]\nnumber = \"+1*\"\ntrunks = \"other\"\n\
                    [[route]]\next = \"600\"\nto = \"busy\"\n";
    let house = nobody(House::with(dialplan)).and(&settings);
    let server = Server::start(house).await;
    let account = format!("<sip:101@{}>;auth_user=101;auth_pass=secret;regint=60", server.address);
    let mut phone = Softphone::start(&account, &silence(), "").await;
    says(&server, "phone registered").await;
    phone.order("dial", &server.uri("030123456")).await;
    phone.event("CALL_ESTABLISHED").await;
    phone.order("hangup", "").await;
    let there = carrier.record().await;
    assert_eq!(there["to"]["number"], "4930123456", "{there:#}");
    assert_eq!(there["from"]["number"], "4971112345");
    let record = server.record().await;
    assert_eq!(record["route"], "Germany", "{record:#}");
    assert_eq!(record["legs"][1]["to"], "tel:+4930123456");
    // Nobody named the context of this phone for America.
    phone.order("dial", &server.uri("0012125551234")).await;
    phone.event("CALL_CLOSED").await;
    let refused: Value = server.records(2).await.remove(1);
    assert_eq!(refused["end_reason"], "no_route", "{refused:#}");
    phone.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn phones_dial_each_other_by_a_rule_though_a_route_takes_every_call() {
    let dialplan = "[[route]]\nname = \"everything else\"\nto = \"reject:603\"\n\
                    [[outbound]]\nname = \"each other\"\ncontext = \"internal\"\next = \"_1XX\"\n\
                    to = \"phone:{ext}\"\n";
    let server = Server::start(nobody(House::with(dialplan)).and(PHONES)).await;
    let mut ben = oversight::phone(&server, "102", "other").await;
    let account = format!("<sip:101@{}>;auth_user=101;auth_pass=secret;regint=60", server.address);
    let mut anna = Softphone::start(&account, &silence(), "").await;
    within(PATIENCE, "both are registered", || {
        (server.log().matches("phone registered").count() == 2).then_some(())
    })
    .await;
    anna.order("dial", &server.uri("102")).await;
    oversight::answers(&mut ben).await;
    anna.event("CALL_ESTABLISHED").await;
    anna.order("hangup", "").await;
    let record = server.record().await;
    assert_eq!(
        (&record["route"], &record["legs"][1]["to"]),
        (&json!("each other"), &json!("phone:102"))
    );
    // What no rule leads to is for the route that takes every call.
    anna.order("dial", &server.uri("202")).await;
    anna.event("CALL_CLOSED").await;
    let refused: Value = server.records(2).await.remove(1);
    assert_eq!(refused["route"], "everything else", "{refused:#}");
    anna.stop().await;
    let shown =
        told(&server, &["route", "test", "--to", "102", "--from", "101", "--context", "internal"]);
    let shown = shown.await;
    assert!(shown.contains("phone:102 (by a rule of [[outbound]])"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_behind_nat_is_written_to_every_now_and_then() {
    let often = "[sip.registrar]\nkeep_alive = \"1s\"\n[phones.101]\npassword = \"secret\"\n";
    let server = Server::start(nobody(House::porter()).and(often)).await;
    let domain = server.address.to_string();
    let mut phone = Deskphone::register(server.address, ("101", "secret"), &domain).await;
    phone.wait_for("\r\n\r\n").await;
    phone.wait_for("\r\n\r\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_phone_behind_a_proxy_is_reached_by_its_path() {
    let dialplan = "[[route]]\nto = \"phone:101\"\n";
    let server = Server::start(House::with(dialplan).and(PHONE)).await;
    let text = include_str!("kamailio/edge.cfg");
    let text = text.replace("REGISTRAR", &server.address.to_string());
    let kamailio = Kamailio::run(&text, free_port(), &[]).await;
    let account = format!(
        "<sip:101@{}>;auth_user=101;auth_pass=secret;regint=60;answermode=auto;\
         outbound=\"sip:127.0.0.1:{}\"",
        server.address, kamailio.port
    );
    let mut phone = Softphone::start(&account, &silence(), "").await;
    says(&server, "phone registered").await;
    let uri = server.uri("101");
    let calling = call(&uri, Vec::new(), Duration::from_secs(2));
    let (outcome, _) = tokio::join!(calling, phone.event("CALL_ESTABLISHED"));
    assert!(outcome.we_hung_up(), "{:?}\n{}", outcome.ending, kamailio.log());
    phone.event("CALL_CLOSED").await;
    let log = kamailio.log();
    for method in ["INVITE", "ACK", "BYE"] {
        assert!(log.contains(&format!("{method} for sip:101")), "{method}:\n{log}");
    }
    phone.stop().await;
}

/// A house that knows nobody by the address of this machine.
fn nobody(house: House) -> House {
    House { trunk: "192.0.2.1".to_owned(), ..house }
}

async fn says(server: &Server, words: &str) {
    within(PATIENCE, words, || server.log().contains(words).then_some(())).await;
}

const PHONE: &str = "[sip.registrar]\ndigest = [\"md5\"]\n\
                     [phones.101]\npassword = \"secret\"\ncontext = \"internal\"\n";
