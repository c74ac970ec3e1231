//! Speech as it comes by telephone: of real people where their recordings are at hand, of engines,
//! and in noise.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinSet;
use voxtrunk::audio::frame::Frame;
use voxtrunk::sip::event::Ending;

use super::caller::{Speaker, call, clip, in_noise, play, spoken};
use super::impairment::{Network, Weather};
use super::server::{House, SOURCE, Server, said};

/// What was said, by whom, as a clip.
struct Utterance {
    who: String,
    words: &'static str,
    /// What the agent says when it has understood.
    answer: &'static str,
    clip: Frame,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_demo_is_understood_in_noise_at_20_decibels() {
    let mut utterances = Vec::new();
    let voices = [Speaker::Flite("rms"), Speaker::Flite("awb"), Speaker::Espeak("en-us")];
    for (words, answer) in WISHES {
        for voice in voices {
            // Noise does not begin with the first word nor end with the last.
            let speech = spoken(voice, words).await;
            let mut clip = Frame::silence(speech.rate, Duration::from_millis(300));
            clip.samples.extend(&speech.samples);
            clip.samples.extend(Frame::silence(speech.rate, Duration::from_millis(300)).samples);
            let clip = in_noise(&clip, 20.0);
            utterances.push(Utterance { who: format!("{voice:?}"), words, answer, clip });
        }
    }
    let right = understood(House::brief_demo(), utterances, 8).await;
    assert!(right >= 18, "{right} of 24 were understood");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_agent_that_takes_noise_off_understands_who_speaks_without() {
    let mut utterances = Vec::new();
    for (words, answer) in WISHES {
        let (voice, who) = (Speaker::Flite("rms"), "rms".to_owned());
        utterances.push(Utterance { who, words, answer, clip: spoken(voice, words).await });
    }
    let mut house = House::brief_demo();
    let dialplan = house.dialplan.expect("its own");
    let table = "[agents.front-desk]\n";
    assert!(dialplan.contains(table));
    house.dialplan = Some(dialplan.replace(table, &format!("{table}denoise = true\n")));
    let right = understood(house, utterances, 8).await;
    assert!(right >= 7, "{right} of 8 were understood");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn real_people_are_understood() {
    let mut utterances = Vec::new();
    let sentences = [
        ("go-forward", "go forward ten meters"),
        ("cards-001", "ten of clubs"),
        ("cards-003", "seven of clubs"),
    ];
    for (name, words) in sentences {
        utterances.push(Utterance::of(&format!("sentences/{name}"), words).await);
    }
    for (at, words) in DIGITS.into_iter().enumerate() {
        for who in ["george", "jackson", "nicolas"] {
            utterances.push(Utterance::of(&format!("digits/{at}_{who}_3"), words).await);
        }
    }
    let right = understood(House::with(LISTENER), utterances, 11).await;
    assert!(right >= 16, "{right} of 33 were understood");
}

impl Utterance {
    /// A recording of a person if it is at hand, else an engine.
    async fn of(name: &str, words: &'static str) -> Self {
        let folder: PathBuf = Path::new(SOURCE).join("../shared/audio");
        let path = folder.join(name).with_extension("wav");
        let (who, clip) = match path.is_file() {
            true => (name.to_owned(), clip(&path)),
            false => ("engine".to_owned(), spoken(Speaker::Flite("rms"), words).await),
        };
        Self { who, words, answer: "Good.", clip }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_network_that_loses_one_packet_in_twenty_costs_few_words() {
    let mut utterances = Vec::new();
    for (words, answer) in WISHES {
        for voice in [Speaker::Flite("rms"), Speaker::Flite("awb"), Speaker::Espeak("en-us")] {
            let clip = spoken(voice, words).await;
            utterances.push(Utterance { who: format!("{voice:?}"), words, answer, clip });
        }
    }
    let server = Server::start(House::brief_demo()).await;
    let mut rates = Vec::new();
    for (name, loss) in [("clean", 0.0), ("lossy", 0.05)] {
        let weather = Weather::losing(loss);
        let mut networks = Vec::new();
        for _ in &utterances {
            networks.push(Network::open(server.address, weather, weather).await);
        }
        let line = |at: usize| format!("{name}-{at}");
        say_all(&utterances, 6, |at| networks[at].uri(&line(at))).await;
        let (mut words, mut wrong) = (0, 0);
        for (at, utterance) in utterances.iter().enumerate() {
            let record = server.records_of(&line(at), 1).await.remove(0);
            let (text, expected) = (said(&record, "caller").join(" "), utterance.words);
            let errors = word_errors(&text, expected);
            (words, wrong) = (words + expected.split(' ').count(), wrong + errors);
            if errors > 0 {
                println!("{name}: {} says {expected:?}, and {text:?} is heard", utterance.who);
            }
        }
        println!("{name}: {wrong} of {words} words are wrong");
        rates.push(wrong as f64 / words as f64);
    }
    assert!(rates[1] <= rates[0] + 0.03, "at most 3 points worse: {rates:?}");
}

/// By how many words that are wrong, too many or missing two texts differ.
fn word_errors(heard: &str, said: &str) -> usize {
    let said: Vec<&str> = said.split_whitespace().collect();
    let mut row: Vec<usize> = (0..=said.len()).collect();
    for word in heard.split_whitespace() {
        let mut corner = row[0];
        row[0] += 1;
        for (at, other) in said.iter().enumerate() {
            let changed = corner + usize::from(*other != word);
            corner = row[at + 1];
            row[at + 1] = changed.min(row[at] + 1).min(corner + 1);
        }
    }
    row[said.len()]
}

/// Has each utterance said in a call of its own, `at_once` together.
async fn say_all(utterances: &[Utterance], at_once: usize, target: impl Fn(usize) -> String) {
    let mut waiting = utterances.iter().enumerate();
    let mut calls = JoinSet::new();
    loop {
        while calls.len() < at_once {
            let Some((at, utterance)) = waiting.next() else { break };
            let (target, line) = (target(at), play(&utterance.clip));
            calls.spawn(
                async move { call(&target, vec![line], Duration::from_millis(1_200)).await },
            );
        }
        let Some(outcome) = calls.join_next().await else { break };
        let ending = outcome.expect("no panic").ending;
        assert!(matches!(ending, Ending::Bye { .. }), "{ending:?}");
    }
}

/// Has each utterance said in a call of its own, `at_once` together; prints a table and counts
/// those that were understood.
async fn understood(house: House, utterances: Vec<Utterance>, at_once: usize) -> usize {
    let server = Server::start(house).await;
    say_all(&utterances, at_once, |at| server.uri(&format!("line-{at}"))).await;
    let mut right = 0;
    let records = server.records(utterances.len()).await;
    println!("{:<18} {:<54} understood", "who", "said");
    for (at, utterance) in utterances.iter().enumerate() {
        let record = records.iter().find(|it| it["to"]["number"] == format!("line-{at}"));
        let record = record.expect("a record of each");
        let text = said(record, "caller").join(" ");
        let answer = said(record, "agent").join(" ");
        let is_right = match utterance.answer {
            // The same answer for every word: the word itself must be right.
            "Good." => text == utterance.words,
            expected => answer.contains(expected),
        };
        right += usize::from(is_right);
        let mark = if is_right { "yes" } else { "no " };
        println!("{:<18} {:<54} {mark} {text}", utterance.who, utterance.words);
    }
    println!("{right} of {}", utterances.len());
    right
}

const WISHES: [(&str, &str); 8] = [
    ("what are your opening hours", "nine to six"),
    ("when are you open", "nine to six"),
    ("i would like to book an appointment on monday at ten", "Shall I book it"),
    ("how much is a repair", "fifteen dollars"),
    ("what is your address", "Harbor Street"),
    ("i would like to speak to sales", "connecting you with sales"),
    ("thank you very much", "welcome"),
    ("that is all", "Goodbye"),
];

const DIGITS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// An agent who hears digits, cards and ways to go.
const LISTENER: &str = r#"
[[route]]
to = "agent:listener"

[agents.listener]
first_message = "Yes?"
prompt        = "You repeat."
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }

[[agents.listener.intents]]
id      = "digit"
phrases = ["(zero|one|two|three|four|five|six|seven|eight|nine)"]
say     = "Good."

[[agents.listener.intents]]
id      = "card"
phrases = ["(two|three|four|five|six|seven|eight|nine|ten|jack|queen|king|ace) of (clubs|diamonds|hearts|spades)"]
say     = "Good."

[[agents.listener.intents]]
id      = "way"
phrases = ["go (forward|backward) (five|ten|twenty) meters", "turn (left|right)", "stop"]
say     = "Good."
"#;
