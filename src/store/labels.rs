//! What programs keep with a call: a name, and data that mean something to them only. It stands in
//! the record; of calls that are up it is here until the record is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot, watch};

use crate::base::id::CallId;
use crate::store::call_archive::Document;

/// What is kept with a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Label {
    /// What programs call it.
    pub name: Option<String>,
    /// Their own data.
    pub metadata: Map<String, Value>,
}

/// What is to be otherwise: what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    /// Another name, or none.
    pub name: Option<Option<String>>,
    /// A patch of the data (RFC 7396); nothing takes all of them away.
    pub metadata: Option<Option<Map<String, Value>>>,
}

/// Why a call is not labelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unlabelled {
    /// Nobody knows it here.
    #[error("there is no such call, or its record is not on this server")]
    Unknown,
    /// A name is too long, or is no line of text.
    #[error("a name is one line of at most {LONGEST_NAME} letters")]
    Name,
    /// The data are too much.
    #[error("it would be more than {MOST_OCTETS} octets, as JSON")]
    TooLong,
    /// They are too deep.
    #[error("it would be deeper than {DEEPEST} levels")]
    TooDeep,
    /// They cannot be written.
    #[error("the record cannot be written: the log says why")]
    Disk,
}

/// The labels of calls that are up. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Labels {
    up: Arc<watch::Sender<BTreeMap<CallId, Label>>>,
}

/// A call is to be labelled.
#[derive(Debug)]
pub struct Order {
    /// The call.
    pub call: CallId,
    /// How.
    pub patch: Patch,
    /// Whether it is up, as far as whoever asks knows.
    pub is_up: bool,
    /// Who is told what its label is now.
    pub asker: oneshot::Sender<Result<Label, Unlabelled>>,
}

/// How others have calls labelled: whoever writes the records does it.
pub type Labelling = mpsc::Sender<Order>;

impl Label {
    /// What stands in a record.
    pub fn of(document: &Document) -> Self {
        let name = document.get(NAME).and_then(Value::as_str).map(str::to_owned);
        let metadata = document.get(METADATA).and_then(Value::as_object).cloned();
        Self { name, metadata: metadata.unwrap_or_default() }
    }

    /// Puts it into a record. What is not there is said, too: whoever merges records sees it.
    pub fn put(&self, document: &mut Document) {
        document.insert(NAME.to_owned(), self.name.clone().into());
        document.insert(METADATA.to_owned(), Value::Object(self.metadata.clone()));
    }

    /// What it is with a patch.
    ///
    /// # Errors
    /// When it would be too much.
    pub fn patched(&self, patch: Patch) -> Result<Self, Unlabelled> {
        let name = patch.name.unwrap_or_else(|| self.name.clone());
        let is_line = |name: &String| {
            name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control)
        };
        if !name.as_ref().is_none_or(is_line) {
            return Err(Unlabelled::Name);
        }
        let mut metadata = self.metadata.clone();
        match patch.metadata {
            None => {}
            Some(None) => metadata.clear(),
            Some(Some(changes)) => merge(&mut metadata, changes),
        }
        let metadata = Value::Object(metadata);
        if depth(&metadata) > DEEPEST {
            return Err(Unlabelled::TooDeep);
        }
        if metadata.to_string().len() > MOST_OCTETS {
            return Err(Unlabelled::TooLong);
        }
        let Value::Object(metadata) = metadata else { return Err(Unlabelled::TooDeep) };
        Ok(Self { name, metadata })
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self { up: Arc::new(watch::channel(BTreeMap::new()).0) }
    }
}

impl Labels {
    /// The label of a call that is up, if it has one.
    pub fn of(&self, call: CallId) -> Option<Label> {
        self.up.borrow().get(&call).cloned()
    }

    /// This is the label of a call whose record is not written.
    pub fn put(&self, call: CallId, label: Label) {
        self.up.send_modify(|up| {
            up.insert(call, label);
            // Only calls that are up are labelled here, and those whose records no disk takes.
            while up.len() > MOST_CALLS {
                up.pop_first();
            }
        });
    }

