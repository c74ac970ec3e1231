//! Phones that prove themselves, and others that do not.

use super::*;
use crate::sip::digest::{Credentials, Signed, Turn};
use crate::sip::event::Transport;
use crate::sip::notice::Reach;
use proptest::prelude::*;

const REALM: &str = "pbx.example.com";

struct Stage {
    registrar: Registrar,
    now: Instant,
    sequence: u32,
}

fn phone(name: &str, password: &str) -> Phone {
    Phone {
        role: Role::Phone,
        name: name.into(),
        username: name.to_owned(),
        keys: Keys::of_password([name, REALM, password]),
        display: None,
        networks: Vec::new(),
        max_contacts: 2,
    }
}

fn flow(last: u8, port: u16) -> Flow {
    let remote = std::net::SocketAddr::from(([192, 0, 2, last], port));
    Flow::udp("192.0.2.1:5060".parse().expect("an address"), remote)
}

fn message(text: String) -> Message {
    Message::parse_datagram(&text.into()).expect("a request")
}

impl Stage {
    fn new() -> Self {
        Self::with(vec![phone("101", "secret"), phone("102", "other")])
    }

    fn with(phones: Vec<Phone>) -> Self {
        let now = Instant::now();
        let settings = Settings { realm: REALM.to_owned(), phones, ..Settings::default() };
        let registrar = Registrar::new(settings, Random::repeatable(3), now);
        Self { registrar, now, sequence: 0 }
    }

    fn request(&mut self, user: &str, headers: &str) -> Message {
        self.sequence += 1;
        let sequence = self.sequence;
        message(format!(
            "REGISTER sip:{REALM} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK{sequence}\r\n\
             From: <sip:{user}@{REALM}>;tag=a\r\nTo: <sip:{user}@{REALM}>\r\nCall-ID: a\r\n\
             CSeq: {sequence} REGISTER\r\n{headers}Content-Length: 0\r\n\r\n"
        ))
    }

    fn ask(&mut self, at: Flow, request: &Message) -> (bool, Reply) {
        self.registrar.register(self.now, request, at)
    }

    /// The challenges to a request without credentials.
    fn challenges(&mut self, at: Flow) -> Vec<Challenge> {
        let request = self.request("101", "");
        let (_, reply) = self.ask(at, &request);
        assert_eq!(reply.status, 401);
        let values = reply.headers.iter().map(|(_, value)| value.as_bytes());
        values.flat_map(Challenge::read).collect()
    }

    /// Registers as a phone does: is challenged first, then answers.
    fn register(&mut self, at: Flow, (user, password): (&str, &str), headers: &str) -> Reply {
        let challenge = self.challenges(at).swap_remove(1);
        self.answer(at, (user, password), (&challenge, 1, headers))
    }

    fn answer(
        &mut self,
        at: Flow,
        (user, password): (&str, &str),
        (challenge, number, headers): (&Challenge, u32, &str),
    ) -> Reply {
        let by = Credentials { username: user.to_owned(), password: password.into() };
        let uri = format!("sip:{REALM}");
        let signed = Signed { method: "REGISTER", uri: &uri, body: b"" };
        let value = challenge.answer(&by, &signed, Turn { number, cnonce: "c" });
        let request = self.request(user, &format!("Authorization: {value}\r\n{headers}"));
        self.ask(at, &request).1
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::iter::from_fn(|| self.registrar.poll()).collect()
    }

    fn reaches(&mut self) -> Vec<Reach> {
        match self.notices().pop() {
            Some(Notice::PhoneRegistered { reaches, .. }) => reaches,
            other => panic!("{other:?}"),
        }
    }
}

const HERE: &str = "Contact: <sip:101@10.0.0.7:5062>\r\n";

#[test]
fn a_phone_with_the_right_password_is_bound_to_where_it_came_from() {
    let mut stage = Stage::new();
    let at = flow(7, 40_001);
    let reply = stage.register(at, ("101", "secret"), HERE);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers, [("Contact", "<sip:101@10.0.0.7:5062>;expires=3600".to_owned())]);
    let uri = "sip:101@10.0.0.7:5062".to_owned();
    assert_eq!(stage.reaches(), [Reach { uri, flow: at, routes: Vec::new() }]);
    let shown = stage.register(at, ("101", "secret"), "");
    assert_eq!(shown.headers.len(), 1);
    assert!(stage.notices().is_empty());
}

