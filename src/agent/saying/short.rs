//! Short forms: abbreviations, acronyms, codes of letters and digits, and lone signs.

use super::chunk::{Place, Said};
use crate::agent::intents::numerals;
use crate::agent::lexicon::alphabet;
use crate::agent::lexicon::cardinal;
use crate::agent::lexicon::locale::{Locale, Region};

/// Writes abbreviations out: `z. B.`, `Dr.`, `e.g.`
pub fn abbreviations(place: Place<'_>) -> Option<Said> {
    let locale = place.locale;
    let table = locale.pick(ENGLISH, GERMAN);
    // The longest first: "z. B." is two chunks.
    let first = place.first();
    let next = place.here.get(1).filter(|next| first.tail == "." && next.lead.is_empty());
    let pair =
        next.filter(|next| next.has_dot()).map(|next| format!("{}.{}", first.core, next.core));
    let find =
        |written: &str| table.iter().find(|(short, _)| *short == written).map(|(_, long)| *long);
    if let Some(long) = pair.as_deref().and_then(find) {
        return Some(ending(2, long, place));
    }
    if !first.has_dot() {
        let undotted = locale.pick(&ENGLISH_UNDOTTED[..], &GERMAN_UNDOTTED[..]);
        let found = undotted.iter().find(|(short, _)| *short == first.core);
        return found.map(|(_, long)| Said::new(1, (*long).to_owned()));
    }
    let long = match first.core {
        // A saint before a name, else a street.
        "St" if !locale.is_german() => {
            let named =
                place.here.get(1).is_some_and(|next| next.core.starts_with(char::is_uppercase));
            if named && first.tail == "." { "Saint" } else { "Street" }
        }
        // "Dr. Smith" is a doctor, "5 Main Dr." a drive.
        "Dr" if !locale.is_german() && place.is_last() => "Drive",
        "No" if !locale.is_german() => {
            let counts = place.here.get(1).is_some_and(|next| next.digits().is_some());
            counts.then_some("number")?
        }
        core => match find(core) {
            Some(long) => long,
            None => return compound(place),
        },
    };
    Some(ending(1, long, place))
}

/// "Hauptstr." and the like.
fn compound(place: Place<'_>) -> Option<Said> {
    let core = place.first().core;
    let stem = core.strip_suffix("str").filter(|stem| stem.chars().count() > 2)?;
    let german = place.locale.is_german() && core.starts_with(char::is_uppercase);
    german.then(|| ending(1, &format!("{stem}straße"), place))
}

/// The full stop belongs to the abbreviation unless it ends the clause too.
fn ending(used: usize, long: &str, place: Place<'_>) -> Said {
    let said = Said::new(used, long.to_owned());
    if place.here.len() == used { said } else { said.with_dot() }
}

/// Spells acronyms letter by letter: `KI`, `USB-Stick`, `PCs`.
pub fn acronyms(place: Place<'_>) -> Option<Said> {
    let core = place.first().core;
    let shouts =
        place.before.iter().chain(place.here).filter(|chunk| is_shouted(chunk.core)).count() > 3;
    let parts: Vec<&str> = core.split('-').collect();
    if shouts || !parts.iter().any(|part| is_acronym(part)) {
        return None;
    }
    let said: Vec<String> = parts.iter().map(|part| part_said(part, place.locale)).collect();
    Some(Said::new(1, said.join(" ")))
}

fn part_said(part: &str, locale: Locale) -> String {
    if !is_acronym(part) {
        return code(part, locale).unwrap_or_else(|| part.to_owned());
    }
    let plural = part.strip_suffix('s').filter(|stem| is_shouted(stem));
    match plural {
        Some(stem) => format!("{}s", alphabet::letters(stem)),
        None => alphabet::letters(part),
    }
}

fn is_shouted(text: &str) -> bool {
    text.chars().count() > 1 && text.chars().all(char::is_uppercase)
}

/// Whether capital letters are read one by one.
fn is_acronym(part: &str) -> bool {
    let stem = part.strip_suffix('s').unwrap_or(part);
    if !is_shouted(stem) || AS_WORDS.contains(&stem) {
        return false;
    }
    let length = stem.chars().count();
    let vowels = stem.chars().filter(|c| "AEIOUYÄÖÜ".contains(*c)).count();
    length <= 3 || vowels == 0 || (length == 4 && (vowels == 1 || SPELLED.contains(&stem)))
}

