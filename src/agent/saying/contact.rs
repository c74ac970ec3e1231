//! Where somebody is reached: telephone numbers, e-mail addresses, web and network addresses, and
//! accounts. All of it is read so that it can be written down.

use super::chunk::{Place, Said};
use crate::agent::intents::numerals;
use crate::agent::lexicon::account;
use crate::agent::lexicon::alphabet;
use crate::agent::lexicon::cardinal;
use crate::agent::lexicon::locale::Locale;

/// Says telephone numbers digit by digit, in the groups in which they are written.
pub fn telephones(place: Place<'_>) -> Option<Said> {
    let first = place.first();
    let (mut used, mut groups) = (0, Vec::new());
    let international = first.core.starts_with('+');
    let mut closed = false;
    while let Some(chunk) = place.here.get(used) {
        let core = if used == 0 { chunk.core.trim_start_matches('+') } else { chunk.core };
        let parts: Vec<&str> =
            core.split(['-', '/', '.', '–']).filter(|it| !it.is_empty()).collect();
        let numeric = parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
        let bracketed = chunk.lead == "(" || chunk.tail.starts_with(')');
        let joins = used == 0 || chunk.lead.is_empty() || bracketed;
        let lone_mark = parts.is_empty() && matches!(chunk.core, "/" | "-" | "–");
        if closed || !joins || !(numeric && !parts.is_empty() || lone_mark && used > 0) {
            break;
        }
        groups.extend(parts);
        used += 1;
        closed = !matches!(chunk.tail, "" | ")");
    }
    let digits: usize = groups.iter().map(|group| group.len()).sum();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let national = groups.first().is_some_and(|group| {
        group.starts_with('0') && group.len() >= 2 && group.len() <= 6 && groups.len() > 1
            || group.starts_with("01") && group.len() >= 10
    });
    let american = lengths == [3, 3, 4] || lengths == [1, 3, 3, 4];
    let named = [
        "tel",
        "telefon",
        "telefonnummer",
        "nummer",
        "rufnummer",
        "phone",
        "call",
        "fax",
        "mobil",
        "number",
        "unter",
    ]
    .contains(&place.previous().as_str());
    let fits = (international && digits >= 7)
        || (national && digits >= 6)
        || american
        || (named && digits >= 5 && groups.len() > 1);
    let version = first.core.contains('.') && !international && !american;
    if !fits || version || digits > 20 {
        return None;
    }
    let plus = if international { "plus " } else { "" };
    let said: Vec<String> =
        groups.iter().flat_map(|group| group_said(group, place.locale)).collect();
    Some(Said::new(used, format!("{plus}{}", said.join(", "))))
}

/// A group of digits; a long one in shorter groups.
fn group_said(group: &str, locale: Locale) -> Vec<String> {
    let digits: Vec<char> = group.chars().collect();
    let size = match digits.len() {
        0..=4 => 4,
        length if length.is_multiple_of(3) || length > 6 => 3,
        _ => 2,
    };
    let spell =
        |group: &[char]| numerals::spell_digits(&group.iter().collect::<String>(), locale.tongue);
    digits.chunks(size).map(spell).collect()
}

/// Says IBANs: letters, then digits in groups of four.
pub fn accounts(place: Place<'_>) -> Option<Said> {
    let first = place.first();
    let mut text = String::new();
    let mut used = 0;
    let length = account::iban_length(first.core)?;
    if !first.core.chars().skip(2).take(2).all(|c| c.is_ascii_digit()) || first.core.len() < 4 {
        return None;
    }
    while let Some(chunk) = place.here.get(used) {
        let fits = chunk.core.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !fits || chunk.core.is_empty() || text.len() >= length {
            break;
        }
        text.push_str(chunk.core);
        used += 1;
        if !chunk.is_open() {
            break;
        }
    }
    if text.len() != length {
        return None;
    }
    Some(Said::new(used, iban_said(&text, place.locale)))
}

/// Says an IBAN without spaces in groups of four characters.
pub fn iban_said(text: &str, locale: Locale) -> String {
    let all: Vec<char> = text.chars().collect();
    let groups = all.chunks(4).map(|group| {
        let said: Vec<String> = group.iter().map(|c| character(*c, locale)).collect();
        said.join(" ")
    });
    groups.collect::<Vec<String>>().join(", ")
}

