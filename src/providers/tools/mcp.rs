//! Tools of a server of the Model Context Protocol, asked over streamable HTTP (revision
//! 2025-06-18). Of the protocol this speaks what tools need: a session, their list, and their calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::http::{Tries, ask};
use super::seam::{Found, Tool, Use, Web, shown};
use crate::agent::tool;
use crate::agent::tool::ToolResult;
use crate::agent::tools::definition::{Definition, Method};
use crate::agent::tools::outcome;
use crate::agent::tools::request::{self, Request};
use crate::base::scope::Scope;
use crate::base::secret::Secret;

/// A server, and our session there.
pub struct Server {
    name: String,
    definition: Arc<Definition>,
    web: Arc<dyn Web>,
    session: Mutex<Session>,
    /// How many requests were sent.
    requests: AtomicU64,
}

/// Where a conversation with a server stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Session {
    /// Whether it has begun.
    begun: bool,
    /// What the server calls it, if it does.
    id: Option<String>,
}

/// One of its tools.
pub struct ServerTool {
    server: Arc<Server>,
    /// Its name at the server.
    name: String,
    changes: bool,
}

/// A tool as a server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name at the server.
    pub name: String,
    /// The tool as a model sees it.
    pub tool: tool::Tool,
    /// Whether it says that it only looks.
    pub only_looks: bool,
}

impl Server {
    /// A server of this name and definition; nobody is asked yet.
    pub fn new(name: &str, definition: Arc<Definition>, web: Arc<dyn Web>) -> Self {
        let (session, requests) = (Mutex::default(), AtomicU64::new(1));
        Self { name: name.to_owned(), definition, web, session, requests }
    }

    /// Asks for its tools; only those that the operator allows.
    ///
    /// # Errors
    /// With why there are none.
    pub async fn list(&self) -> Result<Vec<Listed>, String> {
        let (mut listed, mut cursor) = (Vec::new(), Value::Null);
        for _ in 0..MOST_PAGES {
            let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
            let page = self.call("tools/list", params, &Scope::default()).await?;
            let tools = page["tools"].as_array().into_iter().flatten();
            listed.extend(tools.filter_map(|tool| self.listed(tool)));
            cursor = page["nextCursor"].clone();
            if cursor.is_null() || listed.len() >= MOST_TOOLS {
                break;
            }
        }
        listed.truncate(MOST_TOOLS);
        Ok(listed)
    }

    /// A tool that may be called, with the schema of its arguments taken over.
    fn listed(&self, tool: &Value) -> Option<Listed> {
        let name = tool["name"].as_str()?;
        let allow = &self.definition.allow;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let own = format!("{}_{name}", self.name);
        let is_named = !name.is_empty() && own.len() <= 64 && name.chars().all(fits);
        if !is_named || !allow.is_empty() && !allow.iter().any(|allowed| allowed == name) {
            return None;
        }
        let schema = tool["inputSchema"].is_object().then(|| tool["inputSchema"].to_string());
        let schema = schema.unwrap_or_else(|| json!({ "type": "object" }).to_string());
        let description = tool["description"].as_str().unwrap_or_default();
        (schema.len() <= LARGEST_SCHEMA).then(|| Listed {
            name: name.to_owned(),
            tool: tool::Tool {
                name: own,
                description: outcome::cut(description, LONGEST_DESCRIPTION),
                parameters: schema,
            },
            only_looks: tool["annotations"]["readOnlyHint"] == true,
        })
    }

    /// Calls a method, in a session that is begun when there is none, and anew when the server has
    /// forgotten it. Several calls go on beside each other.
    async fn call(&self, method: &str, params: Value, scope: &Scope) -> Result<Value, String> {
        let session = self.session(scope).await?;
        let (found, id) = self.send(&session, (method, &params), scope).await?;
        if found.reply.status != 404 || session.id.is_none() {
            return result(&found, id);
        }
        let mut known = self.session.lock().await;
        if *known == session {
            *known = Session::default();
        }
        drop(known);
        let session = self.session(scope).await?;
        let (found, id) = self.send(&session, (method, &params), scope).await?;
        result(&found, id)
    }

