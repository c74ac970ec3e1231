//! The mail of a tool, made of its definition and what is known of the call. Whom it goes to is the
//! operator's to say, and no value adds a line to its head.

use crate::agent::tools::arguments;
use crate::agent::tools::definition::Definition;
use crate::agent::tools::outcome;
use crate::base::scope::Scope;
use crate::base::template;

/// A mail, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Whom it goes to.
    pub to: Vec<String>,
    /// What it is about: one line.
    pub subject: String,
    /// What it says.
    pub text: String,
}

impl Letter {
    /// A mail of our own: its subject is one line whatever is in it, and neither is too long.
    pub fn plain(to: Vec<String>, subject: &str, text: &str) -> Self {
        let text = outcome::cut(body(text).trim(), LONGEST_TEXT);
        Self { to, subject: line(subject, LONGEST_SUBJECT), text }
    }
}

/// Whom a mail may go to whose recipient is a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed<'a> {
    /// This address.
    Address(&'a str),
    /// Everyone of this domain.
    Domain(&'a str),
    /// Everyone there is.
    Anyone,
}

/// The mail of a tool. `scope` knows the arguments as `args`.
///
/// # Errors
/// With why there is none, for the model.
pub fn letter(definition: &Definition, scope: &Scope) -> Result<Letter, String> {
    let render = |text: &str, part: &str| {
        // What the template says may hold a secret.
        let broken = |_| format!("the tool is not well set up: its `{part}` cannot be written");
        template::render_in(text, scope).map_err(broken)
    };
    let rendered = match definition.recipients.as_slice() {
        [] => definition.to.clone(),
        _ => render(&definition.to, "to")?,
    };
    let to: Vec<String> = addresses(&rendered).map(str::to_owned).collect();
    if to.is_empty() || to.len() > MOST_RECIPIENTS {
        return Err(format!("a mail goes to 1 to {MOST_RECIPIENTS} addresses: nothing was sent"));
    }
    for address in &to {
        if !arguments::is_address(address) {
            return Err("there is no such e-mail address: nothing was sent".to_owned());
        }
        if !definition.recipients.is_empty() && !may_be_written_to(definition, address) {
            return Err(format!("this tool does not write to {address}: nothing was sent"));
        }
    }
    let (subject, text) =
        (render(&definition.subject, "subject")?, render(&definition.text, "text")?);
    let text = outcome::cut(body(&text).trim(), LONGEST_TEXT);
    if text.is_empty() {
        return Err("the mail would be empty: nothing was sent".to_owned());
    }
    Ok(Letter { to, subject: line(&subject, LONGEST_SUBJECT), text })
}

/// Whom one entry of `recipients` allows; `None` when it is none.
pub fn allowed(entry: &str) -> Option<Allowed<'_>> {
    match entry.strip_prefix('@') {
        _ if entry == "*" => Some(Allowed::Anyone),
        Some(domain) => {
            arguments::is_address(&format!("x@{domain}")).then_some(Allowed::Domain(domain))
        }
        None => arguments::is_address(entry).then_some(Allowed::Address(entry)),
    }
}

/// The addresses of a list that commas part.
pub fn addresses(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|address| !address.is_empty())
}

/// The name and the address of `Reception <reception@example.com>`, or of the address alone.
pub fn mailbox(text: &str) -> Option<(&str, &str)> {
    if text.contains(char::is_control) {
        return None;
    }
    let (name, address) = match text.trim().strip_suffix('>') {
        Some(text) => text.split_once('<')?,
        None => ("", text.trim()),
    };
    let name = name.trim().trim_matches('"');
    let is_plain = !name.contains(['<', '>', '"']);
    (is_plain && arguments::is_address(address)).then_some((name, address))
}

fn may_be_written_to(definition: &Definition, address: &str) -> bool {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    definition.recipients.iter().filter_map(|entry| allowed(entry)).any(|entry| match entry {
        Allowed::Anyone => true,
        Allowed::Address(known) => known.eq_ignore_ascii_case(address),
        Allowed::Domain(known) => known.eq_ignore_ascii_case(domain),
    })
}

/// A text as one line of at most so many octets: nothing in it begins another.
fn line(text: &str, most: usize) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let words: Vec<&str> = text.split(|c: char| breaks(c) || c.is_whitespace()).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    line.get(..line.floor_char_boundary(most)).unwrap_or_default().trim_end().to_owned()
}

