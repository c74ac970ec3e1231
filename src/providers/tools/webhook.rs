//! A tool that is a message to a server of the operator's, in the words of Vapi: `tool-calls` with
//! a list of calls, answered by a list of results. It is signed by Standard Webhooks when there is
//! a secret (T29).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ring::hmac;
use serde_json::{Value, json};

use super::http::{Tries, ask};
use super::seam::{Tool, Use, Web, shown};
use crate::agent::tool::ToolResult;
use crate::agent::tools::definition::Definition;
use crate::agent::tools::outcome;
use crate::agent::tools::request::{self, Request};
use crate::base::secret::{ExposeSecret, Secret};

/// The tool.
#[derive(Clone)]
pub struct Webhook {
    name: String,
    definition: Arc<Definition>,
    web: Arc<dyn Web>,
}

impl Webhook {
    /// A tool of this name and definition.
    pub fn new(name: &str, definition: Arc<Definition>, web: Arc<dyn Web>) -> Self {
        Self { name: name.to_owned(), definition, web }
    }

    fn request(&self, used: &Use) -> Result<Request, String> {
        let body = message(&self.name, used).to_string().into_bytes();
        let method = self.definition.method();
        let headers = request::headers(&self.definition, &used.scope, Some("application/json"));
        let mut headers = headers.map_err(|why| why.to_string())?;
        if let Some(secret) = &self.definition.secret {
            let call = text(used, "call.id");
            let id = format!("msg_{}_{}", plain(&call), plain(&used.call.id));
            headers.extend(signed(secret, (&id, used.at), &body)?);
        }
        Ok(Request { method, url: self.definition.url.clone(), headers, body })
    }
}

impl Tool for Webhook {
    fn run(&self, used: Use) -> BoxFuture<'static, ToolResult> {
        let tool = self.clone();
        async move {
            let request = match tool.request(&used) {
                Ok(request) => request,
                Err(why) => return used.call.failed(format!("the tool is not well set up: {why}")),
            };
            let answer = match ask(&*tool.web, request, Tries::of(&tool.definition)).await {
                Ok(found) => outcome::whole(&found.reply).map(str::to_owned),
                Err(lost) => Err(format!("the service gave no answer: {}", lost.why)),
            };
            match answer.and_then(|body| result(&body, &used.call.id)) {
                Ok(content) => used.call.done(content),
                Err(why) => used.call.failed(why),
            }
        }
        .boxed()
    }

    fn changes(&self) -> bool {
        true
    }

    fn preview(&self, used: &Use) -> Result<String, String> {
        self.request(used).map(|request| shown(&request))
    }
}

/// What the server is told.
fn message(name: &str, used: &Use) -> Value {
    let arguments = used.scope.get("args").cloned().unwrap_or_else(|| json!({}));
    let function = json!({ "name": name, "arguments": arguments });
    let call = json!({
        "id": used.call.id, "name": name, "arguments": function["arguments"],
        "type": "function", "function": function,
    });
    json!({
        "message": {
            "type": "tool-calls",
            "timestamp": u64::try_from(used.at.as_millis()).unwrap_or(u64::MAX),
            "toolCallList": [call],
            "call": {
                "id": text(used, "call.id"),
                "type": "inboundPhoneCall",
                "customer": { "number": text(used, "call.from") },
                "phoneNumber": { "number": text(used, "call.to") },
            },
        },
    })
}

/// The result of our call among those of an answer.
fn result(body: &str, id: &str) -> Result<String, String> {
    let wrong = || "the service answered without a result for this call".to_owned();
    let body: Value = serde_json::from_str(body).map_err(|_| wrong())?;
    let results = body["results"].as_array().ok_or_else(wrong)?;
    let ours = results.iter().find(|result| result["toolCallId"] == *id).ok_or_else(wrong)?;
    let told = |value: &Value| outcome::cut(&outcome::told(value), outcome::MOST_OF_A_RESULT);
    match (&ours["error"], &ours["result"]) {
        (Value::Null, Value::Null) => Err(wrong()),
        (Value::Null, result) => Ok(told(result)),
        (error, _) => Err(told(error)),
    }
}

/// The headers that prove who sends a message, and when (Standard Webhooks).
fn signed(
    secret: &Secret,
    (id, at): (&str, Duration),
    body: &[u8],
) -> Result<[(String, Secret); 3], String> {
    let key = key(secret).ok_or("its `secret` is not of the form whsec_…")?;
    let (key, at) = (hmac::Key::new(hmac::HMAC_SHA256, &key), at.as_secs());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{at}.").as_bytes());
    context.update(body);
    let signature = format!("v1,{}", STANDARD.encode(context.sign()));
    let header = |name: &str, value: String| (name.to_owned(), Secret::from(value));
    Ok([
        header("webhook-id", id.to_owned()),
        header("webhook-timestamp", at.to_string()),
        header("webhook-signature", signature),
    ])
}

/// The key of a secret: `whsec_` and 24 to 64 octets in base64.
pub fn key(secret: &Secret) -> Option<Vec<u8>> {
    let encoded = secret.expose_secret().strip_prefix("whsec_")?;
    STANDARD.decode(encoded).ok().filter(|key| (24..=64).contains(&key.len()))
}

/// An identity without what has a meaning in a signature.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(64).collect()
}

fn text(used: &Use, path: &str) -> String {
    used.scope.get(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        // The example of the specification.
        let secret = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", Duration::from_secs(1_614_265_330));
        let headers = signed(&secret, (id, at), br#"{"test": 2432232314}"#).expect("headers");
        let signature = headers[2].1.expose_secret();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(key(&Secret::from("sesame".to_owned())).is_none());
        assert!(key(&Secret::from("whsec_c2hvcnQ=".to_owned())).is_none());
    }

    #[test]
    fn the_result_is_that_of_our_call() {
        let body = r#"{"results":[{"toolCallId":"a","result":"no"},
            {"toolCallId":"b","result":{"slot":"10:00"}},{"toolCallId":"c","error":"full"}]}"#;
        assert_eq!(result(body, "b"), Ok(r#"{"slot":"10:00"}"#.to_owned()));
        assert_eq!(result(body, "c"), Err("full".to_owned()));
        for nothing in [body, "{}", "[]", "", r#"{"results":[{"toolCallId":"d"}]}"#] {
            assert!(result(nothing, "d").is_err_and(|why| why.contains("without a result")));
        }
    }
}
