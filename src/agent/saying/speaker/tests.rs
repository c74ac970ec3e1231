//! How clauses are said: rows of what is written and what is read.

use proptest::prelude::*;

use super::*;

fn say(language: &str, text: &str) -> String {
    let language = language.parse().expect("a language");
    Speaker::new(&language, &BTreeMap::new()).say(text).said().to_owned()
}

fn check(language: &str, rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .map(|(text, said)| (text, said, say(language, text)))
        .filter(|(_, said, got)| *said != got)
        .map(|(text, said, got)| format!("{text}\n  wanted {said}\n  got    {got}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn german_clauses_are_read_as_people_read_them() {
    check(
        "de",
        &[
            ("Guten Tag, wie geht es Ihnen?", "Guten Tag, wie geht es Ihnen?"),
            ("Das sind 12 Stück.", "Das sind zwölf Stück."),
            ("Zimmer 12.", "Zimmer zwölf."),
            ("Es sind 1.234 Gäste", "Es sind eintausendzweihundertvierunddreißig Gäste"),
            ("Es sind 3,5 Liter", "Es sind drei Komma fünf Liter"),
            ("Es sind -5 °C", "Es sind minus fünf Grad Celsius"),
            ("Es gibt 1 Termin und 1 Frage", "Es gibt ein Termin und eine Frage"),
            ("im 2. Stock", "im zweiten Stock"),
            ("die 3. Tür", "die dritte Tür"),
            ("am 3. Mai", "am dritten Mai"),
            ("am 3. Mai 2026.", "am dritten Mai zweitausendsechsundzwanzig."),
            ("der 21.11.2026", "der einundzwanzigste November zweitausendsechsundzwanzig"),
            ("Am 24.12. ist zu.", "Am vierundzwanzigsten Dezember ist zu."),
            ("vom 2026-01-02 an", "vom zweiten Januar zweitausendsechsundzwanzig an"),
            ("Montag, den 1. Dez. 2025", "Montag, den ersten Dezember zweitausendfünfundzwanzig"),
            ("bis 31.3.99", "bis einunddreißigsten März neunzehnhundertneunundneunzig"),
            ("um 14:30 Uhr", "um vierzehn Uhr dreißig"),
            ("um 14:30.", "um vierzehn Uhr dreißig."),
            ("um 9.05 Uhr", "um neun Uhr fünf"),
            ("um 9 Uhr 15", "um neun Uhr fünfzehn"),
            ("ab 1 Uhr", "ab ein Uhr"),
            ("um 0:15 Uhr", "um null Uhr fünfzehn"),
            ("von 9-17 Uhr", "von neun bis siebzehn Uhr"),
            ("von 9:00–17:30 Uhr", "von neun Uhr bis siebzehn Uhr dreißig"),
            ("Das kostet 3,50 €.", "Das kostet drei Euro fünfzig."),
            ("Das kostet 3,50€", "Das kostet drei Euro fünfzig"),
            ("Das kostet 1 €", "Das kostet ein Euro"),
            ("Das kostet 0,99 EUR", "Das kostet neunundneunzig Cent"),
            ("Das kostet 1.299,00 €", "Das kostet eintausendzweihundertneunundneunzig Euro"),
            ("CHF 20", "zwanzig Franken"),
            ("Das kostet 15 Euro", "Das kostet fünfzehn Euro"),
            ("5 Mio. € Umsatz", "fünf Millionen Euro Umsatz"),
            ("19 % MwSt.", "neunzehn Prozent Mehrwertsteuer."),
            ("um 2,5% mehr", "um zwei Komma fünf Prozent mehr"),
            ("5–10 % Rabatt", "fünf bis zehn Prozent Rabatt"),
            ("80 km/h", "achtzig Stundenkilometer"),
            ("1 h und 30 min", "eine Stunde und dreißig Minuten"),
            ("75 m² groß", "fünfundsiebzig Quadratmeter groß"),
            (
                "Tel.: 0711 123456",
                "Telefon: null sieben eins eins, eins zwei drei, vier fünf sechs",
            ),
            (
                "unter +49 711 12345-67",
                "unter plus vier neun, sieben eins eins, eins zwei, drei vier, fünf, sechs sieben",
            ),
            (
                "IBAN DE89 3704 0044 0532 0130 00",
                "IBAN D E acht neun, drei sieben null vier, null null vier vier, null fünf drei zwei, \
             null eins drei null, null null",
            ),
            ("anna.mueller@example.de", "anna Punkt mueller ät example Punkt D E"),
            ("auf www.example.com.", "auf W W W Punkt example Punkt com."),
            ("https://example.com/hilfe", "example Punkt com Schrägstrich hilfe"),
            (
                "Server 192.168.0.1",
                "Server eins neun zwei Punkt eins sechs acht Punkt null Punkt eins",
            ),
            ("Version 3.5.1", "Version drei Punkt fünf Punkt eins"),
            ("z. B. am Montag", "zum Beispiel am Montag"),
            ("z.B. heute", "zum Beispiel heute"),
            ("d. h. oben", "das heißt oben"),
            (
                "Fragen Sie Dr. Müller bzw. Fr. Groß",
                "Fragen Sie Doktor Müller beziehungsweise Frau Groß",
            ),
            ("Äpfel usw.", "Äpfel und so weiter."),
            ("Hauptstr. 5", "Hauptstraße fünf"),
            ("Nr. 7", "Nummer sieben"),
            ("Ich bin eine KI.", "Ich bin eine K I."),
            ("die KI-Assistentin", "die K I Assistentin"),
            ("mit PIN und WLAN", "mit PIN und W L A N"),
            ("ein USB-Stick", "ein U S B Stick"),
            ("zwei PCs", "zwei P Cs"),
            ("im Jahr 1985", "im Jahr neunzehnhundertfünfundachtzig"),
            ("seit 2019.", "seit zweitausendneunzehn."),
            ("in 70173 Stuttgart", "in sieben null eins sieben drei Stuttgart"),
            ("10000 Menschen", "zehntausend Menschen"),
            ("Kundennummer 48213377", "Kundennummer vier acht zwei eins, drei drei sieben sieben"),
            ("PIN 0815", "PIN null acht eins fünf"),
            ("DIN A4", "DIN A vier"),
            ("die 90er", "die neunziger"),
            ("3x täglich", "drei mal täglich"),
            ("½ Liter", "ein halb Liter"),
            ("2½ Stunden", "zwei und ein halb Stunden"),
            ("24/7", "vierundzwanzig sieben"),
            ("Drücken Sie * oder #", "Drücken Sie Stern oder Raute"),
            ("Müller & Sohn", "Müller und Sohn"),
            ("§ 5", "Paragraf fünf"),
            ("(ca. 5 kg)", "(circa fünf Kilogramm)"),
        ],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn english_clauses_are_read_as_people_read_them() {
    check(
        "en-US",
        &[
            ("Hello there, how are you?", "Hello there, how are you?"),
            ("We have 12 bikes.", "We have twelve bikes."),
            ("It has 1,234 pages", "It has one thousand two hundred thirty four pages"),
            ("It is 3.5 miles", "It is three point five miles"),
            ("It is -5 degrees", "It is minus five degrees"),
            ("on the 2nd floor", "on the second floor"),
            ("the 21st of May", "the twenty first of May"),
            ("on May 3", "on May third"),
            ("on May 3rd, 2026.", "on May third, twenty twenty six."),
            ("on 11/21/2026", "on November twenty first, twenty twenty six"),
            ("on 2026-11-21", "on November twenty first, twenty twenty six"),
            ("at 14:30", "at fourteen thirty"),
            ("at 2:30 p.m. today", "at two thirty P M today"),
            ("at 2:30 p.m.", "at two thirty P M."),
            ("at 5pm", "at five P M"),
            ("at 9:05", "at nine oh five"),
            ("at 10:00", "at ten o'clock"),
            ("from 9-5", "from nine to five"),
            ("from 9:00-5:30", "from nine o'clock to five thirty"),
            ("It costs $3.50.", "It costs three dollars and fifty cents."),
            ("It costs $1", "It costs one dollar"),
            ("only €0.99", "only ninety nine cents"),
            ("£20", "twenty pounds"),
            ("CHF 20", "twenty Swiss francs"),
            ("$5 million", "five million dollars"),
            ("a 5% discount", "a five percent discount"),
            ("5-10 % off", "five to ten percent off"),
            ("60 mph", "sixty miles per hour"),
            ("1 kg", "one kilogram"),
            ("Call 555-123-4567.", "Call five five five, one two three, four five six seven."),
            ("Call (555) 123-4567", "Call five five five, one two three, four five six seven"),
            ("+1 555 123 4567", "plus one, five five five, one two three, four five six seven"),
            ("joe@example.com", "joe at example dot com"),
            (
                "j.doe_99@mail.example.co.uk",
                "J dot D O E underscore nine nine at mail dot example dot C O dot U K",
            ),
            ("www.example.com/help", "W W W dot example dot com slash help"),
            ("Use 192.168.0.1.", "Use one nine two dot one six eight dot zero dot one."),
            ("fruit, e.g. apples", "fruit, for example apples"),
            ("Dr. Smith lives on Main St. now", "Doctor Smith lives on Main Street now"),
            ("St. Mary", "Saint Mary"),
            ("Mr. Jones vs. Mrs. Lee", "Mister Jones versus Missus Lee"),
            ("No. 7", "number seven"),
            ("I am an AI assistant", "I am an A I assistant"),
            ("the USA and NATO", "the U S A and NATO"),
            ("in 1985", "in nineteen eighty five"),
            ("since 2005.", "since two thousand five."),
            ("CA 94105", "C A nine four one zero five"),
            ("order number 48213377", "order number four eight two one, three three seven seven"),
            ("code 0815", "code zero eight one five"),
            ("an MP3", "an M P three"),
            ("24/7 service", "twenty four seven service"),
            ("Press * or #", "Press star or pound"),
            ("you & me", "you and me"),
            ("#1", "number one"),
            ("3x daily", "three times daily"),
        ],
    );
    check(
        "en-GB",
        &[
            ("on 21/11/2026", "on the twenty first of November twenty twenty six"),
            ("on 3 May", "on the third of May"),
            ("on the 3 May", "on the third of May"),
            ("press #", "press hash"),
        ],
    );
}

#[test]
fn times_may_be_said_as_at_the_kitchen_table() {
    let german = "de".parse().expect("a language");
    let speaker = Speaker::new(&german, &BTreeMap::new()).with_clock(Clock::Colloquial);
    for (text, said) in [
        ("um 14:30", "um halb drei"),
        ("um 9:45 Uhr", "um Viertel vor zehn"),
        ("um 12:25", "um fünf vor halb eins"),
        ("um 9:07", "um neun Uhr sieben"),
        ("um 9 Uhr", "um neun Uhr"),
    ] {
        assert_eq!(speaker.say(text).said(), said);
    }
}

#[test]
fn the_operators_own_readings_come_first() {
    let own = [("ACME", "Ackmi"), ("voxtrunk server", "wox trank ßerwer"), ("PIN", "Geheimzahl")];
    let own = own.iter().map(|(written, said)| ((*written).to_owned(), (*said).to_owned()));
    let german: Language = "de".parse().expect("a language");
    let speaker = Speaker::new(&german, &own.collect());
    let spoken = speaker.say("Der Voxtrunk Server von ACME, PIN 12.");
    assert_eq!(spoken.said(), "Der wox trank ßerwer von Ackmi, Geheimzahl zwölf.");
    assert_eq!(spoken.written(), "Der Voxtrunk Server von ACME, PIN 12.");
    assert_eq!(spoken.written_part("Der wox trank ßerwer von"), "Der Voxtrunk Server von");
}

#[test]
fn other_languages_are_left_to_their_voice() {
    assert_eq!(say("fr", "Il est 14:30, le 3 mai."), "Il est 14:30, le 3 mai.");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_is_said_and_stays_what_was_written(
        text in "([0-9]{1,7}|[.,:/ €$%+@#*()-]|[A-Z]{1,4}| |Uhr|am|Mai|May|St\\.|z\\. B\\.|°C|½|x|ä){0,24}"
    ) {
        for language in ["de", "en", "en-GB", "de-CH", "fr"] {
            let language = language.parse().expect("a language");
            let spoken = Speaker::new(&language, &BTreeMap::new()).say(&text);
            prop_assert_eq!(spoken.written(), &text);
            prop_assert!(spoken.said().len() <= text.len() * 24 + 24, "{}", spoken.said());
            prop_assert_eq!(spoken.written_part(spoken.said()), &text);
            for (at, _) in spoken.said().char_indices() {
                prop_assert!(text.starts_with(spoken.written_part(&spoken.said()[..at])));
            }
        }
    }

    #[test]
    fn any_letters_at_all_are_said(text in "\\PC{0,40}") {
        for language in ["de", "en"] {
            let language = language.parse().expect("a language");
            let spoken = Speaker::new(&language, &BTreeMap::new()).say(&text);
            prop_assert_eq!(spoken.written(), &text);
            prop_assert!(spoken.said().len() <= text.len() * 24 + 24);
        }
    }
}
