//! Calls: begun, looked at, and told what is to happen in them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::base::destination::Mode;
use crate::base::id::CallId;
use crate::server::control::clerk::Clerk;
use crate::server::control::history::{Wanted as Sifted, Wrong};
use crate::server::control::protocol::{Ask, HangUp, Identified, Say, Sought, Transfer};
use crate::server::deeds;
use crate::server::http::asked::{Asked, Name, Told};
use crate::server::http::calls::record;
use crate::server::http::front::ask;
use crate::server::http::gate::Peer;
use crate::server::http::problem::{Code, Problem};
use crate::server::http::vapi::front::{Beside, Front, beside, now};
use crate::server::http::vapi::refusal::Refusal;
use crate::server::importing::pieces::Table;
use crate::server::vapi::drawer::{Drawer, Kind};
use crate::server::vapi::making::{self, Made};
use crate::server::vapi::orders::{Control, Create, Who};
use crate::server::vapi::views::{self, Known};
use crate::store::audit::Deed;
use crate::store::call_archive::CallArchive;

/// Which ones are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Query {
    id: Option<String>,
    assistant_id: Option<String>,
    phone_number_id: Option<String>,
    limit: Option<usize>,
    created_at_gt: Option<String>,
    created_at_lt: Option<String>,
    created_at_ge: Option<String>,
    created_at_le: Option<String>,
}

/// A call is to begin.
pub async fn create(
    State(clerk): State<Arc<Clerk>>,
    Extension(front): Extension<Arc<Front>>,
    headers: HeaderMap,
    Told(body): Told<Table>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let drawer = front.drawer().await?;
    let create = Create::read(body).map_err(Refusal::wrong)?;
    let mut wanted = create.wanted(&drawer).map_err(Refusal::wrong)?;
    let mut playbill = None;
    if let Who::Made(kind, says) = wanted.who {
        let terms = front.terms(&clerk, Beside::All).await?;
        let made = beside(move || making::for_one_call(&drawer, (kind, &says), &terms)).await?;
        let Made { text, start, .. } = made.map_err(Refusal::wrong)?;
        wanted.order.then = start.unwrap_or_default();
        playbill = Some(clerk.cast(text).await?);
    }
    let begun = clerk.originate(&wanted.order, playbill).await.map_err(Problem::from)?;
    let call: CallId = begun.id.parse().map_err(|_| Refusal::missing("call", &begun.id))?;
    front.ledger.note(call, wanted.note);
    Ok((StatusCode::CREATED, Json(told(&clerk, None, &front, (call, &headers)).await?)))
}

/// One.
pub async fn one(
    State(clerk): State<Arc<Clerk>>,
    State(archive): State<CallArchive>,
    Extension(front): Extension<Arc<Front>>,
    headers: HeaderMap,
    Name(id): Name,
) -> Result<Json<Value>, Refusal> {
    let call = identity(&id)?;
    Ok(Json(told(&clerk, Some(archive), &front, (call, &headers)).await?))
}

/// Calls that were looked for, the newest first.
pub async fn list(
    State(clerk): State<Arc<Clerk>>,
    State(archive): State<CallArchive>,
    Extension(front): Extension<Arc<Front>>,
    headers: HeaderMap,
    Asked(query): Asked<Query>,
) -> Result<Json<Vec<Value>>, Refusal> {
    let drawer = front.drawer().await?;
    let agent = query.assistant_id.as_deref().map(|id| {
        let made = drawer.one(Kind::Assistants, id).and_then(|it| it.name.clone());
        made.unwrap_or_else(|| id.to_owned())
    });
    let sought = Sought {
        agent,
        created_after: query.created_at_ge.or(query.created_at_gt),
        created_before: query.created_at_lt.or(query.created_at_le),
        limit: query.limit.unwrap_or(USUAL).clamp(1, USUAL),
        ..Sought::default()
    };
    let wrong = |why: Wrong| Refusal::wrong(why.to_string());
    let found = clerk.found(Sifted::read(&sought).map_err(wrong)?).await;
    let mut calls = Vec::new();
    for summary in found.map_err(Problem::from)?.calls {
        let call = identity(&summary.id)?;
        let by = query.phone_number_id.as_deref();
        let noted = front.ledger.noted(call).unwrap_or_default();
        if query.id.as_ref().is_none_or(|id| *id == summary.id)
            && by.is_none_or(|id| noted.says.get("phoneNumberId").is_some_and(|it| it == id))
            // One may have ended a moment ago.
            && let Ok(view) = told(&clerk, Some(archive.clone()), &front, (call, &headers)).await
        {
            calls.push(view);
        }
    }
    Ok(Json(calls))
}

