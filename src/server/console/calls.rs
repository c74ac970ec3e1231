//! `voxtrunk call list`, `show` and `hangup`: the calls that are up, and those that ended.

use std::process::ExitCode;

use crate::base::id::CallId;
use crate::server::console::client::ClientError;
use crate::server::console::command::{Target, Trouble};
use crate::server::console::ended::ended;
use crate::server::console::paint::{Ink, Paint, harmless};
use crate::server::console::table::{Cell, Table};
use crate::server::console::time::span;
use crate::server::control::history::CallSummary;
use crate::server::control::protocol::{
    Ask, FaultCode, HangUp, Hold, Identified, Mute, Originate, Oversee, Press, Record, Role, Say,
    Sought, Taping, Transfer,
};
use crate::server::control::view::{
    CallView, HeldView, HungUpView, LegView, List, MutedView, OriginatedView, OverseenView,
    PartyView, PressedView, RecordingView, SentView, ToldView,
};

/// Shows every call.
pub fn list(target: &Target) -> ExitCode {
    target.run(Ask::Calls, |calls: &List<CallView>, paint| {
        (table(&calls.data, paint), ExitCode::SUCCESS)
    })
}

/// Shows those that are looked for.
pub fn find(target: &Target, sought: Sought) -> ExitCode {
    target.run(Ask::History(sought), |calls: &List<CallSummary>, paint| {
        (past(&calls.data, paint), ExitCode::SUCCESS)
    })
}

/// Shows one.
pub fn show(target: &Target, id: String) -> ExitCode {
    let ask = |up| match up {
        true => Ask::Call(Identified { id: id.clone() }),
        false => Ask::Ended(Identified { id: id.clone() }),
    };
    let is_up = target.connect().and_then(|mut client| Ok(client.ask(ask(true))?));
    match is_up {
        // Only the whole identity of one that ended is known.
        Err(Trouble::Client(ClientError::Refused(fault)))
            if fault.code == FaultCode::NotFound && id.parse::<CallId>().is_ok() =>
        {
            target.run(ask(false), |record, paint| (ended(record, paint), ExitCode::SUCCESS))
        }
        _ => target.run(ask(true), |call: &CallView, paint| (card(call, paint), ExitCode::SUCCESS)),
    }
}

/// Begins one.
pub fn originate(target: &Target, order: Originate) -> ExitCode {
    target.run(Ask::Originate(order), |done: &OriginatedView, _| {
        (format!("{}\n", done.id), ExitCode::SUCCESS)
    })
}

/// Ends one.
pub fn hang_up(target: &Target, id: String, cause: Cause) -> ExitCode {
    let ask = Ask::HangUp(HangUp { id, q850: cause.0 });
    target.run(ask, |done: &HungUpView, _| {
        (format!("{} is being hung up (Q.850 cause {}).\n", done.id, done.q850), ExitCode::SUCCESS)
    })
}

/// Lets nobody hear the caller of one, or everybody again.
pub fn mute(target: &Target, id: String, muted: bool) -> ExitCode {
    target.run(Ask::Mute(Mute { id, muted }), |done: &MutedView, _| {
        let heard = if done.muted { "is heard by nobody" } else { "is heard again" };
        (format!("The caller of {} {heard}.\n", done.id), ExitCode::SUCCESS)
    })
}

/// Lets the caller's side of one wait, with music, or takes it back.
pub fn hold(target: &Target, id: String, on_hold: bool) -> ExitCode {
    target.run(Ask::Hold(Hold { id, on_hold }), |done: &HeldView, _| {
        let how = if done.on_hold { "waits, with music" } else { "is taken back" };
        (format!("The caller of {} {how}.\n", done.id), ExitCode::SUCCESS)
    })
}

/// Lets somebody oversee one.
pub fn oversee(target: &Target, id: String, (role, phone): (Role, String)) -> ExitCode {
    target.run(Ask::Oversee(Oversee { id, role, phone }), |done: &OverseenView, _| {
        let who = if done.on_the_line { "is on the line" } else { "is being called" };
        let heard = match done.role.as_str() {
            "whisper" => "our side",
            "barge" => "everybody",
            _ => "nobody",
        };
        let text = format!("{}: {} {who}, and is heard by {heard}.\n", done.id, done.phone);
        (harmless(&text), ExitCode::SUCCESS)
    })
}

