//! The database, whichever it is: SQLite in a file, or PostgreSQL on a server. Both are asked with
//! the same texts and bound values; what differs between them stands here.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Row as _, TypeInfo as _, ValueRef as _,
};

use crate::base::secret::{ExposeSecret, Secret};

/// A database. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Database {
    place: Place,
}

/// Where a database is.
#[derive(Debug, Clone)]
enum Place {
    /// One writes, several read.
    Sqlite {
        file: PathBuf,
        write: SqlitePool,
        read: SqlitePool,
    },
    Postgres(PgPool),
}

/// Whose words are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// What is asked or ordered: a text with `$1`, `$2` and so on, and what stands there.
#[derive(Debug, Clone)]
pub struct Statement {
    text: Cow<'static, str>,
    values: Vec<Value>,
}

/// A value of a statement or of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, or none.
    Text(Option<String>),
    /// A whole number, or none.
    Number(Option<i64>),
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(Vec<Value>);

/// Why a database does not do it. Nothing of a password is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct DatabaseError {
    /// In words.
    pub why: String,
    /// Whether it is about what was given, and not about the database: trying again does not help.
    pub of_data: bool,
}

/// A query with its values; each of the two databases has types of its own for it.
macro_rules! bound {
    ($statement:expr) => {{
        let Statement { text, values } = $statement;
        let query = sqlx::query(AssertSqlSafe(text.into_owned()));
        values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
        })
    }};
}

impl Database {
    /// Takes a file of SQLite, and makes it when it is not there. Only we may read it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn sqlite(file: &Path) -> io::Result<Self> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // What was said is nobody's business but the operator's; SQLite gives the files beside it
        // the same rights.
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let pool = |most, patience| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(PATIENCE)
                .connect_lazy_with(options.clone().busy_timeout(patience))
        };
        let (write, read) = (pool(1, WRITE_WITHIN), pool(READERS, READ_WITHIN));
        Ok(Self { place: Place::Sqlite { file: file.to_owned(), write, read } })
    }

    /// Takes a server of PostgreSQL, which need not be there yet.
    ///
    /// # Errors
    /// When the URL is none; nothing of it is told.
    pub fn postgres(url: &Secret) -> Result<Self, DatabaseError> {
        let options: Result<PgConnectOptions, _> = url.expose_secret().parse();
        let options = options.map_err(|_| DatabaseError::new("its URL cannot be read"))?;
        let options = options
            .application_name("voxtrunk")
            .options([("statement_timeout", PATIENCE.as_millis().to_string())])
            .disable_statement_logging();
        let pool = PgPoolOptions::new().max_connections(READERS + 1).acquire_timeout(PATIENCE);
        Ok(Self { place: Place::Postgres(pool.connect_lazy_with(options)) })
    }

    /// Whose words are spoken there.
    pub fn dialect(&self) -> Dialect {
        match &self.place {
            Place::Sqlite { .. } => Dialect::Sqlite,
            Place::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::Sqlite { file, .. } => Some(file),
            Place::Postgres(_) => None,
        }
    }

    /// Asks.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn rows(&self, asked: Statement) -> Result<Vec<Row>, DatabaseError> {
        within(PATIENCE, async {
            match &self.place {
                Place::Sqlite { read, .. } => {
                    bound!(asked).fetch_all(read).await?.iter().map(of_sqlite).collect()
                }
                Place::Postgres(pool) => {
                    bound!(asked).fetch_all(pool).await?.iter().map(of_postgres).collect()
                }
            }
        })
        .await
    }

    /// Asks, and takes the rows one by one as they come, as long as they are wanted.
    ///
    /// # Errors
    /// When there is no answer, or it breaks off.
    pub async fn each(
        &self,
        asked: Statement,
        mut take: impl FnMut(&Row) -> ControlFlow<()>,
    ) -> Result<(), DatabaseError> {
        within(PATIENCE, async {
            match &self.place {
                Place::Sqlite { read, .. } => {
                    let mut rows = bound!(asked).fetch(read);
                    while let Some(row) = rows.try_next().await? {
                        if take(&of_sqlite(&row)?).is_break() {
                            break;
                        }
                    }
                }
                Place::Postgres(pool) => {
                    let mut rows = bound!(asked).fetch(pool);
                    while let Some(row) = rows.try_next().await? {
                        if take(&of_postgres(&row)?).is_break() {
                            break;
                        }
                    }
                }
            }
            Ok(())
        })
        .await
    }

    /// Does all of it or nothing; tells how many rows each statement touched.
    ///
    /// # Errors
    /// When it was not done.
    pub async fn execute(&self, orders: Vec<Statement>) -> Result<Vec<u64>, DatabaseError> {
        within(PATIENCE + WRITE_WITHIN, async {
            let mut touched = Vec::with_capacity(orders.len());
            match &self.place {
                Place::Sqlite { write, .. } => {
                    let mut work = write.begin_with("BEGIN IMMEDIATE").await?;
                    for order in orders {
                        touched.push(bound!(order).execute(&mut *work).await?.rows_affected());
                    }
                    work.commit().await?;
                }
                Place::Postgres(pool) => {
                    let mut work = pool.begin().await?;
                    for order in orders {
                        touched.push(bound!(order).execute(&mut *work).await?.rows_affected());
                    }
                    work.commit().await?;
                }
            }
            Ok(touched)
        })
        .await
    }

    /// Runs a script, and then the statements, as one: all of it or nothing. It may take long.
    ///
    /// # Errors
    /// When it was not done.
    pub(super) async fn run(
        &self,
        script: &'static str,
        then: Statement,
    ) -> Result<(), DatabaseError> {
        within(SCRIPT_WITHIN, async {
            match &self.place {
                Place::Sqlite { write, .. } => {
                    let mut work = write.begin_with("BEGIN IMMEDIATE").await?;
                    sqlx::raw_sql(script).execute(&mut *work).await?;
                    bound!(then).execute(&mut *work).await?;
                    work.commit().await
                }
                Place::Postgres(pool) => {
                    let mut work = pool.begin().await?;
                    sqlx::raw_sql(POSTGRES_ALONE).execute(&mut *work).await?;
                    sqlx::raw_sql(script).execute(&mut *work).await?;
                    bound!(then).execute(&mut *work).await?;
                    work.commit().await
                }
            }
        })
        .await
    }

    /// Writes all of it into a new file, while others go on; only SQLite does.
    ///
    /// # Errors
    /// When it is there already, or the disk does not take it.
    pub async fn backup(&self, to: &Path) -> Result<(), DatabaseError> {
        let Place::Sqlite { read, .. } = &self.place else {
            return Err(DatabaseError::new("PostgreSQL is backed up by its own pg_dump"));
        };
        if to.exists() {
            return Err(DatabaseError::new(format!("`{}` is there already", to.display())));
        }
        let path = to.to_str().ok_or_else(|| DatabaseError::new("that is no path of a file"))?;
        within(SCRIPT_WITHIN, sqlx::query("VACUUM INTO $1").bind(path).execute(read)).await?;
        let owner_only =
            <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
        std::fs::set_permissions(to, owner_only).map_err(|why| DatabaseError::new(why.to_string()))
    }

    /// Lets go of it, once what is under way is done.
    pub async fn close(&self) {
        match &self.place {
            Place::Sqlite { write, read, .. } => {
                read.close().await;
                write.close().await;
            }
            Place::Postgres(pool) => pool.close().await,
        }
    }
}

