//! Checks of the mail server and of the tools that send mails.

use crate::agent::tools::definition::{Confirm, Definition};
use crate::agent::tools::letter::{self, Allowed};
use crate::config::check_machine::in_plain_text;
use crate::config::diagnostic::Diagnostic;
use crate::config::mail::Hiding;
use crate::config::subject::Subject;

/// Checks `[mail]`.
pub fn server(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(mail) = &subject.server.mail else { return Vec::new() };
    let mut found = Vec::new();
    if letter::mailbox(&mail.from).is_none() {
        found.push(
            Diagnostic::error("mail.from", format!("`{}` is no sender of mails", mail.from))
                .at(subject.place("mail.from"), "no e-mail address")
                .help("write it as \"Reception <reception@example.com>\""),
        );
    }
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-.:_".contains(c);
    if mail.host.is_empty() || !mail.host.chars().all(is_host) {
        found.push(
            Diagnostic::error("mail.host", format!("`{}` is no host", mail.host))
                .at(subject.place("mail.host"), "here")
                .help("write it as \"mail.example.com\"; the port stands under `port`"),
        );
    }
    if mail.username.is_some() != mail.password.is_some() {
        let (there, missing) = match mail.username {
            Some(_) => ("username", "password"),
            None => ("password", "username"),
        };
        let message = format!("there is a `{there}` for the mail server and no `{missing}`");
        found.push(
            Diagnostic::error("mail.login", message)
                .at(subject.key(&format!("mail.{there}")), "one needs the other"),
        );
    }
    if mail.tls == Hiding::None && mail.password.is_some() {
        found.push(
            Diagnostic::warning("mail.open", "the password of the mail server goes in clear")
                .at(subject.place("mail.tls"), "whoever is on the way can read it")
                .help("leave `tls` out, or take \"tls\", if the server knows it"),
        );
    }
    found.extend(mail.password.iter().filter_map(|_| in_plain_text(subject, "mail.password")));
    found
}

/// Checks a tool that sends mails; `path` is that of its table.
pub fn tool(subject: &Subject<'_>, definition: &Definition, path: &str) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let key = |key: &str| format!("{path}.{key}");
    if subject.server.mail.is_none() {
        found.push(
            Diagnostic::error("mail.missing", "there is no server that would take this mail")
                .at(subject.place(&key("type")), "this needs [mail]")
                .help(
                    "add [mail] with host = \"mail.example.com\" and from = \"reception@example.com\" \
                     to the settings of the server",
                ),
        );
    }
    for (name, text) in
        [("to", &definition.to), ("subject", &definition.subject), ("text", &definition.text)]
    {
        if text.trim().is_empty() {
            found.push(
                Diagnostic::error("key.missing", format!("a mail has no `{name}`"))
                    .at(subject.key(path), format!("`{name}` must stand in this table")),
            );
        }
    }
    if definition.limit.is_some_and(|limit| !(1..=MOST_MAILS).contains(&limit)) {
        let message = format!("`limit` must be a whole number from 1 to {MOST_MAILS}");
        found.push(
            Diagnostic::error("value.range", message)
                .at(subject.place(&key("limit")), "out of range"),
        );
    }
    found.extend(recipients(subject, definition, path));
    found
}

/// Whom it writes to: told by the operator, and never by a model alone.
fn recipients(subject: &Subject<'_>, definition: &Definition, path: &str) -> Vec<Diagnostic> {
    let (to, list) = (&definition.to, &definition.recipients);
    let (to_path, list_path) = (format!("{path}.to"), format!("{path}.recipients"));
    let mut found = Vec::new();
    if list.is_empty() && to.contains('{') {
        found.push(
            Diagnostic::error("mail.recipient", "nothing says whom a model may write to")
                .at(subject.place(&to_path), "this is a template")
                .help("add recipients = [\"@example.com\"], or write an address here"),
        );
    } else if list.is_empty() {
        let mut wrong = letter::addresses(to).filter(|it| letter::mailbox(it) != Some(("", it)));
        if let Some(wrong) = wrong.next() {
            let message = format!("`{wrong}` is no e-mail address");
            found.push(
                Diagnostic::error("mail.recipient", message)
                    .at(subject.place(&to_path), "write it as \"office@example.com\""),
            );
        }
    }
    for (at, entry) in list.iter().enumerate() {
        let place = subject.element(&list_path, at);
        match letter::allowed(entry) {
            None => found.push(
                Diagnostic::error("mail.recipient", format!("`{entry}` allows nobody"))
                    .at(place, "neither an address nor a domain")
                    .help("write \"ann@example.com\", \"@example.com\" or \"*\""),
            ),
            Some(Allowed::Anyone) if definition.confirm == Confirm::No => found.push(
                Diagnostic::error("mail.anyone", "a tool that writes to anyone asks first")
                    .at(place, "a model could write to whomever it likes")
                    .help("add confirm = \"Shall I write to {{ args.address }}?\""),
            ),
            Some(Allowed::Address(_) | Allowed::Domain(_) | Allowed::Anyone) => {}
        }
    }
    found
}

/// How many mails a call may send at most.
const MOST_MAILS: u32 = 20;
