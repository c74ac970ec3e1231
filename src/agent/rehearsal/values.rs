//! Conversations in which values are given, read back and corrected, and languages change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::stage::Stage;
use crate::agent::assistant::{Assistant, Intent};
use crate::agent::conversation::Request;
use crate::agent::event::{Delta, Output};
use crate::agent::intents::compile::Compiled;
use crate::agent::intents::dialogue::Dialogue;

/// An agent with one intent that asks for one value.
fn clerk(language: &str, phrase: &str, ask: (&str, &str), confirm: &str) -> Assistant {
    let intent = Intent {
        id: "value".to_owned(),
        phrases: vec![phrase.to_owned()],
        ask: BTreeMap::from([(ask.0.to_owned(), ask.1.to_owned())]),
        confirm: Some(confirm.to_owned()),
        say: vec!["OK.".to_owned()],
        ..Intent::default()
    };
    Assistant { language: language.parse().ok(), intents: vec![intent], ..Assistant::default() }
}

/// A stage on which the rules answer.
fn stage(assistant: Assistant) -> Stage {
    let compiled = Compiled::for_assistant(&assistant).expect("the clerk compiles");
    let dialogue = Dialogue::new(Arc::new(compiled), Arc::new(assistant.clone()));
    let today = "2026-11-21".parse().ok();
    let mind = move |request: &Request| {
        let reply = dialogue.reply_on(today, &request.messages);
        vec![(0, Delta::Text(reply.text)), (0, Delta::Done)]
    };
    Stage::new(assistant, "Hallo.", Box::new(mind))
}

fn spoken(stage: &Stage) -> Vec<String> {
    let speak = |output: &Output| match output {
        Output::Speak(utterance) => Some(utterance.spoken.clone()),
        _ => None,
    };
    stage.log.iter().filter_map(|(_, output)| speak(output)).collect()
}

#[test]
fn an_iban_is_given_in_pieces_and_read_back() {
    let assistant = clerk(
        "de",
        "meine bankverbindung [{iban}]",
        ("iban", "Wie lautet Ihre IBAN?"),
        "Ich habe {{ iban }}. Stimmt das?",
    );
    let mut stage = stage(assistant);
    stage.caller(2_000, 1_500, "meine Bankverbindung");
    stage.caller(7_000, 3_000, "D E acht neun drei sieben null vier");
    // Two seconds to turn the card around: the turn is not over.
    stage.caller(12_000, 3_000, " null null vier vier");
    // Four seconds: it is, and the rest is asked for.
    stage.caller(21_000, 4_000, "null fünf drei zwei null eins drei null null null");
    stage.caller(41_500, 1_000, "ja stimmt");
    stage.play(46_000);
    assert_eq!(
        stage.transcript()[1..],
        [
            "caller: meine Bankverbindung",
            "agent: Wie lautet Ihre IBAN?",
            "caller: D E acht neun drei sieben null vier null null vier vier",
            "agent: Bitte weiter.",
            "caller: null fünf drei zwei null eins drei null null null",
            "agent: Ich habe DE89 3704 0044 0532 0130 00.",
            "agent: Stimmt das?",
            "caller: ja stimmt",
            "agent: OK.",
        ]
    );
    let spoken = spoken(&stage);
    let read = "Ich habe D E acht neun, drei sieben null vier, null null vier vier, \
                null fünf drei zwei, null eins drei null, null null.";
    assert!(spoken.iter().any(|line| line == read), "{spoken:#?}");
}

#[test]
fn a_wrong_iban_is_refused() {
    let assistant =
        clerk("de", "bankverbindung [{iban}]", ("iban", "Wie lautet Ihre IBAN?"), "{{ iban }}?");
    let mut stage = stage(assistant);
    stage.caller(2_000, 1_500, "Bankverbindung");
    stage.caller(6_000, 5_000, "DE89 3704 0044 0532 0130 01");
    stage.play(20_000);
    let last = stage.transcript().join("\n");
    assert!(last.contains("Die Prüfziffern dieser IBAN passen nicht."), "{last}");
}

#[test]
fn a_telephone_number_is_read_back_digit_by_digit() {
    let assistant = clerk(
        "en",
        "call me back [at {phone}]",
        ("phone", "What is your phone number?"),
        "I have {{ phone }}. Is that right?",
    );
    let mut stage = stage(assistant);
    stage.caller(2_000, 1_500, "please call me back");
    stage.caller(7_000, 2_000, "five five five one two three");
    stage.caller(11_000, 2_000, " four five six seven");
    stage.caller(25_000, 800, "yes that's right");
    stage.play(35_000);
    let transcript = stage.transcript();
    assert_eq!(transcript[4..6], ["agent: I have +1 555 123 4567.", "agent: Is that right?"]);
    assert_eq!(transcript.last().map(String::as_str), Some("agent: OK."));
    let read = "I have plus one, five five five, one two three, four five six seven.";
    assert!(spoken(&stage).iter().any(|line| line == read));
    // The last digit makes it whole: nobody waits for more.
    let asked = stage.audible.iter().find(|(_, text)| text.starts_with("I have"));
    assert!(asked.is_some_and(|(at, _)| *at < 13_600), "{asked:?}");
}

#[test]
fn days_are_counted_from_that_of_the_call() {
    let assistant =
        clerk("en", "book a table [on {date}]", ("date", "Which day?"), "{{ date }}. Right?");
    let mut stage = stage(assistant);
    stage.caller(2_000, 1_500, "book a table on next tuesday");
    stage.play(12_000);
    let said = stage.transcript().join("\n");
    assert!(said.contains("agent: Tuesday, November 24, 2026.\nagent: Right?"), "{said}");
    let spoken = spoken(&stage).join(" ");
    assert!(
        spoken.contains("Tuesday, November twenty fourth, twenty twenty six. Right?"),
        "{spoken}"
    );
}

#[test]
fn the_agent_follows_the_caller_into_another_language() {
    let languages = vec!["en".parse().expect("a language")];
    let assistant = Assistant { language: "de".parse().ok(), languages, ..Assistant::default() };
    let answers = [("opening", "We close at 18:30."), ("Uhr", "Um 18:30 Uhr.")];
    let mut stage = Stage::with_answers(assistant, "Guten Tag.", &answers);
    stage.caller(2_000, 1_500, "Bis wann, bis wie viel Uhr ist offen?");
    stage.caller(8_000, 1_500, "Sorry, what are your opening hours please?");
    stage.play(16_000);
    let changes = stage.log.iter().filter(|(_, output)| matches!(output, Output::Speaks(_)));
    assert_eq!(changes.count(), 1);
    let spoken = spoken(&stage);
    assert!(spoken.contains(&"Um achtzehn Uhr dreißig.".to_owned()), "{spoken:?}");
    assert!(spoken.contains(&"We close at eighteen thirty.".to_owned()), "{spoken:?}");
    let told = stage.requests().last().map(|request| request.instructions.clone());
    assert!(told.is_some_and(|told| told.ends_with("answer in English.")));
}
