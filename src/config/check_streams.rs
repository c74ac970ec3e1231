//! Checks of audio WebSockets.

use std::time::Duration;

use crate::config::check_machine::in_plain_text;
use crate::config::check_routes::unknown_destination;
use crate::config::check_templates::not_a_template;
use crate::config::diagnostic::Diagnostic;
use crate::config::stream::{Format, Stream};
use crate::config::subject::Subject;

/// Checks `[streams]`.
pub fn streams(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, stream) in &subject.server.streams {
        let check = Check { subject, stream, path: format!("streams.{name}") };
        found.extend(check.place());
        found.extend(check.rate());
        found.extend(check.patience());
        found.extend(check.words());
        found.extend(check.secrets());
        found.extend(check.otherwise());
    }
    found
}

struct Check<'a> {
    subject: &'a Subject<'a>,
    stream: &'a Stream,
    path: String,
}

impl Check<'_> {
    /// Where it is.
    fn place(&self) -> Option<Diagnostic> {
        let (scheme, rest) = self.stream.url.split_once("://").unwrap_or_default();
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if !matches!(scheme, "ws" | "wss") || authority.is_empty() || authority.contains('@') {
            let message = "`url` is no address of a WebSocket";
            return Some(
                Diagnostic::error("stream.url", message)
                    .at(self.at("url"), "here")
                    .help("write \"wss://bot.example.com/ws\"; what lets us in goes to `headers`"),
            );
        }
        let near = ["127.", "localhost", "[::1]", "10.", "192.168."];
        let is_near = near.iter().any(|near| authority.starts_with(near));
        (scheme == "ws" && !is_near).then(|| {
            Diagnostic::warning("stream.plain", "what is said goes there without TLS")
                .at(self.at("url"), "whoever is on the way can hear it")
                .help("use wss://")
        })
    }

    fn rate(&self) -> Option<Diagnostic> {
        let (rate, format) = (self.stream.sample_rate, self.stream.format);
        let is_written = self.subject.key(&self.key("sample_rate")).is_some();
        if format == Format::Twilio && is_written && rate != 8_000 {
            let message = "Twilio Media Streams have 8000 samples in a second";
            return Some(
                Diagnostic::error("stream.rate", message)
                    .at(self.at("sample_rate"), "this form leaves no choice")
                    .help("leave it out, or choose another `format`"),
            );
        }
        (!RATES.contains(&rate)).then(|| {
            Diagnostic::error("value.range", "there is no such rate")
                .at(self.at("sample_rate"), "8000, 16000, 24000 or 48000")
        })
    }

    fn patience(&self) -> Vec<Diagnostic> {
        let stream = self.stream;
        let bounds = [
            ("connect_timeout", stream.connect_timeout, 0.1, 60.0),
            ("timeout", stream.timeout, 1.0, 600.0),
            ("buffer", stream.buffer, 1.0, 600.0),
            ("max_duration", stream.max_duration, 1.0, 86_400.0),
        ];
        let wrong = bounds
            .into_iter()
            .filter(|(_, given, least, most)| !(*least..=*most).contains(&given.as_secs_f64()));
        let told = |(key, _, least, most): (&str, Duration, f64, f64)| {
            let message = format!("`{key}` is from {least} s to {most} s");
            Diagnostic::error("value.range", message).at(self.at(key), "out of range")
        };
        wrong.map(told).collect()
    }

    fn words(&self) -> Vec<Diagnostic> {
        let parameters = self.stream.parameters.iter();
        let texts = parameters.filter_map(|(name, text)| {
            not_a_template(self.subject, &self.key(&format!("parameters.{name}")), text)
        });
        texts.collect()
    }

    fn secrets(&self) -> Vec<Diagnostic> {
        let token = self.stream.auth_token.iter().map(|_| self.key("auth_token"));
        let letting_in = ["authorization", "key", "token", "secret"];
        let headers = self.stream.headers.keys().filter(|name| {
            let name = name.to_ascii_lowercase();
            letting_in.iter().any(|word| name.contains(word))
        });
        let headers = headers.map(|name| self.key(&format!("headers.{name}")));
        token.chain(headers).filter_map(|path| in_plain_text(self.subject, &path)).collect()
    }

    fn otherwise(&self) -> Option<Diagnostic> {
        let to = self.stream.otherwise.as_ref()?;
        unknown_destination(self.subject, to, &self.key("else"))
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn at(&self, key: &str) -> Option<crate::config::source::Span> {
        self.subject.place(&self.key(key))
    }
}

const RATES: [u32; 4] = [8_000, 16_000, 24_000, 48_000];
