//! From the doors for calls without SIP, as they stand in the settings, to what opens them.

use std::path::PathBuf;

use ring::hmac;

use crate::base::secret::ExposeSecret;
use crate::config::inlets::{AudioSocket, OpenAi, Twilio, Vapi, WebCalls};
use crate::config::settings::Server;
use crate::config::webhook::secret_key;
use crate::engine::inlets::door;
use crate::server::http::openai;
use crate::server::http::streams;
use crate::server::http::vapi;
use crate::server::http::web_calls;
use crate::server::vapi::ledger::Ledger;

/// The door of AudioSocket.
pub fn audiosocket(settings: &AudioSocket) -> door::Settings {
    door::Settings { bind: settings.bind, allow: settings.allow.clone() }
}

/// The door of Twilio.
pub fn twilio(server: &Server, settings: &Twilio) -> streams::Settings {
    streams::Settings {
        url: settings.url.clone(),
        token: settings.auth_token.expose_secret().to_owned().into(),
        media: server.rtp_address(),
    }
}

/// Whom pages may call.
pub fn web_calls(settings: &WebCalls) -> web_calls::WebCalls {
    web_calls::WebCalls {
        agents: settings.agents.clone(),
        origins: settings.origins.clone(),
        max_calls: settings.max_calls,
    }
}

/// What programs that were written for Vapi are answered by.
pub fn vapi(server: &Server, settings: Vapi, ledger: &Ledger) -> vapi::Settings {
    vapi::Settings {
        local: settings.local,
        dialplans: server.machine.dialplans.clone(),
        drawer: drawer(server),
        allowed: server.security.tools.allow.clone(),
        public_url: server.http.as_ref().and_then(|http| http.public_url.clone()),
        ledger: ledger.clone(),
    }
}

/// The file in which it stands what programs made that were written for Vapi.
pub fn drawer(server: &Server) -> PathBuf {
    server.machine.data_dir.join("vapi.json")
}

/// By what OpenAI proves itself.
pub fn openai(settings: &OpenAi) -> openai::Settings {
    let keys = settings.secret.iter().filter_map(secret_key);
    openai::Settings { keys: keys.map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key)).collect() }
}

/// The names of those that are open and whose packets do not leave this machine.
pub fn open(server: &Server) -> impl Iterator<Item = &'static str> {
    let audiosocket = server.audiosocket.as_ref().map(|_| door::NAME);
    let twilio = server.http.as_ref().and_then(|http| http.twilio.as_ref());
    audiosocket.into_iter().chain(twilio.map(|_| streams::TWILIO))
}
