//! Assistants, squads, tools and phone numbers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::control::clerk::Clerk;
use crate::server::control::history::moment;
use crate::server::http::asked::{Asked, Name, Told};
use crate::server::http::vapi::front::{Front, now, outcome, stamp, told};
use crate::server::http::vapi::refusal::Refusal;
use crate::server::importing::pieces::Table;
use crate::server::routing::Thought;
use crate::server::vapi::drawer::{Kept, Kind};
use crate::server::vapi::making;

/// Which ones are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Query {
    limit: Option<usize>,
    created_at_gt: Option<String>,
    created_at_lt: Option<String>,
    created_at_ge: Option<String>,
    created_at_le: Option<String>,
    updated_at_gt: Option<String>,
    updated_at_lt: Option<String>,
    updated_at_ge: Option<String>,
    updated_at_le: Option<String>,
}

/// All of a kind, the newest first.
pub async fn list(
    (Extension(front), Extension(kind)): (Extension<Arc<Front>>, Extension<Kind>),
    Asked(query): Asked<Query>,
) -> Result<Json<Vec<Value>>, Refusal> {
    let drawer = front.drawer().await?;
    let found = drawer.all(kind).iter().rev().filter(|it| query.fits(it));
    Ok(Json(found.take(query.limit.unwrap_or(USUAL)).map(|it| told(it, None)).collect()))
}

/// One.
pub async fn one(
    (Extension(front), Extension(kind)): (Extension<Arc<Front>>, Extension<Kind>),
    Name(id): Name,
) -> Result<Json<Value>, Refusal> {
    let drawer = front.drawer().await?;
    let found = drawer.one(kind, &id).ok_or_else(|| Refusal::missing(kind.name(), &id))?;
    Ok(Json(told(found, None)))
}

/// Makes one.
pub async fn create(
    State(clerk): State<Arc<Clerk>>,
    (Extension(front), Extension(kind)): (Extension<Arc<Front>>, Extension<Kind>),
    Told(says): Told<Table>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    check(kind, &says)?;
    let stamp = stamp();
    let id = stamp.id.clone();
    let changed = front
        .change(&clerk, |drawer, taken| {
            drawer.put(kind, says, stamp, taken).map_err(Refusal::wrong)
        })
        .await?;
    let kept = changed.drawer.one(kind, &id).ok_or_else(|| Refusal::missing(kind.name(), &id))?;
    let mut answer = told(kept, Some(outcome(&changed, kind, &id)));
    reach(&clerk, kind, kept, &mut answer).await;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Lets one say something else.
pub async fn change(
    State(clerk): State<Arc<Clerk>>,
    (Extension(front), Extension(kind)): (Extension<Arc<Front>>, Extension<Kind>),
    Name(id): Name,
    Told(patch): Told<Table>,
) -> Result<Json<Value>, Refusal> {
    let missing = || Refusal::missing(kind.name(), &id);
    let changed = front
        .change(&clerk, |drawer, _| {
            let is_there = drawer.change(kind, &id, patch, now());
            let kept = drawer.one(kind, &id).filter(|_| is_there).ok_or_else(missing)?;
            check(kind, &kept.says)
        })
        .await?;
    let kept = changed.drawer.one(kind, &id).ok_or_else(missing)?;
    let mut answer = told(kept, Some(outcome(&changed, kind, &id)));
    reach(&clerk, kind, kept, &mut answer).await;
    Ok(Json(answer))
}

/// Takes one away.
pub async fn remove(
    State(clerk): State<Arc<Clerk>>,
    (Extension(front), Extension(kind)): (Extension<Arc<Front>>, Extension<Kind>),
    Name(id): Name,
) -> Result<Json<Value>, Refusal> {
    let mut gone = None;
    front
        .change(&clerk, |drawer, _| {
            gone = drawer.remove(kind, &id).map_err(Refusal::wrong)?;
            gone.as_ref().map(|_| ()).ok_or_else(|| Refusal::missing(kind.name(), &id))
        })
        .await?;
    Ok(Json(gone.map(|it| told(&it, None)).unwrap_or_default()))
}

/// What must be said in any case.
fn check(kind: Kind, says: &Table) -> Result<(), Refusal> {
    let text = |key: &str| says.get(key).and_then(Value::as_str).filter(|it| !it.is_empty());
    let why = match kind {
        Kind::Tools if text("type").is_none() => "`type` says which tool it is: `function` …",
        Kind::Squads if says.get("members").and_then(Value::as_array).is_none_or(Vec::is_empty) => {
            "`members` says who is in the squad"
        }
        Kind::PhoneNumbers if text("number").is_none() && text("sipUri").is_none() => {
            "`number` or `sipUri` says what is dialled: numbers are not bought here"
        }
        Kind::PhoneNumbers if text("workflowId").is_some() => {
            "`workflowId` is not known here: import the workflow as a flow"
        }
        _ => return Ok(()),
    };
    Err(Refusal::wrong(why))
}

/// Whether calls to a number come where it says; another route may take them first.
async fn reach(clerk: &Clerk, kind: Kind, kept: &Kept, answer: &mut Value) {
    let number = making::number(kept).filter(|_| kind == Kind::PhoneNumbers);
    let leads = ["assistantId", "squadId"].iter().any(|key| kept.text(key).is_some());
    let (Some(number), true) = (number, leads) else { return };
    let thought = Thought { to: number.to_owned(), ..Thought::default() };
    let taken = clerk.routed(thought).await.unwrap_or_default();
    let is_ours = taken["taken"]["name"] == making::route_name(kept);
    answer["status"] = json!(if is_ours { "active" } else { "blocked" });
    if !is_ours {
        let first = taken["taken"]["name"].as_str().unwrap_or("another route");
        answer["voxtrunk"]["blocked"] = json!(format!(
            "{first} takes calls to {number} first: `voxtrunk route test` shows how"
        ));
    }
}

impl Query {
    fn fits(&self, kept: &Kept) -> bool {
        let at = |key: &str| kept.text(key).and_then(moment);
        let (made, changed) = (at("createdAt"), at("updatedAt"));
        let bounds = [
            (&self.created_at_gt, made, [false, false, true]),
            (&self.created_at_lt, made, [true, false, false]),
            (&self.created_at_ge, made, [false, true, true]),
            (&self.created_at_le, made, [true, true, false]),
            (&self.updated_at_gt, changed, [false, false, true]),
            (&self.updated_at_lt, changed, [true, false, false]),
            (&self.updated_at_ge, changed, [false, true, true]),
            (&self.updated_at_le, changed, [true, true, false]),
        ];
        bounds.into_iter().all(|(bound, at, [before, same, after])| {
            let Some(bound) = bound.as_deref().and_then(moment) else { return true };
            match at.cmp(&Some(bound)) {
                std::cmp::Ordering::Less => before,
                std::cmp::Ordering::Equal => same,
                std::cmp::Ordering::Greater => after,
            }
        })
    }
}

/// How many are told when nobody says how many.
const USUAL: usize = 100;
