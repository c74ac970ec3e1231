//! The request of a tool, made of its definition and what is known of the call.

use std::fmt;

use serde_json::{Map, Value};

use crate::agent::tools::definition::{Definition, Method};
use crate::base::scope::Scope;
use crate::base::secret::{ExposeSecret, Secret};
use crate::base::template;
use crate::base::url;

/// A request, ready to be sent.
#[derive(Clone)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Where to.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(String, Secret)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why there is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its `{part}` cannot be written: {why}")]
pub struct NoRequest {
    /// The key of the definition.
    pub part: String,
    /// What is wrong.
    pub why: String,
}

/// The request of a tool. `scope` knows the arguments as `args`.
///
/// # Errors
/// When a template does not render.
pub fn request(definition: &Definition, scope: &Scope) -> Result<Request, NoRequest> {
    let method = definition.method();
    let arguments = || match scope.get("args") {
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(_) | None => Map::new(),
    };
    let body = match &definition.body {
        Some(body) => Some(filled(body, scope)?),
        None if method.has_body() => Some(Value::Object(arguments())),
        None => None,
    };
    let query = match (definition.pairs(), &body) {
        (Some(query), _) => {
            let rendered = query.iter().map(|(name, text)| {
                Ok((name.clone(), render(text, scope, &format!("query.{name}"))?))
            });
            rendered.collect::<Result<Vec<_>, NoRequest>>()?
        }
        (None, Some(_)) => Vec::new(),
        (None, None) => arguments().iter().map(|(name, it)| (name.clone(), plain(it))).collect(),
    };
    let (body, media_type) = match body {
        Some(Value::String(text)) => (text.into_bytes(), Some("text/plain; charset=utf-8")),
        Some(json) => (json.to_string().into_bytes(), Some("application/json")),
        None => (Vec::new(), None),
    };
    let url = url::render(&definition.url, scope);
    let url = url.map_err(|why| NoRequest { part: "url".to_owned(), why: why.to_string() })?;
    Ok(Request {
        method,
        url: with_query(url, &query),
        headers: headers(definition, scope, media_type)?,
        body,
    })
}

/// The headers of a tool; the type of the body stands among them unless the operator wrote one.
pub fn headers(
    definition: &Definition,
    scope: &Scope,
    media_type: Option<&str>,
) -> Result<Vec<(String, Secret)>, NoRequest> {
    let mut headers = Vec::new();
    for (name, value) in &definition.headers {
        let rendered = render(value.expose_secret(), scope, &format!("headers.{name}"))?;
        headers.push((name.clone(), Secret::from(rendered)));
    }
    let has = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    if let Some(media_type) = media_type.filter(|_| !has("Content-Type")) {
        headers.push(("Content-Type".to_owned(), Secret::from(media_type.to_owned())));
    }
    // The trace of the call goes on there (W3C Trace Context), unless the tool says which.
    let has = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    if let Some(Value::String(parent)) = scope.get("call.traceparent")
        && !has("traceparent")
    {
        headers.push(("traceparent".to_owned(), Secret::from(parent.clone())));
    }
    Ok(headers)
}

