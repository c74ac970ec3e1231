//! `GET /v1/streams/twilio`: Twilio brings a call as a Media Stream, in a WebSocket whose handshake it
//! signs. The call goes where the routes say.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::base::secret::Secret;
use crate::engine::inlets::talk::{self, End, House};
use crate::engine::inlets::twilio::{Start, Twilio};
use crate::engine::sip_shard::SipHandle;
use crate::engine::sip_shard::visits::Visit;
use crate::providers::framings::settings::{SIGNATURE, signature};
use crate::server::http::problem::{Code, Problem};
use crate::server::http::upgrade::{Upgrade, WebSocket};

/// Where Twilio brings calls.
#[derive(Debug)]
pub struct Settings {
    /// The address that it dials and signs.
    pub url: String,
    /// What it signs with.
    pub token: Secret,
    /// Where the ports of media are bound.
    pub media: IpAddr,
}

/// Takes calls of Twilio's.
pub fn pages(sip: SipHandle, settings: Settings) -> Router {
    let house = House { sip, media: settings.media };
    let signed = signature(&settings.url, &settings.token);
    let door = Arc::new(Door { house, signed, places: Arc::new(Semaphore::new(MOST_CALLS)) });
    Router::new().route("/v1/streams/twilio", get(take)).layer(Extension(door))
}

struct Door {
    house: House,
    /// What stands in every handshake of Twilio's.
    signed: String,
    places: Arc<Semaphore>,
}

async fn take(
    Extension(door): Extension<Arc<Door>>,
    upgrade: Result<Upgrade, Response>,
    request: Request,
) -> Response {
    let shown = request.headers().get(SIGNATURE).map(|it| it.as_bytes().to_owned());
    let is_signed = shown.is_some_and(|it| it.ct_eq(door.signed.as_bytes()).into());
    if !is_signed {
        let text = "the handshake is not signed by the account that brings calls here";
        return Problem::new(Code::Forbidden, text).into_response();
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refusal,
    };
    let Ok(place) = door.places.clone().try_acquire_owned() else {
        return Problem::new(Code::Unavailable, "too many calls are up").after(5).into_response();
    };
    upgrade.then(LARGEST_MESSAGE, async move |socket| {
        call(&door.house, socket).await;
        drop(place);
    })
}

async fn call(house: &House, socket: WebSocket) {
    let mut twilio = match Twilio::open(socket).await {
        Ok(twilio) => twilio,
        Err(gone) => return tracing::warn!(?gone, "no call by a stream of Twilio's"),
    };
    let (visit, id) = (visit(twilio.start()), twilio.start().call_sid.clone());
    match talk::carry(house, visit, &mut twilio).await {
        End::Refused(status, why) => tracing::warn!(id, status, why, "a stream was not taken"),
        End::Broken(why) => tracing::warn!(id, why, "a stream of Twilio's broke off"),
        end @ (End::ByUs | End::ByPeer) => tracing::debug!(id, ?end, "a stream ended"),
    }
}

/// What a stream says of its call. Parameters are what headers of an INVITE are: `agent` is
/// `X-Agent`.
fn visit(start: &Start) -> Visit {
    let known = &start.custom_parameters;
    let value = |names: &[&str]| {
        let found = names.iter().find_map(|name| known.get(*name));
        found.map(|value| plain(value)).unwrap_or_default()
    };
    let number = value(&["to", "agent"]);
    Visit {
        door: TWILIO.into(),
        number: if number.is_empty() { TWILIO.to_owned() } else { number },
        from: value(&["from", "caller"]),
        call_id: plain(&start.call_sid),
        headers: headers(start, known),
        ..Visit::default()
    }
}

fn headers(start: &Start, known: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let own = [("X-Twilio-CallSid", &start.call_sid), ("X-Twilio-AccountSid", &start.account_sid)];
    let own = own.map(|(name, value)| (name.to_owned(), plain(value)));
    let is_name = |name: &str| {
        let is_letter = |it: u8| it.is_ascii_alphanumeric() || it == b'-';
        (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_letter)
    };
    let told = known.iter().map(|(name, value)| (name.replace('_', "-"), plain(value)));
    let told = told.filter(|(name, _)| is_name(name)).take(MOST_PARAMETERS);
    own.into_iter().chain(told.map(|(name, value)| (format!("X-{name}"), value))).collect()
}

/// A text as a header can hold it.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST_VALUE).collect()
}

/// What routes know the door by.
pub const TWILIO: &str = "twilio";

/// The most calls at once.
const MOST_CALLS: usize = 1_024;

/// The largest message, in octets: Twilio sends 20 ms at once.
const LARGEST_MESSAGE: usize = 64 * 1_024;

/// How many parameters are taken.
const MOST_PARAMETERS: usize = 32;

/// The longest name of one, in octets.
const LONGEST_NAME: usize = 64;

/// The longest value, in letters: Twilio allows 500 for both.
const LONGEST_VALUE: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_say_where_a_call_goes_and_what_is_known_of_it() {
        let parameters = [
            ("agent", "reception"),
            ("from", "+4971112340"),
            ("customer_id", "C-4711"),
            ("odd name", "x"),
            ("note", "two\r\nX-Evil: lines"),
        ];
        let start = Start {
            stream_sid: "MZ1".to_owned(),
            call_sid: "CA1".to_owned(),
            account_sid: "AC1".to_owned(),
            custom_parameters: parameters.map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
            ..Start::default()
        };
        let visit = visit(&start);
        assert_eq!((visit.number.as_str(), visit.from.as_str()), ("reception", "+4971112340"));
        let has = |name: &str| visit.headers.iter().find(|(known, _)| known == name);
        assert_eq!(has("X-customer-id").map(|it| it.1.as_str()), Some("C-4711"));
        assert_eq!(has("X-note").map(|it| it.1.as_str()), Some("twoX-Evil: lines"));
        assert_eq!(has("X-odd name"), None);
        assert_eq!(has("X-Twilio-CallSid").map(|it| it.1.as_str()), Some("CA1"));
        assert_eq!(super::visit(&Start::default()).number, TWILIO);
    }
}
