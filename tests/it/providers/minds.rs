//! Language models of vendors against stand-ins that speak their protocols, and misbehave.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use voxtrunk::agent::conversation::{Message, Request};
use voxtrunk::agent::event::Delta;
use voxtrunk::agent::tool::{Tool, ToolCall, ToolResult};
use voxtrunk::base::price::Unit;
use voxtrunk::providers::error::{ProviderError, Retry};
use voxtrunk::providers::fakes::mind::{Answer, Script};
use voxtrunk::providers::fakes::stand::{Stand, nobody};
use voxtrunk::providers::fakes::{anthropic, chat, gemini, responses};
use voxtrunk::providers::llm::anthropic::Anthropic;
use voxtrunk::providers::llm::gemini::Gemini;
use voxtrunk::providers::llm::openai_compatible::{OpenAiCompatible, Settings};
use voxtrunk::providers::llm::responses::Responses;
use voxtrunk::providers::model::Model;

const KEY: &str = "sesame-4711";

/// A model that can be printed: its key must not be in it.
trait Told: Model + Debug {}

impl<T: Model + Debug> Told for T {}

/// A vendor: its stand-in, and the model that asks it.
struct Vendor {
    name: &'static str,
    open: fn(Script) -> BoxFuture<'static, io::Result<Stand>>,
    model: fn(Settings) -> Result<Box<dyn Told>, ProviderError>,
    path: &'static str,
    /// What it calls the use of a tool.
    call: &'static str,
}

const VENDORS: [Vendor; 4] = [
    Vendor {
        name: "claude-haiku-4-5",
        open: |script| anthropic::open(script).boxed(),
        model: |settings| Ok(Box::new(Anthropic::new(settings)?)),
        path: "",
        call: "toolu_1",
    },
    Vendor {
        name: "gemini-3.5-flash",
        open: |script| gemini::open(script).boxed(),
        model: |settings| Ok(Box::new(Gemini::new(settings)?)),
        path: "/",
        call: "fn_1",
    },
    Vendor {
        name: "gpt-5.4-mini",
        open: |script| responses::open(script).boxed(),
        model: |settings| Ok(Box::new(Responses::new(settings)?)),
        path: "/v1/",
        call: "call_1",
    },
    Vendor {
        name: "llama-3.3-70b-versatile",
        open: |script| chat::open(script).boxed(),
        model: |settings| Ok(Box::new(OpenAiCompatible::new(settings)?)),
        path: "/v1",
        call: "call_1",
    },
];

impl Vendor {
    async fn stand(&self, answer: Answer) -> Stand {
        let mind = Arc::new(move |_: &str| answer.clone());
        let (delay, per_word) = (Duration::ZERO, Duration::ZERO);
        let script = Script { key: KEY, mind, delay, per_word, observer: nobody() };
        (self.open)(script).await.expect("a port")
    }

    fn model(&self, stand: &Stand, key: &str) -> Box<dyn Told> {
        let settings = Settings {
            name: "mind".to_owned(),
            base_url: format!("{}{}", stand.base_url(), self.path),
            api_key: Some(key.into()),
            headers: Default::default(),
            model: self.name.to_owned(),
            temperature: Some(0.3),
            max_tokens: 100,
            timeout: Duration::from_secs(20),
        };
        (self.model)(settings).expect("a client")
    }

    /// What is heard of an answer: its words, what else it gives, and how it failed.
    async fn heard(&self, answer: Answer) -> (String, Vec<Delta>, Option<ProviderError>) {
        let stand = self.stand(answer).await;
        let model = self.model(&stand, KEY);
        model.warm_up().await.expect("it is there");
        let heard = gather(&*model, request(Vec::new())).await;
        assert_eq!(stand.complaints(), Vec::<String>::new(), "{}", self.name);
        assert_eq!(stand.heard(), ["Well? [The caller pressed 1.]"], "{}", self.name);
        heard
    }
}

/// A conversation with all that can be in one, and `more`.
fn request(more: Vec<Message>) -> Request {
    let call = ToolCall { id: "1".into(), name: "transfer_call".into(), arguments: "{}".into() };
    let result = ToolResult { id: "1".into(), content: "busy".into(), failed: true };
    let mut messages = vec![
        Message::Agent { text: "Hello?".to_owned(), interrupted: false },
        Message::Caller { text: "Grüß Gott".to_owned(), keys: String::new() },
        Message::ToolCall(call),
        Message::ToolResult(result),
        Message::Agent { text: "One".to_owned(), interrupted: true },
        Message::Caller { text: "Well?".to_owned(), keys: "1".to_owned() },
    ];
    messages.extend(more);
    Request {
        instructions: "Be brief.".to_owned(),
        messages,
        tools: vec![Tool {
            name: "end_call".to_owned(),
            description: "Ends the call.".to_owned(),
            parameters: "{\"type\":\"object\",\"properties\":{}}".to_owned(),
        }],
        ..Request::default()
    }
}

