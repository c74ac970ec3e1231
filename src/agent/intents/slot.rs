//! Typed slots: what a caller may say for a value, what it means, and how it is said back.

use super::clock;
use super::numerals;
use super::pattern::Pattern;
use super::tokens;
use super::tongue::{Global, Tongue};
use crate::agent::hearing::hear;
use crate::agent::hearing::read_back;
use crate::agent::hearing::shape;
use crate::agent::hearing::value::{self, Context, Heard, Value};
use crate::agent::hearing::when::When;
use crate::agent::lexicon::locale::Locale;
use crate::base::calendar::Date;

/// The type of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// One digit: `7`.
    Digit,
    /// Digits: `7319`. A fixed number of them is understood much better than any number.
    Digits(Option<u8>),
    /// A number: `42`, `-3.5`. Recognisers with a grammar listen for those up to 99.
    Number,
    /// A day: `Monday`, `today`, `tomorrow`.
    Weekday,
    /// A time of day: `10:30`.
    Time,
    /// `yes` or `no`.
    YesNo,
    /// A value with rules of its own: money, a date, a telephone number, an IBAN.
    Value(value::Kind),
    /// One of these.
    List(Vec<String>),
}

/// A type in a language, ready to be heard.
#[derive(Debug, Clone)]
pub struct Slot {
    kind: Kind,
    tongue: Tongue,
    context: Context,
    /// The values that a recogniser listens for, in its words.
    shape: Pattern,
    /// Everything that is a value, in plain words.
    plain: Pattern,
}

/// The type names, for messages.
pub const NAMES: [&str; 16] = [
    "digit",
    "digits4 (or any other length)",
    "digits",
    "number",
    "weekday",
    "time",
    "yesno",
    "money",
    "date",
    "duration",
    "phone",
    "email",
    "name",
    "iban",
    "card",
    "postcode",
];

/// The names of values with rules of their own.
const VALUES: [(&str, value::Kind); 9] = [
    ("money", value::Kind::Money),
    ("date", value::Kind::Date),
    ("duration", value::Kind::Duration),
    ("phone", value::Kind::Phone),
    ("email", value::Kind::Email),
    ("name", value::Kind::Name),
    ("iban", value::Kind::Iban),
    ("card", value::Kind::Card),
    ("postcode", value::Kind::Postcode),
];

/// The longest run of digits.
const MOST_DIGITS: u8 = 16;

/// Days: the value, then English and German words for it.
const DAYS: [(&str, &str, &str); 9] = [
    ("Monday", "monday", "montag"),
    ("Tuesday", "tuesday", "dienstag"),
    ("Wednesday", "wednesday", "mittwoch"),
    ("Thursday", "thursday", "donnerstag"),
    ("Friday", "friday", "freitag"),
    ("Saturday", "saturday", "samstag"),
    ("Sunday", "sunday", "sonntag"),
    ("today", "today", "heute"),
    ("tomorrow", "tomorrow", "morgen"),
];

