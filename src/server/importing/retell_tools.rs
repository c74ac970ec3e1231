//! Tools of Retell as tools and transfers of ours.

use std::collections::BTreeSet;

use serde_json::json;

use crate::base::destination::Destination;
use crate::server::importing::draft::{Draft, patience};
use crate::server::importing::makers::FromRetell as Maker;
use crate::server::importing::parts::{self, reworded};
use crate::server::importing::pieces::{Table, put, put_table};
use crate::server::importing::read::View;
use crate::server::importing::shelf;
use crate::server::importing::vapi_tools::plain_headers;
use crate::server::importing::wording::{Words, literal, slug};

impl<'a> Maker<'a> {
    /// Gives an agent a tool.
    pub fn tool(&mut self, view: &View<'a>, draft: &mut Draft) {
        view.skip(&["tool_id"]);
        match view.text("type") {
            Some("end_call") => {
                said_before(&self.words, view).into_iter().for_each(|text| {
                    put(&mut draft.says, "goodbye", Some(text));
                });
                view.skip(&["name", "description"]);
                draft.tools.push("end_call".to_owned());
            }
            Some("press_digit") => {
                view.skip(&["name", "description", "delay_ms"]);
                draft.tools.push("send_dtmf".to_owned());
            }
            Some("transfer_call") => self.transfer(view, draft),
            Some("agent_swap") => self.swap(view, draft),
            Some("custom") => draft.tools.extend(self.custom(view)),
            Some("mcp") => draft.tools.extend(self.mcp(view)),
            Some(other) => view.remark(
                format!("there is no tool of the type `{other}`"),
                "write a tool of the type http, webhook, mcp, email or sql",
            ),
            None => view.remark("a tool has a type", "it was left out"),
        }
    }

    fn transfer(&mut self, view: &View<'a>, draft: &mut Draft) {
        let Some((to, mode, brief)) = self.transferred(view) else { return };
        let mut says =
            Table::from_iter([("to".to_owned(), json!(to)), ("mode".to_owned(), json!(mode))]);
        put(&mut says, "brief", brief);
        put(&mut says, "description", view.words("description").map(literal));
        put(&mut says, "say", said_before(&self.words, view));
        let mut name = slug(view.words("name").unwrap_or(&to), "transfer");
        while draft.transfers.contains_key(&name) {
            name.push_str("-2");
        }
        put_table(&mut draft.transfers, &name, says);
    }

    /// Where a transfer goes, how, and what whoever answers is told.
    pub fn transferred(
        &mut self,
        view: &View<'a>,
    ) -> Option<(String, &'static str, Option<String>)> {
        let destination = view.get("transfer_destination");
        let number = destination.as_ref().and_then(|it| it.words("number"));
        if let Some(destination) = &destination {
            destination.skip(&["type"]);
        }
        view.skip(&["ignore_e164_validation"]);
        let to = match number {
            Some(number) if number.starts_with("sip:") || number.starts_with("sips:") => {
                number.to_owned()
            }
            Some(number) => format!("tel:{number}"),
            None => String::new(),
        };
        let at = destination.unwrap_or_else(|| view.clone());
        if to.parse::<Destination>().is_err() || to.contains("{{") {
            at.remark(
                "a transfer goes to a number that is known before",
                "write [agents.NAME.transfers.NAME] for each number",
            );
            return None;
        }
        let option = view.get("transfer_option");
        let mut mode = "blind";
        let mut brief = None;
        if let Some(option) = &option {
            match option.text("type") {
                Some("warm_transfer") => {
                    mode = "warm";
                    let handed = option.get("private_handoff_option");
                    if let Some(handed) = handed {
                        handed.skip(&["type"]);
                        brief = reworded(&self.words, &handed, "message")
                            .or_else(|| reworded(&self.words, &handed, "prompt"));
                    }
                }
                Some("agentic_warm_transfer") => {
                    mode = "warm";
                    option.remark_on(
                        "type",
                        "no agent of its own talks first",
                        "it is a warm transfer",
                    );
                }
                Some(_) | None => option.skip(&["cold_transfer_mode"]),
            }
        }
        Some((to, mode, brief))
    }

    fn swap(&mut self, view: &View<'a>, draft: &mut Draft) {
        let Some(to) = self.swapped(view) else { return };
        let mut says =
            Table::from_iter([("to".to_owned(), json!(to)), ("context".to_owned(), json!("all"))]);
        put(&mut says, "description", view.words("description").map(literal));
        put(&mut says, "say", said_before(&self.words, view));
        let name = slug(view.words("name").unwrap_or("other"), "other");
        if !to.starts_with("agent:") {
            says.remove("context");
        }
        put_table(&mut draft.transfers, &name, says);
    }

