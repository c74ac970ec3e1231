//! Checks of menus: keys that differ, places that are there, and a way out.

use crate::agent::menu::Menu;
use crate::base::destination::Destination;
use crate::config::check_routes::{unknown_agent, unknown_destination};
use crate::config::diagnostic::{Diagnostic, Severity};
use crate::config::source::Span;
use crate::config::subject::Subject;

/// Checks every menu.
pub fn menus(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, menu) in subject.menus {
        let check = Check { subject, menu, name, path: format!("menus.{name}") };
        let mut wrong = check.digits();
        wrong.extend(check.targets());
        wrong.extend(check.texts());
        wrong.extend(check.way_out());
        if wrong.iter().all(|it| it.severity == Severity::Warning) {
            wrong.extend(check.outside());
        }
        found.extend(wrong);
    }
    found
}

struct Check<'a> {
    subject: &'a Subject<'a>,
    menu: &'a Menu,
    name: &'a str,
    path: String,
}

impl Check<'_> {
    /// Keys of a telephone, at least one.
    fn digits(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if self.menu.digits.is_empty() {
            let message = format!("menu `{}` has no choices", self.name);
            found.push(
                Diagnostic::error("menu.no_digits", message)
                    .at(self.place("digits"), "empty")
                    .help("write digits = { 1 = \"agent:NAME\" }"),
            );
        }
        for key in self.menu.digits.keys() {
            let is_key = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#');
            if key.is_empty() || key.len() > MOST_KEYS || !key.chars().all(is_key) {
                let message = format!("`{key}` is nothing that can be pressed");
                found.push(
                    Diagnostic::error("menu.digit", message)
                        .at(self.key(&format!("digits.{key}")), "here")
                        .help(format!("one to {MOST_KEYS} of 0-9 * #")),
                );
            }
        }
        for key in self.menu.phrases.keys().filter(|key| !self.menu.digits.contains_key(*key)) {
            let message = format!("menu `{}` has no key {key}", self.name);
            let place = self.key(&format!("phrases.{key}"));
            found.push(Diagnostic::error("menu.phrases", message).at(place, "leads nowhere"));
        }
        found.extend(self.twins());
        found
    }

    /// Words that stand for two keys.
    fn twins(&self) -> Vec<Diagnostic> {
        let mut first_with = std::collections::BTreeMap::new();
        let mut found = Vec::new();
        for (key, phrases) in &self.menu.phrases {
            for (at, phrase) in phrases.iter().enumerate() {
                let Some(first) = first_with.insert(phrase.to_lowercase(), key) else { continue };
                if first == key {
                    continue;
                }
                let message = format!("`{phrase}` stands for the keys {first} and {key}");
                let place = self.subject.element(&format!("{}.phrases.{key}", self.path), at);
                found.push(
                    Diagnostic::error("menu.digit_conflict", message)
                        .at(place, "again here")
                        .at(self.place(&format!("phrases.{first}")), "first here"),
                );
            }
        }
        found
    }

    fn targets(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (key, to) in self.menu.destinations() {
            let path = format!("{}.{key}", self.path);
            found.extend(unknown_destination(self.subject, to, &path));
            if let Destination::Drill(_) = to {
                let message = format!("`{to}` cannot be reached from a menu");
                found.push(
                    Diagnostic::error("menu.test", message)
                        .at(self.place(&key), "a test takes whole calls")
                        .help("give it a [[route]] of its own"),
                );
            }
        }
        if let Some(agent) = &self.menu.agent {
            found.extend(unknown_agent(self.subject, agent, &format!("{}.agent", self.path)));
        }
        found
    }

    /// Texts that are the same in every call: they are said again as they stand.
    fn texts(&self) -> Vec<Diagnostic> {
        let say = [("say", Some(&self.menu.say)), ("invalid.say", self.menu.invalid.say.as_ref())];
        let mut found = Vec::new();
        for (key, _) in say.into_iter().filter(|(_, text)| text.is_some_and(|it| it.contains("{{")))
        {
            found.push(
                Diagnostic::error("menu.template", "a menu says the same in every call")
                    .at(self.place(key), "variables are not known here"),
            );
        }
        if self.menu.say.trim().is_empty() {
            let message = format!("menu `{}` says nothing", self.name);
            found.push(Diagnostic::error("menu.mute", message).at(self.place("say"), "empty"));
        }
        for (key, tries) in
            [("timeout.tries", self.menu.timeout.tries), ("invalid.tries", self.menu.invalid.tries)]
        {
            if tries == 0 {
                let message = "`tries` must be 1 or more";
                let place = self.place(key);
                found.push(Diagnostic::error("value.range", message).at(place, "out of range"));
            }
        }
        found
    }

    /// A menu of which every choice is the menu itself.
    fn way_out(&self) -> Option<Diagnostic> {
        let leads_back =
            |to: &Destination| matches!(to, Destination::Menu(name) if name == self.name);
        let mut all = self.menu.digits.values();
        (!self.menu.digits.is_empty() && all.all(leads_back)).then(|| {
            let message = format!("menu `{}` leads only to itself", self.name);
            Diagnostic::error("menu.no_way_out", message)
                .at(self.place("digits"), "no other place among them")
        })
    }

    /// What the machine says to its voice, its ears and its words.
    fn outside(&self) -> Vec<Diagnostic> {
        let post = Destination::Menu(self.name.to_owned()).to_string();
        let Some(agent) = self.subject.posts.get(&post) else { return Vec::new() };
        let found = self.subject.external.agent(agent, &post, self.subject.server);
        found.into_iter().map(|fault| self.subject.diagnostic(fault, &self.path)).collect()
    }

    fn place(&self, key: &str) -> Option<Span> {
        self.subject.place(&format!("{}.{key}", self.path))
    }

    fn key(&self, key: &str) -> Option<Span> {
        self.subject.key(&format!("{}.{key}", self.path))
    }
}

/// The most keys that are one choice.
const MOST_KEYS: usize = 8;
