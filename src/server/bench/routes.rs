//! Routes and flows: how long a decision takes among many routes, how long such a plan takes to be
//! read, and what a node of a flow adds.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use super::{Figure, millis};
use crate::base::scope::Scope;
use crate::call::flow::{Input, Output, Walk};
use crate::config::external::FilesOnly;
use crate::config::load::{Loaded, Origin, Request, load};
use crate::dialplan::runner::Call;
use crate::engine::clock;

/// Measures.
///
/// # Errors
/// When the plan cannot be read: one sentence.
pub fn measure() -> Result<Vec<Figure>, String> {
    let folder = std::env::temp_dir().join(format!("voxtrunk-routes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
    let measured = measure_in(&folder);
    std::fs::remove_dir_all(&folder).ok();
    measured
}

fn measure_in(folder: &std::path::Path) -> Result<Vec<Figure>, String> {
    let wrote = std::fs::write(folder.join("blocked.csv"), list())
        .and_then(|()| std::fs::write(folder.join("main.toml"), plan()));
    wrote.map_err(|why| why.to_string())?;
    let request = Request {
        server: Some(Origin::Text { name: "server.toml".to_owned(), text: String::new() }),
        dialplans: vec![Origin::Path(folder.to_owned())],
        ..Request::default()
    };
    let began = clock::now();
    let loaded = load(&request, &|_| None, &FilesOnly);
    let read = clock::now().saturating_duration_since(began);
    if loaded.has_errors() {
        let first = loaded.diagnostics.first().map(|found| found.message.clone());
        return Err(format!("the plan is wrong: {}", first.unwrap_or_default()));
    }
    let step = step(&loaded)?;
    let told = format!("{ROUTES} routes, a list of {NUMBERS} numbers");
    Ok(vec![
        Figure::new("routes.decision", decision(&loaded), "us").at_most(20.0).told(told),
        Figure::new("routes.read", millis(read), "ms")
            .at_most(1_000.0)
            .told("files to plan, checked"),
        Figure::new("flow.step", step, "us")
            .at_most(100.0)
            .told("a value set, a text said, a condition"),
    ])
}

/// What a node of a flow takes on average, in microseconds: three of them, walked over and over.
fn step(loaded: &Loaded) -> Result<f64, String> {
    let flow = loaded.flows.get("steps").ok_or("the flow is not there")?;
    let (began, mut steps) = (clock::now(), 0_u32);
    for _ in 0..ROUNDS * 100 {
        let mut walk = Walk::new("steps", flow.clone(), Scope::default());
        walk.handle(began, Input::Began);
        while let Some(output) = walk.poll() {
            steps += u32::from(matches!(black_box(output), Output::Entered(_)));
        }
    }
    let took = clock::now().saturating_duration_since(began);
    Ok(took.as_secs_f64() * 1_000_000.0 / f64::from(steps.max(1)))
}

/// What a decision takes on average, in microseconds: a tenth of the calls is blocked, a tenth falls
/// through to the last route.
fn decision(loaded: &Loaded) -> f64 {
    let at = Some(Duration::from_secs(1_795_500_000));
    let calls: Vec<(String, String)> = (0..1_000)
        .map(|call| {
            let did = if call % 10 == 9 { 2_000_000 } else { 1_000_000 + call * 10 };
            let caller = if call % 10 == 0 { 3_000_000 + call * 50 } else { 9_000_000 + call };
            (format!("+4971{did}"), format!("+4930{caller}"))
        })
        .collect();
    let began = clock::now();
    for _ in 0..ROUNDS {
        for (did, caller) in &calls {
            let call = Call { did, caller, trunk: "carrier", at, ..Call::default() };
            black_box(loaded.plan.route(&call));
        }
    }
    let took = clock::now().saturating_duration_since(began);
    took.as_secs_f64() * 1_000_000.0 / f64::from(ROUNDS) / calls.len() as f64
}

fn list() -> String {
    (0..NUMBERS).map(|number| format!("+4930{}\n", 3_000_000 + number)).collect()
}

fn plan() -> String {
    let mut text = "[hours.office]\ntimezone = \"Europe/Berlin\"\nmon-fri = \"08:00-18:00\"\n\
                    holidays = [\"DE-BW\"]\n[lists.blocked]\nfile = \"blocked.csv\"\n\
                    [[route]]\nname = \"blocked\"\ncaller = \"list:blocked\"\nto = \"reject:603\"\n"
        .to_owned();
    for route in 0..ROUTES {
        let did = 1_000_000 + route;
        let when = if route % 2 == 0 { "when = \"hours.office\"\n" } else { "" };
        write!(
            text,
            "[[route]]\nname = \"route {route}\"\ndid = \"+4971{did}\"\n{when}to = \"agent:front\"\n"
        )
        .ok();
    }
    text.push_str("[[route]]\nto = \"hangup:404\"\n[agents.front]\nfirst_message = \"Hello.\"\n");
    text.push_str(FLOW);
    text
}

const FLOW: &str = r#"
[flows.steps]
agent = "front"
start = "set"

[flows.steps.nodes.set]
type = "set"
set  = { n = 3, name = "{{ vars.n }}!" }
next = "say"

[flows.steps.nodes.say]
type = "say"
text = "Hello, {{ vars.name }}."
next = "way"

[flows.steps.nodes.way]
type = "branch"
next = [
  { when = "vars.n == 4", to = "set" },
  { when = "vars.name.startsWith('4')", to = "set" },
  { when = "vars.n == 3 && size(vars.name) > 3", to = "end" },
  { to = "end" },
]

[flows.steps.nodes.end]
type = "end"
"#;

const ROUTES: usize = 10_000;
const NUMBERS: usize = 100_000;
const ROUNDS: u32 = 20;
