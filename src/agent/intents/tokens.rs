//! Any text as plain lower-case words: what was transcribed and what the operator wrote meet here
//! in the same form, whoever wrote them.

use super::numerals;
use super::tongue::Tongue;

/// The most words of a transcript that are looked at.
pub const MOST_TOKENS: usize = 64;

/// The most characters of a transcript that are looked at.
const MOST_CHARS: usize = 1_024;

/// Splits a text into plain words: lower case, no punctuation, contractions written out, numbers
/// and times of day spelled. At most `MOST_TOKENS` words.
pub fn tokens(text: &str, tongue: Tongue) -> Vec<String> {
    let mut tokens = Vec::new();
    for raw in pieces(text) {
        if tokens.len() >= MOST_TOKENS {
            break;
        }
        push_piece(&raw, tongue, &mut tokens);
    }
    tokens.truncate(MOST_TOKENS);
    tokens
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
