//! Plain numbers: cardinal, ordinal, years, ranges, fractions, and long rows of digits.

use super::chunk::{Place, Said};
use super::figure::{Figure, Sign};
use crate::agent::intents::numerals;
use crate::agent::lexicon::cardinal;
use crate::agent::lexicon::locale::Locale;
use crate::agent::lexicon::ordinal;

/// Ordinal numbers: `3rd`, `im 2. Stock`.
pub fn ordinals(place: Place<'_>) -> Option<Said> {
    let first = place.first();
    if place.locale.is_german() {
        let number = first.digits().filter(|digits| digits.len() <= 3)?.parse().ok()?;
        let goes_on = first.tail == "."
            && place
                .here
                .get(1)
                .is_some_and(|next| next.core.chars().next().is_some_and(char::is_alphabetic));
        let said = ordinal::spell(number, ending_after(&place.previous()), place.locale.tongue);
        return goes_on.then(|| Said::new(1, said).with_dot());
    }
    let suffix = ["st", "nd", "rd", "th"];
    let number = suffix.iter().find_map(|suffix| first.core.strip_suffix(suffix))?;
    let number: u64 = number.replace(',', "").parse().ok().filter(|n| *n <= cardinal::MOST)?;
    Some(Said::new(1, ordinal::spell(number, "", place.locale.tongue)))
}

/// The ending of a German ordinal number after a word.
pub fn ending_after(word: &str) -> &'static str {
    match word {
        "der" | "die" | "das" => "e",
        "am" | "im" | "vom" | "zum" | "zur" | "beim" | "dem" | "den" | "des" | "bis" | "ab"
        | "seit" | "jeden" | "jedem" | "diesen" | "diesem" | "ihren" | "ihrem" | "meinen" => "en",
        "ein" | "kein" | "mein" | "ihr" => "er",
        _ => "er",
    }
}

/// Ranges and scores: `2-3`, `10–12`, `2:1`. What follows the second number is said with it.
pub fn ranges(place: Place<'_>) -> Option<(String, &'static str, &str)> {
    let core = place.first().core;
    let (at, mark) = core.char_indices().skip(1).find(|(_, c)| matches!(c, '-' | '–' | '—'))?;
    let (low, high) = (core.get(..at)?, core.get(at + mark.len_utf8()..)?);
    let starts = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let numeric =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b':'));
    let bare = high.trim_end_matches(|c: char| !c.is_ascii_digit());
    let fits = starts(low) && starts(high) && numeric(low) && numeric(bare) && low.len() <= 5;
    if !fits || low.starts_with('0') && low.len() > 1 && !low.contains([':', ',', '.']) {
        return None;
    }
    let said = super::times::bare(low, place.locale)
        .or_else(|| year_or_number(low, place.locale, bare.len() == 4 && low.len() == 4))?;
    Some((said, place.locale.pick("to", "bis"), high))
}

fn year_or_number(text: &str, locale: Locale, years: bool) -> Option<String> {
    let figure = Figure::parse(text, locale)?;
    let year = years && figure.decimals.is_empty() && (1100..2100).contains(&figure.whole);
    Some(if year { cardinal::year(figure.whole, locale.tongue) } else { figure.said(locale) })
}

/// Cardinal and decimal numbers, years, and rows of digits that are no number.
pub fn cardinals(place: Place<'_>) -> Option<Said> {
    let (first, locale) = (place.first(), place.locale);
    if let Some(digits) = first.digits()
        && is_row(digits, place)
    {
        return Some(Said::new(1, in_groups(digits, locale)));
    }
    let figure = Figure::parse(first.core, locale)?;
    let plain = figure.sign == Sign::None && figure.decimals.is_empty();
    if plain && first.core.len() == 4 && (1100..2100).contains(&figure.whole) && says_year(place) {
        return Some(Said::new(1, cardinal::year(figure.whole, locale.tongue)));
    }
    let counts = locale.is_german() && figure.is_one() && first.is_open();
    let counted = place.then(1).map(|next| next.core).unwrap_or_default();
    let said = if counts && counted.starts_with(char::is_uppercase) {
        figure.counting(is_feminine(counted), locale)
    } else {
        figure.said(locale)
    };
    Some(Said::new(1, said))
}

/// Whether digits are a number of a customer or a town rather than a quantity.
fn is_row(digits: &str, place: Place<'_>) -> bool {
    let previous = place.previous();
    let named = |words: &[&str]| words.iter().any(|word| previous.ends_with(word));
    let postcode = digits.len() == 5 && !digits.ends_with("000") && {
        let comma = place.before.last().is_some_and(|chunk| chunk.tail.starts_with(','));
        let town = place.here.get(1).is_some_and(|next| next.core.starts_with(char::is_uppercase));
        named(&["plz", "postleitzahl", "zip", "code"])
            || (place.locale.is_german() && town && (comma || named(&["in", "aus", "nach"])))
            || (!place.locale.is_german() && is_state(place))
    };
    (digits.len() > 1 && digits.starts_with('0'))
        || digits.len() >= 7
        || postcode
        || (digits.len() >= 3 && named(&["pin", "tan", "code", "pin-code"]))
        || (digits.len() >= 4
            && named(&["nummer", "nr", "number", "no", "id", "kontonummer", "kundennummer"]))
}

