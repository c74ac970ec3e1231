//! How the ends of sentences are judged: single cases, and a score on a labelled set.

use super::*;
use crate::agent::hearing::value::Kind;

fn anything(locale: Locale) -> Expected {
    Expected::anything(Context::of(locale))
}

#[test]
fn the_last_word_tells_how_long_to_wait() {
    let short = Duration::from_millis(400);
    let (english, german) = (anything(Locale::american()), anything(Locale::german()));
    for (text, ending, expected) in [
        ("I want to book a table.", Ending::Stopped, &english),
        ("What is that for?", Ending::Complete, &english),
        ("\"Yes.\"", Ending::Complete, &english),
        ("When do you open?", Ending::Complete, &english),
        ("When do you open？", Ending::Complete, &english),
        ("Tomorrow at five。", Ending::Stopped, &english),
        ("I would like to...", Ending::Unfinished, &english),
        ("tomorrow at five", Ending::Unclear, &english),
        ("I would like to", Ending::Unfinished, &english),
        ("My name is, um", Ending::Unfinished, &english),
        ("and the.", Ending::Unfinished, &english),
        ("Well...", Ending::Unfinished, &english),
        ("yes please", Ending::Complete, &english),
        ("my number is five five", Ending::Digits, &english),
        ("Ich hätte gern einen", Ending::Unfinished, &german),
        ("Morgen um fünf und", Ending::Unfinished, &german),
        ("Ja, ÄHM", Ending::Unfinished, &german),
        ("Was ist das", Ending::Unclear, &german),
        ("ja genau", Ending::Complete, &german),
        ("", Ending::Unclear, &german),
    ] {
        assert_eq!(Ending::of(text, Completeness::Unknown, short, expected), ending, "{text}");
    }
    let long = Duration::from_secs(3);
    assert_eq!(Ending::of(" ", Completeness::Unknown, long, &english), Ending::Unfinished);
}

#[test]
fn a_whole_phrase_of_the_grammar_is_complete_whatever_its_last_word() {
    let expected = anything(Locale::american());
    let ending = Ending::of("who am i talking to", Completeness::Whole, Duration::ZERO, &expected);
    assert_eq!(ending.wait(&Turns::default()), Turns::default().wait);
}

#[test]
fn sound_and_words_are_weighed_against_each_other() {
    let (likely, unlikely) = (Some(Likelihood::of(0.5)), Some(Likelihood::of(0.49)));
    for (words, when_likely, when_unlikely) in [
        (Ending::Complete, Ending::Complete, Ending::Complete),
        (Ending::Stopped, Ending::Complete, Ending::Unclear),
        (Ending::Unclear, Ending::Complete, Ending::Unfinished),
        (Ending::Unfinished, Ending::Unclear, Ending::Unfinished),
        (Ending::Digits, Ending::Digits, Ending::Digits),
        (Ending::Collecting, Ending::Collecting, Ending::Collecting),
    ] {
        assert_eq!(words.with(None), words);
        assert_eq!(words.with(likely), when_likely, "{words:?} and likely");
        assert_eq!(words.with(unlikely), when_unlikely, "{words:?} and unlikely");
        let nothing_helps = when_likely == words && when_unlikely == words;
        assert_eq!(words.is_sure(), nothing_helps, "{words:?}");
    }
}

#[test]
fn what_is_being_collected_may_take_its_time_over_several_turns() {
    let turns = Turns::default();
    let mut expected = anything(Locale::german());
    expected.ask(Expectation::Value(Kind::Iban));
    let judge = |text: &str, expected: &Expected| {
        Ending::of(text, Completeness::Whole, Duration::ZERO, expected)
    };
    let first = "D E acht neun drei sieben null vier";
    assert_eq!(judge(first, &expected).wait(&turns), turns.on_collecting);
    expected.taken(first);
    let rest = "null null vier vier null fünf drei zwei null eins drei null";
    assert_eq!(judge(rest, &expected), Ending::Collecting);
    assert_eq!(judge(&format!("{rest} null null"), &expected), Ending::Complete);
    expected.ask(Expectation::Value(Kind::Phone));
    assert!(expected.before.is_empty());
}

#[test]
fn labelled_sentences_are_judged_well() {
    let (mut right, mut all, mut cut_in, mut wrong) = (0, 0, 0, Vec::new());
    for line in include_str!("sentences.tsv").lines() {
        let [language, label, kind, text] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let locale = if language == "de" { Locale::german() } else { Locale::american() };
        let mut expected = anything(locale);
        expected.ask(match kind {
            "phone" => Expectation::Value(Kind::Phone),
            "email" => Expectation::Value(Kind::Email),
            "card" => Expectation::Value(Kind::Card),
            "postcode" => Expectation::Value(Kind::Postcode),
            "pin4" => Expectation::Value(Kind::Digits(Some(4))),
            "iban" => Expectation::Value(Kind::Iban),
            "date" => Expectation::Value(Kind::Date),
            _ => Expectation::Anything,
        });
        let ending = Ending::of(text, Completeness::Unknown, Duration::from_secs(1), &expected);
        let goes_on = matches!(ending, Ending::Digits | Ending::Collecting | Ending::Unfinished);
        all += 1;
        if goes_on == (label == "open") {
            right += 1;
        } else {
            cut_in += usize::from(label == "open");
            wrong.push(format!("{line}\t{ending:?}"));
        }
    }
    assert!(all >= 120, "{all} sentences");
    let score = f64::from(right) / f64::from(all);
    assert!(score >= FLOOR, "{right} of {all} are right:\n{}", wrong.join("\n"));
    assert!(cut_in <= MOST_CUT_IN, "{cut_in} are cut in on:\n{}", wrong.join("\n"));
}

/// What was reached on the set, and is not given up.
const FLOOR: f64 = 0.99;
const MOST_CUT_IN: usize = 1;
