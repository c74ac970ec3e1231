//! What agents inherit: `[defaults.agent]` first, then the agents that they extend, then their own.

use std::collections::BTreeMap;

use toml::de::DeValue;

use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::source::Span;
use crate::config::tree::Node;

/// Tables with names, as they are written, each with where its name stands.
pub type Named<'t> = BTreeMap<String, (Span, Node<'t>)>;

/// Agents with a wrong `extends`, each with what is to be said about it. Of a circle only one
/// agent says so.
pub type Wrong = Vec<(String, Option<Diagnostic>)>;

/// Gives every agent what it inherits. Tables are merged key by key, everything else is replaced.
/// An agent with a wrong `extends` keeps its own keys only.
pub fn inherited<'t>(defaults: Option<Node<'t>>, agents: Named<'t>) -> (Named<'t>, Wrong) {
    let (mut whole, mut wrong) = (Named::new(), Wrong::new());
    for (name, (key, node)) in &agents {
        let chain = ancestors(name, &agents).unwrap_or_else(|why| {
            wrong.push((name.clone(), why.map(|why| *why)));
            Vec::new()
        });
        let older = chain.into_iter().rev().map(|name| agents[name].1.clone());
        let layers = defaults.clone().into_iter().chain(older);
        let merged = layers.chain([node.clone()]).reduce(merged_node).map(without_extends);
        let merged = merged.expect("an agent has at least its own table");
        whole.insert(name.clone(), (key.clone(), merged));
    }
    (whole, wrong)
}

/// Follows `extends` from an agent upwards.
fn ancestors<'n>(
    name: &'n str,
    agents: &'n Named<'_>,
) -> Result<Vec<&'n str>, Option<Box<Diagnostic>>> {
    let mut chain: Vec<&str> = Vec::new();
    let mut current = name;
    while let Some(extends) = agents[current].1.get_ref().get("extends") {
        let span = Some(extends.span());
        let wrong = |why: Diagnostic| Err(Some(Box::new(why)));
        let Some(base) = extends.get_ref().as_str() else {
            let why = Diagnostic::error("value.type", "`extends` must be the name of an agent");
            return wrong(why.at(span, "a text in quotes"));
        };
        let Some((known, _)) = agents.get_key_value(base) else {
            return wrong(unknown_base(base, span, agents));
        };
        if chain.contains(&known.as_str()) || known == name {
            let speaks = known == name && chain.iter().all(|other| *other > name);
            let path: Vec<&str> = [name].into_iter().chain(chain).chain([base]).collect();
            let why = Diagnostic::error("ref.cycle", format!("agent `{name}` extends itself"))
                .at(span, "this closes the circle")
                .help(path.join(" → "));
            return Err(speaks.then(|| Box::new(why)));
        }
        if chain.len() == DEEPEST {
            let why = Diagnostic::error("ref.depth", format!("agent `{name}` inherits too deeply"));
            let help = format!("at most {DEEPEST} agents may stand above an agent");
            return wrong(why.at(span, "one too many").help(help));
        }
        chain.push(known);
        current = known;
    }
    Ok(chain)
}

fn unknown_base(base: &str, span: Option<Span>, agents: &Named<'_>) -> Diagnostic {
    let why = Diagnostic::error("ref.unknown", format!("there is no agent `{base}` to extend"));
    let names = agents.keys().map(String::as_str);
    match did_you_mean(base, names) {
        Some(name) => why.at(span, format!("did you mean `{name}`?")),
        None => why.at(span, "not defined"),
    }
}

/// Puts `over` on top of `base`. An agent's own prompt replaces an inherited one, whichever of the
/// two ways it is given.
fn merged_node<'t>(mut base: Node<'t>, over: Node<'t>) -> Node<'t> {
    if let DeValue::Table(table) = base.get_mut() {
        let own = |key: &str| over.get_ref().get(key).is_some();
        if own("prompt") || own("prompt_file") {
            table.remove("prompt");
            table.remove("prompt_file");
        }
    }
    merged(base, over)
}

/// Merges tables key by key; everything else of `over` replaces what `base` has.
pub fn merged<'t>(base: Node<'t>, over: Node<'t>) -> Node<'t> {
    let span = over.span();
    let value = match (base.into_inner(), over.into_inner()) {
        (DeValue::Table(mut below), DeValue::Table(above)) => {
            for (key, value) in above {
                let value = match below.remove(key.get_ref().as_ref()) {
                    Some(old) => merged(old, value),
                    None => value,
                };
                below.insert(key, value);
            }
            DeValue::Table(below)
        }
        (_, above) => above,
    };
    Node::new(span, value)
}

fn without_extends(mut node: Node<'_>) -> Node<'_> {
    if let DeValue::Table(table) = node.get_mut() {
        table.remove("extends");
    }
    node
}

/// How many agents may stand above an agent.
const DEEPEST: usize = 3;