impl Kind {
    /// Reads what stands after the colon: a type name, or the values of a list.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "digit" => return Some(Self::Digit),
            "digits" => return Some(Self::Digits(None)),
            "number" => return Some(Self::Number),
            "weekday" | "day" => return Some(Self::Weekday),
            "time" => return Some(Self::Time),
            "yesno" => return Some(Self::YesNo),
            _ => {}
        }
        if let Some((_, kind)) = VALUES.iter().find(|(name, _)| *name == text) {
            return Some(Self::Value(*kind));
        }
        if let Some(length) = text.strip_prefix("digits") {
            let length = length.trim_start_matches(':').trim().parse().ok()?;
            return (1..=MOST_DIGITS).contains(&length).then_some(Self::Digits(Some(length)));
        }
        let items: Vec<String> = text.split('|').map(|item| item.trim().to_owned()).collect();
        let speakable = |item: &String| {
            Pattern::parse(item).is_ok_and(|pattern| {
                pattern.nodes().iter().all(|n| matches!(n, Pattern::Word(_) | Pattern::All(_)))
            })
        };
        (items.len() > 1 && items.iter().all(speakable)).then_some(Self::List(items))
    }

    /// The kind of value that is heard, if it may be said in pieces or has rules of its own.
    pub fn heard_as(&self) -> Option<value::Kind> {
        match self {
            Self::Value(kind) => Some(*kind),
            Self::Digits(length) => Some(value::Kind::Digits(*length)),
            Self::Digit
            | Self::Number
            | Self::Weekday
            | Self::Time
            | Self::YesNo
            | Self::List(_) => None,
        }
    }

    /// The value that pressed keys mean: digits, a time as `930`, 1 for Monday, 1 for yes, the
    /// place in a list.
    pub fn from_keys(&self, keys: &str) -> Option<String> {
        let keys = keys.trim_end_matches('#');
        if keys.is_empty() || !keys.bytes().all(|key| key.is_ascii_digit()) {
            return None;
        }
        // A card or an account has more digits than a number that counts something.
        if let Self::Digits(length) = self {
            let fits = length.is_none_or(|length| keys.len() == usize::from(length));
            return fits.then(|| keys.to_owned());
        }
        let number: u32 = keys.parse().ok()?;
        let place = |length: usize| {
            usize::try_from(number).ok()?.checked_sub(1).filter(|place| *place < length)
        };
        match self {
            Self::Digit => (keys.len() == 1).then(|| keys.to_owned()),
            Self::Digits(_) => None,
            Self::Number => Some(number.to_string()),
            Self::Weekday => Some(DAYS[..7].get(place(7)?)?.0.to_owned()),
            Self::Time => {
                let (hour, minute) =
                    if keys.len() > 2 { (number / 100, number % 100) } else { (number, 0) };
                (hour < 24 && minute < 60).then(|| format!("{hour}:{minute:02}"))
            }
            Self::YesNo => Some(if place(2)? == 0 { "yes" } else { "no" }.to_owned()),
            Self::Value(_) => None,
            Self::List(items) => items.get(place(items.len())?).cloned(),
        }
    }

    /// The value as the agent says it.
    pub fn spoken(&self, value: &str, tongue: Tongue) -> String {
        match self {
            Self::Digit | Self::Digits(_) => numerals::spell_digits(value, tongue),
            Self::Weekday => {
                let day = DAYS.iter().find(|(name, _, _)| *name == value);
                match (tongue, day) {
                    (Tongue::German, Some((_, _, "heute" | "morgen"))) => {
                        if value == "today" { "heute" } else { "morgen" }.to_owned()
                    }
                    (Tongue::German, Some((_, _, german))) => capitalised(german),
                    (Tongue::English | Tongue::German, _) => value.to_owned(),
                }
            }
            Self::Time => value
                .split_once(':')
                .and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)))
                .map_or_else(|| value.to_owned(), |(h, m)| clock::spoken(h, m, tongue)),
            Self::YesNo => match (tongue, value) {
                (Tongue::German, "yes") => "ja".to_owned(),
                (Tongue::German, _) => "nein".to_owned(),
                (Tongue::English, _) => value.to_owned(),
            },
            Self::Value(kind) => Value::parse(*kind, value).map_or_else(
                || value.to_owned(),
                |value| read_back::written(&value, Locale::from(tongue)),
            ),
            Self::Number => {
                read_back::written(&Value::Number(value.to_owned()), Locale::from(tongue))
            }
            Self::List(_) => value.to_owned(),
        }
    }

    /// Everything that is a value, in the phrase language.
    fn shape(&self, tongue: Tongue) -> String {
        let (units, tens) = numerals::tables(tongue);
        let digit = || format!("({}{})", units[..10].join("|"), other_digits(tongue));
        let global = |wanted: Global| {
            tongue
                .globals()
                .into_iter()
                .find(|(global, _)| *global == wanted)
                .map_or("", |(_, s)| s)
        };
        match (self, tongue) {
            (Self::Digit | Self::Digits(None), _) => digit(),
            (Self::Digits(Some(length)), _) => vec![digit(); usize::from(*length)].join(" "),
            (Self::Number, Tongue::English) => format!(
                "({}|({}) [({})])",
                units.join("|"),
                tens[2..].join("|"),
                units[1..10].join("|")
            ),
            (Self::Number, Tongue::German) => {
                let all: Vec<String> =
                    (0..100).map(|number| numerals::spell(number, tongue)).collect();
                format!("({})", all.join("|"))
            }
            (Self::Weekday, Tongue::English) => {
                format!("[(next|this)] ({})", DAYS.map(|(_, english, _)| english).join("|"))
            }
            (Self::Weekday, Tongue::German) => {
                format!("({}|sonnabend)", DAYS.map(|(_, _, german)| german).join("|"))
            }
            (Self::Time, _) => clock::shape(tongue),
            (Self::YesNo, _) => format!("({}|{})", global(Global::Yes), global(Global::No)),
            (Self::Value(kind), _) => shape::shape(*kind, tongue),
            (Self::List(items), _) => format!("({})", items.join("|")),
        }
    }
}

impl Slot {
    /// Makes a type ready for a language.
    pub fn new(kind: Kind, tongue: Tongue) -> Self {
        Self::within(kind, Context::of(Locale::from(tongue)))
    }

