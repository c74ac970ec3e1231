//! The few requests by which a bot that was made for Twilio ends its call, sends it elsewhere, and asks
//! how it stands: `/2010-04-01/Accounts/{account}/Calls/{call}.json`. Who has the account and the token
//! of a stream may do so with the calls that this stream has; who has a key that may operate, with
//! every call.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Url;
use serde::Serialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::base::destination::Mode;
use crate::base::id::CallId;
use crate::base::secret::ExposeSecret;
use crate::providers::framings::settings::{Format, Settings};
use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::{Ask, HangUp, Identified, Transfer};
use crate::server::deeds;
use crate::server::http::calls::record;
use crate::server::http::front::ask;
use crate::server::http::gate::{Gate, Peer};
use crate::server::http::problem::{Code, Problem};
use crate::server::http::service::Service;
use crate::server::http::twiml::{self, Verb};
use crate::store::call_archive::CallArchive;

/// Answers what Twilio answers.
pub fn pages(gate: &Arc<Gate>) -> Router<Service> {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Calls/{call}", get(show).post(update))
        .layer(Extension(gate.clone()))
}

/// Whom somebody stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Grant {
    /// The operator: all calls.
    Operator(String),
    /// Streams of these names.
    Streams(Vec<String>),
}

/// Why something does not work, as programs of Twilio's read it.
#[derive(Debug, Serialize)]
struct Refusal {
    code: u32,
    message: String,
    more_info: String,
    status: u16,
}

