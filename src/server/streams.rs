//! From audio WebSockets of the settings to what calls are given.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::audio::frame::Rate;
use crate::base::secret::{ExposeSecret, Secret};
use crate::call::stream::Terms;
use crate::config::settings::Server;
use crate::config::stream::{self, Stream, Tracks};
use crate::providers::framings::settings::{Format, Settings};

/// What the conductor knows of them, by name.
pub fn terms(server: &Server) -> BTreeMap<String, Terms> {
    let terms = server.streams.iter().map(|(name, stream)| {
        let (parameters, otherwise) = (stream.parameters.clone(), stream.otherwise.clone());
        (name.clone(), Terms { parameters, otherwise })
    });
    terms.collect()
}

/// How they are opened, by name.
pub fn settings(server: &Server) -> BTreeMap<String, Arc<Settings>> {
    let all = server.streams.iter();
    all.map(|(name, stream)| (name.clone(), Arc::new(of(name, stream)))).collect()
}

fn of(name: &str, stream: &Stream) -> Settings {
    let shown = |secret: &Secret| Secret::from(secret.expose_secret().to_owned());
    let headers = stream.headers.iter().map(|(name, value)| (name.clone(), shown(value)));
    Settings {
        name: name.to_owned(),
        url: stream.url.clone(),
        format: match stream.format {
            stream::Format::Twilio => Format::Twilio,
            stream::Format::AudioStream => Format::AudioStream,
            stream::Format::AudioFork => Format::AudioFork,
            stream::Format::Jambonz => Format::Jambonz,
            stream::Format::Raw => Format::Raw,
        },
        rate: Rate(stream.sample_rate),
        headers: headers.collect(),
        account: stream.account_sid.clone().unwrap_or_else(|| NOBODY.to_owned()),
        token: stream.auth_token.as_ref().map(shown),
        both: stream.tracks == Tracks::Both,
        connect_timeout: stream.connect_timeout,
        timeout: stream.timeout,
        buffer: stream.buffer,
        max_duration: stream.max_duration,
    }
}

/// The account of those who have none: it looks like one.
const NOBODY: &str = "AC00000000000000000000000000000000";
