//! A webhook that is asked where a call goes (`to = "webhook:NAME"`), in the words of its format: ours
//! with a signature, as Vapi asks for an assistant, or as Retell tells of a call that comes in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::base::destination::Destination;
use crate::base::id::CallId;
use crate::call::decision::{self, Inquiry};
use crate::call::event::Input;
use crate::config::settings::Server;
use crate::config::webhook::Format;
use crate::dialplan::plan::Route;
use crate::engine::clock;
use crate::engine::deciding::{Deciders, Decides};
use crate::net::web::Web;
use crate::server::control::times::timestamp;
use crate::server::inlets;
use crate::server::vapi::drawer::{Drawer, Kind};
use crate::server::vapi::orders;
use crate::server::vapi::views::Known;
use crate::server::webhooks::endpoint::{Endpoint, Message};
use crate::server::webhooks::happening::Happening;
use crate::server::webhooks::in_vapi;
use crate::store::spool::Event;

/// Somebody who is asked.
#[derive(Debug)]
struct Oracle {
    endpoint: Endpoint,
    /// The file of what programs of Vapi's made; it need not be there.
    drawer: PathBuf,
}

/// All who may be asked, by the names of the settings.
pub fn all(server: &Server) -> Deciders {
    let oracle = |(name, webhook): (&String, _)| {
        let endpoint = Endpoint::new(name, webhook);
        let oracle: Arc<dyn Decides> =
            Arc::new(Oracle { endpoint, drawer: inlets::drawer(server) });
        (name.clone(), oracle)
    };
    server.webhooks.iter().map(oracle).collect()
}

impl Decides for Oracle {
    fn ask<'a>(
        &'a self,
        web: &'a Web,
        call: CallId,
        inquiry: &'a Inquiry,
    ) -> BoxFuture<'a, Result<Input, String>> {
        async move {
            let path = self.drawer.clone();
            let drawer = tokio::task::spawn_blocking(move || Drawer::read(&path)).await;
            // Whoever keeps it says why it cannot be read; names are known all the same.
            let drawer = drawer.ok().and_then(Result::ok).unwrap_or_default();
            let at = clock::since_epoch();
            let id = Event::named(at, &mut clock::random());
            let body = self.question((call, at), inquiry, &drawer);
            let traceparent = inquiry.traceparent.map(|it| it.to_string());
            let message = Message { id: &id, body: &body, at, traceparent: traceparent.as_deref() };
            let asking = self.endpoint.asking(&message, inquiry.timeout);
            let answer = web.ask(asking).await.map_err(|why| why.to_string())?;
            match answer.status {
                200..300 => {
                    self.read(&answer.body, &drawer).map(|route| Input::Decided(Some(route)))
                }
                status => Err(format!("the answer has the status {status}")),
            }
        }
        .boxed()
    }
}

impl Oracle {
    fn question(
        &self,
        (call, at): (CallId, Duration),
        inquiry: &Inquiry,
        drawer: &Drawer,
    ) -> String {
        match self.endpoint.format {
            Format::Standard => inquiry.body(call, at),
            Format::Vapi => assistant_request((call, at), &inquiry.data, drawer).to_string(),
            Format::Retell => call_inbound(&inquiry.data).to_string(),
        }
    }

    fn read(&self, body: &[u8], drawer: &Drawer) -> Result<Box<Route>, String> {
        match self.endpoint.format {
            Format::Standard => decision::read(body),
            Format::Vapi => assistant(body, drawer).map(Box::new),
            Format::Retell => override_agent(body).map(Box::new),
        }
    }
}

/// What Vapi asks.
fn assistant_request((call, at): (CallId, Duration), data: &Value, drawer: &Drawer) -> Value {
    let now = timestamp(at);
    let told = json!({
        "id": call.to_string(),
        "direction": "inbound",
        "status": "ringing",
        "from": data["from"],
        "to": data["to"],
        "trunk": data["trunk"],
        "started_at": now,
    });
    let known = Known { drawer, note: None, base: "", token: "", now: &now };
    in_vapi::request("assistant-request", &Happening { told: &told, known: &known, at })
}

/// What Vapi is answered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assistant {
    assistant_id: Option<String>,
    assistant_overrides: Option<Map<String, Value>>,
    squad_id: Option<String>,
    squad_overrides: Option<Map<String, Value>>,
    destination: Option<orders::Destination>,
    error: Option<String>,
    // What is known, and cannot be.
    assistant: Option<Value>,
    squad: Option<Value>,
    workflow_id: Option<Value>,
    workflow: Option<Value>,
}