/// How a call stands.
async fn show(
    State(clerk): State<Arc<Clerk>>,
    State(archive): State<CallArchive>,
    Extension(gate): Extension<Arc<Gate>>,
    Path((account, call)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let grant = granted(&clerk, &gate, &request, &account)?;
    let id = identity(&call)?;
    let told = match ask(&clerk, Ask::Call(Identified { id: id.to_string() })).await {
        Ok(value) => value,
        Err(problem) if problem.code == Code::NotFound => {
            let found = record(archive, id).await.map_err(|_| nowhere(&call))?;
            Value::Object(found)
        }
        Err(problem) => return Err(refused(&problem)),
    };
    if !grant.covers(&told) {
        return Err(nowhere(&call));
    }
    Ok(Json(resource(&account, id, &told)).into_response())
}

/// Ends a call, or sends it elsewhere.
async fn update(
    State(clerk): State<Arc<Clerk>>,
    Extension(gate): Extension<Arc<Gate>>,
    Path((account, call)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let grant = granted(&clerk, &gate, &request, &account)?;
    let from = peer(&request).map(|peer| peer.to_string()).unwrap_or_default();
    let body = axum::body::to_bytes(request.into_body(), LARGEST_FORM).await;
    let form = form(&body.map_err(|_| refusal(400, 21_218, "the form is too long".to_owned()))?);
    let id = identity(&call)?;
    let told = ask(&clerk, Ask::Call(Identified { id: id.to_string() })).await;
    let told = told.map_err(|_| nowhere(&call))?;
    if !grant.covers(&told) {
        return Err(nowhere(&call));
    }
    let order = order(&clerk, id, &form)?;
    let (what, who) = ("POST /2010-04-01/Accounts/{account}/Calls/{call}", grant.name());
    let deed = deeds::begun(who, from, what.to_owned());
    let done = ask(&clerk, order).await;
    let outcome = done.as_ref().err().map_or(200, |problem| problem.status).to_string();
    if let Some(audit) = clerk.audit.clone() {
        let deed = crate::store::audit::Deed { on: Some(id.to_string()), outcome, ..deed };
        deeds::note(audit, deed).await;
    }
    done.map_err(|problem| refused(&problem))?;
    let status = if form.contains_key("Status") { "completed" } else { "in-progress" };
    let mut resource = resource(&account, id, &told);
    resource["status"] = json!(status);
    Ok(Json(resource).into_response())
}

/// What a form wants done with a call.
fn order(clerk: &Clerk, call: CallId, form: &BTreeMap<String, String>) -> Result<Ask, Refusal> {
    let id = call.to_string();
    let hang_up = |id| Ask::HangUp(HangUp { id, q850: NORMAL });
    match (form.get("Status").map(String::as_str), form.get("Twiml")) {
        (Some("completed" | "canceled"), _) => Ok(hang_up(id)),
        (Some(other), _) => {
            let text = format!("`Status` is `completed` or `canceled`, and not `{other}`");
            Err(refusal(400, 21_218, text))
        }
        (None, None) => {
            let text = "say `Status=completed`, or what is to be done in `Twiml`; documents at a \
                        `Url` are not fetched";
            Err(refusal(400, 21_218, text.to_owned()))
        }
        (None, Some(text)) => {
            let verb = twiml::read(text).map_err(|why| refusal(400, 12_100, why))?;
            let to = match verb {
                Verb::HangUp => return Ok(hang_up(id)),
                Verb::Send(to) => to.to_string(),
                Verb::Stream(url) => stream_at(clerk, &url)?,
            };
            Ok(Ask::Transfer(Transfer { id, to, mode: Mode::Blind, brief: None }))
        }
    }
}

/// The stream of the files that has this address.
fn stream_at(clerk: &Clerk, url: &str) -> Result<String, Refusal> {
    let playbill = clerk.playbill.borrow();
    let found = playbill.streams.values().find(|stream| stream.url == url);
    found.map(|stream| format!("stream:{}", stream.name)).ok_or_else(|| {
        let text = format!("no [streams.NAME] has the address `{url}`, and no other is dialled");
        refusal(400, 21_205, text)
    })
}

/// Whom a request stands for.
fn granted(clerk: &Clerk, gate: &Gate, request: &Request, account: &str) -> Result<Grant, Refusal> {
    let grant = basic(request).and_then(|(user, secret)| {
        let streams = streams_of(clerk, &user, &secret);
        match streams.is_empty() {
            false if user == account => Some(Grant::Streams(streams)),
            _ => gate.operator(&secret).map(Grant::Operator),
        }
    });
    grant.ok_or_else(|| match peer(request).is_some_and(|peer| gate.fails(peer)) {
        true => refusal(429, 20_429, "too many wrong tokens from this address".to_owned()),
        false => {
            let text = "the account and its token are those of `account_sid` and `auth_token` of a \
                        [streams.NAME]; a key that may operate is a token, too";
            refusal(401, 20_003, text.to_owned())
        }
    })
}

/// The streams that have this account and this token.
fn streams_of(clerk: &Clerk, account: &str, token: &str) -> Vec<String> {
    let has = |stream: &Settings| {
        let own = stream.token.as_ref().map(ExposeSecret::expose_secret);
        let is_right = own.is_some_and(|own| own.as_bytes().ct_eq(token.as_bytes()).into());
        stream.format == Format::Twilio && stream.account == account && is_right
    };
    let playbill = clerk.playbill.borrow();
    let found = playbill.streams.values().filter(|stream| has(stream));
    found.map(|stream| stream.name.clone()).collect()
}

/// The account and the token of a request.
fn basic(request: &Request) -> Option<(String, String)> {
    let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (way, told) = header.split_once(' ')?;
    let told = way.eq_ignore_ascii_case("basic").then(|| BASE64_STANDARD.decode(told.trim()));
    let told = String::from_utf8(told?.ok()?).ok()?;
    let (user, secret) = told.split_once(':')?;
    Some((user.to_owned(), secret.to_owned()))
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<Peer>().map(|peer| peer.0)
}

/// The call that a path names: `CA` and 32 hexadecimal digits, perhaps with `.json`.
fn identity(written: &str) -> Result<CallId, Refusal> {
    let digits = written.strip_suffix(".json").unwrap_or(written).strip_prefix("CA");
    digits.and_then(CallId::from_digits).ok_or_else(|| nowhere(written))
}

/// The fields of a form; of several of one name the last counts.
fn form(body: &Bytes) -> BTreeMap<String, String> {
    let body = String::from_utf8_lossy(body);
    let read = Url::parse(&format!("http://form/?{}", body.replace('#', "%23")));
    read.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default()
}

/// A call, as programs of Twilio's read it. `told`: as it stands, or its record.
fn resource(account: &str, call: CallId, told: &Value) -> Value {
    let number = |side: &str| told[side]["number"].as_str().unwrap_or_default().to_owned();
    let sid = format!("CA{}", call.digits());
    let status = told["status"].as_str().unwrap_or_default().replace('_', "-");
    json!({
        "sid": sid,
        "account_sid": account,
        "status": status,
        "from": number("from"),
        "to": number("to"),
        "direction": told["direction"],
        "start_time": told["started_at"],
        "duration": told["duration_ms"].as_u64().map(|it| (it / 1_000).to_string()),
        "api_version": "2010-04-01",
        "uri": format!("/2010-04-01/Accounts/{account}/Calls/{sid}.json"),
    })
}

fn nowhere(call: &str) -> Refusal {
    // What is not yours is not there.
    refusal(404, 20_404, format!("The requested resource /Calls/{call} was not found"))
}

fn refused(problem: &Problem) -> Refusal {
    let code = if problem.status == 404 { 20_404 } else { 21_220 };
    refusal(problem.status, code, problem.detail.to_string())
}

fn refusal(status: u16, code: u32, message: String) -> Refusal {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    Refusal { code, message, more_info, status }
}

impl Grant {
    /// Whether it is good for a call.
    fn covers(&self, told: &Value) -> bool {
        match self {
            Self::Operator(_) => true,
            Self::Streams(streams) => {
                let is_own = |name: &str| streams.iter().any(|own| own == name);
                let had = told["streams"].as_array().into_iter().flatten();
                let had = had.filter(|stream| stream["fork"] != true);
                let mut had = had.filter_map(|stream| stream["stream"].as_str());
                told["stream"].as_str().is_some_and(is_own) || had.any(is_own)
            }
        }
    }

    /// As it is written down.
    fn name(&self) -> String {
        match self {
            Self::Operator(key) => key.clone(),
            Self::Streams(streams) => format!("stream:{}", streams.join(",")),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, Json(self)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Basic realm=\"voxtrunk\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
        }
        response
    }
}

/// The ordinary cause of Q.850.
const NORMAL: u8 = 16;

/// The longest form, in octets.
const LARGEST_FORM: usize = 32 * 1_024;
