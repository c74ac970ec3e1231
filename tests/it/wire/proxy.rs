//! A Kamailio at work, with a configuration that a test has filled in.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::datagrams::Wire;
use super::server::{Folder, terminate, within};

/// A Kamailio at work, ended when it is dropped.
#[derive(Debug)]
pub struct Kamailio {
    child: Child,
    /// Where it listens.
    pub port: u16,
    log: Arc<Mutex<Vec<String>>>,
    _folder: Folder,
}

impl Kamailio {
    /// Starts it and waits until it answers. In the text, `MODULES`, `PORT` and `FOLDER` stand for
    /// where its modules are, where it listens and where its files may be.
    pub async fn run(text: &str, port: u16, files: &[(&str, String)]) -> Self {
        let kamailio = Self::bound(text, port, files).await;
        kamailio.answers().await;
        kamailio
    }

    /// The same, for one that answers nobody: its socket is there.
    pub async fn bound(text: &str, port: u16, files: &[(&str, String)]) -> Self {
        let folder = Folder::new();
        for (name, content) in files {
            folder.put(name, content);
        }
        let text = text
            .replace("MODULES", MODULES)
            .replace("PORT", &port.to_string())
            .replace("FOLDER", &folder.path("").display().to_string());
        let config = folder.put("kamailio.cfg", text);
        let mut command = Command::new("/usr/sbin/kamailio");
        command.args(["-DD", "-E", "-m", "32", "-M", "4", "-f"]).arg(config);
        command.arg("-Y").arg(folder.path("")).arg("-w").arg(folder.path(""));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kamailio is missing: run ./dev setup");
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let kept = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().expect("unpoisoned").push(line);
            }
        });
        let kamailio = Self { child, port, log, _folder: folder };
        kamailio.says("SO_RCVBUF is finally").await;
        kamailio
    }

    /// Waits until it answers OPTIONS.
    async fn answers(&self) {
        let to = format!("127.0.0.1:{}", self.port).parse().expect("an address");
        let mut wire = Wire::open("127.0.0.1:0", to).await;
        for _ in 0..100 {
            let request = wire.request("OPTIONS", "carrier", "");
            wire.send(request.as_bytes()).await;
            if wire.receive(Duration::from_millis(200)).await.is_some() {
                return;
            }
        }
        panic!("kamailio does not answer:\n{}", self.log());
    }

    /// Waits until it writes these words.
    pub async fn says(&self, words: &str) {
        within(Duration::from_secs(50), words, || self.log().contains(words).then_some(())).await;
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("unpoisoned").join("\n")
    }

    /// Ends it.
    pub async fn die(mut self) {
        terminate(self.child.id().expect("it runs"));
        self.child.wait().await.expect("it is our child");
    }
}

/// Its processes end with it only when it is asked to end.
impl Drop for Kamailio {
    fn drop(&mut self) {
        if let Some(pid) = self.child.id() {
            terminate(pid);
        }
    }
}

const MODULES: &str = "/usr/lib/x86_64-linux-gnu/kamailio/modules/";
