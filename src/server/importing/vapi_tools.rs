//! Tools of Vapi as tools, transfers and handoffs of ours.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::base::destination::Destination;
use crate::server::importing::draft::{Draft, Handoff, patience};
use crate::server::importing::makers::FromVapi as Maker;
use crate::server::importing::parts::{self, reworded};
use crate::server::importing::pieces::{Table, put, put_table};
use crate::server::importing::read::View;
use crate::server::importing::shelf;
use crate::server::importing::wording::{Words, literal, milliseconds, slug};

impl<'a> Maker<'a> {
    /// Gives an agent a tool.
    pub fn tool(&mut self, view: &View<'a>, draft: &mut Draft) {
        view.skip(&["id", "orgId", "createdAt", "updatedAt", "latestVersion"]);
        match view.text("type") {
            Some("function") => self.function(view, draft),
            Some("apiRequest") => self.request(view, draft),
            Some("transferCall") => self.transfer(view, draft),
            Some("handoff") => self.handoff(view, draft),
            Some("endCall") => self.house(view, "end_call", draft),
            Some("dtmf") => self.house(view, "send_dtmf", draft),
            Some("mcp") => self.mcp(view, draft),
            Some(other) => view.remark(
                format!("there is no tool of the type `{other}`"),
                "write a tool of the type http, webhook, mcp, email or sql",
            ),
            None => view.remark("a tool has a type", "it was left out"),
        }
    }

    fn house(&mut self, view: &View<'a>, name: &str, draft: &mut Draft) {
        for message in view.list("messages") {
            // What is said before the end is the goodbye.
            let content = reworded(&self.words, &message, "content");
            match message.text("type") {
                Some("request-start") if name == "end_call" => {
                    put(&mut draft.says, "goodbye", content);
                    message.skip(&["blocking", "conditions"]);
                }
                _ => {
                    message.remark("a tool of the house has no words of its own", "it was left out")
                }
            }
        }
        if let Some(function) = view.get("function") {
            function.remark("tools of the house say themselves what they do", "it was left out");
        }
        draft.tools.push(name.to_owned());
    }

    fn function(&mut self, view: &View<'a>, draft: &mut Draft) {
        let Some(function) = view.get("function") else {
            view.remark("a function has a name", "it was left out");
            return;
        };
        let named = function.words("name").unwrap_or("tool");
        let server = view.get("server");
        let url = server.as_ref().and_then(|it| it.words("url"));
        let Some(url) = url.map(str::to_owned).or_else(|| draft.server.clone()) else {
            view.remark("nobody knows where it goes", "write [tools.NAME] with its url");
            return;
        };
        let name = shelf::tool_name(named);
        let mut says = Table::from_iter([("type".to_owned(), json!("webhook"))]);
        put(&mut says, "description", function.words("description").map(literal));
        match parts::address((&mut self.pieces, self.options), &self.words, (&name, &url)) {
            Ok(url) => put(&mut says, "url", Some(url)),
            Err((why, instead)) => {
                view.remark(why, instead);
                return;
            }
        }
        if let Some(schema) = function.get("parameters") {
            put_table(&mut says, "parameters", parts::parameters(&schema));
        }
        if let Some(server) = &server {
            put(&mut says, "timeout", patience(server.number("timeoutSeconds")));
            let mut headers = plain_headers(server);
            if let Some(secret) = server.words("secret") {
                headers.push(("X-Vapi-Secret".to_owned(), secret.to_owned()));
            }
            put_table(&mut says, "headers", parts::headers(&mut self.pieces, &name, &headers));
        }
        self.said_meanwhile(view, &mut says);
        draft.tools.push(shelf::shelve(&mut self.pieces, (&name, view.path()), says));
    }

