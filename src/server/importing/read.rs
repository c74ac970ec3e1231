//! A file of somebody else's, read so that nothing in it is passed over in silence: whoever reads a
//! value marks it, and what nobody marked is listed with its path.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::server::importing::report::{Reasons, Remark};

/// What was read of a file, and what is to be said of it.
#[derive(Debug, Default)]
pub struct Marks {
    used: RefCell<BTreeSet<String>>,
    entered: RefCell<BTreeSet<String>>,
    remarks: RefCell<Vec<Remark>>,
}

/// A value of the file with its path, `$.members[1].assistant`. Above it may lie another value,
/// whose keys count instead: overrides.
#[derive(Debug, Clone)]
pub struct View<'a> {
    value: &'a Value,
    path: String,
    marks: &'a Marks,
    above: Option<Box<View<'a>>>,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON.
    #[error("line {line}, column {column}: this is not JSON ({why})")]
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// In the words of the reader.
        why: String,
    },
    /// A value is of another kind than whoever wrote the file may write there.
    #[error("{path}: {why}")]
    Kind {
        /// Where.
        path: String,
        /// What was expected.
        why: String,
    },
}

/// Reads JSON. Values that lie more than 128 deep are refused.
///
/// # Errors
/// With the line and the column.
pub fn json(text: &str) -> Result<Value, Unreadable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|why| {
        let (line, column) = (why.line(), why.column());
        let words = why.to_string();
        let words = words.split(" at line ").next().unwrap_or_default().to_owned();
        Unreadable::Json { line, column, why: words }
    })
}

impl Marks {
    /// The whole file.
    pub fn root<'a>(&'a self, value: &'a Value) -> View<'a> {
        View { value, path: "$".to_owned(), marks: self, above: None }
    }

    /// Everything that is to be said of the file: what was remarked, and what nobody read.
    pub fn remarks(&self, root: &Value) -> Vec<Remark> {
        let mut remarks = self.remarks.borrow().clone();
        let reasons = Reasons::of_the_house();
        self.unread(root, "$", &mut |path| remarks.push(reasons.remark(path)));
        let mut told = BTreeSet::new();
        remarks.retain(|it| told.insert((it.path.clone(), it.why.clone())));
        remarks
    }

    /// Finds what nobody read: the topmost value of each kind, and nothing that says nothing.
    fn unread(&self, value: &Value, path: &str, tell: &mut dyn FnMut(&str)) {
        if self.used.borrow().contains(path) || is_empty(value) {
            return;
        }
        let entered = self.entered.borrow().contains(path);
        match value {
            Value::Object(map) if entered => {
                for (key, inside) in map {
                    self.unread(inside, &below(path, key), tell);
                }
            }
            Value::Array(list) if entered => {
                for (at, inside) in list.iter().enumerate() {
                    self.unread(inside, &format!("{path}[{at}]"), tell);
                }
            }
            _ => tell(path),
        }
    }
}

impl<'a> View<'a> {
    /// Where it stands.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is a table with keys.
    pub fn is_table(&self) -> bool {
        self.value.is_object()
    }