/// Says codes of letters and digits: `A4`, `MP3`, `XK 2048`.
pub fn codes(place: Place<'_>) -> Option<Said> {
    code(place.first().core, place.locale).map(|said| Said::new(1, said))
}

fn code(text: &str, locale: Locale) -> Option<String> {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let clean = text.chars().all(|c| c.is_alphanumeric() || c == '-') && text.chars().count() <= 24;
    let capital = text.chars().all(|c| !c.is_lowercase());
    if letters == 0 || digits == 0 || !clean {
        return None;
    }
    if let Some(decade) = text.strip_suffix("er").and_then(|it| it.parse::<u64>().ok())
        && locale.is_german()
        && decade < 10_000
    {
        return Some(format!("{}er", cardinal::spell(decade, locale.tongue)));
    }
    if !capital && letters > 2 {
        return None;
    }
    let mut said: Vec<String> = Vec::new();
    let mut run = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_ascii_digit() {
            run.push(c);
            continue;
        }
        if !run.is_empty() {
            said.push(run_said(&std::mem::take(&mut run), locale));
        }
        if c.is_alphabetic() {
            said.push(c.to_uppercase().collect());
        }
    }
    Some(said.join(" "))
}

fn run_said(digits: &str, locale: Locale) -> String {
    match digits.parse::<u64>() {
        Ok(number) if number < 100 && !digits.starts_with('0') => {
            cardinal::spell(number, locale.tongue)
        }
        Ok(_) | Err(_) => numerals::spell_digits(digits, locale.tongue),
    }
}

/// Says signs that stand alone or before a number.
pub fn signs(place: Place<'_>) -> Option<Said> {
    let (core, locale) = (place.first().core, place.locale);
    if let Some(number) = core.strip_prefix('#').and_then(|it| it.parse::<u64>().ok()) {
        let number = cardinal::spell(number, locale.tongue);
        return Some(Said::new(1, format!("{} {number}", locale.pick("number", "Nummer"))));
    }
    let said = match core {
        "&" => locale.pick("and", "und"),
        "+" => "plus",
        "=" => locale.pick("equals", "gleich"),
        "§" => locale.pick("section", "Paragraf"),
        "%" => locale.pick("percent", "Prozent"),
        "€" => "Euro",
        "@" => locale.pick("at", "ät"),
        "*" => locale.pick("star", "Stern"),
        "#" if locale.region == Region::America => "pound",
        "#" => locale.pick("hash", "Raute"),
        "×" => locale.pick("times", "mal"),
        _ => return None,
    };
    Some(Said::new(1, said.to_owned()))
}

/// Acronyms that are read as words.
const AS_WORDS: [&str; 18] = [
    "PIN", "SIM", "TAN", "NATO", "UNO", "AIDS", "NASA", "IKEA", "ALDI", "LIDL", "OPEC", "ASAP",
    "OK", "DIN", "LAN", "RAM", "ROM", "GIF",
];
/// Four letters with several vowels that are read one by one all the same.
const SPELLED: [&str; 3] = ["ADAC", "USAA", "EUGH"];

