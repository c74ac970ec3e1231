//! Whole numbers as words, English and German, both ways: `two hundred five`,
//! `zweihundertfünf`.

use crate::agent::intents::numerals;
use crate::agent::intents::tongue::Tongue;

/// The largest number with words of its own; larger ones are said digit by digit.
pub const MOST: u64 = 999_999_999_999_999;

/// Spells a number: `one hundred five`, `einhundertfünf`, `zwei Millionen drei`.
pub fn spell(number: u64, tongue: Tongue) -> String {
    if number > MOST {
        return numerals::spell_digits(&number.to_string(), tongue);
    }
    match tongue {
        Tongue::English => english(number),
        Tongue::German => german(number, "eins"),
    }
}

/// Spells a number before the thing that is counted: German has "ein" and "eine" for one.
pub fn counting(number: u64, feminine: bool, tongue: Tongue) -> String {
    match tongue {
        Tongue::German if number <= MOST => german(number, if feminine { "eine" } else { "ein" }),
        Tongue::English | Tongue::German => spell(number, tongue),
    }
}

/// Spells a year: `nineteen eighty five`, `neunzehnhundertfünfundachtzig`.
pub fn year(number: u64, tongue: Tongue) -> String {
    let (century, rest) = (number / 100, number % 100);
    match tongue {
        Tongue::German if (11..20).contains(&century) => {
            let rest = if rest == 0 { String::new() } else { german(rest, "eins") };
            format!("{}hundert{rest}", german(century, "ein"))
        }
        Tongue::English if (11..100).contains(&century) && !century.is_multiple_of(10) => {
            let first = english(century);
            match rest {
                0 => format!("{first} hundred"),
                1..10 => format!("{first} oh {}", english(rest)),
                _ => format!("{first} {}", english(rest)),
            }
        }
        Tongue::English if (2010..2100).contains(&number) => {
            format!("twenty {}", english(rest))
        }
        Tongue::English | Tongue::German => spell(number, tongue),
    }
}

/// Reads a number at the start of some plain words: how many words it takes, and the number. The
/// longest reading wins: `two hundred and five` is 205. A word of digits is read as it stands.
pub fn read(words: &[String], tongue: Tongue) -> Option<(usize, u64)> {
    let atoms = atoms(words, tongue);
    let mut reader = Reader { atoms: &atoms, at: 0, tongue };
    let number = reader.number()?;
    let closing = atoms.get(reader.at.checked_sub(1)?)?.closes?;
    Some((closing, number))
}

fn english(number: u64) -> String {
    grouped(number, |group| {
        let (hundreds, rest) = (group / 100, group % 100);
        let rest = if rest == 0 { String::new() } else { small(rest, Tongue::English) };
        match hundreds {
            0 => rest,
            _ => format!("{} hundred {rest}", small(hundreds, Tongue::English)).trim().to_owned(),
        }
    })
}

/// Writes groups of three digits with the names of their scale between them.
fn grouped(number: u64, spell: impl Fn(u64) -> String) -> String {
    if number == 0 {
        return small(0, Tongue::English);
    }
    let mut parts = Vec::new();
    let mut rest = number;
    for (scale, name) in ENGLISH_SCALES {
        let group = rest / scale;
        if group > 0 {
            parts.push(format!("{} {name}", spell(group)).trim().to_owned());
        }
        rest %= scale;
    }
    parts.join(" ")
}

/// Spells in German; `one` is the word for a one that stands last.
fn german(number: u64, one: &str) -> String {
    if number == 0 {
        return small(0, Tongue::German);
    }
    let mut parts = Vec::new();
    let mut rest = number;
    for (scale, singular, plural) in GERMAN_SCALES {
        let group = rest / scale;
        rest %= scale;
        match group {
            0 => {}
            1 => parts.push(format!("eine {singular}")),
            _ => parts.push(format!("{} {plural}", below_thousand(group, "eine"))),
        }
    }
    let (thousands, units) = (rest / 1_000, rest % 1_000);
    let mut last = String::new();
    if thousands > 0 {
        last = format!("{}tausend", below_thousand(thousands, "ein"));
    }
    if units > 0 {
        last.push_str(&below_thousand(units, one));
    }
    if !last.is_empty() {
        parts.push(last);
    }
    parts.join(" ")
}

