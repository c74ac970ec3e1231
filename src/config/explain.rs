//! Turns what the TOML reader says about a mistake into what an operator can use.

use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::shape;
use crate::config::source::Span;

/// A key or value that does not fit.
pub struct Mistake<'a> {
    /// Where: `agents.reception.turns.wait`.
    pub path: String,
    /// What the reader says.
    pub message: &'a str,
    /// What is written there.
    pub written: &'a str,
    /// Whether the value must not be shown.
    pub hidden: bool,
}

/// Explains a syntax error.
pub fn syntax(message: &str, span: Span) -> Diagnostic {
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let diagnostic = Diagnostic::error("syntax", format!("this is not TOML: {what}"));
    let label = if expected.is_empty() { String::new() } else { format!("expected {expected}") };
    let diagnostic = diagnostic.at(Some(span), if label.is_empty() { "here" } else { &label });
    if what.contains("duplicate") {
        return diagnostic.help("a key may stand only once in a table; merge the two");
    }
    diagnostic
}

/// The key that is missing, if that is the mistake.
pub fn missing_key(message: &str) -> Option<&str> {
    message.strip_prefix("missing field ").map(|key| key.trim_matches('`'))
}

/// Explains a key that is not known, at the end of `path`.
pub fn unknown_key(path: &str, known: &[&str], span: Span) -> Diagnostic {
    let key = last_key(path);
    if shape::is_planned_key(path) {
        return Diagnostic::error("key.unsupported", format!("`{key}` is not supported yet"))
            .at(Some(span), "a later version will know this key")
            .help("leave it out for now");
    }
    let label = match did_you_mean(key, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "not known".to_owned(),
    };
    Diagnostic::error("key.unknown", format!("there is no key `{key}` here"))
        .at(Some(span), label)
        .help(format!("known keys: {}", known.join(", ")))
}

impl Mistake<'_> {
    /// Explains it.
    pub fn explain(&self, span: Span) -> Diagnostic {
        if self.message.starts_with("unknown field") {
            let known = self.message.split_once(", expected ").map_or("", |(_, names)| names);
            return unknown_key(&self.path, &quoted(known), span);
        }
        if let Some(key) = missing_key(self.message) {
            return Diagnostic::error("key.missing", format!("the key `{key}` is missing"))
                .at(Some(span), format!("`{key}` must stand in this table"));
        }
        if shape::is_planned_value(&self.path, self.value()) {
            let message = format!("`{}` cannot be \"{}\" yet", self.key(), self.value());
            return Diagnostic::error("value.unsupported", message)
                .at(Some(span), "a later version will know it")
                .help(self.choices().unwrap_or_else(|| "leave the key out for now".to_owned()));
        }
        if self.hidden {
            return Diagnostic::error("value.invalid", format!("`{}` does not fit", self.key()))
                .at(
                    Some(span),
                    format!("expected {}", self.expected().map_or("another value", in_words)),
                )
                .help("the value itself is not shown: it comes from a reference or is a secret");
        }
        if self.message.starts_with("unknown variant") {
            return self.unknown_choice(span);
        }
        match self.message.split_once(": ") {
            Some(("invalid type" | "invalid value", _)) => self.wrong_type(span),
            _ => self.refused(span),
        }
    }

    fn unknown_choice(&self, span: Span) -> Diagnostic {
        let (written, names) = self.message.split_once(", expected ").unwrap_or_default();
        let names = quoted(names);
        let written = quoted(written).first().copied().unwrap_or_default();
        let message = format!("`{}` cannot be `{written}`", self.key());
        let diagnostic = Diagnostic::error("value.unknown", message);
        let diagnostic = match did_you_mean(written, names.iter().copied()) {
            Some(name) => diagnostic.at(Some(span), format!("did you mean \"{name}\"?")),
            None => diagnostic.at(Some(span), "not known"),
        };
        diagnostic.help(format!("choices: {}", names.join(", ")))
    }

    fn wrong_type(&self, span: Span) -> Diagnostic {
        let range = self.message.starts_with("invalid value");
        let code = if range { "value.range" } else { "value.type" };
        let expected = self.expected().map_or("another value", in_words);
        let found = self.message.split_once(": ").map_or("", |(_, found)| found);
        let label = if range { "out of range" } else { kind_in_words(found) };
        Diagnostic::error(code, format!("`{}` must be {expected}", self.key()))
            .at(Some(span), label)
    }

    /// A value that its own type refused, with a sentence of its own: the part after the colon is
    /// a hint.
    fn refused(&self, span: Span) -> Diagnostic {
        let unit = self.message.contains("duration") || self.message.contains("is not a rate");
        let code = if unit { "value.unit" } else { "value.invalid" };
        if self.message.contains("not a kind of destination")
            && shape::is_planned_destination(self.value())
        {
            let kind = self.value().split(':').next().unwrap_or_default();
            let message = format!("destinations of the kind `{kind}` are not supported yet");
            return Diagnostic::error("value.unsupported", message)
                .at(Some(span), "a later version will know it")
                .help(
                    "there are agent:, squad:, menu:, flow:, queue:, phone:, group:, sip:, tel: and others",
                );
        }
        let (message, hint) = self.message.split_once(": ").unwrap_or((self.message, ""));
        let diagnostic = Diagnostic::error(code, message);
        if hint.starts_with("did you mean") {
            diagnostic.at(Some(span), hint)
        } else if hint.is_empty() {
            diagnostic.at(Some(span), "here")
        } else {
            diagnostic.at(Some(span), "here").help(hint)
        }
    }

    /// The last key of the path.
    fn key(&self) -> &str {
        last_key(&self.path)
    }

    /// The text that is written, without its quotes.
    fn value(&self) -> &str {
        self.written.trim_matches(['"', '\''])
    }

    fn expected(&self) -> Option<&str> {
        self.message.split_once(", expected ").map(|(_, expected)| expected)
    }

    fn choices(&self) -> Option<String> {
        let names = quoted(self.expected()?);
        (!names.is_empty()).then(|| format!("choices: {}", names.join(", ")))
    }
}

/// The names in backquotes: of `` `a` or `b` `` a and b.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The last key of a path, without indexes.
fn last_key(path: &str) -> &str {
    let last = path.rsplit('.').next().unwrap_or_default();
    last.split('[').next().unwrap_or_default()
}

/// Says in an operator's words what serde found instead.
fn kind_in_words(found: &str) -> &'static str {
    match found.split(' ').next().unwrap_or_default() {
        "string" => "this is a text",
        "integer" => "this is a whole number",
        "floating" => "this is a number",
        "boolean" => "this is true or false",
        "sequence" => "this is a list",
        "map" => "this is a table",
        _ => "this is something else",
    }
}

/// Says in an operator's words what Rust calls a type.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "f32" | "f64" => "a number",
        "a string" | "string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}