    /// The session, which is begun when there is none.
    async fn session(&self, scope: &Scope) -> Result<Session, String> {
        let mut known = self.session.lock().await;
        if known.begun {
            return Ok(known.clone());
        }
        let params = json!({
            "protocolVersion": VERSION,
            "capabilities": {},
            "clientInfo": { "name": "voxtrunk", "version": env!("CARGO_PKG_VERSION") },
        });
        let (found, id) = self.send(&known, ("initialize", &params), scope).await?;
        result(&found, id)?;
        let id = found.header("Mcp-Session-Id").map(str::to_owned);
        let session = Session { begun: true, id };
        let told = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let request = self.request(&session, &told, scope)?;
        // Whoever does not want to know is told all the same.
        ask(&*self.web, request, self.tries()).await.ok();
        known.clone_from(&session);
        Ok(session)
    }

    /// Sends a request; gives its number with the answer.
    async fn send(
        &self,
        session: &Session,
        (method, params): (&str, &Value),
        scope: &Scope,
    ) -> Result<(Found, u64), String> {
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let request = self.request(session, &body, scope)?;
        match ask(&*self.web, request, self.tries()).await {
            Ok(found) => Ok((found, id)),
            Err(lost) => Err(format!("the service gave no answer: {}", lost.why)),
        }
    }

    fn request(&self, session: &Session, body: &Value, scope: &Scope) -> Result<Request, String> {
        let headers = request::headers(&self.definition, scope, Some("application/json"));
        let mut headers = headers.map_err(|why| why.to_string())?;
        let accepts = ("Accept", "application/json, text/event-stream".to_owned());
        let version = session.begun.then(|| ("MCP-Protocol-Version", VERSION.to_owned()));
        let id = session.id.clone().map(|id| ("Mcp-Session-Id", id));
        let ours = [Some(accepts), version, id].into_iter().flatten();
        headers.extend(ours.map(|(name, value)| (name.to_owned(), Secret::from(value))));
        let (url, body) = (self.definition.url.clone(), body.to_string().into_bytes());
        Ok(Request { method: Method::Post, url, headers, body })
    }

    /// A call of a tool is not repeated: nobody knows what a second one does.
    fn tries(&self) -> Tries {
        Tries { timeout: self.definition.timeout, again: 0 }
    }
}

impl ServerTool {
    /// A tool of a server.
    pub fn new(server: Arc<Server>, listed: &Listed) -> Self {
        Self { server, name: listed.name.clone(), changes: !listed.only_looks }
    }
}

impl Tool for ServerTool {
    fn run(&self, used: Use) -> BoxFuture<'static, ToolResult> {
        let (server, params) = (self.server.clone(), params(&self.name, &used.scope));
        async move {
            let answer = server.call("tools/call", params, &used.scope).await;
            match answer.and_then(|answer| told(&answer)) {
                Ok(content) => used.call.done(content),
                Err(why) => used.call.failed(why),
            }
        }
        .boxed()
    }

    fn changes(&self) -> bool {
        self.changes
    }

    fn preview(&self, used: &Use) -> Result<String, String> {
        let params = params(&self.name, &used.scope);
        let body = json!({ "jsonrpc": "2.0", "method": "tools/call", "params": params });
        let request = self.server.request(&Session::default(), &body, &used.scope)?;
        Ok(shown(&request))
    }
}

fn params(name: &str, scope: &Scope) -> Value {
    let arguments = scope.get("args").cloned().unwrap_or_else(|| json!({}));
    json!({ "name": name, "arguments": arguments })
}

