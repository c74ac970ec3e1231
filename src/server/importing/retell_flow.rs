//! Conversation flows of Retell as flows of ours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::server::importing::draft::Draft;
use crate::server::importing::local;
use crate::server::importing::makers::FromRetell as Maker;
use crate::server::importing::parts::{self, reworded};
use crate::server::importing::pieces::{Piece, Table, put};
use crate::server::importing::read::View;
use crate::server::importing::retell_edges::{self as edges, Edge, When};
use crate::server::importing::retell_nodes::{asking, node, with_next};
use crate::server::importing::wording::{literal, slug, variable};

/// A flow that is being made.
struct Build<'a, 'b> {
    maker: &'b mut Maker<'a>,
    nodes: Table,
    /// Our names of nodes, by their ids in the file.
    ids: BTreeMap<String, String>,
    /// The tools by their ids, with what they ask for.
    tools: BTreeMap<String, Option<String>>,
    /// Nodes that are reached from everywhere: when, and which.
    global: Vec<(String, String)>,
}

/// Makes a flow and its agent.
pub fn flow<'a>(
    maker: &mut Maker<'a>,
    view: &View<'a>,
    (agent, name): (&str, &str),
    mut says: Table,
) {
    view.skip(&[
        "conversation_flow_id",
        "version",
        "is_published",
        "last_modification_timestamp",
        "begin_tag_display_position",
        "is_transfer_cf",
        "flex_mode",
        "base_version",
        "is_transfer_llm",
    ]);
    maker.variables(view);
    maker.mcps(view);
    maker.thinker(view, &mut says);
    let all = view.list("nodes");
    let of_flow = all.iter().flat_map(variables_of).collect::<BTreeSet<String>>();
    let compared: BTreeSet<String> = all.iter().flat_map(edges::variables).collect();
    put(&mut says, "prompt", reworded(&maker.words, view, "global_prompt"));
    if view.text("start_speaker") == Some("user") {
        view.remark_on("start_speaker", "a flow begins with its first node", "let that node wait");
    }
    maker.words.of_flow = of_flow;
    let ids = named(&all);
    let tools = tools(maker, view);
    let mut build = Build { maker, nodes: Table::new(), ids, tools, global: Vec::new() };
    build.all(&all);
    let start = view.words("start_node_id").and_then(|id| build.ids.get(id)).cloned();
    let start = start.or_else(|| build.ids.get(all.first()?.text("id")?).cloned());
    let start = build.begin(&start.unwrap_or_else(|| "the-end".to_owned()), &compared);
    build.finish();
    let nodes = std::mem::take(&mut build.nodes);
    let maker = build.maker;
    let mut flow = Table::new();
    put(&mut flow, "name", says.get("name").cloned());
    flow.insert("agent".to_owned(), json!(agent));
    flow.insert("start".to_owned(), json!(start));
    flow.insert("nodes".to_owned(), Value::Object(nodes));
    maker.pieces.flows.insert(name.to_owned(), Piece { says: flow, from: view.path().to_owned() });
    let draft = Draft { says, lends: true, ..Draft::default() };
    local::settle(&mut maker.pieces, (agent, view.path()), draft, maker.options);
    maker.words.of_flow = BTreeSet::new();
}

/// Our names of nodes, by their ids in the file. Behind two dashes stand the nodes that we add.
fn named(all: &[View<'_>]) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    let mut names = BTreeSet::from(["the-end".to_owned(), "variables".to_owned()]);
    for node in all {
        let Some(id) = node.text("id") else { continue };
        let base = slug(node.words("name").unwrap_or(id), "node");
        let mut name = base.clone();
        for number in 2.. {
            if names.insert(name.clone()) {
                break;
            }
            name = format!("{base}-{number}");
        }
        ids.entry(id.to_owned()).or_insert(name);
    }
    ids
}

/// The tools of a flow, by their ids.
fn tools<'a>(maker: &mut Maker<'a>, view: &View<'a>) -> BTreeMap<String, Option<String>> {
    let mut tools = BTreeMap::new();
    for tool in &view.list("tools") {
        let id = tool.text("tool_id").map(str::to_owned);
        let made = if tool.text("type") == Some("custom") {
            maker.custom(tool)
        } else {
            tool.remark("there is no tool of this type", "write a tool of the type http or sql");
            None
        };
        tools.extend(id.map(|id| (id, made)));
    }
    tools
}

