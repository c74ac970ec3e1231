//! Checks of the routes: where they lead, and whether a call can reach them.

use std::collections::BTreeMap;

use std::time::Duration;

use crate::base::destination::Destination;
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::source::Span;
use crate::config::subject::Subject;
use crate::config::{check_inlets, check_openai, check_phone, check_webhooks};
use crate::dialplan::lint::Shadow;
use crate::dialplan::plan::Route;

/// Checks every route.
pub fn routes(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (position, route) in subject.plan.routes.iter().enumerate() {
        let path = format!("route[{position}]");
        found.extend(destinations(subject, route, &path));
        found.extend(unknown_trunks(subject, route, &path));
        found.extend(unknown_contexts(subject, route, &path));
    }
    found.extend(duplicate_names(subject));
    if !subject.faulty_routes {
        found.extend(shadows(subject));
        found.extend(no_default(subject));
    }
    found
}

/// Where a route leads: agents and trunks that are there, and several at once only on the telephone.
fn destinations(subject: &Subject<'_>, route: &Route, path: &str) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (key, destinations) in [("to", &route.to), ("else", &route.otherwise)] {
        for (at, destination) in destinations.iter().enumerate() {
            let place = match destinations.len() {
                1 => format!("{path}.{key}"),
                _ => format!("{path}.{key}[{at}]"),
            };
            found.extend(unknown_destination(subject, destination, &place));
        }
    }
    if let Some(name) = &route.fork {
        let listens = Destination::Stream(name.clone());
        found.extend(unknown_destination(subject, &listens, &format!("{path}.fork")));
    }
    let mixed = route.to.iter().position(|destination| !destination.is_called());
    found.extend(weights(subject, route, path));
    found.extend(patience(subject, route, path));
    let at_once = route.to.len() > 1 && route.weights.is_empty();
    if let (Some(at), true) = (mixed, at_once) {
        let message = "only phones, trunks, tel: and sip: can be called at once".to_owned();
        let place = subject.place(&format!("{path}.to[{at}]"));
        found.push(
            Diagnostic::error("route.not_at_once", message)
                .at(place, "this takes the call alone")
                .help(
                    "write it into `else`: it gets the call when nobody answers; or give each of \
                       `to` its share by `weights`",
                ),
        );
    }
    found
}

/// How long a webhook may take.
fn patience(subject: &Subject<'_>, route: &Route, path: &str) -> Option<Diagnostic> {
    let place = || subject.place(&format!("{path}.timeout"));
    let timeout = route.timeout?;
    let mut all = route.to.iter().chain(&route.otherwise);
    if !all.any(|to| matches!(to, Destination::Webhook(_))) {
        let message = "`timeout` is for routes that ask a webhook";
        let diagnostic = Diagnostic::error("route.webhook", message).at(place(), "nobody is asked");
        return Some(diagnostic.help("`ring` says how long a phone rings"));
    }
    let is_short = (SHORTEST..=LONGEST).contains(&timeout);
    (!is_short).then(|| {
        let message = "a caller does not wait so long, or nobody can answer so soon";
        Diagnostic::error("value.range", message).at(place(), "100ms to 10s")
    })
}

/// Weights that say nothing.
fn weights(subject: &Subject<'_>, route: &Route, path: &str) -> Option<Diagnostic> {
    let (weights, to) = (&route.weights, &route.to);
    let label = match weights.len() {
        0 => return None,
        count if count != to.len() => format!("{count} weights for {} destinations", to.len()),
        _ if weights.iter().all(|weight| *weight == 0) => "nobody takes a call".to_owned(),
        _ => return None,
    };
    let message = "each of `to` needs its weight";
    let place = subject.place(&format!("{path}.weights"));
    Some(Diagnostic::error("route.weights", message).at(place, label))
}

