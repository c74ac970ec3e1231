//! Questions to a name server of our own.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::*;

/// A name server with a zone of its own; it ends with the test.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    _task: JoinSet<()>,
}

type Zone = HashMap<(String, RecordType), Vec<RData>>;

impl NameServer {
    /// Answers these questions, and says of all others that there is no such name.
    pub(crate) async fn with(records: Vec<(&str, RData)>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let address = socket.local_addr().expect("its address");
        let mut zone = Zone::new();
        for (name, data) in records {
            zone.entry((format!("{name}."), data.record_type())).or_default().push(data);
        }
        let mut task = JoinSet::new();
        task.spawn(serve(socket, zone));
        Self { address, _task: task }
    }

    fn names(&self) -> Names {
        Names::at(&[self.address]).expect("a resolver")
    }
}

async fn serve(socket: UdpSocket, zone: Zone) {
    let mut buffer = [0; 4_096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
        let query = question.queries[0].clone();
        let name = query.name().to_ascii().to_ascii_lowercase();
        let mut answer = Message::new(question.id, MessageType::Response, OpCode::Query);
        answer.add_query(query.clone());
        answer.metadata.recursion_available = true;
        let found = zone.get(&(name.clone(), query.query_type()));
        for data in found.into_iter().flatten() {
            answer.add_answer(Record::from_rdata(query.name().clone(), 60, data.clone()));
        }
        if !zone.keys().any(|(known, _)| *known == name) {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        socket.send_to(&answer.to_vec().expect("a message"), from).await.ok();
    }
}

pub(crate) fn a(address: [u8; 4]) -> RData {
    RData::A(A(Ipv4Addr::from(address)))
}

pub(crate) fn srv(priority: u16, port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(priority, 10, port, Name::from_ascii(target).expect("a name")))
}

fn naptr(order: u16, service: &str, replacement: &str) -> RData {
    let text = |text: &str| text.as_bytes().to_vec().into_boxed_slice();
    let replacement = Name::from_ascii(replacement).expect("a name");
    RData::NAPTR(NAPTR::new(order, 10, text("s"), text(service), text(""), replacement))
}

fn sockets() -> Sockets {
    let four: SocketAddr = "127.0.0.1:5060".parse().expect("an address");
    let six: SocketAddr = "[::1]:5060".parse().expect("an address");
    Sockets::new([(Transport::Udp, four), (Transport::Tcp, four), (Transport::Udp, six)])
}

async fn led_to(names: &Names, uri: &str) -> Vec<String> {
    let flows = names.flows(uri, &sockets(), Random::repeatable(1)).await.expect("an answer");
    flows.iter().map(|flow| format!("{} {}", flow.transport, flow.remote)).collect()
}

#[tokio::test]
async fn a_domain_leads_by_naptr_and_srv_to_all_its_hosts_in_order() {
    let server = NameServer::with(vec![
        ("example.test", naptr(20, "SIP+D2U", "_sip._udp.example.test")),
        ("example.test", naptr(10, "SIPS+D2T", "_sips._tcp.example.test")),
        ("_sips._tcp.example.test", srv(1, 5061, "one.example.test")),
        ("_sips._tcp.example.test", srv(2, 5062, "two.example.test")),
        ("_sip._udp.example.test", srv(1, 5070, "one.example.test")),
        ("one.example.test", a([192, 0, 2, 1])),
        ("one.example.test", RData::AAAA(AAAA(Ipv6Addr::LOCALHOST))),
        ("two.example.test", a([192, 0, 2, 2])),
    ])
    .await;
    let found = led_to(&server.names(), "sip:ann@example.test").await;
    let expected = [
        "tls 192.0.2.1:5061",
        "tls [::1]:5061",
        "tls 192.0.2.2:5062",
        "udp 192.0.2.1:5070",
        "udp [::1]:5070",
    ];
    assert_eq!(found, expected);
    let safe = led_to(&server.names(), "sips:ann@example.test").await;
    assert_eq!(safe, expected[..3]);
}

#[tokio::test]
async fn without_naptr_the_services_are_guessed_and_without_services_the_host_is_asked() {
    let server = NameServer::with(vec![
        ("_sip._tcp.pbx.test", srv(1, 5080, "host.pbx.test")),
        ("host.pbx.test", a([192, 0, 2, 3])),
        ("bare.test", a([192, 0, 2, 4])),
    ])
    .await;
    let names = server.names();
    assert_eq!(led_to(&names, "sip:pbx.test").await, ["tcp 192.0.2.3:5080"]);
    assert_eq!(led_to(&names, "sip:bare.test").await, ["udp 192.0.2.4:5060"]);
    assert_eq!(led_to(&names, "sip:bare.test:5099;transport=tcp").await, ["tcp 192.0.2.4:5099"]);
    assert_eq!(led_to(&names, "sips:bare.test").await, ["tls 192.0.2.4:5061"]);
    assert!(led_to(&names, "sip:nobody.test").await.is_empty());
}

#[tokio::test]
async fn a_silent_name_server_is_no_answer() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let names = Names::at(&[silent.local_addr().expect("its address")]).expect("a resolver");
    let found = names.flows("sip:ann@example.test:5060", &sockets(), Random::repeatable(1)).await;
    assert_eq!(found, Err(Unanswered));
}