#[test]
fn every_algorithm_that_is_offered_is_taken_and_the_strongest_comes_first() {
    let mut stage = Stage::new();
    let at = flow(7, 5060);
    let challenges = stage.challenges(at);
    let names: Vec<Algorithm> = challenges.iter().map(Challenge::algorithm).collect();
    assert_eq!(names, [Algorithm::SHA256, Algorithm::MD5]);
    for challenge in challenges {
        let reply = stage.answer(at, ("101", "secret"), (&challenge, 1, HERE));
        // The second answer is made with the nonce of the first: it counts once only.
        let expected = if challenge.algorithm() == Algorithm::SHA256 { 200 } else { 401 };
        assert_eq!(reply.status, expected);
    }
    let mut modern = Stage::new();
    modern.registrar.algorithms = vec![Algorithm::SHA256];
    let mut md5 = modern.challenges(at).swap_remove(0);
    md5.algorithm = Some(Algorithm::MD5);
    assert_eq!(modern.answer(at, ("101", "secret"), (&md5, 1, HERE)).status, 401);
}

#[test]
fn a_user_that_nobody_knows_looks_like_one_whose_password_is_wrong() {
    let mut stage = Stage::new();
    let at = flow(7, 5060);
    let mut look = |user: &str, password: &str| {
        let reply = stage.register(at, (user, password), HERE);
        let notices = stage.notices();
        let shape: Vec<(&str, usize)> =
            reply.headers.iter().map(|(name, value)| (*name, value.len())).collect();
        (reply.status, shape, notices)
    };
    let wrong = look("101", "guess");
    assert_eq!(wrong.0, 401);
    assert!(matches!(wrong.2[..], [Notice::Offended { offence: Offence::WrongPassword, .. }]));
    assert_eq!(look("999", "guess"), wrong);
    assert_eq!(look("", ""), wrong);
}

#[test]
fn a_nonce_is_good_for_its_source_and_for_a_minute_and_no_answer_is_good_twice() {
    let mut stage = Stage::new();
    let (here, there) = (flow(7, 5060), flow(8, 5060));
    let challenge = stage.challenges(here).swap_remove(0);
    let secret = ("101", "secret");
    assert_eq!(stage.answer(there, secret, (&challenge, 1, HERE)).status, 401);
    assert_eq!(stage.notices(), []);
    assert_eq!(stage.answer(here, secret, (&challenge, 1, HERE)).status, 200);
    let replayed = stage.answer(here, secret, (&challenge, 1, HERE));
    assert_eq!(replayed.status, 401);
    assert!(replayed.headers[0].1.contains("stale=true"));
    assert_eq!(stage.answer(here, secret, (&challenge, 2, HERE)).status, 200);
    stage.now += Duration::from_secs(61);
    assert!(stage.answer(here, secret, (&challenge, 3, HERE)).headers[0].1.contains("stale=true"));
    assert!(!stage.notices().iter().any(|it| matches!(it, Notice::Offended { .. })));
}

#[test]
fn nobody_binds_the_address_of_another_nor_from_another_network() {
    let mut stage = Stage::with(vec![Phone {
        networks: vec!["192.0.2.7".parse().expect("an address")],
        ..phone("101", "secret")
    }]);
    assert_eq!(stage.register(flow(8, 5060), ("101", "secret"), HERE).status, 401);
    assert_eq!(stage.register(flow(7, 5060), ("101", "secret"), HERE).status, 200);
    let mut stage = Stage::new();
    let challenge = stage.challenges(flow(7, 5060)).swap_remove(0);
    let by = Credentials { username: "101".to_owned(), password: "secret".into() };
    let uri = format!("sip:{REALM}");
    let signed = Signed { method: "REGISTER", uri: &uri, body: b"" };
    let value = challenge.answer(&by, &signed, Turn { number: 1, cnonce: "c" });
    for user in ["102", "999"] {
        let request = stage.request(user, &format!("Authorization: {value}\r\n{HERE}"));
        let status = stage.ask(flow(7, 5060), &request).1.status;
        assert_eq!(status, if user == "102" { 403 } else { 401 }, "an answer counts once");
    }
}

#[test]
fn an_answer_to_another_request_proves_nothing() {
    let mut stage = Stage::new();
    let challenge = stage.challenges(flow(7, 5060)).swap_remove(0);
    let by = Credentials { username: "101".to_owned(), password: "secret".into() };
    for (method, uri) in [("REGISTER", "sip:elsewhere"), ("INVITE", "sip:pbx.example.com")] {
        let signed = Signed { method, uri, body: b"" };
        let value = challenge.answer(&by, &signed, Turn { number: 1, cnonce: "c" });
        let request = stage.request("101", &format!("Authorization: {value}\r\n{HERE}"));
        assert_eq!(stage.ask(flow(7, 5060), &request).1.status, 401, "{method} {uri}");
    }
}

