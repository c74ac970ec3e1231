//! The query of a database tool: one statement that reads, in which `:name` stands for a value that
//! is bound, never pasted (T19).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::agent::tools::outcome::MOST_OF_A_RESULT;
use crate::agent::tools::parameter::{Format, Parameter, Sort};
use crate::base::scope::Scope;

/// Whose words a query is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Those of SQLite.
    Sqlite,
    /// Those of PostgreSQL.
    Postgres,
}

/// A query, ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    text: String,
    /// What is bound, in the order of its numbers.
    bound: Vec<Bound>,
}

/// What stands for a value.
#[derive(Debug, Clone, PartialEq)]
struct Bound {
    /// `order`, an argument, or `call.from`.
    path: String,
    /// What an argument is.
    sort: Option<Sort>,
}

/// A value that is bound; it may be missing, and keeps its type all the same.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A text.
    Text(Option<String>),
    /// A whole number.
    Integer(Option<i64>),
    /// A number.
    Number(Option<f64>),
    /// True or false.
    Boolean(Option<bool>),
}

impl Given {
    /// The value, for somebody who looks on.
    pub fn shown(&self) -> String {
        let shown = match self {
            Self::Text(text) => text.as_ref().map(|text| format!("{text:?}")),
            Self::Integer(number) => number.map(|number| number.to_string()),
            Self::Number(number) => number.map(|number| number.to_string()),
            Self::Boolean(truth) => truth.map(|truth| truth.to_string()),
        };
        shown.unwrap_or_else(|| "nothing".to_owned())
    }
}

/// Why a text is no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStatement {
    /// It would be made of values.
    #[error("a query has no templates")]
    Template,
    /// It does something else than to read.
    #[error("a query begins with SELECT, WITH or VALUES")]
    NoRead,
    /// There are several.
    #[error("a query is one statement")]
    Several,
    /// A quote or a comment that does not end.
    #[error("a `{0}` in the query does not end")]
    Open(String),
    /// A value that nobody gives.
    #[error("nobody gives `:{0}`")]
    Unknown(String),
    /// A value without a name.
    #[error("`{0}` has no name")]
    Nameless(String),
}

impl Statement {
    /// Reads a query; `parameters` are the arguments that it may name.
    ///
    /// # Errors
    /// When it is not one statement that reads, or names what nobody gives.
    pub fn read(
        query: &str,
        parameters: &BTreeMap<String, Parameter>,
        dialect: Dialect,
    ) -> Result<Self, NoStatement> {
        if query.contains("{{") || query.contains("{%") {
            return Err(NoStatement::Template);
        }
        let mut statement = Self { text: String::with_capacity(query.len()), bound: Vec::new() };
        let (mut rest, mut last, mut verb) = (query, "", None);
        while let Some(first) = rest.chars().next() {
            if let Some(name) = name_at(rest) {
                statement.bind(name, parameters, dialect)?;
                (last, rest) = rest.split_at(name.len() + 1);
                continue;
            }
            if first == ';' {
                if !is_blank(&rest[1..]) {
                    return Err(NoStatement::Several);
                }
                break;
            }
            let length = token(rest, last, dialect)?;
            (last, rest) = rest.split_at(length);
            if verb.is_none() && first.is_ascii_alphabetic() {
                verb = Some(last);
            }
            statement.text.push_str(last);
        }
        let reads = |verb: &str| VERBS.iter().any(|known| verb.eq_ignore_ascii_case(known));
        if verb.is_some_and(reads) { Ok(statement) } else { Err(NoStatement::NoRead) }
    }

