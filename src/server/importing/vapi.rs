//! Assistants of Vapi as agents of ours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::config::provider::Job;
use crate::server::importing::draft::Draft;
use crate::server::importing::makers::FromVapi as Maker;
use crate::server::importing::parts::{self, Wanted, language, reworded};
use crate::server::importing::pieces::{Options, Pieces, Table, put, put_table};
use crate::server::importing::read::{Unreadable, View};
use crate::server::importing::wording::{Words, literal, seconds};
use crate::server::importing::{local, vapi_squads};

/// Makes pieces of a file: an assistant, a tool, a squad, a list of these, or a table of such lists.
///
/// # Errors
/// When the file is none of that.
pub fn pieces<'a>(root: &View<'a>, options: &'a Options) -> Result<Pieces, Unreadable> {
    let mut found = Found::default();
    sort(root, &mut found, true)?;
    let words = Words { known: KNOWN, ..Words::default() };
    let mut maker = Maker {
        pieces: Pieces::new(options),
        options,
        words,
        agents: BTreeMap::new(),
        shelf: BTreeMap::new(),
        drafts: BTreeMap::new(),
    };
    maker.all(found)?;
    if maker.pieces.start.is_none() && maker.pieces.tools.is_empty() {
        return Err(root.wrong("there is no assistant in it, no squad and no tool"));
    }
    Ok(maker.pieces)
}

/// What a file has.
#[derive(Debug, Default)]
struct Found<'a> {
    assistants: Vec<View<'a>>,
    tools: Vec<View<'a>>,
    squads: Vec<View<'a>>,
}

fn sort<'a>(view: &View<'a>, found: &mut Found<'a>, top: bool) -> Result<(), Unreadable> {
    let lists =
        ["assistants", "assistant", "tools", "squads", "squad", "data", "results", "phoneNumbers"];
    if view.peek().is_array() {
        for one in view.elements() {
            sort(&one, found, false)?;
        }
        return Ok(());
    }
    if !view.is_table() {
        return Err(view.wrong("an assistant, a squad or a tool was expected, as a JSON object"));
    }
    if view.has("members") {
        found.squads.push(view.clone());
    } else if ["model", "voice", "transcriber", "firstMessage", "server"]
        .iter()
        .any(|it| view.has(it))
        && !view.has("type")
    {
        found.assistants.push(view.clone());
    } else if view.has("type") {
        found.tools.push(view.clone());
    } else if top && lists.iter().any(|it| view.has(it)) {
        for key in lists {
            if let Some(inner) = view.get(key).filter(|_| key != "phoneNumbers") {
                sort(&inner, found, false)?;
            }
        }
    } else {
        return Err(view.wrong("this is no assistant, no squad and no tool of Vapi"));
    }
    Ok(())
}

impl<'a> Maker<'a> {
    fn all(&mut self, found: Found<'a>) -> Result<(), Unreadable> {
        for tool in &found.tools {
            if let Some(id) = tool.text("id") {
                self.shelf.insert(id.to_owned(), tool.clone());
            }
        }
        let mut named = Vec::new();
        for view in &found.assistants {
            let name = match self.pinned(view) {
                Some(name) => self.known_as(view, name),
                None => self.named(view),
            };
            if let Some(id) = view.text("id") {
                self.drafts.insert(id.to_owned(), view.clone());
            }
            named.push((view.clone(), name));
        }
        for (view, name) in named {
            let draft = self.assistant(&view);
            self.finish(&name, draft, view.path());
            self.pieces.start = Some(format!("agent:{name}"));
        }
        for squad in &found.squads {
            vapi_squads::squad(self, squad)?;
        }
        let mut bare = Draft::default();
        for tool in &found.tools {
            self.tool(tool, &mut bare);
        }
        Ok(())
    }

