//! Checks of webhooks and of the database.

use crate::base::destination::Destination;
use crate::base::network;
use crate::base::secret::{ExposeSecret, Secret};
use crate::config::check_machine::in_plain_text;
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::dialect::{is_told, told_in};
use crate::config::subject::Subject;
use crate::config::webhook::{EVENTS, Format, Webhook, fits, secret_key};

/// Checks all webhooks.
pub fn webhooks(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, webhook) in &subject.server.webhooks {
        let path = format!("webhooks.{name}");
        found.extend(place(subject, webhook, &path));
        found.extend(secrets(subject, webhook, &path));
        found.extend(events(subject, webhook, &path));
        found.extend(without_cousin(subject, webhook, &path));
        found.extend(patience(subject, webhook, &path));
    }
    found
}

/// Checks `[storage] database` and how long things are kept.
pub fn storage(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let (storage, mut found) = (&subject.server.storage, Vec::new());
    let place = || subject.place("storage.database");
    if let Some(database) = &storage.database {
        if database.dialect().is_none() {
            found.push(
                Diagnostic::error("database.url", "no database that we know is there")
                    .at(place(), "not known")
                    .help(
                        "write \"sqlite://${data_dir}/voxtrunk.db\" or \
                         \"postgres://voxtrunk@db.example.com/voxtrunk\"",
                    ),
            );
        }
        if database.has_password_in_url() {
            found.extend(in_plain_text(subject, "storage.database"));
        }
        if database.may_be_another() {
            found.push(
                Diagnostic::warning(
                    "database.unproven",
                    "nobody proves to be the database of calls",
                )
                .at(place(), "whoever is on the way could answer")
                .help("add ?sslmode=verify-full"),
            );
        }
    }
    let retention = &storage.retention;
    let kept = [
        ("cdr", retention.cdr),
        ("transcripts", retention.transcripts),
        ("events", retention.events),
    ];
    for (key, keep) in kept {
        if keep.is_some_and(|keep| keep < SHORTEST) {
            let path = format!("storage.retention.{key}");
            found.push(
                Diagnostic::error("value.range", "nothing can be kept for less than an hour")
                    .at(subject.place(&path), "here")
                    .help("it is looked once an hour what is to be deleted: write such as \"90d\""),
            );
        }
    }
    found
}

/// Where it is told.
fn place(subject: &Subject<'_>, webhook: &Webhook, path: &str) -> Option<Diagnostic> {
    reach(subject, &webhook.url, ("webhook.url", &format!("{path}.url")))
}

/// Whether we would go to a URL that stands there; what is found has this code.
pub fn reach(
    subject: &Subject<'_>,
    url: &str,
    (code, path): (&'static str, &str),
) -> Option<Diagnostic> {
    let place = || subject.place(path);
    let wrong = |message: &str, label: &str, help: &str| {
        Some(Diagnostic::error(code, message).at(place(), label).help(help))
    };
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !matches!(scheme, "http" | "https") || authority.is_empty() {
        return wrong("`url` is no URL", "here", "write \"https://crm.example.com/hooks/voice\"");
    }
    if authority.contains('@') {
        let help = "the signature proves who we are: leave the user out";
        return wrong("`url` names a user", "here", help);
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.parse().ok()),
        Some(_) | None => (authority, None),
    };
    let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
    if subject.server.security.webhooks.allow.iter().any(|allowed| allowed.is(host, port)) {
        let near = ["127.", "localhost", "[::1]", "10.", "192.168."];
        let is_near = near.iter().any(|near| host.starts_with(near));
        return (scheme == "http" && !is_near).then(|| {
            Diagnostic::warning("webhook.plain_http", "what happens is told without TLS")
                .at(place(), "whoever is on the way can read it")
                .help("use https://")
        });
    }
    let help = format!("add {host:?} to [security.webhooks] allow, if you trust what is there");
    if scheme == "http" {
        return wrong("nothing is told without TLS", "http:// is not allowed here", &help);
    }
    let address = host.trim_matches(['[', ']']).parse();
    if host == "localhost" || address.is_ok_and(|address| !network::is_public(address)) {
        return wrong("nothing is told in a network of ours", "not on the internet", &help);
    }
    None
}

