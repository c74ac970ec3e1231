//! Providers that fail in the middle of calls, and others that take their place: the fault matrix,
//! each fallback heard, and the last resort. The vendors are stand-ins on the loopback, and a proxy
//! in front of the first of each stage spoils what goes through it once the server is up.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use voxtrunk::audio::frame::Rate;
use voxtrunk::audio::resample;
use voxtrunk::engine::phone::Moment;
use voxtrunk::providers::fakes::deepgram::{self, Ear};
use voxtrunk::providers::fakes::elevenlabs::Throat;
use voxtrunk::providers::fakes::openai;
use voxtrunk::providers::fakes::proxy::{Fault, Proxy};
use voxtrunk::providers::fakes::stand::{Stand, nobody};

use super::caller::{Outcome, Speaker, call, recorded, say, spoken};
use super::ear::recognise;
use super::server::{Folder, House, Server, finish, program, said};
use crate::fakes::chat_server::{Behaviour, ChatServer, KEY};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Hear,
    Think,
    Speak,
}

/// What is wrong with the first provider of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trick {
    /// What goes through it is spoilt.
    Proxy(Fault),
    /// It is asked by TLS and knows none.
    Tls,
    /// Its speech is ten times as long.
    Tenfold,
    /// Its speech is silence.
    Silence,
    /// It gives nothing.
    Nothing,
}

/// One cell of the matrix, with an agent of its own.
struct Cell {
    stage: Stage,
    fault: &'static str,
    trick: Trick,
    /// The agent, and part of the names of its providers.
    name: String,
    proxy: Proxy,
    /// What stands behind the proxy, as long as the cell does.
    _first: Vendor,
    spare: Vendor,
}

/// A stand-in.
enum Vendor {
    Stand(Stand),
    Chat(ChatServer),
}

