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
            return hears_the_number(&heard).await;
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
        say(Speaker::Flite("rms"), "yes").await,
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

const READ: &str =
    "[i have plus one] five five five [one two three] [four five six seven | four three two one]";

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
