//! A registration against scripted registrars, and against a model of what it owes us.

use proptest::prelude::*;

use super::*;

struct Bench {
    registration: Registration,
    now: Instant,
}

impl Bench {
    fn new(registrars: &[&str]) -> Self {
        let settings = Settings {
            registrars: registrars.iter().map(|host| format!("sip:{host}")).collect(),
            domain: "sip:carrier.example".into(),
            address: "<sip:us@carrier.example>".into(),
            contact_user: "vt-carrier-x1".into(),
            is_proxied: false,
            expires: Duration::from_secs(300),
        };
        let now = Instant::now();
        let registration = Registration::new(settings, Random::repeatable(4));
        let mut bench = Self { registration, now };
        bench.registration.tick(now);
        bench
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.registration.poll()).collect()
    }

    /// The REGISTER that goes out now: its host and for how many seconds.
    fn register(&mut self) -> (String, u64) {
        let outputs = self.outputs();
        let errand = outputs.iter().find_map(|output| match output {
            Output::Register(errand) => Some(errand.clone()),
            Output::Probe(_) | Output::Changed(_) => None,
        });
        let errand = errand.unwrap_or_else(|| panic!("no REGISTER in {outputs:?}"));
        let expires = errand.headers.iter().find(|(name, _)| name == "Expires");
        (errand.hop.clone(), expires.expect("Expires").1.parse().expect("seconds"))
    }

    fn answer(&mut self, status: u16, headers: &[(&str, &str)]) {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(pair).collect();
        self.registration.handle(self.now, Input::Answered { status, headers });
    }

    fn enrolment(&mut self) -> Enrolment {
        let outputs = self.outputs();
        let changed = outputs.iter().rev().find_map(|output| match output {
            Output::Changed(enrolment) => Some(enrolment.clone()),
            Output::Register(_) | Output::Probe(_) => None,
        });
        changed.unwrap_or_else(|| panic!("nothing changed in {outputs:?}"))
    }

    /// Waits for the next thing to be due; tells after how many seconds.
    fn next(&mut self) -> u64 {
        let at = self.registration.deadline(self.now).expect("something is due");
        let waited = at - self.now;
        self.now = at;
        self.registration.tick(at);
        waited.as_secs()
    }
}

#[test]
fn a_registration_is_refreshed_at_85_percent_of_what_was_granted() {
    let mut bench = Bench::new(&["a"]);
    assert_eq!(bench.register(), ("sip:a".into(), 300));
    let contact = "<sip:other@10.0.0.1>;expires=9, <sip:vt-carrier-x1@10.0.0.2>;expires=100";
    bench.answer(200, &[("Contact", contact), ("Expires", "300"), ("CSeq", "7 REGISTER")]);
    let granted = Duration::from_secs(100);
    assert_eq!(bench.enrolment(), Enrolment::Registered { registrar: "sip:a".into(), granted });
    assert_eq!(bench.next(), 85);
    let outputs = bench.outputs();
    let [Output::Register(errand)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(errand.series.as_ref().map(|series| series.sequence), Some(8));
    assert!(bench.registration.is_registered(), "the old binding still holds");
}

#[test]
fn a_registrar_that_wants_a_longer_time_gets_it_at_once() {
    let mut bench = Bench::new(&["a"]);
    bench.register();
    bench.answer(423, &[("Min-Expires", "1800")]);
    assert_eq!(bench.register(), ("sip:a".into(), 1800));
    bench.answer(423, &[("Min-Expires", "1800")]);
    assert!(matches!(bench.enrolment(), Enrolment::Failed { status: 423, .. }), "no loop");
}

#[test]
fn rejected_credentials_are_told_and_not_tried_again_for_long() {
    for status in [401, 403, 404, 407] {
        let mut bench = Bench::new(&["a", "b"]);
        bench.register();
        bench.answer(status, &[]);
        assert_eq!(bench.enrolment(), Enrolment::Rejected { status });
        assert!((675..=1125).contains(&bench.next()));
    }
}

#[test]
fn pauses_grow_from_half_a_minute_to_a_quarter_of_an_hour() {
    let mut bench = Bench::new(&["a"]);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        bench.register();
        bench.answer(500, &[]);
        bench.outputs();
        pauses.push(bench.next());
    }
    for (pause, middle) in pauses.iter().zip([30, 60, 120, 240, 480, 900, 900, 900]) {
        let around = middle * 3 / 4 - 1..=middle * 5 / 4;
        assert!(around.contains(pause), "{pauses:?}");
    }
}

#[test]
fn a_registrar_says_when_to_come_back() {
    let mut bench = Bench::new(&["a"]);
    bench.register();
    bench.answer(503, &[("Retry-After", "120 (maintenance)")]);
    assert_eq!(
        bench.enrolment(),
        Enrolment::Failed { status: 503, retry: Duration::from_secs(120) }
    );
    assert_eq!(bench.next(), 120);
}

