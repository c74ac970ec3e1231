//! A collector is told what is said on the wire: Kamailio's sipcapture reads it; and nobody waits for one
//! that is not there.

use super::datagrams::{Wire, header};
use super::oversight::phone;
use super::peers::free_port;
use super::phones::PHONES;
use super::proxy::Kamailio;
use super::server::{House, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_sees_each_message_without_its_secrets() {
    let capture = Kamailio::bound(include_str!("kamailio/capture.cfg"), free_port(), &[]).await;
    let hep = format!(
        "[hep]\ncollector = \"udp://127.0.0.1:{}\"\npassword = \"${{env:HEP_KEY:-none}}\"\n",
        capture.port
    );
    let server = Server::start(House::porter().and(PHONES).and(&hep)).await;
    let anna = phone(&server, "101", "secret").await;
    let (ours, hers) = (server.address, anna.address());
    // Each is told as coming from whoever sent it; what answers a challenge is not.
    capture.says(&format!("by {hers}: Digest username=\"101\"")).await;
    let log = capture.log();
    let proven = log.lines().find(|line| line.contains("Digest username"));
    let proven = proven.expect("it proves itself");
    assert!(proven.contains("response=\"***\""), "{proven}");

    let mut wire = Wire::open("127.0.0.1:0", ours).await;
    let description = wire.description();
    let answer = wire.call("porter", &description).await;
    let call_id = header(&answer, "Call-ID");
    let from = wire.local;
    capture.says(&format!("saw INVITE of {call_id} by {from}")).await;
    capture.says(&format!("saw 200 of {call_id} by {ours}: 1 INVITE")).await;
    capture.says(&format!("saw ACK of {call_id} by {from}")).await;
    wire.hang_up(&answer).await;
    capture.says(&format!("saw BYE of {call_id} by {from}")).await;
    capture.says(&format!("saw 200 of {call_id} by {ours}: 2 BYE")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_collector_that_is_not_there() {
    for place in [format!("127.0.0.1:{}", free_port()), "homer.invalid".to_owned()] {
        let hep = format!("[hep]\ncollector = \"udp://{place}\"\n");
        let server = Server::start(House::porter().and(&hep)).await;
        let mut wire = Wire::open("127.0.0.1:0", server.address).await;
        let description = wire.description();
        let answer = wire.call("porter", &description).await;
        wire.hang_up(&answer).await;
        assert_eq!(server.record().await["end_reason"], "caller_hangup");
    }
}