    /// Gives an assistant a name of ours, and notes what names it in the file.
    pub fn named(&mut self, view: &View<'a>) -> String {
        let title = view.words("name").unwrap_or(&self.options.title);
        let name = self.pieces.name(title, "assistant");
        self.known_as(view, name)
    }

    /// What something is to be called, whatever it says.
    pub fn pinned(&self, view: &View<'a>) -> Option<String> {
        self.options.names.get(view.text("id")?).cloned()
    }

    /// Notes what names in the file somebody who has a name here.
    pub fn known_as(&mut self, view: &View<'a>, name: String) -> String {
        for key in ["id", "name"] {
            if let Some(theirs) = view.text(key) {
                self.agents.entry(theirs.to_owned()).or_insert_with(|| name.clone());
            }
        }
        name
    }

    /// What an assistant says, with its tools.
    pub fn assistant(&mut self, view: &View<'a>) -> Draft {
        view.skip(&["id", "orgId", "createdAt", "updatedAt", "latestVersion", "isServerUrlSet"]);
        let mut draft = Draft::default();
        put(&mut draft.says, "name", view.words("name").map(literal));
        draft.server = view.get("server").and_then(|it| Some(it.words("url")?.to_owned()));
        self.opening(view, &mut draft.says);
        self.voice(view, &mut draft.says);
        self.transcriber(view, &mut draft.says);
        self.model(view, &mut draft);
        manners(view, &mut draft.says);
        self.after(view, &mut draft.says);
        for tool in view.list("tools:append") {
            self.tool(&tool, &mut draft);
        }
        draft
    }

    /// Puts an agent among the pieces. Who hands over outside of a squad sends the caller there.
    pub fn finish(&mut self, name: &str, mut draft: Draft, from: &str) {
        for handoff in std::mem::take(&mut draft.handoffs) {
            let Some(to) = self.agents.get(&handoff.to).cloned() else { continue };
            let mut says = Table::from_iter([("to".to_owned(), json!(format!("agent:{to}")))]);
            put(&mut says, "description", handoff.says.get("when").cloned());
            put(&mut says, "say", handoff.says.get("say").cloned());
            put(
                &mut says,
                "context",
                Some(handoff.says.get("context").cloned().unwrap_or(json!("all"))),
            );
            put_table(&mut draft.transfers, &to, says);
        }
        local::settle(&mut self.pieces, (name, from), draft, self.options);
    }

    fn opening(&mut self, view: &View<'a>, says: &mut Table) {
        let first = reworded(&self.words, view, "firstMessage");
        match view.text("firstMessageMode") {
            Some("assistant-waits-for-user") => {
                if let Some(first) = view.get("firstMessage") {
                    first.remark("the assistant waits for the caller", "it was left out");
                }
            }
            Some("assistant-speaks-first-with-model-generated-message") => {
                let why = "the model does not think of the first words";
                view.remark_on("firstMessageMode", why, "a first message was written; change it");
                put(says, "first_message", Some(first.unwrap_or_else(|| HELLO.to_owned())));
            }
            Some(_) | None => put(says, "first_message", first),
        }
        put(says, "goodbye", reworded(&self.words, view, "endCallMessage"));
        let phrases: Vec<String> = view.texts("endCallPhrases").into_iter().map(literal).collect();
        put(says, "end_phrases", (!phrases.is_empty()).then(|| json!(phrases)));
        if view.text("backgroundSound").is_some_and(|it| it != "off") {
            view.remark_on(
                "backgroundSound",
                "the sound is not in this file",
                "write `ambience` with a sound file in the agent",
            );
        }
    }

    fn voice(&mut self, view: &View<'a>, says: &mut Table) {
        let Some(voice) = view.get("voice") else { return };
        put(says, "tts", self.choice(&voice, Job::Speak));
        let plan = voice.get("fallbackPlan");
        let others: Vec<View<'a>> = plan.iter().flat_map(|it| it.list("voices")).collect();
        let others: Vec<Value> =
            others.iter().filter_map(|it| self.choice(it, Job::Speak)).collect();
        fallback(says, "tts", others);
    }