fn character(c: char, locale: Locale) -> String {
    match c.to_digit(10) {
        Some(digit) => numerals::spell(digit, locale.tongue),
        None => c.to_uppercase().collect(),
    }
}

/// Says e-mail addresses.
pub fn mails(place: Place<'_>) -> Option<Said> {
    let core = place.first().core.trim_start_matches("mailto:");
    let (local, domain) = core.split_once('@')?;
    let fits = !local.is_empty()
        && domain.contains('.')
        && core.bytes().all(|b| b.is_ascii_alphanumeric() || b"@._+-".contains(&b));
    fits.then(|| Said::new(1, mail_said(local, domain, place.locale)))
}

/// Says the two parts of an e-mail address.
pub fn mail_said(local: &str, domain: &str, locale: Locale) -> String {
    let at = alphabet::mark('@', locale).unwrap_or("at");
    format!("{} {at} {}", parts_said(local, locale), parts_said(domain, locale))
}

/// Says web addresses and bare names of hosts.
pub fn webs(place: Place<'_>) -> Option<Said> {
    let core = place.first().core;
    let bare = ["https://", "http://"].iter().find_map(|scheme| core.strip_prefix(scheme));
    let rest = bare.unwrap_or(core).trim_end_matches('/');
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let ending = host.rsplit('.').next().unwrap_or_default();
    let labels = host.contains('.')
        && host.split('.').all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    let known = ENDINGS.contains(&ending) && host.chars().any(char::is_alphabetic);
    if !labels || rest.len() > 200 || !(bare.is_some() || host.starts_with("www.") || known) {
        return None;
    }
    Some(Said::new(1, parts_said(rest, place.locale)))
}

/// Says addresses of networks and versions: `192.168.0.1`, `3.5.1`.
pub fn dotted_numbers(place: Place<'_>) -> Option<Said> {
    let core = place.first().core;
    let parts: Vec<&str> = core.trim_start_matches('v').split('.').collect();
    let numeric = parts
        .iter()
        .all(|part| (1..=5).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    if parts.len() < 3 || parts.len() > 6 || !numeric {
        return None;
    }
    // Groups of three are a number of this or another place.
    let grouped = parts.len() >= 3 && parts.iter().skip(1).all(|part| part.len() == 3);
    if grouped && parts.len() != 4 {
        return None;
    }
    let tongue = place.locale.tongue;
    let said: Vec<String> = parts
        .iter()
        .map(|part| match part.parse::<u64>() {
            Ok(number) if number < 100 => cardinal::spell(number, tongue),
            Ok(_) | Err(_) => numerals::spell_digits(part, tongue),
        })
        .collect();
    let dot = alphabet::mark('.', place.locale).unwrap_or("dot");
    let version = if core.starts_with('v') { "Version " } else { "" };
    Some(Said::new(1, format!("{version}{}", said.join(&format!(" {dot} ")))))
}

/// Says the words, letters, digits and marks of an address.
fn parts_said(text: &str, locale: Locale) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        let joins = c.is_alphanumeric()
            && word.chars().next_back().is_none_or(|last| last.is_numeric() == c.is_numeric());
        if joins {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            said.push(word_said(&std::mem::take(&mut word), locale));
        }
        if c.is_alphanumeric() {
            word.push(c);
        } else if let Some(mark) = alphabet::mark(c, locale) {
            said.push(mark.to_owned());
        }
    }
    said.join(" ")
}

fn word_said(word: &str, locale: Locale) -> String {
    let lower = word.to_lowercase();
    if word.chars().all(|c| c.is_ascii_digit()) {
        return numerals::spell_digits(word, locale.tongue);
    }
    let vowels = lower.chars().any(|c| "aeiouyäöü".contains(c));
    let known = WORDS.contains(&lower.as_str());
    if (known || word.chars().count() > 3) && vowels {
        return word.to_owned();
    }
    alphabet::letters(word)
}

/// Endings of hosts that are known without `www`.
const ENDINGS: [&str; 16] = [
    "com", "org", "net", "de", "at", "ch", "eu", "io", "info", "uk", "us", "fr", "nl", "app",
    "dev", "gov",
];
/// Short parts of addresses that are words.
const WORDS: [&str; 26] = [
    "com", "org", "net", "info", "web", "app", "dev", "gov", "mail", "shop", "max", "tom", "anna",
    "jan", "tim", "ben", "leo", "eva", "ida", "uwe", "kim", "joe", "bob", "amy", "the", "my",
];
