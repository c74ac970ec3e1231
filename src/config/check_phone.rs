//! Checks of phones, groups, and of what is let out.

use crate::base::destination::Destination;
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::phone::Phone;
use crate::config::security::Permission;
use crate::config::subject::Subject;

/// Checks phones, groups, and what is let out.
pub fn phones(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, phone) in &subject.server.phones {
        found.extend(check_phone(subject, name, phone));
    }
    for (name, group) in &subject.server.groups {
        for (at, member) in group.members.iter().enumerate() {
            let path = format!("groups.{name}.members[{at}]");
            found.extend(match member {
                Destination::Phone(phone) => unknown_phone(subject, phone, &path),
                _ => Some(
                    Diagnostic::error("value.invalid", "only phones belong to a group")
                        .at(subject.place(&path), "not a phone")
                        .help("write phone:NAME"),
                ),
            });
        }
    }
    found.extend(registering(subject));
    found.extend(outbound(subject));
    found
}

/// A destination that names a phone which is not there.
pub fn unknown_phone(subject: &Subject<'_>, name: &str, path: &str) -> Option<Diagnostic> {
    let known = subject.server.phones.keys().map(String::as_str);
    missing(subject, ("phone", "phones", name), (known.collect(), path))
}

/// A destination that names a group which is not there.
pub fn unknown_group(subject: &Subject<'_>, name: &str, path: &str) -> Option<Diagnostic> {
    let known = subject.server.groups.keys().map(String::as_str);
    missing(subject, ("group", "groups", name), (known.collect(), path))
}

fn missing(
    subject: &Subject<'_>,
    (kind, table, name): (&str, &str, &str),
    (known, path): (Vec<&str>, &str),
) -> Option<Diagnostic> {
    if known.contains(&name) || subject.key(&format!("{table}.{name}")).is_some() {
        return None;
    }
    let label = match did_you_mean(name, known.into_iter()) {
        Some(name) => format!("did you mean `{kind}:{name}`?"),
        None => "not defined".to_owned(),
    };
    let message = format!("there is no {kind} `{name}`");
    let help = format!("phones and groups stand in the settings, under [{table}.{name}]");
    let missing = Diagnostic::error("route.unknown_target", message);
    Some(missing.at(subject.place(path), label).help(help))
}

fn check_phone(subject: &Subject<'_>, name: &str, phone: &Phone) -> Vec<Diagnostic> {
    let (path, mut found) = (format!("phones.{name}"), Vec::new());
    let place = || subject.key(&path);
    if phone.password.is_none() && phone.ha1.is_none() {
        let message = format!("phone `{name}` has no password");
        found.push(
            Diagnostic::error("phone.no_password", message)
                .at(place(), "anybody could be this phone")
                .help("add password = \"${env:NAME}\" or ha1 = \"${env:NAME}\""),
        );
    }
    if phone.password.is_some() && phone.ha1.is_some() {
        let message = format!("phone `{name}` has a password and its hash");
        found.push(
            Diagnostic::error("phone.two_passwords", message)
                .at(subject.place(&format!("{path}.ha1")), "one of them is enough"),
        );
    }
    let everybody = phone.networks.iter().position(|network| network.prefix() == 0);
    if let Some(at) = everybody {
        let message = format!("phone `{name}` may register from everywhere");
        found.push(
            Diagnostic::warning("phone.open", message)
                .at(
                    subject.place(&format!("{path}.networks[{at}]")),
                    "every address there is: its password is all that protects it",
                )
                .help("name the networks where it is, or give it a long password"),
        );
    }
    for (key, number) in [("max_contacts", phone.max_contacts), ("max_calls", phone.max_calls)] {
        if !(1..=100).contains(&number) {
            let message = format!("`{key}` must be a number from 1 to 100");
            let place = subject.place(&format!("{path}.{key}"));
            found.push(Diagnostic::error("value.range", message).at(place, "out of range"));
        }
    }
    found
}

fn registering(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let (registrar, mut found) = (&subject.server.sip.registrar, Vec::new());
    if registrar.min_expires > registrar.max_expires {
        found.push(
            Diagnostic::error("value.range", "`min_expires` is more than `max_expires`")
                .at(subject.place("sip.registrar.min_expires"), "no phone can register"),
        );
    }
    if registrar.digest.is_empty() {
        found.push(
            Diagnostic::error("value.range", "phones have no way to prove themselves")
                .at(subject.place("sip.registrar.digest"), "this list is empty")
                .help("write digest = [\"sha-256\", \"md5\"]"),
        );
    }
    found
}

/// Doors to the world that stand wide open (T1).
fn outbound(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let (outbound, mut found) = (&subject.server.security.outbound, Vec::new());
    let lines = subject.server.trunks.values().any(|trunk| trunk.host.is_some());
    for (at, pattern) in outbound.allow.iter().enumerate() {
        if matches!(pattern.text(), "*" | "+*") {
            let place = subject.place(&format!("security.outbound.allow[{at}]"));
            found.push(
                Diagnostic::warning("security.outbound_open", "every country may be called")
                    .at(place, "whoever steals a password can call the whole world at your cost")
                    .help("name the countries: allow_countries = [\"DE\", \"AT\"]"),
            );
        }
    }
    let written = subject.key("security.outbound.deny").is_some();
    if written && outbound.deny.is_empty() && lines {
        found.push(
            Diagnostic::warning("security.outbound_open", "numbers that cost are not refused")
                .at(subject.place("security.outbound.deny"), "this list is empty")
                .help("write deny = [\"premium\", \"shared\", \"satellite\", \"fraud\"]"),
        );
    }
    if outbound.emergency == Permission::Allow && !subject.agents.is_empty() {
        found.push(
            Diagnostic::warning("security.outbound_open", "emergency numbers may be called")
                .at(subject.place("security.outbound.emergency"), "also by a transfer of an agent")
                .help("remove it, unless people call by this server"),
        );
    }
    found
}
