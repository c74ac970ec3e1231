//! Checks of the ways out: trunks that are there, and rules that a call can reach.

use crate::base::destination::Destination;
use crate::config::check_routes;
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::subject::Subject;
use crate::dialplan::outbound::Outbound;

/// Checks every rule.
pub fn rules(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (position, rule) in subject.plan.outbound.iter().enumerate() {
        let path = format!("outbound[{position}]");
        found.extend(leads(subject, rule, &path));
        found.extend(unknown_trunks(subject, rule, &path));
        found.extend(unknown_contexts(subject, rule, &path));
        found.extend(hidden(subject, position, &path));
    }
    found.extend(no_way(subject));
    found
}

/// A rule leads out by trunks, or to somebody here, and nobody wonders which.
fn leads(subject: &Subject<'_>, rule: &Outbound, path: &str) -> Vec<Diagnostic> {
    let at = |key: &str| subject.place(&format!("{path}.{key}"));
    let wrong = |key: &str, message: &str, label: &str, help: &str| {
        vec![Diagnostic::error("outbound.leads", message).at(at(key), label).help(help)]
    };
    let Some(to) = &rule.to else {
        return match (rule.trunks.is_empty(), rule.ext.is_empty()) {
            (true, _) => wrong(
                "name",
                "this rule leads nowhere",
                "neither `trunks` nor `to`",
                "add trunks = [\"NAME\"] for numbers, or ext and to = \"phone:{ext}\" for people here",
            ),
            (false, false) => wrong(
                "ext",
                "extensions are not called by trunks",
                "trunks call numbers",
                "write number = \"+49*\" instead of `ext`, or `to` instead of `trunks`",
            ),
            (false, true) => Vec::new(),
        };
    };
    for (key, stands) in [
        ("trunks", !rule.trunks.is_empty()),
        ("number", !rule.number.is_empty()),
        ("caller_id", rule.caller_id.is_some()),
    ] {
        if stands {
            let message = format!("`{key}` is for rules that lead out");
            return wrong(key, &message, "and this one has `to`", "make two rules of it");
        }
    }
    if rule.ext.is_empty() {
        let help = "add ext = \"_1XX\": the extensions as they are dialled";
        return wrong("to", "nothing that is dialled leads here", "no `ext`", help);
    }
    if rule.context.is_empty() {
        let help = "add context = \"internal\", and the same to the phones";
        return wrong("to", "nobody may dial by this rule", "no `context`", help);
    }
    check_routes::unknown_destination(subject, to, &format!("{path}.to")).into_iter().collect()
}

fn unknown_trunks(subject: &Subject<'_>, rule: &Outbound, path: &str) -> Vec<Diagnostic> {
    let known: Vec<&str> = subject.server.trunks.keys().map(String::as_str).collect();
    let missing = |(at, name): (usize, &String)| {
        if known.contains(&name.as_str()) {
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
        let message = format!("there is no trunk `{name}`");
        let place = subject.element(&format!("{path}.trunks"), at);
        Some(Diagnostic::error("ref.unknown", message).at(place, label).help(help))
    };
    rule.trunks.iter().enumerate().filter_map(missing).collect()
}

fn unknown_contexts(subject: &Subject<'_>, rule: &Outbound, path: &str) -> Vec<Diagnostic> {
    let of_trunks = subject.server.trunks.values().filter_map(|trunk| trunk.context.as_deref());
    let of_phones = subject.server.phones.values().filter_map(|phone| phone.context.as_deref());
    let known: Vec<&str> = of_trunks.chain(of_phones).collect();
    let missing = |(at, name): (usize, &String)| {
        if known.contains(&name.as_str()) {
            return None;
        }
        let label = match did_you_mean(name, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "nobody dials by this rule".to_owned(),
        };
        let message = format!("no trunk and no phone has the context `{name}`");
        let place = subject.element(&format!("{path}.context"), at);
        Some(Diagnostic::warning("ref.unknown", message).at(place, label))
    };
    rule.context.iter().enumerate().filter_map(missing).collect()
}

/// A rule behind one that takes all its numbers.
fn hidden(subject: &Subject<'_>, position: usize, path: &str) -> Option<Diagnostic> {
    let rules = &subject.plan.outbound;
    let (rule, before) = (rules.get(position)?, rules.get(..position)?);
    // Of one that leads nowhere it is said so.
    if rule.trunks.is_empty() || !rule.ext.is_empty() {
        return None;
    }
    let covers = |first: &&Outbound| {
        if first.trunks.is_empty() || !first.ext.is_empty() {
            return false;
        }
        let numbers = first.number.is_empty()
            || !rule.number.is_empty()
                && rule.number.iter().all(|it| first.number.iter().any(|by| by.covers(it)));
        let contexts = first.context.is_empty()
            || !rule.context.is_empty() && rule.context.iter().all(|it| first.context.contains(it));
        numbers && contexts
    };
    let by = before.iter().position(|first| covers(&first))?;
    let message = "this rule never leads out: another one takes all its numbers";
    Some(
        Diagnostic::warning("outbound.shadowed", message)
            .at(subject.place(&format!("outbound[{by}].trunks")), "already decides")
            .at(subject.place(&format!("{path}.trunks")), "so this is never reached")
            .help("put the narrower rule first"),
    )
}

/// A number that a route calls, and no rule leads to.
fn no_way(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let plan = subject.plan;
    if plan.ways_out().next().is_none() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (position, route) in plan.routes.iter().enumerate() {
        for (key, destinations) in [("to", &route.to), ("else", &route.otherwise)] {
            for (at, destination) in destinations.iter().enumerate() {
                let Destination::Tel(number) = destination else { continue };
                let leads = |rule: &Outbound| {
                    let is_there = |it: &String| rule.context.contains(it);
                    let is_number = rule.number.is_empty()
                        || rule.number.iter().any(|it| it.matches(number.to_e164()));
                    let is_context = rule.context.is_empty()
                        || route.context.is_empty()
                        || route.context.iter().any(is_there);
                    is_number && is_context
                };
                if !plan.ways_out().any(leads) {
                    let message = format!("no [[outbound]] rule leads to {}", number.to_e164());
                    let place = subject.element(&format!("route[{position}].{key}"), at);
                    found.push(
                        Diagnostic::warning("outbound.no_way", message)
                            .at(place, "nobody is called there"),
                    );
                }
            }
        }
    }
    found
}
