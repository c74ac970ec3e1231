//! What holds for every call, whatever caller, network and model do.

use std::time::Duration;

use proptest::prelude::*;
use voxtrunk::agent::event::Delta;
use voxtrunk::agent::tool::{ToolCall, names};
use voxtrunk::base::destination::Destination;
use voxtrunk::dialplan::plan::Route;

use super::simulation::actor::{Actor, Works};
use super::simulation::callee::{Act as Does, Manner};
use super::simulation::network::Weather;
use super::simulation::phone::{Act, Line, When};
use super::simulation::{World, shop};

/// All that a call depends on.
#[derive(Debug, Clone)]
struct Story {
    seed: u64,
    script: Vec<Line>,
    answers: Vec<Vec<(u64, Delta)>>,
    signalling: Weather,
    media: Weather,
    lag: u64,
    hearing: u64,
    works: Works,
}

impl Story {
    fn play(&self) -> World {
        let mut assistant = shop();
        assistant.limits.max_duration = Duration::from_secs(40);
        let mut answers = self.answers.clone();
        let mind = move |_: &_| answers.pop().unwrap_or_default();
        let mut desk = Actor::with_mind("desk", assistant, Box::new(mind));
        desk.hearing.takes = Duration::from_millis(self.hearing);
        desk.voice.works = self.works;
        let mut world = World::new(self.seed, vec![desk]);
        world.phone.script = self.script.iter().cloned().collect();
        (world.scene.signalling, world.scene.media) = (self.signalling, self.media);
        world.scene.lag = Duration::from_millis(self.lag);
        world.play();
        world
    }
}

fn weather() -> impl Strategy<Value = Weather> {
    (0..80_u64, 0..120_u64, 0..25_u32, 0..20_u32).prop_map(|(delay, jitter, loss, duplication)| {
        Weather {
            delay: Duration::from_millis(delay),
            jitter: Duration::from_millis(jitter),
            loss: f64::from(loss) / 100.0,
            duplication: f64::from(duplication) / 100.0,
        }
    })
}

fn line() -> impl Strategy<Value = Line> {
    let when = prop_oneof![
        3 => Just(When::Quiet),
        2 => (0..3_000_u64).prop_map(When::Over),
        1 => (0..6_000_u64).prop_map(When::After),
        1 => (0..20_000_u64).prop_map(When::At),
    ];
    let act = prop_oneof![
        4 => prop::sample::select(vec!["where are you", "mhm", "no", "goodbye", "well then I would say"])
            .prop_map(|text| Act::Say(text.to_owned())),
        1 => (20..600_u64).prop_map(Act::Cough),
        1 => prop::sample::select(vec!["1", "12", "#", "0987"]).prop_map(Act::Press),
        1 => Just(Act::Hold),
        1 => Just(Act::Resume),
        1 => Just(Act::Move),
        1 => Just(Act::HangUp),
    ];
    (when, act).prop_map(|(when, act)| Line { when, act })
}