/// A destination that names something which is not there.
pub fn unknown_destination(
    subject: &Subject<'_>,
    destination: &Destination,
    path: &str,
) -> Option<Diagnostic> {
    match destination {
        // Who that is depends on the call.
        it if it.names_extension() && !matches!(it, Destination::Trunk { .. }) => None,
        Destination::Agent(name) => unknown_agent(subject, name, path),
        Destination::Squad(name) => {
            let known = subject.squads.keys().map(String::as_str);
            unknown_name(subject, ("squad", name, path), known)
        }
        Destination::Menu(name) => {
            let known = subject.menus.keys().map(String::as_str);
            unknown_name(subject, ("menu", name, path), known)
        }
        Destination::Flow(name) => {
            let known = subject.flows.keys().map(String::as_str);
            unknown_name(subject, ("flow", name, path), known)
        }
        Destination::Queue(name) => {
            let known = subject.queues.keys().map(String::as_str);
            unknown_name(subject, ("queue", name, path), known)
        }
        Destination::Stream(name) => {
            let known = subject.server.streams.keys().map(String::as_str);
            unknown_name(subject, ("stream", name, path), known)
        }
        Destination::Voicemail(name) => {
            let known = subject.mailboxes.keys().map(String::as_str);
            unknown_name(subject, ("voicemail", name, path), known)
        }
        Destination::Trunk { trunk, .. } => {
            let known = subject.server.trunks.keys().map(String::as_str);
            if subject.server.trunks.contains_key(trunk)
                || subject.key(&format!("trunks.{trunk}")).is_some()
            {
                return None;
            }
            let label = match did_you_mean(trunk, known) {
                Some(name) => format!("did you mean `trunk:{name}/…`?"),
                None => "not defined".to_owned(),
            };
            let message = format!("there is no trunk `{trunk}`");
            let place = subject.place(path);
            Some(Diagnostic::error("route.unknown_target", message).at(place, label))
        }
        Destination::Webhook(url) => unreachable_webhook(subject, url, path),
        Destination::OpenAi(agent) => unknown_agent(subject, agent, path)
            .or_else(|| check_openai::not_taken(subject, agent, path)),
        Destination::Phone(name) => check_phone::unknown_phone(subject, name, path),
        Destination::Group(name) => check_phone::unknown_group(subject, name, path),
        Destination::Sip(_)
        | Destination::Tel(_)
        | Destination::Conference(_)
        | Destination::Drill(_)
        | Destination::Reject(_)
        | Destination::Busy
        | Destination::HangUp(_) => None,
    }
}

/// A server of the operator's that is not asked.
fn unreachable_webhook(subject: &Subject<'_>, url: &str, path: &str) -> Option<Diagnostic> {
    let is_asked = path.starts_with("route[") && (path.contains(".to") || path.contains(".else"));
    if !is_asked {
        let message = "only a route asks where a call goes";
        let place = subject.place(path);
        return Some(Diagnostic::error("route.webhook", message).at(place, "nobody is asked here"));
    }
    if !url.contains("://") {
        let known = subject.server.webhooks.keys().map(String::as_str);
        return unknown_name(subject, ("webhook", url, path), known);
    }
    check_webhooks::reach(subject, url, ("route.webhook", path))
}

/// A destination of a kind that names something which is not there.
fn unknown_name<'a>(
    subject: &Subject<'_>,
    (kind, name, path): (&str, &str, &str),
    known: impl Iterator<Item = &'a str>,
) -> Option<Diagnostic> {
    let known: Vec<&str> = known.collect();
    let table = if kind == "voicemail" { kind.to_owned() } else { format!("{kind}s") };
    if known.contains(&name) || subject.key(&format!("{table}.{name}")).is_some() {
        return None;
    }
    let label = match did_you_mean(name, known.iter().copied()) {
        Some(name) => format!("did you mean `{kind}:{name}`?"),
        None => "not defined".to_owned(),
    };
    let help = match known.as_slice() {
        [] => format!("no {kind} is defined yet: write [{table}.{name}]"),
        known => format!("{table} defined: {}", known.join(", ")),
    };
    let message = format!("there is no {kind} `{name}`");
    let place = subject.place(path);
    Some(Diagnostic::error("route.unknown_target", message).at(place, label).help(help))
}

/// A destination that names an agent which is not there.
pub fn unknown_agent(subject: &Subject<'_>, name: &str, path: &str) -> Option<Diagnostic> {
    if subject.agents.contains_key(name) {
        return None;
    }
    let names: Vec<&str> = subject.agents.keys().map(String::as_str).collect();
    let label = match did_you_mean(name, names.iter().copied()) {
        Some(name) => format!("did you mean `agent:{name}`?"),
        None => "not defined".to_owned(),
    };
    let message = format!("there is no agent `{name}`");
    let diagnostic =
        Diagnostic::error("route.unknown_target", message).at(subject.place(path), label);
    if names.is_empty() {
        return Some(diagnostic.help(format!("no agent is defined yet: write [agents.{name}]")));
    }
    let mut files: Vec<&str> =
        names.iter().filter_map(|name| subject.file_of(&format!("agents.{name}"))).collect();
    files.sort_unstable();
    files.dedup();
    Some(diagnostic.help(format!("agents defined: {} ({})", names.join(", "), files.join(", "))))
}

