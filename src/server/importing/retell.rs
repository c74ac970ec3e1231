//! Agents of Retell, with their models, as agents, squads and flows of ours.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::config::provider::Job;
use crate::server::importing::draft::Draft;
use crate::server::importing::makers::FromRetell as Maker;
use crate::server::importing::parts::{self, Wanted, language, reworded};
use crate::server::importing::pieces::{Options, Pieces, Table, put, put_table};
use crate::server::importing::read::{Unreadable, View};
use crate::server::importing::wording::{Words, literal, milliseconds, slug, variable};
use crate::server::importing::{local, retell_flow};

/// What a file has.
#[derive(Debug, Default)]
struct Found<'a> {
    agents: Vec<View<'a>>,
    llms: Vec<View<'a>>,
    flows: Vec<View<'a>>,
}

/// Makes pieces of a file: an agent, a model, a conversation flow, a list of these, or a table of
/// such lists.
///
/// # Errors
/// When the file is none of that.
pub fn pieces<'a>(root: &View<'a>, options: &'a Options) -> Result<Pieces, Unreadable> {
    let mut found = Found::default();
    sort(root, &mut found, true)?;
    let mut maker = Maker {
        pieces: Pieces::new(options),
        options,
        words: Words { known: KNOWN, ..Words::default() },
        agents: BTreeMap::new(),
        servers: BTreeMap::new(),
    };
    maker.all(&found);
    if maker.pieces.start.is_none() {
        return Err(root.wrong("there is no agent in it whose prompt or flow is in the file"));
    }
    Ok(maker.pieces)
}

fn sort<'a>(view: &View<'a>, found: &mut Found<'a>, top: bool) -> Result<(), Unreadable> {
    if view.peek().is_array() {
        for one in view.elements() {
            sort(&one, found, false)?;
        }
        return Ok(());
    }
    if !view.is_table() {
        return Err(view.wrong("an agent, a model or a flow was expected, as a JSON object"));
    }
    if view.has("response_engine") || view.has("voice_id") {
        for key in INSIDE {
            if let Some(inner) = view.get(key) {
                sort(&inner, found, false)?;
            }
        }
        found.agents.push(view.clone());
    } else if view.has("nodes") {
        found.flows.push(view.clone());
    } else if LLM.iter().any(|key| view.has(key)) {
        found.llms.push(view.clone());
    } else if top && LISTS.iter().any(|key| view.has(key)) {
        for key in LISTS {
            if let Some(inner) = view.get(key) {
                sort(&inner, found, false)?;
            }
        }
    } else {
        return Err(view.wrong("this is no agent, no model and no conversation flow of Retell"));
    }
    Ok(())
}

