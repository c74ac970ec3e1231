//! Nodes of flows, as they are written.

use serde_json::{Value, json};

use crate::server::importing::pieces::Table;

/// A node of a kind.
pub fn node(kind: &str) -> Table {
    Table::from_iter([("type".to_owned(), json!(kind))])
}

/// A node of a kind, with the ways behind it.
pub fn with_next(kind: &str, ways: Vec<Value>) -> Table {
    let mut says = node(kind);
    let plain = if let [only] = ways.as_slice() { only.get("when").is_none() } else { false };
    let next = if plain { ways[0]["to"].clone() } else { Value::Array(ways) };
    says.insert("next".to_owned(), next);
    says
}

/// A node that asks for values.
pub fn asking(wanted: &Table, next: &str, local: bool) -> Table {
    let (mut collect, mut ask) = (Table::new(), Table::new());
    let mut list = String::new();
    for (name, says) in wanted {
        let spoken = name.replace('_', " ");
        let description = says["description"].as_str().unwrap_or(&spoken).replace(['{', '}'], "");
        let sort = match says["type"].as_str().unwrap_or("string") {
            "boolean" => "boolean",
            "number" | "integer" => "number",
            "date" => "date",
            "time" => "time",
            "email" => "email",
            _ => text_sort(&format!("{name} {description}").to_lowercase()),
        };
        let choices = says.get("enum").filter(|it| it.as_array().is_some_and(|it| !it.is_empty()));
        collect.insert(name.clone(), choices.cloned().unwrap_or_else(|| json!(sort)));
        list.push_str(&format!("\n- {name}: {description}"));
        ask.insert(name.clone(), json!(format!("Please tell me: {description}")));
    }
    let mut says = node("ask");
    says.insert("collect".to_owned(), Value::Object(collect));
    if local {
        says.insert("ask".to_owned(), Value::Object(ask));
    } else {
        let prompt = format!("Find these in what was said, and ask for what is missing:{list}");
        says.insert("prompt".to_owned(), json!(prompt));
    }
    says.insert("tries".to_owned(), json!(2));
    says.insert("next".to_owned(), json!(next));
    says
}

/// Of which type a text is, by what is said of it.
fn text_sort(about: &str) -> &'static str {
    let known = [
        ("phone", "phone"),
        ("e-mail", "email"),
        ("email", "email"),
        ("date", "date"),
        ("day", "date"),
        ("postcode", "postcode"),
        ("zip", "postcode"),
        ("iban", "iban"),
        ("number", "digits"),
        ("digits", "digits"),
        ("code", "digits"),
        ("time", "time"),
    ];
    known.into_iter().find(|(word, _)| about.contains(word)).map_or("name", |(_, sort)| sort)
}
