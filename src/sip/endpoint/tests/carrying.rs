//! Streams beside datagrams: timers, connections that come and go, requests too large for one.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::raw::{Text, header};
use crate::base::random::Random;
use crate::sip::endpoint::{Endpoint, Settings};
use crate::sip::event::{
    Command, Ending, Event, Flow, Input, Outgoing, Output, Party, SessionId, Standing, Transport,
};

const OURS: &str = "192.0.2.2:5060";
const CALL: SessionId = SessionId(1);
const SECOND: Duration = Duration::from_secs(1);

/// An endpoint, and what it sends through which flow.
struct Bench {
    now: Instant,
    endpoint: Endpoint,
    events: Vec<Event>,
}

impl Bench {
    fn new() -> Self {
        let tcp = vec![OURS.parse().unwrap()];
        let endpoint =
            Endpoint::new(Settings { tcp, ..Settings::default() }, Random::repeatable(3));
        Self { now: Instant::now(), endpoint, events: Vec::new() }
    }

    fn handle(&mut self, input: Input) -> Vec<(Flow, String)> {
        self.endpoint.handle(self.now, input);
        self.drain()
    }

    fn drain(&mut self) -> Vec<(Flow, String)> {
        let mut sent = Vec::new();
        while let Some(output) = self.endpoint.poll() {
            match output {
                Output::Transmit { flow, bytes } => {
                    sent.push((flow, String::from_utf8(bytes.to_vec()).unwrap()));
                }
                Output::Event(event) => self.events.push(event),
                Output::Notice(_) => {}
            }
        }
        sent
    }

    fn receive(&mut self, flow: Flow, text: &str) -> Vec<(Flow, String)> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.handle(Input::Received { bytes, flow, standing: Standing::Trusted })
    }

    fn command(&mut self, command: Command) -> Vec<(Flow, String)> {
        self.handle(Input::Command(command))
    }

    fn lose(&mut self, flow: Flow) -> Vec<(Flow, String)> {
        self.handle(Input::ConnectionLost(flow.connection().unwrap()))
    }

    fn wait(&mut self, span: Duration) -> Vec<(Flow, String)> {
        let until = self.now + span;
        let mut sent = Vec::new();
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.endpoint.tick(self.now);
            sent.extend(self.drain());
        }
        self.now = until;
        sent
    }

    fn invite(&mut self, flow: Flow, target: &str, padding: usize) -> Vec<(Flow, String)> {
        let outgoing = Outgoing {
            session: CALL,
            target: target.to_owned(),
            from: "<sip:desk@192.0.2.2>".to_owned(),
            flow,
            body: Bytes::from_static(b"v=0\r\n"),
            headers: vec![("X-Padding".to_owned(), "x".repeat(padding))],
        };
        self.command(Command::Invite(Box::new(outgoing)))
    }

    /// Lets the peer call through a flow, and answers; gives our tag.
    fn connect(&mut self, flow: Flow, contact: &str) -> String {
        self.receive(flow, &invite(flow, contact));
        let session = self.incoming();
        let body = Bytes::from_static(b"v=0\r\n");
        let sent = self.command(Command::Answer { session, body, headers: Vec::new() });
        let tag = header(&sent[0].1, "To").unwrap().split(";tag=").nth(1).unwrap().to_owned();
        let ack = Text::new("ACK").with_to_tag(&tag).branch("z9hG4bK-ack").write();
        self.receive(flow, &over(flow, &ack));
        tag
    }

    fn incoming(&self) -> SessionId {
        let found = self.events.iter().find_map(|event| match event {
            Event::Incoming(incoming) => Some(incoming.session),
            _ => None,
        });
        found.expect("a call has come in")
    }

    fn endings(&self) -> Vec<Ending> {
        let ending = |event: &Event| match event {
            Event::Ended { ending, .. } => Some(ending.clone()),
            _ => None,
        };
        self.events.iter().filter_map(ending).collect()
    }
}

fn flow(transport: Transport, port: u16) -> Flow {
    let remote = std::net::SocketAddr::from(([192, 0, 2, 1], port));
    Flow { transport, local: OURS.parse().unwrap(), remote }
}

fn over(flow: Flow, text: &str) -> String {
    text.replace("SIP/2.0/UDP", &format!("SIP/2.0/{}", flow.transport.name()))
}

fn invite(flow: Flow, contact: &str) -> String {
    let mut text = Text::invite();
    text.extra = format!("Contact: <{contact}>\r\nContent-Type: application/sdp\r\n");
    over(flow, &text.write())
}

