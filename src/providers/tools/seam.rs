//! The seam of tools: what runs them, and what they reach the web by.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::agent::tool::{ToolCall, ToolResult};
use crate::agent::tools::definition::Method;
use crate::agent::tools::outcome::Reply;
use crate::agent::tools::request::Request;
use crate::base::scope::Scope;

/// A tool that is to be used.
#[derive(Debug, Clone)]
pub struct Use {
    /// Which, and with what.
    pub call: ToolCall,
    /// What its templates may name.
    pub scope: Scope,
    /// What time it is, since the Unix epoch.
    pub at: Duration,
}

/// Something that a model can have done.
pub trait Tool: Send + Sync {
    /// Does it. It always ends, and in the time that its settings allow.
    fn run(&self, used: Use) -> BoxFuture<'static, ToolResult>;

    /// Whether it changes something, so that it is finished when the caller hangs up.
    fn changes(&self) -> bool;

    /// What would be asked, for somebody who looks on; secrets are blotted out.
    ///
    /// # Errors
    /// When there is nothing to be asked.
    fn preview(&self, used: &Use) -> Result<String, String>;
}

/// What reaches the web: it goes nowhere where the operator does not want it to.
pub trait Web: Send + Sync {
    /// Asks once, and waits so long.
    fn ask(&self, request: Request, timeout: Duration) -> BoxFuture<'static, Result<Found, Lost>>;
}

/// An answer of a web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it says.
    pub reply: Reply,
    /// Its headers.
    pub headers: Vec<(String, String)>,
}

/// Why there is no answer, in words that name nothing of the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Why.
    pub why: String,
    /// Whether another try may fare better.
    pub passing: bool,
}

impl Found {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A request as it may be shown: every value of a header that could be a secret is blotted out.
pub fn shown(request: &Request) -> String {
    use crate::base::secret::ExposeSecret;
    let Request { method, url, headers, body } = request;
    let mut text = format!("{} {url}\n", method.name());
    for (name, value) in headers {
        let is_plain = PLAIN.iter().any(|plain| name.eq_ignore_ascii_case(plain));
        let value = if is_plain { value.expose_secret() } else { "***" };
        text.push_str(&format!("{name}: {value}\n"));
    }
    if method.has_body() || *method != Method::Get && !body.is_empty() {
        text.push_str(&format!("\n{}\n", String::from_utf8_lossy(body)));
    }
    text
}

/// Headers that are no secret.
const PLAIN: [&str; 6] = [
    "accept",
    "content-type",
    "idempotency-key",
    "webhook-id",
    "webhook-timestamp",
    "mcp-protocol-version",
];
