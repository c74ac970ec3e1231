//! `voxtrunk webhook`: who is told what happens.

use std::process::ExitCode;

use crate::server::console::command::Target;
use crate::server::console::paint::{Ink, Paint, harmless};
use crate::server::console::table::{Cell, Table};
use crate::server::control::protocol::{Ask, Named, Replay, WebhookLog};
use crate::server::control::view::List;
use crate::server::control::webhook_view::{
    DeliveryView, ReplayedView, WebhookTestView, WebhookView,
};

/// Shows all of them.
pub fn list(target: &Target) -> ExitCode {
    target.run(Ask::Webhooks, |webhooks: &List<WebhookView>, paint| {
        (table(&webhooks.data, paint), ExitCode::SUCCESS)
    })
}

/// Tells one something that did not happen; it fails when that is not taken.
pub fn test(target: &Target, name: String) -> ExitCode {
    target.run(Ask::TestWebhook(Named { name: name.clone() }), |done: &WebhookTestView, _| {
        let code = if done.delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        (harmless(&verdict(&name, done)) + "\n", code)
    })
}

/// Shows what one was told.
pub fn log(target: &Target, wanted: WebhookLog) -> ExitCode {
    target.run(Ask::WebhookLog(wanted), |log: &List<DeliveryView>, paint| {
        (deliveries(&log.data, paint), ExitCode::SUCCESS)
    })
}

/// Tells one again.
pub fn replay(target: &Target, order: Replay) -> ExitCode {
    target.run(Ask::Replay(order), |done: &ReplayedView, _| {
        (format!("{} events are told again.\n", done.replayed), ExitCode::SUCCESS)
    })
}

fn table(webhooks: &[WebhookView], paint: Paint) -> String {
    if webhooks.is_empty() {
        return "Nobody is told: the settings name no webhooks.\n".to_owned();
    }
    let mut table = Table::new(&["WEBHOOK", "STATE", "PENDING", "DEAD", "EVENTS", "URL"]);
    for webhook in webhooks {
        table.row(vec![
            Cell::new(&webhook.name),
            match &webhook.disabled_since {
                Some(since) => Cell::painted(format!("gone since {since}"), Ink::Red),
                None => Cell::painted("told", Ink::Green),
            },
            Cell::new(webhook.pending.to_string()),
            Cell::new(webhook.dead.to_string()),
            Cell::new(webhook.events.join(", ")),
            Cell::new(&webhook.url),
        ]);
    }
    table.print(paint)
}

fn verdict(name: &str, done: &WebhookTestView) -> String {
    let again = if done.enabled { "; it is told what happens again" } else { "" };
    match (done.delivered, done.status, &done.error) {
        (true, Some(status), _) => {
            format!("{name} took it: HTTP {status} after {} ms{again}.", done.took_ms)
        }
        (_, Some(status), _) => format!("{name} did not take it: HTTP {status}."),
        (_, None, why) => {
            let why = why.as_deref().unwrap_or("no answer");
            format!("{name} was not told: {why}.")
        }
    }
}

fn deliveries(log: &[DeliveryView], paint: Paint) -> String {
    if log.is_empty() {
        return "It was told nothing of this.\n".to_owned();
    }
    let heads = ["EVENT", "TYPE", "CALL", "STATE", "TRIES", "LAST", "NEXT", "ANSWER"];
    let mut table = Table::new(&heads);
    for it in log {
        let ink = match it.state.as_str() {
            "delivered" => Ink::Green,
            "dead" => Ink::Red,
            _ => Ink::Yellow,
        };
        let answer = it.error.clone().or_else(|| it.status.map(|status| format!("HTTP {status}")));
        table.row(vec![
            Cell::new(&it.event),
            Cell::new(&it.kind),
            Cell::maybe(it.call_id.as_deref()),
            Cell::painted(&it.state, ink),
            Cell::new(it.attempts.to_string()),
            Cell::maybe(it.tried_at.as_deref()),
            Cell::maybe(it.next_at.as_deref()),
            Cell::maybe(answer),
        ]);
    }
    table.print(paint)
}
