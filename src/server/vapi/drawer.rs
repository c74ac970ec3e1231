//! The drawer: what programs made, as they said it. It is a file of JSON in the data folder, and what
//! `vapi.toml` among the dialplans is made of.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::editing::writing::replace;
use crate::server::importing::pieces::Table;
use crate::server::importing::wording::slug;

/// What can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Agents of ours.
    Assistants,
    /// Assistants that hand over to each other.
    Squads,
    /// What assistants may do.
    Tools,
    /// Numbers that lead to them.
    PhoneNumbers,
}

/// All that was made, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Drawer {
    assistants: Vec<Kept>,
    squads: Vec<Kept>,
    tools: Vec<Kept>,
    phone_numbers: Vec<Kept>,
}

/// One thing that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// What an assistant or a squad is called in the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it says, its identity and times among it.
    pub says: Table,
}

/// Something new: its identity, and when it is made (RFC 3339).
#[derive(Debug, Clone)]
pub struct Stamp {
    /// A UUID.
    pub id: String,
    /// When.
    pub at: String,
}

impl Kind {
    /// What one of them is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Assistants => "assistant",
            Self::Squads => "squad",
            Self::Tools => "tool",
            Self::PhoneNumbers => "phone number",
        }
    }
}

impl Kept {
    /// Its identity.
    pub fn id(&self) -> &str {
        self.text("id").unwrap_or_default()
    }

    /// What stands under a key, if it is a text that says something.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.says.get(key).and_then(Value::as_str).filter(|it| !it.is_empty())
    }
}

impl Drawer {
    /// Reads a drawer; one that is not there is empty.
    ///
    /// # Errors
    /// When it cannot be read, or is no drawer.
    pub fn read(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(why) => Err(why),
        }
    }

    /// Writes it, for nobody else's eyes: tools come with secrets.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        let mut own = OpenOptions::new();
        match own.write(true).create_new(true).mode(0o600).open(path) {
            Err(why) if why.kind() != io::ErrorKind::AlreadyExists => Err(why),
            _ => replace(path, &text),
        }
    }

    /// All of a kind, the oldest first.
    pub fn all(&self, kind: Kind) -> &[Kept] {
        match kind {
            Kind::Assistants => &self.assistants,
            Kind::Squads => &self.squads,
            Kind::Tools => &self.tools,
            Kind::PhoneNumbers => &self.phone_numbers,
        }
    }

    /// One, by its identity.
    pub fn one(&self, kind: Kind, id: &str) -> Option<&Kept> {
        self.all(kind).iter().find(|it| it.id() == id)
    }

    /// The assistant or squad that has a name in the files.
    pub fn called(&self, kind: Kind, name: &str) -> Option<&Kept> {
        self.all(kind).iter().find(|it| it.name.as_deref() == Some(name))
    }

    /// Puts something in. Its name is none of those that are `taken`.
    ///
    /// # Errors
    /// When there are too many.
    pub fn put(
        &mut self,
        kind: Kind,
        says: Table,
        stamp: Stamp,
        taken: &BTreeSet<String>,
    ) -> Result<(), String> {
        if self.all(kind).len() >= MOST {
            return Err(format!("there are {MOST} of them, and no more may be"));
        }
        let is_named = matches!(kind, Kind::Assistants | Kind::Squads);
        let name = is_named.then(|| {
            let base = slug(says.get("name").and_then(Value::as_str).unwrap_or(""), kind.name());
            self.free(&base, taken)
        });
        let mut says = own(says);
        let stamps = [
            ("id", stamp.id),
            ("orgId", ORGANIZATION.to_owned()),
            ("createdAt", stamp.at.clone()),
            ("updatedAt", stamp.at),
        ];
        says.extend(stamps.map(|(key, text)| (key.to_owned(), Value::from(text))));
        self.all_mut(kind).push(Kept { name, says });
        Ok(())
    }

    /// Lets something say other things: of each key that is given, this; of those that are null,
    /// nothing. Tells whether it is there.
    pub fn change(&mut self, kind: Kind, id: &str, patch: Table, at: String) -> bool {
        let Some(kept) = self.all_mut(kind).iter_mut().find(|it| it.id() == id) else {
            return false;
        };
        for (key, value) in own(patch) {
            match value {
                Value::Null => kept.says.remove(&key),
                value => kept.says.insert(key, value),
            };
        }
        kept.says.insert("updatedAt".to_owned(), at.into());
        true
    }

    /// Takes something out.
    ///
    /// # Errors
    /// When something else names it, which would lead nowhere.
    pub fn remove(&mut self, kind: Kind, id: &str) -> Result<Option<Kept>, String> {
        let Some(at) = self.all(kind).iter().position(|it| it.id() == id) else {
            return Ok(None);
        };
        let kept = self.all_mut(kind).remove(at);
        match self.lost() {
            Some((user, _)) => Err(format!("{user} names it: change that first")),
            None => Ok(Some(kept)),
        }
    }

    /// What names something that is not here: who, and what.
    pub fn lost(&self) -> Option<(String, String)> {
        let told = |kind: Kind, kept: &Kept, what: &str| {
            Some((format!("the {} `{}`", kind.name(), kept.id()), what.to_owned()))
        };
        for kept in &self.assistants {
            let ids = kept.says.get("model").and_then(|it| it.get("toolIds"));
            let mut ids = ids.and_then(Value::as_array).into_iter().flatten();
            let lost =
                ids.find_map(|id| id.as_str().filter(|id| self.one(Kind::Tools, id).is_none()));
            if let Some(id) = lost {
                return told(Kind::Assistants, kept, id);
            }
        }
        for kept in &self.squads {
            let members = kept.says.get("members").and_then(Value::as_array);
            let mut ids = members.into_iter().flatten().filter_map(|it| it["assistantId"].as_str());
            if let Some(id) = ids.find(|id| self.one(Kind::Assistants, id).is_none()) {
                return told(Kind::Squads, kept, id);
            }
        }
        let known = [("assistantId", Kind::Assistants), ("squadId", Kind::Squads)];
        for kept in &self.phone_numbers {
            for (key, kind) in known {
                // An agent of the operator's files has its name as its identity.
                if let Some(id) = kept.text(key).filter(|it| is_uuid(it))
                    && self.one(kind, id).is_none()
                {
                    return told(Kind::PhoneNumbers, kept, id);
                }
            }
        }
        None
    }

    /// Where calls to an assistant or a squad go: those that were made here by their identity, those
    /// of the operator's files by their name.
    pub fn destination(&self, kind: Kind, id: &str) -> Option<String> {
        let word = kind.name().replace("assistant", "agent");
        let made = self.one(kind, id).and_then(|it| it.name.as_deref());
        let name = made.or_else(|| (!is_uuid(id) && slug(id, "") == id).then_some(id))?;
        Some(format!("{word}:{name}"))
    }

    fn free(&self, base: &str, taken: &BTreeSet<String>) -> String {
        let is_free = |name: &String| {
            let named = self.assistants.iter().chain(&self.squads);
            !taken.contains(name) && !named.into_iter().any(|it| it.name.as_ref() == Some(name))
        };
        let others = (2_u32..).map(|number| format!("{base}-{number}"));
        std::iter::once(base.to_owned()).chain(others).find(is_free).unwrap_or_default()
    }

    fn all_mut(&mut self, kind: Kind) -> &mut Vec<Kept> {
        match kind {
            Kind::Assistants => &mut self.assistants,
            Kind::Squads => &mut self.squads,
            Kind::Tools => &mut self.tools,
            Kind::PhoneNumbers => &mut self.phone_numbers,
        }
    }
}

