//! A day of calls through one flow, a call every quarter of an hour: each kind of node and each kind
//! of tool is come to, every call ends once, and each caller goes the way that its words lead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use voxtrunk::agent::assistant::Assistant;
use voxtrunk::agent::conversation::{Message, Request};
use voxtrunk::agent::event::Delta;
use voxtrunk::agent::tool::{Handling, Tool, ToolCall, names};
use voxtrunk::base::scope::Scope;
use voxtrunk::call::cause::Cause;
use voxtrunk::config::external::FilesOnly;
use voxtrunk::config::load::{Loaded, Origin, Request as Files, load};
use voxtrunk::dialplan::flow::NOBODY_YET;

use super::simulation::World;
use super::simulation::actor::Actor;
use super::simulation::phone::When;

/// A caller: what it says and presses, the way that it goes, and how the call ends.
struct Caller {
    lines: &'static [&'static str],
    way: &'static [&'static str],
    cause: Cause,
}

const CALLERS: [Caller; 8] = [
    Caller {
        lines: &["a repair please", "monday", "yes please"],
        way: &["greet", "wish", "day", "slots", "offer", "told", "crm", "bye"],
        cause: Cause::AgentEnded,
    },
    Caller {
        lines: &["a repair please", "sunday"],
        way: &["greet", "wish", "day", "slots", "sorry"],
        cause: Cause::AgentEnded,
    },
    Caller {
        lines: &["a repair please", "friday"],
        way: &["greet", "wish", "day", "slots", "sorry"],
        cause: Cause::AgentEnded,
    },
    Caller {
        lines: &["a repair please", "monday", "a human please"],
        way: &["greet", "wish", "day", "slots", "offer", "human"],
        cause: Cause::Transferred,
    },
    Caller {
        lines: &["a sale please", "#1"],
        way: &[
            "greet", "wish", "look", "sum", "note", "later", "keys", "quiet", "rest", "loud",
            "passed",
        ],
        cause: Cause::AgentEnded,
    },
    Caller {
        lines: &["a sale please", "#2"],
        way: &["greet", "wish", "look", "human"],
        cause: Cause::Transferred,
    },
    Caller {
        lines: &["something else i am angry"],
        way: &["greet", "wish", "mood", "human"],
        cause: Cause::Transferred,
    },
    Caller {
        lines: &["something else"],
        way: &["greet", "wish", "mood", "count", "bye"],
        cause: Cause::AgentEnded,
    },
];

#[test]
fn a_day_of_calls_comes_to_every_kind_of_node_and_tool() {
    let loaded = loaded();
    let (mut kinds, mut used) = (BTreeSet::new(), BTreeSet::new());
    let flow = &loaded.flows["day"];
    let (mut by_day, mut by_night) = (0, 0);
    for quarter in 0..96_u64 {
        let at = MIDNIGHT + Duration::from_secs(quarter * 900);
        let caller = &CALLERS[quarter as usize % CALLERS.len()];
        let mut world = world(&loaded, quarter, at);
        for line in caller.lines {
            match line.strip_prefix('#') {
                Some(key) => world.then(When::Quiet, super::simulation::phone::Act::Press(key)),
                None => world.say(When::Quiet, line),
            };
        }
        world.play();
        let record = world.record();
        assert_eq!(record.flow_failed, None, "{}", world.transcript());
        // In January Berlin is an hour ahead of Greenwich.
        if !(28..68).contains(&quarter) {
            assert_eq!((record.nodes.len(), &*record.agents), (0, &["night".to_owned()][..]));
            by_night += 1;
            continue;
        }
        by_day += 1;
        let way: Vec<&str> = record.nodes.iter().map(|it| it.node.as_str()).collect();
        assert_eq!((&*way, world.cause()), (caller.way, caller.cause), "{}", world.transcript());
        kinds.extend(way.iter().map(|node| format!("{:?}", flow.nodes[*node].kind)));
        used.extend(record.tools.iter().map(|tool| tool.name.clone()));
    }
    assert_eq!((by_day, by_night), (40, 56));
    let all: BTreeSet<String> = flow.nodes.values().map(|it| format!("{:?}", it.kind)).collect();
    assert_eq!((kinds.len(), &kinds), (13, &all), "every kind of node stands in the flow");
    for tool in [
        "check_slots",
        "book",
        "crm",
        "tickets_search",
        "flow:day/told",
        "calculator",
        "take_message",
        "schedule_callback",
        "send_dtmf",
        "now",
    ] {
        assert!(used.contains(tool), "{tool}: {used:?}");
    }
}