/// The variables that a node gives.
fn variables_of(node: &View<'_>) -> Vec<String> {
    let mut found = edges::variables(node);
    for value in node.peek()["variables"].as_array().into_iter().flatten() {
        found.extend(value["name"].as_str().map(variable));
    }
    found
}

impl<'a> Build<'a, '_> {
    fn all(&mut self, all: &[View<'a>]) {
        for node in all {
            if let Some(setting) = node.get("global_node_setting")
                && let Some(condition) = setting.words("condition")
                && let Some(name) = node.text("id").and_then(|id| self.ids.get(id))
            {
                let line = condition.split_whitespace().collect::<Vec<_>>().join(" ");
                self.global.push((literal(&line), name.clone()));
            }
        }
        for node in all {
            let Some(id) = node.text("id") else {
                node.remark("a node has an id", "it was left out");
                continue;
            };
            let Some(name) = self.ids.get(id).cloned() else { continue };
            if self.nodes.contains_key(&name) {
                node.remark("another node has this id", "it was left out");
                continue;
            }
            node.skip(&["id", "name", "enable_typing_sound"]);
            self.node(node, &name);
            if let Some(place) = node.get("display_position") {
                let (x, y) = (place.number("x"), place.number("y"));
                if let (Some(x), Some(y), Some(Value::Object(says))) =
                    (x, y, self.nodes.get_mut(&name))
                {
                    says.insert("ui".to_owned(), json!({ "x": x, "y": y }));
                }
            }
        }
    }

    fn node(&mut self, view: &View<'a>, name: &str) {
        let local = self.maker.options.local;
        match view.text("type") {
            Some("conversation" | "subagent") if local => self.choice(view, name),
            Some("conversation" | "subagent") => self.conversation(view, name),
            Some("end") => {
                let say = self.instruction(view, "the goodbye");
                let mut says = node("end");
                put(&mut says, "say", say);
                self.add(name, says);
            }
            Some("function") => self.function(view, name),
            Some("transfer_call") => self.transfer(view, name),
            Some("press_digit") => self.keys(view, name),
            Some("branch") => {
                let ways = self.ways(&edges::edges(view), view);
                self.add(name, with_next("branch", ways));
            }
            Some("extract_dynamic_variables") => self.extract(view, name),
            Some("agent_swap") => self.swap(view, name),
            Some("mcp") if !local => self.served(view, name),
            other => {
                let kind = other.unwrap_or("nothing");
                let ways = self.ways(&edges::edges(view), view);
                view.remark(
                    format!("there is no node of the type `{kind}`"),
                    "the flow goes on behind it; write a node of the type tool or webhook",
                );
                self.add(name, with_next("branch", ways));
            }
        }
    }

    /// A free conversation until one of its exits.
    fn conversation(&mut self, view: &View<'a>, name: &str) {
        let (text, prompt) = self.told(view);
        let ways = edges::edges(view);
        let held: Vec<Edge> =
            ways.iter().filter(|it| matches!(it.when, When::Holds(_))).cloned().collect();
        let judged: Vec<&Edge> =
            ways.iter().filter(|it| matches!(it.when, When::Judged(_))).collect();
        let other = ways.iter().find(|it| it.when == When::Otherwise);
        if let Some(always) = ways.iter().find(|it| it.when == When::Always)
            && judged.is_empty()
            && let Some(text) = &text
        {
            let mut says = node("say");
            put(&mut says, "text", Some(text.as_str()));
            put(&mut says, "next", Some(self.to(always)));
            self.add(name, says);
            return;
        }
        let mut exits: Vec<Value> = judged.iter().map(|it| self.way(it)).collect();
        for edge in ways.iter().filter(|it| it.when == When::Always) {
            exits.push(
                json!({ "when": "ai: everything of this step is said", "to": self.to(edge) }),
            );
        }
        if let Some(other) = other {
            let when = if exits.is_empty() {
                "ai: the caller has answered"
            } else {
                "ai: the caller has answered, and nothing else of this is so"
            };
            exits.push(json!({ "when": when, "to": self.to(other) }));
        }
        let elsewhere = self.global.iter().filter(|(_, to)| to != name);
        exits
            .extend(elsewhere.map(|(when, to)| json!({ "when": format!("ai: {when}"), "to": to })));
        if exits.is_empty() {
            exits
                .push(json!({ "when": "ai: the caller has nothing more to say", "to": "the-end" }));
        }
        let mut says = node("agent");
        put(&mut says, "text", text);
        put(&mut says, "prompt", Some(prompt));
        let tools = self.tools_of(view);
        put(&mut says, "tools", (!tools.is_empty()).then(|| json!(tools)));
        says.insert("exits".to_owned(), Value::Array(exits));
        if held.is_empty() {
            self.add(name, says);
            return;
        }
        // Conditions on variables are looked at before the conversation.
        let talk = format!("{name}--talk");
        let mut ways: Vec<Value> = held.iter().map(|it| self.way(it)).collect();
        ways.push(json!({ "to": talk }));
        self.add(name, with_next("branch", ways));
        self.add(&talk, says);
    }

    /// The same without a model: keys lead on.
    fn choice(&mut self, view: &View<'a>, name: &str) {
        let (text, prompt) = self.told(view);
        let text = text.unwrap_or(prompt);
        let ways = edges::edges(view);
        let held = ways.iter().filter(|it| matches!(it.when, When::Holds(_)));
        let mut next: Vec<Value> = held.map(|it| self.way(it)).collect();
        let judged: Vec<&Edge> =
            ways.iter().filter(|it| matches!(it.when, When::Judged(_))).collect();
        let other = ways.iter().find(|it| matches!(it.when, When::Otherwise | When::Always));
        let other = other.map_or_else(|| "the-end".to_owned(), |it| self.to(it));
        let tools = self.tools_of(view);
        if !tools.is_empty() {
            view.remark(
                "a choice by keys uses no tools",
                "it was left out; import without --local",
            );
        }
        let mut says = node("say");
        put(&mut says, "text", Some(text));
        if judged.is_empty() {
            next.push(json!({ "to": other }));
            says.insert("next".to_owned(), Value::Array(next));
            self.add(name, says);
            return;
        }
        let mut digits = Table::new();
        let mut offer = String::new();
        for (at, edge) in judged.iter().take(9).enumerate() {
            let When::Judged(when) = &edge.when else { continue };
            let key = (at + 1).to_string();
            let when = when.trim_end_matches('.').replace(['{', '}'], "");
            offer.push_str(&format!("Press {key} for: {when}. "));
            digits.insert(key, json!(self.to(edge)));
        }
        let menu = format!("{name}--menu");
        next.push(json!({ "to": menu }));
        says.insert("next".to_owned(), Value::Array(next));
        self.add(name, says);
        let mut says = node("menu");
        put(&mut says, "text", Some(offer.trim()));
        says.insert("digits".to_owned(), Value::Object(digits));
        put(&mut says, "failed", Some(other));
        self.add(&menu, says);
    }

    fn function(&mut self, view: &View<'a>, name: &str) {
        view.skip(&["tool_type", "wait_for_result"]);
        let ways = self.ways(&edges::edges(view), view);
        let tool = view.text("tool_id").and_then(|id| self.tools.get(id)).cloned().flatten();
        let Some(tool) = tool else {
            view.remark("its tool is not here", "write [tools.NAME], and a node of the type tool");
            self.add(name, with_next("branch", ways));
            return;
        };
        let (mut args, mut missing) = (Table::new(), Table::new());
        let wanted =
            self.maker.pieces.tools.get(&tool).and_then(|it| it.says.get("parameters")).cloned();
        for (argument, says) in wanted.as_ref().and_then(Value::as_object).into_iter().flatten() {
            let ours = variable(argument);
            if !self.maker.words.of_flow.contains(&ours) {
                if says["optional"] == true {
                    continue;
                }
                missing.insert(ours.clone(), says.clone());
            }
            args.insert(argument.clone(), json!(format!("{{{{ vars.{ours} }}}}")));
        }
        let say = match view.flag("speak_during_execution") {
            Some(true) => self.instruction(view, "what is said meanwhile"),
            _ => {
                view.skip(&["instruction"]);
                None
            }
        };
        let mut says = with_next("tool", ways.clone());
        put(&mut says, "tool", Some(tool));
        put(&mut says, "say", say);
        if !args.is_empty() {
            says.insert("args".to_owned(), Value::Object(args));
        }
        let failed = ways.iter().rev().find_map(|it| it["to"].as_str()).unwrap_or("the-end");
        put(&mut says, "error", Some(failed));
        if missing.is_empty() {
            self.add(name, says);
            return;
        }
        let call = format!("{name}--call");
        let mut ask = asking(&missing, &call, self.maker.options.local);
        put(&mut ask, "failed", Some(failed));
        self.add(name, ask);
        self.add(&call, says);
    }

    fn transfer(&mut self, view: &View<'a>, name: &str) {
        let ways = edges::edges(view);
        let other = ways.first().map_or_else(|| "the-end".to_owned(), |it| self.to(it));
        let say = match view.flag("speak_during_execution") {
            Some(false) => {
                view.skip(&["instruction"]);
                None
            }
            _ => self.instruction(view, "what is said before"),
        };
        let Some((to, mode, brief)) = self.maker.transferred(view) else {
            let mut says = with_next("branch", vec![json!({ "to": other })]);
            if let Some(say) = say {
                says = with_next("say", vec![json!({ "to": other })]);
                says.insert("text".to_owned(), json!(say));
            }
            self.add(name, says);
            return;
        };
        let mut says = node("transfer");
        put(&mut says, "to", Some(to));
        put(&mut says, "mode", Some(mode).filter(|it| *it != "blind"));
        put(&mut says, "brief", brief);
        put(&mut says, "say", say);
        put(&mut says, "else", Some(other));
        self.add(name, says);
    }

    fn keys(&mut self, view: &View<'a>, name: &str) {
        view.skip(&["delay_ms"]);
        let ways = edges::edges(view);
        let (text, prompt) = self.told(view);
        let told = text.unwrap_or(prompt);
        let keys: String = told.chars().filter(|it| "0123456789*#".contains(*it)).collect();
        let ways = self.ways(&ways, view);
        if keys.is_empty() {
            view.remark("it is not said which keys", "write args = { digits = \"...\" }");
            self.add(name, with_next("branch", ways));
            return;
        }
        if told.trim() != keys {
            view.remark(
                format!("the keys of its words are pressed: {keys}"),
                "change `digits` if others are meant",
            );
        }
        let failed =
            ways.iter().rev().find_map(|it| it["to"].as_str()).unwrap_or("the-end").to_owned();
        let mut says = with_next("tool", ways);
        put(&mut says, "tool", Some("send_dtmf"));
        says.insert("args".to_owned(), json!({ "digits": keys }));
        put(&mut says, "error", Some(failed));
        self.add(name, says);
    }

    fn extract(&mut self, view: &View<'a>, name: &str) {
        let ways = self.ways(&edges::edges(view), view);
        let mut wanted = Table::new();
        for value in view.list("variables") {
            let Some(theirs) = value.words("name") else { continue };
            let mut says = parts::parameter(&value);
            let choices: Vec<String> = value.texts("choices").into_iter().map(literal).collect();
            put(&mut says, "enum", (!choices.is_empty()).then(|| json!(choices)));
            value.skip(&["type", "examples", "required"]);
            wanted.insert(variable(theirs), Value::Object(says));
        }
        if wanted.is_empty() {
            self.add(name, with_next("branch", ways));
            return;
        }
        let failed =
            ways.iter().rev().find_map(|it| it["to"].as_str()).unwrap_or("the-end").to_owned();
        let onwards = format!("{name}--on");
        let mut ask = asking(&wanted, &onwards, self.maker.options.local);
        put(&mut ask, "failed", Some(failed));
        self.add(name, ask);
        self.add(&onwards, with_next("branch", ways));
    }

    fn swap(&mut self, view: &View<'a>, name: &str) {
        let ways = edges::edges(view);
        let say = self.instruction(view, "what is said before");
        view.skip(&["speak_during_execution"]);
        let to = self.maker.swapped(view).filter(|it| !it.starts_with("flow:"));
        let Some(to) = to else {
            let other = ways.first().map_or_else(|| "the-end".to_owned(), |it| self.to(it));
            self.add(name, with_next("branch", vec![json!({ "to": other })]));
            return;
        };
        let mut says = node("handoff");
        put(&mut says, "to", Some(to));
        put(&mut says, "say", say);
        self.add(name, says);
    }

    /// A tool of a server, which the model calls.
    fn served(&mut self, view: &View<'a>, name: &str) {
        view.skip(&["wait_for_result"]);
        let wanted = view.words("mcp_tool_name").unwrap_or("its tool").to_owned();
        let ways = edges::edges(view);
        let Some(tool) = self.maker.mcp(view) else {
            let ways = self.ways(&ways, view);
            self.add(name, with_next("branch", ways));
            return;
        };
        let mut exits: Vec<Value> = ways
            .iter()
            .filter(|it| matches!(it.when, When::Judged(_)))
            .map(|it| self.way(it))
            .collect();
        let other = ways.iter().find(|it| matches!(it.when, When::Otherwise | When::Always));
        let other = other.map_or_else(|| "the-end".to_owned(), |it| self.to(it));
        exits.push(json!({ "when": "ai: the tool was used", "to": other }));
        let mut says = node("agent");
        put(
            &mut says,
            "prompt",
            Some(format!("Use the tool {}.", literal(&wanted).replace(['{', '}'], ""))),
        );
        says.insert("tools".to_owned(), json!([tool]));
        says.insert("exits".to_owned(), Value::Array(exits));
        view.skip(&["speak_during_execution", "instruction"]);
        self.add(name, says);
    }

    fn tools_of(&mut self, view: &View<'a>) -> Vec<String> {
        let mut draft = Draft::default();
        for tool in view.list("tools") {
            self.maker.tool(&tool, &mut draft);
        }
        for id in view.texts("tool_ids") {
            draft.tools.extend(self.tools.get(id).cloned().flatten());
        }
        if !draft.transfers.is_empty() {
            view.remark(
                "callers are sent elsewhere by nodes of their own",
                "write a node of the type transfer, and an exit",
            );
        }
        draft.tools.sort();
        draft.tools.dedup();
        draft.tools
    }

    /// What is said word for word, and what a model is told.
    fn told(&mut self, view: &View<'a>) -> (Option<String>, String) {
        let Some(instruction) = view.get("instruction") else {
            return (None, "Go on with the conversation.".to_owned());
        };
        let text = reworded(&self.maker.words, &instruction, "text");
        match (instruction.text("type"), text) {
            (Some("static_text"), Some(text)) => (
                Some(text),
                "Wait for the caller's answer, and say no more than that needs.".to_owned(),
            ),
            (_, Some(text)) => (None, text),
            (_, None) => (None, "Go on with the conversation.".to_owned()),
        }
    }

    /// What is said word for word; what a model would have to find words for is remarked.
    fn instruction(&mut self, view: &View<'a>, what: &str) -> Option<String> {
        let instruction = view.get("instruction")?;
        if instruction.text("type") == Some("static_text") {
            return reworded(&self.maker.words, &instruction, "text");
        }
        instruction.remark(format!("{what} is written word for word"), "write `say` in the node");
        None
    }

    /// All ways behind a node that decides by itself; the last one is always there.
    fn ways(&mut self, all: &[Edge], view: &View<'a>) -> Vec<Value> {
        let local = self.maker.options.local;
        let (judged, rest): (Vec<&Edge>, Vec<&Edge>) =
            all.iter().partition(|it| local && matches!(it.when, When::Judged(_)));
        let mut ways: Vec<Value> = Vec::new();
        for edge in rest.iter().filter(|it| matches!(it.when, When::Judged(_) | When::Holds(_))) {
            ways.push(self.way(edge));
        }
        let other = rest.iter().find(|it| matches!(it.when, When::Otherwise | When::Always));
        let other = other.map(|it| self.to(it)).or_else(|| judged.first().map(|it| self.to(it)));
        if !judged.is_empty()
            && let Some(edges) = view.get("edges")
        {
            edges.remark(
                "without a model nobody finds out what is so",
                "it goes the plain way; import without --local",
            );
        }
        ways.push(json!({ "to": other.unwrap_or_else(|| "the-end".to_owned()) }));
        ways
    }

    fn way(&self, edge: &Edge) -> Value {
        let to = self.to(edge);
        match &edge.when {
            When::Judged(what) => json!({ "when": format!("ai: {what}"), "to": to }),
            When::Holds(condition) => json!({ "when": condition, "to": to }),
            When::Otherwise | When::Always => json!({ "to": to }),
        }
    }

    fn to(&self, edge: &Edge) -> String {
        self.ids.get(&edge.to).cloned().unwrap_or_else(|| "the-end".to_owned())
    }

    fn add(&mut self, name: &str, says: Table) {
        self.nodes.insert(name.to_owned(), Value::Object(says));
    }

    /// Variables that callers bring along are put where conditions look for them.
    fn begin(&mut self, start: &str, compared: &BTreeSet<String>) -> String {
        let given = |name: &String| {
            let value = self.maker.words.defaults.get(name).map(String::as_str).unwrap_or_default();
            let value = Value::from(literal(value));
            (name.clone(), json!(format!("{{{{ {name} | default({value}, true) }}}}")))
        };
        let set: Table = compared.iter().map(given).collect();
        if set.is_empty() {
            return start.to_owned();
        }
        let mut says = with_next("set", vec![json!({ "to": start })]);
        says.insert("set".to_owned(), Value::Object(set));
        self.add("variables", says);
        "variables".to_owned()
    }

    /// The end, if anything leads there, and ways to nodes that were left out.
    fn finish(&mut self) {
        self.add("the-end", node("end"));
    }
}