    /// Another agent of the file.
    pub fn swapped(&mut self, view: &View<'a>) -> Option<String> {
        view.skip(&["agent_version", "keep_current_language", "keep_current_voice"]);
        let found = view.text("agent_id").and_then(|id| self.agents.get(id)).cloned();
        if found.is_none() {
            view.remark(
                "that agent is not in this file",
                "put it into the file: { \"agents\": [...] }",
            );
        }
        found
    }

    /// A tool that asks a server; its name.
    pub fn custom(&mut self, view: &View<'a>) -> Option<String> {
        let name = shelf::tool_name(view.words("name").unwrap_or("tool"));
        view.skip(&["tool_id", "type", "enable_typing_sound", "speak_after_execution"]);
        let Some(url) = view.words("url") else {
            view.remark("nobody knows where it goes", "write [tools.NAME] with its url");
            return None;
        };
        let at_root = view.flag("args_at_root").unwrap_or(false);
        let method = view.text("method").unwrap_or("POST").to_ascii_uppercase();
        let parameters =
            view.get("parameters").map(|it| parts::parameters(&it)).unwrap_or_default();
        let args: BTreeSet<String> = parameters.keys().cloned().collect();
        let mut says = Table::from_iter([("type".to_owned(), json!("http"))]);
        put(&mut says, "description", view.words("description").map(literal));
        match parts::address((&mut self.pieces, self.options), &self.words, (&name, url)) {
            Ok(url) => put(&mut says, "url", Some(url)),
            Err((why, instead)) => {
                view.remark(why, instead);
                return None;
            }
        }
        if ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
            put(&mut says, "method", Some(method.as_str()));
        }
        // Its servers are told the name and the arguments, and something of the call.
        if !at_root && !matches!(method.as_str(), "GET" | "DELETE") {
            let args: Table =
                args.iter().map(|it| (it.clone(), json!(format!("{{{{ args.{it} }}}}")))).collect();
            let call = json!({ "call_id": "{{ call.id }}", "from_number": "{{ caller }}", "to_number": "{{ called }}" });
            put(&mut says, "body", Some(json!({ "name": name, "args": args, "call": call })));
        }
        put_table(&mut says, "parameters", parameters);
        let pairs = view.get("query_params");
        let query: Table = pairs
            .iter()
            .flat_map(View::entries)
            .filter_map(|(name, value)| {
                let text = value.whole().as_str()?;
                Some((name.to_owned(), json!(parts::retold(&self.words, &value, text))))
            })
            .collect();
        if !query.is_empty() {
            put(&mut says, "query", Some(serde_json::Value::Object(query)));
        }
        put(&mut says, "timeout", patience(view.number("timeout_ms").map(|it| it / 1_000.0)));
        let headers = plain_headers(view);
        put_table(&mut says, "headers", parts::headers(&mut self.pieces, &name, &headers));
        put(&mut says, "say", said_before(&self.words, view));
        Some(shelf::shelve(&mut self.pieces, (&name, view.path()), says))
    }

    /// A server of tools; the name of the tool that stands for it.
    pub fn mcp(&mut self, view: &View<'a>) -> Option<String> {
        let server = view.text("mcp_id").and_then(|id| self.servers.get(id)).cloned();
        let only =
            (self.servers.len() == 1).then(|| self.servers.values().next().cloned()).flatten();
        let Some(server) = server.or(only) else {
            view.remark("its server is not in this file", "write [tools.NAME] of the type mcp");
            return None;
        };
        let title = server.words("name").unwrap_or("mcp").to_owned();
        let name = shelf::tool_name(&title);
        let url = server.words("url").unwrap_or_default().to_owned();
        let mut says = Table::from_iter([("type".to_owned(), json!("mcp"))]);
        match parts::address((&mut self.pieces, self.options), &self.words, (&name, &url)) {
            Ok(url) => put(&mut says, "url", Some(url)),
            Err((why, instead)) => {
                server.remark(why, instead);
                return None;
            }
        }
        view.skip(&["name", "description", "mcp_tool_name", "input_schema"]);
        put(&mut says, "timeout", patience(server.number("timeout_ms").map(|it| it / 1_000.0)));
        let headers = plain_headers(&server);
        put_table(&mut says, "headers", parts::headers(&mut self.pieces, &name, &headers));
        Some(shelf::shelve(&mut self.pieces, (&name, server.path()), says))
    }
}

/// What is said before a tool does its work.
pub fn said_before(words: &Words, view: &View<'_>) -> Option<String> {
    let speaks = view.flag("speak_during_execution");
    let kind = view.text("execution_message_type");
    if speaks == Some(false) || (kind.is_none() && speaks.is_none()) {
        return None;
    }
    if kind == Some("static_text") {
        return reworded(words, view, "execution_message_description");
    }
    view.remark_on(
        "execution_message_description",
        "what is said meanwhile is written word for word",
        "write `say`",
    );
    None
}