fn answer(request: &str, status: &str) -> String {
    let copied = ["Via", "From", "Call-ID", "CSeq"]
        .map(|name| format!("{name}: {}\r\n", header(request, name).unwrap()))
        .concat();
    let to = header(request, "To").unwrap();
    let to = if to.contains("tag=") { to.to_owned() } else { format!("{to};tag=theirs") };
    format!(
        "SIP/2.0 {status}\r\n{copied}To: {to}\r\nContact: <sip:ann@192.0.2.1>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

#[test]
fn via_and_contact_say_how_we_are_reached() {
    for (transport, via, contact) in [
        (Transport::Udp, "SIP/2.0/UDP 192.0.2.2:5060;", "<sip:voxtrunk@192.0.2.2:5060>"),
        (
            Transport::Tcp,
            "SIP/2.0/TCP 192.0.2.2:5060;",
            "<sip:voxtrunk@192.0.2.2:5060;transport=tcp>",
        ),
        (
            Transport::Tls,
            "SIP/2.0/TLS 192.0.2.2:5060;",
            "<sip:voxtrunk@192.0.2.2:5060;transport=tls>",
        ),
        (
            Transport::Wss,
            "SIP/2.0/WSS 192.0.2.2:5060;",
            "<sip:voxtrunk@192.0.2.2:5060;transport=ws>",
        ),
    ] {
        let mut bench = Bench::new();
        let sent = bench.invite(flow(transport, 5060), "sip:ann@192.0.2.1", 0);
        assert!(header(&sent[0].1, "Via").unwrap().starts_with(via), "{}", sent[0].1);
        assert_eq!(header(&sent[0].1, "Contact"), Some(contact));
    }
}

#[test]
fn a_sips_address_is_called_by_tls_only_and_gets_a_contact_as_safe() {
    let mut bench = Bench::new();
    assert!(bench.invite(flow(Transport::Tcp, 5060), "sips:ann@192.0.2.1", 0).is_empty());
    assert!(matches!(bench.endings()[..], [Ending::Refused { by: Party::Us, status: 400, .. }]));
    let sent = bench.invite(flow(Transport::Tls, 5061), "sips:ann@192.0.2.1", 0);
    assert_eq!(header(&sent[0].1, "Contact"), Some("<sips:voxtrunk@192.0.2.2:5060>"));
}

#[test]
fn a_stream_repeats_nothing_and_keeps_nothing_for_stray_repetitions() {
    let mut bench = Bench::new();
    let tcp = flow(Transport::Tcp, 5060);
    let invite = bench.invite(tcp, "sip:ann@192.0.2.1", 0).remove(0).1;
    assert!(bench.wait(SECOND * 20).is_empty());
    let ack = bench.receive(tcp, &answer(&invite, "486 Busy Here"));
    assert!(ack[0].1.starts_with("ACK "));
    bench.wait(Duration::from_millis(1));
    assert!(bench.endpoint.is_idle());

    let tag = bench.connect(flow(Transport::Tcp, 40_000), "sip:ann@192.0.2.1");
    let bye = Text::new("BYE").with_to_tag(&tag).sequence(2).write();
    bench.receive(tcp, &over(tcp, &bye));
    bench.wait(SECOND * 33);
    assert!(bench.endpoint.is_idle());
}

#[test]
fn a_request_without_an_answer_ends_with_its_connection() {
    let mut bench = Bench::new();
    let tcp = flow(Transport::Tcp, 5060);
    bench.invite(tcp, "sip:ann@192.0.2.1", 0);
    bench.lose(flow(Transport::Tcp, 5061));
    assert!(bench.endings().is_empty());
    bench.lose(tcp);
    assert_eq!(bench.endings(), [Ending::Lost]);
    assert!(bench.endpoint.is_idle());
}

#[test]
fn a_ringing_call_whose_connection_is_gone_is_answered_where_its_via_says_or_lost() {
    let mut bench = Bench::new();
    let accepted = flow(Transport::Tcp, 40_000);
    bench.receive(accepted, &invite(accepted, "sip:ann@192.0.2.1"));
    bench.lose(accepted);
    let session = bench.incoming();
    let sent = bench.command(Command::Progress { session, status: 180, body: None });
    assert_eq!(sent[0].0, flow(Transport::Tcp, 5060));
    bench.lose(flow(Transport::Tcp, 5060));
    assert_eq!(bench.endings(), [Ending::Lost]);
    assert!(bench.endpoint.is_idle());

    let mut bench = Bench::new();
    let browser = flow(Transport::Ws, 40_000);
    bench.receive(browser, &invite(browser, "sip:ann@x.invalid;transport=ws"));
    bench.lose(browser);
    assert_eq!(bench.endings(), [Ending::Lost]);
}

#[test]
fn a_call_outlives_its_connection() {
    let mut bench = Bench::new();
    let first = flow(Transport::Tls, 40_000);
    let tag = bench.connect(first, "sip:ann@192.0.2.1:5071;transport=tls");
    bench.lose(first);
    assert!(bench.endings().is_empty());
    // The peer comes back by itself: that connection is used.
    let second = flow(Transport::Tls, 40_001);
    let info = Text::new("INFO").with_to_tag(&tag).sequence(2).write();
    assert!(bench.receive(second, &over(second, &info))[0].1.starts_with("SIP/2.0 200"));
    bench.lose(second);
    // It does not: we go to where it listens.
    let session = bench.incoming();
    let sent = bench.command(Command::HangUp { session, reason: None });
    assert_eq!(sent[0].0, flow(Transport::Tls, 5071));
    bench.lose(sent[0].0);
    assert_eq!(bench.endings(), [Ending::Lost]);
    bench.wait(SECOND * 33);
    assert!(bench.endpoint.is_idle());
}

#[test]
fn nobody_who_speaks_in_clear_may_end_a_call_over_tls() {
    let mut bench = Bench::new();
    let tag = bench.connect(flow(Transport::Tls, 40_000), "sip:ann@192.0.2.1");
    let bye = Text::new("BYE").with_to_tag(&tag).sequence(2).write();
    let sent = bench.receive(flow(Transport::Udp, 5060), &bye);
    assert!(sent[0].1.starts_with("SIP/2.0 481"));
    assert!(bench.endings().is_empty());
}

#[test]
fn a_request_too_large_for_a_datagram_goes_by_tcp() {
    let mut bench = Bench::new();
    let udp = flow(Transport::Udp, 5060);
    let sent = bench.invite(udp, "sip:ann@192.0.2.1", 1_000);
    assert_eq!(sent[0].0, flow(Transport::Tcp, 5060));
    assert!(header(&sent[0].1, "Via").unwrap().starts_with("SIP/2.0/TCP 192.0.2.2:5060;branch="));
    assert!(bench.wait(SECOND * 5).is_empty());
    let ack = bench.receive(sent[0].0, &answer(&sent[0].1, "200 OK"));
    assert_eq!(ack[0].0, flow(Transport::Tcp, 5060));
    assert!(header(&ack[0].1, "Via").unwrap().starts_with("SIP/2.0/TCP"));

    let mut bench = Bench::new();
    assert_eq!(bench.invite(udp, "sip:ann@192.0.2.1", 100)[0].0, udp);
}

#[test]
fn a_peer_without_tcp_gets_the_large_request_as_a_datagram_and_the_next_one_at_once() {
    let mut bench = Bench::new();
    let udp = flow(Transport::Udp, 5060);
    let sent = bench.invite(udp, "sip:ann@192.0.2.1", 1_000);
    let again = bench.lose(sent[0].0);
    assert_eq!(again[0].0, udp);
    assert_eq!(again[0].1, sent[0].1.replace("SIP/2.0/TCP", "SIP/2.0/UDP").replace(";alias", ""));
    assert!(bench.endings().is_empty());
    let repeated = bench.wait(SECOND);
    assert_eq!(repeated[0], again[0], "datagrams are repeated");
    bench.receive(udp, &answer(&again[0].1, "486 Busy Here"));
    assert_eq!(bench.endings().len(), 1);
    assert_eq!(bench.invite(udp, "sip:ann@192.0.2.1", 1_000)[0].0, udp);
    bench.wait(SECOND * 3_601);
    assert_eq!(bench.invite(udp, "sip:ann@192.0.2.1", 1_000)[0].0.transport, Transport::Tcp);
}

#[test]
fn a_datagram_is_answered_at_the_port_that_its_sender_names() {
    for (via, port) in [
        ("192.0.2.1:5080", 5080),
        ("192.0.2.1", 5060),
        ("pbx.example.com:5080", 5080),
        ("192.0.2.1:5080;rport", 40_000),
        ("10.0.0.7:5080", 40_000),
    ] {
        let mut bench = Bench::new();
        let text = Text::new("OPTIONS").write();
        let (sent_by, params) = via.split_once(';').unwrap_or((via, ""));
        let params = if params.is_empty() { String::new() } else { format!(";{params}") };
        let text = text.replace("192.0.2.1:5060;branch", &format!("{sent_by}{params};branch"));
        let text = text.replacen(";rport\r\n", "\r\n", 1);
        let sent = bench.receive(flow(Transport::Udp, 40_000), &text);
        assert_eq!(sent[0].0.remote.port(), port, "{via}");
    }
}

#[test]
fn a_contact_that_asks_for_tcp_gets_our_requests_by_tcp() {
    let mut bench = Bench::new();
    let flow = flow(Transport::Udp, 5_060);
    bench.connect(flow, "sip:peer@192.0.2.1:5070;transport=tcp");
    let session = bench.incoming();
    let sent = bench.command(Command::Refer { session, target: "sip:ann@192.0.2.7".to_owned() });
    let [(wide, refer)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((wide.transport, wide.remote.port()), (Transport::Tcp, 5_070));
    assert!(refer.starts_with("REFER") && refer.contains("Via: SIP/2.0/TCP"), "{refer}");
    // Nobody listens there: the same request goes as a datagram, and so does the next.
    let again = bench.lose(*wide);
    assert_eq!(again[0].0.transport, Transport::Udp);
    let bye = bench.command(Command::HangUp { session, reason: None });
    assert_eq!((bye[0].0.transport, bye[0].0.remote.port()), (Transport::Udp, 5_070));
    assert!(bye[0].1.starts_with("BYE"), "{}", bye[0].1);
}

#[test]
fn a_contact_elsewhere_does_not_lead_us_astray() {
    let mut bench = Bench::new();
    let flow = flow(Transport::Udp, 5_060);
    bench.connect(flow, "sip:peer@10.0.0.9:5070;transport=tcp");
    let session = bench.incoming();
    let bye = bench.command(Command::HangUp { session, reason: None });
    assert_eq!(bye[0].0, flow, "T5");
}

#[test]
fn a_bye_too_large_for_a_datagram_goes_by_tcp() {
    let mut bench = Bench::new();
    let flow = flow(Transport::Udp, 5_060);
    bench.connect(flow, "sip:peer@192.0.2.1:5060");
    let session = bench.incoming();
    let bye = bench.command(Command::HangUp { session, reason: Some("x".repeat(1_300)) });
    assert_eq!(bye[0].0.transport, Transport::Tcp);
}

#[test]
fn a_peer_behind_nat_is_answered_and_asked_at_its_latest_port() {
    let mut bench = Bench::new();
    let before = flow(Transport::Udp, 5_060);
    let tag = bench.connect(before, "sip:peer@10.0.0.9:5060");
    let after = before.to_port(61_000);
    let options = Text::new("OPTIONS").with_to_tag(&tag).sequence(2).branch("z9hG4bK-moved");
    let told = bench.receive(after, &options.write());
    assert_eq!((told[0].0, &told[0].1[..11]), (after, "SIP/2.0 200"));
    let session = bench.incoming();
    let bye = bench.command(Command::HangUp { session, reason: None });
    assert_eq!(bye[0].0, after);
}

#[test]
fn the_ack_of_an_answer_goes_by_tcp_where_the_contact_wants_it_and_otherwise_when_asked_again() {
    let mut bench = Bench::new();
    let udp = flow(Transport::Udp, 5060);
    let invite = bench.invite(udp, "sip:ann@192.0.2.1", 0).remove(0).1;
    let contact = "sip:ann@192.0.2.1:5070;transport=tcp";
    let ok = answer(&invite, "200 OK")
        .replace("sip:ann@192.0.2.1>\r\nCon", &format!("{contact}>\r\nCon"));
    let ack = bench.receive(udp, &ok);
    let [(wide, text)] = &ack[..] else { panic!("{ack:?}") };
    assert_eq!((wide.transport, wide.remote.port()), (Transport::Tcp, 5070));
    assert!(text.starts_with("ACK ") && text.contains("Via: SIP/2.0/TCP"), "{text}");
    // Nobody listens there: whoever has heard no ACK repeats its answer.
    bench.lose(*wide);
    let again = bench.receive(udp, &ok);
    assert_eq!((again[0].0.transport, again[0].0.remote.port()), (Transport::Udp, 5070));
    assert!(again[0].1.starts_with("ACK "), "{}", again[0].1);
}
