//! Texts outside of calls (RFC 3428).

use std::time::Duration;

use super::raw::{Raw, Text, header, status};
use crate::sip::event::{Command, Event, SessionId};

fn text(body: &str) -> Text {
    let mut text = Text::new("MESSAGE").extra("Content-Type: text/plain\r\n");
    text.body = body.to_owned();
    text
}

fn texted(raw: &Raw) -> (SessionId, String, String, String) {
    let Some(Event::Texted(text)) = raw.events.last() else { panic!("{:?}", raw.events) };
    let body = String::from_utf8(text.body.to_vec()).expect("it was text");
    (text.session, text.calling_user.clone(), text.called_user.clone(), body)
}

#[test]
fn a_text_waits_for_its_answer_and_is_answered_once() {
    let mut raw = Raw::new();
    let request = text("The bicycle is ready.").write();
    assert_eq!(raw.receive(&request), Vec::<String>::new());
    let (session, from, to, body) = texted(&raw);
    assert_eq!((&*from, &*to, &*body), ("ann", "desk", "The bicycle is ready."));
    assert_eq!(raw.receive(&request), Vec::<String>::new(), "its repetition is absorbed");
    assert_eq!(raw.events.len(), 1);

    let headers = vec![("Accept".to_owned(), "text/plain".to_owned())];
    let answer = Command::AnswerText { session, status: 415, headers };
    let sent = raw.command(answer.clone());
    assert_eq!((status(&sent[0]), header(&sent[0], "Accept")), (415, Some("text/plain")));
    assert_eq!(header(&sent[0], "Contact"), None, "it makes no dialog");
    assert_eq!(raw.receive(&request), sent);
    assert_eq!(raw.command(answer), Vec::<String>::new());
    raw.wait(Duration::from_secs(64));
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_text_that_nobody_answers_in_time_is_forgotten_in_silence() {
    let mut raw = Raw::new();
    raw.receive(&text("Hello?").write());
    let (session, ..) = texted(&raw);
    assert_eq!(raw.wait(Duration::from_secs(64)), Vec::<String>::new());
    assert!(raw.endpoint.is_idle());
    let late = Command::AnswerText { session, status: 200, headers: Vec::new() };
    assert_eq!(raw.command(late), Vec::<String>::new());
}

#[test]
fn what_is_no_text_too_long_or_at_the_end_of_its_way_is_refused_at_once() {
    let mut raw = Raw::new();
    let mut picture = Text::new("MESSAGE").extra("Content-Type: image/png\r\n");
    picture.body = "x".to_owned();
    let tired = text("again and again").write().replace("Max-Forwards: 70", "Max-Forwards: 0");
    for (request, expected) in
        [(picture.write(), 415), (text(&"x".repeat(4_097)).write(), 413), (tired, 483)]
    {
        let sent = raw.receive(&request);
        assert_eq!(status(&sent[0]), expected);
        assert_eq!(header(&sent[0], "Accept").is_some(), expected == 415);
    }
    assert!(raw.events.is_empty() && raw.endpoint.is_idle());
}

#[test]
fn so_many_texts_wait_at_once_and_the_next_is_to_come_back() {
    let mut raw = Raw::new();
    for number in 0..1_000 {
        let request = text("x").branch(&format!("z9hG4bK-{number}")).write();
        assert_eq!(raw.receive(&request), Vec::<String>::new());
    }
    let sent = raw.receive(&text("x").branch("z9hG4bK-more").write());
    assert_eq!(status(&sent[0]), 503);
    assert!(header(&sent[0], "Retry-After").is_some());
}
