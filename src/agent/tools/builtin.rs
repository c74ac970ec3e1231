//! The tools that the house has without any table of the operator's.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::agent::tool::{Tool, ToolCall};
use crate::agent::tools::calculator;
use crate::base::calendar::Weekday;
use crate::base::zone::{Local, Zone};

/// A tool of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// Which day and time it is.
    Now,
    /// Works a sum out.
    Calculator,
    /// Presses keys of the telephone.
    SendDtmf,
    /// Asks the caller for keys.
    CollectDigits,
    /// Notes a message for somebody.
    TakeMessage,
    /// Notes that the caller wants to be called.
    ScheduleCallback,
}

impl Builtin {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Now,
        Self::Calculator,
        Self::SendDtmf,
        Self::CollectDigits,
        Self::TakeMessage,
        Self::ScheduleCallback,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Calculator => "calculator",
            Self::SendDtmf => "send_dtmf",
            Self::CollectDigits => "collect_digits",
            Self::TakeMessage => "take_message",
            Self::ScheduleCallback => "schedule_callback",
        }
    }

    /// The tool of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// The tool as a model sees it.
    pub fn tool(self) -> Tool {
        let (description, properties, required): (_, Value, &[&str]) = match self {
            Self::Now => ("Tells the day, the weekday and the time of day.", json!({}), &[]),
            Self::Calculator => (
                "Works out a sum exactly. Use it for every amount that you tell.",
                json!({ "expression": text_about("Numbers with + - * / % and brackets: 3 * (19.90 - 2.5)") }),
                &["expression"],
            ),
            Self::SendDtmf => (
                "Presses keys of the telephone, for the menu of another system.",
                json!({ "keys": text_about("At most 32 of 0-9 * # A-D; w waits half a second.") }),
                &["keys"],
            ),
            Self::CollectDigits => (
                "Asks the caller to press keys, and gives them. Use it for numbers that must be \
                 exact. Say nothing besides: the prompt is said.",
                wanted_keys(),
                &["prompt"],
            ),
            Self::TakeMessage => (
                "Notes a message for somebody who is not there. Read it back to the caller first.",
                json!({
                    "text": text_about("The message, in whole sentences."),
                    "name": text_about("Who leaves it."),
                    "for": text_about("Whom it is for."),
                    "number": {
                        "type": "string", "format": "phone",
                        "description": "Where the caller can be reached, if not at the number \
                                        of this call.",
                    },
                }),
                &["text"],
            ),
            Self::ScheduleCallback => (
                "Notes that the caller wants to be called back.",
                json!({
                    "date": { "type": "string", "format": "date", "description": "The day." },
                    "time": { "type": "string", "format": "time", "description": "The time of day." },
                    "number": {
                        "type": "string", "format": "phone",
                        "description": "The number to call, if not that of this call.",
                    },
                    "reason": text_about("What it is about."),
                }),
                &["date", "time"],
            ),
        };
        let parameters = json!({
            "type": "object", "properties": properties, "required": required,
            "additionalProperties": false,
        });
        Tool {
            name: self.name().to_owned(),
            description: description.to_owned(),
            parameters: parameters.to_string(),
        }
    }
}

