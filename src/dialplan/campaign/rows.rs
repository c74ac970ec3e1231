//! Those whom a campaign calls, row by row: each can be called, or it is said why not.

use std::collections::HashMap;

use crate::base::number::{NotE164, Number};
use crate::base::template::Variables;
use crate::base::zone::Zone;

/// One who is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The line in the file.
    pub line: u64,
    /// The number. Personal data.
    pub number: Number,
    /// The other columns. Personal data.
    pub variables: Variables,
    /// Where this one is, if the row says so.
    pub zone: Option<Zone>,
}

/// A row by which nobody can be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// The line in the file.
    pub line: u64,
    /// Why.
    pub why: String,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// Those who are called, in order.
    pub rows: Vec<Row>,
    /// The others.
    pub bad: Vec<Bad>,
}

/// Reads a file; `column` holds the numbers, which `number` reads as people write them.
///
/// # Errors
/// When the first line does not name the columns.
pub fn read(
    text: &str,
    column: &str,
    number: impl Fn(&str) -> Option<Number>,
) -> Result<Rows, String> {
    let mut reader = reader(text);
    let (columns, place) = columns(&mut reader, column)?;
    let (mut rows, mut seen) = (Rows::default(), HashMap::<Number, u64>::new());
    for (count, record) in reader.records().enumerate() {
        let counted = count as u64 + 2;
        let line = match &record {
            Ok(record) => record.position().map_or(counted, csv::Position::line),
            Err(why) => why.position().map_or(counted, csv::Position::line),
        };
        let row = record
            .map_err(|why| why.to_string())
            .and_then(|record| row((line, place), &columns, &record, &number));
        match row {
            Err(why) => rows.bad.push(Bad { line, why }),
            Ok(_) if rows.rows.len() >= MOST_ROWS => {
                let why = format!("{MOST_ROWS} rows are the most");
                rows.bad.push(Bad { line, why });
                break;
            }
            Ok(row) => match seen.get(&row.number) {
                Some(first) => {
                    let why = format!("the number stands in line {first} already");
                    rows.bad.push(Bad { line, why });
                }
                None => {
                    seen.insert(row.number.clone(), line);
                    rows.rows.push(row);
                }
            },
        }
    }
    Ok(rows)
}

/// What is wrong with the first line of a file, if something is.
pub fn complaint(text: &str, column: &str) -> Option<String> {
    columns(&mut reader(text), column).err()
}

type Reader<'a> = csv::Reader<&'a [u8]>;

fn reader(text: &str) -> Reader<'_> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes())
}

/// The columns, and which of them holds the numbers.
fn columns(reader: &mut Reader<'_>, column: &str) -> Result<(csv::StringRecord, usize), String> {
    let columns = reader.headers().map_err(|why| why.to_string())?.clone();
    let Some(place) = columns.iter().position(|name| name == column) else {
        let known: Vec<&str> = columns.iter().take(20).collect();
        return Err(format!("there is no column `{column}`, only: {}", known.join(", ")));
    };
    if columns.len() > MOST_COLUMNS {
        return Err(format!("there are {} columns, and {MOST_COLUMNS} fit", columns.len()));
    }
    Ok((columns, place))
}

fn row(
    (line, place): (u64, usize),
    columns: &csv::StringRecord,
    record: &csv::StringRecord,
    number: &impl Fn(&str) -> Option<Number>,
) -> Result<Row, String> {
    if record.len() != columns.len() {
        return Err(format!("it has {} fields, and {} columns", record.len(), columns.len()));
    }
    if record.iter().any(|field| field.len() > LONGEST_FIELD) {
        return Err(format!("a field is longer than {LONGEST_FIELD} octets"));
    }
    let written = record.get(place).unwrap_or_default();
    if written.is_empty() {
        return Err("there is no number".to_owned());
    }
    let number =
        number(written).ok_or_else(|| format!("the number cannot be called: {NotE164}"))?;
    let fields = columns.iter().zip(record);
    let zone = match fields.clone().find(|(name, _)| *name == TIMEZONE) {
        Some((_, text)) if !text.is_empty() => {
            Some(text.parse().map_err(|why| format!("{TIMEZONE}: {why}"))?)
        }
        _ => None,
    };
    let others = fields.enumerate().filter(|(at, (name, _))| *at != place && !name.is_empty());
    let variables = others.map(|(_, (name, value))| (name.to_owned(), value.to_owned())).collect();
    Ok(Row { line, number, variables, zone })
}

/// What parts the columns: spreadsheets of some countries write semicolons.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |mark: char| first.matches(mark).count();
    if count(';') > count(',') {
        b';'
    } else if count('\t') > count(',') {
        b'\t'
    } else {
        b','
    }
}

/// The column that says where somebody is.
const TIMEZONE: &str = "timezone";

/// The most rows of a campaign.
pub const MOST_ROWS: usize = 200_000;

/// The most columns.
const MOST_COLUMNS: usize = 100;

/// The longest field, in octets.
const LONGEST_FIELD: usize = 4_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers as they are written in Germany.
    fn german(text: &str) -> Option<Number> {
        let bare: String = text.chars().filter(|it| *it != ' ').collect();
        let number = match (bare.strip_prefix("00"), bare.strip_prefix('0')) {
            (Some(rest), _) => format!("+{rest}"),
            (None, Some(rest)) => format!("+49{rest}"),
            (None, None) => bare,
        };
        number.parse().ok()
    }

    #[test]
    fn rows_are_read_and_each_bad_one_is_named_with_its_line() {
        let text = "\u{feff}name,number,timezone\nAnna,+4971112345,Europe/Berlin\nBen,,\n\
                    Cem,0711 12346,\nDora,12,\nAnna again,0049 711 12345,\nEve,+4971112347,Mars\n\
                    \"Fritz, the second\",+4971112348,\nGustav,+4971112349\n";
        let rows = read(text, "number", german).expect("rows");
        let numbers: Vec<&str> = rows.rows.iter().map(|row| row.number.to_e164()).collect();
        assert_eq!(numbers, ["+4971112345", "+4971112346", "+4971112348"]);
        assert_eq!(rows.rows[0].zone.as_ref().map(Zone::name), Some("Europe/Berlin"));
        assert_eq!(
            rows.rows[2].variables.get("name").map(String::as_str),
            Some("Fritz, the second")
        );
        assert!(!rows.rows[0].variables.contains_key("number"));
        let bad: Vec<(u64, &str)> = rows.bad.iter().map(|it| (it.line, it.why.as_str())).collect();
        let wanted = [
            (3, "there is no number"),
            (5, "the number cannot be called"),
            (6, "the number stands in line 2 already"),
            (7, "timezone: "),
            (9, "it has 2 fields, and 3 columns"),
        ];
        assert_eq!(bad.len(), wanted.len(), "{bad:?}");
        for ((line, why), (at, words)) in bad.iter().zip(wanted) {
            assert!(*line == at && why.contains(words), "{line}: {why}, not {at}: {words}");
        }
    }

    #[test]
    fn semicolons_and_tabs_part_columns_too_and_a_missing_column_is_told() {
        for text in ["number;name\n+4971112345;Anna\n", "number\tname\n+4971112345\tAnna\n"] {
            assert_eq!(read(text, "number", german).map(|it| it.rows.len()), Ok(1));
        }
        let why = read("phone,name\n+49711,A\n", "number", german).expect_err("no column");
        assert!(why.contains("`number`") && why.contains("phone, name"), "{why}");
        assert!(read("", "number", german).is_err());
    }
}
