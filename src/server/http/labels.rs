//! `PATCH /v1/calls/{id}`: what programs keep with a call, be it up or over.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::server::control::clerk::Clerk;
use crate::server::http::asked::{OfCall, Written};
use crate::server::http::problem::{Code, Problem};
use crate::store::labels::{Patch, Unlabelled};

/// What is to be otherwise: what is not named stays, and `null` takes away (RFC 7396).
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CallPatch {
    /// What you call it: one line of at most 256 letters.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>, max_length = 256)]
    name: Option<Option<String>>,
    /// Your own data, merged into what is there: at most 16 kB as JSON, and 8 levels, in all.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Option<Map<String, Value>>>,
}

/// What is kept with a call.
#[derive(Debug, Serialize, ToSchema)]
pub struct LabelView {
    /// The call.
    id: String,
    /// What you call it.
    name: Option<String>,
    /// Your own data.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// Keeps a name and data of yours with a call that is up or that ended. They stand in its record, in
/// lists and in exports, and go with the record; `call.updated` is told.
#[utoipa::path(patch, path = "/v1/calls/{id}", operation_id = "calls.update", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    request_body(content((CallPatch = "application/json"),
        (CallPatch = "application/merge-patch+json"))),
    responses((status = OK, body = LabelView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn update(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
    Written(patch): Written<CallPatch>,
) -> Result<Json<LabelView>, Problem> {
    let CallPatch { name, metadata } = patch;
    let labelled = clerk.label(call, Patch { name, metadata }).await?;
    let label = labelled.map_err(problem)?;
    Ok(Json(LabelView { id: call.to_string(), name: label.name, metadata: label.metadata }))
}

fn problem(why: Unlabelled) -> Problem {
    match why {
        Unlabelled::Unknown => Problem::new(Code::NotFound, why.to_string()),
        Unlabelled::Name => Problem::pointer("/name".to_owned(), why.to_string()),
        Unlabelled::TooLong | Unlabelled::TooDeep => {
            Problem::pointer("/metadata".to_owned(), why.to_string())
        }
        Unlabelled::Disk => Problem::new(Code::Unavailable, why.to_string()),
    }
}

/// Tells `null` from what is not there.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    source: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(source).map(Some)
}