async fn gather(model: &dyn Told, request: Request) -> (String, Vec<Delta>, Option<ProviderError>) {
    let mut stream = model.think(request);
    let (mut text, mut others, mut failure) = (String::new(), Vec::new(), None);
    let mut used = Vec::new();
    while let Some(delta) = stream.next().await {
        match delta {
            Ok(Delta::Text(more)) => text.push_str(&more),
            Ok(Delta::Used(amounts)) => used.extend(amounts),
            Ok(other) => others.push(other),
            Err(why) => failure = Some(why),
        }
    }
    // Every vendor says what a whole answer took.
    if others.last() == Some(&Delta::Done) {
        let of = |unit| used.iter().filter(|it| it.unit == unit).map(|it| it.count).sum::<u64>();
        let units = [Unit::InputTokens, Unit::CachedTokens, Unit::OutputTokens];
        assert_eq!(units.map(of), [32, 8, 9]);
    }
    (text, others, failure)
}

#[tokio::test]
async fn an_answer_is_heard_word_by_word_with_its_tools_behind_it() {
    for vendor in &VENDORS {
        let said = "Schöne Grüße, 你好, 🙂 bis später.";
        let heard = vendor.heard(Answer::Says(said.to_owned())).await;
        assert_eq!(heard, (said.to_owned(), vec![Delta::Done], None), "{}", vendor.name);
        for (input, arguments) in [("{\"to\":\"sales\"}", "{\"to\":\"sales\"}"), ("", "{}")] {
            let uses = Answer::Uses("One moment.".to_owned(), "transfer_call", input.to_owned());
            let call = ToolCall {
                id: vendor.call.to_owned(),
                name: "transfer_call".to_owned(),
                arguments: arguments.to_owned(),
            };
            let expected = ("One moment.".to_owned(), vec![Delta::Tool(call), Delta::Done], None);
            assert_eq!(vendor.heard(uses).await, expected, "{}", vendor.name);
        }
    }
}

#[tokio::test]
async fn a_use_of_a_tool_goes_back_with_its_result_as_the_vendor_wants_it() {
    for vendor in &VENDORS {
        let uses = Answer::Uses(String::new(), "look_up", "{\"day\":1}".to_owned());
        let stand = vendor.stand(uses).await;
        let model = vendor.model(&stand, KEY);
        let (_, others, failure) = gather(&*model, request(Vec::new())).await;
        assert_eq!(failure, None, "{}", vendor.name);
        let Some(Delta::Tool(call)) = others.first().cloned() else { panic!("{others:?}") };
        let content = "{\"slots\":[\"nine\"]}".to_owned();
        let result = ToolResult { id: call.id.clone(), content, failed: false };
        let more = vec![Message::ToolCall(call), Message::ToolResult(result)];
        let (_, _, failure) = gather(&*model, request(more)).await;
        assert_eq!(failure, None, "{}", vendor.name);
        assert_eq!(stand.complaints(), Vec::<String>::new(), "{}", vendor.name);
    }
}

#[tokio::test]
async fn an_answer_that_fails_in_the_middle_is_a_failure_after_what_was_heard() {
    let cases = [
        Answer::Fails("Well".to_owned(), "overloaded_error"),
        Answer::BreaksOff("Well".to_owned()),
        Answer::HalfALetter("Well".to_owned()),
        Answer::Garbage,
    ];
    for vendor in &VENDORS {
        for case in &cases {
            let heard = if *case == Answer::Garbage { "" } else { "Well" };
            let (text, others, failure) = vendor.heard(case.clone()).await;
            let what = format!("{} {case:?}", vendor.name);
            assert_eq!((text.as_str(), others), (heard, Vec::new()), "{what}");
            assert_eq!(failure.expect("a failure").retry, Retry::Now, "{what}");
        }
        let (text, others, failure) = vendor.heard(Answer::Endless).await;
        assert!(text.starts_with("and so on and so on ") && text.len() < 5 << 20);
        assert_eq!(others, Vec::new(), "{}", vendor.name);
        let why = failure.expect("a failure");
        assert!(why.reason.contains("endless"), "{} {why}", vendor.name);
    }
}

#[tokio::test]
async fn refusals_say_what_to_do_and_name_no_key() {
    let cases = [
        (429, "rate_limit_error", Some(7), Retry::After(Duration::from_secs(7)), "no more"),
        (503, "overloaded_error", None, Retry::Now, "in trouble"),
        (402, "billing_error", None, Retry::Never, "no credit"),
        (404, "not_found_error", None, Retry::Never, "no such model"),
    ];
    for vendor in &VENDORS {
        for (status, kind, after, retry, advice) in cases {
            let (_, _, failure) = vendor.heard(Answer::Refuses(status, kind, after)).await;
            let why = failure.expect("a failure");
            assert_eq!(why.retry, retry, "{} {why}", vendor.name);
            assert!(why.reason.contains(advice) && why.reason.contains(kind), "{why}");
        }
        let stand = vendor.stand(Answer::Garbage).await;
        let stranger = vendor.model(&stand, "wrong-4712");
        let why = stranger.warm_up().await.expect_err("a refusal");
        assert_eq!(why.retry, Retry::Never);
        assert!(why.reason.contains("the key is refused"), "{why}");
        assert!(!format!("{why} {why:?} {stranger:?}").contains("4712"), "{}", vendor.name);
    }
}
