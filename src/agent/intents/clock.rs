//! Times of day as callers say them: "half past nine", "three p m", "halb zehn", "15 Uhr 30".

use super::numerals;
use super::tongue::Tongue;

/// How callers say a time, in the phrase language.
pub fn shape(tongue: Tongue) -> String {
    match tongue {
        Tongue::English => format!(
            "((half past|[a] quarter past|[a] quarter to|(five|ten|twenty) (past|to)) {ENGLISH_HOUR} \
             [{ENGLISH_PART}]|{ENGLISH_HOUR} [(o'clock|oh five|ten|fifteen|twenty|thirty|forty\
             |forty five|fifty)] [{ENGLISH_PART}]|noon)"
        ),
        Tongue::German => format!(
            "((halb|viertel nach|viertel vor|viertel|dreiviertel|(fünf|zehn|zwanzig) (nach|vor)) \
             {GERMAN_HOUR} [{GERMAN_PART}]|{GERMAN_HOUR} [uhr] [(fünf|zehn|fünfzehn|zwanzig|dreißig\
             |vierzig|fünfundvierzig|fünfzig)] [{GERMAN_PART}]|mittag)"
        ),
    }
}

/// The ways to say a time that a recogniser listens for: those of appointments.
pub fn common_shape(tongue: Tongue) -> String {
    match tongue {
        Tongue::English => format!(
            "((half past|[a] quarter past|[a] quarter to) {ENGLISH_HOUR} [{ENGLISH_PART}]\
             |{ENGLISH_HOUR} [(o'clock|fifteen|thirty|forty five)] [{ENGLISH_PART}])"
        ),
        Tongue::German => shape(tongue),
    }
}

/// Reads a whole time: hours and minutes. Without "a m" or the like, hours from one to six are in
/// the afternoon, as people at a counter mean them.
pub fn read(tokens: &[String], tongue: Tongue) -> Option<(u32, u32)> {
    let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
    match (tongue, &words[..]) {
        (Tongue::English, ["noon"]) | (Tongue::German, ["mittag"]) => return Some((12, 0)),
        (Tongue::English | Tongue::German, _) => {}
    }
    let (offset, skip) = offset(&words, tongue);
    let (used, hour) = numerals::read(tokens.get(skip..)?, tongue).filter(|(_, h)| *h <= 24)?;
    let mut rest = tokens.get(skip + used..)?;
    let mut minutes = offset;
    if rest.first().is_some_and(|word| matches!(word.as_str(), "o'clock" | "uhr")) {
        rest = rest.get(1..)?;
    }
    if offset == 0 {
        if tongue == Tongue::English && rest.first().is_some_and(|word| word == "oh") {
            rest = rest.get(1..)?;
        }
        if let Some((used, spoken)) = numerals::read(rest, tongue).filter(|(_, m)| *m < 60) {
            minutes = i64::from(spoken);
            rest = rest.get(used..)?;
        }
    }
    let hour = in_part_of_day(hour, rest, tongue)?;
    let total = (i64::from(hour) * 60 + minutes).rem_euclid(24 * 60);
    Some((u32::try_from(total / 60).ok()?, u32::try_from(total % 60).ok()?))
}

/// Whether the words say which half of the day is meant.
pub fn names_part_of_day(tokens: &[String], tongue: Tongue) -> bool {
    let parts: &[&str] = match tongue {
        Tongue::English => &["m", "morning", "afternoon", "evening", "noon"],
        Tongue::German => &[
            "früh",
            "morgens",
            "vormittags",
            "vormittag",
            "nachmittags",
            "abends",
            "nachmittag",
            "abend",
            "mittag",
            "nachts",
        ],
    };
    tokens.iter().any(|word| parts.contains(&word.as_str()))
}

/// Says a time: `half past nine` is said as `nine thirty`.
pub fn spoken(hour: u32, minute: u32, tongue: Tongue) -> String {
    if tongue == Tongue::German {
        return match minute {
            0 => format!("{hour} Uhr"),
            minute => format!("{hour} Uhr {minute}"),
        };
    }
    let clock = numerals::spell(if hour.is_multiple_of(12) { 12 } else { hour % 12 }, tongue);
    match (hour, minute) {
        (12, 0) => "noon".to_owned(),
        (_, 0) if hour < 12 => format!("{clock} in the morning"),
        (_, 0) if hour < 18 => format!("{clock} in the afternoon"),
        (_, 0) => format!("{clock} in the evening"),
        (_, 1..10) => format!("{clock} oh {}", numerals::spell(minute, tongue)),
        _ => format!("{clock} {}", numerals::spell(minute, tongue)),
    }
}

