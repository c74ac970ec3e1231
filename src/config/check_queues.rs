//! Checks of queues: members that can be called, and a way out that is there.

use std::time::Duration;

use crate::base::destination::Destination;
use crate::base::template;
use crate::config::check_routes::{unknown_agent, unknown_destination};
use crate::config::diagnostic::{Diagnostic, Severity};
use crate::config::source::Span;
use crate::config::subject::Subject;
use crate::dialplan::queue::{Queue, speaker};

/// Checks every queue.
pub fn queues(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, queue) in subject.queues {
        let check = Check { subject, queue, name, path: format!("queues.{name}") };
        let mut wrong = check.members();
        wrong.extend(check.targets());
        wrong.extend(check.values());
        if wrong.iter().all(|it| it.severity == Severity::Warning) {
            wrong.extend(check.outside());
        }
        found.extend(wrong);
    }
    found
}

struct Check<'a> {
    subject: &'a Subject<'a>,
    queue: &'a Queue,
    name: &'a str,
    path: String,
}

impl Check<'_> {
    fn members(&self) -> Vec<Diagnostic> {
        let (subject, path) = (self.subject, format!("{}.members", self.path));
        let mut found = Vec::new();
        if self.queue.members.is_empty() {
            let message = format!("nobody serves queue `{}`", self.name);
            found.push(
                Diagnostic::error("queue.no_members", message)
                    .at(self.place("members"), "empty")
                    .help("write members = [\"phone:NAME\"]"),
            );
        }
        for (at, member) in self.queue.members.iter().enumerate() {
            let own = format!("{path}[{at}]");
            found.extend(unknown_destination(subject, &member.to, &own));
            let place = subject.element(&path, at);
            if !member.to.is_called() {
                let message = format!("`{}` cannot serve a queue", member.to);
                found.push(
                    Diagnostic::error("queue.member", message)
                        .at(place, "nobody is called there")
                        .help("members are phone:, group:, tel:, trunk: and sip: destinations"),
                );
            } else if self.queue.members.iter().take(at).any(|it| it.to == member.to) {
                let message = format!("`{}` serves queue `{}` twice", member.to, self.name);
                found.push(Diagnostic::error("queue.member", message).at(place, "again here"));
            }
        }
        found
    }

    fn targets(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if let Some(to) = &self.queue.otherwise {
            found.extend(unknown_destination(self.subject, to, &format!("{}.else", self.path)));
            let is_own = matches!(to, Destination::Queue(name) if name == self.name);
            if is_own || matches!(to, Destination::Drill(_)) {
                let message = format!("nobody comes from queue `{}` to `{to}`", self.name);
                let label = if is_own { "that is the queue itself" } else { "a test" };
                found.push(Diagnostic::error("queue.else", message).at(self.place("else"), label));
            }
        }
        if let Some(agent) = &self.queue.agent {
            found.extend(unknown_agent(self.subject, agent, &format!("{}.agent", self.path)));
        }
        found
    }

    fn values(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut range = |key: &str, fits: bool, message: &str| {
            if !fits {
                found.push(
                    Diagnostic::error("value.range", message).at(self.place(key), "out of range"),
                );
            }
        };
        let (queue, every) = (self.queue, self.queue.announce.every);
        let ring = (Duration::from_secs(3)..=Duration::from_secs(180)).contains(&queue.ring);
        range("ring", ring, "`ring` must be from 3s to 180s");
        range("announce.every", every >= OFTEN, "`announce.every` must be 10s or more");
        range("retry", queue.retry >= SOON, "`retry` must be 1s or more");
        let fits = (1..=MOST_CALLERS).contains(&queue.max_callers);
        range("max_callers", fits, "`max_callers` must be from 1 to 10000");
        let waits = queue.max_wait.is_none_or(|it| it >= SOON);
        range("max_wait", waits, "`max_wait` must be 1s or more");
        if let Some(callback) = &queue.callback {
            let is_key = callback.key.len() == 1
                && callback.key.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '#'));
            range("callback.key", is_key, "`callback.key` must be one of 0-9 * #");
            let within = (SOON..=LONGEST_CALLBACK).contains(&callback.within);
            range("callback.within", within, "`callback.within` must be from 1s to 3d");
        }
        for (key, text) in
            [("say", &queue.say), ("announce.say", &queue.announce.say), ("brief", &queue.brief)]
        {
            let Some(Err(why)) = text.as_deref().map(template::names) else { continue };
            let message = format!("the template cannot be read: {why}");
            found.push(Diagnostic::error("template.syntax", message).at(self.place(key), "here"));
        }
        found
    }

    /// What the machine says to its voice and its music.
    fn outside(&self) -> Vec<Diagnostic> {
        let post = speaker(self.name);
        let Some(agent) = self.subject.posts.get(&post) else { return Vec::new() };
        let mut found = self.subject.external.agent(agent, &post, self.subject.server);
        for fault in found.iter_mut().filter(|fault| fault.path == "ambience") {
            "music".clone_into(&mut fault.path);
        }
        found.into_iter().map(|fault| self.subject.diagnostic(fault, &self.path)).collect()
    }

    fn place(&self, key: &str) -> Option<Span> {
        self.subject.place(&format!("{}.{key}", self.path))
    }
}

/// The shortest time between two announcements.
const OFTEN: Duration = Duration::from_secs(10);

/// The shortest time for what should not be done over and over.
const SOON: Duration = Duration::from_secs(1);

/// The longest time for which somebody who is to be called back keeps its place.
const LONGEST_CALLBACK: Duration = Duration::from_secs(3 * 86_400);

/// The most callers in a queue.
const MOST_CALLERS: usize = 10_000;