    fn transcriber(&mut self, view: &View<'a>, says: &mut Table) {
        let Some(ear) = view.get("transcriber") else { return };
        if let Some(tag) = ear.text("language") {
            match language(tag) {
                Some(tag) => put(says, "language", Some(tag)),
                None => ear.remark_on(
                    "language",
                    "an agent has one language to begin with",
                    "write `language`, and `languages` for more",
                ),
            }
        }
        put(says, "stt", self.choice(&ear, Job::Hear));
        let plan = ear.get("fallbackPlan");
        let others: Vec<View<'a>> = plan.iter().flat_map(|it| it.list("transcribers")).collect();
        let others: Vec<Value> =
            others.iter().filter_map(|it| self.choice(it, Job::Hear)).collect();
        fallback(says, "stt", others);
    }

    fn model(&mut self, view: &View<'a>, draft: &mut Draft) {
        let Some(model) = view.get("model") else { return };
        let mut prompt: Vec<String> =
            reworded(&self.words, &model, "systemPrompt").into_iter().collect();
        for message in model.list("messages") {
            let content = reworded(&self.words, &message, "content");
            match message.text("role") {
                Some("system" | "developer") => prompt.extend(content),
                _ => message.remark("a conversation begins empty", "it was left out"),
            }
        }
        put(&mut draft.says, "prompt", (!prompt.is_empty()).then(|| prompt.join("\n\n")));
        let is_realtime = model.text("model").is_some_and(|it| it.contains("realtime"));
        if is_realtime && !self.options.local {
            put(&mut draft.says, "realtime", self.choice(&model, Job::Converse));
            draft.says.remove("stt");
        } else {
            let llm = self.choice(&model, Job::Think).or_else(|| self.some_model(&model));
            put(&mut draft.says, "llm", llm);
        }
        for tool in model.list("tools") {
            self.tool(&tool, draft);
        }
        let mut missing = BTreeSet::new();
        for id in model.list("toolIds") {
            let Some(text) = id.peek().as_str() else { continue };
            match self.shelf.get(text).cloned() {
                Some(tool) => {
                    id.done();
                    self.tool(&tool, draft);
                }
                None => {
                    missing.insert(text);
                }
            }
        }
    }

    /// A language model where that of the file is not here: a prompt wants somebody to follow it.
    fn some_model(&mut self, model: &View<'a>) -> Option<Value> {
        if self.options.local {
            return None;
        }
        let wanted = Wanted { job: Job::Think, vendor: "openai", base_url: None };
        let provider = parts::provider(&mut self.pieces, &wanted, model)?;
        Some(json!({ "provider": provider, "model": USUAL_MODEL }))
    }

    /// Who does a job.
    fn choice(&mut self, view: &View<'a>, job: Job) -> Option<Value> {
        let vendor = view.text("provider")?;
        let (model, voice) = (view.text("model"), view.text("voiceId"));
        let (temperature, most) = (view.number("temperature"), view.number("maxTokens"));
        let (speed, url) = (view.number("speed"), view.words("url"));
        let mut terms = view.texts("keyterm");
        terms.extend(view.texts("keywords").into_iter().filter_map(|it| it.split(':').next()));
        if self.options.local {
            return None;
        }
        let wanted = Wanted { job, vendor, base_url: url.filter(|_| vendor == "custom-llm") };
        let Some(provider) = parts::provider(&mut self.pieces, &wanted, view) else {
            let instead = match job {
                Job::Think => "OpenAI thinks; write another `llm`",
                Job::Hear | Job::Speak | Job::Converse => "the best that is there takes its place",
            };
            let whole = view.get("provider").unwrap_or_else(|| view.clone());
            whole.remark(format!("`{vendor}` is no provider here for this"), instead);
            return None;
        };
        let mut says = Table::from_iter([("provider".to_owned(), Value::from(provider))]);
        put(&mut says, "model", model.filter(|it| !it.is_empty()).map(literal));
        match job {
            Job::Hear => {
                let terms: Vec<String> = terms.into_iter().map(literal).collect();
                put(&mut says, "keyterms", (!terms.is_empty()).then(|| json!(terms)));
            }
            Job::Think => {
                put(&mut says, "temperature", temperature.map(|it| it.clamp(0.0, 2.0)));
                put(&mut says, "max_tokens", most.map(|it| it.clamp(1.0, 100_000.0) as u64));
            }
            Job::Speak => {
                put(
                    &mut says,
                    "voice",
                    Some(literal(voice.filter(|it| !it.is_empty()).unwrap_or("default"))),
                );
                put(&mut says, "speed", speed.map(|it| it.clamp(0.25, 4.0)));
            }
            Job::Converse => {}
        }
        Some(Value::Object(says))
    }

