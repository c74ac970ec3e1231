//! A person opens the page that the server serves, in a real Chromium without a screen, and talks with
//! an agent: what is said stands in the page, the agent is heard, keys are told, and the call ends with
//! the page. Whoever may not call is told so.

use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::wav;

use super::caller::{Speaker, spoken};
use super::http::{Api, started};
use super::server::{Folder, House, PATIENCE, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_talks_with_an_agent_in_the_page_and_sees_the_words() {
    let (server, api) = started(house()).await;
    let mut page = Page::open(&format!("{}/call/desk", api.base())).await;
    page.waits("document.getElementById('agent')?.textContent === 'desk'").await;
    page.clicks("talk").await;
    page.waits(&says("agent", "Welcome to the shop.")).await;
    page.waits("document.getElementById('theirs').value > 0.02").await;
    page.waits(&says("caller", QUESTION)).await;
    page.waits(&says("agent", "We are open from nine to six.")).await;
    page.evaluate("[...document.querySelectorAll('#keys button')].find((it) => it.textContent === '5').click()")
        .await;
    page.waits(&says("agent", "That was five.")).await;
    page.clicks("talk").await;
    let record = server.record().await;
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    assert_eq!((&record["trunk"], &record["to"]["number"]), (&json!("web"), &json!("desk")));
    assert_eq!(record["legs"][0]["codec"], "opus", "{record:#}");
    assert!(said(&record, "caller").contains(&QUESTION.to_owned()), "{record:#}");
    page.waits("document.getElementById('talk').textContent === 'Talk'").await;

    // A page that is left hangs up.
    page.clicks("talk").await;
    page.waits(&says("agent", "Welcome to the shop.")).await;
    page.evaluate("location.href = 'about:blank'").await;
    let record = server.records_of("desk", 2).await.pop().expect("the second");
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");

    // Whoever is not to be called has no page.
    let other = api.get("/call/nobody").await;
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_call_is_told_so() {
    let (server, api) = started(house()).await;
    let own = api.base().to_owned();
    let ask = async |path: &str, origin: Option<&str>, body: &'static str| {
        let request = api.request(Method::POST, path).header("Content-Type", "application/sdp");
        let request = match origin {
            Some(origin) => request.header("Origin", origin),
            None => request,
        };
        request.body(body).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(ask("/v1/web-calls/desk", None, "v=0\r\n").await, 403);
    assert_eq!(ask("/v1/web-calls/desk", Some("https://evil.example"), "v=0\r\n").await, 403);
    assert_eq!(ask("/v1/web-calls/nobody", Some(&own), "v=0\r\n").await, 404);
    assert_eq!(ask("/v1/web-calls/desk", Some(&own), "{}").await, 400);
    let may = api.request(Method::OPTIONS, "/v1/web-calls/desk").header("Origin", FRIEND);
    let may = may.send().await.expect("an answer");
    assert_eq!(may.status(), StatusCode::NO_CONTENT);
    assert_eq!(may.headers()["access-control-allow-origin"], FRIEND);
    for path in ["/v1/web-calls/desk", "/v1/web-calls/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/events"] {
        assert!(!api.get(path).await.status().is_success(), "{path}");
    }
    // An offer that nobody understands is refused, and so is who tries too often.
    let mut seen = Vec::new();
    for _ in 0..12 {
        seen.push(ask("/v1/web-calls/desk", Some(FRIEND), "v=0\r\n").await);
    }
    assert_eq!((seen[0], seen[11]), (422, 429), "{seen:?}");
    assert!(server.memory() > 0);
}

/// Whether the page shows that somebody said something.
fn says(who: &str, words: &str) -> String {
    format!(
        "[...document.querySelectorAll('#words .{who}')].some((it) => it.textContent.includes('{words}'))"
    )
}

fn house() -> House {
    let calls = format!("[http.web_calls]\nagents = [\"desk\"]\norigins = [{FRIEND:?}]\n\n");
    House::with(DIALPLAN).and(&calls)
}

/// Chromium with a page, driven as its developer tools drive it.
struct Page {
    child: Child,
    socket: tokio_tungstenite::WebSocketStream<TcpStream>,
    last: u64,
    _folder: Folder,
}

impl Page {
    /// Opens it, with a microphone that hears a question over and over.
    async fn open(url: &str) -> Self {
        let folder = Folder::new();
        let mut microphone = Frame::silence(Rate(8_000), Duration::from_secs(4));
        microphone.samples.extend(&spoken(Speaker::Flite("rms"), QUESTION).await.samples);
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

    async fn evaluate(&mut self, script: &str) -> Value {
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

    async fn clicks(&mut self, id: &str) {
        self.waits(&format!("document.getElementById('{id}')?.disabled === false")).await;
        self.evaluate(&format!("document.getElementById('{id}').click()")).await;
    }

    /// Waits until something is true in the page.
    async fn waits(&mut self, script: &str) {
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

const FRIEND: &str = "https://www.example.com";

const QUESTION: &str = "what are your opening hours";

const DIALPLAN: &str = r#"
[[route]]
to = "reject:603"

[agents.desk]
first_message = "Welcome to the shop."
silence       = { remind_after = "5m", hangup_after = "10m" }
llm           = { provider = "rules" }
stt           = { provider = "pocketsphinx" }
tts           = { provider = "flite", voice = "slt" }

[[agents.desk.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "We are open from nine to six."

[[agents.desk.intents]]
id      = "five"
key     = "5"
say     = "That was five."
"#;
