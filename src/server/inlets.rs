//! From the doors for calls without SIP, as they stand in the settings, to what opens them.

use crate::base::secret::ExposeSecret;
use crate::config::inlets::{AudioSocket, Twilio};
use crate::config::settings::Server;
use crate::engine::inlets::door;
use crate::server::http::opening;

/// The door of AudioSocket.
pub fn audiosocket(settings: &AudioSocket) -> door::Settings {
    door::Settings { bind: settings.bind, allow: settings.allow.clone() }
}

/// The door of Twilio.
pub fn twilio(server: &Server, settings: &Twilio) -> opening::Twilio {
    opening::Twilio {
        url: settings.url.clone(),
        token: settings.auth_token.expose_secret().to_owned().into(),
        media: server.rtp_address(),
    }
}

/// The names of those whose packets do not leave this machine.
pub const NAMES: [&str; 2] = [door::NAME, TWILIO];

/// What routes know the door of Twilio by.
pub const TWILIO: &str = "twilio";
