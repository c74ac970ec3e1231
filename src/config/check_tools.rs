//! Checks of tools: where they go, what a model is told of them, and what they are asked with.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use crate::agent::tools::definition::{Confirm, Definition, Excerpt, Kind};
use crate::agent::tools::parameter::{Parameter, Sort};
use crate::agent::tools::request;
use crate::base::network;
use crate::base::secret::ExposeSecret;
use crate::config::check_agent::tools_of_the_house;
use crate::config::check_machine::in_plain_text;
use crate::config::check_routes::unknown_destination;
use crate::config::check_templates::not_a_template;
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::source::{Span, is_secret_key};
use crate::config::subject::Subject;
use crate::config::{check_databases, check_mail, check_transfers};

/// Checks all tools.
pub fn tools(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, definition) in subject.tools {
        let check = Check { subject, definition, name, path: format!("tools.{name}") };
        found.extend(check.reserved());
        if !subject.faulty_tools.contains(name) {
            found.extend(check.all());
        }
    }
    found
}

/// Checks where a node of a flow goes.
pub fn node(
    subject: &Subject<'_>,
    (name, path): (&str, String),
    definition: &Definition,
) -> Vec<Diagnostic> {
    let check = Check { subject, definition, name, path };
    let mut found: Vec<Diagnostic> = check.place_of_it().into_iter().collect();
    found.extend(check.templates());
    found.extend(check.secrets());
    found
}

/// Checks one parameter under a table, such as `tools.NAME.parameters`.
pub fn parameter(
    subject: &Subject<'_>,
    (table, name): (&str, &str),
    parameter: &Parameter,
) -> Vec<Diagnostic> {
    let path = format!("{table}.{name}");
    let wrong = |message: String, place: Option<Span>, label: String| {
        Diagnostic::error("tool.schema_invalid", message)
            .at(place, label)
            .help(format!("types: {}", Sort::NAMES.join(", ")))
    };
    let mut found = Vec::new();
    let sorts = [("type", Some(&parameter.sort)), ("items", parameter.items.as_ref())];
    for (key, sort) in sorts {
        let Some(Sort::Unknown(written)) = sort else { continue };
        let label = match did_you_mean(written, Sort::NAMES) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "not known".to_owned(),
        };
        let place = subject.reading.places.find(&format!("{path}.{key}"));
        let place = place.map(|it| it.value.clone()).or_else(|| subject.place(&path));
        found.push(wrong(format!("there is no type `{written}`"), place, label));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        let message = format!("`{name}` cannot be the name of a parameter");
        found.push(wrong(message, subject.key(&path), "letters, digits, - and _".to_owned()));
    }
    if !parameter.choices.is_empty() && parameter.sort != Sort::Text {
        let message = format!("only a text has an `enum`, and `{name}` is none");
        let place = subject.place(&format!("{path}.enum"));
        found.push(wrong(message, place, "a list of texts".to_owned()));
    }
    if parameter.items.is_some() && parameter.sort != Sort::List {
        let message = format!("only an array has `items`, and `{name}` is none");
        let place = subject.place(&format!("{path}.items"));
        found.push(wrong(message, place, "leave it out".to_owned()));
    }
    found
}

struct Check<'a> {
    subject: &'a Subject<'a>,
    definition: &'a Definition,
    name: &'a str,
    path: String,
}

