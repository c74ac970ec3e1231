//! The definition of a tool, as it stands under `[tools.NAME]` in a dialplan file.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::agent::assistant::Transfer;
use crate::agent::tool::{Handling, Tool};
use crate::agent::tools::parameter::{self, Parameter};
use crate::base::schema::Either;
use crate::base::secret::Secret;
use crate::base::units;

/// `[tools.NAME]`: something that an agent can have done.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// How it is done.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What it does and when to call it, for the model.
    #[serde(default)]
    pub description: String,
    /// What the model gives.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// Where it is; behind the host a template.
    #[serde(default)]
    pub url: String,
    /// How it is asked; without it by GET, or by POST where there is a body.
    #[serde(default)]
    pub method: Option<Method>,
    /// Headers of the request; templates.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Secret>,
    /// What stands behind the `?`; templates. Without it the arguments, when there is no body. Of a
    /// database its question, in which `:name` stands for an argument.
    #[serde(default)]
    pub query: Option<Query>,
    /// The body: a table is sent as JSON, and a text as it is; its texts are templates. Without it
    /// the arguments as JSON, if the method has a body.
    #[serde(default)]
    pub body: Option<Value>,
    /// How long a request may take.
    #[serde(default = "usual_timeout", deserialize_with = "units::duration")]
    pub timeout: Duration,
    /// How often it is tried again.
    #[serde(default)]
    pub retry: u32,
    /// What is said while it runs.
    #[serde(default)]
    pub say: Option<String>,
    /// After how long that is said.
    #[serde(default = "usual_say_after", deserialize_with = "units::duration")]
    pub say_after: Duration,
    /// Whether the caller must say yes before it runs, and to which question; a template.
    #[serde(default)]
    pub confirm: Confirm,
    /// What of the answer the model is told.
    #[serde(default)]
    pub result: Option<Excerpt>,
    /// The name below `vars` under which the result is kept for the call.
    #[serde(default)]
    pub save: Option<String>,
    /// The secret that signs requests of a webhook: `whsec_…`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub secret: Option<Secret>,
    /// The tools of an MCP server that may be called; all of them without any.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Whom a mail goes to: addresses with commas between them, or a template beside `recipients`.
    #[serde(default)]
    pub to: String,
    /// Who may be written to by a template: addresses, `@example.com` for everyone there, `*` for
    /// everyone.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// What a mail is about; a template.
    #[serde(default)]
    pub subject: String,
    /// What a mail says; a template.
    #[serde(default)]
    pub text: String,
    /// How many mails a call may send.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Which database is asked: a name under `[databases]`.
    #[serde(default)]
    pub database: String,
    /// How many rows are told.
    #[serde(default)]
    pub rows: Option<u32>,
    /// Where callers are sent.
    #[serde(default)]
    pub destinations: Vec<Transfer>,
}

/// How a tool is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "ToolKind")]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// By a request of the operator's making.
    Http,
    /// By a request that tells of the call of the tool, as Vapi sends it.
    Webhook,
    /// By a server of the Model Context Protocol, which has tools of its own.
    Mcp,
    /// By a mail.
    Email,
    /// By a question to a database.
    Sql,
    /// By sending the caller to one of several destinations.
    Transfer,
    /// By the house: the table says only that it is there.
    Builtin,
}

/// The `query` of a tool.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Either<String, BTreeMap<String, String>>")]
pub enum Query {
    /// What stands behind the `?` of a URL.
    Pairs(BTreeMap<String, String>),
    /// What a database is asked.
    Statement(String),
}

/// How a request is made (RFC 9110 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Gives what is there.
    Get,
    /// Does what the server makes of it.
    Post,
    /// Puts something in its place.
    Put,
    /// Changes a part.
    Patch,
    /// Takes something away.
    Delete,
}

/// Whether the caller must say yes.
#[derive(Debug, Clone, PartialEq, Eq, Default, JsonSchema)]
#[schemars(with = "Either<bool, String>")]
pub enum Confirm {
    /// It need not.
    #[default]
    No,
    /// It must, to the language's own question.
    Yes,
    /// It must, to this question; a template.
    Asks(String),
}

/// What of an answer in JSON is told: JSON Pointers (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Either<String, BTreeMap<String, String>>")]
pub enum Excerpt {
    /// The value there.
    At(String),
    /// An object of the values there, by name.
    Named(BTreeMap<String, String>),
}

impl Definition {
    /// An HTTP tool about which nothing is said yet.
    pub fn http() -> Self {
        Self {
            kind: Kind::Http,
            description: String::new(),
            parameters: BTreeMap::new(),
            url: String::new(),
            method: None,
            headers: BTreeMap::new(),
            query: None,
            body: None,
            timeout: usual_timeout(),
            retry: 0,
            say: None,
            say_after: usual_say_after(),
            confirm: Confirm::No,
            result: None,
            save: None,
            secret: None,
            allow: Vec::new(),
            to: String::new(),
            recipients: Vec::new(),
            subject: String::new(),
            text: String::new(),
            limit: None,
            database: String::new(),
            rows: None,
            destinations: Vec::new(),
        }
    }