#[test]
fn bindings_expire_and_go_with_their_connection() {
    let mut stage = Stage::new();
    let stream = |last: u8| Flow { transport: Transport::Tcp, ..flow(last, 5060) };
    let (desk, sofa) = (stream(7), stream(8));
    let lose = |stage: &mut Stage, flow: Flow| {
        stage.registrar.lose(flow.connection().expect("a stream"));
    };
    let secret = ("101", "secret");
    stage.register(desk, secret, "Contact: <sip:101@10.0.0.7>;expires=60\r\n");
    stage.register(sofa, secret, "Contact: <sip:101@10.0.0.8>;expires=600\r\n");
    assert_eq!(stage.reaches().len(), 2);
    assert_eq!(stage.registrar.deadline(), Some(stage.now + Duration::from_secs(60)));
    stage.registrar.tick(stage.now + Duration::from_secs(60));
    assert_eq!(stage.reaches()[0].flow, sofa);
    lose(&mut stage, desk);
    assert_eq!(stage.notices(), []);
    lose(&mut stage, sofa);
    assert_eq!(stage.notices(), [Notice::PhoneGone { phone: "101".into() }]);
    assert_eq!((stage.registrar.reachable(), stage.registrar.deadline()), (0, None));
}

#[test]
fn a_star_removes_all_and_a_third_contact_the_oldest() {
    let mut stage = Stage::new();
    let (at, secret) = (flow(7, 5060), ("101", "secret"));
    for host in ["a", "b", "c"] {
        stage.now += Duration::from_secs(1);
        stage.register(at, secret, &format!("Contact: <sip:101@{host}>\r\n"));
    }
    let uris: Vec<String> = stage.reaches().into_iter().map(|reach| reach.uri).collect();
    assert_eq!(uris, ["sip:101@b", "sip:101@c"]);
    let reply = stage.register(at, secret, "Contact: *\r\nExpires: 0\r\n");
    assert_eq!((reply.status, reply.headers.len()), (200, 0));
    assert_eq!(stage.notices().pop(), Some(Notice::PhoneGone { phone: "101".into() }));
}

#[test]
fn a_phone_behind_proxies_is_reached_by_them() {
    let mut stage = Stage::new();
    let headers = format!("{HERE}Path: <sip:p1.example.com;lr>,<sip:p2.example.com;lr>;x=1\r\n");
    let reply = stage.register(flow(7, 5060), ("101", "secret"), &headers);
    assert_eq!(reply.headers.iter().filter(|(name, _)| *name == "Path").count(), 2);
    let routes = ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"];
    assert_eq!(stage.reaches()[0].routes, routes);
    let reply = stage.register(flow(7, 5060), ("101", "secret"), "Require: gruu, path\r\n");
    assert_eq!(reply, Reply { status: 420, headers: vec![("Unsupported", "gruu".to_owned())] });
}

#[test]
fn a_hundred_thousand_who_know_no_password_leave_nothing() {
    let mut stage = Stage::new();
    let request = stage.request("101", HERE);
    for number in 0..100_000_u32 {
        let [_, _, last, _] = number.to_be_bytes();
        let at = flow(last, (number % 60_000) as u16);
        stage.registrar.register(stage.now, &request, at);
        stage.registrar.poll();
    }
    assert_eq!((stage.registrar.reachable(), stage.registrar.notices.len()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_a_header_says_nobody_gets_in_and_nothing_breaks(
        authorization in "[ -~]{0,80}",
        contact in "[ -~]{0,60}",
        expires in "[0-9a-z]{0,12}",
    ) {
        let mut stage = Stage::new();
        let headers = format!(
            "Authorization: Digest {authorization}\r\nContact: {contact}\r\nExpires: {expires}\r\n"
        );
        let request = stage.request("101", &headers);
        let (is_proved, reply) = stage.ask(flow(7, 5060), &request);
        prop_assert!(!is_proved && reply.status == 401);
        let headers = format!("Contact: {contact}\r\nPath: {contact}\r\nExpires: {expires}\r\n");
        let reply = stage.register(flow(7, 5060), ("101", "secret"), &headers);
        prop_assert!([200, 400, 403, 423].contains(&reply.status));
        stage.registrar.tick(stage.now + Duration::from_secs(3_600));
        prop_assert_eq!(stage.registrar.reachable(), 0);
    }
}
