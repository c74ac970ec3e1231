//! Checks of what routes name beside destinations: opening hours and lists of numbers.

use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::subject::Subject;
use crate::dialplan::pattern::Match;
use crate::dialplan::plan::Route;

/// Checks the hours and the lists, and what routes want of them.
pub fn hours_and_lists(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = never_open(subject);
    for (position, route) in subject.plan.routes.iter().enumerate() {
        let path = format!("route[{position}]");
        found.extend(unknown_hours(subject, route, &path));
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
    let unknown = route.when.iter().enumerate().filter(|(_, when)| {
        !hours.contains_key(&when.hours) && subject.key(&format!("hours.{}", when.hours)).is_none()
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
    unknown.map(|(at, when)| told(at, &when.hours)).collect()
}

fn unknown_lists(subject: &Subject<'_>, patterns: &[Match], path: &str) -> Vec<Diagnostic> {
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
