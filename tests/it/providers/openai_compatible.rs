//! The openai-compatible model against a real HTTP server that misbehaves.

use std::time::Duration;

use futures_util::StreamExt;
use voxtrunk::agent::conversation::{Message, Request};
use voxtrunk::agent::event::Delta;
use voxtrunk::agent::tool::{Tool, ToolCall, ToolResult};
use voxtrunk::providers::error::{ProviderError, Retry};
use voxtrunk::providers::llm::openai_compatible::{OpenAiCompatible, Settings};
use voxtrunk::providers::model::Model;

use crate::fakes::chat_server::{Behaviour, ChatServer, KEY};

fn model(server: &ChatServer) -> OpenAiCompatible {
    OpenAiCompatible::new(Settings {
        name: "test".to_owned(),
        base_url: server.base_url(),
        api_key: Some(KEY.into()),
        headers: Default::default(),
        model: "tiny".to_owned(),
        temperature: Some(0.3),
        max_tokens: 100,
        timeout: Duration::from_millis(400),
    })
    .expect("a client")
}

fn request() -> Request {
    let call = ToolCall { id: "1".into(), name: "transfer_call".into(), arguments: "{}".into() };
    let result = ToolResult { id: "1".into(), content: "busy".into(), failed: true };
    Request {
        instructions: "Be brief.".to_owned(),
        messages: vec![
            Message::Caller { text: "Grüß Gott".to_owned(), keys: String::new() },
            Message::ToolCall(call),
            Message::ToolResult(result),
            Message::Agent { text: "One".to_owned(), interrupted: true },
            Message::Caller { text: String::new(), keys: "1".to_owned() },
        ],
        tools: vec![Tool {
            name: "end_call".to_owned(),
            description: "Ends the call.".to_owned(),
            parameters: "{\"type\":\"object\",\"properties\":{}}".to_owned(),
        }],
        ..Request::default()
    }
}

async fn answer(behaviour: Behaviour) -> (Vec<Delta>, Option<ProviderError>, ChatServer) {
    let server = ChatServer::start(vec![behaviour]).await;
    let mut stream = model(&server).think(request());
    let mut deltas = Vec::new();
    let mut failure = None;
    while let Some(delta) = stream.next().await {
        match delta {
            Ok(delta) => deltas.push(delta),
            Err(why) => failure = Some(why),
        }
    }
    assert_eq!(server.complaints(), Vec::<String>::new());
    (deltas, failure, server)
}

fn text(deltas: &[Delta]) -> String {
    deltas
        .iter()
        .filter_map(|delta| match delta {
            Delta::Text(text) => Some(text.as_str()),
            Delta::Clause
            | Delta::Used(_)
            | Delta::Tool(_)
            | Delta::Done
            | Delta::BrokeOff
            | Delta::Failed
            | Delta::Down => None,
        })
        .collect()
}

#[tokio::test]
async fn an_answer_is_the_same_however_it_is_cut() {
    let said = "Schöne Grüße, 你好, 🙂 bis später.";
    for behaviour in [Behaviour::Says(said), Behaviour::SaysByteByByte(said)] {
        let (deltas, failure, server) = answer(behaviour).await;
        assert_eq!((text(&deltas).as_str(), failure), (said, None));
        assert_eq!(deltas.last(), Some(&Delta::Done));
        let body = &server.requests()[0];
        assert_eq!(body["messages"][1]["content"], "Grüß Gott");
        assert_eq!(body["tools"][0]["function"]["name"], "end_call");
    }
}

#[tokio::test]
async fn a_tool_call_in_fragments_becomes_one() {
    let (deltas, failure, _server) = answer(Behaviour::Calls {
        text: "One moment.",
        tool: "transfer_call",
        arguments: "{\"to\":\"sales\"}",
    })
    .await;
    assert_eq!(failure, None);
    let call = ToolCall {
        id: "call_abc".into(),
        name: "transfer_call".into(),
        arguments: "{\"to\":\"sales\"}".into(),
    };
    assert_eq!(deltas[deltas.len() - 2..], [Delta::Tool(call), Delta::Done]);
}

#[tokio::test]
async fn a_silent_server_fails_in_time_before_and_within_the_answer() {
    for (behaviour, heard) in
        [(Behaviour::NeverAnswers, ""), (Behaviour::StallsAfter("Well"), "Well")]
    {
        let (deltas, failure, _server) = answer(behaviour).await;
        assert_eq!(text(&deltas), heard);
        let failure = failure.expect("a failure");
        assert_eq!((failure.retry, failure.reason.as_str()), (Retry::Now, "no answer in time"));
    }
}

#[tokio::test]
async fn refusals_say_whether_to_try_again() {
    let refuses = |status, retry_after, code| Behaviour::Refuses { status, retry_after, code };
    let cases = [
        (refuses(429, Some(7), "rate_limit_exceeded"), Retry::After(Duration::from_secs(7))),
        (refuses(429, None, "insufficient_quota"), Retry::Never),
        (refuses(500, None, "server_error"), Retry::Now),
        (refuses(401, None, "invalid_api_key"), Retry::Never),
        (refuses(404, None, "model_not_found"), Retry::Never),
    ];
    for (behaviour, retry) in cases {
        let (deltas, failure, _server) = answer(behaviour.clone()).await;
        assert_eq!(deltas, []);
        assert_eq!(failure.expect("a failure").retry, retry, "{behaviour:?}");
    }
}

#[tokio::test]
async fn garbage_and_a_broken_connection_are_failures_after_what_was_heard() {
    let (deltas, failure, _server) = answer(Behaviour::Garbage).await;
    assert_eq!(deltas, []);
    assert!(failure.is_some());
    let (deltas, failure, _server) = answer(Behaviour::BreaksOffAfter("Well then")).await;
    assert_eq!(text(&deltas), "Well then");
    assert!(failure.is_some());
}

#[tokio::test]
async fn nobody_there_is_a_passing_failure_that_names_no_key() {
    let server = ChatServer::start(vec![Behaviour::NeverAnswers]).await;
    let model = model(&server);
    drop(server);
    let failure = model.think(request()).next().await.expect("an item").expect_err("a failure");
    assert_eq!(failure.retry, Retry::Now);
    assert!(!format!("{failure:?} {failure}").contains(KEY));
}
