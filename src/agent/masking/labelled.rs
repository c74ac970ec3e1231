//! The labelled set: what callers say, German and English, as transcribers write it; how much of it
//! is found, and how much is covered for nothing.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::kind::{Kind, Masks};
use super::redactor::{Redactor, Said, Side};
use super::terms::Terms;
use crate::agent::intents::numerals::spell_digits;
use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::cardinal;
use crate::base::country::Country;

/// A text with its values: `I am {card|4111 …}`. A turn of the agent begins with `A:`, lines are
/// split by `/`.
struct Sample {
    tongue: Tongue,
    country: &'static str,
    marked: String,
}

#[derive(Default, Clone, Copy)]
struct Score {
    wanted: u32,
    found: u32,
    covered: u32,
    right: u32,
}

/// Numbers that the makers of cards give for tests.
const CARDS: [&str; 8] = [
    "4111111111111111",
    "4012888888881881",
    "5555555555554444",
    "5105105105105100",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "2223003122003222",
];

const IBANS: [&str; 6] = [
    "DE89370400440532013000",
    "DE02120300000000202051",
    "DE75512108001245126199",
    "AT611904300234573201",
    "CH9300762011623852957",
    "GB82WEST12345698765432",
];

/// The ways in which digits are said and written.
fn said(digits: &str, tongue: Tongue) -> Vec<String> {
    let groups = |size: usize| {
        let parts: Vec<String> = digits
            .as_bytes()
            .chunks(size)
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect();
        parts
    };
    let pairs: Vec<String> = groups(2)
        .iter()
        .map(|pair| match pair.strip_prefix('0') {
            Some(_) => spell_digits(pair, tongue),
            None => cardinal::spell(pair.parse().unwrap_or_default(), tongue),
        })
        .collect();
    vec![
        digits.to_owned(),
        groups(4).join(" "),
        groups(4).join("-"),
        groups(2).join(" "),
        groups(1).join(" "),
        groups(4).join(", "),
        spell_digits(digits, tongue),
        groups(4).iter().map(|part| spell_digits(part, tongue)).collect::<Vec<_>>().join(", "),
        pairs.join(" "),
        doubled(digits, tongue),
    ]
}

/// "double four", "zweimal die vier".
fn doubled(digits: &str, tongue: Tongue) -> String {
    let bytes: Vec<char> = digits.chars().collect();
    let (mut words, mut at) = (Vec::new(), 0);
    while let Some(digit) = bytes.get(at) {
        let word = spell_digits(&digit.to_string(), tongue);
        if bytes.get(at + 1) == Some(digit) {
            let twice = if tongue == Tongue::English { "double" } else { "doppel" };
            words.push(format!("{twice} {word}"));
            at += 2;
        } else {
            words.push(word);
            at += 1;
        }
    }
    words.join(" ")
}

/// The ways in which an account is said and written.
fn account(iban: &str, tongue: Tongue) -> Vec<String> {
    let grouped: Vec<String> =
        iban.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let letters = |text: &str| {
        let spelled = text.chars().map(|c| match c {
            '0'..='9' => spell_digits(&c.to_string(), tongue),
            letter => letter.to_string(),
        });
        spelled.collect::<Vec<_>>().join(" ")
    };
    let (country, rest) = iban.split_at(2);
    let mut ways = vec![
        iban.to_owned(),
        grouped.join(" "),
        letters(iban),
        format!("{country} {}", letters(rest)),
        iban.chars().map(String::from).collect::<Vec<_>>().join(" "),
    ];
    if country == "DE" && tongue == Tongue::German {
        ways.push(format!("Dora Emil {}", letters(rest)));
    }
    ways
}