    fn request(&mut self, view: &View<'a>, draft: &mut Draft) {
        let name = shelf::tool_name(view.words("name").unwrap_or("api_request"));
        let body = view.get("body");
        let parameters = body.as_ref().map(parts::parameters).unwrap_or_default();
        let args: BTreeSet<String> = parameters.keys().cloned().collect();
        let words = Words { args, ..self.words.clone() };
        let Some(url) = view.words("url") else {
            view.remark("nobody knows where it goes", "write [tools.NAME] with its url");
            return;
        };
        let mut says = Table::from_iter([("type".to_owned(), json!("http"))]);
        let usual = format!("Asks {}.", url.split('?').next().unwrap_or_default());
        let description = view.words("description").unwrap_or(&usual);
        put(&mut says, "description", Some(literal(description)));
        match parts::address((&mut self.pieces, self.options), &words, (&name, url)) {
            Ok(url) => put(&mut says, "url", Some(url)),
            Err((why, instead)) => {
                view.remark(why, instead);
                return;
            }
        }
        let method = view.text("method").unwrap_or("GET").to_ascii_uppercase();
        if ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
            put(&mut says, "method", Some(method));
        } else {
            view.remark_on("method", "no tool asks so", "it asks by GET, or by POST with a body");
        }
        put_table(&mut says, "parameters", parameters);
        put(&mut says, "timeout", patience(view.number("timeoutSeconds")));
        let headers = view.get("headers").map(|it| schema_headers(&it)).unwrap_or_default();
        put_table(&mut says, "headers", parts::headers(&mut self.pieces, &name, &headers));
        self.said_meanwhile(view, &mut says);
        draft.tools.push(shelf::shelve(&mut self.pieces, (&name, view.path()), says));
    }

    fn mcp(&mut self, view: &View<'a>, draft: &mut Draft) {
        let server = view.get("server");
        let Some(url) = server.as_ref().and_then(|it| it.words("url")) else {
            view.remark("nobody knows where it goes", "write [tools.NAME] with its url");
            return;
        };
        let function = view.get("function");
        let named = function.as_ref().and_then(|it| it.words("name")).unwrap_or("mcp");
        let name = shelf::tool_name(named);
        let mut says = Table::from_iter([("type".to_owned(), json!("mcp"))]);
        match parts::address((&mut self.pieces, self.options), &self.words, (&name, url)) {
            Ok(url) => put(&mut says, "url", Some(url)),
            Err((why, instead)) => {
                view.remark(why, instead);
                return;
            }
        }
        let headers = server.as_ref().map(plain_headers).unwrap_or_default();
        put_table(&mut says, "headers", parts::headers(&mut self.pieces, &name, &headers));
        self.said_meanwhile(view, &mut says);
        draft.tools.push(shelf::shelve(&mut self.pieces, (&name, view.path()), says));
    }

    /// What is said while a tool runs.
    fn said_meanwhile(&mut self, view: &View<'a>, says: &mut Table) {
        for message in view.list("messages") {
            let kind = message.text("type").unwrap_or_default();
            if !matches!(kind, "request-start" | "request-response-delayed")
                || says.contains_key("say")
            {
                message.remark("the model says itself what came of a tool", "say it in the prompt");
                continue;
            }
            put(says, "say", reworded(&self.words, &message, "content"));
            let after = message.number("timingMilliseconds").filter(|_| kind != "request-start");
            put(says, "say_after", Some(milliseconds(after.unwrap_or_default())));
            message.skip(&["blocking", "conditions"]);
        }
    }

    fn transfer(&mut self, view: &View<'a>, draft: &mut Draft) {
        let all = view.list("destinations");
        if all.is_empty() {
            view.remark(
                "it is not said where to",
                "write [agents.NAME.transfers.NAME] with a `to`",
            );
            return;
        }
        if let Some(function) = view.get("function") {
            function
                .remark("transfers are told to the model by their descriptions", "it was left out");
        }
        for destination in all {
            if destination.text("type") == Some("assistant") {
                self.way(&destination, draft);
            } else {
                self.number(&destination, draft);
            }
        }
    }

    fn number(&mut self, view: &View<'a>, draft: &mut Draft) {
        let to = match (view.words("number"), view.words("sipUri")) {
            (Some(number), _) => format!("tel:{number}"),
            (None, Some(uri)) => uri.to_owned(),
            (None, None) => String::new(),
        };
        if to.parse::<Destination>().is_err() || to.contains("{{") {
            view.remark(
                "this is no number and no SIP address",
                "write [agents.NAME.transfers.NAME]",
            );
            return;
        }
        view.skip(&["numberE164CheckEnabled"]);
        let mut says = Table::from_iter([("to".to_owned(), json!(to))]);
        let description = view.words("description").or_else(|| view.words("name"));
        put(&mut says, "description", description.map(literal));
        put(&mut says, "say", message(&self.words, view));
        if let Some(plan) = view.get("transferPlan") {
            let mode = plan.text("mode").unwrap_or_default();
            let warm = mode.starts_with("warm");
            put(&mut says, "mode", Some(if warm { "warm" } else { "blind" }));
            let brief = plan.get("message").filter(|it| it.peek().is_string());
            if warm && brief.is_some() {
                put(&mut says, "brief", reworded(&self.words, &plan, "message"));
            }
        }
        let title = view.words("name").or(description).unwrap_or(&to);
        let mut name = slug(title, "transfer");
        while draft.transfers.contains_key(&name) {
            name.push_str("-2");
        }
        put_table(&mut draft.transfers, &name, says);
    }

    fn handoff(&mut self, view: &View<'a>, draft: &mut Draft) {
        if let Some(function) = view.get("function") {
            function
                .remark("handoffs are told to the model by their descriptions", "it was left out");
        }
        for destination in view.list("destinations") {
            self.way(&destination, draft);
        }
    }

    /// A way to another assistant.
    pub fn way(&mut self, view: &View<'a>, draft: &mut Draft) {
        view.skip(&["type"]);
        let to = view.words("assistantName").or_else(|| view.words("assistantId"));
        let Some(to) = to else {
            view.remark("it is not said to whom", "write [[squads.NAME.handoff]]");
            return;
        };
        view.skip(&["assistantId", "assistantName"]);
        let mut says = Table::new();
        put(&mut says, "when", view.words("description").map(literal));
        put(&mut says, "say", message(&self.words, view));
        let mode = view.text("transferMode").unwrap_or("rolling-history");
        let plan = view.get("contextEngineeringPlan");
        let carried = match plan.as_ref().and_then(|it| it.text("type")) {
            Some("none") => Some("none".to_owned()),
            Some("lastNMessages") => {
                let most = plan.as_ref().and_then(|it| it.number("maxMessages")).unwrap_or(10.0);
                Some(format!("last:{}", most.clamp(1.0, 1_000.0) as u64))
            }
            _ if mode.contains("delete-history") => Some("none".to_owned()),
            _ => None,
        };
        put(&mut says, "context", carried);
        if let Some(plan) = view.get("variableExtractionPlan")
            && let Some(schema) = plan.get("schema")
        {
            let known = parts::parameters(&schema);
            let meaning =
                |it: &Value| it["description"].as_str().unwrap_or("as it was said").to_owned();
            let extract: Table = known
                .iter()
                .map(|(name, it)| {
                    (crate::server::importing::wording::variable(name), json!(meaning(it)))
                })
                .collect();
            put_table(&mut says, "extract", extract);
        }
        draft.handoffs.push(Handoff { to: to.to_owned(), says });
    }
}

/// What is said before a transfer.
fn message(words: &Words, view: &View<'_>) -> Option<String> {
    let message = view.get("message")?;
    if message.is_table() {
        message.skip(&["type"]);
        return reworded(words, &message, "content");
    }
    // An empty text means silence, which is what is done without any.
    reworded(words, view, "message")
}

/// Headers as a plain table.
pub fn plain_headers(view: &View<'_>) -> Vec<(String, String)> {
    let table = view.get("headers");
    let all = table.iter().flat_map(View::entries);
    let pairs = all.filter_map(|(name, value)| {
        value.done();
        Some((name.to_owned(), value.peek().as_str()?.to_owned()))
    });
    pairs.collect()
}

/// Headers as a JSON Schema with a value for each.
fn schema_headers(view: &View<'_>) -> Vec<(String, String)> {
    view.skip(&["type", "required", "description"]);
    let table = view.get("properties");
    let all = table.iter().flat_map(View::entries);
    let pairs = all.filter_map(|(name, header)| {
        let value = header.text("value").or_else(|| header.text("default"));
        let value = value.or_else(|| header.texts("enum").first().copied());
        header.skip(&["type", "description"]);
        Some((name.to_owned(), value?.to_owned()))
    });
    pairs.collect()
}
