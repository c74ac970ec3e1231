//! A PostgreSQL server with a folder of its own, run by somebody without rights.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::geteuid;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, raw_sql};
use tokio::process::{Child, Command};

use super::peers::free_port;
use super::server::{Folder, PATIENCE, finish};

/// A PostgreSQL server at work. Dropping it ends it.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    port: u16,
    folder: Folder,
}

impl Postgres {
    /// Makes the folder, starts the server and waits until it answers; then it does what `script`
    /// says.
    pub async fn open(script: &'static str) -> Self {
        let folder = Folder::new();
        let (data, password) = (folder.path("data"), folder.put("password", PASSWORD));
        std::fs::create_dir(&data).expect("a folder");
        let mut command = unprivileged("initdb");
        command.arg("-D").arg(&data).arg("--pwfile").arg(&password);
        command.args(["-U", "owner", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C"]);
        command.arg("--no-sync");
        if geteuid().is_root() {
            chown(&data, Some(NOBODY), Some(NOBODY)).expect("it is ours");
        }
        let (code, text) = finish(command).await;
        assert_eq!(code, Some(0), "{text}");
        let port = free_port();
        let postgres = Self { child: spawned(&data, port), port, folder };
        let mut connection = postgres.answers().await;
        raw_sql(script).execute(&mut connection).await.expect("the script is sound");
        postgres
    }

    /// Ends it at once; what it has stays.
    pub async fn stop(&mut self) {
        self.child.kill().await.expect("it is our child");
    }

    /// Starts it again, as it was.
    pub async fn start(&mut self) {
        let data = self.folder.path("data");
        std::fs::remove_file(data.join("postmaster.pid")).ok();
        self.child = spawned(&data, self.port);
        self.answers().await;
    }

    /// Where it is, with the name and the password of the owner.
    pub fn url(&self) -> String {
        format!("postgres://owner:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
    }

    /// Waits until it answers.
    async fn answers(&self) -> PgConnection {
        let options = self.options();
        let answered = async {
            loop {
                match options.connect().await {
                    Ok(connection) => return connection,
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.expect("postgres answers")
    }

    /// What the owner of all of it connects with.
    pub fn options(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new().host("127.0.0.1").port(self.port);
        options.username("owner").password(PASSWORD).database("postgres")
    }

    /// The settings of a server that asks it.
    pub fn settings(&self) -> String {
        format!(
            "[databases.shop]\nurl = \"postgres://owner@127.0.0.1:{}/postgres\"\n\
             password = \"${{env:SHOP_PASSWORD}}\"\n",
            self.port
        )
    }
}

fn spawned(data: &Path, port: u16) -> Child {
    let mut command = unprivileged("postgres");
    command.arg("-D").arg(data).args(["-p", &port.to_string(), "-c", "fsync=off"]);
    command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true).spawn().expect("it was there before")
}

/// A program of PostgreSQL, which does not run with all rights.
fn unprivileged(program: &str) -> Command {
    let mut command = Command::new(found(program));
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/");
    command
}

/// Debian keeps them apart, by version.
fn found(program: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(program)).collect();
    paths.sort();
    paths.pop().expect("postgresql is missing: run ./dev setup")
}

/// Who has no rights.
const NOBODY: u32 = 65_534;

/// The password of the owner.
pub const PASSWORD: &str = "shop-sesame-4711";