    /// Makes a type ready for a language as it is spoken somewhere.
    pub fn within(kind: Kind, context: Context) -> Self {
        let tongue = context.locale.tongue;
        let plain = Pattern::built_in(&kind.shape(tongue)).plain(tongue);
        let shape = match kind {
            Kind::Time => clock::common_shape(tongue),
            _ => kind.shape(tongue),
        };
        Self { shape: Pattern::built_in(&shape).spoken(tongue), plain, kind, tongue, context }
    }

    /// The type.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The value that pressed keys mean; digits of telephone numbers, cards and postcodes too.
    pub fn from_keys(&self, keys: &str) -> Option<String> {
        let Kind::Value(kind) = self.kind else { return self.kind.from_keys(keys) };
        let keys = keys.trim_end_matches('#');
        let digits = !keys.is_empty() && keys.bytes().all(|b| b.is_ascii_digit());
        let heard = hear::read(kind, &[keys.to_owned()], &self.context);
        heard.value().filter(|_| digits).map(ToString::to_string)
    }

    /// The body of a JSGF rule for all values.
    pub fn jsgf(&self) -> String {
        let shape = self.shape.jsgf(&str::to_owned);
        let repeats = match &self.kind {
            Kind::Value(kind) => shape::repeats(*kind),
            kind => *kind == Kind::Digits(None),
        };
        if repeats { format!("{shape}+") } else { shape }
    }

    /// All words of all values, as a recogniser knows them.
    pub fn words(&self) -> Vec<String> {
        let words = self.shape.nodes().into_iter().filter_map(|node| match node {
            Pattern::Word(word) => Some(word.clone()),
            _ => None,
        });
        words.collect()
    }

    /// Reads values at the start of some words: how many words each takes, the longest first.
    pub fn read(&self, tokens: &[String]) -> Vec<(usize, String)> {
        let mut found = match &self.kind {
            Kind::Digits(length) => self.read_digits(tokens, *length),
            Kind::Number => self.heard(value::Kind::Number, tokens),
            Kind::Value(kind) => self.heard(*kind, tokens),
            _ => {
                let lengths = self.plain.lengths(tokens).into_iter();
                let value =
                    |length: usize| tokens.get(..length).and_then(|tokens| self.value(tokens));
                lengths.filter_map(|length| Some((length, value(length)?))).collect()
            }
        };
        found.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        found
    }

    /// What is known before the value is heard.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The value in a call on this day: a date that was said by its distance gets its own.
    pub fn settled(&self, value: String, today: Option<Date>) -> String {
        let Kind::Value(value::Kind::Date) = self.kind else { return value };
        value.parse::<When>().map_or(value, |when| when.settled(today).to_string())
    }

    fn heard(&self, kind: value::Kind, tokens: &[String]) -> Vec<(usize, String)> {
        let Heard::Value(readings) = hear::read(kind, tokens, &self.context) else {
            return Vec::new();
        };
        let mut found: Vec<(usize, String)> = Vec::new();
        for reading in readings {
            // Of several readings of the same words the likeliest stands first.
            if !found.iter().any(|(used, _)| *used == reading.used) {
                found.push((reading.used, reading.value.to_string()));
            }
        }
        found
    }

    /// What the words of one whole value mean.
    fn value(&self, tokens: &[String]) -> Option<String> {
        match &self.kind {
            Kind::Digit | Kind::Digits(_) => {
                numerals::read_digit(tokens.first()?, self.tongue).map(|digit| digit.to_string())
            }
            Kind::Number | Kind::Value(_) => None,
            Kind::Weekday => {
                let said = tokens.last()?;
                let said = if said == "sonnabend" { "samstag" } else { said };
                DAYS.iter()
                    .find(|(_, english, german)| *english == said || *german == said)
                    .map(|(value, _, _)| (*value).to_owned())
            }
            Kind::Time => {
                clock::read(tokens, self.tongue).map(|(hour, minute)| format!("{hour}:{minute:02}"))
            }
            Kind::YesNo => {
                let yes = self.tongue.globals().into_iter().any(|(global, shape)| {
                    global == Global::Yes
                        && Pattern::built_in(shape)
                            .plain(self.tongue)
                            .lengths(tokens)
                            .contains(&tokens.len())
                });
                Some(if yes { "yes" } else { "no" }.to_owned())
            }
            Kind::List(items) => {
                items.iter().find(|item| tokens::tokens(item, self.tongue) == tokens).cloned()
            }
        }
    }