/// What the operator wrote.
fn loaded() -> Loaded {
    let text =
        |name: &str, text: &str| Origin::Text { name: name.to_owned(), text: text.to_owned() };
    let request = Files {
        server: Some(text("conf/server.toml", SERVER)),
        dialplans: vec![text("dialplans/day.toml", DIALPLAN)],
        ..Files::default()
    };
    let loaded = load(&request, &|_| None, &FilesOnly);
    let errors: Vec<&String> = loaded.diagnostics.iter().map(|it| &it.message).collect();
    assert!(!loaded.has_errors(), "{errors:?}");
    loaded
}

/// A world with all of it, at that time.
fn world(loaded: &Loaded, seed: u64, at: Duration) -> World {
    let goods: BTreeMap<String, (Tool, Handling)> = loaded
        .tools
        .iter()
        .map(|(name, it)| (name.clone(), (it.tool(name), it.handling())))
        .chain([("tickets".to_owned(), (search(), Handling::default()))])
        .collect();
    let actor = |(name, assistant): (&String, &Arc<Assistant>)| {
        let assistant = (**assistant).clone();
        let wanted = assistant.tools.iter().filter_map(|name| goods.get(name)).cloned().collect();
        let mut actor = match assistant.prompt {
            Some(_) => Actor::with_mind(name, assistant, Box::new(mind)),
            None => Actor::by_rules(name, assistant),
        };
        actor.goods = wanted;
        actor
    };
    let actors = loaded.agents.iter().chain(&loaded.posts).map(actor).collect();
    let mut world = World::new(seed, actors);
    world.server.plan = Some(loaded.plan.clone());
    world.server.flows = loaded.flows.clone();
    world.server.epoch = at;
    world.server.tools = Box::new(answer);
    world
}

