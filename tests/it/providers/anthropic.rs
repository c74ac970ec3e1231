//! Anthropic's messages against a stand-in that speaks them, and misbehaves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use voxtrunk::agent::conversation::{Message, Request};
use voxtrunk::agent::event::Delta;
use voxtrunk::agent::tool::{Tool, ToolCall, ToolResult};
use voxtrunk::providers::error::{ProviderError, Retry};
use voxtrunk::providers::fakes::anthropic::{Answer, Script, open};
use voxtrunk::providers::fakes::stand::{Stand, nobody};
use voxtrunk::providers::llm::anthropic::{Anthropic, Settings};
use voxtrunk::providers::model::Model as _;

const KEY: &str = "sesame-4711";

async fn stand(answer: Answer) -> Stand {
    let mind = Arc::new(move |_: &str| answer.clone());
    let script = Script { key: KEY, mind, delay: Duration::ZERO, observer: nobody() };
    open(script).await.expect("a port")
}

fn model(stand: &Stand, key: &str) -> Anthropic {
    Anthropic::new(Settings {
        name: "mind".to_owned(),
        base_url: stand.base_url(),
        api_key: key.into(),
        model: "small".to_owned(),
        temperature: Some(0.3),
        max_tokens: 100,
        timeout: Duration::from_secs(20),
    })
    .expect("a client")
}

fn request() -> Request {
    let call = ToolCall { id: "1".into(), name: "transfer_call".into(), arguments: "{}".into() };
    let result = ToolResult { id: "1".into(), content: "busy".into(), failed: true };
    Request {
        instructions: "Be brief.".to_owned(),
        messages: vec![
            Message::Agent { text: "Hello?".to_owned(), interrupted: false },
            Message::Caller { text: "Grüß Gott".to_owned(), keys: String::new() },
            Message::ToolCall(call),
            Message::ToolResult(result),
            Message::Agent { text: "One".to_owned(), interrupted: true },
            Message::Caller { text: "Well?".to_owned(), keys: "1".to_owned() },
        ],
        tools: vec![Tool {
            name: "end_call".to_owned(),
            description: "Ends the call.".to_owned(),
            parameters: "{\"type\":\"object\",\"properties\":{}}".to_owned(),
        }],
        today: None,
    }
}

async fn answer(answer: Answer) -> (String, Vec<Delta>, Option<ProviderError>) {
    let stand = stand(answer).await;
    let model = model(&stand, KEY);
    model.warm_up().await.expect("it is there");
    let mut stream = model.think(request());
    let (mut text, mut others, mut failure) = (String::new(), Vec::new(), None);
    while let Some(delta) = stream.next().await {
        match delta {
            Ok(Delta::Text(more)) => text.push_str(&more),
            Ok(other) => others.push(other),
            Err(why) => failure = Some(why),
        }
    }
    assert_eq!(stand.complaints(), Vec::<String>::new());
    assert_eq!(stand.heard(), ["Well? [The caller pressed 1.]"]);
    (text, others, failure)
}

#[tokio::test]
async fn an_answer_is_heard_word_by_word_with_its_tools_behind_it() {
    let said = "Schöne Grüße, 你好, 🙂 bis später.";
    let heard = answer(Answer::Says(said.to_owned())).await;
    assert_eq!(heard, (said.to_owned(), vec![Delta::Done], None));
    for (input, arguments) in [("{\"to\":\"sales\"}", "{\"to\":\"sales\"}"), ("", "{}")] {
        let uses = Answer::Uses("One moment.".to_owned(), "transfer_call", input.to_owned());
        let call = ToolCall {
            id: "toolu_1".to_owned(),
            name: "transfer_call".to_owned(),
            arguments: arguments.to_owned(),
        };
        let expected = ("One moment.".to_owned(), vec![Delta::Tool(call), Delta::Done], None);
        assert_eq!(answer(uses).await, expected);
    }
}

#[tokio::test]
async fn an_answer_that_fails_in_the_middle_is_a_failure_after_what_was_heard() {
    let cases = [
        Answer::Fails("Well".to_owned(), "overloaded_error"),
        Answer::BreaksOff("Well".to_owned()),
        Answer::Garbage,
    ];
    for case in cases {
        let heard = if case == Answer::Garbage { "" } else { "Well" };
        let (text, others, failure) = answer(case.clone()).await;
        assert_eq!((text.as_str(), others), (heard, Vec::new()), "{case:?}");
        assert_eq!(failure.expect("a failure").retry, Retry::Now, "{case:?}");
    }
}

#[tokio::test]
async fn refusals_say_what_to_do_and_name_no_key() {
    let cases = [
        (429, "rate_limit_error", Some(7), Retry::After(Duration::from_secs(7)), "no more"),
        (529, "overloaded_error", None, Retry::Now, "in trouble"),
        (402, "billing_error", None, Retry::Never, "no credit"),
        (404, "not_found_error", None, Retry::Never, "no such model"),
    ];
    for (status, kind, after, retry, advice) in cases {
        let (_, _, failure) = answer(Answer::Refuses(status, kind, after)).await;
        let why = failure.expect("a failure");
        assert_eq!(why.retry, retry, "{why}");
        assert!(why.reason.contains(advice) && why.reason.contains(kind), "{why}");
    }
    let stand = stand(Answer::Garbage).await;
    let stranger = model(&stand, "wrong-4712");
    let why = stranger.warm_up().await.expect_err("a refusal");
    assert_eq!(why.retry, Retry::Never);
    assert!(!format!("{why} {why:?} {stranger:?}").contains("4712"));
}
