//! What came of a request, as a model is told it: little, and nothing that leads it astray.

use serde_json::{Map, Value};

use crate::agent::tools::definition::Excerpt;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// What its body is: `application/json`.
    pub media_type: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Reads an answer: what of it the model is told.
///
/// # Errors
/// With what the model is told when it is none that helps.
pub fn read(reply: &Reply, excerpt: Option<&Excerpt>) -> Result<String, String> {
    let text = whole(reply)?;
    let Some(excerpt) = excerpt else { return Ok(cut(text.trim(), MOST_OF_A_RESULT)) };
    let Ok(json) = serde_json::from_str::<Value>(text) else {
        return Err("the service answered with something that is not JSON".to_owned());
    };
    Ok(cut(&told(&picked(&json, excerpt)?), MOST_OF_A_RESULT))
}

/// Reads an answer, whole.
///
/// # Errors
/// With what the model is told when it is none that helps.
pub fn whole(reply: &Reply) -> Result<&str, String> {
    let text = text(reply);
    match reply.status {
        200..=299 => {}
        300..=399 => return Err("the service sends us elsewhere, where we do not go".to_owned()),
        status => {
            let said = text.unwrap_or_default();
            // What a service says of a request that it does not take helps; its own troubles do not.
            let said =
                if status < 500 { cut(said.trim(), MOST_OF_A_REFUSAL) } else { String::new() };
            return Err(match said.as_str() {
                "" => format!("the service answered with HTTP {status}"),
                said => format!("the service answered with HTTP {status}: {said}"),
            });
        }
    }
    text.ok_or_else(|| {
        let media_type = reply.media_type.as_deref().unwrap_or("something");
        let media_type: String = media_type.chars().filter(|c| !c.is_control()).take(60).collect();
        format!("the service answered with {media_type}, which is no text")
    })
}

/// A value as a model is told it: a text without its quotes.
pub fn told(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text that is no longer than `most` octets, with a word about it when it was.
pub fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let head = text.get(..text.floor_char_boundary(most)).unwrap_or_default();
    format!("{head} … (cut: this is the beginning of {} octets)", text.len())
}

/// The text of a body, if it is one.
fn text(reply: &Reply) -> Option<&str> {
    let media_type = reply.media_type.as_deref().unwrap_or("text/plain").to_ascii_lowercase();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let is_text = media_type.starts_with("text/")
        || media_type.ends_with("json")
        || media_type.ends_with("xml");
    let text = std::str::from_utf8(&reply.body).ok()?;
    (is_text && !text.contains('\0')).then_some(text)
}

/// The part of an answer that is wanted.
fn picked(json: &Value, excerpt: &Excerpt) -> Result<Value, String> {
    let nothing = |pointer: &str| format!("the answer of the service has nothing at {pointer}");
    match excerpt {
        Excerpt::At(pointer) => json.pointer(pointer).cloned().ok_or_else(|| nothing(pointer)),
        Excerpt::Named(pointers) => {
            let found: Map<String, Value> = pointers
                .iter()
                .map(|(name, at)| (name.clone(), json.pointer(at).cloned().unwrap_or_default()))
                .collect();
            match found.values().all(Value::is_null) {
                true => Err(nothing(&pointers.values().cloned().collect::<Vec<_>>().join(", "))),
                false => Ok(Value::Object(found)),
            }
        }
    }
}

/// How much of a result a model is told, in octets (T14).
pub const MOST_OF_A_RESULT: usize = 4 * 1_024;

/// How much of a refusal.
const MOST_OF_A_REFUSAL: usize = 500;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn reply(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, media_type: Some(media_type.to_owned()), body: body.into() }
    }

    #[test]
    fn a_model_is_told_what_was_picked() {
        let json = reply(200, "application/json", r#"{"data":{"slots":["10:00"],"id":7},"x":"y"}"#);
        let at = |pointer: &str| read(&json, Some(&Excerpt::At(pointer.to_owned())));
        assert_eq!(at("/data/slots"), Ok(r#"["10:00"]"#.to_owned()));
        assert_eq!(at("/x"), Ok("y".to_owned()));
        assert!(at("/data/nothing").is_err_and(|why| why.contains("/data/nothing")));
        let named = BTreeMap::from([("number".to_owned(), "/data/id".to_owned())]);
        assert_eq!(read(&json, Some(&Excerpt::Named(named))), Ok(r#"{"number":7}"#.to_owned()));
        assert!(read(&json, None).is_ok_and(|text| text.starts_with("{\"data\"")));
    }

    #[test]
    fn an_answer_that_does_not_help_is_told_as_such() {
        let refused = read(&reply(409, "text/plain", "the slot is taken"), None);
        assert_eq!(
            refused,
            Err("the service answered with HTTP 409: the slot is taken".to_owned())
        );
        let broken = read(&reply(500, "text/html", "<h1>stack trace</h1>"), None);
        assert_eq!(broken, Err("the service answered with HTTP 500".to_owned()));
        assert!(read(&reply(302, "text/plain", ""), None).is_err());
        let image = read(&reply(200, "image/png", "x"), None);
        assert_eq!(image, Err("the service answered with image/png, which is no text".to_owned()));
        assert!(read(&reply(200, "text/plain", [0xff, 0xfe]), None).is_err());
        let pick = Excerpt::At("/x".to_owned());
        assert!(read(&reply(200, "text/html", "<p>"), Some(&pick)).is_err());
    }

    #[test]
    fn a_long_answer_is_cut_and_says_so() {
        let long = "ü".repeat(10_000);
        let told = read(&reply(200, "text/plain; charset=utf-8", long), None).expect("a text");
        assert!(told.len() < MOST_OF_A_RESULT + 80, "{}", told.len());
        assert!(told.ends_with("(cut: this is the beginning of 20000 octets)"), "{told}");
    }
}