impl Statement {
    /// A statement with these values.
    pub fn new(
        text: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = Value>,
    ) -> Self {
        Self { text: text.into(), values: values.into_iter().collect() }
    }
}

impl Row {
    /// The text in a column, from 0.
    pub fn text(&self, column: usize) -> Option<&str> {
        match self.0.get(column) {
            Some(Value::Text(text)) => text.as_deref(),
            Some(Value::Number(_)) | None => None,
        }
    }

    /// The number in a column, from 0.
    pub fn number(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Value::Number(number)) => *number,
            Some(Value::Text(_)) | None => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Value {
    /// PostgreSQL has no texts with a NUL.
    fn from(text: String) -> Self {
        Self::Text(Some(if text.contains('\0') { text.replace('\0', "") } else { text }))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Text(None), Self::from)
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl DatabaseError {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), of_data: false }
    }
}

impl From<sqlx::Error> for DatabaseError {
    fn from(why: sqlx::Error) -> Self {
        let code = why.as_database_error().and_then(|why| why.code());
        let code = code.as_deref().unwrap_or_default();
        let is_postgres = code.len() == 5;
        let of_data = match is_postgres {
            // Data exceptions, broken rules, limits that are passed.
            true => ["22", "23", "54"].iter().any(|class| code.starts_with(class)),
            // Too big, a broken rule, of another type, out of range.
            false => matches!(code.parse::<u32>().unwrap_or_default() & 0xff, 18 | 19 | 20 | 25),
        };
        let mut text = why.to_string();
        text.truncate(text.floor_char_boundary(LONGEST_COMPLAINT));
        Self { why: text, of_data }
    }
}

fn of_sqlite(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let value = |at: usize| {
        let raw = row.try_get_raw(at)?;
        let is_number = !raw.is_null() && raw.type_info().name() == "INTEGER";
        Ok(match is_number {
            true => Value::Number(Some(row.try_get_unchecked(at)?)),
            false => Value::Text(row.try_get_unchecked(at)?),
        })
    };
    (0..row.columns().len()).map(value).collect::<Result<_, _>>().map(Row)
}

fn of_postgres(row: &PgRow) -> Result<Row, sqlx::Error> {
    let value = |(at, column): (usize, &sqlx::postgres::PgColumn)| {
        Ok(match column.type_info().name() {
            "INT8" => Value::Number(row.try_get(at)?),
            _ => Value::Text(row.try_get(at)?),
        })
    };
    row.columns().iter().enumerate().map(value).collect::<Result<_, _>>().map(Row)
}

/// Waits no longer than so for a database that says nothing.
async fn within<T>(
    limit: Duration,
    asking: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(limit, asking).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(DatabaseError::new("it gave no answer in time")),
    }
}

/// One at a time changes the shape of a PostgreSQL database, for as long as it takes.
const POSTGRES_ALONE: &str =
    "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(7810224536)";

/// How many read at once.
const READERS: u32 = 4;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a file of SQLite may be held by somebody else while we want to write.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// The same, when we want to read: what reads has the files of calls, too.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// How long a change of shape, or a copy, may take.
const SCRIPT_WITHIN: Duration = Duration::from_secs(3_600);

/// How much of what a database complains of is kept, in octets.
const LONGEST_COMPLAINT: usize = 300;
