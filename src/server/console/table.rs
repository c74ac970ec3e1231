//! Tables with aligned columns.

use crate::server::console::paint::{Ink, Paint, harmless};

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    ink: Ink,
}

impl Table {
    /// A table with these heads.
    pub fn new(heads: &[&'static str]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// As it is printed: every line ends with a line feed.
    pub fn print(&self, paint: Paint) -> String {
        let head = |text: &&str| Cell { text: (*text).to_owned(), ink: Ink::Bold };
        let heads: Vec<Cell> = self.heads.iter().map(head).collect();
        let lines = || std::iter::once(&heads).chain(&self.rows);
        let width = |column: usize| lines().filter_map(|it| it.get(column)).map(Cell::width).max();
        let widths: Vec<usize> =
            (0..self.heads.len()).map(|column| width(column).unwrap_or_default()).collect();
        lines().map(|cells| line(cells, &widths, paint)).collect()
    }
}

impl Cell {
    /// A cell with a text of anybody.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self::painted(text, Ink::None)
    }

    /// The same, painted.
    pub fn painted(text: impl AsRef<str>, ink: Ink) -> Self {
        let text = harmless(text.as_ref());
        if text.is_empty() { Self::none() } else { Self { text, ink } }
    }

    /// A cell with a text that may be missing.
    pub fn maybe(text: Option<impl AsRef<str>>) -> Self {
        text.map_or_else(Self::none, Self::new)
    }

    /// Nothing is to be said.
    pub fn none() -> Self {
        Self { text: "-".to_owned(), ink: Ink::Faint }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

fn line(cells: &[Cell], widths: &[usize], paint: Paint) -> String {
    let mut line = String::new();
    let last = cells.len().saturating_sub(1);
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        line.push_str(&paint.ink(&cell.text, cell.ink));
        if at < last {
            line.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 3));
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row(vec![Cell::new("a long name"), Cell::painted("up", Ink::Green)]);
        table.row(vec![Cell::new("ä"), Cell::maybe(None::<&str>)]);
        let expected = "NAME          STATE\na long name   up\nä             -\n";
        assert_eq!(table.print(Paint::Plain), expected);
        let coloured = table.print(Paint::Colours);
        assert!(coloured.contains("\u{1b}[32mup\u{1b}[0m\n"));
    }
}