/// A text with plain ends of lines and without what no text has.
fn body(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// How many a mail goes to (T14).
pub const MOST_RECIPIENTS: usize = 10;

/// The longest subject, in octets.
const LONGEST_SUBJECT: usize = 200;

/// The longest text, in octets.
const LONGEST_TEXT: usize = 32 * 1_024;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(definition: Value, args: Value) -> Result<Letter, String> {
        let mut scope = Scope::default();
        scope.set("args", args);
        scope.set("call.from", "+49711");
        let definition = serde_json::from_value(definition).expect("a definition");
        letter(&definition, &scope)
    }

    #[test]
    fn values_stay_in_their_line() {
        let tool = json!({
            "type": "email", "to": "office@a.test, boss@a.test",
            "subject": "{{ call.from }}: {{ args.topic }}", "text": "Hello,\n{{ args.text }}\n",
        });
        let topic = "x\r\nBcc: all@b.test\r\n\r\nBuy\u{2028}this\u{85}now\u{0}";
        let text = "a\r\n.\r\nQUIT\r\u{7}b";
        let letter = written(tool, json!({ "topic": topic, "text": text })).expect("a mail");
        assert_eq!(letter.to, ["office@a.test", "boss@a.test"]);
        assert_eq!(letter.subject, "+49711: x Bcc: all@b.test Buy this now");
        assert_eq!(letter.text, "Hello,\na\n.\nQUIT\nb");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let tool = json!({ "type": "email", "to": "a@a.test", "subject": "{{ args.x }}",
                           "text": "{{ args.x }}" });
        let letter = written(tool.clone(), json!({ "x": "ü".repeat(40_000) })).expect("a mail");
        assert_eq!(letter.subject.len(), LONGEST_SUBJECT);
        assert!(letter.text.len() < LONGEST_TEXT + 80 && letter.text.contains("cut:"));
        assert!(written(tool, json!({ "x": " \r\n" })).is_err_and(|why| why.contains("empty")));
    }

    #[test]
    fn a_model_writes_to_those_alone_who_are_allowed() {
        let tool = |recipients: Value| {
            json!({ "type": "email", "to": "{{ args.to }}", "recipients": recipients,
                    "subject": "x", "text": "x" })
        };
        let to = |recipients: Value, to: &str| {
            written(tool(recipients), json!({ "to": to })).map(|letter| letter.to)
        };
        let some = || json!(["@example.com", "Ann@b.test"]);
        assert_eq!(to(some(), "x@Example.COM"), Ok(vec!["x@Example.COM".to_owned()]));
        assert_eq!(to(some(), "ann@b.test"), Ok(vec!["ann@b.test".to_owned()]));
        for stranger in ["bob@b.test", "x@example.com.evil.test", "x@a.example.com"] {
            assert!(to(some(), stranger).is_err_and(|why| why.contains("does not write")));
        }
        let both = to(some(), "ann@b.test, bob@b.test");
        assert!(both.is_err_and(|why| why.contains("does not write to bob@b.test")));
        for none in
            ["x@example.com\r\nRCPT TO:<b@b.test>", "<x@example.com>", "", "a b@example.com"]
        {
            assert!(to(json!(["*"]), none).is_err(), "{none}");
        }
        assert!(to(json!(["*"]), "bob@b.test").is_ok());
        let many = ["a@b.test"; 11].join(",");
        assert!(to(json!(["*"]), &many).is_err());
        // Without `recipients` nothing that a model says has a part in it.
        let fixed = json!({ "type": "email", "to": "{{ args.to }}", "subject": "x", "text": "x" });
        assert!(written(fixed, json!({ "to": "bob@b.test" })).is_err());
    }

    #[test]
    fn a_mailbox_has_a_name_or_none() {
        assert_eq!(mailbox("a@b.test"), Some(("", "a@b.test")));
        assert_eq!(mailbox("Our \u{dc}ber <a@b.test>"), Some(("Our \u{dc}ber", "a@b.test")));
        assert_eq!(mailbox("\"Ann\" <a@b.test>"), Some(("Ann", "a@b.test")));
        for wrong in ["", "a", "a@b", "x <a>", "x <a@b.test> y", "a\n<a@b.test>"] {
            assert_eq!(mailbox(wrong), None, "{wrong}");
        }
    }
}
