//! Legs on their way, in virtual time.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::call::keying::Offers;
use crate::call::outbound::purse::{self, Account, Allowance, Ledger};
use crate::call::placement::Caller;
use crate::sip::event::Transport;

const LEG: SessionId = SessionId(9);

struct Bench {
    exchange: Exchange,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let socket = "192.0.2.1:5060".parse().expect("an address");
        let sockets = Sockets::new([(Transport::Udp, socket)]);
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
        let uri = format!("sip:{remote}");
        self.exchange.settings.sockets.straight(&uri).expect("a flow")
    }

    fn wait(&mut self, span: Duration) -> Vec<Output> {
        self.now += span;
        self.exchange.tick(self.now);
        self.drain()
    }
}

fn placement(destination: &str) -> Placement {
    Placement {
        payer: None,
        trunks: Vec::new(),
        session: LEG,
        destination: destination.parse().expect("a destination"),
        caller: Caller { number: "+4971112345".into(), ..Caller::default() },
        offers: Offers::plain(Bytes::from_static(b"v=0\r\n")),
        is_secret: false,
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

#[test]
fn a_leg_that_nobody_pays_for_any_longer_is_hung_up_and_ends_by_our_rules() {
    let mut bench = Bench::new();
    let account = Account::Trunk("carrier".into());
    let allowance = Allowance { daily_minutes: Some(1), ..Allowance::default() };
    let settings = purse::Settings {
        allowances: HashMap::from([(account.clone(), allowance)]),
        ..purse::Settings::default()
    };
    bench.exchange = bench.exchange.with_purse(Purse::new(settings, Ledger::default()));
    let fare = bench.exchange.purse.fare((&"carrier".into(), None), "+4930123456", None);
    bench.exchange.purse.begin(LEG, fare.clone());
    let answered = Event::Confirmed { session: LEG, body: Bytes::new() };
    assert!(bench.exchange.hear(bench.now, answered).is_some());
    assert_eq!(bench.exchange.deadline(bench.now), Some(bench.now + Duration::from_secs(60)));
    assert!(bench.wait(Duration::from_secs(59)).is_empty());
    let outputs = bench.wait(Duration::from_secs(1));
    let [Output::Command(Command::HangUp { session: LEG, .. })] = outputs[..] else {
        panic!("{outputs:?}")
    };
    let told = bench.ended(Ending::Bye { by: Party::Us, reason: None });
    let Some(Event::Ended {
        ending: Ending::Refused { by: Party::Us, status: 403, reason }, ..
    }) = told
    else {
        panic!("{told:?}")
    };
    assert_eq!(reason.as_deref(), Some("the minutes of the day of trunk:carrier are used up"));
    let short = bench.exchange.purse.can_pay(SessionId(10), &fare).expect_err("no minutes");
    assert_eq!(short.account, account);
    assert_eq!(bench.exchange.spent().1.len(), 2, "near the limit, and at it");
}