/// Sends the near side of one somewhere.
pub fn transfer(target: &Target, order: Transfer) -> ExitCode {
    target.run(Ask::Transfer(order), |done: &SentView, _| {
        let text = format!("{} is being sent to {}.\n", done.id, done.to);
        (harmless(&text), ExitCode::SUCCESS)
    })
}

/// Has the agent of one say something.
pub fn say(target: &Target, order: Say) -> ExitCode {
    target.run(Ask::Say(order), |done: &ToldView, _| {
        (format!("{}: {} says it.\n", done.id, done.agent), ExitCode::SUCCESS)
    })
}

/// Presses keys in one.
pub fn press(target: &Target, order: Press) -> ExitCode {
    target.run(Ask::Press(order), |done: &PressedView, _| {
        (format!("{}: pressing {} keys.\n", done.id, done.digits), ExitCode::SUCCESS)
    })
}

/// Pauses the recording of one, or lets it go on.
pub fn record(target: &Target, id: String, action: Taping) -> ExitCode {
    target.run(Ask::Record(Record { id, action }), |done: &RecordingView, _| {
        let text = if done.paused {
            "what is said from now on is silence in its recording"
        } else {
            "its recording goes on"
        };
        (format!("{}: {text}.\n", done.id), ExitCode::SUCCESS)
    })
}

/// A cause of Q.850.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause(pub u8);

impl std::str::FromStr for Cause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = text.to_ascii_lowercase().replace('_', "-");
        let named = CAUSES.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        let value = named.or_else(|| text.parse().ok().filter(|value| (1..=127).contains(value)));
        value.map(Self).ok_or_else(|| {
            let names: Vec<&str> = CAUSES.iter().map(|(name, _)| *name).collect();
            format!("a cause is a number of Q.850 from 1 to 127, or one of: {}", names.join(", "))
        })
    }
}

fn past(calls: &[CallSummary], paint: Paint) -> String {
    if calls.is_empty() {
        return "There are no such calls.\n".to_owned();
    }
    let heads = ["CALL", "BEGAN", "LASTED", "STATUS", "REASON", "FROM", "TO", "BY", "WITH"];
    let mut table = Table::new(&heads);
    for call in calls {
        table.row(vec![
            Cell::new(&call.id),
            Cell::new(&call.started_at),
            Cell::new(span(call.duration_ms / 1_000)),
            Cell::new(&call.status),
            Cell::maybe(call.end_reason.as_deref()),
            Cell::new(&call.from.number),
            Cell::new(&call.to.number),
            Cell::maybe(call.trunk.as_deref()),
            Cell::new(call.agents.join(", ")),
        ]);
    }
    table.print(paint)
}

fn table(calls: &[CallView], paint: Paint) -> String {
    if calls.is_empty() {
        return "No call is up.\n".to_owned();
    }
    let heads = ["CALL", "AGE", "STATE", "FROM", "TO", "BY", "WITH", "CODEC"];
    let mut table = Table::new(&heads);
    for call in calls {
        let with =
            call.agent.clone().or_else(|| call.legs.iter().rev().find_map(|leg| leg.to.clone()));
        let codecs: Vec<&str> = call.legs.iter().filter_map(|leg| leg.codec.as_deref()).collect();
        table.row(vec![
            Cell::new(&call.id),
            Cell::new(span(call.age_ms / 1_000)),
            Cell::painted(&call.doing, ink_of(call)),
            Cell::new(party(&call.from)),
            Cell::new(party(&call.to)),
            Cell::maybe(call.trunk.as_ref().or(call.phone.as_ref())),
            Cell::maybe(with),
            Cell::maybe(Some(codecs.join(", "))),
        ]);
    }
    table.print(paint)
}

