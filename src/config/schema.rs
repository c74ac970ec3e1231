//! JSON Schemas (draft 7) of the operator's files, for editors: which keys there are, what they mean
//! and what they take. They come from the types that the files are read into.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::agent::assistant::Assistant;
use crate::agent::mailbox::Mailbox;
use crate::agent::menu::Menu;
use crate::agent::squad::Squad;
use crate::agent::tools::definition::Definition;
use crate::config::settings::Server;
use crate::dialplan::campaign::Campaign;
use crate::dialplan::flow::Flow;
use crate::dialplan::hours::Hours;
use crate::dialplan::numbers::Listed;
use crate::dialplan::outbound::Outbound;
use crate::dialplan::plan::Route;
use crate::dialplan::queue::Queue;
use crate::dialplan::schedule::Schedule;

/// A kind of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// `conf/server.toml`.
    Server,
    /// Files of dialplans, those of agents and tools among them.
    Dialplan,
}

/// What a file of the dialplan holds: routes, agents and what they need. All files of the folder are
/// one dialplan.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the tables are read one by one; this is their shape")]
struct Dialplan {
    /// Where calls go, the first that fits.
    #[schemars(with = "Option<Vec<Route>>")]
    route: Vec<Route>,
    /// By which trunks numbers are called, the first that fits.
    #[schemars(with = "Option<Vec<Outbound>>")]
    outbound: Vec<Outbound>,
    /// Agents, by name.
    #[schemars(with = "Option<BTreeMap<String, Assistant>>")]
    agents: BTreeMap<String, Assistant>,
    /// The same as `agents`.
    #[schemars(with = "Option<BTreeMap<String, Assistant>>")]
    assistants: BTreeMap<String, Assistant>,
    /// What all have that say nothing else.
    #[schemars(with = "Option<Defaults>")]
    defaults: Defaults,
    /// Agents that share conversations, by name.
    #[schemars(with = "Option<BTreeMap<String, Squad>>")]
    squads: BTreeMap<String, Squad>,
    /// Menus of keys, by name.
    #[schemars(with = "Option<BTreeMap<String, Menu>>")]
    menus: BTreeMap<String, Menu>,
    /// Where callers leave messages, by name.
    #[schemars(with = "Option<BTreeMap<String, Mailbox>>")]
    voicemail: BTreeMap<String, Mailbox>,
    /// Calls as graphs of nodes, by name.
    #[schemars(with = "Option<BTreeMap<String, Flow>>")]
    flows: BTreeMap<String, Flow>,
    /// Queues of callers, by name.
    #[schemars(with = "Option<BTreeMap<String, Queue>>")]
    queues: BTreeMap<String, Queue>,
    /// Campaigns, by name.
    #[schemars(with = "Option<BTreeMap<String, Campaign>>")]
    campaigns: BTreeMap<String, Campaign>,
    /// What begins by itself at its time, by name.
    #[schemars(with = "Option<BTreeMap<String, Schedule>>")]
    schedules: BTreeMap<String, Schedule>,
    /// Opening hours, by name.
    #[schemars(with = "Option<BTreeMap<String, Hours>>")]
    hours: BTreeMap<String, Hours>,
    /// Lists of numbers, by name.
    #[schemars(with = "Option<BTreeMap<String, Listed>>")]
    lists: BTreeMap<String, Listed>,
    /// What agents can have done, by name.
    #[schemars(with = "Option<BTreeMap<String, Definition>>")]
    tools: BTreeMap<String, Definition>,
}

/// What all have that say nothing else.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read apart; this is its shape")]
struct Defaults {
    /// What agents have that say nothing else.
    #[schemars(with = "Option<Assistant>")]
    agent: Assistant,
}

impl File {
    /// Its schema.
    pub fn schema(self) -> Value {
        let generator = SchemaSettings::draft07().into_generator();
        let mut schema = match self {
            Self::Server => generator.into_root_schema_for::<Server>(),
            Self::Dialplan => generator.into_root_schema_for::<Dialplan>(),
        };
        if let Some(kinds) = schema.get_mut("definitions").and_then(Value::as_object_mut) {
            complete(kinds);
        }
        tidy(&mut schema);
        schema.to_value()
    }

    /// The same as a text with a newline at its end.
    pub fn text(self) -> String {
        format!("{:#}\n", self.schema())
    }
}

/// What the types do not tell: times are written as texts, and agents may inherit.
fn complete(kinds: &mut Map<String, Value>) {
    if let Some(duration) = kinds.get_mut("Duration") {
        *duration = json!({
            "description": "A time with its unit: ms, s, m, h or d.",
            "type": "string",
            "pattern": r"[0-9]*\.?[0-9]+ *(ms|s|m|h|d)",
        });
    }
    let agent = kinds.get_mut("Assistant").and_then(|agent| agent.get_mut("properties"));
    if let Some(keys) = agent.and_then(Value::as_object_mut) {
        let extends = json!({
            "description": "The agent whose keys it has where it says nothing else.",
            "type": "string",
        });
        keys.insert("extends".to_owned(), extends);
    }
}