fn generated() -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut add = |tongue: Tongue, marked: String| {
        let country = if tongue == Tongue::English { "GB" } else { "DE" };
        samples.push(Sample { tongue, country, marked });
    };
    for (at, digits) in CARDS.iter().enumerate() {
        for tongue in [Tongue::English, Tongue::German] {
            for (way, said) in said(digits, tongue).into_iter().enumerate() {
                let carriers = match tongue {
                    Tongue::English => [
                        "My card number is {card|#}.",
                        "{card|#}",
                        "yes it's {card|#} thank you",
                        "Sure, {card|#}, and it is a Visa.",
                    ],
                    Tongue::German => [
                        "Meine Kartennummer ist die {card|#}.",
                        "{card|#}",
                        "ja also das wäre {card|#} danke",
                        "Gerne, {card|#}, läuft auf mich.",
                    ],
                };
                let carrier = carriers[(at + way) % carriers.len()];
                add(tongue, carrier.replace('#', &said));
            }
            // In three pieces, the agent listens.
            let parts = [&digits[..5], &digits[5..9], &digits[9..]];
            let parts = parts.map(|part| format!("{{card|{}}}", spell_digits(part, tongue)));
            add(tongue, parts.join(" / A: mhm / "));
        }
    }
    for iban in IBANS {
        for tongue in [Tongue::English, Tongue::German] {
            for said in account(iban, tongue) {
                let carriers = match tongue {
                    Tongue::English => ["My IBAN is {iban|#}.", "please use {iban|#} for that"],
                    Tongue::German => {
                        ["Meine IBAN lautet {iban|#}.", "bitte von {iban|#} abbuchen"]
                    }
                };
                carriers.iter().for_each(|carrier| add(tongue, carrier.replace('#', &said)));
            }
        }
    }
    samples
}

/// What people say: one sample a line.
const NATURAL: &str = include_str!("labelled.txt");

fn natural() -> Vec<Sample> {
    let lines = NATURAL.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let sample = |line: &str| {
        let (country, marked) = line.split_once(' ').expect("a country and a text");
        let tongue = if country == "DE" { Tongue::German } else { Tongue::English };
        let known = ["DE", "GB", "US"].into_iter().find(|known| *known == country);
        Sample { tongue, country: known.expect("a country"), marked: marked.to_owned() }
    };
    lines.map(sample).collect()
}

type Marked = (Vec<Said>, Vec<(usize, usize, usize, Kind)>);

/// The lines of a sample, and where its values stand: line, begin, end, kind.
fn read(sample: &Sample) -> Marked {
    let (mut lines, mut values) = (Vec::new(), Vec::new());
    for (line, marked) in sample.marked.split(" / ").enumerate() {
        let (side, mut rest) = match marked.strip_prefix("A: ") {
            Some(rest) => (Side::Agent, rest),
            None => (Side::Caller, marked),
        };
        let mut text = String::new();
        while let Some((before, value)) = rest.split_once('{') {
            let (kind, value) = value.split_once('|').expect("a kind");
            let (value, after) = value.split_once('}').expect("an end");
            let kind = match kind {
                "card" => Kind::Card,
                "iban" => Kind::Iban,
                "email" => Kind::Email,
                "phone" => Kind::PhoneNumber,
                "birth" => Kind::BirthDate,
                other => panic!("no kind: {other}"),
            };
            text.push_str(before);
            values.push((line, text.len(), text.len() + value.len(), kind));
            text.push_str(value);
            rest = after;
        }
        text.push_str(rest);
        lines.push(Said { side, text });
    }
    (lines, values)
}

fn measure(samples: &[Sample], mistakes: &mut String) -> [Score; 5] {
    let mut scores = [Score::default(); 5];
    for sample in samples {
        let country: Country = sample.country.parse().expect("a country");
        let terms = Terms { tongue: sample.tongue, country };
        let (lines, values) = read(sample);
        let redactor = Redactor::new(Masks::all(), terms);
        let covers = redactor.covers(&lines, false);
        let mut is_wrong = false;
        for (line, begin, end, kind) in &values {
            let score = &mut scores[*kind as usize];
            score.wanted += 1;
            let found = covers[*line].iter().any(|(at, _)| at.start <= *begin && at.end >= *end);
            score.found += u32::from(found);
            is_wrong |= !found;
        }
        for (line, covers) in covers.iter().enumerate() {
            for (at, label) in covers {
                let kind = Kind::ALL.into_iter().find(|kind| kind.label() == *label);
                let score = &mut scores[kind.unwrap_or(Kind::Card) as usize];
                score.covered += 1;
                let value = |it: &&(usize, usize, usize, Kind)| {
                    it.0 == line && it.1 < at.end && at.start < it.2
                };
                let right = values.iter().any(|it| value(&it));
                score.right += u32::from(right);
                is_wrong |= !right;
            }
        }
        if is_wrong {
            writeln!(mistakes, "{} -> {:?}", sample.marked, redactor.lines(&lines)).ok();
        }
    }
    scores
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 1.0 } else { f64::from(part) / f64::from(whole) }
}

