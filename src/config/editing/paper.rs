//! One file with what stands in it by name.

use std::path::PathBuf;

use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item, Table};

use crate::config::editing::kind::Kind;
use crate::config::editing::laying::{block, inline, lay, lay_inline};
use crate::config::editing::leaves::{said, said_by, said_in};

/// A file.
#[derive(Debug, Clone)]
pub struct Paper {
    /// Where it is.
    pub path: PathBuf,
    /// What it says now; nothing when it is not there yet.
    pub text: Option<String>,
    /// The same, to be changed.
    pub document: DocumentMut,
}

/// Where a thing stands in a file: below which key, and there by its name or its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    key: &'static str,
    at: At,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum At {
    Name(String),
    Row(usize),
}

impl Paper {
    /// What stands here of a kind, in order: names, what it says, and where.
    pub fn things(&self, kind: Kind) -> Vec<(Option<String>, Value, Spot)> {
        let mut things = Vec::new();
        for key in kind.keys() {
            let Some(item) = self.document.get(key) else { continue };
            if kind.is_row() {
                for (number, says) in rows(item).into_iter().enumerate() {
                    let name = says.get("name").and_then(Value::as_str).map(str::to_owned);
                    things.push((name, says, Spot { key, at: At::Row(number) }));
                }
            } else if let Some(table) = item.as_table_like() {
                for (name, item) in table.iter().filter(|(_, item)| item.is_table_like()) {
                    let spot = Spot { key, at: At::Name(name.to_owned()) };
                    things.push((Some(name.to_owned()), said(item), spot));
                }
            }
        }
        things
    }

    /// Lets a thing say this.
    pub fn change(&mut self, spot: &Spot, target: &Map<String, Value>) {
        let Some(item) = self.document.get_mut(spot.key) else { return };
        let item = match &spot.at {
            At::Name(name) => item.as_table_like_mut().and_then(|table| table.get_mut(name)),
            At::Row(row) => match item {
                Item::ArrayOfTables(tables) => {
                    if let Some(table) = tables.get_mut(*row) {
                        lay(table, target);
                    }
                    return;
                }
                Item::Value(toml_edit::Value::Array(array)) => {
                    if let Some(table) = array.get_mut(*row).and_then(|it| it.as_inline_table_mut())
                    {
                        lay_inline(table, target);
                    }
                    return;
                }
                Item::None | Item::Value(_) | Item::Table(_) => None,
            },
        };
        match item {
            Some(Item::Table(table)) => lay(table, target),
            Some(Item::Value(toml_edit::Value::InlineTable(table))) => lay_inline(table, target),
            Some(Item::None | Item::Value(_) | Item::ArrayOfTables(_)) | None => {}
        }
    }

    /// Takes a thing away, with the remark right above it.
    pub fn remove(&mut self, spot: &Spot) {
        let Some(item) = self.document.get_mut(spot.key) else { return };
        let gone = match &spot.at {
            At::Name(name) => item.as_table_like_mut().and_then(|table| table.remove(name)),
            At::Row(row) => match item {
                Item::ArrayOfTables(tables) if *row < tables.len() => {
                    let gone = Item::Table(tables.remove(*row));
                    if tables.is_empty() {
                        self.document.remove(spot.key);
                    }
                    Some(gone)
                }
                Item::Value(toml_edit::Value::Array(array)) if *row < array.len() => {
                    Some(Item::Value(array.remove(*row)))
                }
                Item::None | Item::Value(_) | Item::Table(_) | Item::ArrayOfTables(_) => None,
            },
        };
        if let Some(Item::Table(gone)) = gone {
            self.keep_head(&gone);
        }
    }

    /// Puts a new thing behind the others of its kind, or before one of them.
    pub fn add(
        &mut self,
        kind: Kind,
        name: &str,
        target: &Map<String, Value>,
        before: Option<&Spot>,
    ) {
        let known = kind.keys().iter().find(|key| self.document.contains_key(key));
        let key = known.or(kind.keys().first()).copied().unwrap_or_default();
        if kind.is_row() {
            return self.add_row(key, target, before);
        }
        let place = self.document.entry(key).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        match place {
            Item::Table(table) if table.is_dotted() => {
                table.insert(name, toml_edit::value(inline(target)));
            }
            Item::Table(table) => {
                table.insert(name, Item::Table(block(target)));
            }
            other => {
                if let Some(table) = other.as_table_like_mut() {
                    table.insert(name, toml_edit::value(inline(target)));
                }
            }
        }
    }

    fn add_row(&mut self, key: &str, target: &Map<String, Value>, before: Option<&Spot>) {
        let at = before.and_then(|spot| match spot.at {
            At::Row(row) => Some(row),
            At::Name(_) => None,
        });
        let place = self.document.entry(key);
        match place.or_insert_with(|| Item::ArrayOfTables(toml_edit::ArrayOfTables::new())) {
            Item::ArrayOfTables(tables) => {
                let mut table = block(target);
                let at = at.filter(|at| *at < tables.len());
                // Of two tables with the same position the first of the list is written first.
                let position = at.and_then(|at| tables.get(at)).and_then(Table::position);
                match at {
                    Some(at) => {
                        table.set_position(position);
                        tables.insert(at, table);
                    }
                    None => tables.push(table),
                }
            }
            Item::Value(toml_edit::Value::Array(array)) => {
                let at = at.unwrap_or(array.len()).min(array.len());
                array.insert(at, inline(target));
            }
            Item::None | Item::Value(_) | Item::Table(_) => {}
        }
    }

    /// What stood above a table that went, and was not about it alone: it is kept above the next one.
    fn keep_head(&mut self, gone: &Table) {
        let above = gone.decor().prefix().and_then(|it| it.as_str()).unwrap_or_default();
        let Some((head, _)) = above.rsplit_once("\n\n") else { return };
        if !head.contains('#') {
            return;
        }
        let head = format!("{head}\n");
        let position = gone.position().unwrap_or_default();
        match next(self.document.as_table_mut(), position) {
            Some(table) => {
                let own = table.decor().prefix().and_then(|it| it.as_str()).unwrap_or("\n");
                let both = format!("{head}{own}");
                table.decor_mut().set_prefix(both);
            }
            None => {
                let own = self.document.trailing().as_str().unwrap_or_default();
                let both = format!("{head}{own}");
                self.document.set_trailing(both);
            }
        }
    }
}

/// The table that follows a position.
fn next(table: &mut Table, position: isize) -> Option<&mut Table> {
    let mut found: Option<&mut Table> = None;
    for (_, item) in table.iter_mut() {
        let within: Vec<&mut Table> = match item {
            Item::Table(table) => vec![table],
            Item::ArrayOfTables(tables) => tables.iter_mut().collect(),
            Item::None | Item::Value(_) => Vec::new(),
        };
        for table in within {
            let own = table.position().filter(|own| *own > position && !table.is_implicit());
            let candidate = if own.is_some() { Some(table) } else { next(table, position) };
            let is_nearer =
                |it: &Table| found.as_ref().is_none_or(|found| it.position() < found.position());
            if let Some(candidate) = candidate
                && is_nearer(candidate)
            {
                found = Some(candidate);
            }
        }
    }
    found
}

/// What the rows of a list say.
fn rows(item: &Item) -> Vec<Value> {
    match item {
        Item::ArrayOfTables(tables) => tables.iter().map(|table| said_in(table)).collect(),
        Item::Value(toml_edit::Value::Array(array)) => array.iter().map(said_by).collect(),
        Item::None | Item::Value(_) | Item::Table(_) => Vec::new(),
    }
}