/// What an agent's engine is.
enum Engine<'a> {
    Prompt(View<'a>),
    Flow(View<'a>),
}

impl<'a> Maker<'a> {
    fn all(&mut self, found: &Found<'a>) {
        let mut jobs = Vec::new();
        let mut used = Vec::new();
        for agent in &found.agents {
            let title = agent.words("agent_name").unwrap_or(&self.options.title);
            let Some(engine) = engine(agent, found) else {
                let at = agent.get("response_engine").unwrap_or_else(|| agent.clone());
                at.remark(
                    "what it says is not in this file",
                    "put it into the file: { \"agent\": {...}, \"llm\": {...} } or { \"conversation_flow\": {...} }",
                );
                continue;
            };
            let (Engine::Prompt(it) | Engine::Flow(it)) = &engine;
            used.push(it.path().to_owned());
            jobs.push((Some(agent.clone()), engine, title.to_owned()));
        }
        let alone = |view: &&View<'a>| !used.iter().any(|it| it == view.path());
        let title = self.options.title.clone();
        let llms = found.llms.iter().filter(alone).map(|it| Engine::Prompt(it.clone()));
        let flows = found.flows.iter().filter(alone).map(|it| Engine::Flow(it.clone()));
        let lone: Vec<_> = llms.chain(flows).map(|it| (None, it, title.clone())).collect();
        jobs.extend(lone);
        let mut named = Vec::new();
        for (agent, engine, title) in jobs {
            let name = self.pieces.name(&title, "agent");
            let states = match &engine {
                Engine::Prompt(llm) => llm.list("states").len(),
                Engine::Flow(_) => 0,
            };
            let whole = match (&engine, states) {
                (Engine::Flow(_), _) => {
                    format!("flow:{}", self.pieces.name(&format!("{name}-flow"), "flow"))
                }
                (Engine::Prompt(_), 2..) => {
                    format!("squad:{}", self.pieces.name(&format!("{name}-squad"), "squad"))
                }
                (Engine::Prompt(_), _) => format!("agent:{name}"),
            };
            if let Some(id) = agent.as_ref().and_then(|it| it.text("agent_id")) {
                self.agents.insert(id.to_owned(), whole.clone());
            }
            named.push((agent, engine, name, whole));
        }
        for (agent, engine, name, whole) in named {
            let mut says = Table::new();
            if let Some(agent) = &agent {
                self.agent(agent, &mut says);
            }
            let of = whole.split_once(':').map(|it| it.1.to_owned()).unwrap_or_default();
            match engine {
                Engine::Prompt(llm) => self.prompt(&llm, (&name, &of), says),
                Engine::Flow(flow) => retell_flow::flow(self, &flow, (&name, &of), says),
            }
            self.pieces.start.get_or_insert(whole);
        }
    }

    /// Voice, ears and manners.
    fn agent(&mut self, view: &View<'a>, says: &mut Table) {
        view.skip(&[
            "agent_id",
            "version",
            "is_published",
            "last_modification_timestamp",
            "channel",
            "version_title",
            "version_description",
            "base_version",
            "assigned_tags",
        ]);
        if let Some(engine) = view.get("response_engine") {
            engine.skip(&["type", "llm_id", "conversation_flow_id", "version"]);
        }
        put(says, "name", view.words("agent_name").map(literal));
        let tag = view.get("language").filter(|it| it.peek().is_string());
        if let Some(tag) = tag.and_then(|_| view.text("language")) {
            match language(tag) {
                Some(tag) => put(says, "language", Some(tag)),
                None => view.remark_on(
                    "language",
                    "an agent has one language to begin with",
                    "write `language`, and `languages` for more",
                ),
            }
        }
        self.voice(view, says);
        let terms: Vec<String> = view.texts("boosted_keywords").into_iter().map(literal).collect();
        if !terms.is_empty() && !self.options.local {
            put(says, "stt", Some(json!({ "keyterms": terms })));
        }
        times(view, says);
        match view.text("denoising_mode") {
            Some("no-denoise") => put(says, "denoise", Some(false)),
            Some(_) => put(says, "denoise", Some(true)),
            None => {}
        }
        let mut words = Table::new();
        for entry in view.list("pronunciation_dictionary") {
            entry.remark(
                "how a word sounds is written in letters here",
                "write `pronunciations` in the agent",
            );
        }
        let mut extract = Table::new();
        for datum in view.list("post_call_analysis_data") {
            datum_of(&datum, &mut extract);
        }
        if !self.options.local && !extract.is_empty() {
            put_table(&mut words, "extract", extract);
            put_table(says, "after", words);
        }
    }

    fn voice(&mut self, view: &View<'a>, says: &mut Table) {
        let Some(id) = view.words("voice_id") else { return };
        let model = view.text("voice_model");
        let speed = view.number("voice_speed").map(|it| it.clamp(0.25, 4.0));
        if self.options.local {
            return;
        }
        let (vendor, voice) = id.split_once('-').unwrap_or(("", id));
        let wanted = Wanted { job: Job::Speak, vendor, base_url: None };
        let at = view.get("voice_id").unwrap_or_else(|| view.clone());
        let Some(provider) = parts::provider(&mut self.pieces, &wanted, &at) else {
            at.remark(
                format!("`{id}` is a voice of that platform"),
                "the best that is there speaks; write `tts`",
            );
            return;
        };
        let voice = if vendor == "openai" { voice.to_ascii_lowercase() } else { voice.to_owned() };
        if vendor != "openai" {
            at.remark(
                format!("`{voice}` is that platform's name for the voice"),
                "look its id up at the vendor",
            );
        }
        let mut tts = json!({ "provider": provider, "voice": literal(&voice) });
        if let Some(model) = model.filter(|it| !it.is_empty()) {
            tts["model"] = json!(literal(model));
        }
        if let Some(speed) = speed {
            tts["speed"] = json!(speed);
        }
        put(says, "tts", Some(tts));
    }

    /// Who thinks.
    pub fn thinker(&mut self, view: &View<'a>, says: &mut Table) {
        let choice = view.get("model_choice");
        if let Some(choice) = &choice {
            choice.skip(&["type", "high_priority"]);
        }
        let model =
            choice.as_ref().and_then(|it| it.words("model")).or_else(|| view.words("model"));
        let temperature = view.number("model_temperature").map(|it| it.clamp(0.0, 2.0));
        let realtime = view.words("s2s_model");
        view.skip(&["model_high_priority", "tool_call_strict_mode"]);
        if self.options.local {
            return;
        }
        let model = model.unwrap_or(USUAL_MODEL);
        let vendor = if model.starts_with("claude") {
            "anthropic"
        } else if model.starts_with("gemini") {
            "gemini"
        } else {
            "openai"
        };
        let wanted = Wanted { job: Job::Think, vendor, base_url: None };
        let provider = parts::provider(&mut self.pieces, &wanted, view);
        if let Some(model) = realtime.filter(|_| provider.is_some()) {
            let wanted = Wanted { job: Job::Converse, vendor: "openai", base_url: None };
            if let Some(provider) = parts::provider(&mut self.pieces, &wanted, view) {
                put(
                    says,
                    "realtime",
                    Some(json!({ "provider": provider, "model": literal(model) })),
                );
                says.remove("stt");
                return;
            }
        }
        let Some(provider) = provider else { return };
        let mut llm = json!({ "provider": provider, "model": literal(&model_name(model)) });
        if let Some(temperature) = temperature {
            llm["temperature"] = json!(temperature);
        }
        put(says, "llm", Some(llm));
    }

    /// A model with a prompt; with states, a squad.
    fn prompt(&mut self, llm: &View<'a>, (name, squad): (&str, &str), mut says: Table) {
        llm.skip(&[
            "llm_id",
            "version",
            "is_published",
            "last_modification_timestamp",
            "base_version",
            "is_transfer_llm",
        ]);
        self.variables(llm);
        self.mcps(llm);
        self.thinker(llm, &mut says);
        let general = reworded(&self.words, llm, "general_prompt").unwrap_or_default();
        let first = self.first(llm);
        let states = llm.list("states");
        let tools = llm.list("general_tools");
        let starting = llm.words("starting_state").map(str::to_owned);
        if states.len() < 2 {
            let mut draft = Draft { says, ..Draft::default() };
            let mut prompt = vec![general];
            for state in &states {
                prompt.extend(reworded(&self.words, state, "state_prompt"));
                state.skip(&["name", "edges"]);
                state.list("tools").iter().for_each(|tool| self.tool(tool, &mut draft));
            }
            tools.iter().for_each(|tool| self.tool(tool, &mut draft));
            let prompt = prompt.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>();
            put(&mut draft.says, "prompt", Some(prompt.join("\n\n")).filter(|it| !it.is_empty()));
            put(&mut draft.says, "first_message", first);
            local::settle(&mut self.pieces, (name, llm.path()), draft, self.options);
            return;
        }
        let work = States { base: says, general, first, tools, starting };
        self.states(&states, (name, squad), work, llm);
    }

    fn states(
        &mut self,
        states: &[View<'a>],
        (name, squad): (&str, &str),
        work: States<'a>,
        llm: &View<'a>,
    ) {
        let mut names = BTreeMap::new();
        for state in states {
            let theirs = state.words("name").unwrap_or("state");
            let ours = self.pieces.name(&format!("{name}-{}", slug(theirs, "state")), "state");
            names.entry(theirs.to_owned()).or_insert(ours);
        }
        let starting = work.starting.as_deref().or_else(|| states.first()?.words("name"));
        let start =
            starting.and_then(|it| names.get(it)).or_else(|| names.values().next()).cloned();
        let Some(start) = start else { return };
        let mut handoffs: Vec<Table> = Vec::new();
        let mut made = Vec::new();
        for state in states {
            let Some(ours) = names.remove_entry(state.words("name").unwrap_or("state")) else {
                state.remark("another state has this name", "give it another name");
                continue;
            };
            made.push((state.clone(), ours));
        }
        let known: BTreeMap<String, String> = made.iter().map(|(_, it)| it.clone()).collect();
        for (state, (_, agent)) in &made {
            let mut draft = Draft { says: work.base.clone(), ..Draft::default() };
            let own = reworded(&self.words, state, "state_prompt").unwrap_or_default();
            let prompt: Vec<&str> =
                [work.general.as_str(), &own].into_iter().filter(|it| !it.is_empty()).collect();
            put(&mut draft.says, "prompt", Some(prompt.join("\n\n")).filter(|it| !it.is_empty()));
            put(&mut draft.says, "name", state.words("name").map(literal));
            if *agent == start {
                put(&mut draft.says, "first_message", work.first.clone());
            }
            work.tools.iter().for_each(|tool| self.tool(tool, &mut draft));
            state.list("tools").iter().for_each(|tool| self.tool(tool, &mut draft));
            for edge in state.list("edges") {
                handoffs.extend(self.edge(&edge, (agent, &known), &mut draft));
            }
            local::settle(&mut self.pieces, (agent, state.path()), draft, self.options);
        }
        let members: Vec<&String> = made.iter().map(|(_, (_, agent))| agent).collect();
        let inside = crate::server::importing::vapi_squads::assemble(
            &mut self.pieces,
            (squad, llm.path()),
            (&start, &members),
            handoffs,
        );
        for (state, (_, agent)) in &made {
            if !inside.contains(agent) {
                state.remark(
                    "no edge leads to this state",
                    "write [[squads.NAME.handoff]], and add it to the members",
                );
            }
        }
    }

    fn edge(
        &mut self,
        edge: &View<'a>,
        (from, known): (&str, &BTreeMap<String, String>),
        draft: &mut Draft,
    ) -> Option<Table> {
        let theirs = edge.words("destination_state_name").unwrap_or_default();
        let Some(to) = known.get(theirs).filter(|it| *it != from) else {
            edge.remark(
                format!("there is no other state `{theirs}`"),
                "write [[squads.NAME.handoff]]",
            );
            return None;
        };
        if draft.ways.iter().any(|(there, _)| there == to) {
            edge.remark("there is a way to that state already", "say both in its `when`");
            return None;
        }
        let when = edge.words("description").map(literal).unwrap_or_default();
        draft.ways.push((to.clone(), when.clone()));
        let mut says = Table::from_iter([
            ("from".to_owned(), json!(from)),
            ("to".to_owned(), json!(to)),
            ("when".to_owned(), json!(when)),
        ]);
        if let Some(schema) = edge.get("parameters") {
            let known = parts::parameters(&schema);
            let meaning =
                |it: &Value| it["description"].as_str().unwrap_or("as it was said").to_owned();
            let extract: Table =
                known.iter().map(|(name, it)| (variable(name), json!(meaning(it)))).collect();
            put_table(&mut says, "extract", extract);
        }
        edge.skip(&["speak_during_transition"]);
        Some(says)
    }

    /// What is said first.
    fn first(&mut self, view: &View<'a>) -> Option<String> {
        if view.text("start_speaker") == Some("user") {
            view.remark_on("begin_message", "the caller speaks first", "it was left out");
            return None;
        }
        match view.get("begin_message") {
            Some(_) => reworded(&self.words, view, "begin_message"),
            None => Some("Hello. How can I help you?".to_owned()),
        }
    }

    /// What variables are that nobody gives.
    pub fn variables(&mut self, view: &View<'a>) {
        let table = view.get("default_dynamic_variables");
        for (name, value) in table.iter().flat_map(View::entries) {
            let text = value.whole();
            let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
            self.words.defaults.insert(name.to_owned(), text);
        }
    }

    /// Servers of tools.
    pub fn mcps(&mut self, view: &View<'a>) {
        for server in view.list("mcps") {
            for key in ["name", "id"] {
                if let Some(name) = server.text(key) {
                    self.servers.insert(name.to_owned(), server.clone());
                }
            }
        }
    }
}

/// What all states share.
struct States<'a> {
    base: Table,
    general: String,
    first: Option<String>,
    tools: Vec<View<'a>>,
    starting: Option<String>,
}

fn engine<'a>(agent: &View<'a>, found: &Found<'a>) -> Option<Engine<'a>> {
    let engine = agent.get("response_engine")?;
    let inside = |all: &[View<'a>], id: Option<&str>, key: &str| {
        let by_id = all.iter().find(|it| id.is_some() && it.text(key) == id);
        let within = all.iter().find(|it| it.path().starts_with(&format!("{}.", agent.path())));
        let only = if let [only] = all { Some(only) } else { None };
        by_id.or(within).or(only.filter(|it| it.text(key).is_none() || id.is_none())).cloned()
    };
    match engine.text("type") {
        Some("retell-llm") => {
            inside(&found.llms, engine.text("llm_id"), "llm_id").map(Engine::Prompt)
        }
        Some("conversation-flow") => {
            let id = engine.text("conversation_flow_id");
            inside(&found.flows, id, "conversation_flow_id").map(Engine::Flow)
        }
        _ => None,
    }
}

/// How long is waited, and how keys are taken.
fn times(view: &View<'_>, says: &mut Table) {
    let (mut silence, mut limits, mut keys) = (Table::new(), Table::new(), Table::new());
    put(&mut silence, "hangup_after", view.number("end_call_after_silence_ms").map(milliseconds));
    put(&mut silence, "remind_after", view.number("reminder_trigger_ms").map(milliseconds));
    let most = view.number("reminder_max_count").map(|it| it.clamp(0.0, 20.0) as u64);
    put(&mut silence, "reminders", most.filter(|it| *it > 0));
    put(&mut limits, "max_duration", view.number("max_call_duration_ms").map(milliseconds));
    if let Some(options) = view.get("user_dtmf_options") {
        put(&mut keys, "timeout", options.number("timeout_ms").map(milliseconds));
        let end = options.text("termination_key").filter(|it| it.len() == 1);
        put(&mut keys, "terminator", end.filter(|it| "0123456789*#".contains(*it)));
    }
    for (key, table) in [("silence", silence), ("limits", limits), ("dtmf", keys)] {
        put_table(says, key, table);
    }
}

/// Something that is to be found out after the call.
fn datum_of(datum: &View<'_>, extract: &mut Table) {
    let name = datum.words("name").map(parts::argument);
    let Some(name) = name else {
        datum.remark("a value has a name", "it was left out");
        return;
    };
    let kind = datum.text("type").unwrap_or("string");
    let mut says = Table::new();
    let sort = match kind {
        "boolean" | "number" => kind,
        _ => "string",
    };
    put(&mut says, "type", Some(sort));
    put(&mut says, "description", datum.words("description").map(literal));
    let choices: Vec<String> = datum.texts("choices").into_iter().map(literal).collect();
    put(&mut says, "enum", (!choices.is_empty() && sort == "string").then(|| json!(choices)));
    put(&mut says, "optional", datum.flag("required").map(|it| !it).filter(|it| *it));
    datum.skip(&["examples"]);
    put_table(extract, &name, says);
}

/// The vendor's own name for a model.
fn model_name(theirs: &str) -> String {
    let Some(rest) = theirs.strip_prefix("claude-") else { return theirs.to_owned() };
    match rest.split_once('-') {
        Some((version, family)) if version.starts_with(|it: char| it.is_ascii_digit()) => {
            format!("claude-{family}-{}", version.replace('.', "-"))
        }
        _ => theirs.to_owned(),
    }
}

const INSIDE: &[&str] =
    &["retellLlmData", "retell_llm_data", "llm", "conversationFlow", "conversation_flow"];
const LLM: &[&str] = &["general_prompt", "general_tools", "states", "begin_message", "llm_id"];
const LISTS: &[&str] = &[
    "agent",
    "agents",
    "llm",
    "llms",
    "retell_llm",
    "retell_llms",
    "conversation_flow",
    "conversation_flows",
];

/// What names in templates mean.
const KNOWN: &[(&str, &str)] =
    &[("user_number", "caller"), ("agent_number", "called"), ("call_id", "call.id")];

/// The model of an agent that names none.
const USUAL_MODEL: &str = "gpt-4.1";
