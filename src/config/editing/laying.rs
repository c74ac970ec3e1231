//! Lets a table say what it is to say, with as few changes as can be: what stays the same keeps its
//! place, its form and the remarks beside it.

use serde_json::{Map, Value};
use toml_edit::{Array, ArrayOfTables, InlineTable, Item, Table, TableLike};

use crate::config::editing::leaves::{said, said_by};

/// Whether what is new may have lines of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Tables with a head of their own.
    Blocks,
    /// Everything within the value.
    Inline,
}

/// Lets a table with lines of its own say this.
pub fn lay(table: &mut Table, target: &Map<String, Value>) {
    let form = if table.is_dotted() { Form::Inline } else { Form::Blocks };
    lay_in(table, target, form);
}

/// Lets a table within a value say this.
pub fn lay_inline(table: &mut InlineTable, target: &Map<String, Value>) {
    lay_in(table, target, Form::Inline);
}

/// A new table with lines of its own.
pub fn block(target: &Map<String, Value>) -> Table {
    let mut table = Table::new();
    lay(&mut table, target);
    table
}

/// A new table within a value.
pub fn inline(target: &Map<String, Value>) -> InlineTable {
    target.iter().map(|(key, value)| (key.as_str(), written(value))).collect()
}

fn lay_in(table: &mut dyn TableLike, target: &Map<String, Value>, form: Form) {
    let gone: Vec<String> = table
        .iter()
        .filter(|(key, _)| !target.contains_key(*key))
        .map(|(key, _)| key.to_owned())
        .collect();
    for key in gone {
        table.remove(&key);
    }
    for (key, value) in target {
        let is_laid = table.get_mut(key).is_some_and(|item| lay_item(item, value));
        if !is_laid {
            table.remove(key);
            table.insert(key, made(value, form));
        }
    }
}

/// Lets an item say this; whether it could without becoming something else.
fn lay_item(item: &mut Item, target: &Value) -> bool {
    if said(item) == *target {
        return true;
    }
    match (item, target) {
        (Item::Table(table), Value::Object(target)) => lay(table, target),
        (Item::ArrayOfTables(tables), Value::Array(values)) => {
            let Some(targets) = objects(values) else { return false };
            for (number, target) in targets.iter().enumerate() {
                match tables.get_mut(number) {
                    Some(table) => lay(table, target),
                    None => tables.push(block(target)),
                }
            }
            while tables.len() > targets.len() {
                tables.remove(tables.len() - 1);
            }
        }
        (Item::Value(value), target) => lay_value(value, target),
        (Item::None | Item::Table(_) | Item::ArrayOfTables(_), _) => return false,
    }
    true
}

fn lay_value(value: &mut toml_edit::Value, target: &Value) {
    match (&mut *value, target) {
        (toml_edit::Value::InlineTable(table), Value::Object(target)) => lay_inline(table, target),
        (toml_edit::Value::Array(array), Value::Array(targets)) => lay_array(array, targets),
        (_, target) => {
            let around = value.decor().clone();
            *value = written(target);
            *value.decor_mut() = around;
        }
    }
}

/// What is the same at the beginning and at the end stays; what is between them is written anew.
fn lay_array(array: &mut Array, targets: &[Value]) {
    let same = |(value, target): &(&toml_edit::Value, &Value)| said_by(value) == **target;
    let head = array.iter().zip(targets).take_while(same).count();
    let most = array.len().min(targets.len()) - head;
    let ends: Vec<&toml_edit::Value> = array.iter().collect();
    let tail = ends.into_iter().rev().zip(targets.iter().rev()).take(most).take_while(same).count();
    let indent = indent(array);
    let (old, new) = (array.len() - tail, targets.len() - tail);
    for at in head..old.min(new) {
        if let (Some(value), Some(target)) = (array.get_mut(at), targets.get(at)) {
            lay_value(value, target);
        }
    }
    for _ in new..old {
        let gone = array.remove(new);
        let remark =
            gone.decor().prefix().and_then(|it| it.as_str()).map(remark).unwrap_or_default();
        behind(array, new, remark.to_owned());
    }
    for (at, target) in targets.iter().enumerate().take(new).skip(old) {
        let mut value = written(target);
        if let Some(indent) = &indent {
            let remark = behind(array, at, String::new());
            value.decor_mut().set_prefix(format!("{remark}{indent}"));
            array.insert_formatted(at, value);
        } else {
            array.insert(at, value);
        }
    }
}

/// The remark on the line of an element stands behind its comma, which is before the next element, or
/// before the end: puts another one before what stands at `at`, and gives the one that was there.
fn behind(array: &mut Array, at: usize, remark_before: String) -> String {
    let before = match array.get(at) {
        Some(value) => value.decor().prefix().and_then(|it| it.as_str()).unwrap_or_default(),
        None => array.trailing().as_str().unwrap_or_default(),
    };
    let found = remark(before).to_owned();
    let rest = before.get(found.len()..).unwrap_or_default();
    if !rest.starts_with('\n') {
        return String::new();
    }
    let told = format!("{remark_before}{rest}");
    match array.get_mut(at) {
        Some(value) => value.decor_mut().set_prefix(told),
        None => array.set_trailing(told),
    }
    found
}

