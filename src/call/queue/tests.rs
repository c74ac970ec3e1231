//! Tests of queues in virtual time.

use super::*;
use crate::dialplan::queue::Announce;

struct House {
    queues: Queues,
    now: Instant,
}

impl House {
    fn new() -> Self {
        Self { queues: Queues::new(Random::repeatable(7)), now: Instant::now() }
    }

    fn say(&mut self, caller: u64, input: Input) -> Vec<(u64, Word)> {
        self.queues.handle(self.now, PortId(caller), input);
        self.heard()
    }

    fn enter(&mut self, caller: u64, queue: (&str, &Arc<Queue>), needs: Needs) -> Vec<(u64, Word)> {
        let (queue, terms) = (queue.0.to_owned(), queue.1.clone());
        self.say(caller, Input::Enter { queue, terms, needs })
    }

    fn comes(&mut self, caller: u64, queue: &Arc<Queue>) -> Vec<(u64, Word)> {
        self.enter(caller, ("sales", queue), Needs::default())
    }

    /// Goes on to the next deadline, which must be after so many seconds.
    fn after(&mut self, seconds: u64) -> Vec<(u64, Word)> {
        self.now += Duration::from_secs(seconds);
        assert!(self.queues.deadline().is_some_and(|at| at <= self.now), "something is due");
        self.queues.tick(self.now);
        self.heard()
    }

    fn heard(&mut self) -> Vec<(u64, Word)> {
        std::iter::from_fn(|| self.queues.poll()).map(|(to, word)| (to.0, word)).collect()
    }
}

fn phone(name: &str) -> Destination {
    Destination::Phone(name.to_owned())
}

fn queue(members: &[&str], strategy: Strategy) -> Queue {
    let member =
        |name: &&str| queue::Member { to: phone(name), skills: BTreeSet::new(), penalty: 0 };
    Queue {
        members: members.iter().map(member).collect(),
        strategy,
        priority: 0,
        ring: Duration::from_secs(15),
        retry: Duration::from_secs(5),
        wrap_up: Duration::ZERO,
        max_wait: None,
        max_callers: 100,
        otherwise: None,
        say: None,
        announce: Announce::default(),
        callback: None,
        music: None,
        brief: None,
        agent: None,
    }
}

fn place(caller: u64, position: usize, waiting: usize) -> (u64, Word) {
    (caller, Word::Place { position, waiting })
}

fn rings(caller: u64, names: &[&str]) -> (u64, Word) {
    (caller, Word::Ring(names.iter().map(|name| phone(name)).collect()))
}

#[test]
fn callers_are_served_in_their_order_by_one_member_after_the_other() {
    let (mut house, sales) = (House::new(), Arc::new(queue(&["1", "2"], Strategy::RoundRobin)));
    assert_eq!(house.comes(1, &sales), [place(1, 1, 1), rings(1, &["1"])]);
    assert_eq!(house.comes(2, &sales), [place(2, 2, 2), rings(2, &["2"])]);
    assert_eq!(house.comes(3, &sales), [place(3, 3, 3)], "both are rung for others");
    assert_eq!(house.say(2, Input::Taken(phone("2"))), []);
    assert_eq!(house.say(3, Input::Ask), [place(3, 2, 2)]);
    // The first member does not answer: it is left alone, and nobody else is free.
    assert_eq!(house.say(1, Input::NotTaken), []);
    assert_eq!(house.after(5), [rings(1, &["1"])]);
    assert_eq!(house.say(1, Input::Taken(phone("1"))), []);
    assert_eq!(house.say(2, Input::Leave), [rings(3, &["2"])], "the talk is over");
}

#[test]
fn who_does_not_answer_does_not_keep_the_others_from_the_caller() {
    let (mut house, sales) =
        (House::new(), Arc::new(queue(&["1", "2", "3"], Strategy::RoundRobin)));
    assert_eq!(house.comes(1, &sales)[1], rings(1, &["1"]));
    assert_eq!(house.say(1, Input::NotTaken), [rings(1, &["2"])]);
    assert_eq!(house.say(1, Input::NotTaken), [rings(1, &["3"])]);
    assert_eq!(house.say(1, Input::NotTaken), []);
    assert_eq!(house.after(5), [rings(1, &["1"])]);
}

