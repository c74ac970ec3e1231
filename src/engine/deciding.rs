//! A server of the operator's is asked where a call goes.

use crate::base::id::CallId;
use crate::base::secret::Secret;
use crate::call::decision::{self, Inquiry};
use crate::call::event::Input;
use crate::engine::clock;
use crate::net::web::{Asking, Web};

/// Asks. Without an answer of use the call goes on by itself.
pub async fn ask(web: &Web, call: CallId, inquiry: Inquiry) -> Input {
    let answer = answer(web, call, inquiry).await.inspect_err(|why| {
        tracing::warn!(why, "nobody says where the call goes: it goes on with `else`");
    });
    answer.unwrap_or(Input::Decided(None))
}

async fn answer(web: &Web, call: CallId, inquiry: Inquiry) -> Result<Input, String> {
    let body = inquiry.body(call, clock::since_epoch()).into_bytes();
    let headers = vec![("content-type".to_owned(), Secret::from("application/json".to_owned()))];
    let Inquiry { url, timeout, .. } = inquiry;
    let asking = Asking { method: "POST", url, headers, body, timeout };
    let answer = web.ask(asking).await.map_err(|why| why.to_string())?;
    match answer.status {
        200..300 => decision::read(&answer.body).map(|route| Input::Decided(Some(route))),
        status => Err(format!("the answer has the status {status}")),
    }
}
