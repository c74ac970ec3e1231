//! `voxtrunk db`: the database of a server, whether it runs or not.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use crate::engine::clock;
use crate::server::assembly::{self, Show};
use crate::server::storing;
use crate::store::call_archive::CallArchive;
use crate::store::database::{Database, Dialect, Statement};
use crate::store::index::Index;
use crate::store::migration::{self, MIGRATIONS};

/// Brings it into shape, or only tells what would be done.
pub fn migrate(config: &Path, dry_run: bool) -> ExitCode {
    run(config, async |database, _| {
        let steps = match dry_run {
            true => migration::pending(&database).await,
            false => migration::migrate(&database, clock::since_epoch()).await,
        };
        let steps = steps.map_err(|why| why.to_string())?;
        for step in steps {
            let how = if dry_run { "to do" } else { "done" };
            println!("{how}: {} {}", step.version, step.name);
        }
        if steps.is_empty() {
            println!("the database has shape {}: nothing is to be done", MIGRATIONS.len());
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Copies it into a new file.
pub fn backup(config: &Path, file: &Path) -> ExitCode {
    run(config, async |database, _| {
        database.backup(file).await.map_err(|why| why.to_string())?;
        println!("written: {}", file.display());
        Ok(ExitCode::SUCCESS)
    })
}

/// Tells whether it is sound and lists what there is; fails when it is not sound.
pub fn check(config: &Path) -> ExitCode {
    run(config, async |database, archive| {
        let left = migration::pending(&database).await.map_err(|why| why.to_string())?;
        if !left.is_empty() {
            println!("its shape is old: `voxtrunk db migrate` does {} steps", left.len());
            return Ok(ExitCode::FAILURE);
        }
        let found = flaws(&database).await?;
        for flaw in &found {
            println!("{flaw}");
        }
        let (missing, spare, listed) = compared(database, &archive).await?;
        println!("{listed} calls are listed");
        println!("{missing} files of calls are not listed: a server that starts lists them");
        println!("{spare} calls are listed whose files are not here");
        let is_sound = found.is_empty();
        println!("{}", if is_sound { "the database is sound" } else { "the database is broken" });
        Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// What the database itself finds wrong.
async fn flaws(database: &Database) -> Result<Vec<String>, String> {
    if database.dialect() == Dialect::Postgres {
        return Ok(Vec::new());
    }
    let asked = Statement::new("PRAGMA integrity_check", []);
    let rows = database.rows(asked).await.map_err(|why| why.to_string())?;
    let said = rows.iter().filter_map(|row| row.text(0)).filter(|said| *said != "ok");
    Ok(said.map(str::to_owned).collect())
}

/// How many files are not listed, how many calls are listed without files, and how many in all.
async fn compared(
    database: Database,
    archive: &CallArchive,
) -> Result<(usize, usize, usize), String> {
    let mut files: BTreeSet<_> = archive.calls().into_iter().collect();
    let (index, mut after, mut spare, mut count) = (Index::new(database), None, 0, 0);
    loop {
        let page = index.listed(after, PAGE).await.map_err(|why| why.to_string())?;
        let Some((last, _)) = page.last() else { return Ok((files.len(), spare, count)) };
        after = Some(*last);
        count += page.len();
        spare += page.iter().filter(|(call, _)| !files.remove(call)).count();
    }
}

/// Opens the database that the settings name, and does something with it.
fn run(
    config: &Path,
    work: impl AsyncFnOnce(Database, CallArchive) -> Result<ExitCode, String>,
) -> ExitCode {
    let loaded = match assembly::load(config, Show::Errors) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(why) => return fail(&why.to_string()),
    };
    let archive = CallArchive::new(loaded.server.calls_folder());
    let done = runtime.block_on(async {
        let database = storing::database(&loaded.server).map_err(|why| why.to_string())?;
        let done = work(database.clone(), archive).await;
        database.close().await;
        done
    });
    done.unwrap_or_else(|why| fail(&why))
}

fn fail(why: &str) -> ExitCode {
    eprintln!("voxtrunk: {why}");
    ExitCode::FAILURE
}

/// How many calls are looked at, at once.
const PAGE: usize = 10_000;