/// Without what only we say.
fn own(mut says: Table) -> Table {
    for key in ["id", "orgId", "createdAt", "updatedAt", "voxtrunk"] {
        says.remove(key);
    }
    says
}

fn is_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}

/// Whose everything is.
pub const ORGANIZATION: &str = "voxtrunk";

/// How many there may be of a kind.
const MOST: usize = 1_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn says(value: Value) -> Table {
        value.as_object().expect("a table").clone()
    }

    fn stamp(id: &str) -> Stamp {
        Stamp { id: id.to_owned(), at: "2026-01-01T00:00:00Z".to_owned() }
    }

    #[test]
    fn names_stay_and_what_is_named_does_too() {
        let (mut drawer, taken) = (Drawer::default(), BTreeSet::from(["mary".to_owned()]));
        let put = |drawer: &mut Drawer, kind, value, id| {
            drawer.put(kind, says(value), stamp(id), &taken).expect("there is room");
        };
        put(&mut drawer, Kind::Assistants, json!({ "name": "Mary", "id": "theirs" }), "a1");
        put(&mut drawer, Kind::Assistants, json!({ "name": "Mary" }), "a2");
        put(&mut drawer, Kind::Squads, json!({ "members": [{ "assistantId": "a2" }] }), "s1");
        let names: Vec<_> = drawer.all(Kind::Assistants).iter().map(|it| &it.name).collect();
        assert_eq!(names, [&Some("mary-2".to_owned()), &Some("mary-3".to_owned())]);
        assert_eq!(drawer.one(Kind::Assistants, "theirs"), None);
        let why = drawer.clone().remove(Kind::Assistants, "a2").unwrap_err();
        assert!(why.contains("the squad `s1`"), "{why}");
        assert!(drawer.remove(Kind::Assistants, "a1").expect("nobody names it").is_some());
        assert_eq!(drawer.destination(Kind::Assistants, "a2").as_deref(), Some("agent:mary-3"));
        assert_eq!(drawer.destination(Kind::Squads, "s1").as_deref(), Some("squad:squad"));
        assert_eq!(drawer.destination(Kind::Assistants, "office").as_deref(), Some("agent:office"));
        let unknown = "8d5f7a3e-5a0c-4a71-9d3f-1d2b8f7c0a11";
        assert_eq!(drawer.destination(Kind::Assistants, unknown), None);
        assert_eq!(drawer.destination(Kind::Assistants, "a b\nc"), None);
    }

    #[test]
    fn a_patch_says_only_what_it_says() {
        let mut drawer = Drawer::default();
        let body =
            says(json!({ "name": "Mary", "firstMessage": "Hello.", "metadata": { "a": 1 } }));
        drawer.put(Kind::Assistants, body, stamp("a1"), &BTreeSet::new()).expect("there is room");
        let patch = says(json!({ "firstMessage": "Hi.", "metadata": null, "id": "a2" }));
        assert!(drawer.change(Kind::Assistants, "a1", patch, "later".to_owned()));
        let kept = &drawer.one(Kind::Assistants, "a1").expect("it is there").says;
        assert_eq!((&kept["firstMessage"], kept.get("metadata")), (&json!("Hi."), None));
        assert_eq!((&kept["updatedAt"], &kept["name"]), (&json!("later"), &json!("Mary")));
        assert!(!drawer.change(Kind::Assistants, "a2", Table::new(), "later".to_owned()));
    }
}
