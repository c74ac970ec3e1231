//! Times of day, with what is not said: morning or afternoon.

use super::value::{Context, Quarter, Reading, Value};
use crate::agent::intents::clock;
use crate::agent::intents::pattern::Pattern;
use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::cardinal;

/// Reads a time of day at the start of some words: all ways to understand it, the likeliest first.
pub fn read(words: &[String], context: &Context) -> Vec<Reading> {
    let tongue = context.locale.tongue;
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let skipped = usize::from(matches!(word(0), "at" | "um" | "around" | "gegen" | "about"));
    let Some(words) = words.get(skipped..) else { return Vec::new() };
    let reading = |used: usize, hour: u32, minute: u32, sureness: f32| {
        let time = Value::Time(u8::try_from(hour).ok()?, u8::try_from(minute).ok()?);
        Some(Reading::new(skipped + used, time, sureness))
    };
    if let Some((used, hour)) = named(words, tongue) {
        return reading(used, hour, 0, 1.0).into_iter().collect();
    }
    if let Some((used, hour, minute)) = around_half(words, tongue) {
        let other = reading(used, (hour + 12) % 24, minute, 0.4);
        return reading(used, hour, minute, 0.6).into_iter().chain(other).collect();
    }
    let quarter = tongue == Tongue::German
        && (word(skipped) == "dreiviertel"
            || (word(skipped) == "viertel" && !matches!(word(skipped + 1), "vor" | "nach")));
    if quarter && context.quarter == Quarter::Unused {
        return Vec::new();
    }
    let first = words.first().map_or("", String::as_str);
    let starts = cardinal::read(words.get(..1).unwrap_or_default(), tongue).is_some();
    if !starts && !["half", "a", "quarter", "halb", "viertel", "dreiviertel"].contains(&first) {
        return Vec::new();
    }
    // "ten" and "ten thirty" need no look at every way to say a time.
    let relative = |word: &String| ["past", "to", "vor", "nach"].contains(&word.as_str());
    let longest = if starts && !words.iter().take(3).any(relative) {
        Some(1)
    } else {
        Pattern::built_in(&clock::shape(tongue)).plain(tongue).lengths(words).into_iter().max()
    };
    let announced = announced(words, tongue);
    let used = longest.unwrap_or(0).max(announced.map_or(0, |it| it.used));
    if let Some(it) = announced.filter(|it| it.used == used && it.is_clear) {
        return reading(used, it.hour, it.minute, 1.0).into_iter().collect();
    }
    let Some((hour, minute)) = words.get(..used).and_then(|said| clock::read(said, tongue)) else {
        return Vec::new();
    };
    let said = words.get(..used).unwrap_or_default();
    let told = clock::names_part_of_day(said, tongue) || hour == 0 || said.len() == 1 && hour == 12;
    let sure = if told { 1.0 } else { 0.7 };
    let other =
        (!told && hour < 24).then(|| reading(used, (hour + 12) % 24, minute, 0.3)).flatten();
    reading(used, hour, minute, sure).into_iter().chain(other).collect()
}

fn named(words: &[String], tongue: Tongue) -> Option<(usize, u32)> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match (tongue, word(0), word(1)) {
        (Tongue::English, "noon", _) | (Tongue::German, "mittag" | "mittags", _) => Some((1, 12)),
        (Tongue::English, "midnight", _) | (Tongue::German, "mitternacht", _) => Some((1, 0)),
        (Tongue::English | Tongue::German, _, _) => None,
    }
}

/// "fünf vor halb drei", "kurz nach halb" is not understood.
fn around_half(words: &[String], tongue: Tongue) -> Option<(usize, u32, u32)> {
    if tongue != Tongue::German {
        return None;
    }
    let (used, minutes) = cardinal::read(words, tongue).filter(|(_, minutes)| *minutes < 15)?;
    let way = words.get(used)?.as_str();
    if words.get(used + 1)? != "halb" {
        return None;
    }
    let (more, hour) = cardinal::read(words.get(used + 2..)?, tongue)?;
    let hour = u32::try_from(hour).ok().filter(|hour| (1..=12).contains(hour))?;
    let minutes = u32::try_from(minutes).ok()?;
    let minute = match way {
        "vor" => 30 - minutes,
        "nach" => 30 + minutes,
        _ => return None,
    };
    let hour = if hour <= 7 { hour + 11 } else { hour - 1 };
    Some((used + 2 + more, hour, minute))
}

/// An hour and a minute as they are announced: "vierzehn Uhr dreißig", "two thirty one P M".
#[derive(Debug, Clone, Copy)]
struct Announced {
    used: usize,
    hour: u32,
    minute: u32,
    /// Whether it can only be this half of the day.
    is_clear: bool,
}

fn announced(words: &[String], tongue: Tongue) -> Option<Announced> {
    let (used, hour) = cardinal::read(words, tongue).filter(|(_, hour)| *hour <= 24)?;
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let marked = matches!(word(used), "uhr" | "hundred" | "o'clock");
    let at = used + usize::from(marked);
    let oh = usize::from(word(at) == "oh");
    let minute = words.get(at + oh..).and_then(|rest| cardinal::read(rest, tongue));
    let minute = minute.filter(|(_, minute)| *minute < 60 && (oh == 0 || *minute < 10));
    let minute = minute.filter(|(_, minute)| marked || oh > 0 || *minute >= 10);
    let (at, minute) = minute.map_or((at, 0), |(more, minute)| (at + oh + more, minute));
    let at = at + usize::from(word(at) == "hours");
    let part = part_of_day(words.get(at..).unwrap_or_default(), tongue);
    // Below thirteen it may be either half of the day.
    let is_clear = (hour == 0 || hour > 12) && (marked || at > used);
    let hour = u32::try_from(hour % 24).ok()?;
    let minute = u32::try_from(minute).ok()?;
    (at + part > used).then_some(Announced { used: at + part, hour, minute, is_clear })
}

/// How many words at the start name a part of the day.
fn part_of_day(words: &[String], tongue: Tongue) -> usize {
    let phrases: &[&str] = match tongue {
        Tongue::English => {
            &["a m", "p m", "in the morning", "in the afternoon", "in the evening", "at night"]
        }
        Tongue::German => &[
            "früh",
            "morgens",
            "vormittags",
            "nachmittags",
            "abends",
            "nachts",
            "am vormittag",
            "am nachmittag",
            "am abend",
            "am morgen",
            "in der früh",
            "in der nacht",
        ],
    };
    let fits = |phrase: &&&str| {
        phrase.split(' ').enumerate().all(|(at, word)| words.get(at).is_some_and(|it| it == word))
    };
    phrases.iter().filter(fits).map(|phrase| phrase.split(' ').count()).max().unwrap_or(0)
}
