//! Flows in the running server: nodes that say, ask, decide and end, by voice and by keys; the
//! record tells the way that a call took.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use voxtrunk::engine::phone::{Act, Line, When};
use voxtrunk::media::event::Digit;
use voxtrunk::providers::fakes::deepgram::{self, Script};
use voxtrunk::providers::fakes::ear::scripted;
use voxtrunk::providers::fakes::stand::nobody;

use super::caller::{Speaker, call, say};
use super::server::{Folder, House, Server, program, said};
use super::service::{Reply, Service};
use crate::fakes::chat_server::KEY;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flow_asks_for_a_day_and_a_number_reads_it_back_and_ends() {
    let server = Server::start(House::with(FLOW)).await;
    let lines = vec![
        say(Speaker::Flite("rms"), "monday").await,
        press("4711#"),
        // That was not it: it is asked again.
        say(Speaker::Flite("rms"), "no").await,
        press("4712#"),
        say(Speaker::Flite("rms"), "yes please").await,
    ];
    let outcome = call(&server.uri("901"), lines, Duration::from_secs(12)).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    let way = ["greet", "day", "number", "which", "monday"];
    assert_eq!(nodes(&record), way, "{record:#}");
    let lines = said(&record, "agent").join(" ");
    for part in [
        "Welcome. On which day?",
        "What is your number?",
        "I have four seven one two. Is that right?",
        "Monday it is, 4712. Goodbye.",
    ] {
        assert!(lines.contains(part), "{part}: {lines}");
    }
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");
    assert_eq!(record["flow_failed"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_who_does_not_answer_goes_where_the_flow_says() {
    let server = Server::start(House::with(FLOW)).await;
    call(&server.uri("901"), Vec::new(), Duration::from_secs(12)).await;
    let record = server.record().await;
    assert_eq!(nodes(&record), ["greet", "day", "human"], "{record:#}");
    assert_eq!(record["agents"], serde_json::json!(["desk"]), "{record:#}");
    let lines = said(&record, "agent");
    let connected = lines.iter().position(|line| line == "I am connecting you.");
    let next = connected.and_then(|at| lines.get(at + 1));
    assert_eq!(next.map(String::as_str), Some("Desk here."), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flow_books_by_a_tool_and_goes_by_what_came_of_it() {
    let service = Service::open(|seen| match seen.path() {
        "/slots?day=Monday" => Reply::json(json!({ "slots": ["ten"] })),
        "/slots?day=Tuesday" => Reply::json(json!({ "slots": [] })),
        _ => Reply { status: 500, ..Reply::json(json!({})) },
    })
    .await;
    let house = House::with(&BOOKING.replace("CALENDAR", &service.url()));
    let allowed = format!("[security.tools]\nallow = [\"{}\"]\n", service.host());
    let server = Server::start(house.and(&allowed)).await;
    for (day, way, end) in [
        ("monday", ["day", "slots", "free"], "At ten. Goodbye."),
        ("tuesday", ["day", "slots", "full"], "There is nothing free. Goodbye."),
        ("friday", ["day", "slots", "broken"], "Please call again. Goodbye."),
    ] {
        let lines = vec![say(Speaker::Flite("rms"), day).await];
        let outcome = call(&server.uri(day), lines, Duration::from_secs(12)).await;
        assert!(outcome.they_hung_up(), "{day}: {:?}", outcome.ending);
        let record = server.records_of(day, 1).await.remove(0);
        assert_eq!(nodes(&record), way, "{record:#}");
        let words = said(&record, "agent").join(" ");
        assert!(words.ends_with(end) && words.contains("One moment."), "{day}: {words}");
        // What the node before gave stands there, too.
        let tools = record["tools"].as_array().expect("tools").iter();
        let names: Vec<_> = tools.map(|tool| tool["name"].as_str().unwrap_or_default()).collect();
        assert_eq!(names, ["collect", "check_slots"], "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_collects_digits_a_date_and_an_address_and_reads_back_what_is_easily_misheard() {
    let ear = scripted(&[
        "four seven one two",
        "on the first of december",
        "anna dot smith at example dot com",
        "yes",
    ]);
    let delay = Duration::from_millis(20);
    let ears = Script { key: KEY, ear, delay, faults: Vec::new(), observer: nobody() };
    let ears = deepgram::open(ears).await.expect("a port");
    let settings = format!(
        "[providers.ears]\nkind = \"deepgram\"\napi_key = \"{KEY}\"\nbase_url = \"{}\"\n\
         model = \"nova-3\"\n",
        ears.base_url()
    );
    let server = Server::start(House::with(VALUES).and(&settings)).await;
    let mut lines = Vec::new();
    for words in ["four seven one two", "the first of december", "anna smith at example", "yes"] {
        lines.push(say(Speaker::Flite("rms"), words).await);
    }
    let outcome = call(&server.uri("901"), lines, Duration::from_secs(12)).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    let given = record["tools"][0]["arguments"].as_str().expect("what was given");
    let given: Value = serde_json::from_str(given).expect("JSON");
    assert_eq!(
        (&given["code"], &given["mail"]),
        (&json!("4712"), &json!("anna.smith@example.com"))
    );
    let day = given["day"].as_str().expect("a day");
    assert!(day.ends_with("-12-01"), "{day}");
    let words = said(&record, "agent").join(" ");
    let (before, after) = words.split_once(" Is that right? ").expect("it asks");
    let asked = before.rsplit_once("I have ").expect("what it read back").1;
    assert!(asked.contains("four seven one two") && !asked.contains("ecember"), "{asked}");
    assert!(after.starts_with("Booked for ") && after.ends_with("Goodbye."), "{after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flow_is_walked_as_text() {
    let folder = Folder::new();
    let config = House::with(FLOW).write(&folder);
    let walked = async |lines: &str| {
        let mut command = program();
        command.args(["flow", "test", "appointment", "--config"]).arg(&config);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut walking = command.spawn().expect("it runs");
        let mut typed = walking.stdin.take().expect("it is piped");
        typed.write_all(lines.as_bytes()).await.expect("it reads");
        drop(typed);
        let output = walking.wait_with_output().await.expect("it ends");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = walked("monday\n#4712\nyes\n").await;
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "[day]\nagent: Welcome. On which day?\ncaller: monday\n[number]",
        "caller: #4712\nagent: I have four seven one two. Is that right?\ncaller: yes\n[which]\n[monday]",
        "agent: Monday it is, 4712. Goodbye.\n(hangs up)",
    ] {
        assert!(text.contains(part), "{part}\n--\n{text}");
    }
    let (code, text) = walked("").await;
    assert!(code == Some(0) && text.ends_with("(goes to agent:desk)\n"), "{text}");
}

fn nodes(record: &Value) -> Vec<&str> {
    let nodes = record["nodes"].as_array().expect("nodes");
    nodes.iter().filter_map(|node| node["node"].as_str()).collect()
}

fn press(keys: &str) -> Line {
    let digits = keys.chars().filter_map(Digit::new).collect();
    Line { when: When::Quiet, act: Act::Press(digits) }
}

const VALUES: &str = r#"
[[route]]
to = "flow:values"

[agents.desk]
stt = { provider = "ears" }
tts = { provider = "flite", voice = "slt" }

[flows.values]
agent = "desk"
start = "ask"

[flows.values.nodes.ask]
type    = "ask"
collect = { code = "digits4", day = "date", mail = "email" }
ask     = { code = "What is your code?", day = "On which day?", mail = "Which address?" }
next    = "end"
failed  = "sorry"

[flows.values.nodes.end]
type = "end"
say  = "Booked for {{ vars.day }}, {{ vars.mail }}. Goodbye."

[flows.values.nodes.sorry]
type = "end"
say  = "Sorry."
"#;

const BOOKING: &str = r#"
[[route]]
to = "flow:booking"

[agents.desk]
first_message = "Desk here."
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }

[tools.check_slots]
type        = "http"
description = "Lists free slots of a day."
url         = "CALENDAR/slots"
query       = { day = "{{ args.day }}" }
result      = "/slots"

[tools.check_slots.parameters]
day = "string"

[flows.booking]
agent = "desk"
start = "day"

[flows.booking.nodes.day]
type    = "ask"
collect = { day = "weekday" }
ask     = { day = "On which day?" }
next    = "slots"
failed  = "broken"

[flows.booking.nodes.slots]
type  = "tool"
say   = "One moment."
tool  = "check_slots"
args  = { day = "{{ vars.day }}" }
save  = "slots"
next  = [{ when = "size(vars.slots) == 0", to = "full" }, { to = "free" }]
error = "broken"

[flows.booking.nodes.free]
type = "end"
say  = "At {{ vars.slots[0] }}. Goodbye."

[flows.booking.nodes.full]
type = "end"
say  = "There is nothing free. Goodbye."

[flows.booking.nodes.broken]
type = "end"
say  = "Please call again. Goodbye."
"#;

const FLOW: &str = r#"
[[route]]
to = "flow:appointment"

[agents.desk]
first_message = "Desk here."
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }
silence       = { remind_after = "2s" }

[flows.appointment]
agent = "desk"
start = "greet"

[flows.appointment.nodes.greet]
type = "say"
text = "Welcome."
next = "day"

[flows.appointment.nodes.day]
type    = "ask"
collect = { day = "weekday" }
ask     = { day = "On which day?" }
tries   = 2
next    = "number"
failed  = "human"

[flows.appointment.nodes.number]
type    = "ask"
collect = { number = "digits4" }
ask     = { number = "What is your number?" }
next    = "which"
failed  = "human"

[flows.appointment.nodes.which]
type = "branch"
next = [{ when = "vars.day == 'Monday'", to = "monday" }, { to = "human" }]

[flows.appointment.nodes.monday]
type = "end"
say  = "Monday it is, {{ vars.number }}. Goodbye."

[flows.appointment.nodes.human]
type = "transfer"
say  = "I am connecting you."
to   = "agent:desk"
"#;
