//! The same agent for a language model: its intents as instructions, its actions as tools.

use std::fmt::Write;

use crate::agent::assistant::{Assistant, Intent};
use crate::agent::tool::{Tool, names};
use crate::agent::tools::builtin::Builtin;
use crate::base::destination::Mode;

/// Writes what a language model is told: the agent's prompt, then how it should answer what the
/// `rules` model would understand. A template: slots of intents stand as `<day>` in it.
pub fn instructions(assistant: &Assistant) -> String {
    let mut text = assistant.prompt.clone().unwrap_or_default();
    if assistant.intents.is_empty() {
        return text;
    }
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(
        "You speak on the telephone: short sentences, no lists, no markup. What callers may want, \
         and what to do. Say nothing about these matters that is not written here.\n",
    );
    for intent in &assistant.intents {
        describe(intent, &mut text);
    }
    text
}

/// The tools of the house that an agent may call, for a language model.
pub fn tools_for(assistant: &Assistant) -> Vec<Tool> {
    let may = |name: &str| assistant.tools.iter().any(|tool| tool == name);
    let mut tools = Vec::new();
    if may(names::END_CALL) {
        tools.push(Tool {
            name: names::END_CALL.to_owned(),
            description: "Ends the call. Say goodbye first; what you say is heard to its end."
                .to_owned(),
            parameters: r#"{"type":"object","properties":{},"additionalProperties":false}"#
                .to_owned(),
        });
    }
    if may(names::TRANSFER_CALL) && !assistant.transfers.is_empty() {
        tools.push(transfer_tool(assistant));
    }
    tools.extend(assistant.ways.iter().cloned());
    tools.extend(Builtin::ALL.into_iter().filter(|it| may(it.name())).map(Builtin::tool));
    tools
}

/// Writes the arguments of `transfer_call` as JSON.
pub fn transfer_arguments(to: &str) -> String {
    format!("{{\"to\":{}}}", quoted(to))
}

fn transfer_tool(assistant: &Assistant) -> Tool {
    let mut description =
        "Connects the caller with somebody else. Say that you do so first. Destinations:"
            .to_owned();
    for (name, transfer) in &assistant.transfers {
        let _ = write!(description, "\n{name}");
        if !transfer.description.is_empty() {
            let _ = write!(description, ": {}", transfer.description);
        }
    }
    let destinations: Vec<String> = assistant.transfers.keys().map(|name| quoted(name)).collect();
    let is_warm = assistant.transfers.values().any(|transfer| transfer.mode == Mode::Warm);
    let brief = if is_warm { BRIEF } else { "" };
    let parameters = format!(
        "{{\"type\":\"object\",\"properties\":{{\"to\":{{\"type\":\"string\",\"enum\":[{}],\
         \"description\":\"Where the caller goes.\"}}{brief}}},\"required\":[\"to\"],\
         \"additionalProperties\":false}}",
        destinations.join(",")
    );
    Tool { name: names::TRANSFER_CALL.to_owned(), description, parameters }
}

/// What a model may say to whoever answers a warm transfer.
const BRIEF: &str = ",\"brief\":{\"type\":\"string\",\"description\":\"One short sentence that is said \
to the person who answers there, before the caller is connected: who is calling, and what about. \
Only what the caller said.\"}";

fn describe(intent: &Intent, text: &mut String) {
    let name = intent.label.as_deref().unwrap_or(&intent.id);
    let _ = write!(text, "\n- {name}");
    let examples: Vec<String> =
        intent.phrases.iter().take(3).map(|phrase| format!("\"{phrase}\"")).collect();
    if !examples.is_empty() {
        let _ = write!(text, " (callers say, with [optional] words: {})", examples.join(", "));
    }
    text.push('.');
    for (slot, question) in &intent.ask {
        let _ = write!(text, " If {slot} is missing, ask: \"{}\"", bare(question));
    }
    if let Some(question) = &intent.confirm {
        let _ = write!(text, " Before you go on, ask: \"{}\"", bare(question));
        if let Some(declined) = &intent.declined {
            let _ = write!(text, " If they decline, say: \"{}\"", bare(declined));
        }
    }
    if let Some(answer) = intent.say.first() {
        let _ = write!(text, " Say: \"{}\"", bare(answer));
    }
    match intent.action.as_deref().map(|action| action.split_once(':').unwrap_or((action, ""))) {
        Some((tool, "")) => {
            let _ = write!(text, " Then call {tool}.");
        }
        Some((tool, to)) => {
            let _ = write!(text, " Then call {tool} with to = \"{to}\".");
        }
        None => {}
    }
}

/// The text with `<day>` for `{{ day }}`, so that a later rendering leaves it alone.
fn bare(text: &str) -> String {
    let mut bare = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        bare.push_str(before);
        let Some((inner, after)) = after.split_once("}}") else {
            rest = after;
            break;
        };
        let _ = write!(bare, "<{}>", inner.trim());
        rest = after;
    }
    bare.push_str(rest);
    bare
}

/// A JSON string (RFC 8259 section 7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::agent::assistant::Transfer;
    use crate::base::destination::Destination;

    fn assistant() -> Assistant {
        let transfer = |description: &str| Transfer {
            description: description.to_owned(),
            ..Transfer::silent(Destination::Agent("sales".to_owned()))
        };
        Assistant {
            prompt: Some("You are kind.".to_owned()),
            tools: vec!["end_call".to_owned(), "transfer_call".to_owned()],
            transfers: BTreeMap::from([
                ("sales".to_owned(), transfer("new \"bikes\"")),
                ("back\\office\n".to_owned(), transfer("")),
            ]),
            intents: vec![Intent {
                id: "book".to_owned(),
                phrases: vec!["book {day:weekday}".to_owned()],
                say: vec!["See you on {{ day }}.".to_owned()],
                ask: BTreeMap::from([("day".to_owned(), "Which day?".to_owned())]),
                action: Some("transfer_call:sales".to_owned()),
                ..Intent::default()
            }],
            ..Assistant::default()
        }
    }

    #[test]
    fn tools_are_json_schemas() {
        let tools = tools_for(&assistant());
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["end_call", "transfer_call"]);
        let schema: serde_json::Value =
            serde_json::from_str(&tools[1].parameters).expect("the schema is JSON");
        assert_eq!(
            schema["properties"]["to"]["enum"],
            serde_json::json!(["back\\office\n", "sales"])
        );
        assert!(tools[1].description.contains("sales: new \"bikes\""));
        let arguments: serde_json::Value =
            serde_json::from_str(&transfer_arguments("a\"b\u{1}")).expect("JSON");
        assert_eq!(arguments["to"], "a\"b\u{1}");
    }

    #[test]
    fn an_agent_without_tools_has_none() {
        let assistant = Assistant { tools: Vec::new(), ..assistant() };
        assert!(tools_for(&assistant).is_empty());
    }

    #[test]
    fn intents_become_instructions() {
        let text = instructions(&assistant());
        assert!(text.starts_with("You are kind.\n\n"));
        assert!(text.contains("If day is missing, ask: \"Which day?\""));
        assert!(
            text.contains(
                "Say: \"See you on <day>.\" Then call transfer_call with to = \"sales\"."
            )
        );
    }
}
