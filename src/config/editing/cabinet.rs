//! The files of the operator as they are now, to be looked at and edited.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use toml_edit::DocumentMut;

use crate::base::sum::sha256;
use crate::config::editing::kind::Kind;
use crate::config::editing::leaves::{meant, merged, said_in, shown};
use crate::config::editing::paper::{Paper, Spot};
use crate::config::editing::wish::{Act, Condition, Refused, Thing, Wish};
use crate::config::editing::writing::Draft;
use crate::config::file;
use crate::config::glance::Glance;
use crate::config::paths::tidied;
use crate::config::secrets::is_name;
use crate::config::settings::Server;

/// The files.
#[derive(Debug, Clone)]
pub struct Cabinet {
    settings: Paper,
    dialplans: Vec<Paper>,
    folder: PathBuf,
    salt: String,
}

/// What an edit comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The file to be written; nothing when it says all that already.
    pub draft: Option<Draft>,
    /// The thing as it will stand; nothing when it goes.
    pub thing: Option<Thing>,
    /// What it said, without secrets.
    pub said: Option<Value>,
}

/// A thing, and where it was found.
struct Found {
    thing: Thing,
    /// With its secrets.
    says: Value,
    paper: usize,
    spot: Spot,
}

impl Cabinet {
    /// Opens the files. `salt` makes sure that nobody finds out secrets by the tags.
    ///
    /// # Errors
    /// When one cannot be read, or is no TOML.
    pub fn open(
        config: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
        salt: &str,
    ) -> Result<Self, Refused> {
        let inside = config.join("server.toml");
        let config = if inside.is_file() { inside } else { config.to_owned() };
        let unreadable = |why: String| Refused::Files(why);
        let glance = Glance::at(&config, environment).map_err(|why| unreadable(why.to_string()))?;
        let written = glance.text("server", "dialplans");
        let written = written.map_err(|why| unreadable(why.to_string()))?.map(PathBuf::from);
        let named = written.unwrap_or_else(|| Server::default().machine.dialplans);
        let folder = tidied(&glance.folder().join(named));
        let files = if folder.is_file() {
            vec![folder.clone()]
        } else {
            let gone = |(path, why): (PathBuf, String)| format!("`{}`: {why}", path.display());
            let mut files = file::toml_files(&folder).map_err(|why| unreadable(gone(why)))?;
            let own = glance.of_tenants("dialplans").map_err(|why| unreadable(why.to_string()))?;
            file::put_first(&mut files, &own);
            files
        };
        let settings = paper(&config)?;
        let dialplans: Result<Vec<Paper>, Refused> = files.iter().map(|it| paper(it)).collect();
        Ok(Self { settings, dialplans: dialplans?, folder, salt: salt.to_owned() })
    }

    /// Everything of a kind, in order.
    pub fn all(&self, kind: Kind) -> Vec<Thing> {
        self.found(kind).into_iter().map(|found| found.thing).collect()
    }

    /// One thing.
    ///
    /// # Errors
    /// When there is none, or several are called so.
    pub fn one(&self, kind: Kind, name: &str) -> Result<Thing, Refused> {
        self.find(kind, name).map(|found| found.thing)
    }

    /// Thinks an edit through.
    ///
    /// # Errors
    /// When the thing is not there, or not as whoever asks thinks, or cannot say that.
    pub fn edit(&self, wish: Wish) -> Result<Edit, Refused> {
        let Wish { kind, name, act, condition, before } = wish;
        let found = match self.find(kind, &name) {
            Err(Refused::Unknown(_)) if !matches!(act, Act::Merge(_) | Act::Remove) => None,
            Err(Refused::Unknown(_)) if condition_asks_for_one(&condition) => None,
            found => Some(found?),
        };
        self.agree(&condition, found.as_ref(), kind, &name)?;
        let mut changed = self.clone();
        let target = match (act, &found) {
            (Act::Remove, Some(found)) => {
                let edited = changed.paper(kind, found.paper);
                edited.remove(&found.spot);
                let draft = changed.draft(kind, found.paper)?;
                let said = Some(found.thing.says.clone());
                return Ok(Edit { draft, thing: None, said });
            }
            (Act::Put(says), found) => meant(says, found.as_ref().map(|found| &found.says))?,
            (Act::Merge(patch), Some(found)) => {
                meant(merged(&found.thing.says, patch), Some(&found.says))?
            }
            (Act::Merge(_) | Act::Remove, None) => return Err(unknown(kind, &name)),
        };
        let target = called(kind, &name, found.as_ref(), target)?;
        let number = match &found {
            Some(found) => {
                changed.paper(kind, found.paper).change(&found.spot, &target);
                found.paper
            }
            None => self.add(&mut changed, (kind, &name), &target, before.as_deref())?,
        };
        let draft = changed.draft(kind, number)?;
        let again = self.reopened(kind, number, draft.as_ref())?;
        let place = found.as_ref().map(|found| found.thing.place);
        let thing = again.as_written(kind, &name, place, &target)?;
        Ok(Edit { draft, thing: Some(thing), said: found.map(|found| found.thing.says) })
    }