    /// Its words, with numbers in place of names.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is bound, by its names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.bound.iter().map(|bound| bound.path.as_str())
    }

    /// The values of a call, in the order of their numbers.
    pub fn given(&self, scope: &Scope) -> Vec<Given> {
        let given = |bound: &Bound| match &bound.sort {
            Some(sort) => of_sort(sort, scope.get(&format!("args.{}", bound.path))),
            None => of_its_own(scope.get(&bound.path)),
        };
        self.bound.iter().map(given).collect()
    }

    fn bind(
        &mut self,
        name: &str,
        parameters: &BTreeMap<String, Parameter>,
        dialect: Dialect,
    ) -> Result<(), NoStatement> {
        let sort = parameters.get(name).map(|parameter| parameter.sort.clone());
        let is_of = |root: &str| name.strip_prefix(root).is_some_and(|it| it.starts_with('.'));
        if sort.is_none() && !ROOTS.into_iter().any(is_of) {
            return Err(NoStatement::Unknown(name.to_owned()));
        }
        let at = self.bound.iter().position(|bound| bound.path == name).unwrap_or_else(|| {
            self.bound.push(Bound { path: name.to_owned(), sort: sort.clone() });
            self.bound.len() - 1
        });
        let number = at + 1;
        self.text.push_str(&match (dialect, sort) {
            (Dialect::Sqlite, _) => format!("?{number}"),
            (Dialect::Postgres, Some(Sort::Formed(Format::Date))) => format!("${number}::date"),
            (Dialect::Postgres, Some(Sort::Formed(Format::Time))) => format!("${number}::time"),
            (Dialect::Postgres, _) => format!("${number}"),
        });
        Ok(())
    }
}

/// Rows, each an object in JSON, as a model is told them: whole ones, and a word when there are more.
///
/// # Errors
/// When there is a row that is too large to be told.
pub fn told(rows: &[String], most: usize) -> Result<String, String> {
    let mut told = String::from("[");
    for (at, row) in rows.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let fits = told.len() + row.len() + LEFT_OUT.len() + 3 <= MOST_OF_A_RESULT;
        if at == 0 && !fits {
            return Err(format!("a row has more than {MOST_OF_A_RESULT} octets"));
        }
        if at >= most || !fits {
            told.push_str(&format!("{comma}\"{LEFT_OUT}\""));
            break;
        }
        told.push_str(comma);
        told.push_str(row);
    }
    told.push(']');
    Ok(told)
}

/// The name behind a colon, if there is one: of `:call.from = x` it is `call.from`.
fn name_at(text: &str) -> Option<&str> {
    let text = text.strip_prefix(':')?;
    let end = text.find(|c: char| !(is_word(c) || c == '.')).unwrap_or(text.len());
    let name = text.get(..end)?.trim_end_matches('.');
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then_some(name)
}

/// How long the next piece of a query is: a word, something in quotes, a comment or a sign.
fn token(rest: &str, last: &str, dialect: Dialect) -> Result<usize, NoStatement> {
    let first = rest.chars().next().unwrap_or_default();
    let is_postgres = dialect == Dialect::Postgres;
    let until = |end: &str, from: usize| {
        let found = rest.get(from..).and_then(|rest| rest.find(end));
        found.map(|at| from + at + end.len()).ok_or_else(|| NoStatement::Open(end.to_owned()))
    };
    let word = || rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
    match first {
        '\'' => quoted(rest, first, is_postgres && last.eq_ignore_ascii_case("e")),
        '"' => quoted(rest, first, false),
        '`' if !is_postgres => quoted(rest, first, false),
        '-' if rest.starts_with("--") => Ok(rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => until("*/", 2),
        ':' if rest.starts_with("::") => Ok(2),
        '$' if is_postgres => {
            let tag = rest[1..].find(|c: char| !is_word(c)).unwrap_or(rest.len() - 1) + 1;
            match rest.get(tag..=tag) {
                Some("$") => until(&rest[..=tag], tag + 1),
                _ => Err(NoStatement::Nameless(rest[..tag].to_owned())),
            }
        }
        '?' | '@' | '$' if !is_postgres => Err(NoStatement::Nameless(first.to_string())),
        first if is_word(first) => Ok(word()),
        other => Ok(other.len_utf8()),
    }
}

/// How long a text in quotes is, with them. A quote in it is written twice.
fn quoted(rest: &str, quote: char, escapes: bool) -> Result<usize, NoStatement> {
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if escapes && letter == '\\' {
            letters.next();
        } else if letter == quote && letters.next_if(|(_, next)| *next == quote).is_none() {
            return Ok(at + 1);
        }
    }
    Err(NoStatement::Open(quote.to_string()))
}