const GERMAN: &[(&str, &str)] = &[
    ("z.B", "zum Beispiel"),
    ("z.Hd", "zu Händen"),
    ("z.T", "zum Teil"),
    ("z.Zt", "zurzeit"),
    ("d.h", "das heißt"),
    ("u.a", "unter anderem"),
    ("u.U", "unter Umständen"),
    ("i.d.R", "in der Regel"),
    ("i.A", "im Auftrag"),
    ("o.Ä", "oder Ähnliches"),
    ("o.ä", "oder ähnliches"),
    ("v.a", "vor allem"),
    ("n.V", "nach Vereinbarung"),
    ("a.D", "außer Dienst"),
    ("Dr", "Doktor"),
    ("Prof", "Professor"),
    ("Hr", "Herr"),
    ("Hrn", "Herrn"),
    ("Fr", "Frau"),
    ("Nr", "Nummer"),
    ("Str", "Straße"),
    ("St", "Sankt"),
    ("Tel", "Telefon"),
    ("bzw", "beziehungsweise"),
    ("ca", "circa"),
    ("usw", "und so weiter"),
    ("etc", "et cetera"),
    ("ggf", "gegebenenfalls"),
    ("evtl", "eventuell"),
    ("inkl", "inklusive"),
    ("exkl", "exklusive"),
    ("zzgl", "zuzüglich"),
    ("abzgl", "abzüglich"),
    ("bspw", "beispielsweise"),
    ("sog", "sogenannte"),
    ("vgl", "vergleiche"),
    ("max", "maximal"),
    ("min", "mindestens"),
    ("mind", "mindestens"),
    ("Std", "Stunden"),
    ("Min", "Minuten"),
    ("Sek", "Sekunden"),
    ("Mo", "Montag"),
    ("Di", "Dienstag"),
    ("Mi", "Mittwoch"),
    ("Do", "Donnerstag"),
    ("Sa", "Samstag"),
    ("So", "Sonntag"),
    ("Jan", "Januar"),
    ("Feb", "Februar"),
    ("Aug", "August"),
    ("Sept", "September"),
    ("Okt", "Oktober"),
    ("Nov", "November"),
    ("Dez", "Dezember"),
    ("Abs", "Absatz"),
    ("Abt", "Abteilung"),
    ("Adr", "Adresse"),
    ("gem", "gemäß"),
    ("geb", "geboren"),
    ("Ing", "Ingenieur"),
    ("Dipl", "Diplom"),
    ("Jh", "Jahrhundert"),
    ("Mio", "Millionen"),
    ("Mrd", "Milliarden"),
    ("MwSt", "Mehrwertsteuer"),
    ("Mwst", "Mehrwertsteuer"),
    ("Hbf", "Hauptbahnhof"),
    ("Pl", "Platz"),
    ("Stk", "Stück"),
    ("tgl", "täglich"),
];
const GERMAN_UNDOTTED: [(&str, &str); 8] = [
    ("MwSt", "Mehrwertsteuer"),
    ("GmbH", "G m b H"),
    ("Hbf", "Hauptbahnhof"),
    ("Nr", "Nummer"),
    ("ca", "circa"),
    ("bzw", "beziehungsweise"),
    ("usw", "und so weiter"),
    ("BAföG", "Bafög"),
];
const ENGLISH: &[(&str, &str)] = &[
    ("e.g", "for example"),
    ("i.e", "that is"),
    ("etc", "et cetera"),
    ("vs", "versus"),
    ("approx", "approximately"),
    ("Dr", "Doctor"),
    ("Mr", "Mister"),
    ("Mrs", "Missus"),
    ("Ms", "Miz"),
    ("Prof", "Professor"),
    ("Jr", "Junior"),
    ("Sr", "Senior"),
    ("Ave", "Avenue"),
    ("Blvd", "Boulevard"),
    ("Rd", "Road"),
    ("Ln", "Lane"),
    ("Apt", "Apartment"),
    ("Dept", "Department"),
    ("Ext", "extension"),
    ("ext", "extension"),
    ("Inc", "Incorporated"),
    ("Ltd", "Limited"),
    ("Co", "Company"),
    ("Corp", "Corporation"),
    ("Tel", "telephone"),
    ("min", "minutes"),
    ("hr", "hour"),
    ("hrs", "hours"),
    ("Mon", "Monday"),
    ("Tue", "Tuesday"),
    ("Tues", "Tuesday"),
    ("Wed", "Wednesday"),
    ("Thu", "Thursday"),
    ("Thurs", "Thursday"),
    ("Fri", "Friday"),
    ("Sat", "Saturday"),
    ("Jan", "January"),
    ("Feb", "February"),
    ("Mar", "March"),
    ("Apr", "April"),
    ("Aug", "August"),
    ("Sept", "September"),
    ("Sep", "September"),
    ("Oct", "October"),
    ("Nov", "November"),
    ("Dec", "December"),
    ("Nos", "numbers"),
    ("incl", "including"),
];
const ENGLISH_UNDOTTED: [(&str, &str); 4] =
    [("w/o", "without"), ("w/", "with"), ("hrs", "hours"), ("vs", "versus")];
