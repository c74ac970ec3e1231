//! The shape of the database, step by step. A step is done as a whole or not at all, and never
//! changed once it was given away.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::base::sum::hexadecimal;
use crate::store::database::{Database, DatabaseError, Dialect, Statement};

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Counted from 1.
    pub version: i64,
    /// What it is about.
    pub name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// Why a database does not have the shape that we need.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    /// It does not answer, or refuses.
    #[error("{0}")]
    Database(#[from] DatabaseError),
    /// It was changed by a program that knows more.
    #[error("the database has shape {0}, and this program knows {LATEST}: take a newer program")]
    Newer(i64),
    /// A step was another one when it was done.
    #[error("step {0} was done otherwise than this program knows it")]
    Other(i64),
}

/// The steps that are still to be done.
///
/// # Errors
/// When the database does not answer, or is of another program.
pub async fn pending(database: &Database) -> Result<&'static [Migration], MigrationError> {
    let done = done(database).await?;
    for (version, sum) in &done {
        let at = usize::try_from(version - 1).unwrap_or(usize::MAX);
        let known = MIGRATIONS.get(at).ok_or(MigrationError::Newer(*version))?;
        if known.sum(database.dialect()) != *sum {
            return Err(MigrationError::Other(*version));
        }
    }
    Ok(MIGRATIONS.get(done.len()..).unwrap_or_default())
}

/// Does the steps that are still to be done; tells which those were. Before an old file of SQLite is
/// changed a copy is put beside it.
///
/// # Errors
/// When one could not be done. Those before it were.
pub async fn migrate(
    database: &Database,
    now: Duration,
) -> Result<&'static [Migration], MigrationError> {
    let steps = pending(database).await?;
    let Some(first) = steps.first() else { return Ok(steps) };
    if first.version > 1
        && let Some(file) = database.file()
    {
        let copy = file.with_extension(format!("before-{}.db", first.version));
        if !copy.exists() {
            database.backup(&copy).await?;
        }
    }
    for step in steps {
        let done = database.run(step.script(database.dialect()), step.noted(database, now)).await;
        if let Err(why) = done {
            // Another server may just have done it.
            let left = pending(database).await?;
            if left.iter().any(|it| it.version == step.version) {
                return Err(why.into());
            }
        }
    }
    Ok(steps)
}

impl Migration {
    fn script(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }

    fn sum(&self, dialect: Dialect) -> String {
        hexadecimal(&Sha256::digest(self.script(dialect).as_bytes()))
    }

    fn noted(&self, database: &Database, now: Duration) -> Statement {
        let at = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        let values = [self.version.into(), self.sum(database.dialect()).into(), at.into()];
        Statement::new("INSERT INTO migrations (version, sum, done) VALUES ($1, $2, $3)", values)
    }
}

/// The steps that were done, and what they were then.
async fn done(database: &Database) -> Result<Vec<(i64, String)>, DatabaseError> {
    let there = match database.dialect() {
        Dialect::Sqlite => "SELECT name FROM sqlite_schema WHERE name = 'migrations'",
        Dialect::Postgres => "SELECT to_regclass('migrations')::text",
    };
    let found = database.rows(Statement::new(there, [])).await?;
    if found.first().is_none_or(|row| row.text(0).is_none()) {
        return Ok(Vec::new());
    }
    let asked = Statement::new("SELECT version, sum FROM migrations ORDER BY version", []);
    let rows = database.rows(asked).await?;
    let step = |row: &crate::store::database::Row| Some((row.number(0)?, row.text(1)?.to_owned()));
    Ok(rows.iter().filter_map(step).collect())
}

/// All of them, in order.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "calls that ended, and the words in them",
        sqlite: include_str!("migrations/0001_calls.sqlite.sql"),
        postgres: include_str!("migrations/0001_calls.postgres.sql"),
    },
    Migration {
        version: 2,
        name: "events that are still to be told",
        sqlite: include_str!("migrations/0002_outbox.sqlite.sql"),
        postgres: include_str!("migrations/0002_outbox.postgres.sql"),
    },
    Migration {
        version: 3,
        name: "requests that must not be done twice",
        sqlite: include_str!("migrations/0003_requests.sqlite.sql"),
        postgres: include_str!("migrations/0003_requests.postgres.sql"),
    },
    Migration {
        version: 4,
        name: "what calls are counted by",
        sqlite: include_str!("migrations/0004_counts.sqlite.sql"),
        postgres: include_str!("migrations/0004_counts.postgres.sql"),
    },
    Migration {
        version: 5,
        name: "traces that go on with whoever is told",
        sqlite: include_str!("migrations/0005_traces.sqlite.sql"),
        postgres: include_str!("migrations/0005_traces.postgres.sql"),
    },
    Migration {
        version: 6,
        name: "what calls cost",
        sqlite: include_str!("migrations/0006_costs.sqlite.sql"),
        postgres: include_str!("migrations/0006_costs.postgres.sql"),
    },
];

const LATEST: usize = MIGRATIONS.len();
