//! What a recogniser with a grammar listens for: the finite part of what can be heard.

use super::value::Kind;
use crate::agent::intents::clock;
use crate::agent::intents::numerals;
use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::alphabet;
use crate::agent::lexicon::ordinal;
use crate::base::calendar::{ENGLISH_MONTHS, GERMAN_MONTHS, Weekday};

/// The values of a kind in the phrase language, or the pieces that they are made of.
pub fn shape(kind: Kind, tongue: Tongue) -> String {
    let small = small_numbers(tongue);
    match (kind, tongue) {
        (Kind::Digits(_) | Kind::Phone | Kind::Card | Kind::Postcode, _) => digit(tongue),
        (Kind::Number, _) => small,
        (Kind::Money, Tongue::English) => {
            format!("{small} (dollars|euros|pounds) [[and] {small} [cents]]")
        }
        (Kind::Money, Tongue::German) => format!("{small} (euro|franken) [{small}]"),
        (Kind::Date, _) => date(tongue),
        (Kind::Time, _) => clock::common_shape(tongue),
        (Kind::Duration, Tongue::English) => {
            format!("({small}|a|an|half an) (minute|minutes|hour|hours|day|days|week|weeks)")
        }
        (Kind::Duration, Tongue::German) => format!(
            "({small}|eine|ein|eine halbe) (minute|minuten|stunde|stunden|tag|tage|woche|wochen)"
        ),
        (Kind::Name | Kind::Iban, _) => format!("({}|{})", digit(tongue), letters(tongue)),
        (Kind::Email, Tongue::English) => {
            format!("({}|{}|at|dot|dash|com|org|net)", digit(tongue), letters(tongue))
        }
        (Kind::Email, Tongue::German) => {
            format!("({}|{}|ät|punkt|minus|unterstrich|de|com)", digit(tongue), letters(tongue))
        }
        (Kind::YesNo, Tongue::English) => "(yes|no)".to_owned(),
        (Kind::YesNo, Tongue::German) => "(ja|nein)".to_owned(),
    }
}

/// Whether values are made of several pieces of the shape.
pub fn repeats(kind: Kind) -> bool {
    match kind {
        Kind::Digits(_)
        | Kind::Phone
        | Kind::Card
        | Kind::Postcode
        | Kind::Name
        | Kind::Iban
        | Kind::Email => true,
        Kind::Number | Kind::Money | Kind::Date | Kind::Time | Kind::Duration | Kind::YesNo => {
            false
        }
    }
}

fn digit(tongue: Tongue) -> String {
    let (units, _) = numerals::tables(tongue);
    let others = match tongue {
        Tongue::English => "oh|double",
        Tongue::German => "zwo",
    };
    format!("({}|{others})", units[..10].join("|"))
}

/// Letters, and the words of the alphabet that a recogniser's dictionary is likely to hold.
fn letters(tongue: Tongue) -> String {
    let alone = ('a'..='z').map(String::from);
    let words = ('a'..='z').filter_map(|letter| alphabet::word_for(letter, tongue));
    let words = words.filter(|word| word.chars().all(|c| c.is_ascii_lowercase()) && word.len() > 3);
    let words = words.filter(|word| !["juliett", "foxtrot"].contains(word));
    alone.chain(words.map(str::to_owned)).collect::<Vec<String>>().join("|")
}

fn small_numbers(tongue: Tongue) -> String {
    let (units, tens) = numerals::tables(tongue);
    match tongue {
        Tongue::English => {
            format!(
                "({}|({}) [({})])",
                units.join("|"),
                tens[2..].join("|"),
                units[1..10].join("|")
            )
        }
        Tongue::German => {
            let all = (0..100).map(|number| numerals::spell(number, tongue));
            format!("({})", all.collect::<Vec<String>>().join("|"))
        }
    }
}

fn date(tongue: Tongue) -> String {
    let days: Vec<String> = (1..=31).map(|day| ordinal::spell(day, "en", tongue)).collect();
    let days = days.join("|");
    let names = Weekday::ALL.map(|day| match tongue {
        Tongue::English => day.english().to_lowercase(),
        Tongue::German => day.german().to_lowercase(),
    });
    let names = names.join("|");
    match tongue {
        Tongue::English => {
            let months = ENGLISH_MONTHS.join("|").to_lowercase();
            format!(
                "(today|tomorrow|[(next|this)] ({names})|({months}) [the] ({days})\
                 |[the] ({days}) of ({months}))"
            )
        }
        Tongue::German => {
            let months = GERMAN_MONTHS.join("|").to_lowercase();
            format!("(heute|morgen|übermorgen|({names})|({days}) ({months}))")
        }
    }
}