    /// How requests are made.
    pub fn method(&self) -> Method {
        let has_body = self.body.is_some() || self.kind != Kind::Http;
        self.method.unwrap_or(if has_body { Method::Post } else { Method::Get })
    }

    /// Whether it may be done twice: by its method, or because a header tells a second time from
    /// the first.
    pub fn is_repeatable(&self) -> bool {
        let is_key = |name: &String| name.eq_ignore_ascii_case("Idempotency-Key");
        self.method().is_idempotent() || self.headers.keys().any(is_key)
    }

    /// Whether it changes something, so that it is finished when the caller hangs up.
    pub fn changes(&self) -> bool {
        match self.kind {
            Kind::Http => self.method() != Method::Get,
            Kind::Webhook | Kind::Mcp | Kind::Email => true,
            Kind::Sql | Kind::Transfer | Kind::Builtin => false,
        }
    }

    /// What stands behind the `?` of its URL, if that was written.
    pub fn pairs(&self) -> Option<&BTreeMap<String, String>> {
        match self.query.as_ref()? {
            Query::Pairs(pairs) => Some(pairs),
            Query::Statement(_) => None,
        }
    }

    /// What its database is asked, if that was written.
    pub fn statement(&self) -> Option<&str> {
        match self.query.as_ref()? {
            Query::Pairs(_) => None,
            Query::Statement(text) => Some(text),
        }
    }

    /// How many mails a call may send.
    pub fn mails(&self) -> u32 {
        self.limit.unwrap_or(USUAL_MAILS)
    }

    /// How many rows are told.
    pub fn rows(&self) -> u32 {
        self.rows.unwrap_or(USUAL_ROWS)
    }

    /// How long it may take with all its tries.
    pub fn patience(&self) -> Duration {
        let tries = self.retry.saturating_add(1);
        self.timeout.saturating_mul(tries) + RETRY_PAUSE.saturating_mul(tries * self.retry / 2)
    }

    /// The tool as a model sees it.
    pub fn tool(&self, name: &str) -> Tool {
        Tool {
            name: name.to_owned(),
            description: self.description.clone(),
            parameters: parameter::schema(&self.parameters).to_string(),
        }
    }

    /// How the house handles it.
    pub fn handling(&self) -> Handling {
        let confirm = match &self.confirm {
            Confirm::No => None,
            Confirm::Yes => Some(String::new()),
            Confirm::Asks(question) => Some(question.clone()),
        };
        let say = self.say.clone().filter(|say| !say.trim().is_empty());
        Handling {
            confirm,
            say: say.map(|say| (self.say_after, say)),
            save: self.save.clone(),
            patience: self.patience(),
        }
    }
}

impl Method {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether a second request does no more than the first (RFC 9110 9.2.2).
    pub fn is_idempotent(self) -> bool {
        matches!(self, Self::Get | Self::Put | Self::Delete)
    }

    /// Whether its requests have a body.
    pub fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

fn usual_timeout() -> Duration {
    Duration::from_secs(10)
}

fn usual_say_after() -> Duration {
    Duration::from_millis(800)
}

impl<'de> Deserialize<'de> for Confirm {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Confirm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a question")
            }

            fn visit_bool<E: de::Error>(self, wanted: bool) -> Result<Confirm, E> {
                Ok(if wanted { Confirm::Yes } else { Confirm::No })
            }

            fn visit_str<E: de::Error>(self, question: &str) -> Result<Confirm, E> {
                Ok(Confirm::Asks(question.to_owned()))
            }
        }
        source.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Query {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Query;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of texts, or the question to a database")
            }

            fn visit_str<E: de::Error>(self, question: &str) -> Result<Query, E> {
                Ok(Query::Statement(question.to_owned()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<Query, A::Error> {
                let table = de::value::MapAccessDeserializer::new(table);
                BTreeMap::deserialize(table).map(Query::Pairs)
            }
        }
        source.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Excerpt {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Excerpt;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON Pointer, or a table of them")
            }

            fn visit_str<E: de::Error>(self, pointer: &str) -> Result<Excerpt, E> {
                Ok(Excerpt::At(pointer.to_owned()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<Excerpt, A::Error> {
                let table = de::value::MapAccessDeserializer::new(table);
                BTreeMap::deserialize(table).map(Excerpt::Named)
            }
        }
        source.deserialize_any(Visitor)
    }
}

/// How many mails a call may send, where nothing else is said.
const USUAL_MAILS: u32 = 5;

/// How many rows are told, where nothing else is said.
const USUAL_ROWS: u32 = 20;

/// How long it rests before it tries again, more each time.
pub const RETRY_PAUSE: Duration = Duration::from_millis(250);
