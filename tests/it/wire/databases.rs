//! Orders that agents look up, in a real file of SQLite and in a real PostgreSQL server.

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, query_scalar, raw_sql};

use super::postgres::{PASSWORD, Postgres};
use super::server::{Folder, said};
use super::tools::{Stage, request, results, uses};
use crate::fakes::chat_server::{Behaviour, ChatServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_is_looked_up_and_nothing_that_a_model_says_is_more_than_a_value() {
    let folder = Folder::new();
    let file = folder.path("orders.db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut connection = options.connect().await.expect("a file");
    raw_sql(ORDERS).execute(&mut connection).await.expect("orders");
    connection.close().await.expect("closed");
    let postgres = Postgres::open(ORDERS).await;
    let mut owner = postgres.options().connect().await.expect("it answers");
    raw_sql("CREATE SEQUENCE numbers").execute(&mut owner).await.expect("a sequence");
    let hostile = r#"{"order": "'; DROP TABLE orders; --"}"#;
    let mind = ChatServer::start(vec![
        uses("in_file", r#"{"order": "A7"}"#),
        uses("in_file", hostile),
        uses("on_server", r#"{"order": "A7", "since": "2026-01-31", "items": 3}"#),
        uses("on_server", hostile),
        uses("writes", "{}"),
        uses("sleeps", "{}"),
        Behaviour::Says("It is on its way."),
    ])
    .await;
    let settings =
        format!("{}[databases.old]\nurl = \"sqlite:{}\"\n", postgres.settings(), file.display());
    let stage = Stage::furnished(&mind, &settings, TOOLS).await;
    stage.call(vec![request().await]).await;
    let record = stage.server.record().await;
    assert_eq!(said(&record, "agent").pop().as_deref(), Some("It is on its way."), "{record:#}");
    let results = results(&mind);
    let rows = |at: usize| serde_json::from_str::<Value>(&results[at]).expect("JSON");
    assert_eq!(rows(0), json!([{ "id": "A7", "total": 19.9, "items": 3 }]));
    assert_eq!(rows(1), json!([]));
    let from = &record["from"]["number"];
    let row = json!([{ "id": "A7", "total": 19.90, "day": "2026-02-01", "caller": from }]);
    assert_eq!(rows(2), row);
    assert_eq!(rows(3), json!([]));
    assert_eq!(results[4], "the database does not answer this question");
    assert_eq!(results[5], "the database gave no answer in time");
    let count = "SELECT count(*) FROM orders WHERE id IN ('A7', 'B8')";
    let count: i64 = query_scalar(count).fetch_one(&mut owner).await.expect("a number");
    assert_eq!(count, 2);
    let next: i64 =
        query_scalar("SELECT nextval('numbers')").fetch_one(&mut owner).await.expect("one");
    assert_eq!(next, 1);
    let log = stage.server.log();
    assert!(!log.contains(PASSWORD) && log.contains("a database was asked in vain"), "{log}");
}

const ORDERS: &str = "
CREATE TABLE orders (id TEXT, total NUMERIC(9,2), items INTEGER, day DATE);
INSERT INTO orders VALUES ('A7', 19.90, 3, '2026-02-01');
INSERT INTO orders VALUES ('B8', 5.00, 1, '2025-02-01');
";

const TOOLS: &str = r#"
[tools.in_file]
type        = "sql"
description = "Finds an order."
database    = "old"
query       = "SELECT id, total, items FROM orders WHERE id = :order"
parameters  = { order = "string" }

[tools.on_server]
type        = "sql"
description = "Finds an order."
database    = "shop"
query       = """
SELECT id, total, day, :call.from AS caller FROM orders
WHERE id = :order AND (:since IS NULL OR day > :since) AND (:items IS NULL OR items = :items) -- all"""

[tools.on_server.parameters]
order = "string"
since = { type = "date", optional = true }
items = { type = "integer", optional = true }

[tools.writes]
type        = "sql"
description = "Counts."
database    = "shop"
query       = "SELECT nextval('numbers')"

[tools.sleeps]
type        = "sql"
description = "Sleeps."
database    = "shop"
timeout     = "500ms"
query       = "SELECT pg_sleep(60)"
"#;