#[test]
fn all_are_rung_at_once_and_those_who_were_too_late_are_free() {
    let (mut house, sales) = (House::new(), Arc::new(queue(&["1", "2", "3"], Strategy::RingAll)));
    assert_eq!(house.comes(1, &sales)[1], rings(1, &["1", "2", "3"]));
    assert_eq!(house.comes(2, &sales), [place(2, 2, 2)]);
    assert_eq!(house.say(1, Input::Taken(phone("2"))), [rings(2, &["1", "3"])]);
    assert_eq!(house.say(2, Input::Leave), [], "hung up while it rang");
    assert_eq!(house.comes(3, &sales)[1], rings(3, &["1", "3"]));
}

#[test]
fn a_caller_waits_for_somebody_who_can_do_what_it_needs() {
    let mut sales = queue(&["1", "2"], Strategy::RoundRobin);
    sales.members[1].skills.insert("german".to_owned());
    let (mut house, sales) = (House::new(), Arc::new(sales));
    let german = Needs { skills: ["german".to_owned()].into(), ..Needs::default() };
    assert_eq!(house.enter(1, ("sales", &sales), german.clone())[1], rings(1, &["2"]));
    house.say(1, Input::Taken(phone("2")));
    assert_eq!(house.enter(2, ("sales", &sales), german), [place(2, 1, 1)]);
    assert_eq!(house.comes(3, &sales), [place(3, 2, 2), rings(3, &["1"])], "it needs nothing");
    assert_eq!(house.say(1, Input::Leave), [rings(2, &["2"])]);
}

#[test]
fn those_who_matter_more_come_first_and_penalties_last() {
    let mut sales = queue(&["1", "2"], Strategy::FewestCalls);
    sales.members[0].penalty = 1;
    let (mut house, sales) = (House::new(), Arc::new(sales));
    assert_eq!(house.comes(1, &sales)[1], rings(1, &["2"]));
    house.say(1, Input::Taken(phone("2")));
    assert_eq!(house.comes(2, &sales)[1], rings(2, &["1"]), "nobody better is free");
    house.say(2, Input::Taken(phone("1")));
    house.comes(3, &sales);
    let urgent = Needs { priority: 10, ..Needs::default() };
    assert_eq!(house.enter(4, ("sales", &sales), urgent), [place(4, 1, 2)]);
    assert_eq!(house.say(3, Input::Ask), [place(3, 2, 2)]);
    assert_eq!(house.say(1, Input::Leave), [rings(4, &["2"])]);
}

#[test]
fn who_serves_two_queues_serves_the_one_that_comes_first() {
    let mut vip = queue(&["1"], Strategy::LeastRecent);
    vip.priority = 5;
    vip.wrap_up = Duration::from_secs(10);
    let (sales, vip) = (Arc::new(queue(&["1"], Strategy::LeastRecent)), Arc::new(vip));
    let mut house = House::new();
    assert_eq!(house.comes(1, &sales)[1], rings(1, &["1"]));
    house.say(1, Input::Taken(phone("1")));
    house.comes(2, &sales);
    house.enter(3, ("vip", &vip), Needs::default());
    assert_eq!(house.say(1, Input::Leave), [rings(3, &["1"])]);
    house.say(3, Input::Taken(phone("1")));
    assert_eq!(house.say(3, Input::Leave), [], "it writes down what was said");
    assert_eq!(house.after(10), [rings(2, &["1"])]);
}

#[test]
fn the_one_whose_last_call_is_longest_over_is_rung() {
    let (mut house, sales) = (House::new(), Arc::new(queue(&["1", "2"], Strategy::LeastRecent)));
    for (caller, member) in [(1, "1"), (2, "2")] {
        assert_eq!(house.comes(caller, &sales)[1], rings(caller, &[member]));
        house.say(caller, Input::Taken(phone(member)));
    }
    house.now += Duration::from_secs(60);
    house.say(2, Input::Leave);
    house.now += Duration::from_secs(60);
    house.say(1, Input::Leave);
    assert_eq!(house.comes(3, &sales)[1], rings(3, &["2"]));
}

