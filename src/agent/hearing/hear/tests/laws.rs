//! Laws of hearing: what is said comes back, and nothing that is heard does harm.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::agent::hearing::read_back;
use crate::agent::hearing::value::Answer;
use crate::agent::hearing::when::When;
use crate::agent::lexicon::account;
use crate::agent::lexicon::cardinal;
use crate::agent::saying::speaker::Speaker;
use crate::base::number::Number;

#[test]
fn what_is_read_back_is_said_in_words() {
    let say = |language: &str, text: &str| {
        let language = language.parse().expect("a language");
        Speaker::new(&language, &BTreeMap::new()).say(text).said().to_owned()
    };
    let number: Number = "+49711123456".parse().expect("a number");
    let written = read_back::question(&Value::Phone(number), Locale::german());
    assert_eq!(written, "Ich habe notiert: +49 711 123 456. Stimmt das?");
    assert_eq!(
        say("de", "Ich habe notiert: +49 711 123 456."),
        "Ich habe notiert: plus vier neun, sieben eins eins, eins zwei drei, vier fünf sechs."
    );
    let day = Value::Date(When::On(today()));
    assert_eq!(read_back::written(&day, Locale::german()), "Samstag, der 21. November 2026");
    assert_eq!(read_back::written(&day, Locale::american()), "Saturday, November 21, 2026");
    assert_eq!(read_back::written(&day, Locale::british()), "Saturday, 21 November 2026");
    let answer = read_back::written(&Value::YesNo(Answer::No), Locale::german());
    assert_eq!(answer, "nein");
    let name = read_back::question(&Value::Name("Ott".to_owned()), Locale::american());
    assert_eq!(name, "I have Ott, O for oscar, T for tango, T for tango. Is that right?");
}

/// The first of several readings.
fn likeliest(line: &str) -> String {
    line.split(" | ").next().unwrap_or_default().to_owned()
}

/// Says the value that is read back, and hears it again.
fn again(kind: Kind, value: &Value, context: &Context) -> String {
    let tag = if context.locale.is_german() { "de" } else { "en-US" };
    let speaker = Speaker::new(&tag.parse().expect("a language"), &BTreeMap::new());
    let spoken = speaker.say(&read_back::written(value, context.locale));
    line(&hear(kind, spoken.said(), context))
}

#[test]
fn every_time_is_heard_as_it_is_said() {
    for context in [german(), english()] {
        for minutes in 0..24 * 60_u16 {
            let time = Value::Time((minutes / 60) as u8, (minutes % 60) as u8);
            let heard = again(Kind::Time, &time, &context);
            assert_eq!(heard.split(" | ").next(), Some(time.to_string().as_str()), "{time}");
        }
    }
}

#[test]
fn every_day_is_heard_as_it_is_said() {
    for context in [german(), english()] {
        let mut day: Date = "1999-12-01".parse().expect("a date");
        for _ in 0..300 {
            let heard = again(Kind::Date, &Value::Date(When::On(day)), &context);
            assert_eq!(heard, day.to_string());
            day = day.plus_days(43).expect("a day");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_number_is_heard_as_it_is_written(number in 0_u64..1_000_000_000) {
        for context in [german(), english()] {
            let said = cardinal::spell(number, context.locale.tongue);
            let heard = line(&hear(Kind::Number, &said, &context));
            prop_assert_eq!(likeliest(&heard), number.to_string(), "{}", said);
            let value = Value::Number(number.to_string());
            let heard = again(Kind::Number, &value, &context);
            prop_assert_eq!(likeliest(&heard), number.to_string());
        }
    }

    #[test]
    fn amounts_are_heard_as_they_are_said(hundredths in 0_u64..100_000_000, at in 0_usize..3) {
        let code = ["EUR", "USD", "GBP"][at];
        for context in [german(), english()] {
            let value = Value::Money(hundredths, code);
            let heard = again(Kind::Money, &value, &context);
            // A cent is a cent of any money that has cents.
            if hundredths >= 100 {
                prop_assert_eq!(likeliest(&heard), value.to_string());
            }
        }
    }

    #[test]
    fn numbers_of_telephones_and_accounts_come_back(rest in "[2-9][0-9]{8}", account in "[0-9]{18}") {
        for context in [german(), english()] {
            let number: Number = format!("+49{rest}").parse().expect("a number");
            let value = Value::Phone(number);
            prop_assert_eq!(again(Kind::Phone, &value, &context), value.to_string());
            let check = account::iban_check("DE", &account).expect("check digits");
            let iban = Value::Iban(format!("DE{check}{account}"));
            prop_assert_eq!(again(Kind::Iban, &iban, &context), iban.to_string());
        }
    }

    #[test]
    fn any_text_is_heard_without_harm(
        text in "([a-zäöüß]{1,9}|[0-9]{1,18}|plus|double|zweimal|d wie dora|at|punkt|dot|am|the|next|\
            dienstag|third|euro|[.,@€$%+/:-]| ){0,40}"
    ) {
        for context in [german(), english(), british()] {
            for kind in KINDS {
                let words = tokens::tokens(&text, context.locale.tongue);
                let (at, heard) = find(kind, &words, &context);
                let used = match &heard {
                    Heard::Nothing => 0,
                    Heard::Part(part) => {
                        prop_assert!(part.so_far.len() <= 400, "{}", part.so_far);
                        part.used
                    }
                    Heard::Value(readings) => {
                        for reading in readings {
                            prop_assert!(reading.value.to_string().len() <= 400);
                            prop_assert!(reading.used <= words.len() - at);
                            read_back::question(&reading.value, context.locale);
                        }
                        0
                    }
                };
                prop_assert!(used + at <= words.len());
            }
        }
    }

    #[test]
    fn any_letters_at_all_are_heard_without_harm(text in "\\PC{0,60}") {
        for kind in KINDS {
            hear(kind, &text, &german());
            hear(kind, &text, &english());
        }
    }

    #[test]
    fn days_keep_their_meaning_in_writing(days in -3_000_i16..3_000, month in 1_u8..=12, day in 1_u8..=28) {
        for when in [When::Days(days), When::Months(days), When::Yearly(month, day), When::Monthly(day)] {
            prop_assert_eq!(when.to_string().parse(), Ok(when));
        }
    }
}

const KINDS: [Kind; 13] = [
    Kind::Digits(Some(6)),
    Kind::Number,
    Kind::Money,
    Kind::Date,
    Kind::Time,
    Kind::Duration,
    Kind::Phone,
    Kind::Email,
    Kind::Name,
    Kind::Iban,
    Kind::Card,
    Kind::Postcode,
    Kind::YesNo,
];
