//! `voxtrunk call top` in a terminal of its own: a call is seen, its words are read, and it is hung up.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;

use super::http::Ann;
use super::server::{House, PATIENCE, Server, program, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_watched_and_hung_up_from_a_terminal() {
    let server = Server::start(House::porter()).await;
    let mut ann = Ann::calls(&server).await;
    let mut terminal = Terminal::open(&server).await;
    terminal.shows("porter").await;
    terminal.shows("local").await;
    terminal.shows("choose").await;
    // What anybody writes into a name does nothing to the terminal.
    assert!(!terminal.text().contains("\u{1b}]"), "{}", terminal.text());
    terminal.presses("h").await;
    terminal.shows("hang up this call?").await;
    terminal.presses("y").await;
    ann.is_hung_up().await;
    assert_eq!(server.record().await["end_reason"], "admin_ended");
    terminal.presses("q").await;
    assert!(terminal.is_left().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_it_says_so() {
    let server = Server::start(House::porter()).await;
    let (code, _, why) = super::control::ask(&server, &["call", "top"]).await;
    assert_eq!(code, Some(2));
    assert!(why.contains("voxtrunk call list --json"), "{why}");
}

/// A terminal by `script`, with the program in it.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
    _tasks: JoinSet<()>,
}

impl Terminal {
    async fn open(server: &Server) -> Self {
        let program = program().as_std().get_program().to_string_lossy().into_owned();
        let config = server.folder.path("conf/server.toml");
        let line =
            format!("stty cols 120 rows 40; exec {program} call top --config {}", config.display());
        let mut command = Command::new("script");
        command.args(["-qfec", &line, "/dev/null"]).env("TERM", "xterm-256color");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().expect("script: of bsdutils");
        let keys = child.stdin.take().expect("piped");
        let mut out = child.stdout.take().expect("piped");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (kept, mut tasks) = (shown.clone(), JoinSet::new());
        tasks.spawn(async move {
            let mut buffer = [0; 4_096];
            while let Ok(count @ 1..) = out.read(&mut buffer).await {
                kept.lock().expect("unpoisoned").extend(&buffer[..count]);
            }
        });
        Self { child, keys, shown, _tasks: tasks }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("unpoisoned")).into_owned()
    }

    async fn shows(&self, words: &str) {
        within(PATIENCE, words, || self.text().contains(words).then_some(())).await;
    }

    async fn presses(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).await.expect("it reads");
        self.keys.flush().await.expect("it reads");
    }

    async fn is_left(&mut self) -> bool {
        let left = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        left.expect("in time").expect("a process").success()
    }
}
