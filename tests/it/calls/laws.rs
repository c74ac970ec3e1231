//! What holds for every call, whatever caller, network and model do.

use std::time::Duration;

use proptest::prelude::*;
use voxtrunk::agent::event::Delta;
use voxtrunk::agent::tool::{ToolCall, names};

use super::simulation::actor::{Actor, Works};
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
}
