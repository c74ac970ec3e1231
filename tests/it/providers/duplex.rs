//! A model that hears, thinks and speaks against a stand-in that speaks its protocol, keeps its
//! conversation, and misbehaves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use voxtrunk::agent::conversation::{Message, Request};
use voxtrunk::agent::event::{
    Delta, PauseId, Portion, ThoughtId, Transcript, Utterance, UtteranceId,
};
use voxtrunk::agent::tool::{Tool, ToolResult};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::{g711, resample};
use voxtrunk::providers::duplex::openai::OpenAiRealtime;
use voxtrunk::providers::duplex::settings::Settings;
use voxtrunk::providers::error::{ProviderError, Retry};
use voxtrunk::providers::fakes::duplex::{self, Fault, Script};
use voxtrunk::providers::fakes::ear::scripted;
use voxtrunk::providers::fakes::mind::Answer;
use voxtrunk::providers::fakes::stand::Stand;
use voxtrunk::providers::realtime::{Format, Realtime, Talk};
use voxtrunk::providers::transcriber::{Context, Heard, Listening};

use crate::wire::server::{PATIENCE, within};

const KEY: &str = "sesame-4711";

#[tokio::test]
async fn a_turn_is_heard_answered_and_spoken_in_one() {
    let mut call = Call::new(Vec::new()).await;
    call.talk.said(&utterance(1, None, "Hello?"));
    assert_eq!(call.line("Hello?").await.unwrap(), sounds("Hello?"));
    let text = call.says(40).await;
    assert_eq!(text, Transcript::Final { text: HOURS.into(), confidence: None, complete: false });
    let mut request = call.request(1, &[agent("Hello?"), caller(HOURS)]);
    request.instructions = "Be brief.".to_owned();
    let (words, tools, why) = call.think(request).await;
    assert_eq!((words.as_str(), tools.len(), why), (ANSWER, 0, None));
    call.ear.forget();
    let first = call.own(2, 1, "We are open from nine to six.").await.unwrap();
    let second = call.own(3, 1, "Every day.").await.unwrap();
    assert_eq!([first.clone(), second].concat(), sounds(ANSWER), "nothing is lost between clauses");
    let share = first.len() as f64 / sounds(ANSWER).len() as f64;
    assert!((0.6..0.8).contains(&share), "{share}");
    let heard = call.stand.heard();
    let told: Vec<&str> = heard.iter().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "speaks audio/pcm",
            "says Hello?",
            HOURS,
            "speaks audio/pcm",
            "is told assistant Hello?",
            format!("answers assistant: Hello? | user: {HOURS}").as_str(),
        ],
        "what the agent said stands before what the caller said"
    );
    call.ends().await;
}

#[tokio::test]
async fn g711_goes_through_as_it_is() {
    let call = Call::new(Vec::new()).await;
    for (format, name) in [(Format::Pcmu, "audio/pcmu"), (Format::Pcma, "audio/pcma")] {
        call.talk.attune(format);
        let clip = Frame::new(Rate(24_000), sounds("Hello?"));
        let mut octets = Vec::new();
        for piece in clip.samples.chunks(2_400) {
            let piece = resample::convert(&Frame::new(Rate(24_000), piece.to_vec()), Rate::NARROW);
            octets.extend(piece.samples);
        }
        let through = |sample: &i16| match format {
            Format::Pcmu => g711::ulaw_to_linear(g711::linear_to_ulaw(*sample)),
            _ => g711::alaw_to_linear(g711::linear_to_alaw(*sample)),
        };
        let expected: Vec<i16> = octets.iter().map(through).collect();
        assert_eq!(call.line("Hello?").await.unwrap(), expected);
        assert!(call.stand.heard().contains(&format!("speaks {name}")));
    }
    call.ends().await;
}

#[tokio::test]
async fn the_vendor_is_told_how_much_was_heard() {
    let mut call = Call::new(Vec::new()).await;
    call.says(40).await;
    let request = call.request(1, &[caller(HOURS)]);
    call.think(request).await;
    call.ear.forget();
    call.own(1, 1, "We are open from nine to six.").await.unwrap();
    call.talk.cut(vec![portion(1, 1, 500, "We are"), portion(2, 1, 0, "")]);
    let total = sounds(ANSWER).len() / 24;
    call.hears(&format!("cuts 500 of {total} ms: {ANSWER}")).await;
    call.ends().await;
}

