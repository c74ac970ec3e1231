//! Calls that ended, found by the running server: by its database, and by their files while that is
//! locked or gone.

use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, query_scalar, raw_sql};

use super::control::{ask, told};
use super::datagrams::Wire;
use super::postgres::Postgres;
use super::server::{Folder, House, PATIENCE, Server};

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_and_are_found_while_their_database_is_locked() {
    let server = Server::start(House::porter()).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    assert_eq!(wire.status_for("nobody", "4971112345").await, "603");
    server.records(1).await;
    let file = server.folder.path("data/voxtrunk.db");
    let options = SqliteConnectOptions::new().filename(&file);
    let mut other = SqliteConnection::connect_with(&options).await.expect("the file");
    listed(&mut other, 1).await;
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&file).expect("a file").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);

    raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.expect("a lock");
    assert_eq!(wire.status_for("nobody", "4971112346").await, "603");
    server.records(2).await;
    let found = found(&server, &["--from", "4971112346"]).await;
    assert_eq!(found.len(), 1, "the file of the call says so");
    assert_eq!(
        (&found[0]["status"], &found[0]["end_reason"]),
        (&json!("failed"), &json!("rejected"))
    );
    let all = self::found(&server, &["--all"]).await;
    let numbers: Vec<&Value> = all.iter().map(|call| &call["from"]["number"]).collect();
    assert_eq!(numbers, ["4971112346", "4971112345"]);
    eventually_logged(&server, "the database takes no calls").await;
    raw_sql("ROLLBACK").execute(&mut other).await.expect("it lets go");
    listed(&mut other, 2).await;
    eventually_logged(&server, "the database has caught up").await;
    assert_eq!(server.log().matches("the database takes no calls").count(), 1, "it is said once");

    let (code, _, why) = ask(&server, &["call", "list", "--status", "up"]).await;
    assert!(code == Some(2) && why.contains("`status`: one of ringing"), "{why}");
    let copy = server.folder.path("copy.db");
    let copy = copy.to_string_lossy();
    told(&server, &["db", "backup", &copy]).await;
    let sound = told(&server, &["db", "check"]).await;
    assert!(sound.contains("2 calls are listed\n0 files"), "{sound}");
    let nothing = told(&server, &["db", "migrate", "--dry-run"]).await;
    assert!(nothing.contains("nothing is to be done"), "{nothing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_postgresql_is_away_and_are_listed_when_it_is_back() {
    let mut postgres = Postgres::open("SELECT 1").await;
    postgres.stop().await;
    let settings = "[storage]\ndatabase = \"${env:CALLS}\"\n";
    let house = House::porter().and(settings);
    let url = postgres.url();
    let server = Server::start_with(house, &[("CALLS", &url)]).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    assert_eq!(wire.status_for("nobody", "4971112345").await, "603");
    server.records(1).await;
    assert_eq!(found(&server, &["--all"]).await.len(), 1);
    let (code, _, why) = ask(&server, &["call", "list", "-q", "hello"]).await;
    assert!(code == Some(1) && why.contains("only it finds words"), "{why}");
    postgres.start().await;
    let mut owner = postgres.options().connect().await.expect("it answers");
    assert_eq!(counted(&mut owner, 1).await, 1);
    postgres.stop().await;
    assert_eq!(wire.status_for("nobody", "4971112346").await, "603");
    server.records(2).await;
    let newest = found(&server, &["--all", "--limit", "1"]).await;
    assert_eq!(newest[0]["from"]["number"], "4971112346");
    postgres.start().await;
    let mut owner = postgres.options().connect().await.expect("it answers");
    assert_eq!(counted(&mut owner, 2).await, 2);
    let log = server.log();
    assert!(!log.contains(&url) && !log.contains(super::postgres::PASSWORD), "{log}");
    // A server that finds files that nobody listed lists them.
    let (folder, house) = (Folder::of(server), House::porter());
    let again = Server::start_again(folder, house.and(settings), &[("CALLS", &url)]).await;
    assert_eq!(found(&again, &["--cause", "rejected"]).await.len(), 2);
}

/// The calls that the command line finds.
async fn found(server: &Server, wanted: &[&str]) -> Vec<Value> {
    let out = told(server, &[&["call", "list", "--json"], wanted].concat()).await;
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    answer["data"].as_array().expect("calls").clone()
}

/// Waits until so many calls are listed in a file.
async fn listed(file: &mut SqliteConnection, count: i64) {
    let listing = async {
        loop {
            // The table may not be there yet.
            let asked = query_scalar("SELECT count(*) FROM calls").fetch_one(&mut *file).await;
            if asked.is_ok_and(|listed: i64| listed == count) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listing).await.expect("they are listed");
}

/// The same on a server.
async fn counted(server: &mut PgConnection, count: i64) -> i64 {
    let listing = async {
        loop {
            let asked = query_scalar("SELECT count(*) FROM calls").fetch_one(&mut *server).await;
            match asked {
                Ok(listed) if listed >= count => return listed,
                _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, listing).await.expect("they are listed")
}

async fn eventually_logged(server: &Server, words: &str) {
    super::server::within(PATIENCE, words, || server.log().contains(words).then_some(())).await;
}