/// Says it as TOML has it: there is no null, every text may be a reference, and numbers have no
/// sizes.
fn tidy(schema: &mut Schema) {
    transform_subschemas(&mut tidy, schema);
    let Some(keys) = schema.as_object_mut() else { return };
    keys.remove("format");
    if let Some(Value::String(text)) = keys.get_mut("description") {
        *text = unwrapped(text);
    }
    if let Some(default) = keys.remove("default").and_then(written) {
        keys.insert("default".to_owned(), default);
    }
    without_null(keys);
    with_references(keys);
}

/// The lines of each paragraph as one.
fn unwrapped(text: &str) -> String {
    let paragraphs: Vec<String> = text.split("\n\n").map(|it| it.replace('\n', " ")).collect();
    paragraphs.join("\n\n")
}

/// A default as it is written in a file; `None` when it cannot be.
fn written(default: Value) -> Option<Value> {
    let time = || Some((default.get("secs")?.as_u64()?, default.get("nanos")?.as_u64()?));
    match &default {
        Value::Null => None,
        Value::Number(number) if number.is_f64() => {
            // What is 0.2 in a file is not 0.20000000298.
            let short = (number.as_f64()? as f32).to_string().parse::<f64>().ok()?;
            Some(json!(short))
        }
        Value::Object(_) => Some(time().map_or(default.clone(), |time| json!(span(time)))),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Some(default),
    }
}

/// A time in the largest unit in which it is whole.
fn span((seconds, nanos): (u64, u64)) -> String {
    if nanos > 0 || seconds == 0 {
        return format!("{}ms", seconds * 1_000 + nanos / 1_000_000);
    }
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let whole = units.into_iter().find(|(length, _)| seconds.is_multiple_of(*length));
    whole.map_or(format!("{seconds}s"), |(length, unit)| format!("{}{unit}", seconds / length))
}

/// A key that is left out is not null.
fn without_null(keys: &mut Map<String, Value>) {
    if let Some(types) = keys.get_mut("type")
        && let Some(names) = types.as_array_mut()
    {
        names.retain(|name| name != "null");
        if let [only] = names.as_slice() {
            let only = only.clone();
            *types = only;
        }
    }
    for alternatives in ["enum", "anyOf", "oneOf"] {
        let Some(Value::Array(values)) = keys.get_mut(alternatives) else { continue };
        values.retain(|value| !value.is_null() && *value != json!({ "type": "null" }));
        if alternatives == "anyOf" && values.len() == 1 {
            let only = keys.remove("anyOf").unwrap_or_default();
            keys.insert("allOf".to_owned(), only);
        }
    }
}

/// Every text may be written as a reference, or hold one.
fn with_references(keys: &mut Map<String, Value>) {
    if let Some(Value::String(pattern)) = keys.get_mut("pattern") {
        *pattern = format!("^(?:{pattern})$|{REFERENCE}");
    }
    let reference = json!({
        "description": "A reference such as ${env:NAME}.",
        "type": "string",
        "pattern": REFERENCE,
    });
    if let Some(Value::Array(choices)) = keys.get_mut("oneOf")
        && choices.iter().all(|choice| choice.get("const").is_some_and(Value::is_string))
    {
        choices.push(reference);
    } else if let Some(choices) = keys.remove("enum") {
        keys.remove("type");
        let plain = json!({ "type": "string", "enum": choices });
        keys.insert("anyOf".to_owned(), json!([plain, reference]));
    }
}

