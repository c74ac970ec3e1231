//! Any text as plain lower-case words: what was transcribed and what the operator wrote meet here
//! in the same form, whoever wrote them.

use super::numerals;
use super::tongue::Tongue;
use crate::agent::lexicon::alphabet;
use crate::agent::lexicon::cardinal;
use crate::agent::lexicon::currency::Currency;
use crate::agent::lexicon::locale::Locale;
use crate::agent::lexicon::ordinal;

/// The most words of a transcript that are looked at.
pub const MOST_TOKENS: usize = 128;

/// The most characters of a transcript that are looked at.
const MOST_CHARS: usize = 1_024;

/// Splits a text into plain words: lower case, no punctuation, contractions written out, numbers,
/// times of day, money and addresses spelled; dates in digits stay as they are. At most
/// `MOST_TOKENS` words.
pub fn tokens(text: &str, tongue: Tongue) -> Vec<String> {
    let mut tokens = Vec::new();
    let text: String = text.chars().take(MOST_CHARS).flat_map(char::to_lowercase).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    for (at, word) in words.iter().copied().enumerate() {
        if tokens.len() >= MOST_TOKENS {
            break;
        }
        if is_in_row(&words, at) {
            push_row(word, tongue, &mut tokens);
        } else if !push_written(word, tongue, &mut tokens) {
            for raw in pieces(word) {
                push_piece(&raw, tongue, &mut tokens);
            }
        }
    }
    tokens.truncate(MOST_TOKENS);
    tokens
}

/// Whether a word of digits stands in a row of them that is no quantity: a telephone number, an
/// account.
fn is_in_row(words: &[&str], at: usize) -> bool {
    let digits = |word: &&&str| {
        let plain = word.chars().all(|c| c.is_ascii_digit() || "+-/()".contains(c));
        let bare = word.trim_end_matches(CLOSING);
        plain && !is_date(bare) || bare.bytes().all(|b| b.is_ascii_digit())
    };
    let count = |word: &&str| word.bytes().filter(u8::is_ascii_digit).count();
    let before = words.get(..at).unwrap_or_default().iter().rev().take_while(digits);
    let behind = words.get(at..).unwrap_or_default().iter().take_while(digits);
    let (before, behind): (Vec<&&str>, Vec<&&str>) = (before.collect(), behind.collect());
    let parts = before.len() + behind.len();
    let all: usize = before.iter().chain(&behind).map(|word| count(word)).sum();
    !behind.is_empty() && parts > 1 && all > 5
}

/// Spells the digits of a row, and its plus.
fn push_row(word: &str, tongue: Tongue, out: &mut Vec<String>) {
    if word.starts_with('+') {
        out.push("plus".to_owned());
    }
    push_words(&numerals::spell_digits(word, tongue), out);
}

/// Takes a word that is written as nobody says it: an address, a date, an amount. Says whether it
/// was one.
fn push_written(word: &str, tongue: Tongue, out: &mut Vec<String>) -> bool {
    let bare = word.trim_start_matches(['(', '"']).trim_end_matches(CLOSING);
    if !bare.contains(|c: char| c.is_ascii_digit() || "@€$£%+".contains(c)) {
        return false;
    }
    let sides = bare.split_once('@');
    if sides.is_some_and(|(one, two)| !one.is_empty() && !two.is_empty()) {
        push_address(bare, tongue, out);
        return true;
    }
    if is_date(bare) {
        out.push(bare.to_owned());
        return true;
    }
    let timed = out.last().is_some_and(|word| BEFORE_TIMES.contains(&word.as_str()));
    if tongue == Tongue::German && word.ends_with('.') && is_day_and_month(bare) && !timed {
        out.push(format!("{bare}."));
        return true;
    }
    if bare == "+" || (bare.starts_with('+') && bare.len() > 1) {
        out.push("plus".to_owned());
        let rest = bare.trim_start_matches('+');
        pieces(rest).iter().for_each(|piece| push_piece(piece, tongue, out));
        return true;
    }
    let number = bare.trim_matches(|c: char| !c.is_ascii_digit());
    let sign = bare.strip_prefix(number).or_else(|| bare.strip_suffix(number)).unwrap_or_default();
    let ordinal = ["st", "nd", "rd", "th"].contains(&sign).then(|| number.parse::<u64>().ok());
    if let Some(Some(number @ 1..=99)) = ordinal
        && tongue == Tongue::English
    {
        push_words(&ordinal::spell(number, "", tongue), out);
        return true;
    }
    let name = sign_name(sign, tongue);
    if !sign.is_empty() && name.is_none() {
        return false;
    }
    let priced = name.is_some() && sign != "%";
    let pushed = number.is_empty() || push_decimal(number, priced, tongue, out);
    if !pushed && name.is_some() {
        pieces(number).iter().for_each(|piece| push_piece(piece, tongue, out));
    }
    match name {
        Some(name) => push_words(&name, out),
        None if number.is_empty() => return false,
        None => return pushed,
    }
    true
}

