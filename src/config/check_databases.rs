//! Checks of databases and of the tools that ask them.

use crate::agent::tools::definition::Definition;
use crate::agent::tools::statement::{Dialect, NoStatement, Statement};
use crate::config::check_machine::in_plain_text;
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::subject::Subject;

/// Checks `[databases]`.
pub fn databases(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, database) in &subject.server.databases {
        let (path, url) = (format!("databases.{name}"), format!("databases.{name}.url"));
        if database.dialect().is_none() {
            found.push(
                Diagnostic::error("database.url", "no database that we know is there")
                    .at(subject.place(&url), "not known")
                    .help("write \"sqlite:orders.db\" or \"postgres://user@db.example.com/shop\""),
            );
        }
        if database.has_password_in_url() {
            found.extend(in_plain_text(subject, &url));
        }
        if database.password.is_some() {
            found.extend(in_plain_text(subject, &format!("{path}.password")));
        }
        if database.may_be_another() {
            let message = format!("nobody proves to be the database `{name}`");
            found.push(
                Diagnostic::warning("database.unproven", message)
                    .at(subject.place(&url), "whoever is on the way could answer")
                    .help(
                        "add ?sslmode=verify-full, and &sslrootcert=FILE for an authority of yours",
                    ),
            );
        }
    }
    found
}

/// Checks a tool that asks a database; `path` is that of its table.
pub fn tool(subject: &Subject<'_>, definition: &Definition, path: &str) -> Vec<Diagnostic> {
    let place = |key: &str| subject.place(&format!("{path}.{key}"));
    let mut found = Vec::new();
    let databases = &subject.server.databases;
    let name = definition.database.as_str();
    if name.is_empty() {
        found.push(
            Diagnostic::error("key.missing", "nothing says which database is asked")
                .at(subject.key(path), "`database` must stand in this table"),
        );
    } else if !databases.contains_key(name) {
        let label = match did_you_mean(name, databases.keys().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "not defined".to_owned(),
        };
        found.push(
            Diagnostic::error("ref.unknown", format!("there is no database `{name}`"))
                .at(place("database"), label)
                .help(format!(
                    "add [databases.{name}] with url = \"sqlite:orders.db\" to the settings of \
                     the server"
                )),
        );
    }
    if definition.rows.is_some_and(|rows| !(1..=MOST_ROWS).contains(&rows)) {
        let message = format!("`rows` must be a whole number from 1 to {MOST_ROWS}");
        found.push(Diagnostic::error("value.range", message).at(place("rows"), "out of range"));
    }
    let Some(query) = definition.statement().filter(|query| !query.trim().is_empty()) else {
        found.push(
            Diagnostic::error("key.missing", "nothing says what the database is asked")
                .at(subject.key(path), "`query` must stand in this table, as a text"),
        );
        return found;
    };
    let dialect = databases.get(name).and_then(|it| it.dialect()).unwrap_or(Dialect::Postgres);
    if let Err(why) = Statement::read(query, &definition.parameters, dialect) {
        let told = Diagnostic::error("tool.query", why.to_string()).at(place("query"), "this text");
        found.push(told.help(help(&why, definition)));
    }
    found
}

fn help(why: &NoStatement, definition: &Definition) -> String {
    match why {
        NoStatement::Template | NoStatement::Nameless(_) => {
            "write :name where the value of an argument belongs; it is bound, never pasted"
                .to_owned()
        }
        NoStatement::NoRead | NoStatement::Several => {
            "tools only read: what changes something goes through an API of yours".to_owned()
        }
        NoStatement::Open(_) => "close it".to_owned(),
        NoStatement::Unknown(_) => {
            let known = definition.parameters.keys().map(|name| format!(":{name}"));
            let known: Vec<String> = known.chain([":call.from".to_owned()]).collect();
            format!("known are {} and the like; others stand under `parameters`", known.join(", "))
        }
    }
}

/// How many rows are told at most.
const MOST_ROWS: u32 = 100;