/// Minutes that are said before the hour, and how many words they take.
fn offset(words: &[&str], tongue: Tongue) -> (i64, usize) {
    match (tongue, words) {
        (Tongue::English, ["half", "past", ..]) => (30, 2),
        (Tongue::English, ["quarter", "past", ..]) => (15, 2),
        (Tongue::English, ["quarter", "to", ..]) => (-15, 2),
        (Tongue::English, ["a", "quarter", "past", ..]) => (15, 3),
        (Tongue::English, ["a", "quarter", "to", ..]) => (-15, 3),
        (Tongue::German, ["halb", ..]) => (-30, 1),
        (Tongue::German, ["viertel", "nach", ..]) => (15, 2),
        (Tongue::German, ["viertel", "vor", ..]) | (Tongue::German, ["dreiviertel", ..]) => {
            (-15, if words.first() == Some(&"viertel") { 2 } else { 1 })
        }
        // "Viertel zehn" is a quarter of the tenth hour: 9:15.
        (Tongue::German, ["viertel", ..]) => (-45, 1),
        (Tongue::English, [minutes, way @ ("past" | "to"), ..])
        | (Tongue::German, [minutes, way @ ("nach" | "vor"), ..]) => {
            let minutes = numerals::read(&[(*minutes).to_owned()], tongue);
            let minutes = minutes.map_or(0, |(_, minutes)| i64::from(minutes));
            (if matches!(*way, "past" | "nach") { minutes } else { -minutes }, 2)
        }
        (Tongue::English | Tongue::German, _) => (0, 0),
    }
}

/// The hour of the day, from the hour that was said and the words after it.
fn in_part_of_day(hour: u32, rest: &[String], tongue: Tongue) -> Option<u32> {
    let has = |words: &[&str]| rest.iter().any(|word| words.contains(&word.as_str()));
    let (morning, later) = match tongue {
        Tongue::English => (has(&["a", "morning"]), has(&["p", "afternoon", "evening"])),
        Tongue::German => (
            has(&["früh", "morgens", "vormittags", "vormittag"]) || (has(&["nachts"]) && hour < 9),
            has(&["nachmittags", "abends", "nachmittag", "abend"])
                || (has(&["nachts"]) && hour > 8),
        ),
    };
    Some(match hour {
        24 => 0,
        12 if morning && tongue == Tongue::English => 0,
        1..=11 if later => hour + 12,
        1..=6 if !morning => hour + 12,
        0..=23 => hour,
        _ => return None,
    })
}

const ENGLISH_HOUR: &str = "(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)";
const ENGLISH_PART: &str = "(a m|p m|in the morning|in the afternoon|in the evening)";
const GERMAN_HOUR: &str = "(ein|eins|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf\
     |dreizehn|vierzehn|fünfzehn|sechzehn|siebzehn|achtzehn|neunzehn|zwanzig)";
const GERMAN_PART: &str =
    "(früh|morgens|vormittags|nachmittags|abends|nachts|am vormittag|am nachmittag|am abend)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::intents::tokens::tokens;

    #[test]
    fn times_are_read_as_they_are_meant() {
        for (text, time) in [
            ("ten", (10, 0)),
            ("ten thirty", (10, 30)),
            ("half past nine", (9, 30)),
            ("3 pm", (15, 0)),
            ("three", (15, 0)),
            ("a quarter to eight a.m.", (7, 45)),
            ("quarter past two", (14, 15)),
            ("nine oh five", (9, 5)),
            ("11:45", (11, 45)),
            ("twelve", (12, 0)),
            ("noon", (12, 0)),
            ("five in the morning", (5, 0)),
            ("ten to one", (12, 50)),
        ] {
            assert_eq!(read(&tokens(text, Tongue::English), Tongue::English), Some(time), "{text}");
        }
        for (text, time) in [
            ("zehn Uhr", (10, 0)),
            ("halb zehn", (9, 30)),
            ("Viertel nach drei", (15, 15)),
            ("dreiviertel zehn", (9, 45)),
            ("viertel zehn", (9, 15)),
            ("15:30 Uhr", (15, 30)),
            ("acht Uhr abends", (20, 0)),
            ("zehn vor neun", (8, 50)),
            ("ein Uhr", (13, 0)),
        ] {
            assert_eq!(read(&tokens(text, Tongue::German), Tongue::German), Some(time), "{text}");
        }
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        assert_eq!(spoken(10, 30, Tongue::English), "ten thirty");
        assert_eq!(spoken(15, 0, Tongue::English), "three in the afternoon");
        assert_eq!(spoken(9, 5, Tongue::English), "nine oh five");
        assert_eq!(spoken(10, 0, Tongue::German), "10 Uhr");
        assert_eq!(spoken(10, 30, Tongue::German), "10 Uhr 30");
    }
}
