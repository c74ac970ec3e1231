//! Checks of recordings: a key that is one, and a store that can be reached.

use std::time::Duration;

use crate::base::sealed::Key;
use crate::base::secret::{ExposeSecret, Secret};
use crate::config::diagnostic::Diagnostic;
use crate::config::recordings::Location;
use crate::config::subject::Subject;

/// Checks what the settings say of recordings.
pub fn recordings(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let (recordings, mut found) = (&subject.server.storage.recordings, Vec::new());
    if let Some(key) = &recordings.encrypt
        && let Err(why) = Key::read(key.expose_secret())
    {
        found.push(
            Diagnostic::error("recordings.key", "recordings cannot be sealed with this key")
                .at(subject.place("storage.recordings.encrypt"), "here")
                .help(why.to_string()),
        );
    }
    found.extend(retention(subject));
    if matches!(recordings.location, Location::Bucket { .. }) {
        found.extend(lacking(subject));
        found.extend(endpoint(subject));
    } else if recordings.s3.endpoint.is_some() || recordings.s3.secret_key.is_some() {
        found.push(
            Diagnostic::warning("recordings.no_bucket", "no recording goes to this store")
                .at(subject.key("storage.recordings.s3"), "unused")
                .help("set location = \"s3://bucket/prefix\" in [storage.recordings]"),
        );
    }
    found
}

/// A time to keep recordings that is none, or that somebody else must watch.
fn retention(subject: &Subject<'_>) -> Option<Diagnostic> {
    let recordings = &subject.server.storage.recordings;
    let keep = recordings.retention?;
    let place = subject.place("storage.recordings.retention");
    if keep < SHORTEST {
        return Some(
            Diagnostic::error("value.range", "recordings cannot be kept for less than an hour")
                .at(place, "here")
                .help("it is looked once an hour what is to be deleted: write such as \"90d\""),
        );
    }
    matches!(recordings.location, Location::Bucket { .. }).then(|| {
        Diagnostic::warning("recordings.retention", "nothing is deleted in the bucket")
            .at(place, "only what still waits here goes")
            .help("give the bucket a lifecycle rule of its own")
    })
}

/// Where secrets of recordings stand.
pub fn secrets(subject: &Subject<'_>) -> Vec<String> {
    let recordings = &subject.server.storage.recordings;
    let both = [("encrypt", &recordings.encrypt), ("s3.secret_key", &recordings.s3.secret_key)];
    let there = both.into_iter().filter(|(_, secret)| secret.is_some());
    there.map(|(key, _)| format!("storage.recordings.{key}")).collect()
}

/// What a store is without.
fn lacking(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let s3 = &subject.server.storage.recordings.s3;
    let is_empty = |secret: &Option<Secret>| {
        secret.as_ref().is_none_or(|secret| secret.expose_secret().is_empty())
    };
    let keys = [
        ("endpoint", s3.endpoint.is_none(), "endpoint = \"https://s3.eu-central-1.amazonaws.com\""),
        ("access_key", is_empty(&s3.access_key), "access_key = \"${env:S3_ACCESS_KEY}\""),
        ("secret_key", is_empty(&s3.secret_key), "secret_key = \"${env:S3_SECRET_KEY}\""),
    ];
    let missing = keys.into_iter().filter(|(_, missing, _)| *missing);
    let diagnostic = |(key, _, help): (&str, bool, &str)| {
        Diagnostic::error("recordings.store", format!("the store of recordings has no `{key}`"))
            .at(subject.place("storage.recordings.location"), "they are to go here")
            .help(format!("add {help} to [storage.recordings.s3]"))
    };
    missing.map(diagnostic).collect()
}

/// What callers say must not go through the internet in the open.
fn endpoint(subject: &Subject<'_>) -> Option<Diagnostic> {
    let endpoint = subject.server.storage.recordings.s3.endpoint.as_deref()?;
    let place = subject.place("storage.recordings.s3.endpoint");
    let (scheme, host) = endpoint.split_once("://").unwrap_or(("", endpoint));
    let host = host.trim_end_matches('/');
    if !matches!(scheme, "http" | "https") || host.is_empty() || host.contains(['/', '@', '?']) {
        return Some(
            Diagnostic::error("value.invalid", "`endpoint` is not a URL of a host alone")
                .at(place, "expected https://host")
                .help("the bucket and the prefix stand in `location`"),
        );
    }
    let is_near = ["127.", "localhost", "[::1]", "10.", "192.168."];
    let in_the_open = scheme == "http" && !is_near.iter().any(|near| host.starts_with(near));
    in_the_open.then(|| {
        Diagnostic::warning("recordings.plain_http", "recordings go to their store without TLS")
            .at(place, "what callers say can be read on the way")
            .help("use https://, or seal them with `encrypt`")
    })
}

/// What is older is deleted each hour.
const SHORTEST: Duration = Duration::from_secs(3_600);
