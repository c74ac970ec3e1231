//! The tree of a TOML file, with the span of every key and value.

use std::fmt::Write as _;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::config::source::{Place, Places, Span};

/// A value and where it stands.
pub type Node<'t> = Spanned<DeValue<'t>>;

/// One step down the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To the value of a key.
    Key(String),
    /// To an element of a list.
    Index(usize),
}

/// Writes a path as `intents[2].say`.
pub fn written(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => {
                let _ = write!(path, ".{key}");
            }
            Step::Index(index) => {
                let _ = write!(path, "[{index}]");
            }
        }
    }
    path
}

/// Moves every span by `base`, and lets `change` look at every text.
pub fn moved<'t>(
    node: Node<'t>,
    base: usize,
    change: &mut impl FnMut(&mut DeValue<'t>, &Span),
) -> Node<'t> {
    let span = shifted(node.span(), base);
    let mut value = match node.into_inner() {
        DeValue::Array(list) => {
            DeValue::Array(list.into_iter().map(|node| moved(node, base, change)).collect())
        }
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, node)| {
                    let key_span = shifted(key.span(), base);
                    (Spanned::new(key_span, key.into_inner()), moved(node, base, change))
                })
                .collect::<DeTable<'t>>(),
        ),
        plain => plain,
    };
    if value.is_str() {
        change(&mut value, &span);
    }
    Spanned::new(span, value)
}

/// Notes where each key and value stands.
pub fn note(places: &mut Places, path: &str, key: &Span, node: &Node<'_>) {
    match node.get_ref() {
        DeValue::Table(table) => {
            for (name, value) in table.iter() {
                let path = joined(path, name.get_ref());
                note(places, &path, &name.span(), value);
            }
        }
        DeValue::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                note(places, &format!("{path}[{index}]"), &value.span(), value);
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
    places.add(path.to_owned(), Place { key: key.clone(), value: node.span() });
}

/// Appends a key to a path.
pub fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Finds the key or value that stands exactly at `span`, as deep down as possible.
pub fn locate(node: &Node<'_>, span: &Span) -> Option<Vec<Step>> {
    let children: Vec<(Step, Option<Span>, &Node<'_>)> = match node.get_ref() {
        DeValue::Table(table) => table
            .iter()
            .map(|(key, node)| (Step::Key(key.get_ref().to_string()), Some(key.span()), node))
            .collect(),
        DeValue::Array(list) => {
            list.iter().enumerate().map(|(index, node)| (Step::Index(index), None, node)).collect()
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => return None,
    };
    for (step, key, child) in children {
        if key.as_ref() == Some(span) {
            return Some(vec![step]);
        }
        if let Some(mut below) = locate(child, span) {
            below.insert(0, step);
            return Some(below);
        }
        if child.span() == *span {
            return Some(vec![step]);
        }
    }
    None
}

/// Takes out what stands at the end of `steps`.
pub fn remove(node: &mut Node<'_>, steps: &[Step]) {
    match (node.get_mut(), steps) {
        (DeValue::Table(table), [Step::Key(key)]) => {
            table.remove(key.as_str());
        }
        (DeValue::Table(table), [Step::Key(key), rest @ ..]) => {
            if let Some(child) = table.get_mut(key.as_str()) {
                remove(child, rest);
            }
        }
        (DeValue::Array(list), [Step::Index(at)]) => {
            let kept = std::mem::replace(list, DeArray::new()).into_iter().enumerate();
            *list = kept.filter(|(index, _)| index != at).map(|(_, node)| node).collect();
        }
        (DeValue::Array(list), [Step::Index(at), rest @ ..]) => {
            if let Some(child) = list.get_mut(*at) {
                remove(child, rest);
            }
        }
        _ => {}
    }
}

fn shifted(span: Range<usize>, base: usize) -> Span {
    span.start + base..span.end + base
}