    /// The value, marked as read.
    pub fn whole(&self) -> &'a Value {
        self.done();
        self.value
    }

    /// The value, not marked.
    pub fn peek(&self) -> &'a Value {
        self.value
    }

    /// Marks it as read, with everything in it.
    pub fn done(&self) {
        self.marks.used.borrow_mut().insert(self.path.clone());
    }

    /// The same value with another above it, whose keys count instead.
    pub fn beneath(mut self, above: Option<View<'a>>) -> Self {
        self.above = above.map(Box::new);
        self
    }

    /// What stands under a key, if it says anything.
    pub fn get(&self, key: &str) -> Option<View<'a>> {
        self.enter();
        let own = self.own(key);
        if let Some(above) = self.above.as_ref().and_then(|above| above.get(key)) {
            // Nobody reads what is overridden.
            if let Some(own) = own {
                own.done();
            }
            return Some(above);
        }
        own
    }

    /// Whether there is such a key.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        let view = self.get(key)?;
        let text = view.value.as_str();
        view.expected(text.is_some(), "a text");
        text
    }

    /// A text that says something.
    pub fn words(&self, key: &str) -> Option<&'a str> {
        self.text(key).filter(|text| !text.trim().is_empty())
    }

    /// A number.
    pub fn number(&self, key: &str) -> Option<f64> {
        let view = self.get(key)?;
        let number = view.value.as_f64().filter(|it| it.is_finite());
        view.expected(number.is_some(), "a number");
        number
    }

    /// True or false.
    pub fn flag(&self, key: &str) -> Option<bool> {
        let view = self.get(key)?;
        view.expected(view.value.is_boolean(), "true or false");
        view.value.as_bool()
    }

    /// The elements of a list.
    pub fn list(&self, key: &str) -> Vec<View<'a>> {
        self.get(key).map(|view| view.elements()).unwrap_or_default()
    }

    /// The texts of a list.
    pub fn texts(&self, key: &str) -> Vec<&'a str> {
        let texts = self.list(key).into_iter().filter_map(|view| {
            let text = view.value.as_str();
            view.expected(text.is_some(), "a text");
            text
        });
        texts.collect()
    }

    /// The elements of this list; none, and a remark, of anything else.
    pub fn elements(&self) -> Vec<View<'a>> {
        self.enter();
        let Some(list) = self.value.as_array() else {
            self.expected(false, "a list");
            return Vec::new();
        };
        let element = |(at, value)| View {
            value,
            path: format!("{}[{at}]", self.path),
            marks: self.marks,
            above: None,
        };
        list.iter().enumerate().map(element).collect()
    }

    /// What stands in this table, by key; nothing, and a remark, of anything else.
    pub fn entries(&self) -> Vec<(&'a str, View<'a>)> {
        self.enter();
        let Some(map) = self.value.as_object() else {
            self.expected(false, "a table");
            return Vec::new();
        };
        map.keys().filter_map(|key| Some((key.as_str(), self.own(key)?))).collect()
    }

    /// Marks keys that mean nothing elsewhere.
    pub fn skip(&self, keys: &[&str]) {
        for key in keys {
            if let Some(view) = self.get(key) {
                view.done();
            }
        }
    }

    /// Says why something is not as it was, and what to do instead. It counts as read.
    pub fn remark(&self, why: impl Into<String>, instead: impl Into<String>) {
        self.done();
        let remark = Remark { path: self.path.clone(), why: why.into(), instead: instead.into() };
        self.marks.remarks.borrow_mut().push(remark);
    }

    /// The same of a key in it, if it is there.
    pub fn remark_on(&self, key: &str, why: &str, instead: &str) {
        if let Some(view) = self.get(key).filter(|view| !is_empty(view.value)) {
            view.remark(why, instead);
        }
    }

    /// Why the file is no such file.
    pub fn wrong(&self, why: impl Into<String>) -> Unreadable {
        Unreadable::Kind { path: self.path.clone(), why: why.into() }
    }

    fn own(&self, key: &str) -> Option<View<'a>> {
        let value = self.value.as_object()?.get(key)?;
        let view = View { value, path: below(&self.path, key), marks: self.marks, above: None };
        (!value.is_null()).then_some(view)
    }

    fn enter(&self) {
        self.marks.entered.borrow_mut().insert(self.path.clone());
    }

    fn expected(&self, fits: bool, what: &str) {
        if fits {
            self.done();
        } else {
            self.remark(format!("{what} was expected here"), "it was left out");
        }
    }
}

/// The path of a key, quoted where it is no plain word.
fn below(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
    if plain { format!("{path}.{key}") } else { format!("{path}[{}]", Value::from(key)) }
}

/// Whether a value says nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nobody_read_is_listed_with_its_path() {
        let value = json!({
            "name": "a", "empty": {}, "voice": { "id": "x", "chunk": { "on": true } },
            "list": [{ "a": 1 }, { "odd key": 2 }], "wrong": 3, "whole": { "b": [1] },
        });
        let marks = Marks::default();
        let root = marks.root(&value);
        assert_eq!(root.text("name"), Some("a"));
        assert_eq!(root.text("wrong"), None);
        root.get("whole").expect("it is there").done();
        let voice = root.get("voice").expect("a voice");
        assert_eq!(voice.text("id"), Some("x"));
        let list = root.list("list");
        assert_eq!((list[0].number("a"), list[1].number("a")), (Some(1.0), None));
        let paths: Vec<String> = marks.remarks(&value).into_iter().map(|it| it.path).collect();
        assert_eq!(paths, ["$.wrong", "$.list[1][\"odd key\"]", "$.voice.chunk"]);
    }

    #[test]
    fn overrides_count_instead_of_what_they_lie_above() {
        let value = json!({ "base": { "a": 1, "b": 2 }, "over": { "a": 3, "c": 4 } });
        let marks = Marks::default();
        let root = marks.root(&value);
        let view = root.get("base").expect("a base").beneath(root.get("over"));
        assert_eq!((view.number("a"), view.number("b")), (Some(3.0), Some(2.0)));
        let paths: Vec<String> = marks.remarks(&value).into_iter().map(|it| it.path).collect();
        assert_eq!(paths, ["$.over.c"]);
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place_and_what_lies_deep_is_refused() {
        let why = json("{\n  \"a\": }").expect_err("no JSON").to_string();
        assert!(why.starts_with("line 2, column 8: this is not JSON (expected value"), "{why}");
        let deep = "[".repeat(100_000);
        assert!(json(&deep).is_err());
    }
}
