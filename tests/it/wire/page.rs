//! A page in a real Chromium without a screen, driven as its developer tools drive it.

use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::wav;

use super::caller::{Speaker, spoken};
use super::http::Api;
use super::server::{Folder, PATIENCE};

/// A page.
#[derive(Debug)]
pub struct Page {
    child: Child,
    socket: tokio_tungstenite::WebSocketStream<TcpStream>,
    last: u64,
    _folder: Folder,
}

impl Page {
    /// Opens it, with a microphone that hears this over and over.
    pub async fn open(url: &str, question: &str) -> Self {
        let folder = Folder::new();
        let mut microphone = Frame::silence(Rate(8_000), Duration::from_secs(4));
        microphone.samples.extend(&spoken(Speaker::Flite("rms"), question).await.samples);
        let pause = Frame::silence(Rate(8_000), Duration::from_secs(6));
        microphone.samples.extend(&pause.samples);
        let microphone = folder.put("microphone.wav", wav::write(&microphone));
        let mut command = Command::new("chromium");
        command.args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--mute-audio",
            "--allow-loopback-in-peer-connection",
            "--autoplay-policy=no-user-gesture-required",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            "--remote-debugging-port=0",
            "--window-size=520,900",
        ]);
        command.arg(format!("--use-file-for-fake-audio-capture={}", microphone.display()));
        command.arg(format!("--user-data-dir={}", folder.path("profile").display()));
        command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.kill_on_drop(true).spawn().expect("chromium: run ./dev setup");
        let port = folder.path("profile/DevToolsActivePort");
        let port = super::server::within(PATIENCE, "the developer tools", || {
            let text = std::fs::read_to_string(&port).ok()?;
            text.lines().next().map(str::to_owned)
        })
        .await;
        let tools = Api::at(&format!("http://127.0.0.1:{port}"), None);
        let mut place = None;
        for _ in 0..200 {
            let pages: Value = tools.get("/json/list").await.json().await.expect("JSON");
            let pages = pages.as_array().cloned().unwrap_or_default();
            let own = pages.into_iter().find(|page| page["type"] == "page");
            place = own.and_then(|page| page["webSocketDebuggerUrl"].as_str().map(str::to_owned));
            if place.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let place = place.expect("a page");
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).await.expect("a connection");
        let shaken = tokio_tungstenite::client_async(place, stream).await;
        let (socket, _) = shaken.expect("a socket");
        Self { child, socket, last: 0, _folder: folder }
    }

    /// What a script says.
    pub async fn evaluate(&mut self, script: &str) -> Value {
        let asked = json!({ "expression": script, "returnByValue": true, "userGesture": true });
        let answer = self.order("Runtime.evaluate", asked).await;
        answer["result"]["result"]["value"].clone()
    }

    async fn order(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let order = json!({ "id": self.last, "method": method, "params": params });
        self.socket.send(Message::text(order.to_string())).await.expect("sent");
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let message = message.expect("in time").expect("open").expect("whole");
            let Message::Text(text) = message else { continue };
            let answer: Value = serde_json::from_str(&text).expect("JSON");
            if answer["id"] == self.last {
                return answer;
            }
        }
    }

    /// Clicks what has this identity, once it can be clicked.
    pub async fn clicks(&mut self, id: &str) {
        self.waits(&format!("document.getElementById('{id}')?.disabled === false")).await;
        self.evaluate(&format!("document.getElementById('{id}').click()")).await;
    }

    /// Waits until something is true in the page.
    pub async fn waits(&mut self, script: &str) {
        for _ in 0..600 {
            if self.evaluate(script).await == true {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let text = self.evaluate("document.body.innerText").await;
        panic!("not so: {script}\n{text:#}");
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Its helpers end with it.
        self.child.start_kill().ok();
    }
}