    fn after(&mut self, view: &View<'a>, says: &mut Table) {
        let mut after = Table::new();
        let mut extract = Table::new();
        if let Some(plan) = view.get("analysisPlan") {
            let is_on = |it: &View<'a>| it.flag("enabled").unwrap_or(true);
            if let Some(summary) = plan.get("summaryPlan") {
                put(&mut after, "summary", Some(is_on(&summary)).filter(|on| *on));
            }
            if let Some(success) = plan.get("successEvaluationPlan").filter(is_on) {
                put(
                    &mut after,
                    "success",
                    Some("Did the call reach its purpose, as the prompt says it?"),
                );
                if success.text("rubric").is_some_and(|it| it != "PassFail") {
                    success.remark_on(
                        "rubric",
                        "a call is a success or it is none",
                        "write `after.success`",
                    );
                }
            }
            if let Some(data) = plan.get("structuredDataPlan").filter(is_on)
                && let Some(schema) = data.get("schema")
            {
                extract.extend(parts::parameters(&schema));
            }
        }
        if let Some(plan) = view.get("artifactPlan") {
            put(says, "record", plan.flag("recordingEnabled").filter(|on| *on));
            for output in plan.list("structuredOutputs") {
                let Some(schema) = output.get("schema") else { continue };
                let name = output.text("name").unwrap_or("value");
                if schema.has("properties") {
                    extract.extend(parts::parameters(&schema));
                } else {
                    let parameter = parts::parameter(&schema);
                    put_table(&mut extract, &parts::argument(name), parameter);
                }
            }
        }
        put_table(&mut after, "extract", extract);
        put_table(says, "after", after);
    }
}

/// When the agent speaks, waits and ends.
fn manners(view: &View<'_>, says: &mut Table) {
    let (mut turns, mut interrupt) = (Table::new(), Table::new());
    if let Some(plan) = view.get("startSpeakingPlan") {
        put(&mut turns, "wait", plan.number("waitSeconds").map(seconds));
        if let Some(by_words) = plan.get("transcriptionEndpointingPlan") {
            put(&mut turns, "wait_unclear", by_words.number("onNoPunctuationSeconds").map(seconds));
            put(&mut turns, "on_number", by_words.number("onNumberSeconds").map(seconds));
        }
    }
    if let Some(plan) = view.get("stopSpeakingPlan") {
        put(
            &mut interrupt,
            "min_words",
            plan.number("numWords").map(|it| it.clamp(0.0, 100.0) as u64),
        );
        put(&mut interrupt, "min_speech", plan.number("voiceSeconds").map(seconds));
        put(&mut interrupt, "backoff", plan.number("backoffSeconds").map(seconds));
        for (theirs, ours) in
            [("acknowledgementPhrases", "ignore"), ("interruptionPhrases", "always")]
        {
            let phrases: Vec<String> = plan.texts(theirs).into_iter().map(literal).collect();
            put(&mut interrupt, ours, (!phrases.is_empty()).then(|| json!(phrases)));
        }
    }
    put(&mut interrupt, "first_message", view.flag("firstMessageInterruptionsEnabled"));
    let mut silence = Table::new();
    put(&mut silence, "hangup_after", view.number("silenceTimeoutSeconds").map(seconds));
    reminders(view, &mut silence);
    let (mut limits, mut keys) = (Table::new(), Table::new());
    put(&mut limits, "max_duration", view.number("maxDurationSeconds").map(seconds));
    keys_of(view, &mut keys);
    if let Some(plan) = view.get("backgroundSpeechDenoisingPlan")
        && let Some(smart) = plan.get("smartDenoisingPlan")
    {
        put(says, "denoise", smart.flag("enabled"));
    }
    let tables = [
        ("turns", turns),
        ("interrupt", interrupt),
        ("silence", silence),
        ("limits", limits),
        ("dtmf", keys),
    ];
    tables.into_iter().for_each(|(key, table)| put_table(says, key, table));
}