fn below_thousand(number: u64, one: &str) -> String {
    let (hundreds, rest) = (number / 100, number % 100);
    let hundreds = match hundreds {
        0 => String::new(),
        1 => "einhundert".to_owned(),
        _ => format!("{}hundert", small(hundreds, Tongue::German)),
    };
    let rest = match rest {
        0 => String::new(),
        1 => one.to_owned(),
        _ => small(rest, Tongue::German),
    };
    hundreds + &rest
}

/// A number below 100.
fn small(number: u64, tongue: Tongue) -> String {
    numerals::spell(u32::try_from(number).unwrap_or_default(), tongue)
}

/// A part of a number: German words hold several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Atom {
    /// 0 to 9.
    Unit(u64),
    /// 10 to 19.
    Teen(u64),
    /// 20 to 90.
    Ten(u64),
    Hundred,
    /// A thousand and more.
    Scale(u64),
    And,
    /// "a hundred".
    A,
    /// Written in digits.
    Figure(u64),
}

/// An atom, and how many words are used up behind it; `None` in the middle of a word.
#[derive(Debug, Clone, Copy)]
struct Placed {
    atom: Atom,
    closes: Option<usize>,
}

/// The atoms of the words at the start that are nothing but numbers.
fn atoms(words: &[String], tongue: Tongue) -> Vec<Placed> {
    let mut placed: Vec<Placed> = Vec::new();
    for (index, word) in words.iter().take(MOST_WORDS).enumerate() {
        let Some(parts) = split(word, tongue) else { break };
        placed.extend(parts.into_iter().map(|atom| Placed { atom, closes: None }));
        if let Some(last) = placed.last_mut() {
            last.closes = Some(index + 1);
        }
    }
    placed
}

/// Splits a word into its atoms, if it has no other parts.
fn split(word: &str, tongue: Tongue) -> Option<Vec<Atom>> {
    if !word.is_empty() && word.len() <= 15 && word.bytes().all(|b| b.is_ascii_digit()) {
        return word.parse().ok().map(|number| vec![Atom::Figure(number)]);
    }
    if tongue == Tongue::English {
        return atom(word, tongue).map(|atom| vec![atom]);
    }
    let word = word.replace("fuenf", "fünf").replace("zwoelf", "zwölf").replace("ssig", "ßig");
    let (mut rest, mut parts) = (word.as_str(), Vec::new());
    while !rest.is_empty() {
        let fits = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        let (length, found) =
            fits.filter_map(|length| Some((length, atom(rest.get(..length)?, tongue)?))).next()?;
        parts.push(found);
        rest = rest.get(length..)?;
    }
    (!parts.is_empty() && parts.len() <= MOST_WORDS).then_some(parts)
}

fn atom(word: &str, tongue: Tongue) -> Option<Atom> {
    let (units, tens) = numerals::tables(tongue);
    let place = |table: &[&str]| {
        let at = table.iter().position(|other| !other.is_empty() && *other == word)?;
        u64::try_from(at).ok()
    };
    if let Some(number) = place(units) {
        return Some(if number < 10 { Atom::Unit(number) } else { Atom::Teen(number) });
    }
    if let Some(ten) = place(tens) {
        return Some(Atom::Ten(ten * 10));
    }
    Some(match (tongue, word) {
        (Tongue::English, "hundred") | (Tongue::German, "hundert") => Atom::Hundred,
        (Tongue::English, "and") | (Tongue::German, "und") => Atom::And,
        (Tongue::English, "a") => Atom::A,
        (Tongue::German, "ein" | "eine" | "einen") => Atom::Unit(1),
        (Tongue::German, "zwo") => Atom::Unit(2),
        (Tongue::English, "thousand") | (Tongue::German, "tausend") => Atom::Scale(1_000),
        (Tongue::English, "million" | "millions")
        | (Tongue::German, "million" | "millionen" | "mio") => Atom::Scale(1_000_000),
        (Tongue::English, "billion") | (Tongue::German, "milliarde" | "milliarden" | "mrd") => {
            Atom::Scale(1_000_000_000)
        }
        (Tongue::English, "trillion") | (Tongue::German, "billion" | "billionen") => {
            Atom::Scale(1_000_000_000_000)
        }
        (Tongue::English | Tongue::German, _) => return None,
    })
}

