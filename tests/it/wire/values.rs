//! Values on the wire: a caller gives a telephone number by voice and by keys, hears it read back
//! digit by digit, and the record keeps it as it is written.

use voxtrunk::engine::phone::{Act, Line, When};

use super::caller::{Speaker, recorded, say};
use super::ear;
use super::server::{House, Server, said};

/// Ten digits in a row are hard for a small recogniser by telephone: one voice of four must do.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_spoken_is_read_back_digit_by_digit() {
    let server = Server::start(House::with(CLERK)).await;
    let calls = ["rms", "slt", "awb", "kal"].map(|name| gives_number(&server, name));
    let heard = futures_util::future::join_all(calls).await;
    let mut told = Vec::new();
    for (record, heard) in server.records(4).await.into_iter().zip(heard) {
        let lines = said(&record, "agent");
        let is_right = |line: &&String| line.contains("I have +1 555 123 4321.");
        if lines.iter().any(|line| is_right(&line)) && lines.iter().any(|it| it == "We will call.")
        {
            return hears_the_number(&heard, "5551234321").await;
        }
        told.push((said(&record, "caller"), lines));
    }
    panic!("nobody was understood: {told:#?}");
}

/// Calls, gives a number when it is asked for, and says that it is right; what was heard.
async fn gives_number(server: &Server, voice: &'static str) -> voxtrunk::audio::frame::Frame {
    let voice = Speaker::Flite(voice);
    let lines = vec![
        say(voice, "please call me back").await,
        say(voice, "five five five, one two three, four three two one").await,
        say(Speaker::Flite("rms"), "yes that's correct").await,
    ];
    let path = server.folder.path(&format!("{voice:?}.wav"));
    recorded(&server.uri("clerk"), lines, path).await.heard.expect("it was recorded")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_pressed_is_read_back_digit_by_digit() {
    let keys = "5551234567#".chars().filter_map(voxtrunk::media::event::Digit::new).collect();
    let lines = vec![
        say(Speaker::Flite("rms"), "please call me back").await,
        Line { when: When::Quiet, act: Act::Press(keys) },
        say(Speaker::Flite("rms"), "yes that's correct").await,
    ];
    let server = Server::start(House::with(CLERK)).await;
    let path = server.folder.path("pressed.wav");
    let outcome = recorded(&server.uri("clerk"), lines, path).await;
    let record = server.record().await;
    let lines = said(&record, "agent");
    assert!(lines.iter().any(|line| line.contains("I have +1 555 123 4567.")), "{record:#}");
    hears_the_number(&outcome.heard.expect("it was recorded"), "5551234567").await;
}

/// The number is heard digit by digit, and not as one figure.
async fn hears_the_number(clip: &voxtrunk::audio::frame::Frame, number: &str) {
    let mut sentences = vec![
        "i have plus one",
        "i have one billion five hundred fifty five million",
        "hello",
        "what is your phone number",
        "is that right",
        "we will call",
    ];
    sentences.extend(DIGITS);
    let mut heard = Vec::new();
    for utterance in ear::utterances(clip) {
        heard.push(ear::recognise(&utterance, &sentences).await);
    }
    let all = heard.join(" ");
    assert!(!all.contains("billion"), "{heard:?}");
    let digit = |word: &str| DIGITS.iter().position(|it| *it == word);
    let digits: Vec<usize> = all.split(' ').filter_map(digit).collect();
    // Single digits by telephone are hard for a small recogniser: seven of ten must be in place.
    let right = in_order(number, &digits);
    assert!(right >= 7, "{right} of {number}: {heard:?}");
}

/// How many digits of a number were heard in its order.
fn in_order(number: &str, heard: &[usize]) -> usize {
    let mut best = vec![0; heard.len() + 1];
    for digit in number.bytes().map(|it| usize::from(it - b'0')) {
        let mut diagonal = 0;
        for (at, other) in heard.iter().enumerate() {
            let before = best[at + 1];
            best[at + 1] = if *other == digit { diagonal + 1 } else { before.max(best[at]) };
            diagonal = before;
        }
    }
    best.last().copied().unwrap_or_default()
}

const DIGITS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

const CLERK: &str = r#"
[[route]]
to = "agent:clerk"

[agents.clerk]
first_message = "Hello?"
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }

[[agents.clerk.intents]]
id        = "callback"
phrases   = ["call me back [at {phone}]"]
ask.phone = "What is your phone number?"
confirm   = "I have {{ phone }}. Is that right?"
say       = "We will call."
"#;