fn assistant(body: &[u8], drawer: &Drawer) -> Result<Route, String> {
    let said: Assistant = serde_json::from_slice(body).map_err(|why| why.to_string())?;
    if let Some(why) = said.error {
        tracing::warn!(why, "nobody is to have the call: it goes on with `else`");
        return nowhere([("error".to_owned(), json!(why))]);
    }
    let unknown = [
        (
            "assistant",
            &said.assistant,
            "make it by POST /vapi/assistant, and answer its `assistantId`",
        ),
        ("squad", &said.squad, "make it by POST /vapi/squad, and answer its `squadId`"),
        ("workflowId", &said.workflow_id, "import it as a flow"),
        ("workflow", &said.workflow, "import it as a flow"),
    ];
    if let Some((key, _, instead)) = unknown.into_iter().find(|(_, it, _)| it.is_some()) {
        return Err(format!("`{key}` in an answer is not known here: {instead}"));
    }
    let there = |kind: Kind, id: &str| {
        let to = drawer.destination(kind, id);
        to.ok_or_else(|| format!("there is no {} `{id}`", kind.name()))
    };
    let (to, over) = match (said.destination, said.assistant_id, said.squad_id) {
        (Some(destination), ..) => (destination.written(drawer)?, None),
        (_, Some(id), _) => (there(Kind::Assistants, &id)?, said.assistant_overrides),
        (_, _, Some(id)) => (there(Kind::Squads, &id)?, said.squad_overrides),
        (None, None, None) => {
            return Err(
                "the answer has no `assistantId`, `squadId`, `destination` or `error`".to_owned()
            );
        }
    };
    let mut over = over.unwrap_or_default();
    let variables = match over.remove("variableValues") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(variables)) => variables,
        Some(_) => return Err("`variableValues` is an object".to_owned()),
    };
    if let Some(key) = over.keys().next() {
        return Err(format!(
            "of overrides in an answer only `variableValues` are known, and not `{key}`"
        ));
    }
    with(variables, to.parse().map_err(|why| format!("`{to}`: {why}"))?)
}

/// What Retell tells of a call that comes in.
fn call_inbound(data: &Value) -> Value {
    let number = |side: &str| data[side]["number"].clone();
    json!({
        "event": "call_inbound",
        "call_inbound": { "from_number": number("from"), "to_number": number("to") },
    })
}

/// What Retell is answered.
#[derive(Debug, Deserialize)]
struct Inbound {
    call_inbound: Overrides,
}

#[derive(Debug, Deserialize)]
struct Overrides {
    override_agent_id: Option<String>,
    dynamic_variables: Option<Map<String, Value>>,
}

fn override_agent(body: &[u8]) -> Result<Route, String> {
    let said: Inbound = serde_json::from_slice(body).map_err(|why| why.to_string())?;
    let Overrides { override_agent_id: agent, dynamic_variables: variables } = said.call_inbound;
    let variables = variables.unwrap_or_default();
    match agent {
        Some(agent) => with(variables, Destination::Agent(agent)),
        // Whoever the files say has the call, and knows this.
        None => nowhere(variables),
    }
}

/// Whoever the files name next has the call, and is told these.
fn nowhere(variables: impl IntoIterator<Item = (String, Value)>) -> Result<Route, String> {
    Ok(Route { to: Vec::new(), ..with(variables, Destination::Busy)? })
}

/// A route to somebody who is told these.
fn with(
    variables: impl IntoIterator<Item = (String, Value)>,
    to: Destination,
) -> Result<Route, String> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let set = variables.into_iter().map(|(name, value)| (name, text(value))).collect();
    Ok(Route { set, ..Route::to(to) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(body: Value) -> Result<(Vec<String>, BTreeMap<String, String>), String> {
        let route = assistant(body.to_string().as_bytes(), &Drawer::default())?;
        Ok((route.to.iter().map(ToString::to_string).collect(), route.set))
    }

    #[test]
    fn an_answer_in_the_words_of_vapi_is_a_route() {
        let over = json!({ "variableValues": { "name": "Anna", "count": 2 } });
        let (to, set) =
            read(json!({ "assistantId": "desk", "assistantOverrides": over })).expect("a route");
        assert_eq!(to, ["agent:desk"]);
        assert_eq!((&*set["name"], &*set["count"]), ("Anna", "2"));
        for (destination, expected) in [
            (json!({ "type": "number", "number": "+4971112345" }), "tel:+4971112345"),
            (json!({ "type": "sip", "sipUri": "sip:a@b.test" }), "sip:a@b.test"),
        ] {
            let (to, _) = read(json!({ "destination": destination })).expect("a route");
            assert_eq!(to, [expected]);
        }
        let (to, set) = read(json!({ "error": "We are closed." })).expect("nowhere");
        assert_eq!((to.len(), &*set["error"]), (0, "We are closed."));
        for (body, words) in [
            (json!({}), "has no `assistantId`"),
            (json!([]), "invalid"),
            (
                json!({ "assistantId": "8d5f7a3e-5a0c-4a71-9d3f-1d2b8f7c0a11" }),
                "there is no assistant",
            ),
            (json!({ "assistant": { "firstMessage": "Hi." } }), "POST /vapi/assistant"),
            (
                json!({ "assistantId": "desk", "assistantOverrides": { "voice": {} } }),
                "not `voice`",
            ),
            (json!({ "destination": { "type": "number", "number": "x" } }), "`tel:x`"),
        ] {
            let why = read(body).expect_err("no route");
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn an_answer_in_the_words_of_retell_is_a_route() {
        let said = json!({ "call_inbound": { "override_agent_id": "desk",
            "dynamic_variables": { "name": "Anna" }, "metadata": {} } });
        let route = override_agent(said.to_string().as_bytes()).expect("a route");
        assert_eq!(route.to, [Destination::Agent("desk".to_owned())]);
        assert_eq!(route.set["name"], "Anna");
        let route = override_agent(br#"{"call_inbound": {}}"#).expect("whoever the files say");
        assert!(route.to.is_empty());
        assert!(override_agent(b"{}").is_err());
    }
}
