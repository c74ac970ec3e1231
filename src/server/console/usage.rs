//! `voxtrunk usage`: what calls have cost, and what they may.

use std::process::ExitCode;

use crate::server::console::command::Target;
use crate::server::console::paint::{Ink, Paint};
use crate::server::console::table::{Cell, Table};
use crate::server::control::protocol::Ask;
use crate::server::control::usage::{MoneyView, UsageView};
use crate::server::control::view::List;

/// Shows a line for each account.
pub fn list(target: &Target) -> ExitCode {
    target.run(Ask::Usage, |usage: &List<UsageView>, paint| {
        (table(&usage.data, paint), ExitCode::SUCCESS)
    })
}

fn table(usage: &[UsageView], paint: Paint) -> String {
    let heads = ["ACCOUNT", "TODAY", "OF", "MIN OUT", "OF", "MONTH", "MIN IN", "MIN OUT", "OF"];
    let mut table = Table::new(&heads);
    for line in usage {
        let UsageView { today, month, .. } = line;
        let (minutes, all) = (today.minutes_out, month.minutes_in + month.minutes_out);
        table.row(vec![
            Cell::new(&line.account),
            Cell::maybe(today.cost.as_ref().map(text).as_deref()),
            Cell::maybe(line.daily_budget.as_ref().map(text).as_deref()),
            filled(minutes, line.daily_minutes),
            Cell::maybe(line.daily_minutes.map(|it| it.to_string()).as_deref()),
            Cell::maybe(month.cost.as_ref().map(text).as_deref()),
            Cell::new(month.minutes_in.to_string()),
            filled_by(month.minutes_out, all, line.minutes_per_month),
            Cell::maybe(line.minutes_per_month.map(|it| it.to_string()).as_deref()),
        ]);
    }
    table.print(paint)
}

fn text(money: &MoneyView) -> String {
    format!("{} {}", money.amount, money.currency)
}

fn filled(count: u64, most: Option<u32>) -> Cell {
    filled_by(count, count, most)
}

/// A count, in red when nothing is left of what may be.
fn filled_by(count: u64, sum: u64, most: Option<u32>) -> Cell {
    match most {
        Some(most) if sum >= u64::from(most) => Cell::painted(count.to_string(), Ink::Red),
        _ => Cell::new(count.to_string()),
    }
}
