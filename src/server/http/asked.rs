//! What is asked: queries and bodies, whose every key is known, and identities.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::base::id::CallId;
use crate::server::http::problem::{Code, Problem};

/// The query of a request.
#[derive(Debug)]
pub struct Asked<T>(pub T);

/// The body of a request; none is that of an empty object.
#[derive(Debug)]
pub struct Told<T>(pub T);

/// The body of a request that means nothing without one.
#[derive(Debug)]
pub struct Written<T>(pub T);

/// The call that a path names.
#[derive(Debug, Clone, Copy)]
pub struct OfCall(pub CallId);

/// The name that a path holds.
#[derive(Debug)]
pub struct Name(pub String);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri).map_err(|why| {
            let why = why.body_text();
            let why = why.rsplit_once("query string: ").map_or(&*why, |(_, why)| why);
            match quoted(why) {
                Some(name) => Problem::parameter(name, why),
                None => Problem::new(Code::Validation, why),
            }
        });
        query.map(|Query(query)| Self(query))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Told<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = body(request, state).await?;
        read(if body.is_empty() { b"{}" } else { &body }).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Written<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = body(request, state).await?;
        if body.is_empty() {
            return Err(Problem::new(Code::Malformed, "there is no body: an object is wanted"));
        }
        read(&body).map(Self)
    }
}

/// The octets of a body, if they arrive in time.
async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let body = timeout(BODY_WITHIN, Bytes::from_request(request, state)).await;
    let late = |_| Problem::new(Code::Timeout, "the body did not arrive in time");
    body.map_err(late)?.map_err(unread)
}

impl<S: Send + Sync> FromRequestParts<S> for OfCall {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unknown = || Problem::new(Code::NotFound, "no call has such an identity");
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|_| unknown())?;
        id.parse().map(Self).map_err(|_| unknown())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let unknown = |_| Problem::new(Code::NotFound, "nothing has such a name");
        path.map(|Path(name)| Self(name)).map_err(unknown)
    }
}

/// Reads a body; says where it is wrong.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // A list of values would be taken for an object without its keys.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::pointer(String::new(), "the body is an object, and no list"));
    }
    let mut source = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut source).map_err(|why| {
        let inner = why.inner();
        if !inner.is_data() {
            return Problem::new(Code::Malformed, format!("the body is no JSON: {inner}"));
        }
        let text = inner.to_string();
        let mut pointer: String = why.path().iter().filter_map(step).collect();
        if let Some(name) = quoted(&text).filter(|_| text.contains(" field `")) {
            let own = format!("/{}", escaped(name));
            if !pointer.ends_with(&own) {
                pointer.push_str(&own);
            }
        }
        Problem::pointer(pointer, text)
    })?;
    let rest = |why| Problem::new(Code::Malformed, format!("behind the body: {why}"));
    source.end().map_err(rest)?;
    Ok(value)
}

fn step(segment: &serde_path_to_error::Segment) -> Option<String> {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } => Some(format!("/{}", escaped(key))),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// A key in a pointer (RFC 6901 3).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What stands between the first backquotes.
fn quoted(text: &str) -> Option<&str> {
    text.split('`').nth(1)
}

fn unread(why: BytesRejection) -> Problem {
    match why.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::TooLarge, "a body has at most 64 kB"),
        _ => Problem::new(Code::Malformed, "the body cannot be read"),
    }
}

/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use axum::http::Uri;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        #[serde(default)]
        limit: Option<u8>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    }

    fn pointer(body: &str) -> (u16, Option<String>) {
        let problem = read::<Wish>(body.as_bytes()).unwrap_err();
        (problem.status, problem.errors.first().and_then(|flaw| flaw.pointer.clone()))
    }

    #[test]
    fn what_is_wrong_with_a_body_is_pointed_to() {
        assert_eq!(pointer(r#"{"limit":3,"limt":4}"#), (422, Some("/limt".to_owned())));
        assert_eq!(pointer(r#"{"limit":"x"}"#), (422, Some("/limit".to_owned())));
        assert_eq!(pointer(r#"{"headers":{"a/b":1}}"#), (422, Some("/headers/a~1b".to_owned())));
        assert_eq!(pointer("[1, {}]"), (422, Some(String::new())));
        assert_eq!(pointer("{\"limit\""), (400, None));
        assert_eq!(pointer("{} {}"), (400, None));
        assert_eq!(pointer("\u{1}"), (400, None));
        assert_eq!(read::<Wish>(b"{}").expect("a wish").limit, None);
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_query_is_named() {
        let ask = async |uri: &'static str| {
            let request = axum::http::Request::builder().uri(Uri::from_static(uri)).body(());
            let (mut parts, ()) = request.expect("a request").into_parts();
            Asked::<Wish>::from_request_parts(&mut parts, &()).await
        };
        assert_eq!(ask("/v1/calls?limit=3").await.expect("a query").0.limit, Some(3));
        let problem = ask("/v1/calls?limt=3").await.unwrap_err();
        assert_eq!(problem.errors[0].parameter.as_deref(), Some("limt"));
        assert_eq!(ask("/v1/calls?limit=300").await.unwrap_err().status, 422);
        assert_eq!(ask("/v1/calls?limit=1&limit=2").await.unwrap_err().status, 422);
    }
}