    /// Reads digits, also in pairs as people say them: "seventy three nineteen".
    fn read_digits(&self, tokens: &[String], length: Option<u8>) -> Vec<(usize, String)> {
        let most = usize::from(length.unwrap_or(MOST_DIGITS));
        let (mut at, mut digits, mut found) = (0, String::new(), Vec::new());
        while digits.len() < most {
            let Some(rest) = tokens.get(at..) else { break };
            let Some((used, number)) = numerals::read(rest, self.tongue) else { break };
            digits.push_str(&number.to_string());
            at += used;
            let fits =
                length.map_or(digits.len() <= most, |length| digits.len() == usize::from(length));
            if fits {
                found.push((at, digits.clone()));
            }
        }
        found
    }
}

fn other_digits(tongue: Tongue) -> &'static str {
    match tongue {
        Tongue::English => "|oh",
        Tongue::German => "|zwo",
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::intents::tokens::tokens;

    fn read(kind: &str, text: &str, tongue: Tongue) -> Vec<(usize, String)> {
        let slot = Slot::new(Kind::parse(kind).expect(kind), tongue);
        slot.read(&tokens(text, tongue))
    }

    #[test]
    fn values_are_read_and_normalised() {
        use Tongue::{English, German};
        for (kind, text, tongue, length, value) in [
            ("digit", "seven", English, 1, "7"),
            ("digits4", "7319", English, 4, "7319"),
            ("digits:4", "seventy three nineteen please", English, 3, "7319"),
            ("digits", "one oh two", English, 3, "102"),
            ("number", "forty two bikes", English, 2, "42"),
            ("weekday", "next Monday", English, 2, "Monday"),
            ("weekday", "tomorrow", English, 1, "tomorrow"),
            ("time", "half past nine", English, 3, "9:30"),
            ("yesno", "that's right", English, 3, "yes"),
            ("yesno", "no thank you", English, 3, "no"),
            ("oil change|new tires", "new tires", English, 2, "new tires"),
            ("weekday", "Dienstag", German, 1, "Tuesday"),
            ("weekday", "Sonnabend", German, 1, "Saturday"),
            ("time", "halb zehn", German, 2, "9:30"),
            ("number", "einundzwanzig", German, 1, "21"),
            ("digits2", "zwo drei", German, 2, "23"),
        ] {
            let found = read(kind, text, tongue);
            assert_eq!(found.first(), Some(&(length, value.to_owned())), "{kind} {text}");
        }
        for (kind, text) in [("digit", "ten"), ("digits4", "123"), ("weekday", "someday")] {
            assert!(read(kind, text, English).is_empty(), "{kind} {text}");
        }
    }

    #[test]
    fn unknown_types_are_refused() {
        for kind in ["weekdya", "digits0", "digits99", "digitsx", "a|", "a|(b|c)", "a|5€", ""] {
            assert_eq!(Kind::parse(kind), None, "{kind}");
        }
    }

    #[test]
    fn values_are_said_back() {
        for (kind, value, english, german) in [
            ("weekday", "Tuesday", "Tuesday", "Dienstag"),
            ("weekday", "tomorrow", "tomorrow", "morgen"),
            ("time", "9:30", "nine thirty", "9 Uhr 30"),
            ("digits2", "73", "seven three", "sieben drei"),
            ("yesno", "no", "no", "nein"),
            ("red|blue", "red", "red", "red"),
        ] {
            let kind = Kind::parse(kind).expect(kind);
            assert_eq!(kind.spoken(value, Tongue::English), english);
            assert_eq!(kind.spoken(value, Tongue::German), german);
        }
    }

    #[test]
    fn keys_are_values_too() {
        for (kind, keys, value) in [
            ("digits4", "7319", Some("7319")),
            ("digits4", "731", None),
            ("digits16", "4111111111111111#", Some("4111111111111111")),
            ("digits", "00491711234567890", Some("00491711234567890")),
            ("weekday", "1", Some("Monday")),
            ("weekday", "8", None),
            ("time", "930", Some("9:30")),
            ("time", "15#", Some("15:00")),
            ("time", "2575", None),
            ("yesno", "2", Some("no")),
            ("red|blue", "2", Some("blue")),
            ("red|blue", "*", None),
        ] {
            let kind = Kind::parse(kind).expect(kind);
            assert_eq!(kind.from_keys(keys).as_deref(), value, "{keys}");
        }
    }

    #[test]
    fn every_built_in_shape_is_a_phrase() {
        for tongue in [Tongue::English, Tongue::German] {
            for kind in ["digit", "digits", "digits9", "number", "weekday", "time", "yesno"] {
                let slot = Slot::new(Kind::parse(kind).expect(kind), tongue);
                assert!(!slot.jsgf().is_empty() && !slot.words().is_empty());
            }
        }
    }
}
