//! Checks of what begins by itself: that it ever does, that somebody is called, and who speaks then.

use std::time::Duration;

use crate::base::destination::Destination;
use crate::config::check_routes::unknown_destination;
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::subject::Subject;
use crate::dialplan::schedule::Schedule;

/// Checks every schedule.
pub fn schedules(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, schedule) in subject.schedules {
        let path = format!("schedules.{name}");
        if schedule.next(LONG_AGO, &subject.server.machine.timezone).is_none() {
            let message = format!("schedule `{name}` is never due");
            found.push(
                Diagnostic::error("schedule.never", message)
                    .at(subject.place(&format!("{path}.cron")), "there is no such day"),
            );
        }
        found.extend(match &schedule.campaign {
            Some(campaign) => of_campaign(subject, (&path, schedule), campaign),
            None => of_calls(subject, (&path, schedule)),
        });
    }
    found
}

/// A campaign knows itself who is called, and as whom.
fn of_campaign(
    subject: &Subject<'_>,
    (path, schedule): (&str, &Schedule),
    campaign: &str,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let place = |key: &str| subject.place(&format!("{path}.{key}"));
    for (key, is_there) in [
        ("call", !schedule.call.is_empty()),
        ("to", schedule.to.is_some()),
        ("from", !schedule.from.is_empty()),
        ("ring", schedule.ring.is_some()),
        ("set", !schedule.set.is_empty()),
    ] {
        if is_there {
            let message = format!("`{key}` and `campaign` exclude each other");
            found.push(
                Diagnostic::error("schedule.both", message)
                    .at(place(key), "a campaign says this itself")
                    .help(format!("write it into [campaigns.{campaign}], or leave `campaign` out")),
            );
        }
    }
    if !subject.campaigns.contains_key(campaign)
        && subject.key(&format!("campaigns.{campaign}")).is_none()
    {
        let known = subject.campaigns.keys().map(String::as_str);
        let label = match did_you_mean(campaign, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "not defined".to_owned(),
        };
        let message = format!("there is no campaign `{campaign}`");
        found.push(Diagnostic::error("ref.unknown", message).at(place("campaign"), label));
    }
    found
}

fn of_calls(subject: &Subject<'_>, (path, schedule): (&str, &Schedule)) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let place = |key: &str| subject.place(&format!("{path}.{key}"));
    let here = subject.key(path);
    if schedule.call.is_empty() {
        found.push(
            Diagnostic::error("schedule.nobody", "nobody is called")
                .at(here.clone(), "here")
                .help("add call = \"+491701234567\", or campaign = \"NAME\""),
        );
    }
    if schedule.call.len() > MOST {
        let message = format!("at most {MOST} are called at once by a schedule");
        found.push(
            Diagnostic::error("value.range", message)
                .at(place("call"), format!("{} are", schedule.call.len()))
                .help("a campaign calls many, one after the other"),
        );
    }
    for callee in &schedule.call {
        if callee.is_called() {
            found.extend(unknown_destination(subject, callee, &format!("{path}.call")));
        } else {
            found.push(
                Diagnostic::error("schedule.call", format!("nobody can be called at `{callee}`"))
                    .at(place("call"), "not somebody outside")
                    .help("write a number such as \"+491701234567\", or phone:101"),
            );
        }
    }
    let Some(to) = &schedule.to else {
        found.push(
            Diagnostic::error("schedule.to", "nobody speaks with whoever answers")
                .at(here, "here")
                .help("add to = \"agent:NAME\", or to = \"flow:NAME\""),
        );
        return found;
    };
    found.extend(unknown_destination(subject, to, &format!("{path}.to")));
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
    if !speaks && !to.is_called() {
        found.push(
            Diagnostic::error("schedule.to", format!("whoever answers cannot come to `{to}`"))
                .at(place("to"), "this takes no calls that we begin")
                .help("write agent:NAME, flow:NAME or queue:NAME"),
        );
    }
    if schedule.ring.is_some_and(|ring| !(LEAST_RING..=MOST_RING).contains(&ring)) {
        let message = "a call rings for 5 s to 3 min";
        found.push(Diagnostic::error("value.range", message).at(place("ring"), "out of range"));
    }
    found
}

/// Whatever is due once is due after this.
const LONG_AGO: Duration = Duration::ZERO;

/// The most that one schedule calls at once.
const MOST: usize = 50;

const LEAST_RING: Duration = Duration::from_secs(5);
const MOST_RING: Duration = Duration::from_secs(180);
