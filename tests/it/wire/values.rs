//! Values on the wire: a caller gives a telephone number by voice and by keys, hears it read back
//! digit by digit, and the record keeps it as it is written.

use voxtrunk::engine::phone::{Act, Line, When};

use super::caller::{Speaker, recorded, say};
use super::ear;
use super::server::{House, Server, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_spoken_is_read_back_digit_by_digit() {
    let lines = vec![
        say(Speaker::Flite("rms"), "please call me back").await,
        say(Speaker::Flite("rms"), "five five five, one two three, four five six seven").await,
        say(Speaker::Flite("rms"), "yes").await,
    ];
    let server = Server::start(House::with(CLERK)).await;
    let path = server.folder.path("spoken.wav");
    let outcome = recorded(&server.uri("clerk"), lines, path).await;
    let record = server.record().await;
    let lines = said(&record, "agent");
    assert!(lines.iter().any(|line| line.contains("I have +1 555 123 4567.")), "{record:#}");
    assert!(lines.iter().any(|line| line == "We will call."), "{record:#}");
    hears_the_number(&outcome.heard.expect("it was recorded")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_pressed_is_read_back_digit_by_digit() {
    let keys = "5551234567#".chars().filter_map(voxtrunk::media::event::Digit::new).collect();
    let lines = vec![
        say(Speaker::Flite("rms"), "please call me back").await,
        Line { when: When::Quiet, act: Act::Press(keys) },
        say(Speaker::Flite("rms"), "yes").await,
    ];
    let server = Server::start(House::with(CLERK)).await;
    let path = server.folder.path("pressed.wav");
    let outcome = recorded(&server.uri("clerk"), lines, path).await;
    let record = server.record().await;
    let lines = said(&record, "agent");
    assert!(lines.iter().any(|line| line.contains("I have +1 555 123 4567.")), "{record:#}");
    hears_the_number(&outcome.heard.expect("it was recorded")).await;
}

/// One of the utterances is the number, and not what it would be as one figure.
async fn hears_the_number(clip: &voxtrunk::audio::frame::Frame) {
    let sentences = [
        READ,
        "i have one billion",
        "hello",
        "what is your phone number",
        "is that right",
        "we will call",
    ];
    let mut heard = Vec::new();
    for utterance in ear::utterances(clip) {
        heard.push(ear::recognise(&utterance, &sentences).await);
    }
    // Commas are pauses, so the number may be in two pieces or in one.
    let all = heard.join(" ");
    assert!(all.contains("five five five"), "{heard:?}");
}

const READ: &str = "[i have plus one] five five five [one two three] [four five six seven]";

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
