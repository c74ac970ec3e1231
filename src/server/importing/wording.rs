//! Names, times and templates of other platforms in the words of the house.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::base::template;

/// What names in templates mean here.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Names of the other platform, and ours.
    pub known: &'static [(&'static str, &'static str)],
    /// What variables are that nobody gives.
    pub defaults: BTreeMap<String, String>,
    /// Variables that a flow keeps below `vars`.
    pub of_flow: BTreeSet<String>,
    /// Arguments of a tool.
    pub args: BTreeSet<String>,
}

/// A text as it stands in our files, and why it is not quite what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reworded {
    /// The text.
    pub text: String,
    /// What is otherwise.
    pub faults: Vec<String>,
}

impl Words {
    /// A template in our words, in which `$` refers to nothing.
    pub fn template(&self, source: &str) -> Reworded {
        let mut faults = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(at) = rest.find("{{") {
            text.push_str(&rest[..at]);
            let after = &rest[at + 2..];
            let Some(end) = after.find("}}") else {
                faults.push("`{{` is never closed".to_owned());
                text.push_str("((");
                rest = after;
                continue;
            };
            let inner = after[..end].trim().trim_matches('-').trim();
            match self.expression(inner) {
                Some(expression) => text.push_str(&format!("{{{{ {expression} }}}}")),
                None => {
                    faults.push(format!("`{{{{ {inner} }}}}` is no template here"));
                    text.push_str(&format!("({inner})"));
                }
            }
            rest = &after[end + 2..];
        }
        text.push_str(rest);
        if template::names(&text).is_err() {
            faults.push("its templates cannot be read; they are plain text now".to_owned());
            text = ["{{", "{%", "{#"].iter().fold(text, |text, open| text.replace(open, "(("));
            text = ["}}", "%}", "#}"].iter().fold(text, |text, close| text.replace(close, "))"));
        }
        Reworded { text: literal(&text), faults }
    }

    /// What is named by a plain name.
    pub fn name(&self, name: &str) -> String {
        if let Some((_, ours)) = self.known.iter().find(|(theirs, _)| *theirs == name) {
            return (*ours).to_owned();
        }
        let name = plain(name);
        let first = name.split(['.', '[']).next().unwrap_or_default();
        match first {
            _ if self.args.contains(first) => format!("args.{name}"),
            _ if self.of_flow.contains(first) => format!("vars.{name}"),
            _ => name,
        }
    }

    fn expression(&self, inner: &str) -> Option<String> {
        let mut parts = inner.split('|').map(str::trim);
        let name = parts.next().filter(|name| is_name(name))?;
        let mut expression = self.name(name);
        let mut has_default = false;
        for filter in parts {
            let (filter, argument) = match filter.split_once(':') {
                Some((filter, argument)) => (filter.trim(), Some(argument.trim())),
                None => (filter, None),
            };
            let ours = match (filter, argument) {
                ("default", Some(value)) => {
                    has_default = true;
                    format!("default({}, true)", quoted(value)?)
                }
                ("upcase", None) => "upper".to_owned(),
                ("downcase", None) => "lower".to_owned(),
                ("capitalize" | "upper" | "lower" | "trim", None) => filter.to_owned(),
                ("strip", None) => "trim".to_owned(),
                _ => return None,
            };
            expression = format!("{expression} | {ours}");
        }
        if let Some(value) = self.defaults.get(name).filter(|_| !has_default) {
            expression = format!("{expression} | default({}, true)", Value::from(value.as_str()));
        }
        Some(expression)
    }
}

/// A text that refers to nothing, though `${` may stand in it.
pub fn literal(text: &str) -> String {
    let mut ours = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        ours.push(letter);
        if letter == '$' && matches!(letters.peek(), Some('$' | '{')) {
            ours.push('$');
        }
    }
    ours
}

/// A name with letters a-z, digits, - and _, at most 48 of them.
pub fn slug(text: &str, otherwise: &str) -> String {
    let mut name = String::new();
    for letter in text.chars() {
        match fold(letter) {
            Some(letters) => name.push_str(letters),
            None if letter.is_ascii_alphanumeric() || letter == '_' => {
                name.push(letter.to_ascii_lowercase());
            }
            None if !name.ends_with('-') => name.push('-'),
            None => {}
        }
    }
    let name: String = name.trim_matches(['-', '_']).chars().take(48).collect();
    let name = name.trim_matches(['-', '_']);
    if name.is_empty() { otherwise.to_owned() } else { name.to_owned() }
}

