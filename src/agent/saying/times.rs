//! Times of day: `14:30`, `9 Uhr 15`, `2:30 p.m.`

use super::chunk::{Clock, Place, Said};
use crate::agent::lexicon::cardinal;
use crate::agent::lexicon::locale::Locale;

/// A time of day as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Time {
    hour: u64,
    minute: u64,
    second: Option<u64>,
}

/// Says times of day.
pub fn times(place: Place<'_>) -> Option<Said> {
    if place.locale.is_german() { german(place) } else { english(place) }
}

/// Says a time at the lower end of a range.
pub fn bare(text: &str, locale: Locale) -> Option<String> {
    let time = colon(text)?;
    Some(match locale.is_german() {
        true => german_formal(time, Clock::Formal),
        false => english_said(time, ""),
    })
}

fn german(place: Place<'_>) -> Option<Said> {
    let first = place.first();
    let says_uhr = |at: usize| place.then(at).is_some_and(|next| next.core == "Uhr");
    let (core, glued) =
        match first.core.strip_suffix("Uhr").or_else(|| first.core.strip_suffix('h')) {
            Some(core) if core.ends_with(|c: char| c.is_ascii_digit()) => (core, true),
            Some(_) | None => (first.core, false),
        };
    let uhr = glued || says_uhr(1);
    let written = colon(core).or_else(|| dotted(core).filter(|_| uhr));
    let used = 1 + usize::from(says_uhr(1) && !glued);
    if let Some(time) = written {
        return Some(Said::new(used, german_formal(time, place.clock)));
    }
    let hour = number(core, 24).filter(|_| uhr && first.core != core || says_uhr(1))?;
    let minute =
        place.then(used).and_then(|next| number(next.core, 59).filter(|_| next.core.len() == 2));
    let followed =
        place.then(used + 1).is_some_and(|next| next.core.starts_with(char::is_uppercase));
    let (used, minute) = match minute {
        Some(minute) if !followed => (used + 1, minute),
        Some(_) | None => (used, 0),
    };
    let time = Time { hour, minute, second: None };
    Some(Said::new(used, german_formal(time, place.clock)))
}

fn german_formal(time: Time, clock: Clock) -> String {
    let spell =
        |number: u64| cardinal::spell(number, crate::agent::intents::tongue::Tongue::German);
    if clock == Clock::Colloquial
        && time.second.is_none()
        && let Some(said) = german_colloquial(time)
    {
        return said;
    }
    let hour = if time.hour == 1 { "ein".to_owned() } else { spell(time.hour) };
    let mut said = format!("{hour} Uhr");
    if time.minute > 0 || time.second.is_some() {
        said = format!("{said} {}", spell(time.minute));
    }
    match time.second {
        Some(second) if second > 0 => format!("{said} und {} Sekunden", spell(second)),
        Some(_) | None => said,
    }
}

/// "halb drei": the part of the day is left to the context.
fn german_colloquial(time: Time) -> Option<String> {
    let spell = |hour: u64| {
        let hour = (hour + 11) % 12 + 1;
        cardinal::spell(hour, crate::agent::intents::tongue::Tongue::German)
    };
    let (this, next) = (spell(time.hour), spell(time.hour + 1));
    Some(match time.minute {
        0 => return None,
        5 => format!("fünf nach {this}"),
        10 => format!("zehn nach {this}"),
        15 => format!("Viertel nach {this}"),
        20 => format!("zwanzig nach {this}"),
        25 => format!("fünf vor halb {next}"),
        30 => format!("halb {next}"),
        35 => format!("fünf nach halb {next}"),
        40 => format!("zwanzig vor {next}"),
        45 => format!("Viertel vor {next}"),
        50 => format!("zehn vor {next}"),
        55 => format!("fünf vor {next}"),
        _ => return None,
    })
}

fn english(place: Place<'_>) -> Option<Said> {
    let first = place.first();
    let lower = first.core.to_lowercase();
    let glued =
        PARTS.iter().find_map(|(written, said)| Some((lower.strip_suffix(written)?, *said)));
    let (core, mut part) = match glued {
        Some((core, part)) if core.ends_with(|c: char| c.is_ascii_digit()) => (core, Some(part)),
        Some(_) | None => (lower.as_str(), None),
    };
    let mut used = 1;
    let mut dot = part.is_some() && lower.ends_with(".m") && first.has_dot();
    if part.is_none()
        && let Some(next) = place.then(1)
    {
        let word = next.core.to_lowercase();
        part = PARTS.iter().find(|(written, _)| *written == word).map(|(_, said)| *said);
        used += usize::from(part.is_some());
        dot = part.is_some() && word.contains('.') && next.has_dot();
    }
    let written = colon(core);
    let time = match (written, part) {
        (Some(time), _) => time,
        (None, Some(_)) => Time { hour: number(core, 12)?, minute: 0, second: None },
        (None, None) => return None,
    };
    let said = english_said(time, part.unwrap_or_default());
    let said = Said::new(used, said);
    // The last full stop of "p.m." ends the sentence too.
    let ends = place.here.len() == used;
    Some(if dot && !ends { said.with_dot() } else { said })
}

fn english_said(time: Time, part: &str) -> String {
    let spell =
        |number: u64| cardinal::spell(number, crate::agent::intents::tongue::Tongue::English);
    let hour = spell(time.hour);
    let said = match time.minute {
        0 if !part.is_empty() => hour,
        0 if (1..=12).contains(&time.hour) => format!("{hour} o'clock"),
        0 if time.hour == 0 => "midnight".to_owned(),
        0 => format!("{hour} hundred hours"),
        minute @ 1..10 => format!("{hour} oh {}", spell(minute)),
        minute => format!("{hour} {}", spell(minute)),
    };
    let said = match time.second {
        Some(second) if second > 0 => format!("{said} and {} seconds", spell(second)),
        Some(_) | None => said,
    };
    if part.is_empty() { said } else { format!("{said} {part}") }
}

/// `14:30` and `14:30:15`.
fn colon(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let second = parts.next();
    if parts.next().is_some() || minute.len() != 2 || second.is_some_and(|it| it.len() != 2) {
        return None;
    }
    let second = match second {
        Some(second) => Some(number(second, 59)?),
        None => None,
    };
    Some(Time { hour: number(hour, 24)?, minute: number(minute, 59)?, second })
}

/// `14.30`, before "Uhr".
fn dotted(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once('.')?;
    let minute = number(minute, 59).filter(|_| minute.len() == 2)?;
    Some(Time { hour: number(hour, 24)?, minute, second: None })
}

fn number(text: &str, most: u64) -> Option<u64> {
    let fits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| fits && *number <= most)
}

const PARTS: [(&str, &str); 4] = [("a.m", "A M"), ("p.m", "P M"), ("am", "A M"), ("pm", "P M")];