/// The body with its templates filled in. Each text stays one text, whatever stands in a value: it
/// is put into JSON behind the template. A template that is one name and nothing else keeps the
/// type of what it names.
fn filled(body: &Value, scope: &Scope) -> Result<Value, NoRequest> {
    Ok(match body {
        Value::String(text) => match name_alone(text).and_then(|name| scope.get(name)) {
            Some(value) => value.clone(),
            None => Value::String(render(text, scope, "body")?),
        },
        Value::Array(list) => {
            Value::Array(list.iter().map(|it| filled(it, scope)).collect::<Result<_, _>>()?)
        }
        Value::Object(table) => {
            let filled = |(name, it): (&String, &Value)| Ok((name.clone(), filled(it, scope)?));
            Value::Object(table.iter().map(filled).collect::<Result<_, _>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => body.clone(),
    })
}

/// `args.seats` of `{{ args.seats }}`.
fn name_alone(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

fn render(text: &str, scope: &Scope, part: &str) -> Result<String, NoRequest> {
    template::render_in(text, scope).map_err(|_| NoRequest {
        part: part.to_owned(),
        // What the template says may hold a secret.
        why: "its template fails".to_owned(),
    })
}

/// Appends what is asked for; what is empty is left out.
fn with_query(mut url: String, query: &[(String, String)]) -> String {
    for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&format!("{}={}", url::encoded(name), url::encoded(value)));
    }
    url
}

/// A value as it stands in a query.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

/// The scheme, host and port of a URL, as they are written; `None` when there is a template before
/// the path, or no such thing.
pub fn origin(url: &str) -> Option<(&str, &str, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let usual = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(plain) {
        return None;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, usual),
    };
    (!host.is_empty()).then_some((scheme, host, port))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(written: Value) -> Definition {
        serde_json::from_value(written).expect("a definition")
    }

    fn scope(arguments: Value) -> Scope {
        let mut scope = Scope::default();
        scope.set("args", arguments);
        scope.set("call.id", "c1");
        scope.set("call.from", "+49711");
        scope.set("tool.call_id", "t1");
        scope
    }

    fn header<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
        let found = request.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.expose_secret())
    }

    #[test]
    fn a_body_is_json_whatever_stands_in_a_value() {
        let tool = definition(json!({
            "type": "http", "url": "https://a.test/bookings",
            "headers": { "Idempotency-Key": "{{ call.id }}-{{ tool.call_id }}" },
            "body": { "slot": "{{ args.slot }}", "for": "{{ args.name }} ({{ call.from }})",
                      "seats": "{{ args.seats }}", "kind": ["phone"] },
        }));
        let hostile = "x\", \"admin\": true, \"y\": \"\u{1}\\";
        let asked = scope(json!({ "slot": hostile, "name": hostile, "seats": 2 }));
        let request = request(&tool, &asked).expect("a request");
        assert_eq!((request.method, &*request.url), (Method::Post, "https://a.test/bookings"));
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let whom = format!("{hostile} (+49711)");
        let expected = json!({ "slot": hostile, "for": whom, "seats": 2, "kind": ["phone"] });
        assert_eq!(body, expected);
        assert_eq!(header(&request, "Idempotency-Key"), Some("c1-t1"));
        assert_eq!(header(&request, "Content-Type"), Some("application/json"));
        assert!(!format!("{request:?}").contains("c1-t1"));
    }

    #[test]
    fn without_a_body_the_arguments_stand_in_the_query() {
        let tool = definition(json!({ "type": "http", "url": "https://a.test/slots?a=1" }));
        let asked = scope(json!({ "date": "2026-12-24", "who": "a&b=ü", "tags": [1, "b"] }));
        let request = request(&tool, &asked).expect("a request");
        let expected = "https://a.test/slots?a=1&date=2026-12-24&tags=1%2Cb&who=a%26b%3D%C3%BC";
        assert_eq!((request.method, &*request.url), (Method::Get, expected));
        assert!(request.body.is_empty() && request.headers.is_empty());
    }

    #[test]
    fn a_query_of_its_own_leaves_out_what_is_empty() {
        let tool = definition(json!({
            "type": "http", "method": "POST", "url": "https://a.test/{{ args.id }}",
            "query": { "day": "{{ args.date }}", "service": "{{ args.service }}" },
        }));
        let request = request(&tool, &scope(json!({ "id": "../x", "date": "today" })));
        let request = request.expect("a request");
        assert_eq!(request.url, "https://a.test/..%2Fx?day=today");
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        assert_eq!(body, json!({ "id": "../x", "date": "today" }));
    }

    #[test]
    fn where_a_tool_is_stands_in_its_url_before_any_template() {
        assert_eq!(origin("https://a.test/x/{{ y }}"), Some(("https", "a.test", 443)));
        assert_eq!(origin("http://127.0.0.1:8080?x"), Some(("http", "127.0.0.1", 8_080)));
        assert_eq!(origin("https://[::1]/"), Some(("https", "[::1]", 443)));
        for wrong in
            ["https://{{ x }}/", "https://a@b/", "ftp://a/", "a.test", "https:///x", "https://a:x/"]
        {
            assert_eq!(origin(wrong), None, "{wrong}");
        }
    }
}
