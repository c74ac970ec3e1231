//! `voxtrunk status`: how the server stands; and `voxtrunk events`: what happens to it.

use std::process::ExitCode;

use crate::server::console::command::{self, Form, Target};
use crate::server::console::events;
use crate::server::console::paint::{Ink, Paint, harmless};
use crate::server::console::time::{millis, span};
use crate::server::control::protocol::Ask;
use crate::server::control::view::{DoorView, StatusView};

/// Shows how the server stands.
pub fn show(target: &Target) -> ExitCode {
    target.run(Ask::Status, |status: &StatusView, paint| (card(status, paint), ExitCode::SUCCESS))
}

/// Shows what happens until somebody ends it.
pub fn watch(target: &Target) -> ExitCode {
    let paint = Paint::for_stdout();
    let mut take = |event: serde_json::Value| match target.form {
        Form::Json => command::print(&command::line(&event)),
        Form::Text => command::print(&events::line(&event, paint)),
    };
    let watched =
        target.connect().and_then(|mut client| Ok(client.stream(Ask::Events, &mut take)?));
    match watched {
        Ok(_) => ExitCode::SUCCESS,
        Err(trouble) => command::fail(&trouble),
    }
}

fn card(status: &StatusView, paint: Paint) -> String {
    let mut lines = vec![format!(
        "{}   up {}, process {}",
        paint.ink(&format!("voxtrunk {}", status.version), Ink::Bold),
        span(status.uptime_s),
        status.pid
    )];
    let mut fact =
        |name: &str, text: String| lines.push(format!("  {name:<10}{}", harmless(&text)));
    fact("listens", status.listens.join(", "));
    let calls = &status.calls;
    fact(
        "calls",
        format!(
            "{} of at most {} now; {} taken, {} refused",
            calls.active, calls.most, calls.taken, calls.refused
        ),
    );
    let trunks = &status.trunks;
    fact("trunks", format!("{} up, {} down of {}", trunks.up, trunks.down, trunks.total));
    let phones = &status.phones;
    fact(
        "phones",
        format!(
            "{} reachable; {} requests challenged, {} proved",
            phones.reachable, phones.challenged, phones.proved
        ),
    );
    let sip = &status.sip;
    fact(
        "SIP",
        format!(
            "{} sessions, {} transactions, {} connections; {} messages of no use",
            sip.sessions, sip.transactions, sip.connections, sip.dropped
        ),
    );
    fact("trace", format!("{} messages, {}", sip.traced, octets(sip.traced_octets)));
    let media = &status.media;
    fact(
        "media",
        format!(
            "{} ports; {} times late, at worst {}; lost to listeners {}, to calls {}",
            media.ports,
            media.late,
            millis(media.worst_ms),
            media.unheard,
            media.undelivered
        ),
    );
    fact("memory", status.memory.map_or_else(|| "unknown".to_owned(), octets));
    lines.extend(door(&status.door, paint));
    lines.join("\n") + "\n"
}

fn door(door: &DoorView, paint: Paint) -> Vec<String> {
    let shut = door.turned_away.iter().filter(|(_, count)| **count > 0);
    let mut lines: Vec<String> = shut
        .map(|(reason, count)| format!("    {:<16}{count:>10}", reason.replace('_', " ")))
        .collect();
    if lines.is_empty() {
        lines.push("    nobody".to_owned());
    }
    lines.insert(0, "  turned away at the door".to_owned());
    if !door.banned.is_empty() {
        lines.push("  banned".to_owned());
        let ban = |ban: &crate::server::control::view::BanView| {
            format!("    {:<40}{}", paint.ink(&ban.source, Ink::Red), span(ban.for_s))
        };
        lines.extend(door.banned.iter().map(ban));
    }
    lines
}

fn octets(count: u64) -> String {
    match count {
        0..=9_999 => format!("{count} octets"),
        10_000..=9_999_999 => format!("{} kB", count / 1_000),
        _ => format!("{} MB", count / 1_000_000),
    }
}
