//! Calls that are heard and answered through vendors: stand-ins on the loopback speak for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use voxtrunk::audio::frame::Rate;
use voxtrunk::audio::resample;
use voxtrunk::providers::fakes::deepgram::{self, Ear, Script};
use voxtrunk::providers::fakes::elevenlabs::{self, Throat};
use voxtrunk::providers::fakes::stand::{Stand, nobody};
use voxtrunk::providers::fakes::{anthropic, openai};

use super::caller::{Speaker, call, recorded, say, spoken};
use super::ear::recognise;
use super::server::{Folder, House, Server, said};

const KEY: &str = "sesame-4711";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_is_heard_by_deepgram() {
    let (stand, record, log) = heard_by("nova-3").await;
    assert_eq!(said(&record, "caller"), [HOURS, "goodbye"], "{record:#}");
    assert!(said(&record, "agent").join(" ").contains("from nine to six"), "{record:#}");
    assert_eq!(stand.complaints(), Vec::<String>::new());
    assert!(stand.heard().contains(&"CloseStream".to_owned()), "{:?}", stand.heard());
    assert!(!log.contains(KEY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_is_heard_by_flux_which_says_when_a_turn_is_over() {
    let (stand, record, log) = heard_by("flux-general-en").await;
    assert_eq!(said(&record, "caller"), [HOURS, "goodbye"], "{record:#}");
    assert!(said(&record, "agent").join(" ").contains("from nine to six"), "{record:#}");
    assert_eq!(stand.complaints(), Vec::<String>::new());
    assert!(stand.heard().iter().any(|it| it.starts_with("opens /v2/listen")));
    assert!(!log.contains(KEY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_is_answered_in_the_voice_of_elevenlabs() {
    let lines = ["Hello?", "We are open from nine to six.", "Thank you and goodbye."];
    let script = elevenlabs::Script {
        key: KEY,
        throat: throat(&lines, Rate::WIDE).await,
        delay: Duration::from_millis(20),
        pace: Duration::ZERO,
        faults: Vec::new(),
        observer: nobody(),
    };
    let stand = elevenlabs::open(script).await.expect("a port");
    let settings = format!(
        "[providers.mouth]\nkind = \"elevenlabs\"\napi_key = \"{KEY}\"\nbase_url = \"{}\"\n\
         voice = \"Rachel\"\n",
        stand.base_url()
    );
    let porter = House::porter();
    let dialplan = porter.dialplan.clone().expect("its own");
    let flite = "{ provider = \"flite\", voice = \"slt\" }";
    assert!(dialplan.contains(flite));
    let dialplan = dialplan.replace(flite, "{ provider = \"mouth\" }");
    let house = House { dialplan: Some(dialplan), ..porter };
    let server = Server::start(house.and(&settings)).await;
    let said_by_caller =
        vec![say(Speaker::Flite("rms"), HOURS).await, say(Speaker::Flite("rms"), "goodbye").await];
    let folder = Folder::new();
    let outcome = recorded(&server.uri("901"), said_by_caller, folder.path("call.wav")).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    assert!(said(&record, "agent").contains(&lines[1].to_owned()), "{record:#}");
    let words = recognise(&outcome.heard.expect("a recording"), &SENTENCES).await;
    assert!(words.contains(SENTENCES[0]), "{words}");
    assert_eq!(stand.complaints(), Vec::<String>::new());
    assert!(stand.heard().contains(&lines[1].to_owned()), "{:?}", stand.heard());
    assert!(!server.log().contains(KEY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_is_heard_and_answered_over_http() {
    let answer = "We are open from nine to six.";
    let throat = throat(&["Hello?", answer, "Goodbye."], Rate(24_000)).await;
    let delay = Duration::from_millis(20);
    let lab = openai::Script { key: KEY, ear: by_length(), throat, delay, faults: Vec::new() };
    let lab = openai::open(lab).await.expect("a port");
    let mind = anthropic::Script {
        key: KEY,
        mind: Arc::new(move |asked| match asked.contains("hours") {
            true => anthropic::Answer::Says(answer.to_owned()),
            false => anthropic::Answer::Uses("Goodbye.".to_owned(), "end_call", "{}".to_owned()),
        }),
        delay,
        per_word: Duration::ZERO,
        observer: nobody(),
    };
    let mind = anthropic::open(mind).await.expect("a port");
    let settings = format!(
        "[providers.lab]\nkind = \"openai\"\napi_key = \"{KEY}\"\nbase_url = \"{}/v1\"\n\
         [providers.mind]\nkind = \"anthropic\"\napi_key = \"{KEY}\"\nbase_url = \"{}\"\n",
        lab.base_url(),
        mind.base_url()
    );
    let server = Server::start(House::with(CLERK).and(&settings)).await;
    let lines =
        vec![say(Speaker::Flite("rms"), HOURS).await, say(Speaker::Flite("rms"), "bye").await];
    let folder = Folder::new();
    let outcome = recorded(&server.uri("901"), lines, folder.path("call.wav")).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    assert_eq!(said(&record, "caller"), [HOURS, "goodbye"], "{record:#}");
    assert!(said(&record, "agent").contains(&answer.to_owned()), "{record:#}");
    let sentences = [SENTENCES[0], "hello", "goodbye"];
    let words = recognise(&outcome.heard.expect("a recording"), &sentences).await;
    assert!(words.contains(SENTENCES[0]), "{words}");
    assert_eq!((lab.complaints(), mind.complaints()), (Vec::new(), Vec::new()));
    assert!(!server.log().contains(KEY));
}

/// A throat that knows these sentences, in the voice of flite; of all others it is silent.
async fn throat(lines: &[&str], rate: Rate) -> Throat {
    let mut clips = HashMap::new();
    for line in lines {
        let clip = spoken(Speaker::Flite("slt"), line).await;
        clips.insert((*line).to_owned(), resample::convert(&clip, rate).samples);
    }
    let silence = vec![0; rate.samples_in(Duration::from_millis(100))];
    Arc::new(move |text| clips.get(text).unwrap_or(&silence).clone())
}

/// A caller asks a porter whose ears are a stand-in with that model, and says goodbye.
async fn heard_by(model: &str) -> (Stand, serde_json::Value, String) {
    let delay = Duration::from_millis(20);
    let (ear, observer) = (by_length(), nobody());
    let script = Script { key: KEY, ear, delay, faults: Vec::new(), observer };
    let stand = deepgram::open(script).await.expect("a port");
    let settings = format!(
        "[providers.ears]\nkind = \"deepgram\"\napi_key = \"{KEY}\"\nbase_url = \"{}\"\n\
         model = \"{model}\"\n",
        stand.base_url()
    );
    let porter = House::porter();
    let dialplan = porter.dialplan.clone().expect("its own");
    let dialplan = dialplan.replace("stt.provider  = \"pocketsphinx\"", "stt.provider = \"ears\"");
    let house = House { dialplan: Some(dialplan), ..porter };
    let server = Server::start(house.and(&settings)).await;
    let lines =
        vec![say(Speaker::Flite("rms"), HOURS).await, say(Speaker::Flite("rms"), "bye").await];
    let outcome = call(&server.uri("901"), lines, Duration::from_secs(8)).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    (stand, server.record().await, server.log())
}

/// Tells the two sentences of the caller apart by how long they sound.
fn by_length() -> Ear {
    Arc::new(|samples, _| {
        let loud = samples.iter().filter(|sample| sample.unsigned_abs() > 600).count();
        let text = if loud > 8_000 { HOURS } else { "goodbye" };
        text.to_owned()
    })
}

const SENTENCES: [&str; 3] = ["we are open from nine to six", "hello", "thank you and goodbye"];

const HOURS: &str = "what are your opening hours";

/// An agent of vendors.
const CLERK: &str = r#"
[[route]]
to = "agent:clerk"

[agents.clerk]
first_message = "Hello?"
prompt        = "You are a clerk."
stt.provider  = "lab"
llm.provider  = "mind"
tts.provider  = "lab"
"#;
