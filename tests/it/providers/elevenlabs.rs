//! ElevenLabs' socket and its speech over HTTP against a stand-in that speaks both, and misbehaves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use voxtrunk::audio::frame::Rate;
use voxtrunk::providers::error::{ProviderError, Retry};
use voxtrunk::providers::fakes::elevenlabs::{Fault, Script, open};
use voxtrunk::providers::fakes::stand::{Stand, nobody};
use voxtrunk::providers::tts::elevenlabs::{ElevenLabs, Settings};
use voxtrunk::providers::voice::Voice;

use crate::wire::server::{PATIENCE, within};

const KEY: &str = "sesame-4711";

/// A text sounds as its letters: each is a hundred samples of its number.
fn spelled(text: &str) -> Vec<i16> {
    text.chars().flat_map(|letter| vec![letter as i16; 100]).collect()
}

async fn stand(pace: Duration, faults: Vec<Fault>) -> Stand {
    let delay = Duration::ZERO;
    let (throat, observer) = (Arc::new(spelled), nobody());
    let script = Script { key: KEY, throat, delay, pace, faults, observer };
    open(script).await.expect("a port")
}

fn voice(stand: &Stand, key: &str, model: &str) -> ElevenLabs {
    let settings = Settings {
        name: "mouth".to_owned(),
        base_url: stand.base_url(),
        api_key: Some(key.into()),
        headers: Default::default(),
        model: model.to_owned(),
        voice: "JBFqnCBsd6RMkjVDRZzb".to_owned(),
        language: "de".parse().expect("a language"),
        speed: 1.0,
        timeout: Duration::from_secs(20),
    };
    ElevenLabs::new(settings).expect("a client")
}

async fn heard(voice: &ElevenLabs, text: &str) -> (Vec<i16>, Option<ProviderError>) {
    let mut speech = voice.speak(text);
    let mut samples = Vec::new();
    while let Some(frame) = speech.next().await {
        match frame {
            Ok(frame) => {
                assert_eq!(frame.rate, Rate::WIDE);
                samples.extend(frame.samples);
            }
            Err(why) => return (samples, Some(why)),
        }
    }
    (samples, None)
}

#[tokio::test]
async fn clauses_share_a_socket_and_are_not_mixed_up() {
    let stand = stand(Duration::ZERO, Vec::new()).await;
    let voice = voice(&stand, KEY, "eleven_flash_v2_5");
    voice.warm_up().await.expect("it opens");
    let texts = [
        "Grüß Gott.",
        "Say \"hello\" \\ <break time=\"3s\"/> & goodbye.",
        "Das kostet 5 €.",
        "你好。",
        "Line\nbreak.",
    ];
    let spoken = futures_util::future::join_all(texts.map(|text| heard(&voice, text))).await;
    for (text, (samples, failure)) in texts.iter().zip(spoken) {
        assert_eq!((samples, failure), (spelled(text), None), "{text}");
    }
    assert_eq!(stand.connections(), 1);
    // A sixth clause at once needs another socket.
    let six = futures_util::future::join_all((0..6).map(|_| heard(&voice, "Ja."))).await;
    assert!(six.iter().all(|(samples, _)| *samples == spelled("Ja.")));
    assert_eq!(stand.connections(), 2);
    assert_eq!(heard(&voice, " … ").await, (Vec::new(), None));
    assert_eq!(stand.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_clause_that_nobody_listens_to_is_stopped() {
    let stand = stand(Duration::from_millis(30), Vec::new()).await;
    let voice = voice(&stand, KEY, "eleven_flash_v2_5");
    let mut speech = voice.speak(&"A long story. ".repeat(60));
    speech.next().await.expect("a beginning").expect("a sound");
    drop(speech);
    let stopped = || stand.heard().contains(&"stopped".to_owned()).then_some(());
    within(PATIENCE, "the clause is stopped", stopped).await;
    // The next one is spoken over the same socket.
    assert_eq!(heard(&voice, "Yes?").await, (spelled("Yes?"), None));
    assert_eq!(stand.connections(), 1);
    assert_eq!(stand.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn without_a_socket_a_clause_is_spoken_over_http() {
    for fault in [Fault::Refuses(503, "system_busy"), Fault::CutsAfter(0), Fault::Garbage] {
        let stand = stand(Duration::ZERO, vec![fault]).await;
        let voice = voice(&stand, KEY, "eleven_flash_v2_5");
        assert_eq!(heard(&voice, "Grüß Gott.").await, (spelled("Grüß Gott."), None), "{fault:?}");
        assert!(stand.heard().contains(&"over HTTP: Grüß Gott.".to_owned()), "{fault:?}");
        // The next one has a socket again.
        assert_eq!(heard(&voice, "Ja.").await, (spelled("Ja."), None));
        assert!(stand.heard().contains(&"Ja.".to_owned()));
        assert_eq!(stand.complaints(), Vec::<String>::new());
    }
    let stand = stand(Duration::ZERO, Vec::new()).await;
    let voice = voice(&stand, KEY, "eleven_v3");
    assert_eq!(heard(&voice, "Ja.").await, (spelled("Ja."), None));
    assert_eq!((stand.connections(), stand.complaints()), (0, Vec::new()));
}

#[tokio::test]
async fn a_clause_that_breaks_off_is_not_said_twice() {
    let stand = stand(Duration::ZERO, vec![Fault::CutsAfter(1)]).await;
    let voice = voice(&stand, KEY, "eleven_flash_v2_5");
    let text = "A sentence of several pieces.";
    let (samples, failure) = heard(&voice, text).await;
    assert_eq!(failure.expect("a failure").retry, Retry::Now);
    assert!(!samples.is_empty() && spelled(text).starts_with(&samples));
    assert!(!stand.heard().iter().any(|it| it.starts_with("over HTTP")));
}

#[tokio::test]
async fn refusals_say_what_to_do_and_name_no_key() {
    let stand = stand(Duration::ZERO, Vec::new()).await;
    let stranger = voice(&stand, "wrong-4712", "eleven_flash_v2_5");
    let why = stranger.warm_up().await.expect_err("a refusal");
    assert_eq!(why.retry, Retry::Never);
    assert!(why.reason.contains("the key is refused"), "{why}");
    let (samples, failure) = heard(&stranger, "Hallo.").await;
    assert_eq!((samples, failure.map(|why| why.retry)), (Vec::new(), Some(Retry::Never)));
    assert!(!format!("{why} {why:?} {stranger:?}").contains("4712"));
    let spent = self::stand(Duration::ZERO, vec![Fault::Complains("quota_exceeded")]).await;
    let (samples, failure) = heard(&voice(&spent, KEY, "eleven_flash_v2_5"), "Hallo.").await;
    let why = failure.expect("a failure");
    assert_eq!((samples, why.retry), (Vec::new(), Retry::Never));
    assert!(why.reason.contains("quota_exceeded"), "{why}");
}
