//! baresip without hardware, told what to do over its control port (ctrl_tcp): netstrings of JSON.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::process::{Child, Command};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::wav;

use super::caller::{Speaker, spoken};
use super::peers::free_port;
use super::server::{Folder, PATIENCE, terminate, within};

/// A baresip at work.
#[derive(Debug)]
pub struct Softphone {
    child: Child,
    folder: Folder,
    orders: OwnedWriteHalf,
    told: Arc<Mutex<Vec<Value>>>,
    /// How many of its events were waited for already.
    seen: usize,
}

impl Softphone {
    /// Starts one with this line in `accounts`, which says `says` over and over in each call;
    /// `more` goes into its configuration.
    pub async fn start(account: &str, says: &Frame, more: &str) -> Self {
        let folder = Folder::new();
        folder.put("says.wav", wav::write(says));
        folder.put("contacts", "");
        folder.put("accounts", format!("{account}\n"));
        folder.put("heard/.keep", "");
        let port = free_port();
        let (says, heard) = (folder.path("says.wav"), folder.path("heard"));
        folder.put(
            "config",
            format!(
                "sip_listen 127.0.0.1:0\nmodule_path /usr/lib/baresip/modules\n\
                 audio_source aufile,{}\nausrc_srate 8000\nauplay_srate 8000\n\
                 ausrc_channels 1\nauplay_channels 1\nsnd_path {}\n\
                 module account.so\nmodule g711.so\nmodule g722.so\nmodule aufile.so\n\
                 module sndfile.so\nmodule srtp.so\nmodule_app menu.so\n\
                 module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{port}\n\
                 call_max_calls 4\nrtp_ports 49000-49998\n{more}",
                says.display(),
                heard.display()
            ),
        );
        let mut command = Command::new("baresip");
        command.arg("-4").arg("-f").arg(folder.path("")).args(["-t", "100"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.kill_on_drop(true).spawn();
        let child = child.expect("baresip is missing: run ./dev setup");
        let control = connected(port).await;
        let (mut reader, orders) = control.into_split();
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = told.clone();
        tokio::spawn(async move {
            let mut octets = Vec::new();
            while reader.read_buf(&mut octets).await.is_ok_and(|read| read > 0) {
                while let Some(text) = netstring(&mut octets) {
                    let value = serde_json::from_slice(&text).unwrap_or_default();
                    kept.lock().expect("unpoisoned").push(value);
                }
            }
        });
        Self { child, folder, orders, told, seen: 0 }
    }

    /// Orders something and waits until it says that it obeyed.
    pub async fn order(&mut self, command: &str, params: &str) {
        let token = format!("{command} {params}");
        let order = json!({ "command": command, "params": params, "token": token }).to_string();
        let text = format!("{}:{order},", order.len());
        self.orders.write_all(text.as_bytes()).await.expect("it listens");
        let answer = within(PATIENCE, &token, || {
            let told = self.told.lock().expect("unpoisoned");
            told.iter().rev().find(|it| it["token"] == token.as_str()).cloned()
        })
        .await;
        assert_eq!(answer["ok"], true, "{answer}");
    }

    /// Waits for the next event of that kind, such as `CALL_ESTABLISHED`.
    pub async fn event(&mut self, kind: &str) -> Value {
        let from = self.seen;
        let (at, event) = within(PATIENCE, kind, || {
            let told = self.told.lock().expect("unpoisoned");
            let later = told.iter().enumerate().skip(from);
            later.into_iter().find(|(_, it)| it["type"] == kind).map(|(at, it)| (at, it.clone()))
        })
        .await;
        self.seen = at + 1;
        event
    }

    /// Looks away from what it has told so far: only what comes later is waited for.
    pub fn look_away(&mut self) {
        self.seen = self.told.lock().expect("unpoisoned").len();
    }

    /// Everything that it told so far.
    pub fn told(&self) -> String {
        let told = self.told.lock().expect("unpoisoned");
        told.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
    }

    /// What it recorded of what it heard: a clip for each stream of audio, in order.
    pub fn heard(&self) -> Vec<Frame> {
        let files = std::fs::read_dir(self.folder.path("heard")).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = files.map(|file| file.path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with("-dec.wav"));
        paths.sort();
        // The header says how long the file is only when it is closed.
        let read = |path: &PathBuf| {
            let octets = std::fs::read(path).ok()?;
            let rate = octets.get(24..28)?.try_into().map(u32::from_le_bytes).ok()?;
            let samples = octets.get(44..)?.chunks_exact(2);
            let samples = samples.map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
            Some(Frame::new(Rate(rate), samples.collect()))
        };
        paths.iter().filter_map(read).collect()
    }

    /// Ends it.
    pub async fn stop(mut self) {
        if let Some(pid) = self.child.id() {
            terminate(pid);
        }
        self.child.wait().await.expect("it is our child");
    }
}

/// A clip in which somebody asks for the opening hours again and again, with pauses for an answer.
pub async fn questions() -> Frame {
    let words = spoken(Speaker::Flite("rms"), "what are your opening hours").await;
    let pause = Frame::silence(words.rate, Duration::from_secs(5));
    let mut says = Frame::silence(words.rate, Duration::from_secs(3));
    for _ in 0..12 {
        says.samples.extend(&words.samples);
        says.samples.extend(&pause.samples);
    }
    says
}

/// A clip in which nobody speaks.
pub fn silence() -> Frame {
    Frame::silence(Rate(8_000), Duration::from_secs(90))
}

async fn connected(port: u16) -> TcpStream {
    for _ in 0..500 {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(stream) => return stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("baresip does not open its control port");
}

/// Takes the first netstring out of octets, once all of it is there.
fn netstring(octets: &mut Vec<u8>) -> Option<Vec<u8>> {
    let colon = octets.iter().position(|octet| *octet == b':')?;
    let length: usize = std::str::from_utf8(&octets[..colon]).ok()?.trim().parse().ok()?;
    let end = colon + 1 + length;
    if octets.len() <= end {
        return None;
    }
    let text = octets[colon + 1..end].to_vec();
    octets.drain(..=end);
    Some(text)
}
