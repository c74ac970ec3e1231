//! Checks of what routes name beside destinations: opening hours, lists of numbers, tenants, and what
//! conditions look at.

use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::subject::Subject;
use crate::dialplan::pattern::Match;
use crate::dialplan::plan::Route;
use crate::dialplan::when::{NAMES, When};

/// Checks the hours and the lists, and what routes want of them.
pub fn hours_and_lists(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = never_open(subject);
    for (position, route) in subject.plan.routes.iter().enumerate() {
        let path = format!("route[{position}]");
        found.extend(unknown_hours(subject, route, &path));
        found.extend(unknown_names(subject, route, &path));
        found.extend(unknown_tenants(subject, route, &path));
        for (key, patterns) in [("did", &route.did), ("caller", &route.caller), ("ext", &route.ext)]
        {
            found.extend(unknown_lists(subject, patterns, &format!("{path}.{key}")));
        }
    }
    found
}

fn never_open(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let never = subject.plan.hours.iter().filter(|(_, hours)| !hours.ever_open());
    let told = |name: &String| {
        Diagnostic::warning("hours.never_open", format!("the hours `{name}` are never open"))
            .at(subject.key(&format!("hours.{name}")), "no day has hours")
            .help("add days, such as mon-fri = \"08:00-18:00\"")
    };
    never.map(|(name, _)| told(name)).collect()
}

fn unknown_hours(subject: &Subject<'_>, route: &Route, path: &str) -> Vec<Diagnostic> {
    let hours = &subject.plan.hours;
    let named = route.when.iter().enumerate();
    let named = named.flat_map(|(at, when)| when.hours().into_iter().map(move |name| (at, name)));
    let unknown = named.filter(|(_, name)| {
        !hours.contains_key(name) && subject.key(&format!("hours.{name}")).is_none()
    });
    let told = |at: usize, name: &str| {
        let label = match did_you_mean(name, hours.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `hours.{near}`?"),
            None => "not defined".to_owned(),
        };
        Diagnostic::error("ref.unknown", format!("there are no hours `{name}`"))
            .at(subject.element(&format!("{path}.when"), at), label)
            .help(format!("write [hours.{name}] with days, such as mon-fri = \"08:00-18:00\""))
    };
    unknown.map(|(at, name)| told(at, &name)).collect()
}

/// Names in conditions that no call has: they would never hold.
fn unknown_names(subject: &Subject<'_>, route: &Route, path: &str) -> Vec<Diagnostic> {
    let is_known = |name: &str| {
        let mut starts = NAMES.iter().chain(&["hours"]);
        starts.any(|known| {
            name.strip_prefix(known).is_some_and(|it| it.is_empty() || it.starts_with('.'))
        })
    };
    let told = |(at, name): (usize, String)| {
        let hours = format!("hours.{name}");
        let label = match did_you_mean(&name, NAMES) {
            _ if subject.key(&hours).is_some() => format!("did you mean `{hours}`?"),
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("`{name}` is not known before a call is answered"),
        };
        Diagnostic::error("when.unknown_name", format!("no call has `{name}`"))
            .at(subject.element(&format!("{path}.when"), at), label)
            .help(format!("a condition may name {}, and hours.NAME", NAMES.join(", ")))
    };
    let conditions = route.when.iter().enumerate().filter_map(|(at, when)| match when {
        When::If(condition) => Some((at, condition.names())),
        When::Hours { .. } => None,
    });
    let names = conditions.flat_map(|(at, names)| names.into_iter().map(move |name| (at, name)));
    names.filter(|(_, name)| !is_known(name)).map(told).collect()
}

fn unknown_tenants(subject: &Subject<'_>, route: &Route, path: &str) -> Vec<Diagnostic> {
    let tenants = &subject.server.tenants;
    let unknown = route.tenant.iter().enumerate().filter(|(_, name)| {
        !tenants.contains_key(*name) && subject.key(&format!("tenants.{name}")).is_none()
    });
    let told = |(at, name): (usize, &String)| {
        let label = match did_you_mean(name, tenants.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "not defined".to_owned(),
        };
        Diagnostic::error("ref.unknown", format!("there is no tenant `{name}`"))
            .at(subject.element(&format!("{path}.tenant"), at), label)
            .help(format!("write [tenants.{name}] into the settings of the server"))
    };
    unknown.map(told).collect()
}

pub(super) fn unknown_lists(
    subject: &Subject<'_>,
    patterns: &[Match],
    path: &str,
) -> Vec<Diagnostic> {
    let lists = subject.lists;
    let named = patterns.iter().enumerate().filter_map(|(at, it)| Some((at, it.list()?)));
    let unknown = named.filter(|(_, name)| {
        !lists.contains_key(*name) && subject.key(&format!("lists.{name}")).is_none()
    });
    let told = |(at, name): (usize, &str)| {
        let label = match did_you_mean(name, lists.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `list:{near}`?"),
            None => "not defined".to_owned(),
        };
        Diagnostic::error("ref.unknown", format!("there is no list `{name}`"))
            .at(subject.element(path, at), label)
            .help(format!("write [lists.{name}] with `numbers` or a `file`"))
    };
    unknown.map(told).collect()
}
