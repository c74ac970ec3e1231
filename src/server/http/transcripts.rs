//! `GET /v1/calls/{id}/transcript`: what was said.

use std::fmt::Write;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::server::control::clerk::Clerk;
use crate::server::http::asked::{Asked, OfCall};
use crate::server::http::calls::record;
use crate::server::http::problem::{Code, Problem};
use crate::store::call_archive::CallArchive;

/// How it is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// `json` or `text`.
    format: Option<String>,
}

/// What was said in a call that ended, in order.
#[utoipa::path(get, path = "/v1/calls/{id}/transcript", operation_id = "calls.transcript",
    tag = "calls", params(("id" = String, Path, description = "The call"), Query),
    responses((status = OK, content((Object = "application/json"), (String = "text/plain"))),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(clerk): State<Arc<Clerk>>,
    State(archive): State<CallArchive>,
    OfCall(call): OfCall,
    Asked(query): Asked<Query>,
) -> Result<Response, Problem> {
    let is_text = match query.format.as_deref() {
        None | Some("json") => false,
        Some("text") => true,
        Some(_) => return Err(Problem::parameter("format", "`json` or `text`")),
    };
    if clerk.is_up(call).await? {
        let events = format!("the call is up: /v1/calls/{call}/events tells what is said");
        return Err(Problem::new(Code::Conflict, events));
    }
    let record = record(archive, call).await?;
    let lines = record.get("transcript").and_then(Value::as_array);
    let lines = lines.map(Vec::as_slice).unwrap_or_default();
    if is_text {
        let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return Ok((plain, text(lines)).into_response());
    }
    Ok(Json(json!({ "call_id": call.to_string(), "data": lines })).into_response())
}

/// A line for each turn: `[01:02.3] caller: Hello.`
fn text(lines: &[Value]) -> String {
    let mut text = String::new();
    for line in lines {
        let of = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
        let at = line.get("start_ms").and_then(Value::as_u64).unwrap_or_default();
        let (minutes, seconds, tenths) = (at / 60_000, at / 1_000 % 60, at / 100 % 10);
        let words = plain(of("text"));
        let keys = match of("keys") {
            "" => String::new(),
            keys => format!(" (keys {})", plain(keys)),
        };
        let role = plain(of("role"));
        writeln!(text, "[{minutes:02}:{seconds:02}.{tenths}] {role}: {words}{keys}").ok();
    }
    text
}

/// On one line, without anything that a terminal obeys or that turns the order of letters round.
fn plain(text: &str) -> String {
    let is_plain = |it: char| {
        !it.is_control()
            && !matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    text.chars().map(|it| if is_plain(it) { it } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_is_one_line_whatever_was_said() {
        let lines = [
            json!({ "role": "agent", "start_ms": 1_234, "text": "Hello." }),
            json!({ "role": "caller", "start_ms": 62_300, "text": "a\r\nb\u{1b}[2J", "keys": "12#" }),
            json!({}),
        ];
        let expected = "[00:01.2] agent: Hello.\n\
                        [01:02.3] caller: a  b [2J (keys 12#)\n[00:00.0] : \n";
        assert_eq!(text(&lines), expected);
    }
}
