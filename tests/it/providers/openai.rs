//! OpenAI's transcriptions and speech against a stand-in that speaks both, and misbehaves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use voxtrunk::agent::event::{PauseId, Transcript};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::providers::error::{ProviderError, Retry};
use voxtrunk::providers::fakes::openai::{Fault, Script, open};
use voxtrunk::providers::fakes::stand::Stand;
use voxtrunk::providers::stt::openai::{self as stt, OpenAiTranscriber};
use voxtrunk::providers::transcriber::{Context, Heard, Listening, Transcriber as _};
use voxtrunk::providers::tts::openai::{self as tts, OpenAiVoice};
use voxtrunk::providers::voice::Voice as _;

use crate::wire::server::PATIENCE;

const KEY: &str = "sesame-4711";

fn spelled(text: &str) -> Vec<i16> {
    text.chars().flat_map(|letter| vec![letter as i16; 150]).collect()
}

/// It hears how long the clip is, and how it begins and ends.
fn measured(samples: &[i16], _: usize) -> String {
    let ends = (samples.first(), samples.last());
    format!("{} samples from {:?} to {:?}", samples.len(), ends.0, ends.1)
}

async fn stand(faults: Vec<Fault>) -> Stand {
    let (ear, throat) = (Arc::new(measured), Arc::new(spelled));
    let script = Script { key: KEY, ear, throat, delay: Duration::ZERO, faults };
    open(script).await.expect("a port")
}

fn voice(stand: &Stand, key: &str) -> OpenAiVoice {
    OpenAiVoice::new(tts::Settings {
        name: "mouth".to_owned(),
        base_url: format!("{}/v1/", stand.base_url()),
        api_key: Some(key.into()),
        headers: Default::default(),
        model: "gpt-4o-mini-tts".to_owned(),
        voice: "marin".to_owned(),
        language: "de".parse().expect("a language"),
        speed: 1.0,
        timeout: Duration::from_secs(20),
    })
    .expect("a client")
}

async fn heard(voice: &OpenAiVoice, text: &str) -> (Vec<i16>, Option<ProviderError>) {
    let mut speech = voice.speak(text);
    let mut samples = Vec::new();
    while let Some(frame) = speech.next().await {
        match frame {
            Ok(frame) => {
                assert_eq!(frame.rate, Rate(24_000));
                samples.extend(frame.samples);
            }
            Err(why) => return (samples, Some(why)),
        }
    }
    (samples, None)
}

/// A call with a transcriber, and the texts that come.
async fn call(stand: &Stand) -> (Box<dyn Listening>, mpsc::Receiver<Heard>) {
    let transcriber = OpenAiTranscriber::new(stt::Settings {
        name: "ears".to_owned(),
        base_url: format!("{}/v1", stand.base_url()),
        api_key: Some(KEY.into()),
        headers: Default::default(),
        model: "gpt-4o-mini-transcribe".to_owned(),
        timeout: Duration::from_secs(20),
    });
    let context = Context {
        language: "de".parse().expect("a language"),
        grammar: None,
        key_terms: vec!["Müller & Söhne".to_owned(), "--boundary\r\n\r\n".to_owned()],
    };
    let (sender, heard) = mpsc::channel(8);
    let opened = transcriber.expect("a client").open(context, sender).await;
    (opened.expect("it opens"), heard)
}

fn say(call: &mut dyn Listening, frames: i16) {
    for sample in 1..=frames {
        call.hear(&Frame::new(Rate::WIDE, vec![sample; 320]));
    }
}

async fn next(heard: &mut mpsc::Receiver<Heard>) -> Heard {
    let next = tokio::time::timeout(PATIENCE, heard.recv()).await;
    next.expect("a text in time").expect("the call is heard")
}

#[tokio::test]
async fn speech_is_the_same_however_its_octets_are_cut() {
    let stand = stand(Vec::new()).await;
    let voice = voice(&stand, KEY);
    voice.warm_up().await.expect("it is there");
    for text in ["Grüß Gott.", "Say \"hello\" & <goodbye>."] {
        assert_eq!(heard(&voice, text).await, (spelled(text), None));
    }
    assert_eq!(heard(&voice, "…").await, (Vec::new(), None));
    assert_eq!(stand.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn speech_that_fails_says_what_to_do_and_names_no_key() {
    let stand = stand(vec![Fault::Refuses(429, "insufficient_quota"), Fault::BreaksOff]).await;
    let (samples, failure) = heard(&voice(&stand, KEY), "A sentence.").await;
    let why = failure.expect("a failure");
    assert_eq!((samples.len(), why.retry), (0, Retry::Never));
    assert!(why.reason.contains("no credit"), "{why}");
    let (samples, failure) = heard(&voice(&stand, KEY), "A sentence.").await;
    assert_eq!(failure.expect("a failure").retry, Retry::Now);
    assert!(!samples.is_empty() && spelled("A sentence.").starts_with(&samples));
    let stranger = voice(&stand, "wrong-4712");
    let why = stranger.warm_up().await.expect_err("a refusal");
    assert_eq!(why.retry, Retry::Never);
    assert!(!format!("{why} {why:?} {stranger:?}").contains("4712"));
}

#[tokio::test]
async fn each_pause_is_answered_with_the_whole_turn() {
    let stand = stand(vec![Fault::Well, Fault::Refuses(500, "server_error")]).await;
    let (mut call, mut texts) = call(&stand).await;
    call.begin();
    say(&mut *call, 20);
    call.finalize(PauseId(1));
    let text = |samples: u32, last| format!("{samples} samples from Some(1) to Some({last})");
    let expected = |pause, text| {
        let transcript = Transcript::Final { text, confidence: None, complete: false };
        Heard { pause: PauseId(pause), transcript }
    };
    assert_eq!(next(&mut texts).await, expected(1, text(6_400, 20)));
    // The second is refused once, and asked for again.
    say(&mut *call, 10);
    call.finalize(PauseId(2));
    assert_eq!(next(&mut texts).await, expected(2, text(9_600, 10)));
    // A turn without sound needs nobody.
    call.forget();
    call.begin();
    call.finalize(PauseId(3));
    assert_eq!(next(&mut texts).await, expected(3, String::new()));
    assert_eq!((stand.connections(), stand.complaints()), (3, Vec::new()));
    assert!(stand.heard()[0].contains("(Müller & Söhne, --boundary)"), "{:?}", stand.heard());
}

#[tokio::test]
async fn a_pause_that_cannot_be_answered_has_failed() {
    let lasting = vec![Fault::Refuses(401, "invalid_api_key")];
    let nonsense = vec![Fault::Garbage, Fault::BreaksOff];
    for faults in [lasting, nonsense] {
        let stand = stand(faults).await;
        let (mut call, mut texts) = call(&stand).await;
        call.begin();
        say(&mut *call, 20);
        call.finalize(PauseId(1));
        assert_eq!(next(&mut texts).await.transcript, Transcript::Failed);
    }
}