#[test]
fn a_full_queue_takes_nobody_and_one_who_rests_takes_no_caller() {
    let mut sales = queue(&["1"], Strategy::Random);
    sales.max_callers = 1;
    let (mut house, sales) = (House::new(), Arc::new(sales));
    assert!(!house.queues.pause(house.now, &phone("1"), true), "it serves no queue");
    house.queues.know(house.now, &[("sales".to_owned(), sales.clone())].into());
    assert!(house.queues.pause(house.now, &phone("1"), true));
    assert_eq!(house.comes(1, &sales), [place(1, 1, 1)]);
    assert_eq!(house.comes(2, &sales), [(2, Word::Full)]);
    assert_eq!(house.say(2, Input::Ask), [], "it is in no queue");
    house.now += Duration::from_secs(3);
    let view = &house.queues.views(house.now)[0];
    assert_eq!((view.waiting, view.longest), (1, Duration::from_secs(3)));
    assert_eq!(view.members, [(phone("1"), Doing::Paused)]);
    house.queues.pause(house.now, &phone("1"), false);
    assert_eq!(house.heard(), [rings(1, &["1"])]);
    assert_eq!(house.queues.views(house.now)[0].members, [(phone("1"), Doing::Ringing)]);
}

#[test]
fn a_thousand_who_wait_cost_a_look_at_the_members() {
    let (mut house, sales) = (House::new(), Arc::new(queue(&["1"], Strategy::RoundRobin)));
    let mut terms = (*sales).clone();
    terms.max_callers = 2_000;
    let sales = Arc::new(terms);
    for caller in 0..1_000 {
        house.comes(caller, &sales);
    }
    assert_eq!(house.say(999, Input::Ask), [place(999, 1_000, 1_000)]);
    for caller in 0..1_000 {
        let told = house.say(caller, Input::Taken(phone("1")));
        assert_eq!(told, []);
        let next = (caller < 999).then(|| rings(caller + 1, &["1"]));
        assert_eq!(house.say(caller, Input::Leave), Vec::from_iter(next), "in their order");
    }
    assert!(house.queues.callers.is_empty());
}

#[test]
fn who_sends_its_call_elsewhere_is_busy_and_others_are_not_kept() {
    let (mut house, sales) = (House::new(), Arc::new(queue(&["1"], Strategy::RoundRobin)));
    house.comes(1, &sales);
    house.say(1, Input::Taken(phone("99")));
    assert_eq!(house.comes(2, &sales), [place(2, 1, 1)], "its only member talks");
    assert_eq!(house.queues.members.len(), 1, "only members are known");
    assert_eq!(house.say(1, Input::Leave), [rings(2, &["1"])]);
}

#[test]
fn who_is_called_back_keeps_its_place_for_a_while() {
    let (mut house, sales) = (House::new(), Arc::new(queue(&["1"], Strategy::RoundRobin)));
    house.comes(1, &sales);
    house.say(1, Input::Taken(phone("1")));
    house.comes(2, &sales);
    house.comes(3, &sales);
    let number: Number = "+4971112345".parse().expect("a number");
    let within = Duration::from_secs(600);
    assert_eq!(house.say(2, Input::CallBack { number: number.clone(), within }), []);
    assert_eq!(house.say(3, Input::Ask), [place(3, 2, 2)], "it is still before others");
    let back = |told: Vec<(u64, Word)>| match told.as_slice() {
        [(2, Word::CallBack(back))] => (back.members.clone(), back.number.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(back(house.say(1, Input::Leave)), (vec![phone("1")], number.clone()));
    // The member does not answer; in the end it does.
    assert_eq!(house.say(2, Input::NotTaken), []);
    assert_eq!(back(house.after(5)), (vec![phone("1")], number.clone()));
    house.say(2, Input::Taken(phone("1")));
    assert_eq!(house.say(2, Input::Leave), [rings(3, &["1"])]);
    // One whom nobody has time for is forgotten.
    house.comes(4, &sales);
    house.say(4, Input::CallBack { number, within });
    assert_eq!(house.after(600), []);
    assert_eq!(house.say(3, Input::Leave), [], "nobody waits any more");
}

#[test]
fn words_of_those_who_are_gone_change_nothing() {
    let (mut house, sales) = (House::new(), Arc::new(queue(&["1"], Strategy::RingAll)));
    for input in [Input::NotTaken, Input::Taken(phone("1")), Input::Leave, Input::Ask] {
        assert_eq!(house.say(9, input), []);
    }
    assert_eq!(house.comes(1, &sales)[1], rings(1, &["1"]));
    house.say(1, Input::Leave);
    assert_eq!(house.say(1, Input::Taken(phone("1"))), [], "it hung up before it was answered");
    assert_eq!(house.comes(2, &sales)[1], rings(2, &["1"]));
}
