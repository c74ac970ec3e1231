//! Tests of campaigns in virtual time: pace, windows, retries, and a journal that was cut anywhere.

use super::*;
use crate::dialplan::campaign::{Retries, Retry};
use crate::dialplan::hours::Hours;

/// Monday, 2026-11-23 08:00 at Greenwich.
const MONDAY: Duration = Duration::from_secs(1_795_420_800);

fn terms() -> Terms {
    Terms {
        concurrency: 10,
        interval: Duration::from_millis(100),
        retry: Retries::default(),
        hours: None,
        zone: Zone::default(),
        dnc: Vec::new(),
        max_calls: None,
        max_time: None,
        span: (None, None),
    }
}

fn number(at: usize) -> Number {
    format!("+4971{at:06}").parse().expect("a number")
}

fn people(count: usize) -> Rows {
    let row = |at| Row {
        line: at as u64 + 2,
        number: number(at),
        variables: Variables::new(),
        zone: None,
    };
    Rows { rows: (0..count).map(row).collect(), bad: Vec::new() }
}

/// A world in virtual time: calls last so long, and come to what `comes` says.
struct World<'a> {
    now: Duration,
    comes: &'a dyn Fn(&Number, u32) -> (Duration, Fate),
    /// Calls that are up, by when they end.
    up: BTreeSet<(Duration, usize)>,
    fates: HashMap<usize, Fate>,
    journal: Vec<Entry>,
    dials: Vec<(Duration, Number)>,
    tries: HashMap<Number, u32>,
    most: usize,
}

impl<'a> World<'a> {
    fn new(comes: &'a dyn Fn(&Number, u32) -> (Duration, Fate)) -> Self {
        Self {
            now: MONDAY,
            comes,
            up: BTreeSet::new(),
            fates: HashMap::new(),
            journal: Vec::new(),
            dials: Vec::new(),
            tries: HashMap::new(),
            most: 0,
        }
    }

    fn drain(&mut self, campaign: &mut Campaign) {
        while let Some(output) = campaign.poll() {
            match output {
                Output::Write(entry) => self.journal.push(entry),
                Output::Dial(dial) => {
                    let written = Entry::Dialled { at: self.now, number: dial.number.clone() };
                    assert_eq!(self.journal.last(), Some(&written), "written before it begins");
                    let tries = self.tries.entry(dial.number.clone()).or_default();
                    *tries += 1;
                    let (lasts, fate) = (self.comes)(&dial.number, *tries);
                    self.up.insert((self.now + lasts, dial.place));
                    self.fates.insert(dial.place, fate);
                    self.dials.push((self.now, dial.number));
                    self.most = self.most.max(self.up.len());
                }
                Output::Told(_) => {}
            }
        }
    }

    /// Lets time go on to `end`, or until nothing is due any more.
    fn until(&mut self, campaign: &mut Campaign, end: Duration) {
        self.drain(campaign);
        loop {
            let ends = self.up.first().map(|(at, _)| *at);
            let Some(due) = campaign.deadline().into_iter().chain(ends).min() else { return };
            if due > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(due);
            match ends.filter(|ends| *ends <= self.now) {
                Some(at) => {
                    let (_, place) = self.up.pop_first().expect("it ends");
                    let fate = self.fates[&place];
                    let lasted_ms = if fate == Fate::Answered { 30_000 } else { 0 };
                    let outcome = Outcome { lasted_ms, ..Outcome::of(fate) };
                    campaign.came(at.max(self.now), place, outcome);
                }
                None => campaign.tick(self.now),
            }
            self.drain(campaign);
            let due = campaign.deadline();
            assert!(due.is_none_or(|due| due > self.now), "a past deadline: {due:?}");
        }
    }

    fn ends(&mut self, campaign: &mut Campaign) {
        self.until(campaign, self.now + Duration::from_secs(400 * 86_400));
    }
}

fn started(terms: Terms, rows: Rows) -> Campaign {
    let mut campaign = Campaign::new(terms, rows, Vec::new(), MONDAY);
    campaign.order(MONDAY, Order::Start).expect("it starts");
    campaign
}

fn quick(_: &Number, _: u32) -> (Duration, Fate) {
    (Duration::from_millis(700), Fate::Answered)
}