#[test]
fn what_nobody_may_keep_is_found_and_little_else() {
    let mut mistakes = String::new();
    let samples: Vec<Sample> = generated().into_iter().chain(natural()).collect();
    let scores = measure(&samples, &mut mistakes);
    println!(
        "{} samples\n{:<14} {:>6} {:>8} {:>10}",
        samples.len(),
        "kind",
        "values",
        "recall",
        "precision"
    );
    for kind in Kind::ALL {
        let score = scores[kind as usize];
        println!(
            "{:<14} {:>6} {:>7.2}% {:>9.2}%",
            kind.label(),
            score.wanted,
            100.0 * share(score.found, score.wanted),
            100.0 * share(score.right, score.covered),
        );
    }
    println!("{mistakes}");
    for kind in Kind::ALL {
        let score = scores[kind as usize];
        let least = if matches!(kind, Kind::Card | Kind::Iban) { 0.99 } else { 0.95 };
        assert!(share(score.found, score.wanted) >= least, "{kind}: too much is kept\n{mistakes}");
        assert!(share(score.right, score.covered) >= 0.95, "{kind}: too much goes\n{mistakes}");
    }
}

#[test]
fn a_card_in_three_turns_is_not_told_before_it_is_whole() {
    let terms = Terms { tongue: Tongue::English, country: "GB".parse().expect("a country") };
    let mut redactor = Redactor::new(Masks::all(), terms);
    let mut told = |side: Side, text: &str| redactor.line(Said { side, text: text.to_owned() });
    assert_eq!(told(Side::Caller, "It's four one one one, one one"), "It's [digits]");
    assert_eq!(told(Side::Agent, "Go on."), "Go on.");
    assert_eq!(told(Side::Caller, "one one one one"), "[digits]");
    assert_eq!(told(Side::Agent, "Yes?"), "Yes?");
    assert_eq!(told(Side::Caller, "and then double one, double one one one"), "[card]");
    assert_eq!(told(Side::Agent, "So that is 4111 1111, yes?"), "So that is [digits], yes?");
    assert_eq!(told(Side::Caller, "Yes, for 3 people."), "Yes, for 3 people.");
}

#[test]
fn digits_that_are_hidden_are_covered_wherever_they_are_said_again() {
    let mut redactor = Redactor::new(Masks::default(), Terms::default());
    assert_eq!(redactor.text("die 4711"), "die 4711");
    redactor.hide("739204".to_owned());
    redactor.hide("12".to_owned());
    for (text, covered) in [
        ("also sieben drei neun zwei null vier, richtig?", "also [digits], richtig?"),
        ("I have 7392, right?", "I have [digits], right?"),
        ("am 12. kommen 73 Leute", "am 12. kommen 73 Leute"),
        ("00739204", "[digits]"),
    ] {
        assert_eq!(redactor.text(text), covered);
    }
}

#[test]
fn only_what_is_wanted_is_covered() {
    let text = "Karte 4111 1111 1111 1111, mail anna@example.com, Telefon 0711 123456.";
    let covered = |kinds: &[Kind]| {
        Redactor::new(kinds.iter().copied().collect(), Terms::default()).text(text)
    };
    assert_eq!(covered(&[]), text);
    assert_eq!(
        covered(&[Kind::Email]),
        "Karte 4111 1111 1111 1111, mail [email], Telefon 0711 123456."
    );
    assert_eq!(
        covered(&[Kind::Card, Kind::PhoneNumber]),
        "Karte [card], mail anna@example.com, Telefon [phone]."
    );
}

proptest! {
    #[test]
    fn any_text_can_be_looked_at(text in "\\PC{0,200}", more in "\\PC{0,60}") {
        let mut redactor = Redactor::new(Masks::all(), Terms::default());
        let said = |text: &str| Said { side: Side::Caller, text: text.to_owned() };
        redactor.line(said(&text));
        redactor.line(said(&more));
        redactor.lines(&[said(&text), said(&more)]);
        super::redactor::without_digits(&text, Terms::default());
    }

    #[test]
    fn no_card_survives_among_any_words(
        before in "[a-zäöü ]{0,30}", digits in "4[0-9]{14}", behind in "[a-zäöü ]{0,30}",
    ) {
        let checked = (0..10).map(|last| format!("{digits}{last}"));
        let card = checked.into_iter().find(|it| super::card::is_card(it)).expect("one fits");
        let redactor = Redactor::new(Masks::all(), Terms::default());
        let text = redactor.text(&format!("{before} {card} {behind}"));
        prop_assert!(!text.contains(&card[..6]), "{}", text);
    }
}
