//! Checks of voicemails: lengths that make sense, a sound that plays, addresses, and a mail server
//! that takes what goes there.

use std::time::Duration;

use crate::agent::mailbox::Mailbox;
use crate::agent::tools::letter;
use crate::base::destination::Destination;
use crate::config::check_routes::{unknown_agent, unknown_destination};
use crate::config::diagnostic::{Diagnostic, Severity};
use crate::config::source::Span;
use crate::config::subject::Subject;

/// Checks every voicemail, and those of phones.
pub fn mailboxes(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, mailbox) in subject.mailboxes {
        let check = Check { subject, mailbox, name, path: format!("voicemail.{name}") };
        let mut wrong = check.lengths();
        wrong.extend(check.greeting());
        wrong.extend(check.email());
        if let Some(agent) = &mailbox.agent {
            wrong.extend(unknown_agent(subject, agent, &format!("{}.agent", check.path)));
        }
        if wrong.iter().all(|it| it.severity == Severity::Warning) {
            wrong.extend(check.outside());
        }
        found.extend(wrong);
    }
    for (name, phone) in &subject.server.phones {
        let to = phone.voicemail.clone().map(Destination::Voicemail);
        let path = format!("phones.{name}.voicemail");
        found.extend(to.and_then(|to| unknown_destination(subject, &to, &path)));
    }
    found
}

struct Check<'a> {
    subject: &'a Subject<'a>,
    mailbox: &'a Mailbox,
    name: &'a str,
    path: String,
}

impl Check<'_> {
    fn lengths(&self) -> Vec<Diagnostic> {
        let Mailbox { max_length, min_length, silence, max_messages, .. } = self.mailbox;
        let second = Duration::from_secs(1);
        let wrong = [
            ("max_length", (second..=LONGEST).contains(max_length), "1 s to 30 m"),
            ("min_length", min_length < max_length, "less than `max_length`"),
            ("silence", (second..=LONGEST).contains(silence), "1 s to 30 m"),
            ("max_messages", (1..=MOST).contains(max_messages), "1 to 10000"),
        ];
        let wrong = wrong.into_iter().filter(|(_, fits, _)| !fits);
        wrong
            .map(|(key, _, range)| {
                let message = format!("`{key}` must be {range}");
                Diagnostic::error("value.range", message).at(self.place(key), "out of range")
            })
            .collect()
    }

    /// A text that is the same in every call.
    fn greeting(&self) -> Option<Diagnostic> {
        let greeting = self.mailbox.greeting.as_deref()?;
        let (message, label) = match greeting {
            text if text.contains("{{") => {
                ("a greeting is the same in every call", "variables are not known here")
            }
            text if text.trim().is_empty() => ("the greeting says nothing", "empty"),
            _ => return None,
        };
        Some(Diagnostic::error("voicemail.greeting", message).at(self.place("greeting"), label))
    }

    /// Addresses, and somebody who takes the mails.
    fn email(&self) -> Vec<Diagnostic> {
        let Some(to) = &self.mailbox.email else { return Vec::new() };
        let mut found = Vec::new();
        if self.subject.server.mail.is_none() {
            let message = "there is no server that would take these mails";
            found.push(
                Diagnostic::error("mail.missing", message)
                    .at(self.place("email"), "this needs [mail]")
                    .help(
                        "add [mail] with host = \"mail.example.com\" and from = \
                         \"voicemail@example.com\" to the settings of the server",
                    ),
            );
        }
        let count = letter::addresses(to).count();
        if !(1..=letter::MOST_RECIPIENTS).contains(&count) {
            let message = format!("{count} addresses, and 1 to {} fit", letter::MOST_RECIPIENTS);
            let place = self.place("email");
            found.push(Diagnostic::error("mail.recipient", message).at(place, "here"));
        }
        let mut wrong = letter::addresses(to).filter(|it| letter::mailbox(it) != Some(("", it)));
        if let Some(wrong) = wrong.next() {
            found.push(
                Diagnostic::error("mail.recipient", format!("`{wrong}` is no e-mail address"))
                    .at(self.place("email"), "write it as \"office@example.com\""),
            );
        }
        found
    }

    /// What the machine says to its voice, and to whoever writes messages down.
    fn outside(&self) -> Vec<Diagnostic> {
        let post = Destination::Voicemail(self.name.to_owned()).to_string();
        let Some(agent) = self.subject.posts.get(&post) else { return Vec::new() };
        let (external, server) = (self.subject.external, self.subject.server);
        let mut found = external.agent(agent, &post, server);
        found.extend(self.mailbox.sound.as_deref().and_then(|file| external.sound(file)));
        found.into_iter().map(|fault| self.subject.diagnostic(fault, &self.path)).collect()
    }

    fn place(&self, key: &str) -> Option<Span> {
        self.subject.place(&format!("{}.{key}", self.path))
    }
}

/// The longest that a message or a silence may be.
const LONGEST: Duration = Duration::from_secs(1_800);

/// The most messages of one voicemail.
const MOST: u32 = 10_000;
