//! What is heard: rows of transcripts and what they mean, in both languages; and laws.

mod laws;

use super::*;
use crate::agent::hearing::value::Quarter;
use crate::agent::lexicon::locale::Locale;
use crate::base::calendar::Date;

/// A Saturday.
fn today() -> Date {
    "2026-11-21".parse().expect("a date")
}

fn german() -> Context {
    Context::of(Locale::german()).on(today())
}

fn english() -> Context {
    Context::of(Locale::american()).on(today())
}

fn british() -> Context {
    Context::of(Locale::british()).on(today())
}

/// What is heard, in a line: the value, or what is missing.
fn line(heard: &Heard) -> String {
    match heard {
        Heard::Nothing => "-".to_owned(),
        Heard::Part(part) => format!("{} {:?}", part.so_far, part.lack),
        Heard::Value(readings) => {
            let all: Vec<String> = readings.iter().map(|it| it.value.to_string()).collect();
            all.join(" | ")
        }
    }
}

fn check(kind: Kind, context: &Context, rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .map(|(text, wanted)| (text, wanted, line(&hear(kind, text, context))))
        .filter(|(_, wanted, got)| *wanted != got)
        .map(|(text, wanted, got)| format!("{text}\n  wanted {wanted}\n  got    {got}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn numbers_are_heard() {
    check(
        Kind::Number,
        &german(),
        &[
            ("einundzwanzig", "21"),
            ("ich hätte gern zwei und zwanzig Stück", "22"),
            ("zweihundertfünf", "205"),
            ("tausend", "1000"),
            ("drei Komma eins vier", "3.14"),
            ("minus fünf", "-5"),
            ("anderthalb", "1.5"),
            ("zweieinhalb", "2.5"),
            ("ein Dutzend", "12"),
            ("1.234", "1234"),
            ("3,5", "3.5"),
            ("12", "12"),
            ("4711", "4711 | 4"),
            ("keine Ahnung", "-"),
        ],
    );
    check(
        Kind::Number,
        &english(),
        &[
            ("twenty one", "21"),
            ("two hundred and five please", "205"),
            ("a thousand", "1000"),
            ("three point one four", "3.14"),
            ("minus five", "-5"),
            ("two and a half", "2.5"),
            ("half a dozen", "6"),
            ("1,234", "1234"),
            ("3.5", "3.5"),
            ("no idea", "-"),
        ],
    );
}

#[test]
fn money_is_heard() {
    check(
        Kind::Money,
        &german(),
        &[
            ("drei Euro fünfzig", "3.50 EUR"),
            ("drei Euro und fünfzig Cent", "3.50 EUR"),
            ("drei Komma fünf Euro", "3.50 EUR"),
            ("3,50 €", "3.50 EUR"),
            ("1.299 Euro", "1299.00 EUR"),
            ("neunundneunzig Cent", "0.99 EUR"),
            ("zwanzig Franken", "20.00 CHF"),
            ("tausend Euro", "1000.00 EUR"),
            ("drei fünfzig", "3.50 EUR"),
            ("fünf Pfund zehn", "5.10 GBP"),
            ("das war teuer", "-"),
        ],
    );
    check(
        Kind::Money,
        &english(),
        &[
            ("three dollars and fifty cents", "3.50 USD"),
            ("$3.50", "3.50 USD"),
            ("three fifty", "3.50 USD"),
            ("twenty bucks or twenty dollars", "20.00 USD"),
            ("ninety nine cents", "0.99 USD"),
            ("one thousand two hundred euros", "1200.00 EUR"),
            ("twenty Swiss francs", "20.00 CHF"),
            ("£20", "20.00 GBP"),
        ],
    );
}

#[test]
fn days_are_heard() {
    check(
        Kind::Date,
        &german(),
        &[
            ("heute", "2026-11-21"),
            ("morgen", "2026-11-22"),
            ("übermorgen", "2026-11-23"),
            ("am Dienstag", "2026-11-24"),
            ("nächsten Dienstag", "2026-11-24 | 2026-12-01"),
            ("kommenden Freitag", "2026-11-27"),
            ("Sonnabend", "2026-11-28"),
            ("Dienstag in einer Woche", "2026-12-01"),
            ("heute in einer Woche", "2026-11-28"),
            ("in drei Tagen", "2026-11-24"),
            ("in zwei Wochen", "2026-12-05"),
            ("in einem Monat", "2026-12-21"),
            ("am dritten Mai", "2027-05-03"),
            ("3. Mai", "2027-05-03"),
            ("am 3. Mai 1985", "1985-05-03"),
            ("am dritten fünften", "2027-05-03"),
            ("am dritten fünften neunzehnhundertfünfundachtzig", "1985-05-03"),
            ("der vierundzwanzigste Dezember", "2026-12-24"),
            ("am 24.12.", "2026-12-24"),
            ("21.11.2026", "2026-11-21"),
            ("am 1.2.27", "2027-02-01"),
            ("Dienstag, den 24. November", "2026-11-24"),
            ("am Fünfundzwanzigsten", "2026-11-25"),
            ("am ersten", "2026-12-01"),
            ("erster Jänner zweitausendsiebenundzwanzig", "2027-01-01"),
            ("dreißigster Februar", "-"),
            ("irgendwann", "-"),
        ],
    );
    check(
        Kind::Date,
        &english(),
        &[
            ("today", "2026-11-21"),
            ("tomorrow please", "2026-11-22"),
            ("the day after tomorrow", "2026-11-23"),
            ("on Tuesday", "2026-11-24"),
            ("next Tuesday", "2026-11-24 | 2026-12-01"),
            ("this Friday", "2026-11-27"),
            ("a week from today", "2026-11-28"),
            ("in three days", "2026-11-24"),
            ("in two weeks", "2026-12-05"),
            ("the third of May", "2027-05-03"),
            ("May third", "2027-05-03"),
            ("May 3rd, 2026", "2026-05-03"),
            ("December the twenty fourth", "2026-12-24"),
            ("nineteenth of June nineteen eighty five", "1985-06-19"),
            ("March second two thousand five", "2005-03-02"),
            ("Tuesday the 24th of November", "2026-11-24"),
            ("the twenty fifth", "2026-11-25"),
            ("5/3/2026", "2026-05-03 | 2026-03-05"),
            ("2026-11-21", "2026-11-21"),
            ("April thirty first", "-"),
        ],
    );
    check(Kind::Date, &british(), &[("5/3/2026", "2026-03-05 | 2026-05-03")]);
}

#[test]
fn times_are_heard() {
    check(
        Kind::Time,
        &german(),
        &[
            ("um vierzehn Uhr dreißig", "14:30"),
            ("halb drei", "14:30 | 2:30"),
            ("halb zehn morgens", "9:30"),
            ("Viertel nach drei", "15:15 | 3:15"),
            ("Viertel vor acht abends", "19:45"),
            ("zehn nach neun", "9:10 | 21:10"),
            ("fünf vor halb drei", "14:25 | 2:25"),
            ("fünf nach halb neun", "8:35 | 20:35"),
            ("20:15 Uhr", "20:15"),
            ("null Uhr fünfzehn", "0:15"),
            ("Mitternacht", "0:00"),
            ("mittags", "12:00"),
            ("acht Uhr früh", "8:00"),
            ("später", "-"),
        ],
    );
    let mut austrian = german();
    austrian.quarter = Quarter::OfTheHour;
    check(
        Kind::Time,
        &austrian,
        &[("viertel drei", "14:15 | 2:15"), ("dreiviertel zehn", "9:45 | 21:45")],
    );
    check(
        Kind::Time,
        &english(),
        &[
            ("half past two", "14:30 | 2:30"),
            ("half past nine in the morning", "9:30"),
            ("quarter to eight pm", "19:45"),
            ("2:30 p.m.", "14:30"),
            ("fourteen thirty", "14:30"),
            ("nine oh five", "9:05 | 21:05"),
            ("ten o'clock", "10:00 | 22:00"),
            ("noon", "12:00"),
            ("midnight", "0:00"),
            ("later", "-"),
        ],
    );
}

#[test]
fn lengths_of_time_are_heard() {
    check(
        Kind::Duration,
        &german(),
        &[
            ("anderthalb Stunden", "PT1H30M"),
            ("eine halbe Stunde", "PT30M"),
            ("eine Dreiviertelstunde", "PT45M"),
            ("eine Stunde und zwanzig Minuten", "PT1H20M"),
            ("zwei Tage", "P2D"),
            ("drei Wochen", "P21D"),
            ("90 Minuten", "PT1H30M"),
            ("zweieinhalb Stunden", "PT2H30M"),
            ("lange", "-"),
        ],
    );
    check(
        Kind::Duration,
        &english(),
        &[
            ("an hour and a half", "PT1H30M"),
            ("one and a half hours", "PT1H30M"),
            ("half an hour", "PT30M"),
            ("three quarters of an hour", "PT45M"),
            ("two hours and twenty minutes", "PT2H20M"),
            ("a week", "P7D"),
            ("thirty seconds", "PT30S"),
        ],
    );
}

#[test]
fn telephone_numbers_are_heard() {
    check(
        Kind::Phone,
        &german(),
        &[
            ("null sieben eins eins, eins zwei drei vier fünf sechs", "+49711123456"),
            ("meine Nummer ist 0711 123456", "+49711123456"),
            ("plus vier neun sieben elf zwölf dreizehn vierzehn", "+49711121314"),
            ("+49 (0) 711 123456", "+49711123456"),
            ("null null vier drei eins fünf drei fünf null null", "0043153500 Characters(1)"),
            ("null eins sieben null, zweimal die fünf, drei drei vier vier sechs", "+491705533446"),
            ("null sieben eins eins", "0711 Characters(4)"),
            ("zwölf vierunddreißig sechsundfünfzig", "123456 AreaCode"),
            ("ich habe keine", "-"),
        ],
    );
    check(
        Kind::Phone,
        &english(),
        &[
            ("five five five, one two three, four five six seven", "+15551234567"),
            ("555-123-4567", "+15551234567"),
            ("one five five five one two three four five six seven", "+15551234567"),
            ("eight hundred five five five oh one double nine", "+18005550199"),
            ("five five five one two three", "555123 Characters(4)"),
            ("+44 20 7946 0958", "+442079460958"),
        ],
    );
    check(
        Kind::Phone,
        &british(),
        &[("oh two oh, seven nine four six, oh nine five eight", "+442079460958")],
    );
}

#[test]
fn addresses_are_heard() {
    check(
        Kind::Email,
        &german(),
        &[
            ("anna punkt mueller at web punkt de", "anna.mueller@web.de"),
            ("meine Adresse ist Anna.Mueller@web.de", "anna.mueller@web.de"),
            ("a wie Anton punkt müller ät g m x punkt net", "a.mueller@gmx.net"),
            (
                "max minus muster unterstrich neunundneunzig at t online punkt de",
                "max-muster_99@t-online.de",
            ),
            ("info at firma punkt co punkt uk bitte", "info@firma.co.uk"),
            ("anna at gmail", "anna@gmail.com"),
            ("anna at", "anna@ Domain"),
            ("anna at example", "anna@example Ending"),
            ("anna punkt", "anna. Domain"),
            ("weiß ich nicht", "-"),
        ],
    );
    check(
        Kind::Email,
        &english(),
        &[
            ("joe dot doe at example dot com", "joe.doe@example.com"),
            ("my email is j o e at example dot org", "joe@example.org"),
            (
                "it's joe underscore doe plus news at mail dot example dot com",
                "joe_doe+news@mail.example.com",
            ),
            ("S as in sierra M as in mike 2 2 at gmail dot com", "sm22@gmail.com"),
            ("you can reach me under joe at hotmail dot com thanks", "joe@hotmail.com"),
            ("joe.doe@example.com", "joe.doe@example.com"),
            ("i do not have one", "-"),
        ],
    );
}

#[test]
fn names_are_heard() {
    check(
        Kind::Name,
        &german(),
        &[
            ("Mein Name ist Müller", "Müller"),
            ("ich heiße Anna Schmidt", "Anna Schmidt | Anna"),
            ("M wie Martha E Y E R", "Meyer"),
            ("Meier, M E Y E R", "Meyer"),
            ("Anna Meier, M E Y E R", "Anna Meyer"),
            ("hier spricht Groß, G R O scharfes S", "Groß"),
        ],
    );
    check(
        Kind::Name,
        &english(),
        &[
            ("my name is Joe Miller", "Joe Miller | Joe"),
            ("M I double L E R", "Miller"),
            ("this is Smyth, S M Y T H", "Smyth"),
            ("S as in sierra M as in mike Y T H", "Smyth"),
            ("it is forty two", "-"),
        ],
    );
}

#[test]
fn accounts_are_heard_and_checked() {
    check(
        Kind::Iban,
        &german(),
        &[
            ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
            (
                "D E acht neun, drei sieben null vier, null null vier vier, null fünf drei zwei, null eins drei null, null null",
                "DE89370400440532013000",
            ),
            (
                "D wie Dora E wie Emil neunundachtzig siebenunddreißig null vier",
                "DE893704 Characters(14)",
            ),
            ("DE89 3704 0044 0532 0130 01", "DE89370400440532013001 Check"),
            (
                "acht neun drei sieben null vier null null vier vier null fünf drei zwei null eins drei null null null",
                "DE89370400440532013000",
            ),
            (
                "meine IBAN lautet A T sechs eins eins neun null vier drei null null zwei drei vier fünf sieben drei zwei null eins",
                "AT611904300234573201",
            ),
            ("weiß ich nicht", "-"),
        ],
    );
    check(
        Kind::Iban,
        &british(),
        &[(
            "G B eight two W E S T one two three four five six nine eight seven six five four three two",
            "GB82WEST12345698765432",
        )],
    );
    check(
        Kind::Card,
        &english(),
        &[
            (
                "four one one one, one one one one, one one one one, one one one one",
                "4111111111111111",
            ),
            ("4111 1111 1111 1112", "4111111111111112 Check"),
            ("four triple one", "4111 Characters(12)"),
        ],
    );
}

#[test]
fn postcodes_are_heard() {
    check(
        Kind::Postcode,
        &german(),
        &[
            ("sieben null eins sieben drei", "70173"),
            ("siebzig eins dreiundsiebzig", "70173"),
            ("70173 Stuttgart", "70173"),
            ("sieben null eins", "701 Characters(2)"),
        ],
    );
    check(Kind::Postcode, &english(), &[("nine four one oh five", "94105")]);
    check(Kind::Postcode, &british(), &[("S W 1 A 1 A A", "SW1A 1AA")]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn yes_and_no_are_heard_as_people_say_them() {
    let of = |context: &Context, text: &str| line(&hear(Kind::YesNo, text, context));
    for text in [
        "ja",
        "Ja, genau.",
        "jo",
        "na klar",
        "passt so",
        "stimmt",
        "aber sicher",
        "von mir aus",
        "ja gerne",
        "geht klar",
        "freilich",
        "das ist richtig",
        "auf jeden Fall",
        "jawohl, bitte",
    ] {
        assert_eq!(of(&german(), text), "yes", "{text}");
    }
    for text in [
        "nein",
        "nee",
        "nö danke",
        "auf keinen Fall",
        "lieber nicht",
        "das stimmt nicht",
        "eher nicht",
        "nein, das ist falsch",
        "natürlich nicht",
        "ich glaube nicht",
    ] {
        assert_eq!(of(&german(), text), "no", "{text}");
    }
    for text in [
        "yes",
        "Yeah, sure.",
        "yep",
        "of course",
        "that's right",
        "sounds good",
        "by all means",
        "go ahead",
        "spot on",
        "uh-huh",
        "I think so",
    ] {
        assert_eq!(of(&english(), text), "yes", "{text}");
    }
    for text in [
        "no",
        "nope",
        "no way",
        "not really",
        "of course not",
        "I don't think so",
        "never mind",
        "that's wrong",
        "rather not",
        "nah",
    ] {
        assert_eq!(of(&english(), text), "no", "{text}");
    }
    assert_eq!(of(&german(), "ja, nein"), "no | yes");
    assert_eq!(of(&english(), "perhaps"), "-");
}

#[test]
fn digits_of_a_wanted_length_are_heard() {
    check(
        Kind::Digits(Some(4)),
        &german(),
        &[
            ("sieben drei eins neun", "7319"),
            ("dreiundsiebzig neunzehn", "7319"),
            ("sieben drei", "73 Characters(2)"),
        ],
    );
    check(
        Kind::Digits(Some(4)),
        &english(),
        &[("seventy three nineteen", "7319"), ("double oh seven one", "0071")],
    );
}