impl Check<'_> {
    fn all(&self) -> Vec<Diagnostic> {
        let mut found = self.strangers();
        found.extend(self.description());
        found.extend(match self.definition.kind {
            Kind::Http | Kind::Webhook | Kind::Mcp => self.web(),
            Kind::Email => check_mail::tool(self.subject, self.definition, &self.path),
            Kind::Sql => check_databases::tool(self.subject, self.definition, &self.path),
            Kind::Transfer => self.destinations(),
            Kind::Builtin => self.of_the_house().into_iter().collect(),
        });
        found.extend(self.times());
        found.extend(self.parameters());
        found.extend(self.excerpt());
        found.extend(self.save());
        found.extend(self.secret());
        found.extend(self.templates());
        found.extend(self.secrets());
        found
    }

    /// A name that the house has given already.
    fn reserved(&self) -> Option<Diagnostic> {
        let name = self.name;
        let message = format!("`{name}` is a tool of the house");
        let is_other = self.definition.kind != Kind::Builtin;
        (is_other && tools_of_the_house().any(|own| own == name)).then(|| {
            Diagnostic::error("tool.reserved", message)
                .at(self.subject.key(&self.path), "this name is taken")
                .help("give the tool another name; agents name those of the house without a table")
        })
    }

    /// Where a transfer goes.
    fn destinations(&self) -> Vec<Diagnostic> {
        let all = &self.definition.destinations;
        let table = |at: usize| format!("{}.destinations[{at}]", self.path);
        let wrong = all.iter().enumerate().flat_map(|(at, it)| {
            let (table, subject) = (table(at), self.subject);
            let unknown = unknown_destination(subject, &it.to, &format!("{table}.to"));
            unknown.into_iter().chain(check_transfers::all(subject, &it.into(), &table))
        });
        let empty = all.is_empty().then(|| {
            let message = format!("tool `{}` has no `destinations`", self.name);
            Diagnostic::error("key.missing", message)
                .at(self.subject.key(&self.path), "callers are sent nowhere")
                .help(format!("add [[tools.{}.destinations]] with a `to`", self.name))
        });
        wrong.chain(empty).collect()
    }

    /// A tool that the house does not have.
    fn of_the_house(&self) -> Option<Diagnostic> {
        let name = self.name;
        let label = match did_you_mean(name, tools_of_the_house()) {
            Some(own) => format!("did you mean `{own}`?"),
            None => "not known".to_owned(),
        };
        let known: Vec<&str> = tools_of_the_house().collect();
        (!known.contains(&name)).then(|| {
            Diagnostic::error("tool.unknown", format!("the house has no tool `{name}`"))
                .at(self.subject.key(&self.path), label)
                .help(format!("tools of the house: {}", known.join(", ")))
        })
    }

    /// Keys that mean nothing to a tool of its type.
    fn strangers(&self) -> Vec<Diagnostic> {
        let it = self.definition;
        let (kind, known): (_, &[&str]) = match it.kind {
            Kind::Http => {
                ("http", &["url", "method", "headers", "query", "body", "retry", "result"])
            }
            Kind::Webhook => ("webhook", &["url", "headers", "retry", "secret"]),
            Kind::Mcp => ("mcp", &["url", "headers", "allow"]),
            Kind::Email => ("email", &["to", "recipients", "subject", "text", "limit"]),
            Kind::Sql => ("sql", &["database", "query", "rows"]),
            Kind::Transfer => ("transfer", &["destinations"]),
            Kind::Builtin => ("builtin", &[]),
        };
        let told_by_server = it.kind == Kind::Mcp;
        let strangers = [
            ("description", told_by_server && !it.description.is_empty()),
            ("parameters", told_by_server && !it.parameters.is_empty()),
            ("url", !it.url.is_empty()),
            ("method", it.method.is_some()),
            ("headers", !it.headers.is_empty()),
            ("query", it.query.is_some()),
            ("body", it.body.is_some()),
            ("result", it.result.is_some()),
            ("retry", it.retry > 0),
            ("secret", it.secret.is_some()),
            ("allow", !it.allow.is_empty()),
            ("to", !it.to.is_empty()),
            ("recipients", !it.recipients.is_empty()),
            ("subject", !it.subject.is_empty()),
            ("text", !it.text.is_empty()),
            ("limit", it.limit.is_some()),
            ("database", !it.database.is_empty()),
            ("rows", it.rows.is_some()),
            ("destinations", !it.destinations.is_empty()),
        ];
        let strangers = strangers.into_iter().filter(|(key, _)| !known.contains(key));
        let told = |(key, _): (&str, bool)| {
            let message = format!("a tool of the type \"{kind}\" has no `{key}`");
            Diagnostic::error("tool.key", message).at(self.key(key), "this means nothing here")
        };
        strangers.filter(|(_, is_there)| *is_there).map(told).collect()
    }

    fn description(&self) -> Option<Diagnostic> {
        let own = !matches!(self.definition.kind, Kind::Mcp | Kind::Transfer | Kind::Builtin);
        (own && self.definition.description.trim().is_empty()).then(|| {
            let message = format!("tool `{}` has no `description`", self.name);
            Diagnostic::warning("tool.no_description", message)
                .at(self.subject.key(&self.path), "a model cannot know when to call it")
        })
    }

    /// What asks the web.
    fn web(&self) -> Vec<Diagnostic> {
        let statement = self.definition.statement().map(|_| {
            Diagnostic::error("value.type", "the `query` of a URL is a table")
                .at(self.place("query"), "a text")
                .help("write query = { date = \"{{ args.date }}\" }")
        });
        [self.place_of_it(), self.retry(), statement].into_iter().flatten().collect()
    }

    /// Where it goes: told by the operator, never by a model.
    fn place_of_it(&self) -> Option<Diagnostic> {
        let url = self.definition.url.as_str();
        if url.is_empty() {
            let message = format!("tool `{}` has no `url`", self.name);
            return Some(
                Diagnostic::error("key.missing", message)
                    .at(self.subject.key(&self.path), "`url` must stand in this table"),
            );
        }
        let place = || self.place("url");
        let Some((scheme, host, port)) = request::origin(url) else {
            return Some(
                Diagnostic::error("tool.url", "the `url` of a tool names its host plainly")
                    .at(place(), "no such URL")
                    .help(
                        "write it as \"https://calendar.example.com/slots\"; templates may stand \
                         behind the host",
                    ),
            );
        };
        let allowed = &self.subject.server.security.tools.allow;
        if allowed.iter().any(|it| it.is(host, port)) {
            return None;
        }
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let inside = address.is_some_and(|address| !network::is_public(address));
        if scheme == "https" && !inside {
            return None;
        }
        let why = if inside { "is not on the public internet" } else { "is asked without TLS" };
        Some(
            Diagnostic::error("tool.closed", format!("`{host}` {why}"))
                .at(place(), "no tool goes there by itself")
                .help(format!(
                    "if that is meant, add [security.tools] allow = [\"{host}:{port}\"] to the \
                     settings of the server"
                )),
        )
    }

    fn times(&self) -> Vec<Diagnostic> {
        let it = self.definition;
        let (least, most) = (Duration::from_millis(100), Duration::from_secs(60));
        let mut found = Vec::new();
        if !(least..=most).contains(&it.timeout) {
            let message = "`timeout` must be between 100ms and 60s";
            found.push(
                Diagnostic::error("value.range", message).at(self.place("timeout"), "out of range"),
            );
        }
        if it.retry > MOST_TRIES {
            let message = format!("`retry` must be a whole number from 0 to {MOST_TRIES}");
            found.push(
                Diagnostic::error("value.range", message).at(self.place("retry"), "out of range"),
            );
        }
        found
    }

    /// Nothing is done twice that must be done once.
    fn retry(&self) -> Option<Diagnostic> {
        let it = self.definition;
        (it.retry > 0 && !it.is_repeatable()).then(|| {
            let message = format!("a second {} may do everything twice", it.method().name());
            Diagnostic::error("tool.retry", message)
                .at(self.place("retry"), "this asks again")
                .help(
                    "add headers.Idempotency-Key = \"{{ call.id }}-{{ tool.call_id }}\" if the \
                     service knows it, or leave `retry` out",
                )
        })
    }

    fn parameters(&self) -> Vec<Diagnostic> {
        let (all, table) = (self.definition.parameters.iter(), format!("{}.parameters", self.path));
        all.flat_map(|(name, it)| parameter(self.subject, (&table, name), it)).collect()
    }

    fn excerpt(&self) -> Vec<Diagnostic> {
        let pointers: Vec<(String, &str)> = match &self.definition.result {
            None => Vec::new(),
            Some(Excerpt::At(pointer)) => vec![("result".to_owned(), pointer)],
            Some(Excerpt::Named(named)) => {
                named.iter().map(|(name, it)| (format!("result.{name}"), it.as_str())).collect()
            }
        };
        let is_pointer = |text: &str| text.is_empty() || text.starts_with('/');
        let told = |(key, pointer): (String, &str)| {
            Diagnostic::error("tool.result", format!("`{pointer}` is no JSON Pointer"))
                .at(self.place(&key), "it begins with /")
                .help("write it as \"/data/slots\" (RFC 6901)")
        };
        pointers.into_iter().filter(|(_, pointer)| !is_pointer(pointer)).map(told).collect()
    }

    fn save(&self) -> Option<Diagnostic> {
        let name = self.definition.save.as_deref()?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_name = !name.is_empty() && name.len() <= 64 && name.chars().all(fits);
        (!is_name).then(|| {
            Diagnostic::error("tool.save", format!("`{name}` cannot be the name of a variable"))
                .at(self.place("save"), "letters, digits and _")
        })
    }

    /// The secret of a webhook has a form of its own.
    fn secret(&self) -> Option<Diagnostic> {
        let secret = self.definition.secret.as_ref()?;
        (!secret.expose_secret().starts_with("whsec_")).then(|| {
            let message = "the `secret` of a webhook begins with whsec_";
            Diagnostic::error("tool.secret", message)
                .at(self.place("secret"), "no secret of Standard Webhooks")
                .help("`echo whsec_$(openssl rand -base64 32)` makes one")
        })
    }

    fn templates(&self) -> Vec<Diagnostic> {
        let it = self.definition;
        let plain = [("url", &it.url), ("subject", &it.subject), ("text", &it.text)];
        let mut texts: Vec<(String, String)> =
            plain.into_iter().map(|(key, text)| (key.to_owned(), text.clone())).collect();
        if !it.recipients.is_empty() {
            texts.push(("to".to_owned(), it.to.clone()));
        }
        let none = BTreeMap::new();
        let query = it.pairs().unwrap_or(&none).iter();
        texts.extend(query.map(|(name, text)| (format!("query.{name}"), text.clone())));
        let headers = it.headers.iter();
        texts.extend(
            headers
                .map(|(name, text)| (format!("headers.{name}"), text.expose_secret().to_owned())),
        );
        if let Confirm::Asks(question) = &it.confirm {
            texts.push(("confirm".to_owned(), question.clone()));
        }
        if let Some(body) = &it.body {
            leaves("body", body, &mut texts);
        }
        let wrong = |(key, text): (String, String)| {
            not_a_template(self.subject, &format!("{}.{key}", self.path), &text)
        };
        texts.into_iter().filter_map(wrong).collect()
    }

    fn secrets(&self) -> Vec<Diagnostic> {
        let it = self.definition;
        let headers = it.headers.keys().filter(|name| is_secret_key(name));
        let headers = headers.map(|name| format!("{}.headers.{name}", self.path));
        let secret = it.secret.iter().map(|_| format!("{}.secret", self.path));
        headers.chain(secret).filter_map(|path| in_plain_text(self.subject, &path)).collect()
    }

    fn place(&self, key: &str) -> Option<Span> {
        self.subject.place(&format!("{}.{key}", self.path))
    }

    fn key(&self, key: &str) -> Option<Span> {
        let path = format!("{}.{key}", self.path);
        self.subject.key(&path).or_else(|| self.subject.place(&path))
    }
}

/// The texts of a body, each with its path.
fn leaves(path: &str, value: &Value, texts: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => texts.push((path.to_owned(), text.clone())),
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(at, it)| leaves(&format!("{path}[{at}]"), it, texts));
        }
        Value::Object(table) => {
            table.iter().for_each(|(name, it)| leaves(&format!("{path}.{name}"), it, texts));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How often a tool may ask again.
const MOST_TRIES: u32 = 3;
