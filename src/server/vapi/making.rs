//! Files of ours of what is in the drawer: the same that an import would make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::base::url::Host;
use crate::server::importing::pieces::{Options, Pieces, Table};
use crate::server::importing::platform::{Import, Platform, import};
use crate::server::importing::report::Remark;
use crate::server::importing::writing;
use crate::server::vapi::drawer::{Drawer, Kept, Kind};

/// What there is beside the drawer.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Whether everything is done by the engines of this machine.
    pub local: bool,
    /// Names in the operator's files.
    pub taken: BTreeSet<String>,
    /// Hosts that tools may reach though they are not on the public internet.
    pub allowed: Vec<Host>,
}

/// What is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// A file of dialplans.
    pub text: String,
    /// Where calls go that are for the last thing in it.
    pub start: Option<String>,
    /// What in the drawer is otherwise here, with paths such as `$.assistants[1].voice.chunkPlan`.
    pub remarks: Vec<Remark>,
}

/// Makes the file of a drawer.
///
/// # Errors
/// With what is wrong, for whoever wrote it.
pub fn made(drawer: &Drawer, terms: &Terms) -> Result<Made, String> {
    let all = |kind| drawer.all(kind).iter().map(said).collect::<Vec<Value>>();
    let (tools, assistants) = (all(Kind::Tools), all(Kind::Assistants));
    let squads = all(Kind::Squads);
    // Tools are there for somebody.
    let is_empty = assistants.is_empty() && squads.is_empty();
    let file = json!({ "tools": tools, "assistants": assistants, "squads": squads });
    let named = drawer.all(Kind::Assistants).iter().chain(drawer.all(Kind::Squads));
    let names = named.filter_map(|it| Some((it.id().to_owned(), it.name.clone()?))).collect();
    let mut made = if is_empty { nothing() } else { read(&file, names, terms)? };
    for kept in drawer.all(Kind::PhoneNumbers) {
        made.text.push_str(&route(drawer, kept)?.unwrap_or_default());
    }
    Ok(made)
}

/// Makes a file for one call: of what it names itself, and of what that names in the drawer.
///
/// # Errors
/// With what is wrong, for whoever wrote it.
pub fn for_one_call(
    drawer: &Drawer,
    (kind, says): (Kind, &Table),
    terms: &Terms,
) -> Result<Made, String> {
    let members = says.get("members").and_then(Value::as_array).into_iter().flatten();
    let mut assistants = Vec::new();
    for id in members.filter_map(|it| it["assistantId"].as_str()) {
        let found = drawer.one(Kind::Assistants, id);
        let found = found.ok_or_else(|| format!("there is no assistant `{id}`"))?;
        assistants.push(said(found));
    }
    let own = complete(says);
    let (mut squads, mut tools) = (Vec::new(), Vec::new());
    match kind {
        Kind::Squads => squads.push(own),
        _ => assistants.push(own),
    }
    let named = assistants.iter().flat_map(|it| it["model"]["toolIds"].as_array()).flatten();
    for id in named.filter_map(Value::as_str) {
        let found = drawer.one(Kind::Tools, id);
        tools.push(said(found.ok_or_else(|| format!("there is no tool `{id}`"))?));
    }
    let file = json!({ "tools": tools, "assistants": assistants, "squads": squads });
    read(&file, BTreeMap::new(), terms)
}

/// What of the remarks is about one thing, with paths that begin there.
pub fn about(remarks: &[Remark], kind: Kind, place: usize) -> Vec<Value> {
    let list = match kind {
        Kind::Assistants => "assistants",
        Kind::Squads => "squads",
        Kind::Tools => "tools",
        Kind::PhoneNumbers => return Vec::new(),
    };
    let head = format!("$.{list}[{place}]");
    let own = remarks.iter().filter_map(|it| {
        let rest = it.path.strip_prefix(&head)?;
        let inside = rest.is_empty() || rest.starts_with(['.', '[']);
        inside.then(|| json!({ "path": format!("${rest}"), "why": it.why, "instead": it.instead }))
    });
    own.collect()
}

fn read(file: &Value, names: BTreeMap<String, String>, terms: &Terms) -> Result<Made, String> {
    let options = Options {
        local: terms.local,
        taken: terms.taken.clone(),
        allowed: terms.allowed.clone(),
        title: "assistant".to_owned(),
        names,
    };
    let read = import(Platform::Vapi, &file.to_string(), &options);
    let Import { pieces, report } = read.map_err(|why| why.to_string())?;
    Ok(Made { text: text(&pieces), start: pieces.start, remarks: report.unmapped })
}

fn nothing() -> Made {
    Made { text: text(&Pieces::default()), start: None, remarks: Vec::new() }
}

fn text(pieces: &Pieces) -> String {
    let mut text = HEAD.to_owned();
    let kinds = [
        ("tools", &pieces.tools),
        ("agents", &pieces.agents),
        ("squads", &pieces.squads),
        ("flows", &pieces.flows),
    ];
    for (kind, all) in kinds {
        all.iter().for_each(|(name, piece)| writing::piece(&mut text, (kind, name), piece));
    }
    text
}