#[tokio::test]
async fn what_nobody_heard_is_forgotten() {
    let mut call = Call::new(Vec::new()).await;
    // A guess that turned out to be wrong: the caller went on.
    call.says(40).await;
    let request = call.request(1, &[caller(HOURS)]);
    call.think(request).await;
    call.talk.cut(vec![portion(1, 1, 0, "")]);
    call.talk.abandon(ThoughtId(1));
    call.says_on(40).await;
    let request = call.request(2, &[caller("what are your opening hours today")]);
    call.think(request).await;
    call.hears(&format!("forgets message {ANSWER}")).await;
    call.ear.forget();
    // A noise that nobody answers.
    call.says(40).await;
    call.ear.forget();
    call.ear.begin();
    call.hears("forgets message good bye").await;
    call.ends().await;
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_told() {
    let mut call = Call::new(Vec::new()).await;
    for _ in 0..3 {
        call.says(40).await;
        call.ear.forget();
    }
    call.says(40).await;
    let request = call.request(1, &[caller("weather")]);
    let (words, tools, why) = call.think(request).await;
    call.ear.forget();
    assert_eq!((words.as_str(), why), ("One moment.", None));
    let [called] = tools.as_slice() else { panic!("{tools:?}") };
    let Message::ToolCall(called) = called.clone() else { panic!("{called:?}") };
    assert_eq!((called.name.as_str(), called.arguments.as_str()), ("look_up", "{\"a\":1}"));
    let result = ToolResult { id: called.id.clone(), content: "sun".to_owned(), failed: false };
    let messages = [
        caller("weather"),
        agent("One moment."),
        Message::ToolCall(called),
        Message::ToolResult(result),
    ];
    let request = call.request(2, &messages);
    let (words, _, why) = call.think(request).await;
    assert_eq!((words.as_str(), why), ("It is sun.", None));
    assert!(call.stand.heard().contains(&"is told function_call_output sun".to_owned()));
    // The third answer comes from a caller who pressed a key.
    let mut messages = messages.to_vec();
    messages.push(agent("It is sun."));
    messages.push(Message::Caller { text: String::new(), keys: "12".to_owned() });
    let request = call.request(3, &messages);
    call.think(request).await;
    let keys = "is told user (The caller pressed the keys 12.)".to_owned();
    assert!(call.stand.heard().contains(&keys), "{:?}", call.stand.heard());
    call.ends().await;
}

#[tokio::test]
async fn a_wrong_key_and_a_wrong_model_are_known_at_once() {
    let script = script(Vec::new());
    let stand = duplex::open(script).await.expect("a port");
    let wrong = realtime(&stand, "sesame-wrong", "gpt-realtime-2");
    let why = wrong.warm_up().await.expect_err("the key is wrong");
    assert_eq!(why.retry, Retry::Never);
    for who in [wrong, realtime(&stand, KEY, "gpt-unknown")] {
        assert!(!format!("{who:?}").contains("sesame"), "{who:?}");
        let mut call = Call::of(&stand, who).await;
        assert_eq!(call.says(40).await, Transcript::Failed);
        let request = call.request(1, &[caller(HOURS)]);
        let (words, _, why) = call.think(request).await;
        let why = why.expect("it fails");
        assert_eq!((words.as_str(), why.retry), ("", Retry::Never), "{why}");
        assert!(!why.to_string().contains("sesame"), "{why}");
        assert!(call.line("Sorry.").await.is_err());
    }
}

#[tokio::test]
async fn an_answer_that_did_not_begin_is_asked_for_again_over_another_socket() {
    for fault in [Fault::CutsAfter(0), Fault::Complains("session_expired"), Fault::Garbage] {
        let mut call = Call::new(vec![fault]).await;
        call.says(40).await;
        let messages = [agent("Hello?"), caller(HOURS)];
        let request = call.request(1, &messages);
        let (words, _, why) = call.think(request).await;
        assert_eq!((words.as_str(), why), (ANSWER, None), "{fault:?}");
        call.ear.forget();
        let last = call.stand.heard().into_iter().rfind(|it| it.starts_with("answers"));
        let all = format!("answers assistant: Hello? | user: {HOURS}");
        assert_eq!(last.as_ref(), Some(&all), "{fault:?}");
        assert_eq!(call.stand.connections(), 2, "{fault:?}");
        call.ends().await;
    }
}

#[tokio::test]
async fn an_answer_that_broke_off_fails_and_the_next_one_knows_what_was_said() {
    let mut call = Call::new(vec![Fault::CutsAfter(3)]).await;
    call.says(40).await;
    let request = call.request(1, &[caller(HOURS)]);
    let (words, _, why) = call.think(request).await;
    let why = why.expect("it broke off");
    assert!(ANSWER.starts_with(words.trim_end()), "{words}");
    assert_eq!(why.retry, Retry::Now);
    call.ear.forget();
    let broken = call.own(1, 1, "We are open").await;
    assert!(broken.is_err(), "whoever speaks says the rest");
    assert_eq!(call.line("Sorry?").await.unwrap(), sounds("Sorry?"));
    call.says(40).await;
    let messages = [caller(HOURS), agent("We are"), agent("Sorry?"), caller("today")];
    let request = call.request(2, &messages);
    let (words, _, why) = call.think(request).await;
    assert_eq!((words.is_empty(), why), (false, None));
    let last = call.stand.heard().into_iter().rfind(|it| it.starts_with("answers"));
    let all =
        format!("answers user: {HOURS} | assistant: We are | assistant: Sorry? | user: today");
    assert_eq!(last, Some(all));
    call.ends().await;
}

#[tokio::test]
async fn no_fault_of_the_vendor_leaves_a_turn_without_an_end() {
    for fault in [
        Fault::Fails("rate_limit_exceeded"),
        Fault::Fails("insufficient_quota"),
        Fault::CannotWrite,
    ] {
        let mut call = Call::new(vec![fault; 9]).await;
        let text = call.says(40).await;
        let request = call.request(1, &[caller("")]);
        let (words, _, why) = call.think(request).await;
        match fault {
            Fault::CannotWrite => {
                assert_eq!((text, words.as_str(), why), (Transcript::Failed, ANSWER, None));
            }
            Fault::Fails("insufficient_quota") => {
                assert_eq!(why.map(|why| why.retry), Some(Retry::Never));
            }
            _ => assert_eq!(why.map(|why| why.retry), Some(Retry::Now)),
        }
    }
    for fault in [Fault::Garbage, Fault::HalfALetter] {
        let call = Call::new(vec![fault; 99]).await;
        let request = call.request(1, &[caller(HOURS)]);
        let (_, _, why) = call.think(request).await;
        assert!(why.is_some(), "{fault:?}");
        assert!(call.stand.connections() <= 9, "{fault:?}: it is not asked for ever");
    }
}

#[tokio::test]
async fn a_vendor_that_falls_silent_is_left_for_another_socket() {
    let mut call = Call::new(vec![Fault::Silent]).await;
    call.says(40).await;
    let stuck = call.talk.think(call.request(1, &[caller(HOURS)]));
    call.hears("keeps silent").await;
    drop(stuck);
    let request = call.request(2, &[caller(HOURS)]);
    let (words, _, why) = call.think(request).await;
    assert_eq!((words.as_str(), why), (ANSWER, None));
    assert_eq!(call.stand.connections(), 2);
    call.ends().await;
}

/// A call over a stand-in.
struct Call {
    stand: Stand,
    talk: Arc<dyn Talk>,
    ear: Box<dyn Listening>,
    texts: mpsc::Receiver<Heard>,
    pause: u64,
    _who: OpenAiRealtime,
}

impl Call {
    async fn new(faults: Vec<Fault>) -> Self {
        let stand = duplex::open(script(faults)).await.expect("a port");
        let who = realtime(&stand, KEY, "gpt-realtime-2");
        let (talk, ear, texts) = opened(&who).await;
        Self { stand, talk, ear, texts, pause: 0, _who: who }
    }

    async fn of(_: &Stand, who: OpenAiRealtime) -> Self {
        let stand = duplex::open(script(Vec::new())).await.expect("a port");
        let (talk, ear, texts) = opened(&who).await;
        Self { stand, talk, ear, texts, pause: 0, _who: who }
    }

    /// A turn of so many frames.
    async fn says(&mut self, frames: usize) -> Transcript {
        self.ear.begin();
        self.says_on(frames).await
    }

    async fn says_on(&mut self, frames: usize) -> Transcript {
        for at in 0..frames {
            let loud = |it: usize| if it.is_multiple_of(40) { 9_000 } else { -900 };
            let samples = (at * 320..(at + 1) * 320).map(loud).collect();
            self.ear.hear(&Frame::new(Rate::WIDE, samples));
        }
        self.pause += 1;
        self.ear.finalize(PauseId(self.pause));
        loop {
            let heard = tokio::time::timeout(PATIENCE, self.texts.recv()).await.expect("in time");
            let heard = heard.expect("it hears");
            assert_eq!(heard.pause, PauseId(self.pause));
            if !matches!(heard.transcript, Transcript::Partial { .. }) {
                return heard.transcript;
            }
        }
    }

    fn request(&self, thought: u64, messages: &[Message]) -> Request {
        Request {
            thought: ThoughtId(thought),
            messages: messages.to_vec(),
            tools: vec![Tool {
                name: "look_up".to_owned(),
                description: "Looks it up.".to_owned(),
                parameters: "{\"type\":\"object\",\"properties\":{}}".to_owned(),
            }],
            ..Request::default()
        }
    }

    /// The words of an answer, the tools that it calls, and why it failed.
    async fn think(&self, request: Request) -> (String, Vec<Message>, Option<ProviderError>) {
        let (mut words, mut tools) = (String::new(), Vec::new());
        let mut answer = self.talk.think(request);
        loop {
            let delta = tokio::time::timeout(PATIENCE, answer.next()).await.expect("in time");
            match delta.expect("it says how it ends") {
                Ok(Delta::Text(text)) => words.push_str(&text),
                Ok(Delta::Clause) => assert!(words.trim_end().ends_with('.'), "{words}"),
                Ok(Delta::Tool(call)) => tools.push(Message::ToolCall(call)),
                Ok(Delta::Done) => return (words, tools, None),
                Ok(other) => panic!("{other:?}"),
                Err(why) => return (words, tools, Some(why)),
            }
        }
    }

    async fn own(&self, id: u64, thought: u64, text: &str) -> Result<Vec<i16>, ProviderError> {
        let clause = self.talk.own(&utterance(id, Some(thought), text)).expect("its own words");
        gather(clause).await
    }

    async fn line(&self, text: &str) -> Result<Vec<i16>, ProviderError> {
        gather(self.talk.speak(text)).await
    }

    async fn hears(&self, what: &str) {
        let found =
            within(PATIENCE, what, || self.stand.heard().iter().any(|it| it == what).then_some(()));
        found.await;
    }

    /// The call is over, and the stand-in had nothing to complain of.
    async fn ends(self) {
        let Self { stand, talk, ear, _who, .. } = self;
        drop((talk, ear));
        within(PATIENCE, "the socket is closed", || {
            stand.heard().contains(&"closes".to_owned()).then_some(())
        })
        .await;
        assert_eq!(stand.complaints(), Vec::<String>::new(), "{:#?}", stand.heard());
    }
}

async fn opened(
    who: &OpenAiRealtime,
) -> (Arc<dyn Talk>, Box<dyn Listening>, mpsc::Receiver<Heard>) {
    let context = Context {
        language: "en-US".parse().expect("a language"),
        grammar: None,
        key_terms: Vec::new(),
    };
    let talk = who.begin(context.clone());
    let (sender, texts) = mpsc::channel(64);
    let ear = talk.open(context, sender).await.expect("it opens");
    (talk, ear, texts)
}

async fn gather(
    mut sound: impl futures_util::Stream<Item = Result<Frame, ProviderError>> + Unpin,
) -> Result<Vec<i16>, ProviderError> {
    let mut samples = Vec::new();
    loop {
        match tokio::time::timeout(PATIENCE, sound.next()).await.expect("in time") {
            Some(frame) => samples.extend(frame?.samples),
            None => return Ok(samples),
        }
    }
}

fn realtime(stand: &Stand, key: &str, model: &str) -> OpenAiRealtime {
    let settings = Settings {
        name: "duplex".to_owned(),
        base_url: format!("{}/v1", stand.base_url()),
        api_key: Some(key.into()),
        headers: Default::default(),
        model: model.to_owned(),
        voice: "marin".to_owned(),
        speed: None,
        max_tokens: Some(900),
    };
    OpenAiRealtime::new(settings).expect("a client")
}

fn script(faults: Vec<Fault>) -> Script {
    Script {
        key: KEY,
        model: "gpt-realtime-2",
        ear: scripted(&[HOURS, "today", "good bye", "weather"]),
        mind: Arc::new(|asked| match asked {
            "weather" => Answer::Uses("One moment.".into(), "look_up", "{\"a\":1}".into()),
            "sun" => Answer::Says("It is sun.".to_owned()),
            _ => Answer::Says(ANSWER.to_owned()),
        }),
        throat: Arc::new(sounds),
        delay: Duration::from_millis(5),
        pace: Duration::from_millis(1),
        faults,
    }
}

/// 60 ms for each letter, each of them different.
fn sounds(text: &str) -> Vec<i16> {
    let letters = text.bytes().enumerate();
    letters.flat_map(|(at, letter)| vec![i16::from(letter) * 50 + at as i16; 1_440]).collect()
}

fn utterance(id: u64, thought: Option<u64>, text: &str) -> Utterance {
    let (text, spoken) = (text.to_owned(), text.to_owned());
    Utterance { id: UtteranceId(id), text, spoken, held: false, thought: thought.map(ThoughtId) }
}

fn portion(id: u64, thought: u64, millis: u64, words: &str) -> Portion {
    Portion {
        utterance: UtteranceId(id),
        thought: Some(ThoughtId(thought)),
        heard: Duration::from_millis(millis),
        words: words.to_owned(),
    }
}

fn caller(text: &str) -> Message {
    Message::Caller { text: text.to_owned(), keys: String::new() }
}

fn agent(text: &str) -> Message {
    Message::Agent { text: text.to_owned(), interrupted: false }
}

const HOURS: &str = "what are your opening hours";

const ANSWER: &str = "We are open from nine to six. Every day.";
