//! What stands in the files as JSON and back: secrets do not come along, and stay when what was shown
//! of them is sent again.

use serde_json::{Map, Value};
use toml_edit::{Item, TableLike};

use crate::config::editing::wish::Refused;
use crate::config::source::{is_secret_key, starred};

/// What an item says, secrets and all. References stay as they are written.
pub fn said(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => said_by(value),
        Item::Table(table) => said_in(table),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| said_in(table)).collect(),
    }
}

/// What a value says.
pub fn said_by(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        // JSON has no word for infinity.
        toml_edit::Value::Float(number) => {
            let number = *number.value();
            serde_json::Number::from_f64(number)
                .map_or_else(|| number.to_string().into(), Value::Number)
        }
        toml_edit::Value::Boolean(truth) => (*truth.value()).into(),
        toml_edit::Value::Datetime(time) => time.value().to_string().into(),
        toml_edit::Value::Array(array) => array.iter().map(said_by).collect(),
        toml_edit::Value::InlineTable(table) => said_in(table),
    }
}

/// What a table says.
pub fn said_in(table: &dyn TableLike) -> Value {
    let said = table.iter().map(|(key, item)| (key.to_owned(), said(item)));
    Value::Object(said.collect())
}

/// The same without its secrets.
pub fn shown(value: &Value) -> Value {
    shown_as(value, false)
}

fn shown_as(value: &Value, is_secret: bool) -> Value {
    match value {
        Value::Object(object) => {
            let shown = object
                .iter()
                .map(|(key, value)| (key.clone(), shown_as(value, is_secret || hides(key))));
            Value::Object(shown.collect())
        }
        Value::Array(array) => array.iter().map(|it| shown_as(it, is_secret)).collect(),
        Value::String(text) if is_secret && !is_reference(text) => STARS.into(),
        Value::String(text) => starred(text).into(),
        Value::Number(_) if is_secret => STARS.into(),
        Value::Number(_) | Value::Bool(_) | Value::Null => value.clone(),
    }
}

/// What is meant by what somebody sends: what is shown of a secret stands for the secret itself.
///
/// # Errors
/// When a secret is meant that is not there, and for what no file can hold.
pub fn meant(
    sent: Map<String, Value>,
    kept: Option<&Value>,
) -> Result<Map<String, Value>, Refused> {
    match restored(Value::Object(sent), kept, &mut String::new(), false)? {
        Value::Object(meant) => Ok(meant),
        _ => Ok(Map::new()),
    }
}

fn restored(
    sent: Value,
    kept: Option<&Value>,
    pointer: &mut String,
    is_secret: bool,
) -> Result<Value, Refused> {
    if kept.is_some_and(|kept| !kept.is_object() && shown_as(kept, is_secret) == sent) {
        return Ok(kept.cloned().unwrap_or(sent));
    }
    let wrong = |pointer: &str, why: &str| Refused::Value(pointer.to_owned(), why.to_owned());
    let length = pointer.len();
    match sent {
        Value::Object(object) => {
            let mut meant = Map::new();
            for (key, value) in object {
                if value.is_null() {
                    let why = "leave a key out that is to say nothing: TOML has no null";
                    return Err(wrong(&format!("{pointer}/{}", escaped(&key)), why));
                }
                pointer.push('/');
                pointer.push_str(&escaped(&key));
                let before = kept.and_then(|kept| kept.get(&key));
                let value = restored(value, before, pointer, is_secret || hides(&key))?;
                pointer.truncate(length);
                meant.insert(key, value);
            }
            Ok(Value::Object(meant))
        }
        Value::Array(array) => {
            // Which secret belongs to which element is known only while there are as many.
            let before = kept.and_then(Value::as_array).filter(|it| it.len() == array.len());
            let mut meant = Vec::new();
            for (number, value) in array.into_iter().enumerate() {
                pointer.push_str(&format!("/{number}"));
                let before = before.and_then(|before| before.get(number));
                meant.push(restored(value, before, pointer, is_secret)?);
                pointer.truncate(length);
            }
            Ok(Value::Array(meant))
        }
        Value::Null => Err(wrong(pointer, "TOML has no null")),
        Value::String(text) if is_secret && text == STARS => {
            let why = "`***` stands for a secret that is there already, and there is none here";
            Err(wrong(pointer, why))
        }
        // Otherwise whoever may write an agent could have it say every secret of the machine (T38).
        Value::String(text) if refers(&text) && (!is_secret || text.contains("${file:")) => {
            let why = "programs name a secret only where a secret stands, and no file: write this \
                       into the file by hand, or $$ for a dollar sign";
            Err(wrong(pointer, why))
        }
        Value::Number(number) if number.as_i64().is_none() && !number.is_f64() => {
            Err(wrong(pointer, "this number is too large for a file"))
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(sent),
    }
}

/// Merges into what a thing says (RFC 7396).
pub fn merged(kept: &Value, patch: Map<String, Value>) -> Map<String, Value> {
    let mut merged = kept.as_object().cloned().unwrap_or_default();
    for (key, value) in patch {
        match value {
            // The others stay in their order, if they have one.
            Value::Null => merged.retain(|name, _| *name != key),
            Value::Object(inner) => {
                let before = merged.get(&key).cloned().unwrap_or_default();
                merged.insert(key, Value::Object(self::merged(&before, inner)));
            }
            other => {
                merged.insert(key, other);
            }
        }
    }
    merged
}

/// Whether what stands below this key is nobody's business.
fn hides(key: &str) -> bool {
    is_secret_key(key) || key == "headers"
}

/// Whether a text names a secret, and is none itself.
fn is_reference(text: &str) -> bool {
    let mut rest = text;
    let mut own = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        own.push_str(before);
        let Some((_, after)) = after.split_once('}') else { return false };
        rest = after;
    }
    own.push_str(rest);
    let own = own.trim();
    own.is_empty() || ["bearer", "basic", "token"].iter().any(|it| own.eq_ignore_ascii_case(it))
}