fn card(call: &CallView, paint: Paint) -> String {
    let mut lines = Vec::new();
    let state = paint.ink(&format!("{}, {}", call.status, call.doing), ink_of(call));
    lines.push(format!("{}   {state}", paint.ink(&call.id, Ink::Bold)));
    let mut fact =
        |name: &str, text: String| lines.push(format!("  {name:<10}{}", harmless(&text)));
    fact("from", party(&call.from));
    fact("to", party(&call.to));
    match (&call.trunk, &call.phone) {
        (Some(trunk), _) => fact("by trunk", trunk.clone()),
        (None, Some(phone)) => fact("by phone", phone.clone()),
        (None, None) => {}
    }
    for (name, value) in [("route", &call.route), ("agent", &call.agent)] {
        if let Some(value) = value {
            fact(name, value.clone());
        }
    }
    fact("began", format!("{} ({} ago)", call.started_at, span(call.age_ms / 1_000)));
    let answered = call.answered_ms.map(|after| format!("after {:.1} s", after as f64 / 1_000.0));
    fact("answered", answered.unwrap_or_else(|| "not yet".to_owned()));
    if call.on_hold {
        fact("on hold", "yes: the caller hears music".to_owned());
    }
    if call.recorded {
        let how = if call.recording_paused { "paused" } else { "yes" };
        fact("recorded", how.to_owned());
    }
    format!("{}\n\n{}{}", lines.join("\n"), legs(&call.legs, paint), quality(&call.legs, paint))
}

/// How well each leg is received, as far as that is known.
fn quality(legs: &[LegView], paint: Paint) -> String {
    let mut table = Table::new(&["LEG", "MOS", "LOST", "LOSS", "JITTER", "ROUND TRIP"]);
    let mut known = false;
    for (number, leg) in legs.iter().enumerate() {
        let Some(quality) = &leg.quality else { continue };
        known = true;
        let millis = |it: f64| format!("{it:.1} ms");
        table.row(vec![
            Cell::new(number.to_string()),
            Cell::maybe(quality.mos.map(|mos| format!("{mos:.2}"))),
            Cell::new(quality.lost.to_string()),
            Cell::new(format!("{:.2} %", quality.loss_percent)),
            Cell::new(millis(quality.jitter_ms)),
            Cell::maybe(quality.round_trip_ms.map(millis)),
        ]);
    }
    if known { format!("\n{}", table.print(paint)) } else { String::new() }
}

fn legs(legs: &[LegView], paint: Paint) -> String {
    let heads = ["LEG", "STATE", "WHO", "TRUNK", "CODEC", "PEER", "USER AGENT", "CALL-ID"];
    let mut table = Table::new(&heads);
    for (number, leg) in legs.iter().enumerate() {
        let ink = match leg.state.as_str() {
            "up" => Ink::Green,
            "over" | "ending" => Ink::Faint,
            _ => Ink::Yellow,
        };
        table.row(vec![
            Cell::new(number.to_string()),
            Cell::painted(&leg.state, ink),
            Cell::new(who(leg)),
            Cell::maybe(leg.trunk.as_deref()),
            Cell::maybe(leg.codec.as_deref()),
            Cell::maybe(leg.peer.as_deref()),
            Cell::maybe(leg.user_agent.as_deref()),
            Cell::maybe(leg.sip_call_id.as_deref()),
        ]);
    }
    table.print(paint)
}

fn who(leg: &LegView) -> String {
    let to = leg.to.as_deref().unwrap_or("the caller");
    match &leg.role {
        Some(role) => format!("{to} ({role})"),
        None => to.to_owned(),
    }
}

fn party(party: &PartyView) -> String {
    match &party.name {
        Some(name) => format!("{} \"{name}\"", party.number),
        None => party.number.clone(),
    }
}

fn ink_of(call: &CallView) -> Ink {
    match call.status.as_str() {
        "in-progress" => Ink::Green,
        "ringing" => Ink::Yellow,
        _ => Ink::Faint,
    }
}

/// Causes by the names that telephone systems have for them.
const CAUSES: [(&str, u8); 12] = [
    ("unallocated-number", 1),
    ("normal-clearing", 16),
    ("user-busy", 17),
    ("no-user-response", 18),
    ("no-answer", 19),
    ("subscriber-absent", 20),
    ("call-rejected", 21),
    ("number-changed", 22),
    ("destination-out-of-order", 27),
    ("normal-temporary-failure", 41),
    ("switch-congestion", 42),
    ("recovery-on-timer-expire", 102),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_a_number_or_a_name() {
        assert_eq!("17".parse(), Ok(Cause(17)));
        assert_eq!("USER_BUSY".parse(), Ok(Cause(17)));
        assert_eq!("normal-clearing".parse(), Ok(Cause(16)));
        assert!("0".parse::<Cause>().is_err());
        assert!("128".parse::<Cause>().is_err());
        assert!("tired".parse::<Cause>().unwrap_err().contains("user-busy"));
    }
}