/// The name of a variable: letters, digits and _.
pub fn variable(text: &str) -> String {
    let letters = text.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' });
    let name: String = letters.take(48).collect();
    match name.chars().next() {
        None => "value".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("v{name}"),
        Some(_) => name,
    }
}

/// A name of the environment.
pub fn environment(text: &str) -> String {
    variable(text).to_ascii_uppercase()
}

/// So many seconds as we write times.
pub fn seconds(seconds: f64) -> String {
    let time = Duration::try_from_secs_f64(seconds.clamp(0.0, 86_400.0)).unwrap_or_default();
    let milliseconds = time.as_millis();
    if milliseconds.is_multiple_of(1_000) {
        format!("{}s", milliseconds / 1_000)
    } else {
        format!("{milliseconds}ms")
    }
}

/// So many milliseconds as we write times.
pub fn milliseconds(milliseconds: f64) -> String {
    seconds(milliseconds / 1_000.0)
}

/// Whether templates of the house name it so: `customer.name`, `slots[0].day`.
fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|it| it.is_alphabetic() || it == '_');
    let fits = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '.' | '[' | ']' | '/');
    begins && letters.all(fits) && template::names(&format!("{{{{ {} }}}}", plain(name))).is_ok()
}

/// Letters that no name of ours has.
fn plain(name: &str) -> String {
    name.replace(['-', '/'], "_")
}

fn quoted(value: &str) -> Option<String> {
    let inner = value.strip_prefix(['"', '\''])?.strip_suffix(['"', '\''])?;
    (!inner.contains(['"', '\'', '\\'])).then(|| format!("\"{inner}\""))
}

fn fold(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ä' | 'Ä' => "ae",
        'ö' | 'Ö' => "oe",
        'ü' | 'Ü' => "ue",
        'ß' => "ss",
        'é' | 'è' | 'ê' | 'É' => "e",
        'á' | 'à' | 'â' => "a",
        'ñ' => "n",
        'ç' => "c",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words {
            known: &[("customer.number", "caller")],
            defaults: BTreeMap::from([("city".to_owned(), "Ulm \"west\"".to_owned())]),
            of_flow: BTreeSet::from(["day".to_owned()]),
            args: BTreeSet::new(),
        }
    }

    #[test]
    fn variables_of_others_become_ours() {
        for (theirs, ours) in [
            ("Hi {{name}}.", "Hi {{ name }}."),
            ("{{ customer.number }}", "{{ caller }}"),
            ("{{first-name | default: 'Bob'}}", "{{ first_name | default(\"Bob\", true) }}"),
            ("{{city}}", "{{ city | default(\"Ulm \\\"west\\\"\", true) }}"),
            ("{{day}} {{ name | upcase }}", "{{ vars.day }} {{ name | upper }}"),
            ("costs $5, ${HOME}, $$", "costs $5, $${HOME}, $$$"),
        ] {
            let reworded = words().template(theirs);
            assert_eq!(reworded, Reworded { text: ours.to_owned(), faults: Vec::new() });
        }
    }

    #[test]
    fn what_is_no_template_here_is_told_and_is_plain_text() {
        for theirs in ["{{ \"now\" | date: \"%A\" }}", "{{ a b }}", "{{ x", "{% if %} a", "{{ 1 +"]
        {
            let Reworded { text, faults } = words().template(theirs);
            assert!(!faults.is_empty(), "{theirs}: {text}");
            assert!(template::names(&text).is_ok(), "{theirs}: {text}");
        }
    }

    #[test]
    fn names_and_times_are_ours() {
        assert_eq!(slug("Mary's Dental – Büro", "x"), "mary-s-dental-buero");
        assert_eq!(slug("日本", "agent"), "agent");
        assert_eq!(variable("1st-name"), "v1st_name");
        assert_eq!((seconds(0.4).as_str(), seconds(600.0).as_str()), ("400ms", "600s"));
        assert_eq!(seconds(-1.0), "0s");
    }
}