/// What the operator's tools answer.
fn answer(call: &ToolCall, scope: &Scope) -> (Duration, Result<String, String>) {
    let day = scope.get("args.day").and_then(|day| day.as_str()).unwrap_or_default();
    let answer = match (call.name.as_str(), day) {
        ("check_slots", "Sunday") => Ok("[]".to_owned()),
        ("check_slots", "Friday") => Err("the calendar is closed".to_owned()),
        ("check_slots", _) => Ok(r#"["ten"]"#.to_owned()),
        (_, _) => Ok("done".to_owned()),
    };
    (Duration::from_millis(200), answer)
}

/// A model that talks, calls tools and judges by the caller's last words.
fn mind(request: &Request) -> Vec<(u64, Delta)> {
    let caller = request.messages.iter().rev().find_map(|message| match message {
        Message::Caller { text, .. } if text != NOBODY_YET => Some(text.as_str()),
        _ => None,
    });
    let words = caller.unwrap_or_default();
    let offers = |name: &str| request.tools.iter().any(|tool| tool.name == name);
    let says = |text: &str| vec![(60, Delta::Text(text.to_owned())), (10, Delta::Done)];
    let calls = |name: &str, arguments: serde_json::Value| {
        let id = format!("call-{}-{name}", request.messages.len());
        let (name, arguments) = (name.to_owned(), arguments.to_string());
        vec![(60, Delta::Tool(ToolCall { id, name, arguments })), (10, Delta::Done)]
    };
    let is_used = |name: &str| {
        let uses = |it: &Message| matches!(it, Message::ToolCall(call) if call.name == name);
        request.messages.iter().any(uses)
    };
    if request.instructions.starts_with("You follow a telephone call") {
        return says(if words.contains("angry") { "1" } else { "0" });
    }
    if offers(names::COLLECT) {
        return match words {
            "" => says("What can I do for you?"),
            words => {
                let topics = ["repair", "sale"].into_iter().find(|topic| words.contains(topic));
                calls(names::COLLECT, json!({ "topic": topics.unwrap_or("other") }))
            }
        };
    }
    if offers(names::GO_ON) {
        let steps = ["now", SEARCH, "book"];
        return match words {
            words if words.contains("human") => calls(names::GO_ON, json!({ "to": "human" })),
            words if words.contains("yes") => match steps.into_iter().find(|it| !is_used(it)) {
                Some("book") => calls("book", json!({ "slot": "ten" })),
                Some(tool) => calls(tool, json!({})),
                None => calls(names::GO_ON, json!({ "to": "told" })),
            },
            _ => says("Is ten good?"),
        };
    }
    if is_used(names::END_CALL) { says("Goodbye.") } else { calls(names::END_CALL, json!({})) }
}

/// A tool as an MCP server lists it.
fn search() -> Tool {
    let (description, parameters) =
        ("Finds tickets.".to_owned(), r#"{"type":"object"}"#.to_owned());
    Tool { name: SEARCH.to_owned(), description, parameters }
}

const SEARCH: &str = "tickets_search";

/// 11 January 2027, a Monday, in Greenwich.
const MIDNIGHT: Duration = Duration::from_secs(1_799_625_600);

const SERVER: &str =
    "[providers.mind]\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:11434/v1\"\n";

const DIALPLAN: &str = r#"
[hours.office]
timezone = "Europe/Berlin"
mon-fri  = "08:00-18:00"

[[route]]
when = "hours.office"
to   = "flow:day"

[[route]]
to = "agent:night"

[agents.night]
first_message = "We are closed."
silence       = { remind_after = "0s", hangup_after = "3s" }

[agents.desk]
prompt = "You are the desk."
llm    = { provider = "mind" }
tools  = ["end_call"]

[tools.check_slots]
type        = "http"
description = "Lists free slots."
url         = "https://calendar.example.com/slots"
parameters  = { day = "string" }

[tools.book]
type        = "http"
description = "Books a slot."
method      = "POST"
url         = "https://calendar.example.com/bookings"
parameters  = { slot = "string" }

[tools.tickets]
type = "mcp"
url  = "https://tickets.example.com/mcp"

[tools.crm]
type        = "webhook"
description = "Tells the CRM."
url         = "https://crm.example.com/"

[flows.day]
agent = "desk"
start = "greet"

[flows.day.nodes.greet]
type = "say"
text = "Hello."
next = "wish"

[flows.day.nodes.wish]
type    = "ask"
prompt  = "Find out what the caller wants."
collect = { topic = ["repair", "sale", "other"] }
next    = [
  { when = "vars.topic == 'repair'", to = "day" },
  { when = "vars.topic == 'sale'", to = "look" },
  { to = "mood" },
]
failed  = "human"

[flows.day.nodes.day]
type    = "ask"
collect = { day = "weekday" }
ask     = { day = "On which day?" }
next    = "slots"
failed  = "human"

[flows.day.nodes.slots]
type  = "tool"
say   = "One moment."
tool  = "check_slots"
args  = { day = "{{ vars.day }}" }
save  = "slots"
next  = [{ when = "size(vars.slots) == 0", to = "sorry" }, { to = "offer" }]
error = "sorry"

[flows.day.nodes.offer]
type   = "agent"
prompt = "Offer {{ vars.slots[0] }}."
tools  = ["now", "tickets", "book"]
exits  = [
  { when = "ai: a slot was booked", to = "told" },
  { when = "ai: the caller wants a human", to = "human" },
]

[flows.day.nodes.told]
type  = "webhook"
url   = "https://crm.example.com/told"
args  = { day = "{{ vars.day }}" }
next  = "crm"
error = "bye"

[flows.day.nodes.crm]
type  = "tool"
tool  = "crm"
next  = "bye"
error = "bye"

[flows.day.nodes.look]
type   = "menu"
text   = "For prices press one, for a human two."
digits = { 1 = "sum", 2 = "human" }
failed = "human"

[flows.day.nodes.sum]
type  = "tool"
tool  = "calculator"
args  = { expression = "2 * 19.90" }
save  = "price"
next  = "note"
error = "sorry"

[flows.day.nodes.note]
type  = "tool"
tool  = "take_message"
args  = { text = "Wants to know more." }
next  = "later"
error = "sorry"

[flows.day.nodes.later]
type  = "tool"
tool  = "schedule_callback"
args  = { date = "2027-02-01", time = "10:00", number = "+4971112345" }
next  = "keys"
error = "sorry"

[flows.day.nodes.keys]
type  = "tool"
tool  = "send_dtmf"
args  = { keys = "12" }
next  = "quiet"
error = "sorry"

[flows.day.nodes.quiet]
type      = "record"
recording = "pause"
next      = "rest"

[flows.day.nodes.rest]
type = "wait"
for  = "2s"
next = "loud"

[flows.day.nodes.loud]
type      = "record"
recording = "resume"
next      = "passed"

[flows.day.nodes.passed]
type = "handoff"
say  = "It costs {{ vars.price }}."
to   = "agent:desk"

[flows.day.nodes.mood]
type = "branch"
next = [{ when = "ai: the caller is angry", to = "human" }, { to = "count" }]

[flows.day.nodes.count]
type = "set"
set  = { n = 1 }
next = "bye"

[flows.day.nodes.human]
type = "transfer"
say  = "I am connecting you."
to   = "sip:sales@192.0.2.7"
else = "sorry"

[flows.day.nodes.sorry]
type = "end"
say  = "Sorry."

[flows.day.nodes.bye]
type = "end"
say  = "Goodbye."
"#;