/// What stands on the line that goes on before a line ends.
fn remark(before: &str) -> &str {
    before.find('\n').and_then(|line| before.get(..line)).unwrap_or_default()
}

/// What stands before each element when each has its line.
fn indent(array: &Array) -> Option<String> {
    let before = array.get(0)?.decor().prefix()?.as_str()?;
    let line = before.rfind('\n')?;
    before.get(line..).map(str::to_owned)
}

/// A new item.
fn made(value: &Value, form: Form) -> Item {
    match value {
        Value::Object(target) if form == Form::Blocks && !is_short(value) => {
            Item::Table(block(target))
        }
        Value::Array(values) if form == Form::Blocks && !is_short(value) => match objects(values) {
            Some(targets) => {
                let mut tables = ArrayOfTables::new();
                targets.into_iter().for_each(|target| tables.push(block(target)));
                Item::ArrayOfTables(tables)
            }
            None => Item::Value(written(value)),
        },
        _ => Item::Value(written(value)),
    }
}

/// A value as it is written by itself.
fn written(value: &Value) -> toml_edit::Value {
    match value {
        // Who asks was told already that there is no null.
        Value::Null => "".into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => values.iter().map(written).collect::<Array>().into(),
        Value::Object(target) => inline(target).into(),
    }
}

/// The objects of a list that has no other elements.
fn objects(values: &[Value]) -> Option<Vec<&Map<String, Value>>> {
    let objects: Option<Vec<_>> = values.iter().map(Value::as_object).collect();
    objects.filter(|objects| !objects.is_empty())
}

/// Whether it reads well on a line.
fn is_short(value: &Value) -> bool {
    let is_flat = value.as_object().is_none_or(|object| {
        object.values().all(|it| !it.is_object() && it.as_array().is_none_or(|it| it.len() < 4))
    });
    let is_row = value.as_array().is_some_and(|values| values.iter().any(Value::is_object));
    is_flat && !is_row && value.to_string().len() <= SHORT
}

/// How long a table within a value may be, in octets of JSON.
const SHORT: usize = 60;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use toml_edit::DocumentMut;

    use super::*;
    use crate::config::editing::leaves::said_in;

    fn laid(text: &str, target: &Value) -> String {
        let mut document: DocumentMut = text.parse().expect("TOML");
        lay(document.as_table_mut(), target.as_object().expect("an object"));
        let text = document.to_string();
        let again: DocumentMut = text.parse().expect("TOML");
        assert_eq!(said_in(again.as_table()), *target, "{text}");
        text
    }

    #[test]
    fn remarks_behind_elements_stay_with_them() {
        let text = "l = [\n  \"p\", # first\n  \"q\", # second\n  \"r\", # third\n]\n";
        let laid = |list: Value| laid(text, &json!({ "l": list }));
        let table = [
            (json!(["p", "r"]), "l = [\n  \"p\", # first\n  \"r\", # third\n]\n"),
            (json!(["p", "q"]), "l = [\n  \"p\", # first\n  \"q\", # second\n]\n"),
            (json!(["q", "r"]), "l = [\n  \"q\", # second\n  \"r\", # third\n]\n"),
            (
                json!(["p", "q", "r", "s"]),
                "l = [\n  \"p\", # first\n  \"q\", # second\n  \"r\", # third\n  \"s\",\n]\n",
            ),
            (
                json!(["p", "n", "q", "r"]),
                "l = [\n  \"p\", # first\n  \"n\",\n  \"q\", # second\n  \"r\", # third\n]\n",
            ),
        ];
        for (list, expected) in table {
            assert_eq!(laid(list.clone()), expected, "{list}");
        }
    }

    #[test]
    fn remarks_and_order_stay() {
        let text = "# who\nb = 1 # one\n\n# it\na = 'x' # as is\nl = [\n  \"p\", # first\n  \"q\",\n]\n\
                    t = { x = 1, y = 2 } # in line\n[s] # below\nz = 1\n# last\n";
        let mut target = json!({
            "b": 2, "a": "x", "l": ["p", "n", "q"], "t": { "x": 1, "y": 3 }, "s": { "z": 1 },
        });
        assert_eq!(
            laid(text, &target),
            "# who\nb = 2 # one\n\n# it\na = 'x' # as is\nl = [\n  \"p\", # first\n  \"n\",\n  \"q\",\n]\n\
             t = { x = 1, y = 3 } # in line\n[s] # below\nz = 1\n# last\n"
        );
        target["s"] = json!({ "z": 1, "deep": { "text": "a\nb", "more": { "k": 1 } } });
        target.as_object_mut().expect("an object").remove("t");
        let text = laid(text, &target);
        assert!(text.contains("[s] # below\nz = 1\n") && text.contains("[s.deep]\n"), "{text}");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c.\" \n]{1,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn object() -> impl Strategy<Value = Value> {
        prop::collection::btree_map("[a-d]", value(), 0..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn whatever_stands_there_says_what_it_is_to_say(first in object(), then in object()) {
            let text = laid("", &first);
            laid(&text, &then);
        }
    }
}
