//! Who speaks in flows and queues. In a flow: one agent for all that is only said, one for each node that asks, talks or
//! lets choose, and one that judges. The rules ask; where a node has a prompt, a model does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::agent::assistant::{Assistant, Choice, Intent, RecordConsent, Transfer};
use crate::agent::disclosure::Disclosure;
use crate::agent::hearing::value;
use crate::agent::intents::slot::Kind;
use crate::agent::introduction;
use crate::agent::menu::{Invalid, Menu, Timeout};
use crate::agent::permission;
use crate::agent::tool::{Tool, names};
use crate::agent::tools::definition::{Definition, Method};
use crate::agent::tools::parameter::{self, Format, Parameter, Sort};
use crate::base::destination::{Destination, Mode};
use crate::dialplan::flow::{
    self, FAILED, Flow, Node, When, asker, judge, speaker, type_name, way_to,
};
use crate::dialplan::queue::{self, Queue};

/// The agents of all flows and queues, by name.
pub fn all(
    (flows, queues): (&BTreeMap<String, Arc<Flow>>, &BTreeMap<String, Arc<Queue>>),
    agents: &BTreeMap<String, Arc<Assistant>>,
    defaults: &Assistant,
) -> BTreeMap<String, Arc<Assistant>> {
    let mut roles = of_flows(flows, agents);
    roles.extend(of_queues(queues, agents, defaults));
    let introducers = introducers((flows, queues), agents, &roles);
    roles.extend(introducers);
    roles
}

/// Who asks callers whether they may be recorded, for each that wants an answer.
pub fn askers(
    agents: &BTreeMap<String, Arc<Assistant>>,
    posts: &BTreeMap<String, Arc<Assistant>>,
) -> BTreeMap<String, Arc<Assistant>> {
    let wants = |agent: &Assistant| agent.record_consent == RecordConsent::Voice;
    // In a flow it is asked before the first node; to those who wait in a queue nobody talks.
    let speaks =
        |name: &str| name.starts_with("menu:") || name.starts_with("flow:") && !name.contains('/');
    let speakers = posts.iter().filter(|(name, _)| speaks(name));
    let asking = agents.iter().chain(speakers).filter(|(_, agent)| wants(agent));
    let made = asking.map(|(name, agent)| {
        let base = Assistant { speech: true, ..plain(agent) };
        (permission::asker(name), Arc::new(permission::of(&base)))
    });
    made.collect()
}

/// Who introduces callers to those who are called for them, for each that may want it.
fn introducers(
    (flows, queues): (&BTreeMap<String, Arc<Flow>>, &BTreeMap<String, Arc<Queue>>),
    agents: &BTreeMap<String, Arc<Assistant>>,
    roles: &BTreeMap<String, Arc<Assistant>>,
) -> BTreeMap<String, Arc<Assistant>> {
    let is_warm = |mode: Mode| mode == Mode::Warm;
    let of_agents = agents
        .iter()
        .filter(|(_, agent)| agent.transfers.values().any(|transfer| is_warm(transfer.mode)))
        .map(|(name, agent)| (name.clone(), agent));
    let of_flows = flows
        .iter()
        .filter(|(_, flow)| flow.nodes.values().any(|node| is_warm(node.mode)))
        .filter_map(|(name, flow)| Some((speaker(name), agents.get(&flow.agent)?)));
    let mut found: BTreeMap<String, &Arc<Assistant>> = of_agents.chain(of_flows).collect();
    // Somebody may be brought into any queue so.
    let any = !found.is_empty();
    let of_queues = queues.iter().filter(|(_, queue)| any || queue.brief.is_some());
    found.extend(of_queues.filter_map(|(name, _)| {
        let name = queue::speaker(name);
        let base = roles.get(&name)?;
        Some((name, base))
    }));
    let made = found.into_iter().map(|(name, base)| {
        let base = Assistant { speech: true, ..plain(base) };
        (introduction::introducer(&name), Arc::new(introduction::of(&base)))
    });
    made.collect()
}

/// The agents of all flows, by name.
fn of_flows(
    flows: &BTreeMap<String, Arc<Flow>>,
    agents: &BTreeMap<String, Arc<Assistant>>,
) -> BTreeMap<String, Arc<Assistant>> {
    let mut roles = BTreeMap::new();
    for (name, flow) in flows {
        let Some(agent) = agents.get(&flow.agent) else { continue };
        let mut base = plain(agent);
        for (id, node) in &flow.nodes {
            let role = asker(name, id);
            let asking = match node.kind {
                _ if node.is_free() => talking(node, agent),
                flow::Kind::Ask => asking(node, &base),
                flow::Kind::Menu => choosing(node, &base),
                flow::Kind::Webhook => {
                    base.tools.push(role);
                    continue;
                }
                _ => {
                    base.tools.extend(node.tool.clone());
                    continue;
                }
            };
            roles.insert(role, Arc::new(asking));
        }
        if flow.nodes.values().any(|node| node.judged().next().is_some()) {
            roles.insert(judge(name), Arc::new(judging(agent)));
        }
        roles.insert(speaker(name), Arc::new(base));
    }
    roles
}

