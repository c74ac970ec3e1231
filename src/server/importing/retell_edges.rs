//! The edges of a conversation flow of Retell: where they lead, and when they are gone.

use serde_json::Value;

use crate::server::importing::read::View;
use crate::server::importing::wording::{literal, variable};

/// A way on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The node there.
    pub to: String,
    /// When.
    pub when: When,
}

/// When a way is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// When this is so, as a model finds.
    Judged(String),
    /// When this condition holds.
    Holds(String),
    /// When nothing else is so.
    Otherwise,
    /// At once.
    Always,
}

/// All edges of a node, in their order; those that lead nowhere are remarked.
pub fn edges(node: &View<'_>) -> Vec<Edge> {
    let mut found: Vec<Edge> = node.list("edges").iter().filter_map(|it| edge(it, None)).collect();
    let single = [
        ("always_edge", When::Otherwise),
        ("else_edge", When::Otherwise),
        ("skip_response_edge", When::Always),
        ("edge", When::Otherwise),
        ("success_edge", When::Always),
        ("failed_edge", When::Otherwise),
    ];
    for (key, when) in single {
        if let Some(view) = node.get(key) {
            found.extend(edge(&view, Some(when)));
        }
    }
    found
}

fn edge(view: &View<'_>, when: Option<When>) -> Option<Edge> {
    view.skip(&["id"]);
    let condition = view.get("transition_condition");
    let found = match (when, &condition) {
        (Some(when), _) => {
            if let Some(condition) = &condition {
                condition.done();
            }
            Some(when)
        }
        (None, Some(condition)) => read(condition),
        (None, None) => None,
    };
    let Some(to) = view.words("destination_node_id") else {
        let has_way = matches!(found, Some(When::Judged(_) | When::Holds(_)));
        if has_way {
            view.remark("it leads nowhere", "add a way to a node");
        } else {
            view.done();
        }
        return None;
    };
    let Some(when) = found else {
        view.remark("it is not said when", "add a way with `when`");
        return None;
    };
    Some(Edge { to: to.to_owned(), when })
}

fn read(condition: &View<'_>) -> Option<When> {
    if condition.text("type") == Some("equation") {
        let all = condition.list("equations");
        let parts: Vec<String> = all.iter().filter_map(equation).collect();
        if parts.is_empty() || parts.len() < all.len() {
            return None;
        }
        let either = condition.text("operator") == Some("||");
        condition.skip(&["prompt"]);
        return Some(When::Holds(parts.join(if either { " || " } else { " && " })));
    }
    let prompt = condition.words("prompt")?;
    let line = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(When::Judged(literal(&line)))
}

/// An equation in CEL.
fn equation(view: &View<'_>) -> Option<String> {
    let name = named(view.words("left")?)?;
    let right = view.text("right").unwrap_or_default();
    let text = format!("string(vars.{name})");
    let value = Value::from(literal(right));
    Some(match view.text("operator")? {
        "==" => format!("{text} == {value}"),
        "!=" => format!("{text} != {value}"),
        "contains" => format!("{text}.contains({value})"),
        "not_contains" => format!("!{text}.contains({value})"),
        "exists" => format!("{text} != \"\""),
        "not_exist" => format!("{text} == \"\""),
        sign @ (">" | ">=" | "<" | "<=") => {
            let number: f64 = right.trim().parse().ok().filter(|it: &f64| it.is_finite())?;
            format!("double(vars.{name}) {sign} {number:?}")
        }
        _ => return None,
    })
}

/// The variable of `{{name}}` or `name`.
pub fn named(left: &str) -> Option<String> {
    let name = left.trim().trim_start_matches("{{").trim_end_matches("}}").trim();
    let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    (!name.is_empty() && name.chars().all(fits)).then(|| variable(name))
}

/// The variables that the conditions of a node name.
pub fn variables(node: &View<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let every = |view: &Value, found: &mut Vec<String>| {
        let equations = view["transition_condition"]["equations"].as_array();
        for equation in equations.into_iter().flatten() {
            found.extend(equation["left"].as_str().and_then(named));
        }
    };
    let edges = node.peek()["edges"].as_array();
    edges.into_iter().flatten().for_each(|it| every(it, &mut found));
    found
}
