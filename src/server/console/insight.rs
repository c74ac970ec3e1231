//! `voxtrunk analytics` and `voxtrunk cdr export`: what calls of the running server came to, and their
//! records.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::server::console::client;
use crate::server::console::command::{Target, Trouble, fail};
use crate::server::console::paint::Paint;
use crate::server::console::table::{Cell, Table};
use crate::server::console::time::{millis, span};
use crate::server::control::columns::{Table as Columns, Unwritten};
use crate::server::control::export::ExtractView;
use crate::server::control::insight::{GroupView, InsightView};
use crate::server::control::protocol::{Ask, Extract, Inquiry};

/// Counts calls.
pub fn count(target: &Target, inquiry: Inquiry) -> ExitCode {
    target.run(Ask::Analytics(inquiry), |insight: &InsightView, paint| {
        (table(insight, paint), ExitCode::SUCCESS)
    })
}

/// Writes records into a file, or to the standard output.
pub fn export(target: &Target, extract: Extract, file: Option<PathBuf>) -> ExitCode {
    let exported = match &file {
        Some(path) => into_file(target, extract, path),
        None if extract.format == PARQUET && io::stdout().is_terminal() => {
            eprintln!("voxtrunk: a table is no text: say where it goes with --output FILE");
            return ExitCode::from(WRONG_USE);
        }
        None => copied(target, extract, &mut io::stdout().lock()).or_else(|why| match why {
            // Whoever reads us may have enough.
            Stuck::Write(_) => Ok(()),
            Stuck::Trouble(trouble) => Err(trouble),
        }),
    };
    exported.map_or_else(|trouble| fail(&trouble), |()| ExitCode::SUCCESS)
}

/// Why it does not go on.
enum Stuck {
    Write(io::Error),
    Trouble(Trouble),
}

/// Writes it under another name beside the file, which is put in its place at the end: half an
/// export never looks like a whole one, and what was there stays until then.
fn into_file(target: &Target, extract: Extract, path: &Path) -> Result<(), Trouble> {
    let refused = |why| Trouble::File { path: path.to_owned(), why };
    let stuck = |why| match why {
        Stuck::Write(why) => refused(why),
        Stuck::Trouble(trouble) => trouble,
    };
    // A pipe or a terminal has no other name.
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        let mut file = OpenOptions::new().write(true).open(path).map_err(refused)?;
        return copied(target, extract, &mut file).map_err(stuck);
    }
    // Where a link leads is where it is written.
    let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let partial = place.with_file_name(name);
    // What was said is nobody's business but the operator's.
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(&partial).map_err(refused)?;
    let done = copied(target, extract, &mut file)
        .map_err(stuck)
        .and_then(|()| file.sync_all().map_err(refused))
        .and_then(|()| std::fs::rename(&partial, &place).map_err(refused));
    if done.is_err() {
        std::fs::remove_file(&partial).ok();
    }
    done
}

/// Part by part.
fn copied(target: &Target, mut extract: Extract, out: &mut impl Write) -> Result<(), Stuck> {
    let no_table = |why: Unwritten| Stuck::Write(io::Error::other(why));
    let mut table = match extract.format == PARQUET {
        true => Some(Columns::new().map_err(no_table)?),
        false => None,
    };
    let mut client = target.connect().map_err(Stuck::Trouble)?;
    loop {
        let asked = client.ask(Ask::Export(extract.clone())).and_then(client::read);
        let page: ExtractView = asked.map_err(|why| Stuck::Trouble(why.into()))?;
        let part = match &mut table {
            Some(table) => table.put(&page.text).map_err(no_table)?,
            None => page.text.into_bytes(),
        };
        out.write_all(&part).and_then(|()| out.flush()).map_err(Stuck::Write)?;
        if page.next.is_none() {
            break;
        }
        extract.after = page.next;
    }
    let rest = table.map(Columns::end).transpose().map_err(no_table)?.unwrap_or_default();
    out.write_all(&rest).and_then(|()| out.flush()).map_err(Stuck::Write)
}

fn table(insight: &InsightView, paint: Paint) -> String {
    let InsightView { created_after, created_before, timezone, .. } = insight;
    let when = format!("from {created_after} to {created_before} ({timezone})");
    if insight.data.is_empty() {
        return format!("No call ended that began {when}.\n");
    }
    let named = [
        ("agent", "AGENT"),
        ("trunk", "TRUNK"),
        ("tenant", "TENANT"),
        ("route", "ROUTE"),
        ("direction", "DIRECTION"),
        ("hour", "HOUR"),
        ("day", "DAY"),
    ];
    let head = |by: &String| named.iter().find(|(name, _)| name == by).map_or("", |it| it.1);
    let mut heads: Vec<&str> = insight.by.iter().map(head).collect();
    heads.extend(["CALLS", "ANSWERED", "TALKED", "MEAN", "P50", "P95", "P99", "COST", "ENDS"]);
    let mut table = Table::new(&heads);
    for group in &insight.data {
        let mut cells: Vec<Cell> = insight
            .by
            .iter()
            .map(|by| Cell::maybe(group.group.get(by).and_then(Option::as_deref)))
            .collect();
        cells.extend(figures(group));
        table.row(cells);
    }
    format!("Calls that began {when}\n{}", table.print(paint))
}

fn figures(group: &GroupView) -> Vec<Cell> {
    let delay = |it: Option<u64>| Cell::maybe(it.map(|it| millis(it as f64)));
    let cost: Vec<String> = group.cost.iter().map(ToString::to_string).collect();
    let mut ends: Vec<_> = group.end_reason.iter().collect();
    ends.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let ends: Vec<String> =
        ends.iter().take(SHOWN).map(|(reason, count)| format!("{reason} {count}")).collect();
    vec![
        Cell::new(group.calls.to_string()),
        Cell::new(format!("{:.0} %", group.answer_rate * 100.0)),
        Cell::new(span(group.talk_ms.sum / 1_000)),
        Cell::maybe(group.talk_ms.average.map(|it| span(it / 1_000))),
        delay(group.latency_ms.p50),
        delay(group.latency_ms.p95),
        delay(group.latency_ms.p99),
        Cell::maybe((!cost.is_empty()).then(|| cost.join(" + "))),
        Cell::new(ends.join(", ")),
    ]
}

/// The format that is a table.
const PARQUET: &str = "parquet";

/// What commands end with that are not used as they should be.
const WRONG_USE: u8 = 2;

/// How many reasons are shown of a group.
const SHOWN: usize = 3;
