//! A tool that is a question to a database. Whatever a query says, nothing is written: SQLite is
//! opened for reading, and PostgreSQL is asked in a transaction that only reads. Values are bound.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, TryStreamExt as _};
use serde_json::{Map, Value};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sqlx::query::{Query, QueryScalar};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _, Postgres,
    Row as _, Sqlite, TypeInfo as _, ValueRef as _,
};
use tokio::sync::Semaphore;

use super::seam::{Tool, Use};
use crate::agent::tool::ToolResult;
use crate::agent::tools::definition::Definition;
use crate::agent::tools::outcome::{self, MOST_OF_A_RESULT};
use crate::agent::tools::statement::{self, Given, Statement};
use crate::base::secret::{ExposeSecret, Secret};

/// The tool.
#[derive(Clone)]
pub struct Sql {
    name: String,
    definition: Arc<Definition>,
    statement: Arc<Statement>,
    database: Arc<Database>,
}

/// A database, and how many may ask it at once.
pub struct Database {
    place: Place,
    turns: Semaphore,
}

/// Where a database is.
enum Place {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

/// A question, and how much of an answer is wanted.
struct Question {
    text: String,
    given: Vec<Given>,
    rows: u32,
    timeout: Duration,
}

/// Stops what SQLite does as soon as nobody waits for it.
struct Stop(Arc<AtomicBool>);

impl Database {
    /// The file of an SQLite database.
    pub fn sqlite(file: PathBuf) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .read_only(true)
            .create_if_missing(false)
            .pragma("query_only", "ON")
            .statement_cache_capacity(0)
            .row_buffer_size(1)
            .disable_statement_logging();
        Self { place: Place::Sqlite(options), turns: Semaphore::new(MOST_AT_ONCE) }
    }

    /// A PostgreSQL server.
    ///
    /// # Errors
    /// When the URL is none; nothing of it is told.
    pub fn postgres(url: &Secret, password: Option<&Secret>) -> Result<Self, String> {
        let options: Result<PgConnectOptions, _> = url.expose_secret().parse();
        let options = options.map_err(|_| "its `url` cannot be read".to_owned())?;
        let options = options
            .application_name("voxtrunk")
            .statement_cache_capacity(0)
            .disable_statement_logging();
        let options = match password {
            Some(password) => options.password(password.expose_secret()),
            None => options,
        };
        Ok(Self { place: Place::Postgres(options), turns: Semaphore::new(MOST_AT_ONCE) })
    }

    /// Asks; the rows are objects in JSON, one more than wanted when there are more.
    async fn ask(&self, question: Question) -> Result<Vec<String>, sqlx::Error> {
        let turn = self.turns.acquire().await;
        let rows = match &self.place {
            Place::Sqlite(options) => ask_sqlite(options, question).await,
            Place::Postgres(options) => ask_postgres(options, question).await,
        };
        drop(turn);
        rows
    }
}

impl Sql {
    /// A tool of this name and definition.
    pub fn new(
        name: &str,
        definition: Arc<Definition>,
        statement: Statement,
        database: Arc<Database>,
    ) -> Self {
        Self { name: name.to_owned(), definition, statement: Arc::new(statement), database }
    }

    async fn told(&self, used: &Use) -> Result<String, String> {
        let (rows, timeout) = (self.definition.rows(), self.definition.timeout);
        let (text, given) = (self.statement.text().to_owned(), self.statement.given(&used.scope));
        let asking = self.database.ask(Question { text, given, rows, timeout });
        let why = match tokio::time::timeout(timeout, asking).await {
            Ok(Ok(found)) => {
                return statement::told(&found, usize::try_from(rows).unwrap_or(usize::MAX));
            }
            Ok(Err(why)) => why,
            Err(_) => return Err(LATE.to_owned()),
        };
        let told = outcome::cut(&why.to_string(), LONGEST_COMPLAINT);
        tracing::warn!(tool = self.name, why = told, "a database was asked in vain");
        Err(in_our_words(&why).to_owned())
    }
}

impl Tool for Sql {
    fn run(&self, used: Use) -> BoxFuture<'static, ToolResult> {
        let tool = self.clone();
        async move {
            match tool.told(&used).await {
                Ok(content) => used.call.done(content),
                Err(why) => used.call.failed(why),
            }
        }
        .boxed()
    }

    fn changes(&self) -> bool {
        false
    }

    fn preview(&self, used: &Use) -> Result<String, String> {
        let given = self.statement.given(&used.scope);
        let given = self.statement.names().zip(given);
        let given: Vec<String> =
            given.map(|(name, it)| format!(":{name} = {}", it.shown())).collect();
        Ok(format!("{}\n{}\n", self.statement.text().trim(), given.join("\n")))
    }
}

