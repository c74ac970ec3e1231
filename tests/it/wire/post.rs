//! A mail server: aiosmtpd of Debian, with TLS and a password, which tells what it is given.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::certificates::Authority;
use super::peers::free_port;
use super::server::{PATIENCE, within};

/// A mail server at work. Dropping it ends it.
#[derive(Debug)]
pub struct PostOffice {
    _child: Child,
    /// Where it listens.
    pub port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl PostOffice {
    /// Starts it, with the certificate of an authority.
    pub async fn open(authority: &Authority) -> Self {
        Self::open_at(authority, free_port()).await
    }

    /// The same, at this port.
    pub async fn open_at(authority: &Authority, port: u16) -> Self {
        let (cert, key) = authority.files().identity.expect("it has one");
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", include_str!("post/office.py")]).arg(port.to_string());
        command.arg(cert).arg(key).args([USER, PASSWORD]).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 is missing: run ./dev setup");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut read = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let kept = lines.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = read.next_line().await {
                kept.lock().expect("unpoisoned").push(line);
            }
        });
        let office = Self { _child: child, port, lines };
        let says = || office.lines.lock().expect("unpoisoned").first().cloned();
        let first = within(PATIENCE, "aiosmtpd: run ./dev setup", says).await;
        assert_eq!(first, "ready");
        office
    }

    /// The settings of a server that gives its mails to it.
    pub fn settings(&self) -> String {
        settings(self.port)
    }

    /// The mails that it was given.
    pub fn mails(&self) -> Vec<Value> {
        let lines = self.lines.lock().expect("unpoisoned");
        lines.iter().skip(1).map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// The settings of a server whose mail server is at this port.
pub fn settings(port: u16) -> String {
    format!(
        "[mail]\nhost = \"127.0.0.1\"\nport = {port}\nfrom = \"The shop <shop@a.test>\"\n\
         username = \"{USER}\"\npassword = \"${{env:MAIL_PASSWORD}}\"\n"
    )
}

const USER: &str = "shop";

/// The password that it wants.
pub const PASSWORD: &str = "mail-sesame-4711";
