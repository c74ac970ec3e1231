//! Legs on their way, in virtual time.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::call::placement::Caller;

const LEG: SessionId = SessionId(9);

struct Bench {
    exchange: Exchange,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let sockets = vec!["192.0.2.1:5060".parse().expect("an address")];
        let (settings, now) = (Settings { sockets, trunks: Vec::new() }, Instant::now());
        Self { exchange: Exchange::new(settings, Random::repeatable(1), now), now }
    }

    fn place(&mut self, destination: &str) -> Vec<Output> {
        self.exchange.place(self.now, Box::new(placement(destination)));
        self.drain()
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.exchange.poll()).collect()
    }

    fn ended(&mut self, ending: Ending) -> Option<Event> {
        self.exchange.hear(self.now, Event::Ended { session: LEG, ending })
    }

    fn flow(&self, remote: &str) -> Flow {
        flow_to(&format!("sip:{remote}"), &self.exchange.settings.sockets).expect("a flow")
    }

    fn wait(&mut self, span: Duration) -> Vec<Output> {
        self.now += span;
        self.exchange.tick(self.now);
        self.drain()
    }
}

fn placement(destination: &str) -> Placement {
    Placement {
        session: LEG,
        destination: destination.parse().expect("a destination"),
        caller: Caller { number: "+4971112345".into(), ..Caller::default() },
        body: Bytes::from_static(b"v=0\r\n"),
        headers: vec![("X-Customer".into(), "42".into())],
        ring_limit: Duration::from_secs(60),
    }
}

fn refused(status: u16) -> Ending {
    Ending::Refused { by: Party::Peer, status, reason: None }
}

