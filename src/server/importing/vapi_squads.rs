//! Squads of Vapi.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::server::importing::draft::Draft;
use crate::server::importing::local;
use crate::server::importing::makers::FromVapi as Maker;
use crate::server::importing::pieces::{Piece, Pieces, Table};
use crate::server::importing::read::{Unreadable, View};

/// A member of a squad.
struct Member<'a> {
    /// Its name among the agents.
    agent: String,
    draft: Draft,
    from: String,
    at: View<'a>,
}

/// Makes a squad, and those of its members that are not there yet.
///
/// # Errors
/// When nobody is in it.
pub fn squad<'a>(maker: &mut Maker<'a>, view: &View<'a>) -> Result<(), Unreadable> {
    view.skip(&["id", "orgId", "createdAt", "updatedAt"]);
    let title = view.words("name").unwrap_or(&maker.options.title).to_owned();
    let name = maker.pinned(view).unwrap_or_else(|| maker.pieces.name(&title, "squad"));
    let mut names = BTreeMap::new();
    let mut members: Vec<Member<'_>> = Vec::new();
    for one in view.list("members") {
        members.extend(member(maker, (view, &name, &one), &mut names));
    }
    let Some(start) = members.first().map(|it| it.agent.clone()) else {
        return Err(view.wrong("nobody is in this squad whose assistant is in the file"));
    };
    let mut handoffs: Vec<Table> = Vec::new();
    for member in &mut members {
        let mut seen = BTreeSet::new();
        for handoff in std::mem::take(&mut member.draft.handoffs) {
            let to = names.get(&handoff.to).or_else(|| maker.agents.get(&handoff.to)).cloned();
            let to = to.filter(|it| names.values().any(|name| name == it) && *it != member.agent);
            let Some(to) = to.filter(|it| seen.insert(it.clone())) else {
                member.draft.lost.push(handoff);
                continue;
            };
            let mut says = handoff.says;
            let when = says.get("when").and_then(|it| it.as_str()).unwrap_or_default().to_owned();
            member.draft.ways.push((to.clone(), when));
            says.insert("from".to_owned(), json!(member.agent));
            says.insert("to".to_owned(), json!(to));
            handoffs.push(says);
        }
    }
    let agents: Vec<String> = members.iter().map(|it| it.agent.clone()).collect();
    let agents: Vec<&String> = agents.iter().collect();
    let from = (name.as_str(), view.path());
    let inside = assemble(&mut maker.pieces, from, (&start, &agents), handoffs);
    for Member { agent, mut draft, from, at } in members {
        for lost in &draft.lost {
            let why = format!("nobody else in the squad is called `{}`", lost.to);
            at.remark(why, "write [[squads.NAME.handoff]]");
        }
        if !inside.contains(&agent) {
            at.remark(
                "nobody hands over to it",
                "write [[squads.NAME.handoff]], and add it to the members",
            );
            // Nobody can hand over who is in no squad.
            draft.ways.clear();
        }
        local::settle(&mut maker.pieces, (&agent, &from), draft, maker.options);
    }
    maker.pieces.start = Some(format!("squad:{name}"));
    Ok(())
}

/// Puts a squad among the pieces, with those of its members to whom somebody hands over.
pub fn assemble(
    pieces: &mut Pieces,
    (name, from): (&str, &str),
    (start, members): (&str, &[&String]),
    mut handoffs: Vec<Table>,
) -> BTreeSet<String> {
    let reached = reached(start, &handoffs);
    handoffs.retain(|it| it["from"].as_str().is_some_and(|from| reached.contains(from)));
    let inside: Vec<&&String> = members.iter().filter(|it| reached.contains(**it)).collect();
    let mut says = Table::new();
    says.insert("start".to_owned(), json!(start));
    says.insert("members".to_owned(), json!(inside));
    if !handoffs.is_empty() {
        says.insert("handoff".to_owned(), json!(handoffs));
    }
    pieces.squads.insert(name.to_owned(), Piece { says, from: from.to_owned() });
    reached
}

fn member<'a>(
    maker: &mut Maker<'a>,
    (squad, called, view): (&View<'a>, &str, &View<'a>),
    names: &mut BTreeMap<String, String>,
) -> Option<Member<'a>> {
    view.skip(&["assistantVersion"]);
    let inline = view.get("assistant");
    let by_id = view.text("assistantId").map(str::to_owned);
    let base = inline.or_else(|| maker.drafts.get(by_id.as_ref()?).cloned());
    let Some(base) = base else {
        view.remark(
            "its assistant is not in this file",
            "put the assistant into the file: { \"squads\": [...], \"assistants\": [...] }",
        );
        return None;
    };
    let own = view.get("assistantOverrides");
    let overrides = match (own, squad.get("membersOverrides")) {
        // What is said of all counts more (so does Vapi).
        (Some(own), all) => Some(own.beneath(all)),
        (None, all) => all,
    };
    if let Some(overrides) = &overrides {
        given(overrides, maker);
    }
    let theirs = base.words("name").map(str::to_owned);
    let base = base.beneath(overrides);
    let agent = match maker.pinned(&base) {
        // Whose name stays as an agent of its own keeps it in the squad as well.
        Some(own) => {
            let name = maker.pieces.name(&format!("{called}-{own}"), "assistant");
            maker.known_as(&base, name)
        }
        None => maker.named(&base),
    };
    names.extend(by_id.into_iter().chain(theirs).map(|it| (it, agent.clone())));
    if let Some(name) = base.words("name") {
        names.insert(name.to_owned(), agent.clone());
    }
    let mut draft = maker.assistant(&base);
    for destination in view.list("assistantDestinations") {
        maker.way(&destination, &mut draft);
    }
    Some(Member { agent, draft, from: base.path().to_owned(), at: view.clone() })
}

/// Variables that overrides give.
fn given(overrides: &View<'_>, maker: &mut Maker<'_>) {
    let values = overrides.get("variableValues");
    for (name, value) in values.iter().flat_map(View::entries) {
        let text = value.whole();
        let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
        maker.words.defaults.insert(name.to_owned(), text);
    }
}

/// The members that somebody hands over to, the first among them.
fn reached(start: &str, handoffs: &[Table]) -> BTreeSet<String> {
    let mut reached = BTreeSet::from([start.to_owned()]);
    for _ in handoffs {
        for way in handoffs {
            let ends = (way["from"].as_str(), way["to"].as_str());
            if let (Some(from), Some(to)) = ends
                && reached.contains(from)
            {
                reached.insert(to.to_owned());
            }
        }
    }
    reached
}
