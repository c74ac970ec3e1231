//! Who speaks in a flow: one agent for all that is only said, and one for each node that asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agent::assistant::{Assistant, Choice, Intent, Transfer};
use crate::agent::intents::slot::Kind;
use crate::agent::squad::Carry;
use crate::agent::tool::names;
use crate::base::destination::Destination;
use crate::dialplan::flow::{self, FAILED, Flow, Node, asker, speaker, type_name};

/// The agents of all flows, by name.
pub fn of_flows(
    flows: &BTreeMap<String, Arc<Flow>>,
    agents: &BTreeMap<String, Arc<Assistant>>,
) -> BTreeMap<String, Arc<Assistant>> {
    let mut roles = BTreeMap::new();
    for (name, flow) in flows {
        let Some(base) = agents.get(&flow.agent) else { continue };
        let mut base = plain(base);
        base.tools.extend(flow.nodes.values().filter_map(|node| node.tool.clone()));
        let asks = |(_, node): &(&String, &Node)| node.kind == flow::Kind::Ask;
        for (id, node) in flow.nodes.iter().filter(asks) {
            roles.insert(asker(name, id), Arc::new(asking(node, &base)));
        }
        roles.insert(speaker(name), Arc::new(base));
    }
    roles
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
        ..agent.clone()
    }
}

/// The same, asking what a node asks for. It understands by rules.
fn asking(node: &Node, base: &Assistant) -> Assistant {
    let german = base.spoken_language().is_german();
    let nobody = Transfer {
        to: Destination::HangUp(480),
        description: String::new(),
        say: Some(String::new()),
        context: Carry::Nothing,
    };
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
    assistant.first_message = node.ask.values().next().cloned();
    assistant.intents = vec![intent];
    assistant.transfers = BTreeMap::from([(FAILED.to_owned(), nobody)]);
    let tries = node.tries.unwrap_or(TRIES);
    assistant.silence.reminders = Some(tries.saturating_sub(1));
    assistant.silence.to = Some(FAILED.to_owned());
    assistant.unclear.tries = tries;
    assistant.unclear.to = Some(FAILED.to_owned());
    assistant
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