/// How keys are taken.
fn keys_of(view: &View<'_>, keys: &mut Table) {
    if let Some(plan) = view.get("keypadInputPlan") {
        if plan.flag("enabled") == Some(false) {
            plan.remark_on(
                "enabled",
                "keys are always heard",
                "say in the prompt that they mean nothing",
            );
        }
        put(keys, "timeout", plan.number("timeoutSeconds").map(seconds));
        let delimiter = plan.get("delimiters");
        let one = delimiter
            .as_ref()
            .and_then(|it| it.peek().as_str().or_else(|| it.peek().get(0)?.as_str()));
        if let Some(text) =
            one.filter(|it| it.len() <= 1 && it.bytes().all(|key| b"0123456789*#".contains(&key)))
        {
            plan.skip(&["delimiters"]);
            put(keys, "terminator", Some(text));
        }
    }
}

/// Hooks that speak when the caller does not.
fn reminders(view: &View<'_>, silence: &mut Table) {
    let mut says = Vec::new();
    for hook in view.list("hooks") {
        if hook.text("on") != Some("customer.speech.timeout") {
            hook.remark("there is nothing that happens then", "write a tool, or listen to events");
            continue;
        }
        for action in hook.list("do") {
            let exact = action.get("exact").map(|it| it.peek().clone());
            let lines = match &exact {
                Some(Value::String(line)) => vec![literal(line)],
                Some(Value::Array(all)) => {
                    all.iter().filter_map(Value::as_str).map(literal).collect()
                }
                _ => Vec::new(),
            };
            if action.text("type") == Some("say") && !lines.is_empty() {
                action.skip(&["exact"]);
                says.extend(lines);
            }
        }
        hook.skip(&["name"]);
        if let Some(options) = hook.get("options") {
            put(silence, "remind_after", options.number("timeoutSeconds").map(seconds));
            let most = options.number("triggerMaxCount");
            put(silence, "reminders", most.map(|it| it.clamp(1.0, 20.0) as u64));
            options.skip(&["triggerResetMode"]);
        }
    }
    put(silence, "remind_say", (!says.is_empty()).then(|| json!(says)));
}

/// Names who takes over when somebody fails.
fn fallback(says: &mut Table, job: &str, others: Vec<Value>) {
    if others.is_empty() {
        return;
    }
    let table = says.entry("fallback").or_insert_with(|| json!({}));
    table[job] = Value::Array(others);
}

/// What names in templates mean.
const KNOWN: &[(&str, &str)] = &[
    ("customer.number", "caller"),
    ("customer.name", "caller_name"),
    ("phoneNumber.number", "called"),
    ("call.id", "call.id"),
];

/// What an agent says first that would think of something.
const HELLO: &str = "Hello. How can I help you?";

/// The model of an agent whose own is not here.
const USUAL_MODEL: &str = "gpt-4.1-mini";