fn text_about(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

/// Which keys a model may ask for.
fn wanted_keys() -> Value {
    let count = |about: &str| json!({ "type": "integer", "minimum": 1, "maximum": MOST_KEYS, "description": about });
    json!({
        "prompt": text_about("What is said first: what to press, and what ends it."),
        "length": count("How many keys, if that is known."),
        "max": count("How many keys at most, if there may be fewer."),
        "finish_on": {
            "type": "string", "enum": ["#", "*", ""],
            "description": "The key that ends them; # without it, and \"\" for none.",
        },
        "sensitive": {
            "type": "boolean",
            "description": "True for numbers of cards and PINs: nothing of them is recorded.",
        },
    })
}

/// Whether what a tool asks for is nobody's business.
pub fn is_sensitive(call: &ToolCall) -> bool {
    let given = serde_json::from_str::<Value>(&call.arguments).unwrap_or_default();
    call.name == Builtin::CollectDigits.name() && given["sensitive"] == Value::Bool(true)
}

/// Which day and time it is, for a model.
pub fn now(since_epoch: Duration, zone: &Zone) -> String {
    let Local { date, minute } = zone.local(since_epoch);
    let (weekday, time) = (weekday(date.weekday()), clock(minute));
    json!({ "date": date.to_string(), "weekday": weekday, "time": time, "zone": zone.name() })
        .to_string()
}

/// Works a sum out, for a model.
///
/// # Errors
/// With what is wrong with it.
pub fn calculate(arguments: &Map<String, Value>) -> Result<String, String> {
    let expression = text(arguments, "expression").unwrap_or_default();
    calculator::evaluate(&expression).map_err(str::to_owned)
}

/// The keys that a model wants pressed, in groups with a pause of so long before each.
///
/// # Errors
/// With what is wrong with them.
pub fn keys(arguments: &Map<String, Value>) -> Result<Vec<(Duration, String)>, String> {
    let keys = text(arguments, "keys").unwrap_or_default().to_ascii_uppercase();
    let is_key = |key: char| "0123456789*#ABCDW".contains(key);
    if keys.is_empty() || keys.len() > MOST_KEYS || !keys.chars().all(is_key) {
        return Err(format!("the keys must be 1 to {MOST_KEYS} of 0-9 * # A-D and w"));
    }
    let mut groups: Vec<(Duration, String)> = Vec::new();
    let mut pause = Duration::ZERO;
    for key in keys.chars() {
        match (key, groups.last_mut()) {
            ('W', _) => pause += PAUSE,
            (key, Some((_, group))) if pause.is_zero() => group.push(key),
            (key, _) => groups.push((std::mem::take(&mut pause), key.to_string())),
        }
    }
    Ok(groups)
}

/// A text among the arguments, without what no text has and at most so long.
pub fn text(arguments: &Map<String, Value>, name: &str) -> Option<String> {
    let text = arguments.get(name)?.as_str()?;
    let text: String = text.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    let text = text.trim();
    let text = text.get(..text.floor_char_boundary(LONGEST_TEXT)).unwrap_or_default();
    (!text.is_empty()).then(|| text.to_owned())
}

/// `18:05`.
pub fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn weekday(day: Weekday) -> &'static str {
    day.english()
}

/// How many keys a model may press or ask for at once (T14).
pub const MOST_KEYS: usize = 32;

/// How long a `w` waits.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest text that is noted, in octets.
const LONGEST_TEXT: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(json: Value) -> Map<String, Value> {
        json.as_object().cloned().expect("an object")
    }

    #[test]
    fn the_time_is_told_as_the_clock_on_the_wall_says_it() {
        let zone: Zone = "Europe/Berlin".parse().expect("a zone");
        let told: Value =
            serde_json::from_str(&now(Duration::from_secs(1_798_131_900), &zone)).expect("JSON");
        let expected = json!({
            "date": "2026-12-24", "weekday": "Thursday", "time": "18:05", "zone": "Europe/Berlin",
        });
        assert_eq!(told, expected);
    }

    #[test]
    fn keys_come_in_groups_with_pauses_before_them() {
        let keys = |text: &str| keys(&arguments(json!({ "keys": text })));
        let group = |pause, keys: &str| (Duration::from_millis(pause), keys.to_owned());
        assert_eq!(keys("12#"), Ok(vec![group(0, "12#")]));
        assert_eq!(keys("w1ww2*"), Ok(vec![group(500, "1"), group(1_000, "2*")]));
        for wrong in ["", "1 2", "+49", &"1".repeat(33)] {
            assert!(keys(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_tool_has_a_schema_that_its_name_leads_to() {
        for tool in Builtin::ALL {
            assert_eq!(Builtin::named(tool.name()), Some(tool));
            let schema: Value = serde_json::from_str(&tool.tool().parameters).expect("JSON");
            let known = schema["properties"].as_object().expect("an object");
            let required = schema["required"].as_array().expect("a list");
            assert!(required.iter().all(|name| known.contains_key(name.as_str().expect("a name"))));
        }
        assert_eq!(Builtin::named("end_call"), None);
    }
}
