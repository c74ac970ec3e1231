//! `voxtrunk trunk`: how trunks stand, and whether one works.

use std::io::IsTerminal;
use std::process::ExitCode;

use crate::server::console::command::Target;
use crate::server::console::paint::{Ink, Paint, harmless};
use crate::server::console::table::{Cell, Table};
use crate::server::console::time::{millis, span};
use crate::server::control::protocol::{Ask, Named};
use crate::server::control::view::{
    List, OptionsView, RegistrationView, StepView, TrialView, TrunkView,
};

/// Shows every trunk.
pub fn list(target: &Target) -> ExitCode {
    target.run(Ask::Trunks, |trunks: &List<TrunkView>, paint| {
        (table(&trunks.data, paint), ExitCode::SUCCESS)
    })
}

/// Shows one.
pub fn show(target: &Target, name: String) -> ExitCode {
    let ask = Ask::Trunk(Named { name });
    target.run(ask, |trunk: &TrunkView, paint| (card(trunk, paint), ExitCode::SUCCESS))
}

/// Tests one: fails when calls cannot go by it.
pub fn test(target: &Target, name: String) -> ExitCode {
    if std::io::stderr().is_terminal() {
        // Silence takes nine seconds.
        eprintln!("asking {} …", harmless(&name));
    }
    let ask = Ask::TestTrunk(Named { name });
    target.run(ask, |trial: &TrialView, paint| {
        let code = if trial.works { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        (told(trial, paint), code)
    })
}

fn table(trunks: &[TrunkView], paint: Paint) -> String {
    if trunks.is_empty() {
        return "There is no trunk: conf/server.toml names none.\n".to_owned();
    }
    let mut table =
        Table::new(&["TRUNK", "STATE", "SINCE", "REGISTERED", "OPTIONS", "IN", "OUT", "PEER"]);
    for trunk in trunks {
        table.row(vec![
            Cell::new(&trunk.name),
            Cell::painted(&trunk.state, ink_of(&trunk.state)),
            Cell::maybe(trunk.since_s.map(span)),
            trunk.registration.as_ref().map_or_else(Cell::none, registered),
            trunk.options.as_ref().map_or_else(Cell::none, answered),
            Cell::new(count(trunk.calls.inbound, trunk.limits.max_calls)),
            Cell::new(trunk.calls.outbound.to_string()),
            Cell::maybe(trunk.peer.as_deref()),
        ]);
    }
    table.print(paint)
}

fn registered(registration: &RegistrationView) -> Cell {
    match (&registration.expires_in_s, &registration.refusal) {
        (Some(left), _) => Cell::painted(format!("{} left", span(*left)), Ink::Green),
        (None, Some(refusal)) => {
            let text = format!("{} {}", refusal.status, refusal.phrase);
            Cell::painted(if refusal.status == 408 { &refusal.phrase } else { &text }, Ink::Red)
        }
        (None, None) => Cell::painted(&registration.state, Ink::Yellow),
    }
}

fn answered(options: &OptionsView) -> Cell {
    match (options.misses, options.status, options.after_ms) {
        (misses @ 1.., _, _) => Cell::painted(format!("{misses} missed"), Ink::Red),
        (0, Some(status), Some(after)) => {
            Cell::painted(format!("{status}, {}", millis(after)), Ink::Green)
        }
        (0, _, _) => Cell::none(),
    }
}

fn card(trunk: &TrunkView, paint: Paint) -> String {
    let mut lines = Vec::new();
    let since = trunk.since_s.map(|ago| format!(" since {}", span(ago))).unwrap_or_default();
    let reason = trunk.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let state = paint.ink(&trunk.state, ink_of(&trunk.state));
    lines.push(format!(
        "{}   {state}{since}{}",
        paint.ink(&trunk.name, Ink::Bold),
        harmless(&reason)
    ));
    let mut fact =
        |name: &str, text: String| lines.push(format!("  {name:<13}{}", harmless(&text)));
    fact("calls go to", trunk.peer.clone().unwrap_or_else(|| "nowhere: they only come in".into()));
    if let Some(registration) = &trunk.registration {
        fact("registration", standing(registration));
        if let Some(refusal) = &registration.refusal {
            let (status, ago) = (refusal.status, span(refusal.ago_s));
            fact("last refusal", format!("{status} {}, {ago} ago", refusal.phrase));
            fact("", refusal.meaning.clone());
        }
    }
    if let Some(options) = &trunk.options {
        fact("OPTIONS", pinged(options));
    }
    let (now, ever) = (&trunk.calls, &trunk.calls);
    let most = trunk.limits.max_calls.map(|most| format!(", at most {most}")).unwrap_or_default();
    let pace = trunk.limits.max_cps.map(|most| format!(", {most} a second")).unwrap_or_default();
    fact("calls now", format!("{} in, {} out{most}{pace}", now.inbound, now.outbound));
    fact("calls ever", format!("{} in, {} out", ever.inbound_total, ever.outbound_total));
    if let Some(failover) = &trunk.failover {
        fact("failover", format!("{failover} takes its calls when it is down"));
    }
    lines.join("\n") + "\n"
}

fn standing(registration: &RegistrationView) -> String {
    let at = &registration.registrar;
    let next = registration.next_in_s.map(|next| format!(", next REGISTER in {}", span(next)));
    let next = next.unwrap_or_default();
    match registration.expires_in_s {
        Some(left) => {
            let granted = registration.granted_s.unwrap_or_default();
            format!("at {at} for {} more (granted {}){next}", span(left), span(granted))
        }
        None => format!("{} at {at}{next}", registration.state),
    }
}

fn pinged(options: &OptionsView) -> String {
    let every = span(options.every_s.round() as u64);
    match (options.status, options.after_ms, options.ago_s) {
        (Some(408), _, _) | (None, _, _) if options.misses > 0 => {
            format!("every {every}, {} in a row without an answer", options.misses)
        }
        (Some(status), Some(after), Some(ago)) => {
            format!(
                "every {every}, last answer {status} after {}, {} ago",
                millis(after),
                span(ago)
            )
        }
        _ => format!("every {every}, no answer yet"),
    }
}

fn told(trial: &TrialView, paint: Paint) -> String {
    let mut table = Table::new(&["REQUEST", "TO", "AT", "ANSWER", "AFTER", "BY", "WHICH MEANS"]);
    for step in &trial.steps {
        table.row(vec![
            Cell::new(&step.request),
            Cell::new(&step.to),
            Cell::maybe(step.remote.as_deref()),
            answer(step),
            Cell::new(millis(step.after_ms)),
            Cell::maybe(step.by.as_deref()),
            Cell::new(&step.meaning),
        ]);
    }
    let remarks = trial.steps.iter().flat_map(|step| &step.remarks);
    let remarks: String = remarks.map(|it| format!("  {}\n", harmless(it))).collect();
    let (sign, ink) = if trial.works { ("✓", Ink::Green) } else { ("✗", Ink::Red) };
    let advice = trial.advice.as_ref().map(|it| format!("  {}\n", harmless(it)));
    format!(
        "{}{remarks}\n{} {}\n{}",
        table.print(paint),
        paint.ink(sign, ink),
        harmless(&trial.summary),
        advice.unwrap_or_default()
    )
}

fn answer(step: &StepView) -> Cell {
    let text = match step.status {
        408 => step.phrase.clone(),
        status => format!("{status} {}", step.phrase),
    };
    let ink = match step.status {
        200..=299 => Ink::Green,
        408 | 503 => Ink::Red,
        _ if step.request == "REGISTER" => Ink::Red,
        _ => Ink::Yellow,
    };
    Cell::painted(text, ink)
}

fn count(now: u64, most: Option<u64>) -> String {
    most.map_or_else(|| now.to_string(), |most| format!("{now}/{most}"))
}

fn ink_of(state: &str) -> Ink {
    match state {
        "up" => Ink::Green,
        "down" => Ink::Red,
        "unknown" => Ink::Yellow,
        _ => Ink::Faint,
    }
}