    /// The records of these calls are written.
    pub fn forget(&self, calls: impl IntoIterator<Item = CallId>) {
        self.up.send_if_modified(|up| {
            calls.into_iter().filter(|call| up.remove(call).is_some()).count() > 0
        });
    }
}

/// RFC 7396, 2.
fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(&key);
            }
            Value::Object(inner) => {
                let own = target.entry(key).or_insert_with(|| Map::new().into());
                if !own.is_object() {
                    *own = Map::new().into();
                }
                if let Value::Object(own) = own {
                    merge(own, inner);
                }
            }
            other => {
                target.insert(key, other);
            }
        }
    }
}

/// How many levels there are: `{}` is one.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or_default(),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Where they stand in a record.
const NAME: &str = "name";
const METADATA: &str = "metadata";

/// The longest name, in letters.
const LONGEST_NAME: usize = 256;

/// The most data, in octets.
const MOST_OCTETS: usize = 16 * 1_024;

/// The deepest data, in levels.
const DEEPEST: usize = 8;

/// Of how many calls that are up labels are kept.
const MOST_CALLS: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other}"),
        }
    }

    fn data(value: Value) -> Patch {
        Patch { metadata: Some(Some(map(value))), ..Patch::default() }
    }

    #[test]
    fn data_are_merged_as_the_standard_has_it() {
        // Those of RFC 7396, appendix A, whose patch is an object.
        for (target, patch, merged) in [
            (json!({ "a": "b" }), json!({ "a": "c" }), json!({ "a": "c" })),
            (json!({ "a": "b" }), json!({ "b": "c" }), json!({ "a": "b", "b": "c" })),
            (json!({ "a": "b" }), json!({ "a": null }), json!({})),
            (json!({ "a": "b", "b": "c" }), json!({ "a": null }), json!({ "b": "c" })),
            (json!({ "a": ["b"] }), json!({ "a": "c" }), json!({ "a": "c" })),
            (json!({ "a": "c" }), json!({ "a": ["b"] }), json!({ "a": ["b"] })),
            (
                json!({ "a": { "b": "c" } }),
                json!({ "a": { "b": "d", "c": null } }),
                json!({ "a": { "b": "d" } }),
            ),
            (json!({ "a": [{ "b": "c" }] }), json!({ "a": [1] }), json!({ "a": [1] })),
            (json!({ "e": null }), json!({ "a": 1 }), json!({ "e": null, "a": 1 })),
            (json!({}), json!({ "a": { "bb": { "ccc": null } } }), json!({ "a": { "bb": {} } })),
        ] {
            let label = Label { name: None, metadata: map(target) };
            assert_eq!(label.patched(data(patch)).map(|it| it.metadata), Ok(map(merged)));
        }
    }

    #[test]
    fn a_label_is_bounded_and_what_is_not_named_stays() {
        let label = Label { name: Some("a".to_owned()), metadata: map(json!({ "k": 1 })) };
        assert_eq!(label.patched(Patch::default()), Ok(label.clone()));
        let nameless = Patch { name: Some(None), metadata: Some(None) };
        assert_eq!(label.patched(nameless), Ok(Label::default()));
        let called =
            |name: &str| label.patched(Patch { name: Some(Some(name.into())), metadata: None });
        assert_eq!(called("a\nb"), Err(Unlabelled::Name));
        assert_eq!(called(&"ä".repeat(257)), Err(Unlabelled::Name));
        assert!(called(&"ä".repeat(256)).is_ok());
        // `{"k":1,"y":""}` has fourteen octets.
        let long = |octets: usize| data(json!({ "y": "x".repeat(octets - 14) }));
        assert!(label.patched(long(MOST_OCTETS)).is_ok());
        assert!(matches!(label.patched(long(MOST_OCTETS + 1)), Err(Unlabelled::TooLong)));
        let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(label.patched(data(json!({ "d": deep(7) }))).is_ok());
        assert_eq!(label.patched(data(json!({ "d": deep(8) }))), Err(Unlabelled::TooDeep));
        let mut document = Document::new();
        label.put(&mut document);
        assert_eq!(Label::of(&document), label);
    }
}