/// Whether a text refers to something: `$$` is a dollar sign.
fn refers(text: &str) -> bool {
    text.replace("$$", "").contains("${")
}

/// A key in a pointer (RFC 6901 3).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What is shown of a secret.
const STARS: &str = "***";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn secrets_are_not_shown_and_what_is_shown_of_them_stands_for_them() {
        let kept = json!({
            "username": "anna", "password": "hunter2", "url": "https://u:pw@x.test/a?password=z",
            "headers": { "X-Plain": "geheim", "Authorization": "Bearer ${secret:CRM}" },
            "list": [{ "token": "one" }, { "token": "two" }],
            "api_key": "abc${env:X}", "secret": 12,
        });
        let seen = shown(&kept);
        let text = seen.to_string();
        for secret in ["hunter2", "pw@", "=z", "geheim", "one", "two", "abc", "12"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert_eq!(seen["headers"]["Authorization"], "Bearer ${secret:CRM}");
        assert_eq!(meant(object(seen.clone()), Some(&kept)), Ok(object(kept.clone())));
        let mut changed = object(seen);
        changed.insert("password".to_owned(), json!("new"));
        assert_eq!(meant(changed.clone(), Some(&kept)).expect("a thing")["password"], "new");
        changed.insert("list".to_owned(), json!([{ "token": "***" }]));
        let Err(Refused::Value(pointer, _)) = meant(changed, Some(&kept)) else {
            panic!("which of the two?")
        };
        assert_eq!(pointer, "/list/0/token");
        assert!(meant(object(json!({ "password": "***" })), None).is_err());
        for (sent, is_fine) in [
            (json!({ "prompt": "${env:HOME}" }), false),
            (json!({ "prompt": "$${env:HOME}" }), true),
            (json!({ "password": "${file:/etc/shadow}" }), false),
            (json!({ "password": "${secret:trunk}" }), true),
            (json!({ "headers": { "Authorization": "Bearer ${secret:crm}" } }), true),
        ] {
            assert_eq!(meant(object(sent.clone()), None).is_ok(), is_fine, "{sent}");
            assert!(meant(object(sent.clone()), Some(&sent)).is_ok(), "what is there may stay");
        }
        assert!(meant(object(json!({ "a": [null] })), None).is_err());
        assert!(meant(object(json!({ "a": 18_446_744_073_709_551_615_u64 })), None).is_err());
    }

    #[test]
    fn a_merge_takes_away_what_is_null() {
        let kept = json!({ "a": 1, "b": { "c": 2, "d": 3 } });
        let patch = object(json!({ "a": null, "b": { "c": 4, "d": null }, "e": [5] }));
        assert_eq!(Value::Object(merged(&kept, patch)), json!({ "b": { "c": 4 }, "e": [5] }));
    }
}