fn is_state(place: Place<'_>) -> bool {
    place.before.last().is_some_and(|chunk| {
        chunk.core.len() == 2 && chunk.core.bytes().all(|b| b.is_ascii_uppercase())
    })
}

/// Says digits one by one, with a short pause after every third.
pub fn in_groups(digits: &str, locale: Locale) -> String {
    let all: Vec<char> = digits.chars().collect();
    let size = match all.len() {
        0..=4 => 4,
        5 => 5,
        length if length.is_multiple_of(4) => 4,
        _ => 3,
    };
    let groups = all.chunks(size).map(|group| group.iter().collect::<String>());
    let groups: Vec<String> =
        groups.map(|group| numerals::spell_digits(&group, locale.tongue)).collect();
    groups.join(", ")
}

fn says_year(place: Place<'_>) -> bool {
    let previous = place.previous();
    let months =
        crate::base::calendar::ENGLISH_MONTHS.iter().chain(&crate::base::calendar::GERMAN_MONTHS);
    let followed = place.then(1).is_some_and(|next| next.core.starts_with(char::is_uppercase));
    BEFORE_YEARS.contains(&previous.as_str())
        && !(followed && matches!(previous.as_str(), "in" | "ab" | "von" | "bis" | "from"))
        || months.into_iter().any(|month| month.to_lowercase() == previous)
}

/// German nouns of these endings are feminine, as good as always.
fn is_feminine(noun: &str) -> bool {
    ["ung", "heit", "keit", "ion", "schaft", "tät", "e"].iter().any(|ending| noun.ends_with(ending))
        && !["Name", "Auge", "Ende", "Kunde", "Käse"].contains(&noun)
}

/// Fractions and times: `1/2`, `½`, `3x`, `24/7`.
pub fn fractions(place: Place<'_>) -> Option<Said> {
    let (core, locale) = (place.first().core, place.locale);
    let tongue = locale.tongue;
    let whole = core.trim_end_matches(|c| FRACTIONS.iter().any(|(sign, _, _)| *sign == c));
    if let Some((_, english, german)) = FRACTIONS
        .iter()
        .find(|(sign, _, _)| core.strip_prefix(whole).is_some_and(|rest| rest.chars().eq([*sign])))
    {
        let part = locale.pick(*english, *german);
        if whole.is_empty() {
            return Some(Said::new(1, part.to_owned()));
        }
        let whole = Figure::parse(whole, locale)?.said(locale);
        return Some(Said::new(1, format!("{whole} {} {part}", locale.pick("and", "und"))));
    }
    if let Some(times) = core.strip_suffix(['x', '×']).or_else(|| core.strip_suffix("mal")) {
        let count = Figure::parse(times, locale)?;
        let said = count.counting(false, locale);
        return Some(Said::new(1, format!("{said} {}", locale.pick("times", "mal"))));
    }
    let (above, below) = core.split_once('/')?;
    let number = |text: &str| text.parse::<u64>().ok().filter(|_| text.len() <= 3);
    let (above, below) = (number(above)?, number(below)?);
    let said = match (above, below) {
        (24, 7) => locale.pick("twenty four seven", "vierundzwanzig sieben").to_owned(),
        (1, 2) => locale.pick("one half", "ein halb").to_owned(),
        (3, 4) => locale.pick("three quarters", "drei Viertel").to_owned(),
        (1, 4) => locale.pick("one quarter", "ein Viertel").to_owned(),
        (1, 3) => locale.pick("one third", "ein Drittel").to_owned(),
        (2, 3) => locale.pick("two thirds", "zwei Drittel").to_owned(),
        _ => {
            let (above, below) = (cardinal::spell(above, tongue), cardinal::spell(below, tongue));
            format!("{above} {} {below}", locale.pick("slash", "Schrägstrich"))
        }
    };
    Some(Said::new(1, said))
}

const FRACTIONS: &[(char, &str, &str)] = &[
    ('½', "one half", "ein halb"),
    ('¼', "one quarter", "ein Viertel"),
    ('¾', "three quarters", "drei Viertel"),
    ('⅓', "one third", "ein Drittel"),
    ('⅔', "two thirds", "zwei Drittel"),
];
const BEFORE_YEARS: [&str; 14] = [
    "in", "since", "year", "from", "until", "of", "im", "jahr", "jahre", "seit", "bis", "ab",
    "von", "anno",
];