/// Whether nothing but comments and blanks is left.
fn is_blank(rest: &str) -> bool {
    let rest = rest.trim_start();
    if rest.starts_with("--") {
        return rest.split_once('\n').is_none_or(|(_, rest)| is_blank(rest));
    }
    match rest.strip_prefix("/*").and_then(|comment| comment.split_once("*/")) {
        Some((_, rest)) => is_blank(rest),
        None => rest.is_empty(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A value as the argument that it is declared to be.
fn of_sort(sort: &Sort, value: Option<&Value>) -> Given {
    match sort {
        Sort::Integer => Given::Integer(value.and_then(whole)),
        Sort::Number => Given::Number(value.and_then(Value::as_f64)),
        Sort::Boolean => Given::Boolean(value.and_then(Value::as_bool)),
        Sort::Text | Sort::Formed(_) | Sort::List | Sort::Unknown(_) => Given::Text(text(value)),
    }
}

/// A value as it is.
fn of_its_own(value: Option<&Value>) -> Given {
    match value {
        Some(Value::Bool(truth)) => Given::Boolean(Some(*truth)),
        Some(Value::Number(number)) => match number.as_i64() {
            Some(whole) => Given::Integer(Some(whole)),
            None => Given::Number(number.as_f64()),
        },
        value => Given::Text(text(value)),
    }
}

fn whole(value: &Value) -> Option<i64> {
    let rounded = || value.as_f64().filter(|it| it.fract() == 0.0 && it.abs() < EXACT);
    value.as_i64().or_else(|| rounded().map(|it| it as i64))
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// What a query begins with.
const VERBS: [&str; 3] = ["select", "with", "values"];

/// What a name may begin with that is no argument.
const ROOTS: [&str; 4] = ["args", "call", "vars", "sip"];

/// The word for rows that are not told.
const LEFT_OUT: &str = "more rows are left out";

/// Below it every whole number is one in floating point, too: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parameters() -> BTreeMap<String, Parameter> {
        let written = json!({ "order": "string", "seats": "integer", "day": "date" });
        serde_json::from_value(written).expect("parameters")
    }

    fn read(query: &str, dialect: Dialect) -> Result<Statement, NoStatement> {
        Statement::read(query, &parameters(), dialect)
    }

    fn postgres(query: &str) -> String {
        read(query, Dialect::Postgres).map_or_else(|why| why.to_string(), |it| it.text)
    }

    #[test]
    fn names_become_numbers_and_nothing_else_does() {
        for (query, expected) in [
            ("SELECT * FROM o WHERE id = :order", "SELECT * FROM o WHERE id = $1"),
            ("select :order, :seats, :order", "select $1, $2, $1"),
            ("SELECT a::text, ':order', \":order\"", "SELECT a::text, ':order', \":order\""),
            ("SELECT 'it''s :order', :order", "SELECT 'it''s :order', $1"),
            (r"SELECT E'\':order', :order", r"SELECT E'\':order', $1"),
            (r"SELECT '\', :order", r"SELECT '\', $1"),
            ("SELECT $$:order$$, $x$ $$ :order $x$", "SELECT $$:order$$, $x$ $$ :order $x$"),
            ("SELECT 1 -- :order\n, :order", "SELECT 1 -- :order\n, $1"),
            ("SELECT 1 /* :order ; */ + :seats; ", "SELECT 1 /* :order ; */ + $1"),
            ("SELECT x[1:2], x ? 'a' FROM o", "SELECT x[1:2], x ? 'a' FROM o"),
            ("SELECT 1 WHERE day = :day", "SELECT 1 WHERE day = $1::date"),
            ("SELECT 1 WHERE phone = :call.from", "SELECT 1 WHERE phone = $1"),
            ("(VALUES (:vars.a.b))", "(VALUES ($1))"),
        ] {
            assert_eq!(postgres(query), expected, "{query}");
        }
        let sqlite = read("SELECT `:order`, :order, :day", Dialect::Sqlite).expect("a query");
        assert_eq!(sqlite.text(), "SELECT `:order`, ?1, ?2");
        assert_eq!(sqlite.names().collect::<Vec<_>>(), ["order", "day"]);
    }

    #[test]
    fn what_is_not_one_statement_that_reads_is_none() {
        for (query, why) in [
            ("", NoStatement::NoRead),
            ("DELETE FROM o", NoStatement::NoRead),
            ("PRAGMA query_only = 0", NoStatement::NoRead),
            ("SELECT 1; DROP TABLE o", NoStatement::Several),
            ("SELECT 1 /* */; -- x\n DROP TABLE o", NoStatement::Several),
            ("SELECT '{{ args.order }}'", NoStatement::Template),
            ("SELECT 'x", NoStatement::Open("'".to_owned())),
            ("SELECT 1 /* x", NoStatement::Open("*/".to_owned())),
            ("SELECT $a$ x $b$", NoStatement::Open("$a$".to_owned())),
            ("SELECT $1", NoStatement::Nameless("$1".to_owned())),
            ("SELECT :ordr", NoStatement::Unknown("ordr".to_owned())),
            ("SELECT :caller.x", NoStatement::Unknown("caller.x".to_owned())),
        ] {
            assert_eq!(read(query, Dialect::Postgres), Err(why), "{query}");
        }
        for nameless in ["SELECT ?", "SELECT @x", "SELECT $x"] {
            let found = read(nameless, Dialect::Sqlite);
            assert!(matches!(found, Err(NoStatement::Nameless(_))), "{nameless}");
        }
    }

    #[test]
    fn values_keep_the_type_that_they_are_declared_to_have() {
        let statement = read("SELECT :order, :seats, :day, :call.from, :vars.n", Dialect::Postgres);
        let statement = statement.expect("a query");
        let mut scope = Scope::default();
        let hostile = "'; DROP TABLE orders; --";
        scope.set("args", json!({ "order": hostile, "seats": 2.0 }));
        scope.set("call.from", "+49711");
        scope.set("vars.n", 7);
        let expected = [
            Given::Text(Some(hostile.to_owned())),
            Given::Integer(Some(2)),
            Given::Text(None),
            Given::Text(Some("+49711".to_owned())),
            Given::Integer(Some(7)),
        ];
        assert_eq!(statement.given(&scope), expected);
        assert!(!statement.text().contains("DROP"));
    }

    #[test]
    fn whole_rows_are_told_and_that_there_are_more() {
        let row = |text: &str| format!("{{\"a\":\"{text}\"}}");
        assert_eq!(told(&[], 5).as_deref(), Ok("[]"));
        let two = [row("x"), row("y")];
        assert_eq!(told(&two, 5).as_deref(), Ok(r#"[{"a":"x"},{"a":"y"}]"#));
        assert_eq!(told(&two, 1).as_deref(), Ok(r#"[{"a":"x"},"more rows are left out"]"#));
        let large: Vec<String> = (0..9).map(|_| row(&"x".repeat(1_000))).collect();
        let shown = told(&large, 20).expect("some");
        assert!(shown.len() <= MOST_OF_A_RESULT, "{}", shown.len());
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(shown.as_array().map(Vec::len), Some(5));
        assert!(told(&[row(&"x".repeat(5_000))], 5).is_err_and(|why| why.contains("4096")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_query_makes_it_panic(query in r#"(SELECT )?[ a-eE:'"`$?;.\\/*ü\n-]{0,40}"#) {
            let _ = read(&query, Dialect::Sqlite);
            let _ = read(&query, Dialect::Postgres);
        }
    }
}
