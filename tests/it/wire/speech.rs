//! Speech as it comes by telephone: of real people where their recordings are at hand, of engines,
//! and in noise.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinSet;
use voxtrunk::audio::frame::Frame;
use voxtrunk::sip::event::Ending;

use super::caller::{Speaker, call, clip, in_noise, play, spoken};
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

/// Has each utterance said in a call of its own, `at_once` together; prints a table and counts
/// those that were understood.
async fn understood(house: House, utterances: Vec<Utterance>, at_once: usize) -> usize {
    let server = Server::start(house).await;
    let mut waiting = utterances.iter().enumerate();
    let mut calls = JoinSet::new();
    loop {
        while calls.len() < at_once {
            let Some((at, utterance)) = waiting.next() else { break };
            let (target, line) = (server.uri(&format!("line-{at}")), play(&utterance.clip));
            calls.spawn(
                async move { call(&target, vec![line], Duration::from_millis(1_200)).await },
            );
        }
        let Some(outcome) = calls.join_next().await else { break };
        let ending = outcome.expect("no panic").ending;
        assert!(matches!(ending, Ending::Bye { .. }), "{ending:?}");
    }
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
