//! A person opens the page that the server serves, in a real Chromium without a screen, and talks with
//! an agent: what is said stands in the page, the agent is heard, keys are told, and the call ends with
//! the page. Whoever may not call is told so.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::http::started;
use super::page::Page;
use super::server::{House, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_talks_with_an_agent_in_the_page_and_sees_the_words() {
    let (server, api) = started(house()).await;
    let mut page = Page::open(&format!("{}/call/desk", api.base()), QUESTION).await;
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