#[test]
fn ten_thousand_rows_are_paced_to_a_tenth_of_a_second() {
    let mut campaign = started(terms(), people(10_000));
    let mut world = World::new(&quick);
    world.ends(&mut campaign);
    assert_eq!(campaign.state(), State::Finished(Why::Done));
    assert_eq!(world.dials.len(), 10_000);
    for (at, (when, who)) in world.dials.iter().enumerate() {
        let wanted = MONDAY + Duration::from_millis(100) * at as u32;
        assert_eq!((*when, who), (wanted, &number(at)), "row {at}");
    }
    assert!(world.most <= 8, "{}", world.most);
}

#[test]
fn no_more_calls_are_up_than_may_be_and_nobody_is_called_in_a_burst_afterwards() {
    let slow = |_: &Number, _: u32| (Duration::from_secs(5), Fate::Answered);
    let mut campaign = started(Terms { concurrency: 3, ..terms() }, people(30));
    let mut world = World::new(&slow);
    world.ends(&mut campaign);
    assert_eq!((world.most, world.dials.len()), (3, 30));
    let gaps = world.dials.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(gaps.min().expect("gaps") >= Duration::from_millis(100));
}

#[test]
fn whoever_is_killed_at_any_point_calls_nobody_twice() {
    let comes = |who: &Number, _: u32| {
        let odd = who.to_e164().ends_with(['1', '3', '5', '7', '9']);
        (Duration::from_millis(350), if odd { Fate::Busy } else { Fate::Answered })
    };
    let mut world = World::new(&comes);
    let mut campaign = started(Terms { concurrency: 3, ..terms() }, people(24));
    world.ends(&mut campaign);
    let whole = world.journal;
    assert!(whole.len() > 24 * 2);
    for cut in 1..=whole.len() {
        let known = whole[..cut].to_vec();
        let dialled = |it: &Entry| match it {
            Entry::Dialled { number, .. } => Some(number.clone()),
            _ => None,
        };
        let mut calls: Vec<Number> = known.iter().filter_map(dialled).collect();
        let open = calls.len() - known.iter().filter(|it| matches!(it, Entry::Came { .. })).count();
        let mut after = World::new(&comes);
        let mut campaign =
            Campaign::new(Terms { concurrency: 3, ..terms() }, people(24), known, MONDAY);
        after.ends(&mut campaign);
        calls.extend(after.dials.iter().map(|(_, who)| who.clone()));
        calls.sort();
        let distinct = calls.len();
        calls.dedup();
        assert_eq!(calls.len(), distinct, "killed after {cut}: somebody is called twice");
        assert_eq!(calls.len(), 24, "killed after {cut}: somebody is forgotten");
        let counts = campaign.counts();
        assert_eq!(counts.done.get("interrupted").copied().unwrap_or(0), open, "{cut}");
        assert_eq!(counts.dials, 24, "{cut}");
    }
}

#[test]
fn who_was_interrupted_is_called_again_only_where_that_is_wanted() {
    let entries =
        vec![Entry::Started { at: MONDAY }, Entry::Dialled { at: MONDAY, number: number(0) }];
    let rule = Retry { count: 1, after: Duration::from_secs(60) };
    let retry = Retries { interrupted: Some(rule), ..Retries::default() };
    let mut campaign = Campaign::new(Terms { retry, ..terms() }, people(1), entries, MONDAY);
    let mut world = World::new(&quick);
    world.ends(&mut campaign);
    assert_eq!(world.dials, [(MONDAY + rule.after, number(0))]);
}

#[test]
fn outcomes_are_tried_again_as_often_and_as_late_as_it_is_written() {
    let busy = |_: &Number, tries: u32| {
        let fate = if tries < 3 { Fate::Busy } else { Fate::NoAnswer };
        (Duration::from_secs(1), fate)
    };
    let rule = Retry { count: 2, after: Duration::from_secs(600) };
    let retry = Retries { busy: Some(rule), ..Retries::default() };
    let mut campaign = started(Terms { retry, ..terms() }, people(1));
    let mut world = World::new(&busy);
    world.ends(&mut campaign);
    let times: Vec<u64> = world.dials.iter().map(|(at, _)| (*at - MONDAY).as_secs()).collect();
    assert_eq!(times, [0, 601, 1_202]);
    let results = campaign.results(0, 10);
    assert_eq!((results[0].state, results[0].tries), ("no_answer", 3));
}