/// The result of the request of this number in an answer, which is JSON or a stream of events.
fn result(found: &Found, id: u64) -> Result<Value, String> {
    let text = outcome::whole(&found.reply)?;
    let media_type = found.reply.media_type.as_deref().unwrap_or_default();
    let is_stream = media_type.to_ascii_lowercase().starts_with("text/event-stream");
    let messages = if is_stream { events(text) } else { vec![text.to_owned()] };
    let mut messages = messages.iter().filter_map(|it| serde_json::from_str::<Value>(it).ok());
    let ours = messages.find(|message| message["id"] == id);
    let ours = ours.ok_or("the service answered with something else than was asked")?;
    match &ours["error"]["message"] {
        Value::String(why) => Err(outcome::cut(why, LONGEST_ERROR)),
        _ => Ok(ours["result"].clone()),
    }
}

/// The data of the events of a stream (WHATWG HTML 9.2).
fn events(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    let data = |event: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    };
    text.split("\n\n").map(data).filter(|data| !data.is_empty()).collect()
}

/// What the model is told of a result.
fn told(answer: &Value) -> Result<String, String> {
    let texts = answer["content"].as_array().into_iter().flatten();
    let texts: Vec<&str> = texts.filter_map(|part| part["text"].as_str()).collect();
    let text = match (texts.as_slice(), &answer["structuredContent"]) {
        ([], Value::Null) => "the tool says nothing that is a text".to_owned(),
        ([], structured) => structured.to_string(),
        (texts, _) => texts.join("\n"),
    };
    let text = outcome::cut(text.trim(), outcome::MOST_OF_A_RESULT);
    if answer["isError"] == true { Err(text) } else { Ok(text) }
}

/// The revision of the protocol.
const VERSION: &str = "2025-06-18";

/// How many pages of tools are asked for.
const MOST_PAGES: usize = 5;

/// How many tools a server may have.
const MOST_TOOLS: usize = 64;

/// The largest schema, in octets.
const LARGEST_SCHEMA: usize = 16 * 1_024;

/// The longest description, in octets.
const LONGEST_DESCRIPTION: usize = 1_024;

/// The longest error that is told, in octets.
const LONGEST_ERROR: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::tools::outcome::Reply;

    fn found(media_type: &str, body: &str) -> Found {
        let (media_type, body) = (Some(media_type.to_owned()), body.as_bytes().to_vec());
        Found { reply: Reply { status: 200, media_type, body }, headers: Vec::new() }
    }

    #[test]
    fn an_answer_is_found_in_json_and_in_a_stream() {
        let json = found("application/json", r#"{"jsonrpc":"2.0","id":3,"result":{"a":1}}"#);
        assert_eq!(result(&json, 3), Ok(json!({ "a": 1 })));
        assert!(result(&json, 4).is_err());
        let stream = "event: message\r\ndata: {\"method\":\"notifications/progress\"}\r\n\r\n\
                      id: 7\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":3,\"result\":{\"a\":2}}\n\n";
        assert_eq!(result(&found("text/event-stream", stream), 3), Ok(json!({ "a": 2 })));
        let refused = r#"{"id":3,"error":{"code":-32602,"message":"no such tool"}}"#;
        let refused = result(&found("application/json", refused), 3);
        assert_eq!(refused, Err("no such tool".to_owned()));
        for nothing in ["", "[]", "data: x", "{}"] {
            assert!(result(&found("text/event-stream; charset=utf-8", nothing), 3).is_err());
        }
    }

    #[test]
    fn a_result_is_its_text() {
        let answer = json!({ "content": [{ "type": "text", "text": "a" }, { "type": "image" }] });
        assert_eq!(told(&answer), Ok("a".to_owned()));
        let failed = json!({ "content": [{ "type": "text", "text": "full" }], "isError": true });
        assert_eq!(told(&failed), Err("full".to_owned()));
        let structured = json!({ "content": [], "structuredContent": { "b": 1 } });
        assert_eq!(told(&structured), Ok(r#"{"b":1}"#.to_owned()));
    }
}