/// The faults of a provider that gives nothing, and of one that stops in the middle.
fn faults(stage: Stage) -> Vec<(&'static str, Trick)> {
    use Fault::{Answers, CutsAfter, Drips, EndsAfter, Garbled, HalfLetters, Page, StallsAfter};
    // Behind the first sentence of an answer, in the middle of a clause, before the text.
    let middle = match stage {
        Stage::Hear => 150,
        Stage::Think => 1_100,
        Stage::Speak => 40_000,
    };
    let mut faults = vec![
        ("refused", Trick::Proxy(Fault::Refused)),
        ("no TLS", Trick::Tls),
        ("401", Trick::Proxy(Answers(401, None))),
        ("403", Trick::Proxy(Answers(403, None))),
        ("404", Trick::Proxy(Answers(404, None))),
        ("408", Trick::Proxy(Answers(408, None))),
        ("429", Trick::Proxy(Answers(429, None))),
        ("429, Retry-After: 30", Trick::Proxy(Answers(429, Some(30)))),
        ("500", Trick::Proxy(Answers(500, None))),
        ("503", Trick::Proxy(Answers(503, None))),
        ("a page of a web server", Trick::Proxy(Page)),
        ("no answer", Trick::Proxy(Fault::Silent)),
        ("an octet a second", Trick::Proxy(Drips)),
        ("stalls in the middle", Trick::Proxy(StallsAfter(middle))),
        ("reset in the middle", Trick::Proxy(CutsAfter(middle))),
        ("closed in the middle", Trick::Proxy(EndsAfter(middle))),
    ];
    match stage {
        Stage::Hear => faults.extend([
            ("not in the protocol", Trick::Proxy(Garbled)),
            ("half UTF-8", Trick::Proxy(HalfLetters)),
        ]),
        Stage::Think => faults.extend([
            ("not in the protocol", Trick::Proxy(Garbled)),
            ("half UTF-8", Trick::Proxy(HalfLetters)),
            ("an empty answer", Trick::Nothing),
        ]),
        Stage::Speak => faults.extend([
            ("ten times too much", Trick::Tenfold),
            ("silence", Trick::Silence),
            ("no sound", Trick::Nothing),
        ]),
    }
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_fault_of_a_provider_loses_a_call_or_repeats_a_sentence() {
    let throat = throat().await;
    let mut cells = Vec::new();
    for stage in [Stage::Hear, Stage::Think, Stage::Speak] {
        for (number, (fault, trick)) in faults(stage).into_iter().enumerate() {
            let name = format!("{}{number}", stage.key());
            cells.push(Cell::open(stage, (fault, trick), name, &throat).await);
        }
    }
    let ears = listener().await;
    let mind = ChatServer::start(vec![Behaviour::Says(ANSWER)]).await;
    let house = house(&cells, &ears, &mind);
    let server = Server::start(house).await;
    cells.iter().for_each(Cell::arm);
    let question = say(Speaker::Flite("rms"), HOURS).await;
    let mut wrong = Vec::new();
    println!("| stage | fault | dead air | served the turn | the call's own words for it |");
    println!("| --- | --- | --- | --- | --- |");
    // A few at a time: what is measured should not be the load of the test.
    for batch in cells.chunks(AT_ONCE) {
        let mut calls = JoinSet::new();
        for (place, cell) in batch.iter().enumerate() {
            let (target, lines) = (server.uri(&cell.name), vec![question.clone()]);
            calls.spawn(async move { (place, call(&target, lines, QUIET).await) });
        }
        let mut outcomes = calls.join_all().await;
        outcomes.sort_by_key(|(place, _)| *place);
        for (cell, (_, outcome)) in batch.iter().zip(&outcomes) {
            let record = server.records_of(&cell.name, 1).await.remove(0);
            wrong.extend(cell.judge(outcome, &record));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!server.log().contains(KEY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_fallback_is_heard_in_a_call() {
    let throat = throat().await;
    let refused = Trick::Proxy(Fault::Answers(401, None));
    let cells = [
        Cell::open(Stage::Hear, ("401", refused), "hearing".to_owned(), &throat).await,
        Cell::open(Stage::Think, ("401", refused), "thinking".to_owned(), &throat).await,
        Cell::open(Stage::Speak, ("401", refused), "speaking".to_owned(), &throat).await,
    ];
    let ears = listener().await;
    let mind = ChatServer::start(vec![Behaviour::Says(ANSWER)]).await;
    let server = Server::start(house(&cells, &ears, &mind)).await;
    cells.iter().for_each(Cell::arm);
    let question = say(Speaker::Flite("rms"), HOURS).await;
    for cell in &cells {
        let folder = Folder::new();
        let lines = vec![question.clone()];
        let outcome = recorded(&server.uri(&cell.name), lines, folder.path("call.wav")).await;
        let record = server.records_of(&cell.name, 1).await.remove(0);
        assert_eq!(cell.judge(&outcome, &record), Vec::<String>::new());
        assert_eq!(said(&record, "caller"), [HOURS], "{record:#}");
        let words = recognise(&outcome.heard.expect("a recording"), &SENTENCES).await;
        assert!(words.contains(SENTENCES[0]), "{}: {words}", cell.name);
        let failure = &record["provider_failures"][0];
        assert!(failure["reason"].as_str().is_some_and(|it| it.contains("the key is refused")));
        assert_eq!(failure["next"], format!("{}-spare", cell.name).as_str(), "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_all_are_down_the_caller_hears_an_apology_and_the_call_ends() {
    let throat = throat().await;
    let refused = Trick::Proxy(Fault::Answers(401, None));
    let cell = Cell::open(Stage::Think, ("401", refused), "thinking".to_owned(), &throat).await;
    let ears = listener().await;
    let mind = ChatServer::start(vec![Behaviour::Says(ANSWER)]).await;
    let mut house = house(std::slice::from_ref(&cell), &ears, &mind);
    let dialplan = house.dialplan.take().expect("its own");
    // Nobody takes its place.
    house.dialplan = Some(dialplan.replace("fallback.llm = [\"thinking-spare\"]\n", ""));
    let server = Server::start(house).await;
    cell.arm();
    let question = say(Speaker::Flite("rms"), HOURS).await;
    let folder = Folder::new();
    let path = folder.path("call.wav");
    let outcome = recorded(&server.uri(&cell.name), vec![question], path).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    assert_eq!(record["end_reason"], "provider_error", "{record:#}");
    let lines = said(&record, "agent").join(" ");
    assert!(lines.contains("I am very sorry") && !lines.contains("say that again"), "{lines}");
    let heard = outcome.heard.expect("a recording");
    let apology = "i cannot help you at the moment";
    let words = recognise(&heard, &["hello", "i am very sorry", apology, "goodbye"]).await;
    assert!(words.contains(apology), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_screen_tells_what_works_and_what_to_do_about_the_rest() {
    let throat = throat().await;
    let refused = Trick::Proxy(Fault::Answers(401, None));
    let cells = [
        Cell::open(Stage::Hear, ("401", refused), "hearing".to_owned(), &throat).await,
        Cell::open(Stage::Think, ("401", refused), "thinking".to_owned(), &throat).await,
        Cell::open(Stage::Speak, ("401", refused), "speaking".to_owned(), &throat).await,
    ];
    cells.iter().for_each(Cell::arm);
    let ears = listener().await;
    let mind = ChatServer::start(vec![Behaviour::Says(ANSWER)]).await;
    let folder = Folder::new();
    let config = house(&cells, &ears, &mind).write(&folder);
    let mut command = program();
    command.args(["providers", "test", "--config"]).arg(config);
    let (code, text) = finish(command).await;
    assert_eq!(code, Some(1), "{text}");
    for cell in &cells {
        let line = |name: &str| {
            let mut lines = text.lines();
            let about = lines.find(|line| line.split_whitespace().nth(1) == Some(name));
            let about = about.unwrap_or_else(|| panic!("no {name}: {text}"));
            (about.to_owned(), lines.next().unwrap_or_default().to_owned())
        };
        let (found, advice) = line(&cell.name);
        assert!(found.contains("FAILED: the key is refused"), "{text}");
        assert!(advice.contains("`api_key`") && advice.contains(&cell.name), "{text}");
        assert!(line(&format!("{}-spare", cell.name)).0.contains(" ok, "), "{text}");
    }
    assert!(!text.contains(KEY));
}

impl Stage {
    fn key(self) -> &'static str {
        match self {
            Self::Hear => "stt",
            Self::Think => "llm",
            Self::Speak => "tts",
        }
    }
}

impl Cell {
    async fn open(
        stage: Stage,
        (fault, trick): (&'static str, Trick),
        name: String,
        throat: &Throat,
    ) -> Self {
        let first = match (stage, trick) {
            (Stage::Hear, _) => listener().await,
            (Stage::Think, Trick::Nothing) => Vendor::chat(Behaviour::Says("")).await,
            (Stage::Think, _) => Vendor::chat(Behaviour::Says(ANSWER)).await,
            (Stage::Speak, trick) => speaker(spoilt(throat, trick)).await,
        };
        let spare = match stage {
            Stage::Hear => listener().await,
            Stage::Think => Vendor::chat(Behaviour::GoesOn { whole: ANSWER, rest: SECOND }).await,
            Stage::Speak => speaker(throat.clone()).await,
        };
        let proxy = Proxy::open(first.address()).await.expect("a port");
        Self { stage, fault, trick, name, proxy, _first: first, spare }
    }

    fn arm(&self) {
        if let Trick::Proxy(fault) = self.trick {
            self.proxy.arm(fault);
        }
    }

    /// The tables of its providers.
    fn settings(&self) -> String {
        let (kind, path, more) = match self.stage {
            Stage::Hear => ("deepgram", "", ""),
            Stage::Think => ("openai-compatible", "/v1", "model = \"tiny\"\n"),
            Stage::Speak => ("openai", "/v1", ""),
        };
        let mut first = self.proxy.base_url();
        if self.trick == Trick::Tls {
            first = first.replace("http://", "https://");
        }
        let table = |name: &str, url: &str| {
            format!(
                "[providers.{name}]\nkind = \"{kind}\"\napi_key = \"{KEY}\"\n{more}\
                 base_url = \"{url}{path}\"\n"
            )
        };
        let spare = format!("http://{}", self.spare.address());
        table(&self.name, &first) + &table(&format!("{}-spare", self.name), &spare)
    }

    /// Its agent, and the way to it.
    fn dialplan(&self) -> String {
        let (name, key) = (&self.name, self.stage.key());
        format!(
            "[[route]]\ndid = \"{name}\"\nto = \"agent:{name}\"\n\
             [agents.{name}]\nextends = \"base\"\n{key} = {{ provider = \"{name}\" }}\n\
             fallback.{key} = [\"{name}-spare\"]\n"
        )
    }

    /// The call was not lost, every sentence was said once, and it is known who helped and why.
    /// Prints the row of the table; gives what is wrong.
    fn judge(&self, outcome: &Outcome, record: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut want = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{} {}: {what}: {record:#}", self.name, self.fault));
            }
        };
        want(outcome.we_hung_up(), "the call is lost");
        let lines = said(record, "agent").join(" ");
        for sentence in [FIRST, SECOND] {
            want(lines.matches(sentence).count() == 1, "a sentence is not said once");
        }
        let failure = &record["provider_failures"][0];
        let (key, spare) = (self.stage.key(), format!("{}-spare", self.name));
        want(failure["stage"] == key && failure["provider"] == *self.name, "the failure");
        let served = record["turns"][0]["providers"][key].as_str().unwrap_or("-");
        let in_the_middle = self.fault.ends_with("in the middle");
        let late = in_the_middle || self.is_heard_out() || self.trick == Trick::Silence;
        want(served == spare || late, "who served the turn");
        if self.stage == Stage::Speak {
            // No word goes to both voices: what the first one gave is heard.
            let again = self.spare.heard().iter().filter(|text| text.contains(FIRST)).count();
            let expected = usize::from(!in_the_middle && !self.is_heard_out());
            // A reset may take with it what was not read yet: then the spare voice says it all.
            let is_lost = again == 1 && self.fault.starts_with("reset");
            want(again == expected || is_lost, "what the spare voice says");
        }
        let (dead, reason) = (dead_air(outcome).as_secs_f64(), &failure["reason"]);
        let reason = reason.as_str().unwrap_or("-");
        println!("| {key} | {} | {dead:.1} s | {served} | {reason} |", self.fault);
        wrong
    }

    /// Whether the first voice is heard to its end, and only what follows is the spare's.
    fn is_heard_out(&self) -> bool {
        self.trick == Trick::Tenfold
    }
}

impl Vendor {
    async fn chat(behaviour: Behaviour) -> Self {
        Self::Chat(ChatServer::start(vec![behaviour]).await)
    }

    fn address(&self) -> std::net::SocketAddr {
        match self {
            Self::Stand(stand) => stand.address,
            Self::Chat(server) => server.address(),
        }
    }

    fn heard(&self) -> Vec<String> {
        match self {
            Self::Stand(stand) => stand.heard(),
            Self::Chat(_) => Vec::new(),
        }
    }
}

/// How long the caller heard nothing at the worst: from his question on to the last of the answer.
fn dead_air(outcome: &Outcome) -> Duration {
    let mut silent_since = None;
    let mut longest = Duration::ZERO;
    for (at, moment) in &outcome.moments {
        match moment {
            Moment::Said => silent_since = Some(*at),
            Moment::TheyStop { last_voiced } => {
                silent_since = silent_since.map(|_| *last_voiced);
            }
            Moment::TheySpeak => {
                if let Some(since) = silent_since {
                    longest = longest.max(at.saturating_sub(since));
                }
            }
            _ => {}
        }
    }
    longest
}

/// A house with an agent for each cell; the stages that are not spoilt are served by others.
fn house(cells: &[Cell], ears: &Vendor, mind: &ChatServer) -> House {
    let mut settings = format!(
        "[providers.ears]\nkind = \"deepgram\"\napi_key = \"{KEY}\"\nbase_url = \"http://{}\"\n\
         [providers.mind]\nkind = \"openai-compatible\"\napi_key = \"{KEY}\"\nmodel = \"tiny\"\n\
         base_url = \"{}\"\n",
        ears.address(),
        mind.base_url()
    );
    let mut dialplan = String::new();
    for cell in cells {
        settings.push_str(&cell.settings());
        dialplan.push_str(&cell.dialplan());
    }
    House::with(&(dialplan + BASE)).and(&settings)
}

async fn listener() -> Vendor {
    let ear: Ear = Arc::new(|_, _| HOURS.to_owned());
    let delay = Duration::from_millis(50);
    let script = deepgram::Script { key: KEY, ear, delay, faults: Vec::new(), observer: nobody() };
    Vendor::Stand(deepgram::open(script).await.expect("a port"))
}

async fn speaker(throat: Throat) -> Vendor {
    let ear: Ear = Arc::new(|_, _| String::new());
    let delay = Duration::from_millis(50);
    let script = openai::Script { key: KEY, ear, throat, delay, faults: Vec::new() };
    Vendor::Stand(openai::open(script).await.expect("a port"))
}

/// A throat that says each text by its length in the voice of flite's first sentence.
async fn throat() -> Throat {
    let rate = Rate(24_000);
    let mut clips = std::collections::HashMap::new();
    for text in [FIRST, SECOND, "Hello?", "Thank you and goodbye."] {
        let clip = spoken(Speaker::Flite("slt"), text).await;
        clips.insert(text.to_owned(), resample::convert(&clip, rate).samples);
    }
    let first = clips[FIRST].clone();
    Arc::new(move |text| match clips.get(text) {
        Some(clip) => clip.clone(),
        // A part of a sentence: as much of the first as it is long.
        None if FIRST.ends_with(text) || SECOND.ends_with(text) => {
            first.iter().copied().take(rate.0 as usize * text.len() / 14).collect()
        }
        // Lines that are prepared and not heard here.
        None => vec![0; rate.0 as usize / 10],
    })
}

/// The throat of a voice that does something else with an answer.
fn spoilt(throat: &Throat, trick: Trick) -> Throat {
    let throat = throat.clone();
    Arc::new(move |text| {
        let sound = throat(text);
        match trick {
            Trick::Tenfold if text == FIRST => sound.repeat(10),
            Trick::Silence if text == FIRST => vec![0; sound.len()],
            Trick::Nothing if text == FIRST => Vec::new(),
            _ => sound,
        }
    })
}

const BASE: &str = r#"
[agents.base]
first_message = "Hello?"
disclosure    = "none"
disclosure_reason = "another test hears it"
goodbye       = "Thank you and goodbye."
prompt        = "You are a porter. Be brief."
stt           = { provider = "ears" }
llm           = { provider = "mind" }
tts           = { provider = "flite", voice = "slt" }
# One answer for a turn, so that what was said can be counted.
turns.preemptive = false
"#;

/// How long the caller waits in silence before he hangs up.
const QUIET: Duration = Duration::from_secs(4);

/// How many calls are up at once.
const AT_ONCE: usize = 6;

const HOURS: &str = "what are your opening hours";
const ANSWER: &str = "We are open from nine to six. On Sundays we are closed.";
const FIRST: &str = "We are open from nine to six.";
const SECOND: &str = "On Sundays we are closed.";

const SENTENCES: [&str; 3] = ["we are open from nine to six", "hello", "on sundays we are closed"];