/// Reads atoms from left to right.
struct Reader<'a> {
    atoms: &'a [Placed],
    at: usize,
    tongue: Tongue,
}

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (mut total, mut above, mut any) = (0_u64, u64::MAX, false);
        loop {
            let before = self.at;
            if any && self.peek() == Some(Atom::And) {
                self.at += 1;
            }
            let Some(group) = self.group() else {
                self.at = before;
                break;
            };
            let scale = match self.peek() {
                Some(Atom::Scale(scale)) if scale < above => Some(scale),
                Some(_) | None => None,
            };
            // "two thousand three thousand" are two numbers, as are "two thousand" and "zero".
            let of_the_next = scale.is_none() && matches!(self.peek(), Some(Atom::Scale(_)));
            let fits = group < above && !of_the_next && (!any || group > 0);
            let added = group.checked_mul(scale.unwrap_or(1)).and_then(|n| total.checked_add(n));
            let (true, Some(added)) = (fits, added) else {
                self.at = before;
                break;
            };
            (total, any) = (added, true);
            let Some(scale) = scale else { break };
            self.at += 1;
            above = scale;
        }
        any.then_some(total)
    }

    /// Up to 999, or the bare word "tausend".
    fn group(&mut self) -> Option<u64> {
        if self.tongue == Tongue::German && matches!(self.peek(), Some(Atom::Scale(1_000))) {
            return Some(1);
        }
        let bare = self.tongue == Tongue::German && self.peek() == Some(Atom::Hundred);
        let first = if bare { 1 } else { self.below_hundred()? };
        let counts = (1..10).contains(&first) || (11..100).contains(&first);
        if self.peek() != Some(Atom::Hundred) || !counts {
            return Some(first);
        }
        self.at += 1;
        let before = self.at;
        if self.peek() == Some(Atom::And) {
            self.at += 1;
        }
        let rest = match self.peek() {
            // "a hundred and a half" has no second number here.
            Some(Atom::A | Atom::Figure(_)) => None,
            Some(_) | None => self.below_hundred().filter(|rest| *rest > 0),
        };
        if rest.is_none() {
            self.at = before;
        }
        Some(first * 100 + rest.unwrap_or(0))
    }

    fn below_hundred(&mut self) -> Option<u64> {
        let first = self.peek()?;
        let second = self.atoms.get(self.at + 1).map(|placed| placed.atom);
        let third = self.atoms.get(self.at + 2).map(|placed| placed.atom);
        let (used, number) = match (first, second, third) {
            (Atom::Unit(unit @ 1..), Some(Atom::And), Some(Atom::Ten(ten)))
                if self.tongue == Tongue::German =>
            {
                (3, ten + unit)
            }
            (Atom::Ten(ten), Some(Atom::Unit(unit @ 1..)), _) if self.tongue == Tongue::English => {
                (2, ten + unit)
            }
            (Atom::Unit(n) | Atom::Teen(n) | Atom::Ten(n) | Atom::Figure(n), _, _) => (1, n),
            (Atom::A, Some(Atom::Hundred | Atom::Scale(_)), _) => (1, 1),
            (Atom::A | Atom::And | Atom::Hundred | Atom::Scale(_), _, _) => return None,
        };
        self.at += used;
        Some(number)
    }

    fn peek(&self) -> Option<Atom> {
        self.atoms.get(self.at).map(|placed| placed.atom)
    }
}

const ENGLISH_SCALES: [(u64, &str); 5] = [
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1_000, "thousand"),
    (1, ""),
];
const GERMAN_SCALES: [(u64, &str, &str); 3] = [
    (1_000_000_000_000, "Billion", "Billionen"),
    (1_000_000_000, "Milliarde", "Milliarden"),
    (1_000_000, "Million", "Millionen"),
];

