//! A call that ended, as operators are shown it: what it was, and what it cost.

use serde_json::{Map, Value};

use crate::server::console::paint::{Ink, Paint, harmless};
use crate::server::console::table::{Cell, Table};
use crate::server::console::time::span;

/// Shows the record of one.
pub fn ended(record: &Map<String, Value>, paint: Paint) -> String {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| {
        let party = record.get(key).and_then(|it| it.get("number"));
        party.and_then(Value::as_str).unwrap_or_default()
    };
    let state = format!("{}, {}", text("status"), text("end_reason"));
    let mut lines = vec![format!(
        "{}   {}",
        paint.ink(&harmless(text("id")), Ink::Bold),
        paint.ink(&harmless(&state), Ink::Faint)
    )];
    let millis = record.get("duration_ms").and_then(Value::as_u64).unwrap_or_default();
    let agents = record.get("agents").and_then(Value::as_array).into_iter().flatten();
    let agents: Vec<&str> = agents.filter_map(Value::as_str).collect();
    for (name, value) in [
        ("from", number("from").to_owned()),
        ("to", number("to").to_owned()),
        ("by trunk", text("trunk").to_owned()),
        ("route", text("route").to_owned()),
        ("with", agents.join(", ")),
        ("began", text("started_at").to_owned()),
        ("lasted", span(millis / 1_000)),
        ("cost", totals(record.get("cost"))),
    ] {
        if !value.is_empty() {
            lines.push(format!("  {name:<10}{}", harmless(&value)));
        }
    }
    format!("{}\n{}", lines.join("\n"), items(record.get("cost"), paint))
}

/// What all of it cost, in each currency.
fn totals(cost: Option<&Value>) -> String {
    let totals = cost.and_then(|it| it.get("totals")).and_then(Value::as_array);
    let totals: Vec<String> = totals.into_iter().flatten().filter_map(money).collect();
    totals.join(" + ")
}

/// What providers did, one line for each.
fn items(cost: Option<&Value>, paint: Paint) -> String {
    let items = cost.and_then(|it| it.get("items")).and_then(Value::as_array);
    let Some(items) = items.filter(|items| !items.is_empty()) else { return String::new() };
    let mut table = Table::new(&["STAGE", "PROVIDER", "MODEL", "COUNT", "UNIT", "COST"]);
    for item in items {
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        let count = item.get("count").and_then(Value::as_u64).unwrap_or_default();
        table.row(vec![
            Cell::maybe(text("stage")),
            Cell::maybe(text("provider")),
            Cell::maybe(text("model")),
            Cell::new(count.to_string()),
            Cell::maybe(text("unit")),
            Cell::maybe(money(item)),
        ]);
    }
    format!("\n{}", table.print(paint))
}

fn money(it: &Value) -> Option<String> {
    let text = |key: &str| it.get(key).and_then(Value::as_str);
    Some(format!("{} {}", text("amount")?, text("currency")?))
}
