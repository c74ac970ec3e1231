//! Checks of numbers that are compared or sent as they are written: without a plus nobody can tell
//! which country's they are.

use crate::base::number::Number;
use crate::config::diagnostic::Diagnostic;
use crate::config::subject::Subject;
use crate::dialplan::pattern::Match;

/// Checks the numbers of the ways out, and those that we call from.
pub fn numbers(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (at, rule) in subject.plan.outbound.iter().enumerate() {
        let path = format!("outbound[{at}]");
        found.extend(patterns(subject, &rule.number, &format!("{path}.number")));
        found.extend(own(subject, rule.caller_id.as_deref(), &format!("{path}.caller_id")));
    }
    let allowed = &subject.server.security.outbound.allow;
    found.extend(patterns(subject, allowed, "security.outbound.allow"));
    for (name, trunk) in &subject.server.trunks {
        let both = [("", &trunk.caller_id), ("outbound.", &trunk.outbound.caller_id)];
        for (table, number) in both {
            let path = format!("trunks.{name}.{table}caller_id");
            found.extend(own(subject, number.as_deref(), &path));
        }
    }
    for (name, phone) in &subject.server.phones {
        let path = format!("phones.{name}.caller_id");
        found.extend(own(subject, phone.caller_id.as_deref(), &path));
    }
    found
}

/// Patterns that are held against numbers in E.164, and begin as none of them does.
fn patterns(subject: &Subject<'_>, patterns: &[Match], path: &str) -> Vec<Diagnostic> {
    let begins_with_digit = |it: &Match| it.text().starts_with(|c: char| c.is_ascii_digit());
    let fits_none = |it: &Match| begins_with_digit(it) && Number::from_dialled(it.text()).is_none();
    let told = |(at, pattern): (usize, &Match)| {
        let message = format!("no number is written as `{pattern}` here");
        Diagnostic::warning("number.not_e164", message)
            .at(subject.element(path, at), "numbers begin with a plus and their country")
            .help("write such as \"+4971112345\" or \"+49*\"")
    };
    patterns.iter().enumerate().filter(|(_, it)| fits_none(it)).map(told).collect()
}

/// A number to call from that a trunk sends as it stands, for it does not know its country. What is
/// short is an extension, and what has letters is a name: those may be meant.
fn own(subject: &Subject<'_>, number: Option<&str>, path: &str) -> Option<Diagnostic> {
    let digits = number?.chars().filter(|c| !" -./()".contains(*c));
    let digits: String = digits.collect();
    let is_public = digits.len() >= SHORTEST && digits.bytes().all(|octet| octet.is_ascii_digit());
    is_public.then(|| {
        let message = format!("the number `{digits}` does not say its country");
        Diagnostic::warning("number.not_e164", message)
            .at(subject.place(path), "sent as it stands, whatever the trunk wants")
            .help("write it with a plus and its country, such as \"+4971112345\"")
    })
}

/// Shorter numbers are extensions or services: they mean something only where they are dialled.
const SHORTEST: usize = 7;
