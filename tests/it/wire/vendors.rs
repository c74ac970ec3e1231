//! Calls that are heard and answered through vendors: stand-ins on the loopback speak for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use voxtrunk::audio::frame::Rate;
use voxtrunk::audio::resample;
use voxtrunk::providers::fakes::deepgram::{self, Ear, Script};
use voxtrunk::providers::fakes::elevenlabs::{self, Throat};
use voxtrunk::providers::fakes::stand::{Stand, nobody};
use voxtrunk::providers::fakes::{
    anthropic, assemblyai, aura, cartesia, gemini, gladia, mind, openai, responses, throat,
};

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
    let throat = throat(&["Hello?", ANSWER, "Goodbye."], Rate(24_000)).await;
    let (ear, delay) = (by_length(), DELAY);
    let lab = openai::Script { key: KEY, ear, throat, delay, faults: Vec::new() };
    let lab = openai::open(lab).await.expect("a port");
    let mind = anthropic::open(mind()).await.expect("a port");
    let (lab_url, mind_url) = (format!("{}/v1", lab.base_url()), mind.base_url());
    hold([
        table("ears", "openai", &lab_url, ""),
        table("mind", "anthropic", &mind_url, ""),
        table("mouth", "openai", &lab_url, ""),
    ])
    .await;
    assert_eq!((lab.complaints(), mind.complaints()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_is_held_by_assemblyai_gemini_and_cartesia() {
    let ears = assemblyai::open(ears()).await.expect("a port");
    let mind = gemini::open(mind()).await.expect("a port");
    let mouth = cartesia::open(mouth().await).await.expect("a port");
    hold([
        table("ears", "assemblyai", &ears.base_url(), ""),
        table("mind", "gemini", &mind.base_url(), "model = \"gemini-3.5-flash\""),
        table("mouth", "cartesia", &mouth.base_url(), "voice = \"694f9389\""),
    ])
    .await;
    for stand in [&ears, &mind, &mouth] {
        assert_eq!(stand.complaints(), Vec::<String>::new(), "{:?}", stand.heard());
    }
    assert!(ears.heard().contains(&"Terminate".to_owned()), "{:?}", ears.heard());
    assert!(mouth.heard().contains(&ANSWER.to_owned()), "{:?}", mouth.heard());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_is_held_by_gladia_responses_and_aura() {
    let ears = gladia::open(ears()).await.expect("a port");
    let mind = responses::open(mind()).await.expect("a port");
    let mouth = aura::open(mouth().await).await.expect("a port");
    let mind_url = format!("{}/v1", mind.base_url());
    let responses = "model = \"gpt-5.4-mini\"\napi = \"responses\"";
    hold([
        table("ears", "gladia", &ears.base_url(), ""),
        table("mind", "openai", &mind_url, responses),
        table("mouth", "deepgram", &mouth.base_url(), "voice = \"aura-2-thalia-en\""),
    ])
    .await;
    for stand in [&ears, &mind, &mouth] {
        assert_eq!(stand.complaints(), Vec::<String>::new(), "{:?}", stand.heard());
    }
    assert!(ears.heard().contains(&"stop_recording".to_owned()), "{:?}", ears.heard());
    assert!(mouth.heard().contains(&ANSWER.to_owned()), "{:?}", mouth.heard());
}

/// A caller asks a clerk of vendors for the opening hours, hears them, and says goodbye.
async fn hold(tables: [String; 3]) {
    let server = Server::start(House::with(CLERK).and(&tables.concat())).await;
    let lines =
        vec![say(Speaker::Flite("rms"), HOURS).await, say(Speaker::Flite("rms"), "bye").await];
    let folder = Folder::new();
    let outcome = recorded(&server.uri("901"), lines, folder.path("call.wav")).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    assert_eq!(said(&record, "caller"), [HOURS, "goodbye"], "{record:#}");
    assert!(said(&record, "agent").contains(&ANSWER.to_owned()), "{record:#}");
    let sentences = [SENTENCES[0], "hello", "goodbye"];
    let words = recognise(&outcome.heard.expect("a recording"), &sentences).await;
    assert!(words.contains(SENTENCES[0]), "{words}");
    assert!(!server.log().contains(KEY));
}

/// A table of the settings.
fn table(name: &str, kind: &str, base_url: &str, more: &str) -> String {
    format!(
        "[providers.{name}]\nkind = \"{kind}\"\napi_key = \"{KEY}\"\n\
         base_url = \"{base_url}\"\n{more}\n"
    )
}

fn ears() -> Script {
    let (ear, observer) = (by_length(), nobody());
    Script { key: KEY, ear, delay: DELAY, faults: Vec::new(), observer }
}

/// It knows the opening hours, and ends the call after all else.
fn mind() -> mind::Script {
    mind::Script {
        key: KEY,
        mind: Arc::new(|asked| match asked.contains("hours") {
            true => mind::Answer::Says(ANSWER.to_owned()),
            false => mind::Answer::Uses("Goodbye.".to_owned(), "end_call", "{}".to_owned()),
        }),
        delay: DELAY,
        per_word: Duration::ZERO,
        observer: nobody(),
    }
}

async fn mouth() -> throat::Script {
    throat::Script {
        key: KEY,
        throat: throat(&["Hello?", ANSWER, "Goodbye."], Rate::WIDE).await,
        delay: DELAY,
        pace: Duration::ZERO,
        faults: Vec::new(),
        observer: nobody(),
    }
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

const ANSWER: &str = "We are open from nine to six.";

const DELAY: Duration = Duration::from_millis(20);

const HOURS: &str = "what are your opening hours";

/// An agent of vendors.
const CLERK: &str = r#"
[[route]]
to = "agent:clerk"

[agents.clerk]
first_message = "Hello?"
disclosure    = "none"
disclosure_reason = "another test hears it"
prompt        = "You are a clerk."
stt.provider  = "ears"
llm.provider  = "mind"
tts.provider  = "mouth"
"#;