#[test]
fn the_second_registrar_takes_over_and_gives_back() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.register();
    bench.answer(200, &[("Expires", "60")]);
    bench.outputs();
    assert_eq!(bench.next(), 51);
    assert_eq!(bench.register().0, "sip:a");
    assert_eq!(bench.next(), 8, "the first is silent");
    assert_eq!(bench.register().0, "sip:b");
    bench.answer(200, &[("Expires", "300")]);
    let enrolment = bench.enrolment();
    assert!(matches!(&enrolment, Enrolment::Registered { registrar, .. } if registrar == "sip:b"));
    assert_eq!(bench.next(), 30);
    let outputs = bench.outputs();
    let [Output::Probe(probe)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!((probe.method.as_str(), probe.hop.as_str()), ("OPTIONS", "sip:a"));
    bench.registration.handle(bench.now, Input::Probed { status: 408 });
    assert!(bench.outputs().is_empty());
    bench.next();
    bench.outputs();
    bench.registration.handle(bench.now, Input::Probed { status: 200 });
    assert_eq!(bench.register().0, "sip:a");
}

#[test]
fn a_registration_is_removed_at_the_end() {
    let mut bench = Bench::new(&["a"]);
    bench.register();
    bench.answer(200, &[("Service-Route", "<sip:p1;lr>, <sip:p2;lr>")]);
    assert_eq!(bench.registration.service_route(), ["<sip:p1;lr>", "<sip:p2;lr>"]);
    bench.outputs();
    bench.registration.handle(bench.now, Input::Leave);
    assert_eq!(bench.register(), ("sip:a".into(), 0));
    bench.answer(200, &[]);
    assert_eq!(bench.enrolment(), Enrolment::Gone);
    assert_eq!(bench.registration.deadline(bench.now), None);
}

/// What may happen to a registration.
#[derive(Debug, Clone)]
enum Happening {
    Answer(u16, Option<u32>),
    Wait,
    Doubt,
    Probe(u16),
    Leave,
}

fn happening() -> impl Strategy<Value = Happening> {
    let status =
        prop_oneof![Just(200), Just(401), Just(403), Just(408), Just(423), Just(503), 300_u16..700];
    prop_oneof![
        6 => (status, proptest::option::of(0_u32..100_000))
            .prop_map(|(status, seconds)| Happening::Answer(status, seconds)),
        4 => Just(Happening::Wait),
        1 => Just(Happening::Doubt),
        1 => prop_oneof![Just(200), Just(408)].prop_map(Happening::Probe),
        1 => Just(Happening::Leave),
    ]
}

/// The table model: what state follows which happening, without times and registrars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    Asking,
    Registered,
    Waiting,
    Leaving,
    Gone,
}

fn model_of(registration: &Registration) -> Model {
    match registration.state {
        State::New | State::Asking { .. } => Model::Asking,
        State::Registered { .. } => Model::Registered,
        State::Waiting { .. } => Model::Waiting,
        State::Leaving { .. } => Model::Leaving,
        State::Gone => Model::Gone,
    }
}

/// The states that may follow.
fn may_follow(before: Model, happening: &Happening) -> Vec<Model> {
    use Model::{Asking, Gone, Leaving, Registered, Waiting};
    match (before, happening) {
        // A grant of zero seconds is a failure.
        (Asking, Happening::Answer(200..=299, seconds)) => match seconds {
            Some(0) => vec![Asking, Waiting],
            _ => vec![Registered],
        },
        (Asking, Happening::Answer(401 | 403 | 404 | 407, _)) => vec![Waiting],
        (Asking, Happening::Answer(..)) | (Asking, Happening::Wait) => vec![Asking, Waiting],
        (Registered, Happening::Wait) => vec![Asking, Registered],
        (Waiting, Happening::Wait) => vec![Asking],
        (Registered | Waiting, Happening::Doubt) => vec![Asking],
        (Registered, Happening::Probe(200)) => vec![Asking],
        (Asking | Registered, Happening::Leave) => vec![Leaving],
        (Waiting, Happening::Leave) | (Leaving, Happening::Wait | Happening::Answer(..)) => {
            vec![Gone]
        }
        (state, _) => vec![state],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn it_moves_as_the_table_says_and_leaves_nothing_undone(
        hosts in 1_usize..4, story in proptest::collection::vec(happening(), 1..60),
    ) {
        let names = ["a", "b", "c"];
        let mut bench = Bench::new(names.get(..hosts).expect("at most three"));
        bench.outputs();
        for happening in story {
            let before = model_of(&bench.registration);
            let now = bench.now;
            match &happening {
                Happening::Answer(status, seconds) => {
                    let seconds = seconds.map(|seconds| seconds.to_string());
                    let name = if *status == 423 { "Min-Expires" } else { "Expires" };
                    let headers: Vec<(&str, &str)> =
                        seconds.iter().map(|seconds| (name, seconds.as_str())).collect();
                    bench.answer(*status, &headers);
                }
                Happening::Wait => {
                    if let Some(at) = bench.registration.deadline(now) {
                        bench.now = at.max(now);
                        bench.registration.tick(bench.now);
                    }
                }
                Happening::Doubt => bench.registration.handle(now, Input::Doubted),
                Happening::Probe(status) => {
                    bench.registration.handle(now, Input::Probed { status: *status });
                }
                Happening::Leave => bench.registration.handle(now, Input::Leave),
            }
            let after = model_of(&bench.registration);
            prop_assert!(
                may_follow(before, &happening).contains(&after),
                "{:?} after {:?} and {:?}", after, before, happening
            );
            let registers = bench.outputs().into_iter().filter(|output| {
                matches!(output, Output::Register(_))
            });
            prop_assert!(registers.count() <= 1);
            let due = bench.registration.deadline(bench.now);
            prop_assert!(due.is_none_or(|at| at > bench.now), "nothing due stays undone");
            prop_assert_eq!(due.is_none(), after == Model::Gone);
        }
    }
}