/// How a reference begins, as a regular expression.
const REFERENCE: &str = r"\$\{";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use jsonschema::Validator;

    use super::*;

    fn validator(file: File) -> Validator {
        jsonschema::draft7::new(&file.schema()).expect("a schema")
    }

    /// What a schema says of a text; nothing when it takes it.
    fn said(validator: &Validator, text: &str) -> Vec<String> {
        let value: Value = toml::from_str(text).expect("TOML");
        let told = |why: jsonschema::ValidationError<'_>| format!("{}: {why}", why.instance_path());
        validator.iter_errors(&value).map(told).collect()
    }

    /// The kind of a file by its keys.
    fn kind(text: &str) -> File {
        let table: toml::Table = toml::from_str(text).expect("TOML");
        let is_dialplan = table.keys().any(|key| crate::config::tables::KEYS.contains(&&**key));
        if is_dialplan { File::Dialplan } else { File::Server }
    }

    #[test]
    fn the_schemas_in_the_tree_are_those_of_the_program() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        for (name, file) in [("server", File::Server), ("dialplan", File::Dialplan)] {
            let path = folder.join(format!("{name}.schema.json"));
            if std::env::var("INSTA_UPDATE").is_ok_and(|it| it == "always") {
                fs::write(&path, file.text()).expect("it is written");
            }
            let kept = fs::read_to_string(&path).unwrap_or_default();
            assert!(kept == file.text(), "INSTA_UPDATE=always renews {}", path.display());
        }
    }

    #[test]
    fn everything_that_we_ship_fits_the_schemas() {
        let house = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (server, dialplan) = (validator(File::Server), validator(File::Dialplan));
        let fits = |name: &str, text: &str| {
            let of = if kind(text) == File::Server { &server } else { &dialplan };
            let wrong = said(of, text);
            assert!(wrong.is_empty(), "{name}: {wrong:#?}\n{text}");
        };
        let mut folders = vec![house.join("conf"), house.join("dialplans"), house.join("tests")];
        let mut count = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() && !path.ends_with("fuzz") && !path.ends_with("agents") {
                    folders.push(path);
                } else if path.extension().is_some_and(|it| it == "toml") {
                    fits(&path.display().to_string(), &fs::read_to_string(&path).expect("a text"));
                    count += 1;
                }
            }
        }
        assert!(count >= 8, "{count} files");
        let readme = fs::read_to_string(house.join("README.md")).expect("a text");
        let blocks: Vec<&str> = readme.split("```toml\n").skip(1).collect();
        assert!(blocks.len() > 8, "{} examples", blocks.len());
        for block in blocks {
            let block = block.split("```").next().unwrap_or_default();
            // One stands within an agent.
            let table = if block.starts_with("llm") { "[agents.x]\n" } else { "" };
            fits("README.md", &format!("{table}{block}"));
        }
    }

    #[test]
    fn what_the_files_do_not_know_the_schemas_do_not_know_either() {
        let (server, dialplan) = (validator(File::Server), validator(File::Dialplan));
        for wrong in [
            "[sip]\nmax_cals = 3\n",
            "[rtp]\nptime = 20\n",
            "[rtp]\nptime = \"20\"\n",
            "[rtp]\ncodecs = [\"opsu\"]\n",
            "[rtp.jitter]\nmost = \"200ms\"\n",
            "[providers.x]\nkind = \"opnai\"\n",
            "[providers.x]\napi_key = \"x\"\n",
            "schema_version = 2\n",
        ] {
            assert!(!said(&server, wrong).is_empty(), "{wrong}");
        }
        for wrong in [
            "[[route]]\nto = \"agnet:x\"\n",
            "[[route]]\ndid = \"1\"\n",
            "[[route]]\nto = \"busy\"\nrnig = \"5s\"\n",
            "[agents.x]\nfirst_mesage = \"x\"\n",
            "[agents.x.turns]\nwait = \"300\"\n",
            "[agents.x.fallback]\nstt = [1]\n",
            "[hours.x]\nmoon = \"08:00-18:00\"\n",
            "[hours.x]\nmon = \"8-18\"\n",
            "[tools.x]\ntype = \"htp\"\n",
            "[queues.x]\nmax_wait = \"1m\"\n",
        ] {
            assert!(!said(&dialplan, wrong).is_empty(), "{wrong}");
        }
    }

    #[test]
    fn short_and_long_forms_and_references_fit() {
        let (server, dialplan) = (validator(File::Server), validator(File::Dialplan));
        for text in [
            "[trunks.x]\ntransport = \"${env:T:-udp}\"\nrealm = [\"a\", \"b\"]\noptions_ping = \"off\"\n",
            "[rtp]\nports = \"${env:PORTS}\"\ntimeout = \"1.5s\"\n",
            "[security.sip]\nmax_invites = { per_ip = \"10/s\" }\n",
        ] {
            assert_eq!(said(&server, text), [""; 0], "{text}");
        }
        for text in [
            "[[route]]\ndid = [\"1\", \"_2X\"]\nto = [\"phone:1\", \"tel:+4971112345\"]\nset = { a = 1, b = \"c\" }\n",
            "[agents.a]\nextends = \"b\"\n[agents.a.fallback]\nstt = [\"x\", { provider = \"y\" }]\n",
            "[hours.x]\nwed-sat = [\"08:00-12:00\", \"22:00-06:00\"]\nclosed = \"2026-12-24\"\n",
            "[tools.x]\ntype = \"http\"\nconfirm = \"Sure?\"\nparameters = { a = \"date\", b = { type = \"array\" } }\n",
        ] {
            assert_eq!(said(&dialplan, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn defaults_are_written_as_in_a_file() {
        let server = File::Server.schema();
        let default = |kind: &str, key: &str| {
            server["definitions"][kind]["properties"][key]["default"].clone()
        };
        assert_eq!(default("Sip", "t1"), "500ms");
        assert_eq!(default("Sip", "session_expires"), "30m");
        assert_eq!(default("Vad", "threshold"), 0.5);
        assert_eq!(default("Machine", "data_dir"), "../data");
        assert_eq!(default("Trunk", "host"), Value::Null);
    }
}