fn invited(outputs: &[Output]) -> &Outgoing {
    let found = outputs.iter().find_map(|output| match output {
        Output::Command(Command::Invite(outgoing)) => Some(&**outgoing),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no INVITE in {outputs:?}"))
}

fn lookup(outputs: &[Output]) -> LookupId {
    let [Output::Resolve(lookup, _)] = outputs else { panic!("{outputs:?}") };
    *lookup
}

#[test]
fn a_sip_address_is_called_where_it_says() {
    let mut bench = Bench::new();
    let outputs = bench.place("sip:ann@192.0.2.9:5070");
    let invite = invited(&outputs);
    assert_eq!(invite.flow.remote.to_string(), "192.0.2.9:5070");
    assert_eq!(invite.target, "sip:ann@192.0.2.9:5070");
    assert_eq!(invite.from, "<sip:+4971112345@192.0.2.1:5060>");
    assert_eq!(invite.headers, [("X-Customer".to_owned(), "42".to_owned())]);
    assert!(bench.ended(refused(486)).is_some());
    assert!(bench.exchange.deadline(bench.now).is_none());
}

#[test]
fn a_name_is_looked_up_and_its_hosts_are_tried_in_turn() {
    let mut bench = Bench::new();
    let lookup = lookup(&bench.place("sip:ann@pbx.example.com"));
    let flows = ["192.0.2.7", "192.0.2.8", "192.0.2.9"].map(|host| bench.flow(host)).to_vec();
    bench.exchange.resolved(bench.now, lookup, flows);
    assert_eq!(invited(&bench.drain()).flow.remote.to_string(), "192.0.2.7:5060");
    assert!(bench.ended(refused(503)).is_none(), "the call does not hear of it");
    assert_eq!(invited(&bench.drain()).flow.remote.to_string(), "192.0.2.8:5060");
    let forsaken = bench.wait(Duration::from_secs(4));
    assert!(matches!(forsaken[..], [Output::Command(Command::Forsake { session: LEG })]));
    assert!(bench.ended(Ending::Lost).is_none());
    assert_eq!(invited(&bench.drain()).flow.remote.to_string(), "192.0.2.9:5060");
    assert!(bench.wait(Duration::from_secs(10)).is_empty(), "the last one has all the time");
    assert!(bench.ended(Ending::Lost).is_some());
}

#[test]
fn busy_is_final_and_so_is_a_call_that_was_given_up() {
    let mut bench = Bench::new();
    for (gives_up, ending) in [(false, refused(486)), (true, refused(503))] {
        let lookup = lookup(&bench.place("sip:ann@pbx.example.com"));
        let flows = ["192.0.2.7", "192.0.2.8"].map(|host| bench.flow(host)).to_vec();
        bench.exchange.resolved(bench.now, lookup, flows);
        bench.drain();
        if gives_up {
            let command = Command::HangUp { session: LEG, reason: None };
            assert!(bench.exchange.obey(command).is_some(), "the endpoint cancels");
        }
        assert!(bench.ended(ending).is_some());
        assert!(bench.drain().is_empty());
    }
}

#[test]
fn a_call_given_up_while_its_host_is_looked_up_ends_at_once() {
    let mut bench = Bench::new();
    let lookup = lookup(&bench.place("sip:ann@pbx.example.com"));
    assert!(bench.exchange.obey(Command::HangUp { session: LEG, reason: None }).is_none());
    let ended = bench.drain();
    assert!(matches!(
        ended[..],
        [Output::Event(Event::Ended { ending: Ending::Cancelled { .. }, .. })]
    ));
    let flow = bench.flow("192.0.2.7");
    bench.exchange.resolved(bench.now, lookup, vec![flow]);
    assert!(bench.drain().is_empty());
}

#[test]
fn a_phone_that_nobody_answers_is_cancelled_when_it_has_rung_long_enough() {
    let mut bench = Bench::new();
    bench.place("sip:ann@192.0.2.9");
    let outputs = bench.wait(Duration::from_secs(60));
    assert!(matches!(outputs[..], [Output::Command(Command::HangUp { session: LEG, .. })]));
    assert!(bench.wait(Duration::from_secs(1)).is_empty(), "told once");
}

#[test]
fn a_destination_without_a_way_ends_at_once() {
    let mut bench = Bench::new();
    for destination in ["tel:+4930123456", "sip:ann@[2001:db8::1]"] {
        let outputs = bench.place(destination);
        assert!(
            matches!(outputs[..], [Output::Event(Event::Ended { session: LEG, .. })]),
            "{destination}: {outputs:?}"
        );
    }
}

/// Rings at two phones; gives the sessions of the branches.
fn fork(bench: &mut Bench) -> [SessionId; 2] {
    let ways = ["192.0.2.7", "192.0.2.8"].map(|host| Way {
        target: format!("sip:101@{host}"),
        from: "<sip:us@192.0.2.1>".to_owned(),
        hop: Hop::Flow(bench.flow(host)),
        headers: Vec::new(),
        account: None,
    });
    let placement = placement("sip:101@192.0.2.1");
    bench.exchange.place_at_once(bench.now, &placement, &ways);
    let sessions: Vec<SessionId> = bench
        .drain()
        .iter()
        .filter_map(|output| match output {
            Output::Command(Command::Invite(outgoing)) => Some(outgoing.session),
            _ => None,
        })
        .collect();
    sessions.try_into().expect("two branches")
}

fn answered(session: SessionId) -> Event {
    Event::Answered { session, body: Bytes::new(), headers: Vec::new() }
}

#[test]
fn of_phones_that_ring_together_the_first_to_answer_wins() {
    let mut bench = Bench::new();
    let [first, second] = fork(&mut bench);
    let ringing = Event::Progressed { session: first, status: 180, body: Bytes::new() };
    let told = bench.exchange.hear(bench.now, ringing).expect("the caller hears it ring");
    assert_eq!(told.session(), Some(LEG));
    let won = bench.exchange.hear(bench.now, answered(second)).expect("the call is told");
    assert_eq!(won.session(), Some(LEG));
    let [Output::Command(Command::HangUp { session, .. }), Output::Command(rename)] =
        &bench.drain()[..]
    else {
        panic!("one is hung up and the other renamed");
    };
    assert_eq!(*session, first);
    assert!(matches!(rename, Command::Rename { from, to: LEG } if *from == second));
    // The slower one answers in the same moment.
    assert!(bench.exchange.hear(bench.now, answered(first)).is_none());
    assert!(matches!(bench.drain()[..], [Output::Command(Command::HangUp { .. })]));
    let ending = refused(487);
    assert!(bench.exchange.hear(bench.now, Event::Ended { session: first, ending }).is_none());
    assert!(bench.ended(Ending::Bye { by: Party::Peer, reason: None }).is_some());
    assert!(bench.exchange.deadline(bench.now).is_none());
}

#[test]
fn when_all_phones_refuse_the_caller_hears_the_best_reason() {
    let mut bench = Bench::new();
    let [first, second] = fork(&mut bench);
    let end = |session, ending| Event::Ended { session, ending };
    assert!(bench.exchange.hear(bench.now, end(first, refused(486))).is_none());
    let last = bench.exchange.hear(bench.now, end(second, Ending::Lost));
    assert!(matches!(
        last,
        Some(Event::Ended { session: LEG, ending: Ending::Refused { status: 486, .. } })
    ));
}

#[test]
fn phones_that_nobody_answers_are_all_cancelled() {
    let mut bench = Bench::new();
    let sessions = fork(&mut bench);
    assert_eq!(bench.wait(Duration::from_secs(60)).len(), 2);
    let ending = Ending::Cancelled { by: Party::Us, reason: None };
    let mut told = sessions.map(|session| {
        bench.exchange.hear(bench.now, Event::Ended { session, ending: ending.clone() })
    });
    assert!(told[0].is_none());
    assert!(matches!(
        told[1].take(),
        Some(Event::Ended { session: LEG, ending: Ending::Cancelled { .. } })
    ));
}