fn answer() -> impl Strategy<Value = Vec<(u64, Delta)>> {
    let text = |text: &str| Delta::Text(text.to_owned());
    let tool = |name: &str| {
        let (id, arguments) = ("1".to_owned(), r#"{"to": "sales"}"#.to_owned());
        Delta::Tool(ToolCall { id, name: name.to_owned(), arguments })
    };
    let delta = prop::sample::select(vec![
        text("Yes. "),
        text("That may be so, but "),
        text("who knows it? Nobody does. "),
        text(""),
        tool(names::END_CALL),
        tool(names::TRANSFER_CALL),
        tool("nonsense"),
        Delta::Done,
        Delta::Done,
        Delta::Failed,
    ]);
    prop::collection::vec((0..2_500_u64, delta), 0..5)
}

fn story() -> impl Strategy<Value = Story> {
    let works =
        prop::sample::select(vec![Works::Yes, Works::Yes, Works::Yes, Works::Fails, Works::Hangs]);
    (
        (any::<u64>(), 0..8_u64, 0..1_500_u64, works),
        prop::collection::vec(line(), 0..6),
        prop::collection::vec(answer(), 0..6),
        (weather(), weather()),
    )
        .prop_map(|((seed, lag, hearing, works), script, answers, (signalling, media))| {
            Story { seed, script, answers, signalling, media, lag, hearing, works }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_in_time_and_the_same_seed_tells_the_same_story(story in story()) {
        let (one, other) = (story.play(), story.play());
        for record in one.records() {
            prop_assert!(record.lasted < Duration::from_secs(120), "{:?}", record.lasted);
        }
        prop_assert_eq!(one.ladder(), other.ladder());
        prop_assert_eq!(one.heard(), other.heard());
        let lines = |world: &World| world.records().iter().map(|it| format!("{it:?}")).collect::<Vec<_>>();
        prop_assert_eq!(lines(&one), lines(&other));
    }

    #[test]
    fn every_call_to_somebody_else_ends_for_all_and_once(story in tangle()) {
        let (one, other) = (story.play(), story.play());
        prop_assert_eq!(one.ladder(), other.ladder());
        let records = one.records();
        // A server that goes down refuses who comes then: that is no call.
        let came = story.shut_down.is_none() || one.callees.iter().any(|it| !it.invites.is_empty());
        prop_assert!((usize::from(came)..=1).contains(&records.len()), "{}", one.ladder());
        for record in records {
            prop_assert!(record.lasted < Duration::from_secs(300), "{:?}", record.lasted);
            for leg in &record.legs {
                prop_assert!(leg.to.is_none() || leg.ended.is_some(), "{leg:?}");
            }
        }
        for callee in &one.callees {
            prop_assert_eq!(callee.invites.len(), callee.endings.len());
        }
    }
}

/// A call that goes on to others, in any weather.
#[derive(Debug, Clone)]
struct Tangle {
    seed: u64,
    manners: Vec<Manner>,
    at_once: bool,
    hangs_up: u64,
    callee_hangs_up: u64,
    shut_down: Option<u64>,
    weather: Weather,
    lag: u64,
}

impl Tangle {
    fn play(&self) -> World {
        let to = |number: usize| -> Destination {
            format!("sip:somebody@192.0.2.{}", 7 + number).parse().expect("a destination")
        };
        let all: Vec<_> = (0..self.manners.len()).map(to).collect();
        let (first, rest) = all.split_at(if self.at_once { all.len() } else { 1 });
        let route = Route {
            to: first.to_vec(),
            otherwise: rest.to_vec(),
            ring: Some(Duration::from_secs(8)),
            ..Route::to(to(0))
        };
        let mut world = World::with_route(route);
        (world.scene.signalling, world.scene.media) = (self.weather, self.weather);
        world.scene.random = voxtrunk::base::random::Random::repeatable(self.seed);
        world.scene.lag = Duration::from_millis(self.lag);
        world.shut_down = self.shut_down;
        for manner in &self.manners {
            let callee = world.with_callee(*manner);
            callee.then(300, Does::Say("hello")).then(self.callee_hangs_up, Does::HangUp);
        }
        world.then(When::At(self.hangs_up), Act::HangUp);
        world.play();
        world
    }
}

fn tangle() -> impl Strategy<Value = Tangle> {
    let manner = prop_oneof![
        4 => (0..9_000_u64).prop_map(Manner::Answers),
        1 => (500..5_000_u64).prop_map(|after| Manner::Announces("please wait", after)),
        1 => Just(Manner::Rings),
        2 => prop::sample::select(vec![486, 404, 503, 480, 603, 302]).prop_map(Manner::Refuses),
    ];
    let times = (500..40_000_u64, 500..40_000_u64, prop::option::weighted(0.1, 0..20_000_u64));
    (any::<u64>(), prop::collection::vec(manner, 1..4), any::<bool>(), times, weather(), 0..8_u64)
        .prop_map(|(seed, manners, at_once, times, weather, lag)| {
            let (hangs_up, callee_hangs_up, shut_down) = times;
            Tangle { seed, manners, at_once, hangs_up, callee_hangs_up, shut_down, weather, lag }
        })
}
