//! Calls that come in and go out by streams, and by names.

use std::time::Duration;

use crate::base::destination::Destination;
use crate::call::event::Input as CallInput;
use crate::call::keying::Offers;
use crate::call::placement::{Caller, Placement};
use crate::engine::doors::Listen;
use crate::engine::mailbox::Inbox;
use crate::net::dns::tests::{NameServer, a, srv};
use crate::sip::event::{Ending, Outgoing};

use super::super::*;
use super::peer::{Desk, PATIENCE, Peer, Setup};

#[tokio::test]
async fn a_call_comes_in_by_tcp_in_pieces_and_in_one() {
    let desk = Setup::plain().start();
    let mut peer = Peer::tcp(desk.at(Transport::Tcp)).await;
    let invite = peer.request("INVITE", 1, "");
    for piece in invite.as_bytes().chunks(100) {
        peer.send(std::str::from_utf8(piece).expect("text")).await;
        tokio::task::yield_now().await;
    }
    let ok = peer.wait_for("SIP/2.0 200").await;
    assert!(ok.contains(&format!("@{};transport=tcp>", desk.at(Transport::Tcp))), "{ok}");
    let tag = super::peer::to_tag(&ok);
    let both = peer.request("ACK", 1, &tag) + &peer.request("BYE", 2, &tag);
    peer.send(&both).await;
    let over = peer.wait_for("SIP/2.0 200").await;
    assert!(over.contains("CSeq: 2 BYE"));
}

#[tokio::test]
async fn a_ping_is_answered() {
    let desk = Setup::plain().start();
    let mut peer = Peer::tcp(desk.at(Transport::Tcp)).await;
    peer.send("\r\n\r\n").await;
    assert_eq!(peer.octets().await, b"\r\n");
}

#[tokio::test]
async fn a_call_comes_in_by_ipv6() {
    let mut setup = Setup::plain();
    let local = "[::1]:0".parse().expect("an address");
    setup.listen.extend([Transport::Udp, Transport::Tcp].map(|it| Listen::plain(it, local)));
    let desk = setup.start();
    let mut peer = Peer::tcp(desk.sip.sockets.of(Transport::Tcp)[1]).await;
    let tag = peer.call().await;
    peer.hang_up(&tag).await;
    let udp = desk.sip.sockets.of(Transport::Udp)[1];
    let socket = tokio::net::UdpSocket::bind(local).await.expect("a socket");
    let invite = super::peer::request("INVITE", 1, ("six", ""), Transport::Udp);
    socket.send_to(invite.as_bytes(), udp).await.expect("sent");
    let mut buffer = [0; 4_096];
    let (length, _) = socket.recv_from(&mut buffer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&buffer[..length]);
    assert!(answer.starts_with("SIP/2.0 100") && answer.contains(";received=::1"), "{answer}");
}

/// Calls from one desk to a destination; gives the events up to the answer or the end.
async fn place(desk: &Desk, destination: &str) -> (SessionId, Vec<Event>, Inbox) {
    let session = SessionId(7);
    let (mailbox, mut inbox) = mailbox::pair();
    let placement = Placement {
        payer: None,
        trunks: Vec::new(),
        session,
        destination: Destination::Sip(destination.to_owned()),
        caller: Caller::default(),
        offers: Offers::plain(Bytes::from_static(b"v=0\r\n")),
        is_secret: false,
        headers: Vec::new(),
        ring_limit: Duration::from_secs(30),
    };
    desk.sip.order(Order::Place(mailbox, Box::new(placement))).await;
    let events = until_settled(&mut inbox).await;
    (session, events, inbox)
}

async fn until_settled(inbox: &mut Inbox) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let input = tokio::time::timeout(PATIENCE, inbox.inputs.recv()).await.expect("in time");
        let event = match input {
            Some(CallInput::Sip(event)) => event,
            Some(CallInput::Offered { .. }) => continue,
            _ => panic!("{input:?}"),
        };
        let is_settled = matches!(event, Event::Answered { .. } | Event::Ended { .. });
        events.push(event);
        if is_settled {
            return events;
        }
    }
}