fn secrets(subject: &Subject<'_>, webhook: &Webhook, path: &str) -> Vec<Diagnostic> {
    let key = format!("{path}.secret");
    let make = match webhook.format {
        Format::Standard => "`voxtrunk webhook secret` makes one",
        Format::Vapi => "write what it expects as X-Vapi-Secret: secret = \"${env:VAPI_SECRET}\"",
        Format::Retell => {
            "write the API key with which it checks X-Retell-Signature: secret = \"${env:RETELL_API_KEY}\""
        }
    };
    if webhook.secret.is_empty() {
        return vec![
            Diagnostic::error("webhook.secret", "nobody could tell whether it is us who tells")
                .at(subject.key(path), "`secret` must stand in this table")
                .help(make),
        ];
    }
    let mut found: Vec<Diagnostic> = in_plain_text(subject, &key).into_iter().collect();
    let most = if webhook.format == Format::Standard { MOST_SECRETS } else { 1 };
    if webhook.secret.len() > most {
        let message = match most {
            1 => format!("a webhook of the format `{}` has one secret", webhook.format.name()),
            most => format!("a webhook has at most {most} secrets"),
        };
        found.push(Diagnostic::error("webhook.secret", message).at(subject.place(&key), "here"));
    }
    for (at, secret) in webhook.secret.iter().enumerate() {
        if let Some(label) = unfit(webhook.format, secret) {
            found.push(
                Diagnostic::error("webhook.secret", "this is no secret of a webhook")
                    .at(subject.element(&key, at), label)
                    .help(make),
            );
        }
    }
    found
}

/// Why this cannot be the secret of a webhook of a form.
fn unfit(format: Format, secret: &Secret) -> Option<&'static str> {
    let text = secret.expose_secret();
    let is_visible = !text.is_empty() && text.bytes().all(|it| it.is_ascii_graphic());
    match format {
        Format::Standard if secret_key(secret).is_none() => {
            Some("`whsec_` and 24 to 64 octets in base64")
        }
        Format::Vapi if !is_visible => Some("letters, digits and signs of ASCII, without spaces"),
        Format::Retell if text.trim().is_empty() => Some("empty"),
        Format::Standard | Format::Vapi | Format::Retell => None,
    }
}

/// What is asked for by name and is never told in this form.
fn without_cousin(subject: &Subject<'_>, webhook: &Webhook, path: &str) -> Vec<Diagnostic> {
    let key = format!("{path}.events");
    let is_known = |wanted: &str| EVENTS.iter().any(|known| fits(wanted, known));
    let those = webhook.events.iter().enumerate();
    let those = those.filter(|(_, it)| is_known(it) && !is_told(webhook.format, it));
    let told = |(at, wanted): (usize, &String)| {
        let format = webhook.format.name();
        let help = match (webhook.format, wanted.as_str()) {
            (Format::Vapi, "call.analyzed") => {
                "what was found out is in the end-of-call-report: write \"call.ended\"".to_owned()
            }
            (format, _) => {
                let all: Vec<&str> = told_in(format).collect();
                format!("there are {}", all.join(", "))
            }
        };
        let message = format!("`{wanted}` is not told in the format `{format}`");
        Diagnostic::warning("webhook.event", message)
            .at(subject.element(&key, at), "there is nothing like it")
            .help(help)
    };
    those.map(told).collect()
}

fn events(subject: &Subject<'_>, webhook: &Webhook, path: &str) -> Vec<Diagnostic> {
    let key = format!("{path}.events");
    let name = path.strip_prefix("webhooks.").unwrap_or_default();
    if webhook.events.is_empty() && is_asked(subject, name) {
        return Vec::new();
    }
    if webhook.events.is_empty() {
        return vec![
            Diagnostic::error("webhook.events", "a webhook that is told nothing")
                .at(subject.place(&key), "empty")
                .help("write such as [\"call.ended\", \"call.analyzed\"]"),
        ];
    }
    let unknown = webhook
        .events
        .iter()
        .enumerate()
        .filter(|(_, wanted)| !EVENTS.iter().any(|known| fits(wanted, known)));
    let told = |(at, wanted): (usize, &String)| {
        let label = match did_you_mean(wanted, EVENTS.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "nothing is called so".to_owned(),
        };
        Diagnostic::error("webhook.event", format!("there is no event `{wanted}`"))
            .at(subject.element(&key, at), label)
            .help(format!("there are {}", EVENTS.join(", ")))
    };
    unknown.map(told).collect()
}

/// Whether a route asks it where calls go.
fn is_asked(subject: &Subject<'_>, name: &str) -> bool {
    let all = subject.plan.routes.iter().flat_map(|route| route.to.iter().chain(&route.otherwise));
    all.into_iter().any(|to| matches!(to, Destination::Webhook(asked) if asked == name))
}

fn patience(subject: &Subject<'_>, webhook: &Webhook, path: &str) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let seconds = webhook.timeout.as_secs_f64();
    if !(1.0..=60.0).contains(&seconds) {
        let place = subject.place(&format!("{path}.timeout"));
        let message = "an answer is waited for from one second to a minute";
        found.push(Diagnostic::error("value.range", message).at(place, "out of range"));
    }
    if webhook.retry.len() > MOST_PAUSES {
        let message = format!("an event is tried again at most {MOST_PAUSES} times");
        let place = subject.place(&format!("{path}.retry"));
        found.push(Diagnostic::error("value.range", message).at(place, "too many"));
    }
    found
}

/// The new one, and the old one while others still know it.
const MOST_SECRETS: usize = 2;

const MOST_PAUSES: usize = 30;

/// What is older is deleted each hour.
const SHORTEST: std::time::Duration = std::time::Duration::from_secs(3_600);