/// No number takes more words or atoms.
const MOST_WORDS: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_lowercase).collect()
    }

    #[test]
    fn numbers_are_spelled_as_people_say_them() {
        use Tongue::{English, German};
        for (number, english, german) in [
            (0, "zero", "null"),
            (1, "one", "eins"),
            (21, "twenty one", "einundzwanzig"),
            (100, "one hundred", "einhundert"),
            (101, "one hundred one", "einhunderteins"),
            (1_000, "one thousand", "eintausend"),
            (1_001, "one thousand one", "eintausendeins"),
            (21_000, "twenty one thousand", "einundzwanzigtausend"),
            (1_000_000, "one million", "eine Million"),
            (2_500_000, "two million five hundred thousand", "zwei Millionen fünfhunderttausend"),
            (101_000_000, "one hundred one million", "einhunderteine Millionen"),
            (3_000_000_007, "three billion seven", "drei Milliarden sieben"),
        ] {
            assert_eq!(spell(number, English), english);
            assert_eq!(spell(number, German), german);
        }
        assert_eq!(spell(MOST + 1, English).split(' ').count(), 16);
        assert_eq!(counting(1, true, German), "eine");
        assert_eq!(counting(1_001, false, German), "eintausendein");
    }

    #[test]
    fn years_are_said_in_halves() {
        for (number, english, german) in [
            (1985, "nineteen eighty five", "neunzehnhundertfünfundachtzig"),
            (1900, "nineteen hundred", "neunzehnhundert"),
            (1905, "nineteen oh five", "neunzehnhundertfünf"),
            (2000, "two thousand", "zweitausend"),
            (2005, "two thousand five", "zweitausendfünf"),
            (2026, "twenty twenty six", "zweitausendsechsundzwanzig"),
        ] {
            assert_eq!(year(number, Tongue::English), english);
            assert_eq!(year(number, Tongue::German), german);
        }
    }

    #[test]
    fn numbers_are_read_however_they_are_cut() {
        for (text, used, number) in [
            ("two hundred and five bikes", 4, 205),
            ("a hundred and twenty", 4, 120),
            ("a thousand", 2, 1_000),
            ("twenty five hundred", 3, 2_500),
            ("25 thousand", 2, 25_000),
            ("one two", 1, 1),
            ("two thousand three thousand", 2, 2_000),
            ("five and six", 1, 5),
            ("nine hundred ninety nine trillion", 5, 999_000_000_000_000),
        ] {
            assert_eq!(read(&words(text), Tongue::English), Some((used, number)), "{text}");
        }
        for (text, used, number) in [
            ("zwei und zwanzig", 3, 22),
            ("zweiundzwanzig", 1, 22),
            ("zwei hundert fünf", 3, 205),
            ("hundert", 1, 100),
            ("hundertzwanzig", 1, 120),
            ("tausend", 1, 1_000),
            ("ein tausend und eins", 4, 1_001),
            ("neunzehnhundertneunundneunzig", 1, 1_999),
            ("zwotausend", 1, 2_000),
            ("drei und vier", 1, 3),
            ("fuenfunddreissig", 1, 35),
            ("eine million zweihunderttausend", 3, 1_200_000),
            ("drei mio", 2, 3_000_000),
        ] {
            assert_eq!(read(&words(text), Tongue::German), Some((used, number)), "{text}");
        }
        for text in ["", "and", "a", "hundred", "undzwanzig", "einund", "bikes", "million"] {
            assert_eq!(read(&words(text), Tongue::English), None, "{text}");
        }
        assert_eq!(read(&words("einund"), Tongue::German), None);
        assert_eq!(read(&words("undzwanzig"), Tongue::German), None);
        assert_eq!(read(&words("zweierlei"), Tongue::German), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn every_number_is_heard_as_it_is_said(number in 0_u64..1_000_000_000, large in 0..=MOST) {
            for tongue in [Tongue::English, Tongue::German] {
                for number in [number, number % 100_000, number % 2_000, large] {
                    let said = words(&spell(number, tongue));
                    prop_assert_eq!(read(&said, tongue), Some((said.len(), number)), "{:?}", said);
                }
            }
        }

        #[test]
        fn no_words_break_the_reader(
            text in "((a|and|und|ein|eine|million|hundert|hundred|tausend|thousand|zwei|two|99|\
                999999999999999|zwanzig|twenty|undzwanzig|x) ?){0,12}"
        ) {
            for tongue in [Tongue::English, Tongue::German] {
                if let Some((used, _)) = read(&words(&text), tongue) {
                    prop_assert!(used > 0 && used <= words(&text).len());
                }
            }
        }
    }

    #[test]
    fn every_year_is_heard_as_a_number_or_as_two() {
        for number in 1100..2100 {
            let said = words(&year(number, Tongue::German));
            assert_eq!(read(&said, Tongue::German), Some((said.len(), number)), "{said:?}");
        }
    }
}