    /// Puts a new thing somewhere; tells in which file.
    fn add(
        &self,
        changed: &mut Self,
        (kind, name): (Kind, &str),
        target: &Map<String, Value>,
        before: Option<&str>,
    ) -> Result<usize, Refused> {
        let other = before.map(|before| self.find(kind, before)).transpose().map_err(|why| {
            Refused::Value("/before".to_owned(), format!("before which route? {why}"))
        })?;
        let number = match &other {
            Some(other) => other.paper,
            None => self.home(kind),
        };
        if number == self.dialplans.len() && !kind.is_of_machine() {
            changed.dialplans.push(Paper {
                path: self.folder.join(FIRST_FILE),
                text: None,
                document: DocumentMut::new(),
            });
        }
        changed.paper(kind, number).add(kind, name, target, other.as_ref().map(|it| &it.spot));
        Ok(number)
    }

    /// In which file a new thing stands: where the last of its kind does; otherwise in the first one.
    fn home(&self, kind: Kind) -> usize {
        let has = |paper: &Paper| !paper.things(kind).is_empty();
        let last = self.papers(kind).iter().rposition(has);
        last.unwrap_or_default()
    }

    /// Whether things stand as whoever asks thinks.
    fn agree(
        &self,
        condition: &Condition,
        found: Option<&Found>,
        kind: Kind,
        name: &str,
    ) -> Result<(), Refused> {
        let what = format!("{} `{name}`", kind.word());
        match (condition, found) {
            (Condition::Unsaid, Some(_)) => Err(Refused::Unconditional(what)),
            (Condition::New, Some(_)) => Err(Refused::Otherwise(format!("{what} is there"))),
            (Condition::There | Condition::Tagged(_), None) => {
                Err(Refused::Otherwise(format!("{what} is not there any more")))
            }
            (Condition::Tagged(tags), Some(found)) if !tags.contains(&found.thing.tag) => {
                let text = format!("{what} was changed: read it again, and decide anew");
                Err(Refused::Otherwise(text))
            }
            (Condition::Unsaid | Condition::New, None)
            | (Condition::There | Condition::Tagged(_), Some(_)) => Ok(()),
        }
    }

    /// The thing as it will be read, which must be what was meant.
    fn as_written(
        &self,
        kind: Kind,
        name: &str,
        place: Option<usize>,
        target: &Map<String, Value>,
    ) -> Result<Thing, Refused> {
        let is_it = |found: &Found| match place {
            Some(place) => found.thing.place == place,
            None => found.thing.name.as_deref() == Some(name),
        };
        let found = self.found(kind).into_iter().find(is_it);
        let found = found.filter(|found| found.says.as_object() == Some(target));
        let why = "this cannot be written as the file stands: write it there by hand";
        found.map(|found| found.thing).ok_or_else(|| Refused::Files(why.to_owned()))
    }

    fn find(&self, kind: Kind, name: &str) -> Result<Found, Refused> {
        let all = self.found(kind);
        let mut called: Vec<Found> = Vec::new();
        let place: Option<usize> = name.parse().ok().filter(|_| kind.is_row());
        for found in all {
            if found.thing.name.as_deref() == Some(name) || place == Some(found.thing.place) {
                called.push(found);
            }
        }
        if called.len() > 1 {
            let text = format!(
                "{} {}s are called `{name}`: name one by its place",
                called.len(),
                kind.word()
            );
            return Err(Refused::Ambiguous(text));
        }
        called.pop().ok_or_else(|| unknown(kind, name))
    }

    fn found(&self, kind: Kind) -> Vec<Found> {
        let mut all = Vec::new();
        for (number, paper) in self.papers(kind).iter().enumerate() {
            for (name, says, spot) in paper.things(kind) {
                let thing = Thing {
                    tag: self.tag(kind, name.as_deref(), &says),
                    name,
                    place: all.len() + 1,
                    file: paper.path.display().to_string(),
                    says: shown(&says),
                };
                all.push(Found { thing, says, paper: number, spot });
            }
        }
        all
    }

    /// What tells one state of a thing from another.
    fn tag(&self, kind: Kind, name: Option<&str>, says: &Value) -> String {
        let name = name.unwrap_or_default();
        let text = format!("{}\0{}\0{name}\0{says}", self.salt, kind.word());
        // A text can always be read.
        let sum = sha256(text.as_bytes()).map(|it| it.0).unwrap_or_default();
        sum.get(..TAG).unwrap_or_default().to_owned()
    }