/// Asks a file. A connection of its own for each question leaves nothing behind.
async fn ask_sqlite(
    options: &SqliteConnectOptions,
    question: Question,
) -> Result<Vec<String>, sqlx::Error> {
    let options = options.clone().busy_timeout(question.timeout);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    // Goes before the connection, so that nothing waits for a question that does not end.
    let stop = Stop(Arc::default());
    let stopped = stop.0.clone();
    let goes_on = move || !stopped.load(Ordering::Relaxed);
    connection.lock_handle().await?.set_progress_handler(STEPS, goes_on);
    let mut query: Query<'_, Sqlite, SqliteArguments> = sqlx::query(AssertSqlSafe(question.text));
    for given in question.given {
        query = match given {
            Given::Text(it) => query.bind(it),
            Given::Integer(it) => query.bind(it),
            Given::Number(it) => query.bind(it),
            Given::Boolean(it) => query.bind(it),
        };
    }
    let mut found = Vec::new();
    let mut rows = query.persistent(false).fetch(&mut connection);
    while let Some(row) = rows.try_next().await? {
        found.push(object(&row)?);
        if found.len() > usize::try_from(question.rows).unwrap_or(usize::MAX) {
            break;
        }
    }
    Ok(found)
}

/// A row of SQLite, in which each value has a type of its own.
fn object(row: &SqliteRow) -> Result<String, sqlx::Error> {
    let mut object = Map::new();
    for column in row.columns() {
        let at = column.ordinal();
        let raw = row.try_get_raw(at)?;
        let sort =
            if raw.is_null() { "NULL".to_owned() } else { raw.type_info().name().to_owned() };
        let value = match sort.as_str() {
            "NULL" => Value::Null,
            "INTEGER" => row.try_get_unchecked::<i64, _>(at)?.into(),
            "REAL" => row.try_get_unchecked::<f64, _>(at)?.into(),
            "TEXT" => row.try_get_unchecked::<String, _>(at)?.into(),
            _ => "(binary)".into(),
        };
        object.insert(column.name().to_owned(), value);
    }
    Ok(Value::Object(object).to_string())
}

/// Asks a server, which writes the rows as JSON itself: it knows all of its types.
async fn ask_postgres(
    options: &PgConnectOptions,
    question: Question,
) -> Result<Vec<String>, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    connection.execute("BEGIN READ ONLY").await?;
    let limit = format!("SET LOCAL statement_timeout = {}", question.timeout.as_millis());
    connection.execute(AssertSqlSafe(limit)).await?;
    // A row that is too large to be told is not sent whole.
    let text = format!(
        "SELECT left(to_json(voxtrunk_row)::text, {}) FROM (\n{}\n) AS voxtrunk_row LIMIT {}",
        MOST_OF_A_RESULT + 1,
        question.text,
        question.rows + 1
    );
    let mut query: QueryScalar<'_, Postgres, String, PgArguments> =
        sqlx::query_scalar(AssertSqlSafe(text));
    for given in question.given {
        query = match given {
            Given::Text(it) => query.bind(it),
            Given::Integer(it) => query.bind(it),
            Given::Number(it) => query.bind(it),
            Given::Boolean(it) => query.bind(it),
        };
    }
    let found = query.persistent(false).fetch_all(&mut connection).await?;
    connection.close().await.ok();
    Ok(found)
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Why there is no answer, without a word of the database.
fn in_our_words(why: &sqlx::Error) -> &'static str {
    let code = why.as_database_error().and_then(|why| why.code().map(|code| code.into_owned()));
    match (why, code.as_deref()) {
        (sqlx::Error::Database(_), Some(CANCELLED | INTERRUPTED)) => LATE,
        (sqlx::Error::Database(_), _) => "the database does not answer this question",
        _ => "the database could not be reached",
    }
}

/// What is told when there is no answer.
const LATE: &str = "the database gave no answer in time";

/// PostgreSQL stopped a question that took too long.
const CANCELLED: &str = "57014";

/// SQLite did.
const INTERRUPTED: &str = "9";

/// How many questions a database is asked at once.
const MOST_AT_ONCE: usize = 8;

/// After how many steps of its machine SQLite looks whether somebody still waits.
const STEPS: i32 = 1_000;

