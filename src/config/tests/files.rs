//! Which files are read, in which order, and what may stand in files of their own.

use super::*;

/// A folder that is gone after the test.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("voxtrunk-{name}-{}", std::process::id()));
        for (file, text) in files {
            let file = path.join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder is made");
            fs::write(file, text).expect("a file is written");
        }
        Self(path)
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_are_read_in_the_order_of_their_names_and_folders_after_files() {
    let route = |name: &str| format!("[[route]]\nname = \"{name}\"\nto = \"busy\"\n");
    let (zero, ten, late, below) = (route("zero"), route("ten"), route("late"), route("below"));
    let folder = Folder::new(
        "order",
        &[
            ("conf/server.toml", ""),
            ("dialplans/20-late.toml", late.as_str()),
            ("dialplans/00-zero.toml", zero.as_str()),
            ("dialplans/10-ten.toml", ten.as_str()),
            ("dialplans/01-folder/below.toml", below.as_str()),
            ("dialplans/.hidden.toml", "broken ["),
            ("dialplans/notes.md", "broken ["),
        ],
    );
    let request = report::request(&[folder.0.join("conf")]);
    let loaded = load(&request, &environment, &FilesOnly);
    let names: Vec<_> = loaded.plan.routes.iter().filter_map(|it| it.name.as_deref()).collect();
    assert_eq!(names, ["zero", "ten", "late", "below"]);
    assert!(!loaded.has_errors(), "{}", rendered(&loaded));
}

#[test]
fn the_dialplans_of_a_tenant_come_first_and_take_its_calls_only() {
    let route = |name: &str| format!("[[route]]\nname = \"{name}\"\nto = \"busy\"\n");
    let settings = |folder: &str| {
        format!("[tenants.acme]\nnumbers = [\"+49711*\"]\ndialplans = \"{folder}\"\n")
    };
    let (all, own) = (route("all"), route("own") + "[hours.acme]\nmon-fri = \"08:00-18:00\"\n");
    let folder = Folder::new(
        "tenants",
        &[
            ("conf/server.toml", settings("../dialplans/acme").as_str()),
            ("dialplans/00-main.toml", all.as_str()),
            ("dialplans/acme/main.toml", own.as_str()),
        ],
    );
    let request = report::request(&[folder.0.join("conf")]);
    let loaded = load(&request, &environment, &FilesOnly);
    let routes = loaded.plan.routes.iter();
    let routes: Vec<_> = routes.map(|it| (it.name.as_deref(), it.tenant.clone())).collect();
    let acme = vec!["acme".to_owned()];
    assert_eq!(routes, [(Some("own"), acme), (Some("all"), Vec::new())]);
    assert!(!loaded.has_errors(), "{}", rendered(&loaded));
    assert_eq!(loaded.plan.hours.len(), 1);

    let wrong = "[[route]]\ntenant = \"other\"\nto = \"busy\"\n[defaults.agent]\nprompt = \"x\"\n";
    for (place, text, code) in [
        ("../dialplans/acme", wrong, "tenant.other"),
        ("../dialplans/acme", wrong, "tenant.everybodys"),
        ("../dialplans", own.as_str(), "tenant.dialplans"),
        ("../elsewhere", own.as_str(), "tenant.dialplans"),
        ("../dialplans/gone", own.as_str(), "tenant.dialplans"),
    ] {
        fs::write(folder.0.join("conf/server.toml"), settings(place)).expect("it is written");
        fs::write(folder.0.join("dialplans/acme/main.toml"), text).expect("it is written");
        let loaded = load(&request, &environment, &FilesOnly);
        let said = rendered(&loaded);
        assert!(loaded.has_errors() && said.contains(code), "{place} {code}: {said}");
    }
}

#[test]
fn a_prompt_is_read_from_a_file_inside_the_dialplans_only() {
    let agents = "[[route]]\nto = \"busy\"\n[agents.a]\nprompt_file = \"../prompts/a.md\"\n\
                  [agents.b]\nextends = \"a\"\n[agents.c]\nextends = \"a\"\nprompt = \"Mine.\"\n";
    let thief = "[agents.thief]\nprompt_file = \"../../secret.txt\"\n";
    let gone = "[agents.gone]\nprompt_file = \"gone.md\"\n";
    let folder = Folder::new(
        "prompts",
        &[
            ("dialplans/agents/a.toml", agents),
            ("dialplans/prompts/a.md", "Be kind."),
            ("dialplans/agents/thief.toml", thief),
            ("dialplans/agents/gone.toml", gone),
            ("secret.txt", "the key"),
        ],
    );
    let mut request = report::request(&[folder.0.join("dialplans")]);
    request.server = Some(text("conf/server.toml", MIND));
    let loaded = load(&request, &environment, &FilesOnly);
    assert_eq!(codes(&loaded), ["agent.prompt_file", "agent.prompt_file"], "{}", rendered(&loaded));
    let prompt = |name: &str| loaded.agents[name].prompt.as_deref();
    assert_eq!(
        (prompt("a"), prompt("b"), prompt("c")),
        (Some("Be kind."), Some("Be kind."), Some("Mine."))
    );
    assert_eq!(prompt("thief"), None);
    let messages: Vec<_> = loaded.diagnostics.iter().map(|it| it.message.as_str()).collect();
    assert!(messages[0].contains("does not exist"), "{messages:?}");
    assert!(messages[1].contains("outside the folder"), "{messages:?}");
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let server = format!("{MIND}api_key = \"${{file:secrets/mind}}\"\n");
    let folder = Folder::new(
        "secret",
        &[
            ("conf/server.toml", server.as_str()),
            ("conf/secrets/mind", "sk-9\n"),
            ("dialplans/main.toml", SOUND),
        ],
    );
    let loaded = load(&report::request(&[folder.0.join("conf")]), &environment, &FilesOnly);
    let key = loaded.server.providers["mind"].api_key.as_ref().expect("a key");
    assert_eq!(key.expose_secret(), "sk-9");
    assert_eq!(codes(&loaded), Vec::<&str>::new(), "{}", rendered(&loaded));
}

#[test]
fn a_missing_file_is_an_error_and_a_missing_folder_too() {
    let folder =
        Folder::new("missing", &[("conf/server.toml", "[server]\ndialplans = \"../none\"\n")]);
    let outcome = report::check(&[folder.0.join("conf/server.toml")], Format::Plain, &FilesOnly);
    assert_eq!((outcome.errors, outcome.exit_code()), (1, 1), "{}", outcome.text);
    assert!(outcome.text.contains("none` cannot be read: it does not exist"), "{}", outcome.text);
    let outcome = report::check(&[folder.0.join("conf/nothing.toml")], Format::Json, &FilesOnly);
    assert_eq!(outcome.exit_code(), 1);
}
