//! What a server of the operator's is asked when a call comes in, and what it says: the question looks
//! like an event, the answer like a route of the files.

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::destination::Destination;
use crate::base::id::CallId;
use crate::base::trace_context::TraceParent;
use crate::dialplan::plan::Route;

/// A question to a server of the operator's.
#[derive(Debug, Clone, PartialEq)]
pub struct Inquiry {
    /// Where: a URL, or the name of a webhook.
    pub url: String,
    /// How long it may take.
    pub timeout: Duration,
    /// What it is told of the call. Personal data.
    pub data: Value,
    /// The trace that goes on there, if there is one.
    pub traceparent: Option<TraceParent>,
}

impl Inquiry {
    /// What is written there, at a time since the Unix epoch.
    pub fn body(&self, call: CallId, since_epoch: Duration) -> String {
        let (call, millis) = (call.to_string(), i64::try_from(since_epoch.as_millis()));
        let at = millis.ok().and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
        let timestamp = at.map(|at| format!("{at:.3}"));
        let (kind, data) = ("route.decide", &self.data);
        json!({ "type": kind, "timestamp": timestamp, "call_id": call, "data": data }).to_string()
    }
}

/// Reads an answer: a route that needs no further question.
///
/// # Errors
/// With a sentence for the log.
pub fn read(body: &[u8]) -> Result<Box<Route>, String> {
    let route: Route = serde_json::from_slice(body).map_err(|why| why.to_string())?;
    let mut all = route.to.iter().chain(&route.otherwise);
    if all.any(|to| matches!(to, Destination::Webhook(_))) {
        return Err("the answer is another webhook".to_owned());
    }
    // Whose calls it is for is no question any more, and how they go was said by the files.
    let Route { to, weights, ring, otherwise, record, set, headers, .. } = route.clone();
    let plain = Route { to, weights, ring, otherwise, record, set, headers, ..Route::to(NOWHERE) };
    match plain == route {
        true => Ok(Box::new(route)),
        false => {
            Err("an answer has no keys but to, weights, ring, else, record, set and headers"
                .to_owned())
        }
    }
}

/// What stands in a route for what another one says.
const NOWHERE: Destination = Destination::Busy;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_route_and_says_what_is_wrong_with_it_otherwise() {
        let route = read(br#"{"to": "agent:sales", "set": {"name": "Anna"}, "else": ["busy"]}"#);
        let route = route.expect("a route");
        assert_eq!(route.to, [Destination::Agent("sales".to_owned())]);
        assert_eq!(route.set.get("name").map(String::as_str), Some("Anna"));
        assert_eq!(route.otherwise, [Destination::Busy]);
        for (body, words) in [
            (&b"{}"[..], "missing field `to`"),
            (b"null", "invalid type"),
            (br#"{"to": "agent"}"#, "is not a kind of destination"),
            (br#"{"to": "busy", "prompt": "x"}"#, "unknown field `prompt`"),
            (br#"{"to": "webhook:https://a.test/"}"#, "another webhook"),
            (br#"{"to": "busy"} x"#, "trailing"),
            (br#"{"to": "busy", "did": "100"}"#, "no keys but"),
            (br#"{"to": "sip:a@b.test", "how": "redirect"}"#, "no keys but"),
        ] {
            let why = read(body).expect_err("no route");
            assert!(why.contains(words), "{why}");
        }
    }
}
