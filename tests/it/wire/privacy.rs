//! What nobody may keep: calls in which callers say, press and leave it behind, and then a search
//! of everything that the server wrote and told. And callers who do not want to be recorded.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use voxtrunk::engine::phone::{Act, Line, When};
use voxtrunk::media::event::Digit;
use voxtrunk::providers::fakes::deepgram::{self, Script};
use voxtrunk::providers::fakes::ear::{Ear, scripted};
use voxtrunk::providers::fakes::openai;
use voxtrunk::providers::fakes::stand::{Stand, nobody};

use super::caller::{Speaker, call, say};
use super::control::Watch;
use super::introductions;
use super::oversight::Ann;
use super::server::{House, PATIENCE, Server, said, within};
use super::service::{Reply, Service};
use super::tools::uses;
use super::voicemail::{greeted, message};
use crate::fakes::chat_server::{Behaviour, ChatServer, KEY};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_of_what_is_masked_is_in_the_store_the_log_the_events_or_the_webhooks() {
    let told = Service::open(|_| Reply { status: 204, ..Reply::json(json!({})) }).await;
    let shop = Service::open(|_| Reply::json(json!({ "paid": true }))).await;
    let mind = ChatServer::start(vec![
        uses("pay", PAYMENT),
        Behaviour::Says("Paid with 4111 1111 1111 1111."),
        uses("take_message", MESSAGE),
        Behaviour::Says("Noted for 0711 7654321."),
        Behaviour::Says("Fine."),
    ])
    .await;
    let ears = ears(&[
        "my card number is four one one one one one one one",
        "one one one one one one one one",
        "write to anna dot miller at example dot com",
        "I was born on the third of may nineteen eighty five",
    ])
    .await;
    let settings = [privacy(), webhook(&told), hearing(&ears, &mind), allowing(&[&told, &shop])];
    let house = House::with(&clerk(&shop)).and(&settings.concat());
    let server = Server::start_with(house, &[("RUST_LOG", "voxtrunk=debug")]).await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let mut lines = Vec::new();
    for _ in 0..4 {
        lines.push(say(Speaker::Flite("rms"), "this is what I wanted to tell you").await);
    }
    lines.push(press("07117654321#"));
    call(&server.uri("901"), lines, Duration::from_secs(12)).await;
    let record = server.record().await;
    let lines = said(&record, "caller").join(" ");
    let kept = ["my card number is [card]", "write to [email]", "I was born [birth date]"];
    assert!(kept.iter().all(|kept| lines.contains(kept)), "{record:#}");
    let spoken = said(&record, "agent").join(" ");
    assert!(spoken.contains("Paid with [card]."), "{record:#}");
    assert_eq!(record["tools"][0]["name"], "pay", "{record:#}");
    assert_eq!(record["messages"][0]["number"], "[phone]", "{record:#}");

    // The model and the tool know what was said.
    let paid = shop.seen().pop().expect("it was asked").body;
    assert!(paid.contains("4111111111111111") && paid.contains("DE89370400440532013000"), "{paid}");
    let asked = mind.requests().pop().expect("it was asked").to_string();
    assert!(asked.contains("anna dot miller at example dot com"), "{asked}");

    let id = record["id"].as_str().expect("an identity").to_owned();
    let watched = events.until("\"type\":\"call.ended\"").await;
    let bodies = within(PATIENCE, "its end is told", || {
        let bodies: Vec<String> = told.seen().into_iter().map(|it| it.body).collect();
        bodies.iter().any(|it| it.contains("\"call.ended\"")).then_some(bodies)
    })
    .await;
    assert!(bodies.iter().any(|it| it.contains("[card]") && it.contains(&id)), "{bodies:?}");
    let all = [everything(&server), watched, bodies.join("\n")].join("\n");
    is_without(&all, &MARKERS);
    assert!(all.contains("write to [email]"), "it was looked at the right place");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_is_sensitive_pauses_the_recording_and_its_digits_are_nowhere() {
    let shop = Service::open(|_| Reply::json(json!({ "paid": true }))).await;
    let server =
        Server::start(House::with(&PAYING.replace("SHOP", &shop.url())).and(&allowing(&[&shop])))
            .await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let caller = Ann::calls(&server, "901").await;
    // Each key waits until the question was asked, however long that takes.
    let asked = [
        ("What is your number?", 1, "739204#"),
        ("Right?", 1, "1"),
        ("How many nights?", 1, "55#"),
        ("Right?", 2, "1"),
    ];
    for (question, times, keys) in asked {
        let has_asked = || events.so_far().matches(question).count() >= times;
        within(PATIENCE, question, || has_asked().then_some(())).await;
        keys.chars().for_each(|key| introductions::press(&caller.audio, key));
    }
    within(PATIENCE, "the payment", || (!shop.seen().is_empty()).then_some(())).await;
    caller.hangs_up().await;
    let record = server.record().await;
    let paid = shop.seen().pop().unwrap_or_else(|| panic!("{record:#}")).body;
    assert!(paid.contains("739204"), "the service has it: {paid}");
    assert_eq!(record["recorded"], true, "{record:#}");
    let pauses = record["recording_pauses"].as_array().cloned().unwrap_or_default();
    assert_eq!(pauses.len(), 1, "{record:#}");
    assert!(pauses[0]["duration_ms"].as_u64() > Some(100), "it goes on: {record:#}");
    let watched = events.until("\"type\":\"call.ended\"").await;
    // It is paused the moment the call begins, and a watch may not be there yet.
    assert!(server.log().contains("recording paused"), "{}", server.log());
    assert!(watched.contains("\"recording\":\"resumed\""), "{watched}");
    let all = [everything(&server), watched].join("\n");
    is_without(&all, &["739204", "seven three nine two zero four"]);
    // What is asked elsewhere is kept.
    let tools = record["tools"].to_string();
    assert!(tools.contains("[withheld]") && tools.contains("55"), "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_message_at_a_voicemail_is_kept_without_what_is_masked() {
    let ear: Ear = Arc::new(|_, _| MARKED.to_owned());
    let (throat, delay) = (Arc::new(|_: &str| Vec::new()), Duration::ZERO);
    let script = openai::Script { key: KEY, ear, throat, delay, faults: Vec::new() };
    let ears = openai::open(script).await.expect("a port");
    let settings = format!(
        "{}[providers.ears]\nkind = \"openai\"\napi_key = \"{KEY}\"\nbase_url = \"{}/v1\"\n",
        privacy(),
        ears.base_url()
    );
    let server = Server::start(House::with(BOX).and(&settings)).await;
    let mut line = greeted(&server, "901").await;
    line.say(&message().await).await;
    line.until_hung_up().await;
    let note = within(PATIENCE, "a message that is written down", || {
        let files = files(&server.folder.path("data/voicemail"));
        let note = files.iter().find(|path| path.extension().is_some_and(|it| it == "json"))?;
        let note: Value = serde_json::from_slice(&std::fs::read(note).ok()?).ok()?;
        note["transcript"].is_string().then_some(note)
    })
    .await;
    assert_eq!(note["transcript"], "take my card [card] or write to [email]", "{note:#}");
    is_without(&everything(&server), &MARKERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_says_no_is_served_and_never_recorded() {
    let server = Server::start(House::with(CONSENT)).await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    // A key that means yes elsewhere changes nothing any more.
    let lines = vec![press("2"), press("1")];
    call(&server.uri("901"), lines, Duration::from_secs(6)).await;
    let record = server.record().await;
    let lines = said(&record, "agent").join(" ");
    assert!(lines.starts_with("May we record this call?"), "{record:#}");
    assert!(lines.contains("this call is not recorded. Hello, how can I help?"), "{record:#}");
    assert_eq!(record["recorded"], false, "{record:#}");
    let consent = &record["recording_consent"];
    assert_eq!((&consent["mode"], &consent["answer"]), (&json!("voice"), &json!("no")));
    assert!(consent["refused_ms"].as_u64() > Some(0), "{record:#}");
    assert!(
        consent["notice"].as_str().is_some_and(|it| it.contains("May we record")),
        "{record:#}"
    );
    assert!(consent["agreed_ms"].is_null(), "{record:#}");
    let watched = events.until("\"recording\":\"refused\"").await;
    assert!(watched.contains("\"answer\":\"no\""), "{watched}");
    assert_eq!(files(&server.folder.path("data/recordings")), Vec::<PathBuf>::new());
    assert_eq!(sounds(&server), Vec::<PathBuf>::new(), "no sound anywhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_says_yes_is_recorded_from_then_on_and_who_says_nothing_is_not() {
    let ears = ears(&["yes please", "what are your hours"]).await;
    let dialplan = CONSENT.replace("[agents.clerk]\n", "[agents.clerk]\nstt.provider = \"ears\"\n");
    let mind = ChatServer::start(vec![Behaviour::Says("We are open.")]).await;
    let server = Server::start(House::with(&dialplan).and(&hearing(&ears, &mind))).await;
    let mut lines = Vec::new();
    for _ in 0..2 {
        lines.push(say(Speaker::Flite("rms"), "this is what I wanted to say").await);
    }
    call(&server.uri("901"), lines, Duration::from_secs(6)).await;
    let record = server.record().await;
    assert_eq!(record["recorded"], true, "{record:#}");
    let consent = &record["recording_consent"];
    assert_eq!(consent["answer"], "yes", "{record:#}");
    let agreed = consent["agreed_ms"].as_u64().expect("it agreed");
    let said = said(&record, "agent");
    assert!(said[1].starts_with("Hello, how can I help?"), "{record:#}");
    let files =
        within(PATIENCE, "a recording", || Some(sounds(&server)).filter(|it| it.len() == 1));
    let file = &files.await[0];
    let (left, _) = super::recordings::closed(file).await;
    let rest = record["duration_ms"].as_u64().expect("so long") - agreed;
    let length = left.duration().as_millis() as u64;
    assert!(length.abs_diff(rest) < 500, "{length} ms of {rest} ms behind the yes");

    let silent = Server::start(House::with(CONSENT)).await;
    call(&silent.uri("901"), vec![press("77"), press("77")], Duration::from_secs(6)).await;
    let record = silent.record().await;
    assert_eq!(record["recorded"], false, "{record:#}");
    assert!(record["recording_consent"]["answer"].is_null(), "{record:#}");
    assert!(record["recording_consent"]["refused_ms"].as_u64() > Some(0), "{record:#}");
    assert_eq!(sounds(&silent), Vec::<PathBuf>::new());
}

/// Everything that a server wrote: its files as they lie on the disk, and its log.
fn everything(server: &Server) -> String {
    let files = files(&server.folder.path("data")).into_iter();
    let contents = files.filter_map(|path| std::fs::read(path).ok());
    let texts = contents.map(|octets| String::from_utf8_lossy(&octets).into_owned());
    texts.chain([server.log()]).collect::<Vec<_>>().join("\n")
}

/// All files in a folder and below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn sounds(server: &Server) -> Vec<PathBuf> {
    let is_sound = |path: &PathBuf| {
        path.extension()
            .is_some_and(|it| ["wav", "opus", "part", "sealed"].iter().any(|x| it == *x))
    };
    files(&server.folder.path("data")).into_iter().filter(is_sound).collect()
}

fn is_without(text: &str, markers: &[&str]) {
    let text = text.to_lowercase();
    for marker in markers {
        let found = text.find(&marker.to_lowercase());
        let around = found.map(|at| {
            let from = (0..at.saturating_sub(200)).rev().find(|at| text.is_char_boundary(*at));
            text.get(from.unwrap_or(0)..at + marker.len()).unwrap_or_default().to_owned()
        });
        assert_eq!(around, None, "{marker} is kept");
    }
}

async fn ears(sentences: &[&str]) -> Stand {
    let delay = Duration::from_millis(20);
    let ear = scripted(sentences);
    let script = Script { key: KEY, ear, delay, faults: Vec::new(), observer: nobody() };
    deepgram::open(script).await.expect("a port")
}

fn press(keys: &str) -> Line {
    let keys = keys.chars().filter_map(Digit::new).collect();
    Line { when: When::Quiet, act: Act::Press(keys) }
}

fn privacy() -> String {
    "[security.privacy]\n\
     mask = [\"card\", \"iban\", \"email\", \"phone_number\", \"birth_date\"]\n"
        .to_owned()
}

fn hearing(ears: &Stand, mind: &ChatServer) -> String {
    super::tools::providers(&mind.base_url(), &ears.base_url())
}

fn webhook(told: &Service) -> String {
    format!(
        "[webhooks.crm]\nurl = \"{}/hook\"\nevents = [\"*\"]\n\
         secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"\n",
        told.url()
    )
}

fn allowing(services: &[&Service]) -> String {
    let hosts: Vec<String> = services.iter().map(|it| format!("{:?}", it.host())).collect();
    let hosts = hosts.join(", ");
    format!("[security.tools]\nallow = [{hosts}]\n[security.webhooks]\nallow = [\"127.0.0.1\"]\n")
}

fn clerk(shop: &Service) -> String {
    let tool = format!(
        "[tools.pay]\ntype = \"http\"\ndescription = \"Pays.\"\nmethod = \"POST\"\n\
         url = \"{}/pay\"\nbody = {{ card = \"{{{{ args.card }}}}\", iban = \"{{{{ args.iban }}}}\" }}\n\
         [tools.pay.parameters]\ncard = \"string\"\niban = \"string\"\nbirth_date = \"string\"\n",
        shop.url()
    );
    format!("{}\n{tool}", super::tools::agent(&tool))
}

const PAYMENT: &str = r#"{"card": "4111111111111111", "iban": "DE89370400440532013000",
                          "birth_date": "1985-05-03"}"#;

const MESSAGE: &str = r#"{"text": "Write to anna.miller@example.com, born 1985-05-03, card 4111-1111-1111-1111.",
                          "number": "07117654321"}"#;

const MARKED: &str = "take my card four one one one, one one one one, one one one one, one one one \
                      one or write to anna dot miller at example dot com";

/// What was said, in every way in which it might be written.
const MARKERS: [&str; 13] = [
    "4111111111111111",
    "4111 1111",
    "4111-1111",
    "four one one one",
    "one one one one",
    "anna dot miller",
    "anna.miller",
    "DE89370400440532013000",
    "07117654321",
    "497117654321",
    "0711 7654321",
    "1985-05-03",
    "nineteen eighty five",
];

const PAYING: &str = r#"
[[route]]
to = "flow:paying"

[agents.clerk]
record = true
tts = { provider = "flite", voice = "slt" }
dtmf.timeout = "3s"

[flows.paying]
agent = "clerk"
start = "pin"

[flows.paying.nodes.pin]
type = "ask"
collect = { pin = "digits6" }
ask = { pin = "What is your number?" }
confirm = "Right?"
sensitive = true
next = "nights"
failed = "bye"

[flows.paying.nodes.nights]
type = "ask"
collect = { nights = "digits2" }
ask = { nights = "How many nights?" }
confirm = "Right?"
next = "pay"
failed = "bye"

[flows.paying.nodes.pay]
type = "webhook"
url = "SHOP/pay"
args = { pin = "{{ vars.pin }}" }
next = "bye"
error = "bye"

[flows.paying.nodes.bye]
type = "end"
say = "Goodbye."
"#;

const BOX: &str = r#"
[defaults.agent]
tts = { provider = "flite", voice = "slt" }

[[route]]
to = "voicemail:office"

[voicemail.office]
greeting   = "Hello."
transcribe = "ears"
silence    = "2s"
min_length = "500ms"
"#;

const CONSENT: &str = r#"
[[route]]
to = "agent:clerk"

[agents.clerk]
first_message = "Hello, how can I help?"
record = true
record_consent = "voice"
llm.provider = "rules"
tts = { provider = "flite", voice = "slt" }
silence.remind_after = "30s"

[[agents.clerk.intents]]
id = "hours"
phrases = ["what are your hours"]
say = "We are open."
"#;
