//! `Idempotency-Key`: whoever got no answer asks again, and it is done once.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::base::sum::hexadecimal;
use crate::engine::clock;
use crate::server::control::clerk::Clerk;
use crate::server::http::gate::Bearer;
use crate::server::http::problem::{Code, Problem};
use crate::store::database::DatabaseError;
use crate::store::requests::{Request, Requests, Standing};

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Once {
    /// The answer.
    pub answer: Value,
    /// Whether it was given before.
    replayed: bool,
}

/// Does what is asked, unless it was done before under the same key; `asked` is all of what is asked.
///
/// # Errors
/// When the key is none, names something else, or what it names is under way; and what `work` says.
pub async fn once(
    (clerk, bearer): (&Clerk, &Bearer),
    headers: &HeaderMap,
    asked: &str,
    work: impl Future<Output = Result<Value, Problem>>,
) -> Result<Once, Problem> {
    let Some(name) = name(headers)? else {
        return Ok(Once { answer: work.await?, replayed: false });
    };
    let sum = hexadecimal(&Sha256::digest(asked.as_bytes()));
    let request = Request { owner: bearer.id().to_owned(), name, sum };
    let requests = Requests::new(clerk.webhooks.outbox.database().clone());
    match requests.take(&request, clock::since_epoch()).await.map_err(unknown)? {
        Standing::New => {}
        Standing::Done(answer) => {
            let answer = serde_json::from_str(&answer).unwrap_or_default();
            return Ok(Once { answer, replayed: true });
        }
        Standing::Other => {
            let why = "`Idempotency-Key` was used for something else: take another one";
            return Err(Problem::new(Code::Validation, why));
        }
        Standing::UnderWay => {
            let why = "this is under way, or was broken off: look whether it was done, and ask by \
                       another `Idempotency-Key` if it was not";
            return Err(Problem::new(Code::Conflict, why));
        }
    }
    let done = work.await;
    let noted = match &done {
        Ok(answer) => requests.done(&request, answer.to_string()).await,
        Err(_) => requests.undone(&request).await,
    };
    if let Err(why) = noted {
        tracing::warn!(%why, "what became of a request cannot be noted");
    }
    Ok(Once { answer: done?, replayed: false })
}

impl Once {
    /// Says in the answer whether it was given before.
    pub fn mark(&self, response: &mut Response) {
        if self.replayed {
            let name = HeaderName::from_static("idempotent-replayed");
            response.headers_mut().insert(name, HeaderValue::from_static("true"));
        }
    }
}

/// The key, if there is one.
fn name(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let is_plain = |text: &&str| {
        (1..=LONGEST).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic())
    };
    let name = value.to_str().ok().filter(is_plain).map(str::to_owned);
    let wrong = || {
        let why = format!("`Idempotency-Key` has 1 to {LONGEST} letters and no blanks");
        Problem::new(Code::Validation, why)
    };
    name.map(Some).ok_or_else(wrong)
}

/// Whether it was done before is not known: better not at all than twice.
fn unknown(why: DatabaseError) -> Problem {
    tracing::warn!(%why, "the database does not say whether a request was done before");
    let text = "the database does not answer: without `Idempotency-Key` it is done at once";
    Problem::new(Code::Unavailable, text).after(5)
}

/// The longest key, in octets.
const LONGEST: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_word() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", HeaderValue::from_str(text).expect("a value"));
            name(&headers)
        };
        assert_eq!(name(&HeaderMap::new()), Ok(None));
        assert_eq!(read("8e03978e-40d5"), Ok(Some("8e03978e-40d5".to_owned())));
        for wrong in ["", "a b", &"x".repeat(256)] {
            assert_eq!(read(wrong).unwrap_err().status, 422, "{wrong}");
        }
    }
}
