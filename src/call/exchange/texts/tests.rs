//! Texts on their way to phones.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::audio::library::Libraries;
use crate::audio::packing::Wishes;
use crate::audio::speech;
use crate::base::destination::Destination;
use crate::base::price::Prices;
use crate::base::random::Random;
use crate::call::briefing::{MediaPolicy, Tapes};
use crate::call::exchange::{Settings, phones};
use crate::dialplan::plan::{Plan, Route};
use crate::sip::event::{Event, Flow, Notice};

struct Bench {
    exchange: Exchange,
    now: Instant,
}

impl Bench {
    /// Anna is at two places, Ben is away, and nobody else is a phone.
    fn new() -> Self {
        let route = |ext: &str, to: &str| {
            let to: Destination = to.parse().expect("a destination");
            Route { ext: vec![ext.parse().expect("a pattern")], ..Route::to(to) }
        };
        let routes = vec![
            route("101", "phone:anna"),
            route("102", "phone:ben"),
            route("600", "group:both"),
            route("700", "agent:porter"),
        ];
        let now = Instant::now();
        let settings = phones::Settings {
            domain: "pbx.example".to_owned(),
            groups: HashMap::from([("both".into(), vec!["anna".into(), "ben".into()])]),
            ..phones::Settings::default()
        };
        let exchange = Exchange::new(Settings::default(), Random::repeatable(1), now);
        let briefing = Arc::new(briefing(Plan::of(routes)));
        let mut exchange = exchange.with_phones(settings);
        exchange.brief(briefing);
        let reach = |port: u16| Reach {
            uri: format!("sip:anna@192.0.2.7:{port}"),
            flow: flow(port),
            routes: vec!["<sip:edge.example;lr>".to_owned()],
        };
        let reaches = vec![reach(5_060), reach(5_070)];
        exchange.notice(&Notice::PhoneRegistered { phone: "anna".into(), reaches });
        Self { exchange, now }
    }

    /// Somebody writes; gives what is sent to phones, and what the writer is told.
    fn write(&mut self, to: &str, badge: &Badge) -> (Vec<Asking>, Vec<u16>) {
        self.exchange.relay(badge, Box::new(text(to)), Duration::ZERO);
        self.drain()
    }

    fn answer(&mut self, id: AskId, status: u16) -> Vec<u16> {
        let headers = vec![("Accept".to_owned(), "text/plain".to_owned())];
        let told = Event::Told { id, status, headers, body: Bytes::new() };
        assert!(self.exchange.hear(self.now, told).is_none());
        self.drain().1
    }

    fn drain(&mut self) -> (Vec<Asking>, Vec<u16>) {
        let (mut asked, mut told) = (Vec::new(), Vec::new());
        while let Some(output) = self.exchange.poll() {
            match output {
                Output::Command(Command::Ask(asking)) => asked.push(*asking),
                Output::Command(Command::AnswerText { status, .. }) => told.push(status),
                other => panic!("{other:?}"),
            }
        }
        (asked, told)
    }
}

fn flow(port: u16) -> Flow {
    Flow::udp(([192, 0, 2, 1], 5_060).into(), ([192, 0, 2, 7], port).into())
}

fn text(to: &str) -> Incoming {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Incoming {
        session: SessionId(7),
        flow: flow(5_090),
        phone: Some("carla".into()),
        trunk: None,
        request_uri: format!("sip:{to}@192.0.2.1"),
        called_user: to.to_owned(),
        calling_user: "carla".to_owned(),
        calling_name: Some("Carla".to_owned()),
        sip_call_id: "1".to_owned(),
        user_agent: None,
        headers: vec![
            header("Max-Forwards", "3"),
            header("Content-Type", "text/plain"),
            header("Subject", "tyres"),
            header("X-Other", "stays"),
        ],
        body: Bytes::from_static(b"They are here."),
        replaces: None,
    }
}

fn briefing(plan: Plan) -> Briefing {
    Briefing {
        plan,
        agents: Default::default(),
        squads: Default::default(),
        flows: Default::default(),
        queues: Default::default(),
        letterboxes: Default::default(),
        streams: Default::default(),
        openai: None,
        sample: None,
        prices: Prices::default(),
        trunks: Default::default(),
        phones: Default::default(),
        numbering: Default::default(),
        privacy: Default::default(),
        media: MediaPolicy {
            address: IpAddr::from([192, 0, 2, 1]),
            codecs: Vec::new(),
            wishes: Wishes::default(),
            libraries: Libraries::default(),
            srtp: Default::default(),
            keys: None,
            symmetric: true,
            timeout: Duration::from_secs(30),
            speech: speech::Settings::default(),
            jitter: Default::default(),
        },
        tapes: Tapes::default(),
    }
}

#[test]
fn a_text_goes_to_every_place_of_a_phone_and_the_first_to_read_it_answers() {
    let mut bench = Bench::new();
    let (asked, told) = bench.write("101", &Badge::default());
    assert_eq!((asked.len(), told.len()), (2, 0));
    let first = &asked[0];
    assert_eq!(first.method, Method::Message);
    assert_eq!(
        (&*first.target, &*first.to),
        ("sip:anna@192.0.2.7:5060", "<sip:anna@192.0.2.7:5060>")
    );
    assert_eq!(first.from, "\"Carla\" <sip:carla@pbx.example>");
    assert_eq!((first.max_forwards, &first.contact), (2, &None));
    assert_eq!(first.headers, [("Subject".to_owned(), "tyres".to_owned())]);
    assert_eq!(first.content_type.as_deref(), Some("text/plain"));
    assert_eq!(&first.body[..], b"They are here.");
    assert_eq!(first.routes, ["<sip:edge.example;lr>"]);
    assert_eq!(bench.answer(asked[1].id, 202), [202]);
    assert_eq!(bench.answer(asked[0].id, 486), Vec::<u16>::new(), "it was read");
    let texts = &bench.exchange.texts;
    assert!(texts.relayed.is_empty() && texts.asked.is_empty());
}

#[test]
fn of_several_refusals_the_best_goes_back_and_silence_is_none() {
    let mut bench = Bench::new();
    for (answers, told) in [
        ([486, 415], &[486][..]),
        ([415, 603], &[603]),
        ([408, 404], &[404]),
        ([408, 408], &[]),
        ([401, 408], &[403]),
        ([503, 302], &[480]),
    ] {
        let (asked, _) = bench.write("600", &Badge::default());
        assert_eq!(asked.len(), 2, "Ben is away");
        let mut answered = bench.answer(asked[0].id, answers[0]);
        answered.extend(bench.answer(asked[1].id, answers[1]));
        assert_eq!(answered, told, "{answers:?}");
    }
    assert!(bench.exchange.texts.relayed.is_empty());
}

#[test]
fn nobody_reads_where_no_phone_rings() {
    let mut bench = Bench::new();
    for (to, status) in [("102", 480), ("700", 404), ("999", 404)] {
        let (asked, told) = bench.write(to, &Badge::default());
        assert_eq!((asked.len(), told), (0, vec![status]), "{to}");
    }
}

#[test]
fn without_a_name_nobody_is_named() {
    let mut bench = Bench::new();
    let mut unknown = text("101");
    unknown.calling_user.clear();
    bench.exchange.relay(&Badge::default(), Box::new(unknown), Duration::ZERO);
    let (asked, _) = bench.drain();
    assert!(asked[0].from.contains("anonymous.invalid"), "{}", asked[0].from);
    assert_eq!(asked[0].headers[0], ("Privacy".to_owned(), "id".to_owned()));
}