fn is_answered(events: &[Event]) -> bool {
    matches!(events.last(), Some(Event::Answered { .. }))
}

#[tokio::test]
async fn a_call_goes_out_by_tcp_and_is_hung_up_by_the_same_connection() {
    let (here, there) = (Setup::plain().start(), Setup::plain().start());
    let target = format!("sip:desk@{};transport=tcp", there.at(Transport::Tcp));
    let (session, events, mut inbox) = place(&here, &target).await;
    assert!(is_answered(&events), "{events:?}");
    here.sip.order(Order::Command(Command::HangUp { session, reason: None })).await;
    let events = until_settled(&mut inbox).await;
    assert!(matches!(events[..], [Event::Ended { ending: Ending::Bye { .. }, .. }]));
}

#[tokio::test]
async fn nobody_there_is_told_at_once() {
    let here = Setup::plain().start();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = free.local_addr().expect("its address");
    drop(free);
    let (_, events, _) = place(&here, &format!("sip:desk@{address};transport=tcp")).await;
    assert!(matches!(events[..], [Event::Ended { ending: Ending::Lost, .. }]), "{events:?}");
}

#[tokio::test]
async fn a_large_invite_goes_by_tcp_if_it_can_and_as_a_datagram_if_not() {
    let here = Setup::plain().start();
    let mut both = Setup::plain();
    // UDP and TCP on one port, as peers have it.
    let shared = free_for_both();
    both.listen =
        vec![Listen::plain(Transport::Udp, shared), Listen::plain(Transport::Tcp, shared)];
    let mut only_udp = Setup::plain();
    only_udp.listen.truncate(1);
    for (there, carried) in [(both.start(), Transport::Tcp), (only_udp.start(), Transport::Udp)] {
        let session = SessionId(u64::from(there.at(Transport::Udp).port()));
        let (mailbox, mut inbox) = mailbox::pair();
        let remote = there.at(Transport::Udp);
        let outgoing = Outgoing {
            session,
            target: format!("sip:desk@{remote}"),
            from: "<sip:here@127.0.0.1>".to_owned(),
            flow: Flow::udp(here.at(Transport::Udp), remote),
            body: Bytes::from_static(b"v=0\r\n"),
            headers: vec![("X-Long".to_owned(), "x".repeat(1_500))],
        };
        here.sip.order(Order::Adopt(session, mailbox)).await;
        here.sip.order(Order::Command(Command::Invite(Box::new(outgoing)))).await;
        let events = until_settled(&mut inbox).await;
        let Some(Event::Answered { headers, .. }) = events.last() else { panic!("{events:?}") };
        let via = headers.iter().find(|(name, _)| name == "Via").expect("Via");
        assert!(via.1.starts_with(&format!("SIP/2.0/{}", carried.name())), "{via:?}");
    }
}

/// A port that neither UDP nor TCP uses.
fn free_for_both() -> SocketAddr {
    loop {
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = udp.local_addr().expect("its address");
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

#[tokio::test]
async fn a_domain_is_resolved_and_its_second_host_answers_when_the_first_is_gone() {
    let there = Setup::plain().start();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
    let gone = silent.local_addr().expect("its address").port();
    drop(silent);
    let server = NameServer::with(vec![
        ("_sip._tcp.pbx.test", srv(1, gone, "host.pbx.test")),
        ("_sip._tcp.pbx.test", srv(2, there.at(Transport::Tcp).port(), "host.pbx.test")),
        ("host.pbx.test", a([127, 0, 0, 1])),
    ])
    .await;
    let here = Setup { name_servers: vec![server.address], ..Setup::plain() }.start();
    let (_, events, _) = place(&here, "sip:desk@pbx.test").await;
    assert!(is_answered(&events), "{events:?}");
    let (_, events, _) = place(&here, "sip:desk@nobody.test").await;
    assert!(matches!(events[..], [Event::Ended { .. }]));
}