#[test]
fn people_are_called_by_the_clock_where_they_are() {
    let hours: Hours = toml::from_str("mon-fri = \"09:00-17:00\"").expect("hours");
    let mut rows = people(3);
    for (row, zone) in rows.rows.iter_mut().zip(["America/New_York", "Asia/Tokyo", "Europe/Berlin"])
    {
        row.zone = zone.parse().ok();
    }
    let mut campaign = started(Terms { hours: Some(hours), ..terms() }, rows);
    let mut world = World::new(&quick);
    world.ends(&mut campaign);
    let hour = |at: u64| Duration::from_secs(at * 3_600);
    // Eight at Greenwich is nine in Berlin and five in the afternoon in Tokyo, which is too late.
    let wanted =
        [(MONDAY, number(2)), (MONDAY + hour(6), number(0)), (MONDAY + hour(16), number(1))];
    assert_eq!(world.dials, wanted);
}

#[test]
fn nobody_is_called_who_does_not_want_it_and_no_more_than_may_be() {
    let dnc = vec!["+4971000001".parse().expect("a pattern")];
    let mut campaign =
        Campaign::new(Terms { dnc, max_calls: Some(5), ..terms() }, people(10), Vec::new(), MONDAY);
    campaign.refuse(number(2));
    campaign.order(MONDAY, Order::Start).expect("it starts");
    let mut world = World::new(&quick);
    world.ends(&mut campaign);
    let called: Vec<Number> = world.dials.into_iter().map(|(_, who)| who).collect();
    assert_eq!(called, [0, 3, 4, 5, 6].map(number));
    assert_eq!(campaign.state(), State::Finished(Why::MaxCalls));
    let counts = campaign.counts();
    assert_eq!((counts.done["do_not_call"], counts.pending), (2, 3));
    // The time of calls is bounded, too.
    let mut campaign = started(
        Terms { max_time: Some(Duration::from_secs(90)), concurrency: 1, ..terms() },
        people(10),
    );
    let mut world = World::new(&quick);
    world.ends(&mut campaign);
    assert_eq!((world.dials.len(), campaign.state()), (3, State::Finished(Why::MaxTime)));
}

#[test]
fn a_pause_a_start_and_a_stop_are_kept() {
    let at = |seconds| MONDAY + Duration::from_secs(seconds);
    let span = (Some(at(60)), Some(at(62)));
    let mut campaign = started(Terms { span, ..terms() }, people(100));
    let mut world = World::new(&quick);
    world.until(&mut campaign, at(61));
    assert_eq!(world.dials.first().map(|(when, _)| *when), Some(at(60)));
    campaign.order(world.now, Order::Pause).expect("it pauses");
    let known = world.dials.len();
    world.until(&mut campaign, at(61) + Duration::from_millis(500));
    assert_eq!(world.dials.len(), known);
    assert!(campaign.order(world.now, Order::Start).is_err());
    campaign.order(world.now, Order::Resume).expect("it goes on");
    world.ends(&mut campaign);
    assert_eq!(campaign.state(), State::Finished(Why::Stop));
    assert!(world.dials.iter().all(|(when, _)| *when < at(62)));
    assert!(world.dials.len() > known);
    // What was written says the same, also through a file.
    let text: String =
        world.journal.iter().map(|it| serde_json::to_string(it).expect("JSON") + "\n").collect();
    let (read, wrong) = entry::read(&format!("{text}no line of ours\n{{\"kind\":\"star"));
    assert_eq!((&read, wrong), (&world.journal, vec![world.journal.len() + 1]));
    let again = Campaign::new(Terms { span, ..terms() }, people(100), read, world.now);
    assert_eq!((again.state(), again.counts()), (campaign.state(), campaign.counts()));
}

#[test]
fn a_server_that_goes_down_burns_no_row() {
    let mut campaign = started(Terms { concurrency: 1, ..terms() }, people(5));
    let mut world = World::new(&quick);
    world.until(&mut campaign, MONDAY + Duration::from_millis(100));
    campaign.hold();
    world.ends(&mut campaign);
    assert_eq!(world.dials.len(), 1);
    assert_eq!((campaign.state(), campaign.counts().pending), (State::Running, 4));
}

#[test]
fn a_clock_that_is_set_back_holds_nobody_up() {
    let mut campaign = started(terms(), people(3));
    while campaign.poll().is_some() {}
    let before = MONDAY - Duration::from_secs(3_600);
    campaign.tick(before);
    assert!(campaign.deadline().is_some_and(|due| due <= before + Duration::from_millis(100)));
}