/// A call is called otherwise.
pub async fn rename(
    State(clerk): State<Arc<Clerk>>,
    State(archive): State<CallArchive>,
    Extension(front): Extension<Arc<Front>>,
    (headers, Name(id)): (HeaderMap, Name),
    Told(patch): Told<Table>,
) -> Result<Json<Value>, Refusal> {
    if let Some(key) = patch.keys().find(|key| *key != "name") {
        return Err(Refusal::wrong(format!("of a call only its name is changed, and not `{key}`")));
    }
    let call = identity(&id)?;
    front.ledger.rename(call, patch.get("name").and_then(Value::as_str));
    Ok(Json(told(&clerk, Some(archive), &front, (call, &headers)).await?))
}

/// A call that is up ends. What is kept of calls goes by the operator's rules, and not by this.
pub async fn end(
    State(clerk): State<Arc<Clerk>>,
    State(archive): State<CallArchive>,
    Extension(front): Extension<Arc<Front>>,
    (headers, Name(id)): (HeaderMap, Name),
) -> Result<Json<Value>, Refusal> {
    let call = identity(&id)?;
    let view = told(&clerk, Some(archive), &front, (call, &headers)).await?;
    if view["status"] == "ended" {
        let how = "the call has ended: records go when [storage.retention] says so";
        return Err(Refusal::wrong(how));
    }
    ask(&clerk, Ask::HangUp(HangUp { id: call.to_string(), q850: NORMAL })).await?;
    Ok(Json(view))
}

/// Something is to happen in a call that is up.
pub async fn control(
    State(clerk): State<Arc<Clerk>>,
    (Extension(front), Extension(Peer(peer))): (Extension<Arc<Front>>, Extension<Peer>),
    Path((id, token)): Path<(String, String)>,
    Told(body): Told<Table>,
) -> Result<Json<Value>, Refusal> {
    let call = identity(&id)?;
    if !front.ledger.is_proven(call, &token) {
        return Err(Refusal::missing("call", &id));
    }
    let order = Control::read(&body).map_err(Refusal::wrong)?;
    let what = "POST /vapi/call/{id}/control".to_owned();
    let deed = deeds::begun("vapi:control".to_owned(), peer.to_string(), what);
    let done = carry_out(&clerk, call, order, &front.drawer().await?).await;
    let outcome = done.as_ref().err().map_or(200, Refusal::status).to_string();
    if let Some(audit) = clerk.audit.clone() {
        deeds::note(audit, Deed { on: Some(call.to_string()), outcome, ..deed }).await;
    }
    done.map(|()| Json(json!({ "status": "ok" })))
}

async fn carry_out(
    clerk: &Clerk,
    call: CallId,
    order: Control,
    drawer: &Drawer,
) -> Result<(), Refusal> {
    let id = call.to_string();
    match order {
        Control::Say { content, end_call_after_spoken: end } => {
            ask(clerk, Ask::Say(Say { id, text: content, end })).await?;
        }
        Control::EndCall {} => {
            ask(clerk, Ask::HangUp(HangUp { id, q850: NORMAL })).await?;
        }
        Control::Transfer { destination, content } => {
            let to = destination.written(drawer).map_err(Refusal::wrong)?;
            if let Some(text) = content.filter(|it| !it.is_empty()) {
                ask(clerk, Ask::Say(Say { id: id.clone(), text, end: false })).await?;
            }
            ask(clerk, Ask::Transfer(Transfer { id, to, mode: Mode::Blind, brief: None })).await?;
        }
    }
    Ok(())
}

/// A call as it stands, or as it ended.
async fn told(
    clerk: &Clerk,
    archive: Option<CallArchive>,
    front: &Front,
    (call, headers): (CallId, &HeaderMap),
) -> Result<Value, Refusal> {
    let told = match (ask(clerk, Ask::Call(Identified { id: call.to_string() })).await, archive) {
        (Err(problem), Some(archive)) if problem.code == Code::NotFound => {
            let found = record(archive, call).await;
            Value::Object(found.map_err(|_| Refusal::missing("call", &call.to_string()))?)
        }
        (told, _) => told?,
    };
    let (drawer, note) = (front.drawer().await?, front.ledger.noted(call));
    let (base, token, now) = (front.base(headers), front.ledger.token(call), now());
    let known =
        Known { drawer: &drawer, note: note.as_ref(), base: &base, token: &token, now: &now };
    Ok(views::call(&told, &known))
}

fn identity(id: &str) -> Result<CallId, Refusal> {
    id.parse().map_err(|_| Refusal::missing("call", id))
}

/// The ordinary cause of Q.850.
const NORMAL: u8 = 16;

/// How many calls are told at once.
const USUAL: usize = 100;