/// The route of a number; none of one that leads nowhere.
fn route(drawer: &Drawer, kept: &Kept) -> Result<Option<String>, String> {
    let known = [("assistantId", Kind::Assistants), ("squadId", Kind::Squads)];
    let named = known.into_iter().find_map(|(key, kind)| Some((kind, kept.text(key)?)));
    let (Some(number), Some((kind, id))) = (number(kept), named) else { return Ok(None) };
    let to = drawer.destination(kind, id);
    let to = to.ok_or_else(|| format!("there is no {} `{id}`", kind.name()))?;
    let mut text = "\n[[route]]\n".to_owned();
    let name = route_name(kept);
    for (key, says) in [("name", name.as_str()), ("did", number), ("to", to.as_str())] {
        let _ = writeln!(text, "{key:4} = {}", writing::value(&says.into()));
    }
    Ok(Some(text))
}

/// What the route of a number is called.
pub fn route_name(kept: &Kept) -> String {
    format!("vapi: {}", kept.id())
}

/// What is dialled for a number: its digits, or the user of its SIP address.
pub fn number(kept: &Kept) -> Option<&str> {
    let of_uri = || {
        let uri = kept.text("sipUri")?;
        let rest = uri.strip_prefix("sips:").or_else(|| uri.strip_prefix("sip:"))?;
        rest.split('@').next().filter(|it| !it.is_empty())
    };
    kept.text("number").or_else(of_uri)
}

fn said(kept: &Kept) -> Value {
    complete(&kept.says)
}

/// An assistant that says next to nothing is one all the same.
fn complete(says: &Table) -> Value {
    let mut says = says.clone();
    if !says.contains_key("members") && !says.contains_key("type") {
        says.entry("firstMessage").or_insert_with(|| json!(""));
    }
    Value::Object(says)
}

/// How the file begins.
const HEAD: &str = "# Written by programs through /vapi, whenever one of them changes something: what you change\n\
                    # here goes then. To keep it, move it into another file under another name.\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::vapi::drawer::Stamp;

    fn put(drawer: &mut Drawer, kind: Kind, id: &str, says: Value) {
        let stamp = Stamp { id: id.to_owned(), at: "2026-01-01T00:00:00Z".to_owned() };
        let says = says.as_object().expect("a table").clone();
        drawer.put(kind, says, stamp, &BTreeSet::new()).expect("there is room");
    }

    #[test]
    fn a_drawer_becomes_a_file_whose_names_stay() {
        let mut drawer = Drawer::default();
        put(&mut drawer, Kind::Assistants, "a1", json!({ "name": "Mary", "firstMessage": "Hi." }));
        let odd = json!({ "name": "Mary", "voice": { "chunkPlan": { "enabled": true } } });
        put(&mut drawer, Kind::Assistants, "a2", odd);
        let squad = json!({ "name": "Desk", "members": [{ "assistantId": "a2" }] });
        put(&mut drawer, Kind::Squads, "s1", squad);
        put(
            &mut drawer,
            Kind::PhoneNumbers,
            "p1",
            json!({ "number": "+49711123", "squadId": "s1" }),
        );
        put(&mut drawer, Kind::PhoneNumbers, "p2", json!({ "number": "+49711124" }));
        let terms = Terms { local: true, ..Terms::default() };
        let made = made(&drawer, &terms).expect("it can be made");
        let read: Value = toml::from_str(&made.text).expect("TOML");
        assert_eq!(read["agents"]["mary"]["first_message"], "Hi.", "{}", made.text);
        assert!(read["agents"]["mary-2"].is_object() && read["agents"]["desk-mary-2"].is_object());
        assert_eq!(read["squads"]["desk"]["start"], "desk-mary-2", "{}", made.text);
        let routes = read["route"].as_array().expect("routes");
        assert_eq!(routes.len(), 1, "{}", made.text);
        assert_eq!(
            (&routes[0]["did"], &routes[0]["to"]),
            (&json!("+49711123"), &json!("squad:desk"))
        );
        let remarks = about(&made.remarks, Kind::Assistants, 1);
        assert_eq!(remarks[0]["path"], "$.voice.chunkPlan", "{remarks:?}");
        assert!(about(&made.remarks, Kind::Assistants, 0).is_empty());
        drawer.remove(Kind::Assistants, "a1").expect("nobody names it");
        let later = super::made(&drawer, &terms).expect("it can be made").text;
        assert!(!later.contains("[agents.mary]") && later.contains("[agents.mary-2]"), "{later}");
    }

    #[test]
    fn an_empty_drawer_is_an_empty_file() {
        let made = made(&Drawer::default(), &Terms::default()).expect("it can be made");
        let read: Value = toml::from_str(&made.text).expect("TOML");
        assert_eq!(read, json!({}));
    }
}
