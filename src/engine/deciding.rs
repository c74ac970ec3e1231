//! A server of the operator's is asked where a call goes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::base::id::CallId;
use crate::base::secret::Secret;
use crate::call::decision::{self, Inquiry};
use crate::call::event::Input;
use crate::engine::clock;
use crate::net::web::{Asking, Web};

/// Somebody with a name who says where calls go, in words of its own.
pub trait Decides: fmt::Debug + Send + Sync {
    /// Asks, within the time of the inquiry.
    ///
    /// The answer is a route that needs no further question; one that leads nowhere only says what
    /// whoever is next is told.
    ///
    /// # Errors
    /// With a sentence for the log.
    fn ask<'a>(
        &'a self,
        web: &'a Web,
        call: CallId,
        inquiry: &'a Inquiry,
    ) -> BoxFuture<'a, Result<Input, String>>;
}

/// All of them, by name.
pub type Deciders = BTreeMap<String, Arc<dyn Decides>>;

/// Asks. Without an answer of use the call goes on by itself.
pub async fn ask(
    (web, named): (&Web, Option<Arc<dyn Decides>>),
    call: CallId,
    inquiry: Inquiry,
) -> Input {
    let answer = match named {
        Some(named) => named.ask(web, call, &inquiry).await,
        None => answer(web, call, inquiry).await,
    };
    let answer = answer.inspect_err(|why| {
        tracing::warn!(why, "nobody says where the call goes: it goes on with `else`");
    });
    answer.unwrap_or(Input::Decided(None))
}

async fn answer(web: &Web, call: CallId, inquiry: Inquiry) -> Result<Input, String> {
    let body = inquiry.body(call, clock::since_epoch()).into_bytes();
    let plain = |name: &str, value: String| (name.to_owned(), Secret::from(value));
    let mut headers = vec![plain("content-type", "application/json".to_owned())];
    let Inquiry { url, timeout, traceparent, .. } = inquiry;
    headers.extend(traceparent.map(|it| plain("traceparent", it.to_string())));
    let asking = Asking { method: "POST", url, headers, body, timeout };
    let answer = web.ask(asking).await.map_err(|why| why.to_string())?;
    match answer.status {
        200..300 => decision::read(&answer.body).map(|route| Input::Decided(Some(route))),
        status => Err(format!("the answer has the status {status}")),
    }
}
