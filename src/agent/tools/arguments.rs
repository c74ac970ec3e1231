//! The arguments that a model gives: read, and held against their schema before anything is done
//! (T14). Of JSON Schema this knows what our own schemas say; it leaves alone what it does not know.

use std::str::FromStr as _;

use serde_json::{Map, Value};

use crate::base::calendar::Date;

/// Reads the arguments of a call.
///
/// # Errors
/// With what is wrong with them, for the model.
pub fn read(schema: &str, arguments: &str) -> Result<Map<String, Value>, String> {
    if arguments.len() > LARGEST {
        return Err(format!("the arguments have more than {LARGEST} octets"));
    }
    let written = if arguments.trim().is_empty() { "{}" } else { arguments };
    let Ok(Value::Object(arguments)) = serde_json::from_str(written) else {
        return Err("the arguments must be a JSON object".to_owned());
    };
    let Ok(schema) = serde_json::from_str::<Value>(schema) else { return Ok(arguments) };
    let mut wrong = Vec::new();
    let value = Value::Object(arguments);
    check(&schema, &value, ("the arguments", 0), &mut wrong);
    let Value::Object(arguments) = value else { return Ok(Map::new()) };
    match wrong.len() {
        0 => Ok(arguments),
        _ => {
            wrong.truncate(MOST_TOLD);
            Err(wrong.join("; "))
        }
    }
}

/// Checks a value, and all that is in it.
fn check(schema: &Value, value: &Value, (path, depth): (&str, u32), wrong: &mut Vec<String>) {
    if depth > DEEPEST || wrong.len() >= MOST_TOLD {
        return;
    }
    if let Some(wanted) = unlike(&schema["type"], value) {
        return wrong.push(format!("{path} must be {wanted}"));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
        return wrong.push(format!("{path} must be one of {}", choices.join(", ")));
    }
    match value {
        Value::Object(table) => check_table(schema, table, (path, depth), wrong),
        Value::Array(list) => {
            for (at, item) in list.iter().enumerate() {
                check(&schema["items"], item, (&format!("{path}[{at}]"), depth + 1), wrong);
            }
        }
        Value::String(text) => {
            let format = schema["format"].as_str().unwrap_or_default();
            if let Some(wanted) = misformed(format, text) {
                wrong.push(format!("{path} must be {wanted}"));
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
                wrong.push(format!("{path} must be {least} or more"));
            }
            if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
                wrong.push(format!("{path} must be {most} or less"));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_table(
    schema: &Value,
    table: &Map<String, Value>,
    (_, depth): (&str, u32),
    wrong: &mut Vec<String>,
) {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !table.contains_key(name) {
            wrong.push(format!("`{name}` is missing"));
        }
    }
    for (name, value) in table {
        let known = schema["properties"].get(name);
        match known {
            Some(schema) => check(schema, value, (&format!("`{name}`"), depth + 1), wrong),
            None if schema["additionalProperties"] == Value::Bool(false) => {
                wrong.push(format!("there is no `{}`", shown(name)));
            }
            None => {}
        }
    }
}

/// What a value should be, if it is something else.
fn unlike(wanted: &Value, value: &Value) -> Option<&'static str> {
    let names: Vec<&str> = match wanted {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let is = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|it| it.fract() == 0.0)
        }
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    };
    if names.iter().any(|name| is(name)) {
        return None;
    }
    Some(match names.first().copied().unwrap_or_default() {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        _ => "something else",
    })
}

/// How a text should look, if it looks otherwise.
fn misformed(format: &str, text: &str) -> Option<&'static str> {
    let (fits, wanted) = match format {
        "date" => (Date::from_str(text).is_ok(), "a day such as 2026-12-24"),
        "time" => (is_time(text), "a time of day such as 18:00"),
        "phone" => (is_phone(text), "a telephone number such as +4971112345"),
        "email" => (is_address(text), "an e-mail address"),
        _ => return None,
    };
    (!fits).then_some(wanted)
}

/// `18:00` or `18:00:30`.
fn is_time(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let two = |part: &&str| part.len() == 2 && part.bytes().all(|octet| octet.is_ascii_digit());
    let below = |at: usize, most: u8| {
        parts.get(at).is_none_or(|part| part.parse::<u8>().is_ok_and(|number| number < most))
    };
    (2..=3).contains(&parts.len())
        && parts.iter().all(two)
        && below(0, 24)
        && below(1, 60)
        && below(2, 60)
}

fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let fits = |c: char| c.is_ascii_digit() || " -/()".contains(c);
    (3..=15).contains(&digits) && text.strip_prefix('+').unwrap_or(text).chars().all(fits)
}

/// Whether a text is one e-mail address and nothing else.
pub fn is_address(text: &str) -> bool {
    let Some((user, domain)) = text.rsplit_once('@') else { return false };
    let sign = |c: char| c.is_whitespace() || c.is_control() || "@,;:<>()[]\"\\".contains(c);
    let plain = |part: &str| !part.is_empty() && !part.contains(sign);
    text.len() <= 254 && plain(user) && plain(domain) && domain.contains('.')
}

/// A name of a model's making, fit to be told.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// The most that a model may give, in octets (T14).
pub const LARGEST: usize = 8 * 1_024;

/// How many mistakes are told at once.
const MOST_TOLD: usize = 5;

/// How deep values are looked at.
const DEEPEST: u32 = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCHEMA: &str = r#"{"type":"object","properties":{
        "date":{"type":"string","format":"date"},
        "time":{"type":"string","format":"time"},
        "phone":{"type":"string","format":"phone"},
        "mail":{"type":"string","format":"email"},
        "service":{"type":"string","enum":["repair","sale"]},
        "seats":{"type":"integer","minimum":1,"maximum":9},
        "tags":{"type":"array","items":{"type":"string"}}
    },"required":["date"],"additionalProperties":false}"#;

    #[test]
    fn arguments_that_fit_are_taken() {
        for good in [
            r#"{"date":"2026-12-24"}"#,
            r#"{"date":"2026-12-24","time":"18:00","phone":"+49 711/12345","mail":"a@b.de"}"#,
            r#"{"date":"2028-02-29","service":"sale","seats":9,"tags":["a"]}"#,
        ] {
            assert!(read(SCHEMA, good).is_ok(), "{good}");
        }
        assert_eq!(read("{}", ""), Ok(Map::new()));
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused_with_the_reason() {
        for (bad, why) in [
            ("{}", "`date` is missing"),
            ("[]", "the arguments must be a JSON object"),
            (r#"{"date":"#, "the arguments must be a JSON object"),
            (r#"{"date":"tomorrow"}"#, "`date` must be a day such as 2026-12-24"),
            (r#"{"date":"2026-02-30"}"#, "`date` must be a day such as 2026-12-24"),
            (r#"{"date":20261224}"#, "`date` must be a text"),
            (
                r#"{"date":"2026-12-24","time":"25:00"}"#,
                "`time` must be a time of day such as 18:00",
            ),
            (
                r#"{"date":"2026-12-24","phone":"x"}"#,
                "`phone` must be a telephone number such as +4971112345",
            ),
            (r#"{"date":"2026-12-24","mail":"a@b"}"#, "`mail` must be an e-mail address"),
            (
                r#"{"date":"2026-12-24","service":"theft"}"#,
                "`service` must be one of \"repair\", \"sale\"",
            ),
            (r#"{"date":"2026-12-24","seats":0.5}"#, "`seats` must be a whole number"),
            (r#"{"date":"2026-12-24","seats":10}"#, "`seats` must be 9 or less"),
            (r#"{"date":"2026-12-24","tags":["a",1]}"#, "`tags`[1] must be a text"),
            (r#"{"date":"2026-12-24","confirmed":true}"#, "there is no `confirmed`"),
        ] {
            assert_eq!(read(SCHEMA, bad), Err(why.to_owned()), "{bad}");
        }
        let large = format!(r#"{{"date":"{}"}}"#, "x".repeat(LARGEST));
        assert!(read(SCHEMA, &large).is_err_and(|why| why.contains("octets")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_arguments_make_it_panic(text in r#"[\[\]{}":,a-z0-9é-]{0,40}"#, schema in r#"[\[\]{}":,a-z]{0,40}"#) {
            let _ = read(SCHEMA, &text);
            let _ = read(&schema, &text);
        }
    }
}
