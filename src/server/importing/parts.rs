//! What both platforms have: vendors, the parameters of tools, headers, languages, addresses.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::tools::parameter::Sort;
use crate::agent::tools::request;
use crate::base::language::Language;
use crate::base::network;
use crate::config::provider::{Job, Need, ProviderKind};
use crate::server::importing::pieces::{Options, Piece, Pieces, Table, put};
use crate::server::importing::read::View;
use crate::server::importing::wording::{Words, environment, literal, variable};

/// What stands for a vendor here.
#[derive(Debug, Clone, Deserialize)]
struct Vendor {
    kind: String,
    #[serde(default)]
    llm: Option<String>,
    #[serde(default)]
    base_url: Option<String>,
}

/// Whoever does a job, as the other platform says it.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The job.
    pub job: Job,
    /// The vendor's name there.
    pub vendor: &'a str,
    /// Where its API begins, if the file says so.
    pub base_url: Option<&'a str>,
}

/// The name of a provider for a vendor; the provider is made if it is not there yet. None if nobody
/// here does that job by that vendor.
pub fn provider(pieces: &mut Pieces, wanted: &Wanted<'_>, from: &View<'_>) -> Option<String> {
    let vendor = vendors().get(wanted.vendor);
    let kind = match (vendor, wanted.job) {
        (Some(Vendor { llm: Some(llm), .. }), Job::Think) => llm.as_str(),
        (Some(vendor), _) => vendor.kind.as_str(),
        (None, _) if wanted.base_url.is_some() => "openai-compatible",
        (None, _) => wanted.vendor,
    };
    let kind = ProviderKind::named(kind).filter(|kind| kind.does(wanted.job))?;
    if kind.is_built_in() {
        return Some(kind.name().to_owned());
    }
    let base_url = wanted.base_url.or_else(|| vendor?.base_url.as_deref());
    if kind.needs(Need::BaseUrl) && base_url.is_none() {
        return None;
    }
    let name = match base_url {
        Some(_) => format!("{}-llm", crate::server::importing::wording::slug(wanted.vendor, "own")),
        None => kind.name().to_owned(),
    };
    if pieces.providers.contains_key(&name) {
        return Some(name);
    }
    let mut says = Table::from_iter([("kind".to_owned(), Value::from(kind.name()))]);
    put(&mut says, "base_url", base_url.map(literal));
    if kind.needs(Need::ApiKey) || base_url.is_some() {
        let key = format!("{}_API_KEY", environment(&name));
        put(&mut says, "api_key", Some(format!("${{env:{key}:-}}")));
        pieces.want(&key, &format!("the key of provider `{name}`"));
    }
    if kind.needs(Need::Region) {
        let region = format!("{}_REGION", environment(&name));
        put(&mut says, "region", Some(format!("${{env:{region}:-westeurope}}")));
        pieces.want(&region, &format!("where provider `{name}` works"));
    }
    pieces.providers.insert(name.clone(), Piece { says, from: from.path().to_owned() });
    Some(name)
}

fn vendors() -> &'static BTreeMap<String, Vendor> {
    static VENDORS: OnceLock<BTreeMap<String, Vendor>> = OnceLock::new();
    VENDORS.get_or_init(|| toml::from_str(include_str!("vendors.toml")).expect("the file is ours"))
}

/// A template of the file in our words; what is otherwise is remarked.
pub fn reworded(words: &Words, view: &View<'_>, key: &str) -> Option<String> {
    let text = view.words(key)?;
    Some(retold(words, &view.get(key)?, text))
}

/// The same of a text that was read already.
pub fn retold(words: &Words, at: &View<'_>, text: &str) -> String {
    let reworded = words.template(text);
    for fault in reworded.faults {
        at.remark(fault, "write it by hand: variables stand in two braces");
    }
    reworded.text
}

/// The parameters of a JSON Schema, as tools have them. Of what is nested only the outside is taken.
pub fn parameters(schema: &View<'_>) -> Table {
    schema.skip(&["type", "additionalProperties", "$schema", "title", "description"]);
    let required: Vec<&str> = schema.texts("required");
    let mut table = Table::new();
    let properties = schema.get("properties").filter(View::is_table);
    for (name, view) in properties.iter().flat_map(View::entries) {
        let mut parameter = parameter(&view);
        if !required.contains(&name) {
            parameter.insert("optional".to_owned(), Value::Bool(true));
        }
        let ours = argument(name);
        if ours != name {
            view.remark(
                format!("`{name}` cannot be the name of a parameter"),
                format!("it is `{ours}`"),
            );
        }
        table.insert(ours, Value::Object(parameter));
    }
    table
}