/// Who speaks to those who wait in queues, by name. What is heard behind it is the music.
fn of_queues(
    queues: &BTreeMap<String, Arc<Queue>>,
    agents: &BTreeMap<String, Arc<Assistant>>,
    defaults: &Assistant,
) -> BTreeMap<String, Arc<Assistant>> {
    let speaking = |(name, queue): (&String, &Arc<Queue>)| {
        let agent = queue.agent.as_ref().and_then(|name| agents.get(name));
        let agent = plain(agent.map_or(defaults, Arc::as_ref));
        let assistant = Assistant { ambience: queue.music.clone(), ambience_volume: 1.0, ..agent };
        (queue::speaker(name), Arc::new(assistant))
    };
    queues.iter().map(speaking).collect()
}

/// The tools that nodes of flows are.
pub fn tools_of_flows(flows: &BTreeMap<String, Arc<Flow>>) -> BTreeMap<String, Definition> {
    let nodes = flows
        .iter()
        .flat_map(|(name, flow)| flow.nodes.iter().map(move |(id, node)| (asker(name, id), node)));
    let told = nodes.filter_map(|(name, node)| Some((name, webhook(node)?)));
    told.collect()
}

/// A web service that is told what the node says, as JSON.
pub fn webhook(node: &Node) -> Option<Definition> {
    let url = node.url.clone().filter(|_| node.kind == flow::Kind::Webhook)?;
    let sort = |value: &serde_json::Value| match value {
        serde_json::Value::Bool(_) => Sort::Boolean,
        serde_json::Value::Number(_) => Sort::Number,
        serde_json::Value::Array(_) => Sort::List,
        _ => Sort::Text,
    };
    let parameter = |value| Parameter { sort: sort(value), ..Parameter::default() };
    Some(Definition {
        url,
        method: Some(Method::Post),
        headers: node.headers.clone(),
        parameters: node.args.iter().map(|(key, it)| (key.clone(), parameter(it))).collect(),
        ..Definition::http()
    })
}

/// The agent without anything of its own to say or to understand.
fn plain(agent: &Assistant) -> Assistant {
    let mut interrupt = agent.interrupt.clone();
    interrupt.enabled = false;
    Assistant {
        languages: Vec::new(),
        first_message: None,
        prompt: None,
        prompt_file: None,
        llm: Choice { provider: Some("rules".to_owned()), ..Choice::default() },
        realtime: None,
        tools: vec![names::END_CALL.to_owned(), names::TRANSFER_CALL.to_owned()],
        transfers: BTreeMap::new(),
        intents: Vec::new(),
        end_phrases: Vec::new(),
        interrupt,
        speech: false,
        disclosure: Disclosure::None,
        disclosure_reason: None,
        ..agent.clone()
    }
}

/// The same, asking what a node asks for. It understands by rules.
fn asking(node: &Node, base: &Assistant) -> Assistant {
    let german = base.spoken_language().is_german();
    let intent = Intent {
        id: names::COLLECT.to_owned(),
        phrases: node
            .collect
            .iter()
            .map(|(name, kind)| format!("{{{name}:{}}}", type_name(kind)))
            .collect(),
        ask: node.ask.clone(),
        confirm: node.confirm.clone().or_else(|| read_back(node, german)),
        action: Some(names::COLLECT.to_owned()),
        ..Intent::default()
    };
    let mut assistant = base.clone();
    assistant.interrupt.enabled = true;
    assistant.speech = true;
    assistant.first_message = node.collect.keys().next().and_then(|it| node.ask.get(it)).cloned();
    assistant.intents = vec![intent];
    assistant.ways = vec![collecting(node)];
    give_up(node.tries.unwrap_or(TRIES), &mut assistant);
    assistant
}

/// Who hears nothing so often goes another way.
fn give_up(tries: u32, assistant: &mut Assistant) {
    let nobody = Transfer::silent(Destination::HangUp(480));
    let failed = way_to(FAILED).to_string();
    assistant.transfers = BTreeMap::from([(failed.clone(), nobody)]);
    assistant.silence.reminders = Some(tries.saturating_sub(1));
    assistant.silence.to = Some(failed.clone());
    assistant.unclear.tries = tries;
    assistant.unclear.to = Some(failed);
}

/// The agent itself, talking with the caller until it knows what the node asks for, or one of its
/// exits holds.
fn talking(node: &Node, agent: &Assistant) -> Assistant {
    let way = if node.kind == flow::Kind::Ask { collecting(node) } else { exits(node) };
    let prompts = [agent.prompt.as_deref(), node.prompt.as_deref()].into_iter().flatten();
    let mut prompt: Vec<String> = prompts.map(str::to_owned).collect();
    prompt.push(format!("As soon as you know how it goes on, call `{}`.", way.name));
    if let Some(question) = &node.confirm {
        prompt.push(format!("Before that, ask: \"{question}\""));
    }
    let mut assistant = Assistant {
        first_message: None,
        prompt: Some(prompt.join("\n\n")),
        prompt_file: None,
        realtime: None,
        tools: node.tools.clone(),
        ways: vec![way],
        transfers: BTreeMap::new(),
        intents: Vec::new(),
        end_phrases: Vec::new(),
        ..agent.clone()
    };
    if node.failed.is_some() {
        give_up(node.tries.unwrap_or(TRIES), &mut assistant);
    }
    assistant
}