fn unknown_trunks(subject: &Subject<'_>, route: &Route, path: &str) -> Vec<Diagnostic> {
    let known: Vec<&str> = subject.server.trunks.keys().map(String::as_str).collect();
    let missing = |(at, name): (usize, &String)| {
        let is_known = known.contains(&name.as_str()) || check_inlets::is_open(subject, name);
        if is_known || subject.key(&format!("trunks.{name}")).is_some() {
            return None;
        }
        let label = match did_you_mean(name, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "not defined".to_owned(),
        };
        let help = match known.as_slice() {
            [] => "no trunk is defined in the settings of the server".to_owned(),
            known => format!("trunks defined: {}", known.join(", ")),
        };
        let place = subject.element(&format!("{path}.trunk"), at);
        let message = format!("there is no trunk `{name}`");
        Some(Diagnostic::error("ref.unknown", message).at(place, label).help(help))
    };
    route.trunk.iter().enumerate().filter_map(missing).collect()
}

fn unknown_contexts(subject: &Subject<'_>, route: &Route, path: &str) -> Vec<Diagnostic> {
    let of_trunks = subject.server.trunks.values().filter_map(|trunk| trunk.context.as_deref());
    let of_phones = subject.server.phones.values().filter_map(|phone| phone.context.as_deref());
    let known: Vec<&str> = of_trunks.chain(of_phones).collect();
    let missing = |(at, name): (usize, &String)| {
        if known.contains(&name.as_str()) {
            return None;
        }
        let place = subject.element(&format!("{path}.context"), at);
        let message = format!("no trunk and no phone has the context `{name}`");
        let diagnostic = Diagnostic::warning("ref.unknown", message);
        Some(match did_you_mean(name, known.iter().copied()) {
            Some(name) => diagnostic.at(place, format!("did you mean `{name}`?")),
            None => diagnostic.at(place, "this route never matches"),
        })
    };
    route.context.iter().enumerate().filter_map(missing).collect()
}

fn duplicate_names(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut first_with: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (position, route) in subject.plan.routes.iter().enumerate() {
        let Some(name) = route.name.as_deref() else { continue };
        if let Some(first) = first_with.insert(name, position) {
            first_with.insert(name, first);
            let place = |position| subject.place(&format!("route[{position}].name"));
            found.push(
                Diagnostic::warning(
                    "route.duplicate_name",
                    format!("two routes are called `{name}`"),
                )
                .at(place(position), "again here")
                .at(place(first), "first here"),
            );
        }
    }
    found
}

fn shadows(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let routes = &subject.plan.routes;
    let told = |shadow: Shadow| {
        let (hidden, by) =
            (title(&routes[shadow.hidden], shadow.hidden), title(&routes[shadow.by], shadow.by));
        let takes = if routes[shadow.by].takes_everything() {
            "already takes every call"
        } else {
            "already takes every call that would come here"
        };
        Diagnostic::warning("route.shadowed", format!("route {hidden} can never match"))
            .at(head(subject, shadow.by), takes)
            .at(head(subject, shadow.hidden), "so this one is never reached")
            .help(format!("move {hidden} above {by}, or make {by} narrower"))
    };
    subject.plan.shadows().into_iter().map(told).collect()
}

fn no_default(subject: &Subject<'_>) -> Option<Diagnostic> {
    let routes = &subject.plan.routes;
    if routes.iter().any(Route::takes_everything) {
        return None;
    }
    let help = "add a last [[route]] that has only a `to`, such as to = \"hangup:404\"";
    Some(match routes.len().checked_sub(1) {
        None => Diagnostic::warning("route.no_default", "there is no route: every call is refused")
            .help("add a [[route]] with to = \"agent:NAME\""),
        Some(last) => Diagnostic::warning(
            "route.no_default",
            "calls that no route takes are refused with 404",
        )
        .at(head(subject, last), "this is the last route, and it does not take every call")
        .help(help),
    })
}

/// Where a route is best pointed at: its name, or else its destination.
fn head(subject: &Subject<'_>, position: usize) -> Option<Span> {
    let named = subject.reading.places.find(&format!("route[{position}].name"));
    let to = || subject.place(&format!("route[{position}].to"));
    named.map(|place| place.value.clone()).or_else(to)
}

fn title(route: &Route, position: usize) -> String {
    match &route.name {
        Some(name) => format!("`{name}`"),
        None => format!("number {}", position + 1),
    }
}

/// How soon a webhook may be given up.
const SHORTEST: Duration = Duration::from_millis(100);

/// How long a caller hears ringing before it is known where the call goes.
const LONGEST: Duration = Duration::from_secs(10);