/// How much of what a database complains of is logged, in octets.
const LONGEST_COMPLAINT: usize = 300;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::tool::ToolCall;
    use crate::agent::tools::statement::Dialect;
    use crate::base::scope::Scope;

    /// A file with two orders, which goes with it.
    struct Shop(PathBuf);

    impl Shop {
        async fn open(name: &str) -> Self {
            let name = format!("voxtrunk-{name}-{}.db", std::process::id());
            let file = std::env::temp_dir().join(name);
            std::fs::remove_file(&file).ok();
            let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
            let mut connection = SqliteConnection::connect_with(&options).await.expect("a file");
            let orders =
                "CREATE TABLE orders (id TEXT, status TEXT, total REAL, items INTEGER, x BLOB);
                INSERT INTO orders VALUES ('A7', 'it''s sent', 19.9, 3, NULL);
                INSERT INTO orders VALUES ('B8', 'new', 5, 1, x'00ff');";
            sqlx::raw_sql(orders).execute(&mut connection).await.expect("orders");
            connection.close().await.expect("closed");
            Self(file)
        }

        async fn ask(&self, query: &str, args: Value) -> Result<String, String> {
            let definition: Definition = serde_json::from_value(json!({
                "type": "sql", "database": "shop", "query": query, "timeout": "1s", "rows": 2,
                "parameters": { "order": { "type": "string", "optional": true } },
            }))
            .expect("a definition");
            let statement = Statement::read(query, &definition.parameters, Dialect::Sqlite);
            let statement = statement.map_err(|why| why.to_string())?;
            let database = Arc::new(Database::sqlite(self.0.clone()));
            let tool = Sql::new("shop", Arc::new(definition), statement, database);
            let (id, name, arguments) = ("1".to_owned(), "shop".to_owned(), "{}".to_owned());
            let mut scope = Scope::default();
            scope.set("args", args);
            let call = ToolCall { id, name, arguments };
            let result = tool.run(Use { call, scope, at: Duration::ZERO }).await;
            if result.failed { Err(result.content) } else { Ok(result.content) }
        }
    }

    impl Drop for Shop {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).ok();
        }
    }

    #[tokio::test]
    async fn rows_of_a_file_are_told_as_json() {
        let shop = Shop::open("rows").await;
        let one = "SELECT * FROM orders WHERE id = :order";
        let told = shop.ask(one, json!({ "order": "A7" })).await.expect("an answer");
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let expected =
            json!([{ "id": "A7", "status": "it's sent", "total": 19.9, "items": 3, "x": null }]);
        assert_eq!(told, expected);
        let hostile = json!({ "order": "'; DROP TABLE orders; --" });
        assert_eq!(shop.ask(one, hostile).await.as_deref(), Ok("[]"));
        let either = "SELECT id FROM orders WHERE :order IS NULL OR id = :order ORDER BY id DESC";
        let told = shop.ask(either, json!({})).await;
        assert_eq!(told.as_deref(), Ok(r#"[{"id":"B8"},{"id":"A7"}]"#));
        let many = shop.ask("SELECT 1 AS a FROM orders, orders AS o", json!({})).await;
        assert_eq!(many.as_deref(), Ok(r#"[{"a":1},{"a":1},"more rows are left out"]"#));
        let blob = shop.ask("SELECT x FROM orders WHERE id = 'B8'", json!({})).await;
        assert_eq!(blob.as_deref(), Ok(r#"[{"x":"(binary)"}]"#));
    }

    #[tokio::test]
    async fn nothing_is_written_and_nothing_goes_on_for_ever() {
        let shop = Shop::open("writes").await;
        let before = std::fs::read(&shop.0).expect("a file");
        for write in [
            "WITH x AS (SELECT 1) DELETE FROM orders",
            "WITH x AS (SELECT 1) INSERT INTO orders (id) SELECT 'C9'",
        ] {
            let told = shop.ask(write, json!({})).await;
            assert_eq!(told, Err("the database does not answer this question".to_owned()));
        }
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                       SELECT count(*) FROM n";
        assert_eq!(shop.ask(endless, json!({})).await, Err(LATE.to_owned()));
        assert_eq!(std::fs::read(&shop.0).expect("a file"), before);
        let wrong = shop.ask("SELECT nothing FROM nowhere", json!({})).await;
        assert_eq!(wrong, Err("the database does not answer this question".to_owned()));
        let gone = Shop(std::env::temp_dir().join("voxtrunk-no-such-folder/x.db"));
        assert!(gone.ask("SELECT 1", json!({})).await.is_err());
        assert!(!gone.0.exists());
    }
}