/// `€` is `euro`, and `%` is `percent`.
fn sign_name(sign: &str, tongue: Tongue) -> Option<String> {
    let locale = Locale::from(tongue);
    if sign == "%" {
        return Some(locale.pick("percent", "prozent").to_owned());
    }
    let currency = Currency::written(sign)?;
    Some(currency.name(2, locale).to_lowercase())
}

/// Numbers with decimals or thousands: `3,5`, `1.000`. The rest is left to others.
fn push_decimal(number: &str, priced: bool, tongue: Tongue, out: &mut Vec<String>) -> bool {
    let (mark, thousands, said) = match tongue {
        Tongue::English => ('.', ',', "point"),
        Tongue::German => (',', '.', "komma"),
    };
    let groups: Vec<&str> = number.split(thousands).collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let last = groups.last().copied().unwrap_or_default();
    let (last_whole, decimals) = last.split_once(mark).unwrap_or((last, ""));
    let grouped = groups.len() > 1
        && groups.first().is_some_and(|first| digits(first) && first.len() <= 3)
        && groups.iter().skip(1).take(groups.len() - 2).all(|it| digits(it) && it.len() == 3)
        && digits(last_whole)
        && last_whole.len() == 3;
    let (whole, decimals) = if grouped {
        (number.split(mark).next().unwrap_or_default().replace(thousands, ""), decimals)
    } else {
        match number.split_once([mark, thousands]) {
            // "10.30" is a time of day, "3.50" may be one; "3.5" is none, nor is "3,50".
            Some((whole, decimals))
                if digits(whole)
                    && digits(decimals)
                    && (priced
                        || number.contains(',') && tongue == Tongue::German
                        || decimals.len() == 1) =>
            {
                (whole.to_owned(), decimals)
            }
            Some(_) | None => return false,
        }
    };
    let Ok(whole) = whole.parse::<u64>() else { return false };
    if !decimals.is_empty() && !digits(decimals) || number.contains(':') {
        return false;
    }
    push_words(&cardinal::spell(whole, tongue).to_lowercase(), out);
    if !decimals.is_empty() {
        out.push(said.to_owned());
        push_words(&numerals::spell_digits(decimals, tongue), out);
    }
    true
}

