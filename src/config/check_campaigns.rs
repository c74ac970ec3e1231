//! Checks of campaigns: somebody who speaks, times at which somebody can be called, and what is left
//! with machines.

use std::time::Duration;

use crate::base::destination::Destination;
use crate::base::template;
use crate::config::check_hours::unknown_lists;
use crate::config::check_routes::unknown_destination;
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::source::Span;
use crate::config::subject::Subject;
use crate::dialplan::campaign::Campaign;

/// Checks every campaign.
pub fn campaigns(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, campaign) in subject.campaigns {
        let check = Check { subject, campaign, name, path: format!("campaigns.{name}") };
        found.extend(check.target());
        found.extend(check.trunk());
        found.extend(check.times());
        found.extend(check.values());
        found.extend(check.limits());
        found.extend(check.machine());
        found.extend(unknown_lists(subject, &campaign.dnc, &format!("{}.dnc", check.path)));
    }
    found
}

struct Check<'a> {
    subject: &'a Subject<'a>,
    campaign: &'a Campaign,
    name: &'a str,
    path: String,
}

impl Check<'_> {
    fn target(&self) -> Option<Diagnostic> {
        let to = &self.campaign.to;
        let unknown = unknown_destination(self.subject, to, &format!("{}.to", self.path));
        let speaks = matches!(
            to,
            Destination::Agent(_)
                | Destination::Squad(_)
                | Destination::Menu(_)
                | Destination::Flow(_)
                | Destination::Queue(_)
                | Destination::Stream(_)
                | Destination::Conference(_)
        );
        let told = || {
            Diagnostic::error("campaign.to", format!("whoever answers cannot come to `{to}`"))
                .at(self.place("to"), "this takes no calls that we begin")
                .help("write agent:NAME, flow:NAME or queue:NAME")
        };
        unknown.or_else(|| (!speaks && !to.is_called()).then(told))
    }

    fn trunk(&self) -> Option<Diagnostic> {
        let trunk = self.campaign.trunk.as_ref()?;
        let trunks = &self.subject.server.trunks;
        if trunks.contains_key(trunk) {
            return None;
        }
        let label = match did_you_mean(trunk, trunks.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "not defined".to_owned(),
        };
        let message = format!("there is no trunk `{trunk}`");
        Some(Diagnostic::error("ref.unknown", message).at(self.place("trunk"), label))
    }

    /// Times at which nobody would ever be called.
    fn times(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if self.campaign.hours.as_ref().is_some_and(|hours| !hours.ever_open()) {
            let message = format!("campaign `{}` never calls anybody", self.name);
            found.push(
                Diagnostic::error("campaign.never_open", message)
                    .at(self.place("hours"), "no day has hours")
                    .help("add days, such as mon-fri = \"09:00-20:00\""),
            );
        }
        let (start, stop) = self.campaign.span(&self.subject.server.machine.timezone);
        if start.zip(stop).is_some_and(|(start, stop)| stop <= start) {
            let message = format!("campaign `{}` is over before it begins", self.name);
            found.push(
                Diagnostic::error("campaign.never_open", message)
                    .at(self.place("stop"), "not after `start`"),
            );
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
        let Campaign { concurrency, pace, ring, retry, .. } = self.campaign;
        range("concurrency", (1..=MOST_CALLS).contains(concurrency), "`concurrency` is 1 to 1000");
        let paced = pace.per_second > 0.0 && pace.per_second <= 1_000.0;
        range("pace", paced, "`pace` is more than nothing, and at most 1000/s");
        let rings = Duration::from_secs(5)..=Duration::from_secs(180);
        range("ring", ring.is_none_or(|ring| rings.contains(&ring)), "`ring` must be 5s to 180s");
        let rules = [
            ("retry.busy", retry.busy),
            ("retry.no_answer", retry.no_answer),
            ("retry.machine", retry.machine),
            ("retry.failed", retry.failed),
            ("retry.interrupted", retry.interrupted),
        ];
        for (key, rule) in rules {
            let fits = rule.is_none_or(|rule| (1..=MOST_TRIES).contains(&rule.count));
            range(&format!("{key}.count"), fits, "`count` is 1 to 20");
        }
        found
    }

    /// What the machine lets out at most: whoever is beyond it is `blocked`.
    fn limits(&self) -> Option<Diagnostic> {
        let limits = &self.subject.server.security.outbound;
        let Campaign { concurrency, pace, .. } = self.campaign;
        let beyond = |seconds: f64, most: u32| pace.per_second * seconds > f64::from(most) + 0.5;
        let (key, most) = if beyond(60.0, limits.max_per_minute) {
            ("pace", format!("max_per_minute = {}", limits.max_per_minute))
        } else if beyond(3_600.0, limits.max_per_hour) {
            ("pace", format!("max_per_hour = {}", limits.max_per_hour))
        } else if *concurrency > limits.max_calls as usize {
            ("concurrency", format!("max_calls = {}", limits.max_calls))
        } else {
            return None;
        };
        let message = format!("campaign `{}` wants more calls than may go out", self.name);
        Some(
            Diagnostic::warning("campaign.limits", message)
                .at(self.place(key), format!("[security.outbound] {most} lets no more out"))
                .help("raise the limit, or rows beyond it come to `blocked`"),
        )
    }

    /// What is left with machines.
    fn machine(&self) -> Vec<Diagnostic> {
        let Some(amd) = &self.campaign.amd else { return Vec::new() };
        let mut found = Vec::new();
        if let Some((key, why)) = amd.objection() {
            found.push(
                Diagnostic::error("campaign.amd", why)
                    .at(self.place(&format!("amd.{key}")), "here"),
            );
        }
        for (key, text) in [("message", amd.words()), ("screening", amd.screening.as_deref())] {
            let Some(Err(why)) = text.map(template::names) else { continue };
            let message = format!("the template cannot be read: {why}");
            let place = self.place(&format!("amd.{key}"));
            found.push(Diagnostic::error("template.syntax", message).at(place, "here"));
        }
        let fault = self.campaign.sound.as_deref().and_then(|it| self.subject.external.sound(it));
        let path = format!("{}.amd", self.path);
        found.extend(fault.map(|fault| {
            let fault = crate::config::external::Fault { path: "message".to_owned(), ..fault };
            self.subject.diagnostic(fault, &path)
        }));
        found
    }

    fn place(&self, key: &str) -> Option<Span> {
        self.subject.place(&format!("{}.{key}", self.path))
    }
}

/// The most calls of a campaign at once.
const MOST_CALLS: usize = 1_000;

/// How often somebody may be called again.
const MOST_TRIES: u32 = 20;
