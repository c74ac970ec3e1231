//! `voxtrunk campaign`: who is called by the running server, and what came of it.

use std::process::ExitCode;

use crate::server::console::client;
use crate::server::console::command::{self, Form, Target, Trouble, fail};
use crate::server::console::paint::{Ink, Paint};
use crate::server::console::table::{Cell, Table};
use crate::server::control::campaigns::{CampaignRowView, CampaignView, MOST_ROWS, NoCallsView};
use crate::server::control::protocol::{Action, Ask, CampaignOrder, Named, NoCalls, RowsWanted};
use crate::server::control::view::List;

/// Shows every campaign.
pub fn list(target: &Target) -> ExitCode {
    target.run(Ask::Campaigns, |campaigns: &List<CampaignView>, paint| {
        (table(&campaigns.data, paint), ExitCode::SUCCESS)
    })
}

/// Shows one.
pub fn show(target: &Target, name: String) -> ExitCode {
    target.run(Ask::Campaign(Named { name }), |campaign: &CampaignView, paint| {
        (table(std::slice::from_ref(campaign), paint) + &results_of(campaign), ExitCode::SUCCESS)
    })
}

/// Does something with one.
pub fn order(target: &Target, name: String, action: Action) -> ExitCode {
    let order = CampaignOrder { name, action };
    target.run(Ask::OrderCampaign(order), |campaign: &CampaignView, _| {
        let text = format!("Campaign {} is {}.\n", campaign.name, campaign.state);
        (text, ExitCode::SUCCESS)
    })
}

/// Nobody calls a number any more.
pub fn no_calls(target: &Target, number: String) -> ExitCode {
    target.run(Ask::NoCalls(NoCalls { number }), |done: &NoCallsView, _| {
        (format!("{} is called by no campaign any more.\n", done.number), ExitCode::SUCCESS)
    })
}

/// Prints what came of every row: for people, as JSON, or as CSV.
pub fn results(target: &Target, name: String, csv: bool) -> ExitCode {
    match all_rows(target, &name) {
        Err(trouble) => fail(&trouble),
        Ok(rows) if target.form == Form::Json => {
            for row in &rows {
                println!("{}", serde_json::to_string(row).unwrap_or_default());
            }
            ExitCode::SUCCESS
        }
        Ok(rows) => {
            let text = if csv { as_csv(&rows) } else { as_table(&rows) };
            // Whoever reads us may have enough.
            command::print(&text).ok();
            ExitCode::SUCCESS
        }
    }
}

/// All rows, page by page.
fn all_rows(target: &Target, name: &str) -> Result<Vec<CampaignRowView>, Trouble> {
    let mut client = target.connect()?;
    let mut rows: Vec<CampaignRowView> = Vec::new();
    loop {
        let after = rows.last().map_or(0, |row| row.line);
        let wanted = RowsWanted { name: name.to_owned(), after, limit: MOST_ROWS };
        let page: List<CampaignRowView> = client::read(client.ask(Ask::CampaignRows(wanted))?)?;
        let is_last = page.data.len() < MOST_ROWS;
        rows.extend(page.data);
        if is_last {
            return Ok(rows);
        }
    }
}

fn as_csv(rows: &[CampaignRowView]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let heads = [
        "line",
        "number",
        "result",
        "reason",
        "sip_status",
        "amd",
        "tries",
        "call_id",
        "at",
        "talked_ms",
    ];
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    // Nothing is in the way of writing into memory.
    writer.write_record(heads).ok();
    for row in rows {
        let fields = [
            row.line.to_string(),
            text(&row.number),
            row.result.clone(),
            text(&row.reason),
            row.sip_status.map(|status| status.to_string()).unwrap_or_default(),
            text(&row.amd),
            row.tries.to_string(),
            text(&row.call_id),
            text(&row.at),
            row.talked_ms.to_string(),
        ];
        writer.write_record(fields).ok();
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn as_table(rows: &[CampaignRowView]) -> String {
    let mut table = Table::new(&["LINE", "NUMBER", "RESULT", "TRIES", "REASON"]);
    for row in rows {
        table.row(vec![
            Cell::new(row.line.to_string()),
            Cell::maybe(row.number.as_deref()),
            Cell::new(&row.result),
            Cell::new(row.tries.to_string()),
            Cell::maybe(row.reason.as_deref()),
        ]);
    }
    table.print(Paint::for_stdout())
}

fn table(campaigns: &[CampaignView], paint: Paint) -> String {
    if campaigns.is_empty() {
        return "There is no campaign: the dialplan has no [campaigns.NAME].\n".to_owned();
    }
    let heads = ["CAMPAIGN", "STATE", "ROWS", "BAD", "PENDING", "ACTIVE", "AGAIN", "CALLS", "WHY"];
    let mut table = Table::new(&heads);
    for campaign in campaigns {
        let ink = match campaign.state.as_str() {
            "running" => Ink::Green,
            "paused" => Ink::Yellow,
            "failed" => Ink::Red,
            _ => Ink::Faint,
        };
        let count = |count: usize| Cell::new(count.to_string());
        table.row(vec![
            Cell::new(&campaign.name),
            Cell::painted(&campaign.state, ink),
            count(campaign.rows),
            count(campaign.bad_rows),
            count(campaign.pending),
            count(campaign.active),
            count(campaign.again),
            Cell::new(campaign.calls.to_string()),
            Cell::maybe(campaign.reason.as_deref()),
        ]);
    }
    table.print(paint)
}

fn results_of(campaign: &CampaignView) -> String {
    let lines = campaign.results.iter().map(|(result, count)| format!("  {count:>7}  {result}\n"));
    lines.collect()
}