    fn papers(&self, kind: Kind) -> &[Paper] {
        if kind.is_of_machine() { std::slice::from_ref(&self.settings) } else { &self.dialplans }
    }

    fn paper(&mut self, kind: Kind, number: usize) -> &mut Paper {
        if kind.is_of_machine() {
            return &mut self.settings;
        }
        let last = self.dialplans.len().saturating_sub(1);
        // Whoever asks has found it there, or has just put it there.
        self.dialplans.get_mut(number.min(last)).unwrap_or(&mut self.settings)
    }

    /// The file to be written, if it says something else now.
    fn draft(&self, kind: Kind, number: usize) -> Result<Option<Draft>, Refused> {
        let Some(paper) = self.papers(kind).get(number) else { return Ok(None) };
        let after = paper.document.to_string();
        if paper.text.as_ref() == Some(&after) {
            return Ok(None);
        }
        let root = if kind.is_of_machine() { paper.path.parent() } else { self.root() };
        let root = root.filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Draft::new(&paper.path, &[root.to_owned()], paper.text.clone(), after).map(Some)
    }

    /// The folder in which dialplans lie.
    fn root(&self) -> Option<&Path> {
        if self.folder.is_file() { self.folder.parent() } else { Some(&self.folder) }
    }

    /// The files as they will be when the draft is written.
    fn reopened(&self, kind: Kind, number: usize, draft: Option<&Draft>) -> Result<Self, Refused> {
        let Some(draft) = draft else { return Ok(self.clone()) };
        let why = |_| {
            Refused::Value(
                String::new(),
                "this cannot be written as TOML: is it nested deeply?".to_owned(),
            )
        };
        let document: DocumentMut = draft.after.parse().map_err(why)?;
        let mut again = self.clone();
        let text = Some(draft.after.clone());
        if number == again.dialplans.len() && !kind.is_of_machine() {
            again.dialplans.push(Paper { path: self.folder.join(FIRST_FILE), text, document });
        } else {
            let paper = again.paper(kind, number);
            (paper.text, paper.document) = (text, document);
        }
        Ok(again)
    }
}

/// Whether who asks believes that the thing is there.
fn condition_asks_for_one(condition: &Condition) -> bool {
    matches!(condition, Condition::There | Condition::Tagged(_))
}

/// The name stands where it belongs: in rows in the thing itself.
fn called(
    kind: Kind,
    name: &str,
    found: Option<&Found>,
    mut target: Map<String, Value>,
) -> Result<Map<String, Value>, Refused> {
    let wrong = |pointer: &str, why: String| Refused::Value(pointer.to_owned(), why);
    if !kind.is_row() {
        if found.is_none() && !is_name(name) {
            let why = "a name has letters a-z, digits, - and _, and at most 64 of them";
            return Err(wrong("", format!("`{}` cannot be a name: {why}", name.escape_debug())));
        }
        return Ok(target);
    }
    if found.is_none() {
        let is_plain = |it: char| !it.is_control() && !is_turning(it);
        let is_name = (1..=LONGEST_NAME).contains(&name.chars().count())
            && name.chars().all(is_plain)
            && !name.chars().all(|it| it.is_ascii_digit());
        if !is_name {
            let why = "a route has a name of 1 to 64 letters, and not of digits only";
            return Err(wrong("", why.to_owned()));
        }
        let own = target.entry("name").or_insert_with(|| name.into());
        if own != name {
            return Err(wrong("/name", format!("it is put where `{name}` is to be")));
        }
    }
    Ok(target)
}