/// Spells an address: marks are named, digits said one by one.
fn push_address(address: &str, tongue: Tongue, out: &mut Vec<String>) {
    let locale = Locale::from(tongue);
    let mut word = String::new();
    for c in address.chars().chain([' ']) {
        let joins = c.is_alphabetic();
        if joins {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if c.is_ascii_digit() {
            push_words(&numerals::spell_digits(&c.to_string(), tongue), out);
        } else if let Some(mark) = alphabet::mark(c, locale) {
            push_words(&mark.to_lowercase(), out);
        }
    }
}

/// `2026-11-21`, `21.11.2026`, `11/21/26`.
fn is_date(text: &str) -> bool {
    let mark = text.chars().find(|c| !c.is_ascii_digit());
    let Some(mark) = mark.filter(|mark| matches!(mark, '.' | '/' | '-')) else { return false };
    let lengths: Vec<usize> = text.split(mark).map(str::len).collect();
    let numeric = text.split(mark).all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let fits = matches!(lengths[..], [1..=2, 1..=2, 2 | 4]) && mark != '-'
        || matches!(lengths[..], [4, 2, 2]) && mark == '-';
    let day = || text.split(mark).take(2).all(|part| part.parse::<u32>().is_ok_and(|n| n <= 31));
    numeric && fits && (mark == '-' || day())
}

/// `24.12`, before a full stop.
fn is_day_and_month(text: &str) -> bool {
    let Some((day, month)) = text.split_once('.') else { return false };
    let within = |text: &str, most: u32| {
        (1..=2).contains(&text.len()) && text.parse().is_ok_and(|it: u32| (1..=most).contains(&it))
    };
    within(day, 31) && within(month, 12)
}

/// Splits a text into the words that a speech recogniser says: as `tokens`, but contractions stay
/// whole, because they are pronounced so.
pub fn spoken_words(text: &str, tongue: Tongue) -> Vec<String> {
    let mut words = Vec::new();
    for raw in pieces(text) {
        if raw.bytes().any(|b| b.is_ascii_digit()) {
            push_piece(&raw, tongue, &mut words);
        } else {
            words.push(raw);
        }
    }
    words
}

/// The runs of letters, digits and inner apostrophes of a text, in lower case. Between digits, a
/// colon and a full stop stay: `10:30`.
fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().take(MOST_CHARS).flat_map(char::to_lowercase).collect();
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for (index, &c) in chars.iter().enumerate() {
        let c = if matches!(c, '’' | '‘' | '`' | '´') { '\'' } else { c };
        let before = index.checked_sub(1).and_then(|index| chars.get(index)).copied();
        let after = chars.get(index + 1).copied();
        let between = |test: fn(&char) -> bool| {
            before.is_some_and(|c| test(&c)) && after.is_some_and(|c| test(&c))
        };
        let stays = c.is_alphanumeric()
            || (c == '\'' && between(|c| c.is_alphanumeric()))
            || (matches!(c, ':' | '.') && between(char::is_ascii_digit));
        if stays {
            piece.push(c);
        } else if !piece.is_empty() {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

fn push_piece(piece: &str, tongue: Tongue, out: &mut Vec<String>) {
    let digits = piece.find(|c: char| !matches!(c, '0'..='9' | ':' | '.')).unwrap_or(piece.len());
    let (number, rest) = piece.split_at(digits);
    let follows_number =
        !number.is_empty() || out.last().is_some_and(|last| is_number(last, tongue));
    if !number.is_empty() {
        push_number(number, tongue, out);
    }
    match (tongue, rest) {
        (_, "") => {}
        // "10:30 Uhr" was spelled with its Uhr already.
        (Tongue::German, "uhr") if says_uhr(out) => {}
        (Tongue::English, "pm") => push_words("p m", out),
        (Tongue::English, "am") if follows_number => push_words("a m", out),
        _ => push_words(tongue.written_out(rest).unwrap_or(rest), out),
    }
}

/// Spells `7`, `7319`, `10:30` and `10.30`.
fn push_number(number: &str, tongue: Tongue, out: &mut Vec<String>) {
    let mut parts = number.split([':', '.']);
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    let (Some(hours), Some(minutes), None) = (first, second, third) else {
        for part in number.split([':', '.']) {
            push_whole(part, tongue, out);
        }
        return;
    };
    push_whole(hours, tongue, out);
    if tongue == Tongue::German {
        out.push("uhr".to_owned());
    }
    match minutes.as_bytes() {
        b"00" => {}
        [b'0', _] if tongue == Tongue::English => {
            push_words("oh", out);
            push_whole(minutes.trim_start_matches('0'), tongue, out);
        }
        [b'0', _] => push_whole(minutes.trim_start_matches('0'), tongue, out),
        _ => push_whole(minutes, tongue, out),
    }
}

fn push_whole(digits: &str, tongue: Tongue, out: &mut Vec<String>) {
    let spelled = match digits.parse::<u32>() {
        Ok(number) if digits.len() == 1 || (digits.len() == 2 && !digits.starts_with('0')) => {
            numerals::spell(number, tongue)
        }
        _ => numerals::spell_digits(digits, tongue),
    };
    push_words(&spelled, out);
}

fn push_words(words: &str, out: &mut Vec<String>) {
    out.extend(words.split(' ').filter(|word| !word.is_empty()).map(str::to_owned));
}

fn is_number(word: &str, tongue: Tongue) -> bool {
    word == "o'clock" || numerals::read(&[word.to_owned()], tongue).is_some()
}

const CLOSING: &[char] = &['.', ',', ';', ':', '!', '?', ')', '"'];

/// Words after which two numbers with a full stop between them are a time of day.
const BEFORE_TIMES: [&str; 6] = ["um", "gegen", "ab", "bis", "vor", "nach"];

/// Whether one of the last two words is `uhr`.
fn says_uhr(words: &[String]) -> bool {
    words.iter().rev().take(2).any(|word| word == "uhr")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_wrote_it_the_words_are_the_same() {
        for (text, plain) in [
            ("What's your address?", "what is your address"),
            ("WHAT’S YOUR ADDRESS", "what is your address"),
            ("At 10:30, please.", "at ten thirty please"),
            ("at 3 p.m.", "at three p m"),
            ("3pm", "three p m"),
            ("I am here at 9 am", "i am here at nine a m"),
            ("My pin is 7319.", "my pin is seven three one nine"),
            ("twenty-one", "twenty one"),
            ("9:05", "nine oh five"),
            ("10:00", "ten"),
            ("", ""),
            ("…?!", ""),
        ] {
            assert_eq!(tokens(text, Tongue::English).join(" "), plain, "{text}");
        }
        for (text, plain) in [
            ("Um 10:30 Uhr, bitte!", "um zehn uhr dreißig bitte"),
            ("15 Uhr", "fünfzehn uhr"),
            ("Gibt's am Samstag Öffnungszeiten?", "gibt es am samstag öffnungszeiten"),
            ("10.30 Uhr", "zehn uhr dreißig"),
        ] {
            assert_eq!(tokens(text, Tongue::German).join(" "), plain, "{text}");
        }
    }

    #[test]
    fn a_long_transcript_is_cut() {
        assert_eq!(tokens(&"word ".repeat(10_000), Tongue::English).len(), MOST_TOKENS);
        assert_eq!(tokens(&"9".repeat(10_000), Tongue::English).len(), MOST_TOKENS);
    }

    #[test]
    fn a_recogniser_hears_contractions_whole() {
        assert_eq!(spoken_words("What's 24?", Tongue::English), ["what's", "twenty", "four"]);
    }
}