/// One parameter of a JSON Schema.
pub fn parameter(view: &View<'_>) -> Table {
    let sort = match view.get("type").map(|it| it.peek().clone()) {
        // One of several: the first that says something.
        Some(Value::Array(all)) => {
            view.skip(&["type"]);
            all.iter()
                .filter_map(Value::as_str)
                .find(|it| *it != "null")
                .unwrap_or("string")
                .to_owned()
        }
        _ => view.text("type").unwrap_or("string").to_owned(),
    };
    let known = |sort: &str| !matches!(Sort::named(sort), Sort::Unknown(_));
    let mut sort = sort;
    match view.text("format") {
        Some("date" | "time" | "email") if sort == "string" => {
            sort = view.text("format").unwrap_or("string").to_owned();
        }
        Some(other) if sort == "string" => {
            view.remark_on("format", &format!("a text has no form `{other}` here"), "it is a text");
        }
        Some(_) | None => {}
    }
    if !known(&sort) {
        let instead = if sort == "object" {
            "it is a text; say in its description that it is JSON"
        } else {
            "it is a text"
        };
        view.remark_on("type", &format!("a parameter is no `{sort}` here"), instead);
        if let Some(inner) = view.get("properties") {
            inner.remark("a parameter has no parameters in it", "say them in its description");
        }
        sort = "string".to_owned();
    }
    let mut table = Table::from_iter([("type".to_owned(), Value::from(sort.as_str()))]);
    put(&mut table, "description", view.words("description").map(literal));
    let choices: Vec<String> = view.texts("enum").into_iter().map(literal).collect();
    if !choices.is_empty() && sort == "string" {
        table.insert("enum".to_owned(), json!(choices));
    }
    if sort == "array"
        && let Some(items) = view.get("items")
    {
        let of = items.text("type").unwrap_or("string");
        let of = if known(of) && of != "array" { of } else { "string" };
        items.skip(&["description"]);
        table.insert("items".to_owned(), Value::from(of));
    }
    for key in ["minimum", "maximum"] {
        if matches!(sort.as_str(), "integer" | "number") {
            put(&mut table, key, view.number(key));
        }
    }
    table
}

/// The name of an argument.
pub fn argument(name: &str) -> String {
    let fits = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    if !name.is_empty() && name.len() <= 64 && name.chars().all(fits) {
        return name.to_owned();
    }
    variable(name)
}

/// Headers of a request. What looks like a secret is asked of the environment.
pub fn headers(pieces: &mut Pieces, tool: &str, headers: &[(String, String)]) -> Table {
    let mut table = Table::new();
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        let said = if is_secret(&lower) && !value.is_empty() {
            let key = environment(&format!("{tool}_{name}"));
            pieces.want(&key, &format!("the header `{name}` of tool `{tool}`"));
            format!("${{env:{key}:-}}")
        } else {
            literal(value)
        };
        table.insert(name.clone(), Value::from(said));
    }
    table
}

/// Whether nobody should see what stands under such a name.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "key", "token", "secret", "password", "cookie", "signature", "credential"]
        .iter()
        .any(|it| name.contains(it))
}

/// Where a tool goes: without secrets in it, and only where tools may go. `Err` says why it cannot.
///
/// # Errors
/// Why no tool goes there, and what to do.
pub fn address(
    (pieces, options): (&mut Pieces, &Options),
    words: &Words,
    (tool, url): (&str, &str),
) -> Result<String, (String, String)> {
    let by_hand = |why: &str| (why.to_owned(), "write the tool by hand".to_owned());
    let Some((scheme, host, port)) = request::origin(url) else {
        return Err(by_hand("a tool names its host plainly"));
    };
    let inside = host.trim_matches(['[', ']']).parse().is_ok_and(|it| !network::is_public(it));
    let allowed = options.allowed.iter().any(|it| it.is(host, port));
    if (scheme != "https" || inside) && !allowed {
        let why = format!("no tool goes to `{host}:{port}` by itself");
        let instead = format!(
            "add [security.tools] allow = [\"{host}:{port}\"] to the settings and import again"
        );
        return Err((why, instead));
    }
    let reworded = words.template(url);
    if !reworded.faults.is_empty() {
        return Err(by_hand("its URL is no template here"));
    }
    let Some((before, query)) = reworded.text.split_once('?') else { return Ok(reworded.text) };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) if is_secret(name) && !value.contains("{{") => {
            let key = environment(&format!("{tool}_{name}"));
            pieces.want(&key, &format!("`{name}` in the URL of tool `{tool}`"));
            format!("{name}=${{env:{key}:-}}")
        }
        _ => pair.to_owned(),
    });
    Ok(format!("{before}?{}", pairs.collect::<Vec<_>>().join("&")))
}

/// A language that the house knows how to write; none of what means many.
pub fn language(tag: &str) -> Option<String> {
    tag.parse::<Language>().is_ok().then(|| tag.to_owned()).filter(|it| it != "multi")
}