/// The agent's model alone: nobody hears it.
fn judging(agent: &Assistant) -> Assistant {
    let llm = agent.llm.clone();
    Assistant { llm, prompt: Some(String::new()), ..plain(agent) }
}

/// The same, letting the caller choose by key or by word.
fn choosing(node: &Node, base: &Assistant) -> Assistant {
    let to = node.failed.as_ref().map(|_| way_to(FAILED));
    let tries = node.tries.unwrap_or(TRIES);
    let after = node.after.unwrap_or(CHOSEN_WITHIN);
    let menu = Menu {
        say: node.text.clone().unwrap_or_default(),
        digits: node.digits.iter().map(|(key, node)| (key.clone(), way_to(node))).collect(),
        speech: true,
        phrases: node.phrases.clone(),
        timeout: Timeout { after, to: to.clone(), tries },
        invalid: Invalid { tries, to, say: None },
        agent: None,
        language: None,
        stt: None,
        tts: None,
        barge_in: true,
    };
    menu.assistant(base)
}

/// The tool by which a model gives what a node asks for.
fn collecting(node: &Node) -> Tool {
    let parameters: BTreeMap<String, Parameter> =
        node.collect.iter().map(|(name, kind)| (name.clone(), parameter_of(kind))).collect();
    Tool {
        name: names::COLLECT.to_owned(),
        description:
            "Gives what was asked for, once the caller has said all of it. Invent nothing."
                .to_owned(),
        parameters: parameter::schema(&parameters).to_string(),
    }
}

fn parameter_of(kind: &str) -> Parameter {
    let text = |description: &str| Parameter {
        description: description.to_owned(),
        ..Parameter::default()
    };
    let of = |sort| Parameter { sort, ..Parameter::default() };
    match Kind::parse(type_name(kind)) {
        Some(Kind::List(choices)) => Parameter { choices, ..Parameter::default() },
        Some(Kind::Number) => of(Sort::Number),
        Some(Kind::YesNo) => of(Sort::Boolean),
        Some(Kind::Time) => of(Sort::Formed(Format::Time)),
        Some(Kind::Value(value::Kind::Date)) => of(Sort::Formed(Format::Date)),
        Some(Kind::Value(value::Kind::Phone)) => of(Sort::Formed(Format::Phone)),
        Some(Kind::Value(value::Kind::Email)) => of(Sort::Formed(Format::Email)),
        Some(Kind::Digit) => text("One digit."),
        Some(Kind::Digits(Some(length))) => text(&format!("{length} digits, nothing else.")),
        Some(Kind::Digits(None)) => text("Digits, nothing else."),
        Some(Kind::Weekday) => text("A day: Monday to Sunday in English, `today` or `tomorrow`."),
        Some(Kind::Value(_)) | None => text(kind),
    }
}

/// The tool by which a model goes on from a conversation.
fn exits(node: &Node) -> Tool {
    let mut description = "Goes on with the call. Call it when one of these is so:".to_owned();
    for way in &node.exits {
        let when = match &way.when {
            Some(When::Judged(what)) => what.as_str(),
            Some(When::Holds(_)) | None => "nothing else is to be said",
        };
        description.push_str(&format!("\n{}: {when}", way.to));
    }
    let choices = node.exits.iter().map(|way| way.to.clone()).collect();
    let to = Parameter { choices, ..Parameter::default() };
    let parameters = BTreeMap::from([("to".to_owned(), to)]);
    let parameters = parameter::schema(&parameters).to_string();
    Tool { name: names::GO_ON.to_owned(), description, parameters }
}

/// What is asked before digits and addresses are taken: they are easily misheard.
fn read_back(node: &Node, german: bool) -> Option<String> {
    let delicate = |kind: &str| {
        matches!(Kind::parse(type_name(kind)), Some(Kind::Digits(_)))
            || matches!(kind, "phone" | "email" | "iban" | "card")
    };
    let names = node.collect.iter().filter(|(_, kind)| delicate(kind));
    let values: Vec<String> = names.map(|(name, _)| format!("{{{{ {name} }}}}")).collect();
    let values = values.join(", ");
    (!values.is_empty()).then(|| match german {
        true => format!("Ich habe {values} verstanden. Stimmt das?"),
        false => format!("I have {values}. Is that right?"),
    })
}

/// How often in a row nothing may be understood.
const TRIES: u32 = 3;

/// How long a menu waits for a choice.
const CHOSEN_WITHIN: Duration = Duration::from_secs(6);