/// Letters that turn the direction of a line.
fn is_turning(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn unknown(kind: Kind, name: &str) -> Refused {
    let name: String = name.escape_debug().take(LONGEST_NAME).collect();
    Refused::Unknown(format!("there is no {} `{name}` in the files", kind.word()))
}

fn paper(path: &Path) -> Result<Paper, Refused> {
    let unreadable = |why: String| Refused::Files(format!("`{}`: {why}", path.display()));
    let text = file::read_text(path, LARGEST_FILE).map_err(unreadable)?;
    let document: DocumentMut = text.parse().map_err(|_| {
        unreadable("it is no TOML: `voxtrunk check` says where; mend it by hand".to_owned())
    })?;
    debug_assert!(said_in(document.as_table()).is_object());
    Ok(Paper { path: path.to_owned(), text: Some(text), document })
}

/// The file of the first thing, when there is none.
const FIRST_FILE: &str = "main.toml";

/// The largest file, in octets.
const LARGEST_FILE: u64 = 1_024 * 1_024;

/// How long a tag is.
const TAG: usize = 32;

/// The longest name of a route, in letters.
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let name = format!("voxtrunk-cabinet-{name}-{}", std::process::id());
            let folder = Self(std::env::temp_dir().join(name));
            for (name, text) in files {
                let path = folder.0.join(name);
                fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                fs::write(path, text).expect("a file");
            }
            folder
        }

        fn cabinet(&self) -> Cabinet {
            Cabinet::open(&self.0.join("conf/server.toml"), &|_| None, "salt").expect("files")
        }

        fn edit(&self, wish: Wish) -> Result<String, Refused> {
            let edit = self.cabinet().edit(wish)?;
            let draft = edit.draft.expect("a change");
            draft.write()?;
            Ok(draft.after)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn put(kind: Kind, name: &str, says: Value) -> Wish {
        let says = says.as_object().expect("an object").clone();
        let (name, condition) = (name.to_owned(), Condition::Unsaid);
        Wish { kind, name, act: Act::Put(says), condition, before: None }
    }

    const SETTINGS: &str = "[server]\ndialplans = \"../dialplans\" # there\n\
        [trunks.a] # the one\nhost = \"x.test\"\npassword = \"hunter2\"\n";

    const MAIN: &str = "# Our house.\n\n# The porter.\n[agents.a]\nprompt = 'x' # short\n\n\
        # First of all.\n[[route]]\nname = \"one\"\nto = \"agent:a\"\n\n[[route]]\nto = \"busy\"\n\
        [agents.b] # late\nprompt = \"y\"\n# the end\n";

    #[test]
    fn things_are_changed_where_they_stand() {
        let files = [("conf/server.toml", SETTINGS), ("dialplans/main.toml", MAIN)];
        let folder = Folder::new("change", &files);
        let made = put(Kind::Agents, "c", json!({ "prompt": "z\nz" }));
        let text = folder.edit(made).expect("a file");
        assert_eq!(
            text,
            MAIN.replace("# the end\n", "\n[agents.c]\nprompt = \"\"\"\nz\nz\"\"\"\n# the end\n")
        );
        let wish = put(Kind::Routes, "new", json!({ "to": "agent:c" }));
        let text = folder.edit(Wish { before: Some("2".to_owned()), ..wish }).expect("a file");
        let parts: Vec<&str> = text.split("[[route]]").collect();
        assert!(parts[2].contains("name = \"new\"") && parts[3].contains("busy"), "{text}");
        let again = put(Kind::Agents, "a", json!({ "prompt": "w" }));
        assert!(matches!(folder.edit(again.clone()), Err(Refused::Unconditional(_))));
        let tag = folder.cabinet().one(Kind::Agents, "a").expect("an agent").tag;
        let tagged = Wish { condition: Condition::Tagged(vec![tag]), ..again };
        let text = folder.edit(tagged.clone()).expect("a file");
        assert!(text.contains("# The porter.\n[agents.a]\nprompt = \"w\" # short\n"), "{text}");
        assert!(matches!(folder.edit(tagged), Err(Refused::Otherwise(_))));
        let gone = put(Kind::Agents, "a", json!({}));
        let text = folder
            .edit(Wish { act: Act::Remove, condition: Condition::There, ..gone })
            .expect("a file");
        assert!(text.starts_with("# Our house.\n") && !text.contains("porter"), "{text}");
    }

    #[test]
    fn secrets_stay_where_they_are_and_names_are_no_paths() {
        let files = [("conf/server.toml", SETTINGS), ("dialplans/main.toml", MAIN)];
        let folder = Folder::new("secrets", &files);
        let trunk = folder.cabinet().one(Kind::Trunks, "a").expect("a trunk");
        assert_eq!(trunk.says, json!({ "host": "x.test", "password": "***" }));
        let act = Act::Merge(json!({ "host": "y.test" }).as_object().expect("an object").clone());
        let wish = put(Kind::Trunks, "a", json!({}));
        let wish = Wish { act, condition: Condition::There, ..wish };
        let text = folder.edit(wish).expect("a file");
        assert_eq!(text, SETTINGS.replace("x.test", "y.test"));
        for name in ["", "../x", "a/b", "a.b", "a\"b", "a\nb", "ä", &"x".repeat(65)] {
            let refused = folder.edit(put(Kind::Agents, name, json!({})));
            assert!(matches!(refused, Err(Refused::Value(_, _))), "{name}: {refused:?}");
        }
        for name in ["", "7", "a\nb", "\u{202e}x", &"x".repeat(65)] {
            let refused = folder.edit(put(Kind::Routes, name, json!({})));
            assert!(matches!(refused, Err(Refused::Value(_, _))), "{name}: {refused:?}");
        }
    }

    #[test]
    fn the_first_thing_has_a_file_of_its_own() {
        let files = [("conf/server.toml", SETTINGS), ("dialplans/x.md", "")];
        let folder = Folder::new("first", &files);
        let text = folder.edit(put(Kind::Agents, "a", json!({ "prompt": "x" }))).expect("a file");
        assert_eq!(text, "[agents.a]\nprompt = \"x\"\n");
        assert!(folder.0.join("dialplans/main.toml").is_file());
    }
}
