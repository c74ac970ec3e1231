//! Calls in the hands of a model that hears, thinks and speaks: a stand-in holds them, and whatever
//! an agent does it does here, too.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use voxtrunk::audio::frame::Rate;
use voxtrunk::audio::resample;
use voxtrunk::engine::phone::{Act, Line, Offer, When};
use voxtrunk::providers::fakes::duplex::{self, Fault, Script};
use voxtrunk::providers::fakes::ear::scripted;
use voxtrunk::providers::fakes::mind::Answer;
use voxtrunk::providers::fakes::stand::Stand;

use super::caller::{Outcome, Speaker, offering, say, spoken};
use super::ear::recognise;
use super::server::{Folder, House, Server, said};

const KEY: &str = "sesame-4711";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_is_held_by_one_that_hears_and_speaks() {
    let asks = vec![caller(HOURS).await, caller("goodbye").await];
    let Held { stand, outcome, record, log } = hold(Vec::new(), "", asks).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    assert_eq!(said(&record, "caller"), [HOURS, "goodbye"], "{record:#}");
    assert_eq!(said(&record, "agent"), ["Hello?", ANSWER, "Goodbye."], "{record:#}");
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");
    let words = recognise(&outcome.heard.expect("a recording"), &SENTENCES).await;
    assert!(words.contains(SENTENCES[1]), "{words}");
    assert_eq!(stand.complaints(), Vec::<String>::new(), "{:#?}", stand.heard());
    let heard = stand.heard();
    assert!(heard.contains(&"speaks audio/pcma".to_owned()), "as on the leg: {heard:#?}");
    assert!(heard.contains(&"says Hello?".to_owned()), "{heard:#?}");
    let second =
        format!("answers assistant: Hello? | user: {HOURS} | assistant: {ANSWER} | user: goodbye");
    assert!(heard.contains(&second), "{heard:#?}");
    assert_eq!(stand.connections(), 1, "one socket for the call");
    assert!(!log.contains(KEY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fixed_lines_may_have_a_voice_of_their_own() {
    let asks = vec![caller(HOURS).await, caller("goodbye").await];
    let voice = "tts = { provider = \"flite\", voice = \"slt\" }";
    let Held { stand, outcome, record, .. } = hold(Vec::new(), voice, asks).await;
    assert_eq!(said(&record, "agent"), ["Hello?", ANSWER, "Goodbye."], "{record:#}");
    let words = recognise(&outcome.heard.expect("a recording"), &SENTENCES).await;
    assert!(words.contains(SENTENCES[1]), "{words}");
    let heard = stand.heard();
    assert!(!heard.iter().any(|it| it.starts_with("says")), "{heard:#?}");
    assert_eq!(stand.complaints(), Vec::<String>::new(), "{heard:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_is_interrupted_knows_how_much_of_it_was_heard() {
    let mut over = caller(HOURS).await;
    over.when = When::Over(Duration::from_millis(2_500));
    let asks = vec![caller("tell me a story").await, over, caller("goodbye").await];
    let Held { stand, outcome, record, .. } = hold(Vec::new(), "", asks).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let heard = stand.heard();
    assert_eq!(stand.complaints(), Vec::<String>::new(), "{heard:#?}");
    let cut = heard.iter().find(|it| it.starts_with("cuts ")).expect("it is told");
    let millis: u64 = cut.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a number");
    // What stands in the record is what fits into that at the pace of the voice.
    let interrupted = said(&record, "agent").into_iter().find(|it| STORY.starts_with(it.as_str()));
    let interrupted = interrupted.unwrap_or_else(|| panic!("{record:#}"));
    assert!(!interrupted.is_empty() && interrupted.len() < STORY.len(), "{record:#}");
    let whole = spoken(Speaker::Flite("slt"), STORY).await.duration();
    let share = interrupted.len() as f64 / STORY.len() as f64;
    let share_of_sound = millis as f64 / whole.as_millis() as f64;
    assert!((share - share_of_sound).abs() < 0.2, "{share} of the words, {share_of_sound}: {cut}");
    // The caller began 2.5 s after the story, and was understood a little later.
    assert!((2_000..whole.as_millis() as u64).contains(&millis), "{cut}");
    assert!(said(&record, "agent").contains(&ANSWER.to_owned()), "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_goes_on_when_its_socket_is_cut_in_the_middle_of_an_answer() {
    let asks = vec![caller(HOURS).await, caller(HOURS).await, caller("goodbye").await];
    // The greeting, and then a part of the answer.
    let Held { stand, outcome, record, log } = hold(vec![Fault::CutsAfter(14)], "", asks).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let heard = stand.heard();
    assert!(said(&record, "agent").contains(&ANSWER.to_owned()), "{heard:#?} {record:#}");
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");
    assert_eq!(stand.connections(), 2, "{:#?}", stand.heard());
    assert_eq!(stand.complaints(), Vec::<String>::new(), "{:#?}", stand.heard());
    assert!(!log.contains(KEY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_model_takes_its_place_when_the_key_is_refused() {
    let faults = vec![Fault::Refuses(401, "invalid_api_key"); 9];
    let fallback = "fallback.stt = [{ provider = \"pocketsphinx\" }]\n\
                    fallback.llm = [{ provider = \"rules\" }]\n\
                    fallback.tts = [{ provider = \"flite\", voice = \"slt\" }]";
    let more = format!(
        "{fallback}\n[[agents.clerk.intents]]\nid = \"hours\"\nphrases = [\"{HOURS}\"]\n\
         say = \"{ANSWER}\"\n"
    );
    let asks = vec![caller(HOURS).await];
    let Held { outcome, record, log, .. } = hold(faults, &more, asks).await;
    assert!(said(&record, "agent").contains(&ANSWER.to_owned()), "{record:#}");
    // The caller has nothing else to say, and is asked for more.
    let sentences = ["hello", SENTENCES[1], "are you still there"];
    let words = recognise(&outcome.heard.expect("a recording"), &sentences).await;
    assert!(words.contains(SENTENCES[1]), "{words} {record:#}");
    assert!(!log.contains(KEY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_anybody_in_its_place_the_call_is_ended() {
    let faults = vec![Fault::Refuses(401, "invalid_api_key"); 9];
    let asks = vec![caller(HOURS).await];
    let Held { outcome, record, .. } = hold(faults, "", asks).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    assert_eq!(record["end_reason"], "provider_error", "{record:#}");
}

/// What came of a call.
struct Held {
    stand: Stand,
    outcome: Outcome,
    record: Value,
    log: String,
}

/// A caller speaks with a clerk who is a stand-in.
async fn hold(faults: Vec<Fault>, more: &str, lines: Vec<Line>) -> Held {
    let words: Vec<&str> = lines.iter().map(words).collect();
    let stand = duplex::open(script(faults, &words).await).await.expect("a port");
    let settings = format!(
        "[providers.vendor]\nkind = \"openai\"\napi_key = \"{KEY}\"\nbase_url = \"{}/v1\"\n",
        stand.base_url()
    );
    let dialplan = format!("{CLERK}{more}\n");
    let server = Server::start(House::with(&dialplan).and(&settings)).await;
    let folder = Folder::new();
    let place = folder.path("call.wav");
    let outcome = offering(Offer::default(), &server.uri("901"), lines, place).await;
    let (record, log) = (server.record().await, server.log());
    Held { stand, outcome, record, log }
}

/// What a line says.
fn words(line: &Line) -> &str {
    match &line.act {
        Act::Say(words, _) => words,
        Act::Press(_) => "",
    }
}

async fn caller(words: &str) -> Line {
    say(Speaker::Flite("rms"), words).await
}

async fn script(faults: Vec<Fault>, hears: &[&str]) -> Script {
    let mut clips = HashMap::new();
    for line in ["Hello?", ANSWER, STORY, "Goodbye."] {
        let clip = spoken(Speaker::Flite("slt"), line).await;
        clips.insert(line.to_owned(), resample::convert(&clip, Rate(24_000)).samples);
    }
    Script {
        key: KEY,
        model: "gpt-realtime-2",
        ear: scripted(hears),
        mind: Arc::new(|asked| match asked {
            HOURS => Answer::Says(ANSWER.to_owned()),
            "tell me a story" => Answer::Says(STORY.to_owned()),
            _ => Answer::Uses("Goodbye.".to_owned(), "end_call", "{}".to_owned()),
        }),
        throat: Arc::new(move |text| clips.get(text).unwrap_or(&clips["Hello?"]).clone()),
        delay: Duration::from_millis(20),
        pace: Duration::from_millis(10),
        faults,
    }
}

const HOURS: &str = "what are your opening hours";

const ANSWER: &str = "We are open from nine to six.";

const STORY: &str = "Once upon a time there was a switchboard in a small house by the sea, and it \
                     had many lines, and every morning a clerk came in and answered them.";

const SENTENCES: [&str; 3] = ["hello", "we are open from nine to six", "goodbye"];

const CLERK: &str = r#"
[[route]]
to = "agent:clerk"

[agents.clerk]
first_message = "Hello?"
disclosure    = "none"
disclosure_reason = "another test hears it"
prompt        = "You are a clerk."
realtime      = { provider = "vendor", model = "gpt-realtime-2", voice = "marin" }
# However slow this machine is: no filler stands in the record.
fallback.hold_after = "30s"
"#;
