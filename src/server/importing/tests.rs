//! Whole files: what is made of them passes `check`, what is not mapped is told with its path, and
//! no file brings the import down.

use std::path::Path;

use crate::base::random::Random;
use crate::config::report::{Format, render};
use crate::server::importing::layout::{self, Files, Layout};
use crate::server::importing::pieces::Options;
use crate::server::importing::platform::{Import, Platform, import};

const SAMPLES: [(Platform, &str); 5] = [
    (Platform::Vapi, "vapi-assistant"),
    (Platform::Vapi, "vapi-squad"),
    (Platform::Retell, "retell-agent"),
    (Platform::Retell, "retell-states"),
    (Platform::Retell, "retell-flow"),
];

#[test]
fn every_sample_passes_the_check_with_vendors_and_without() {
    for (platform, name) in SAMPLES {
        for local in [false, true] {
            let (made, files) = made(platform, name, local);
            let text: String = files.values().cloned().collect();
            accepted(&files, &format!("{name} {local}"));
            assert_eq!(made.pieces.providers.is_empty(), local, "{name}: {text}");
            assert!(!made.report.unmapped.is_empty());
            let secrets = ["s3cr3t", "sk-live", "key-987", "live-token", "cal_live"];
            assert!(secrets.iter().all(|it| !text.contains(it)), "{name}: {text}");
        }
    }
}

#[test]
fn what_is_not_mapped_is_told_with_its_path() {
    let paths = |platform, name| -> Vec<String> {
        let report = made(platform, name, false).0.report;
        report.unmapped.into_iter().map(|it| it.path).collect()
    };
    let vapi = paths(Platform::Vapi, "vapi-assistant");
    for path in [
        "$.model.messages[0].content",
        "$.model.tools[0].messages[1]",
        "$.model.tools[1].body.properties.patient.type",
        "$.model.tools[5]",
        "$.voice.chunkPlan",
        "$.voice.stability",
        "$.transcriber.endpointing",
        "$.voicemailMessage",
        "$.serverMessages",
        "$.backgroundSound",
        "$.artifactPlan.pcapEnabled",
        "$.model.emotionRecognitionEnabled",
    ] {
        assert!(vapi.iter().any(|it| it == path), "{path}: {vapi:#?}");
    }
    let squad = paths(Platform::Vapi, "vapi-squad");
    for path in ["$.squads[0].members[2]", "$.assistants[0].model.toolIds[1]"] {
        assert!(squad.iter().any(|it| it == path), "{path}: {squad:#?}");
    }
    let agent = paths(Platform::Retell, "retell-agent");
    for path in [
        "$.llm.general_tools[2].transfer_destination",
        "$.llm.general_tools[3].response_variables",
        "$.llm.general_tools[5]",
        "$.llm.knowledge_base_ids",
        "$.agent.webhook_url",
        "$.agent.ambient_sound",
    ] {
        assert!(agent.iter().any(|it| it == path), "{path}: {agent:#?}");
    }
    let states = paths(Platform::Retell, "retell-states");
    assert!(states.iter().any(|it| it == "$.states[3]"), "{states:#?}");
    let flow = paths(Platform::Retell, "retell-flow");
    for path in ["$.conversation_flow.nodes[7]", "$.conversation_flow.nodes[8]"] {
        assert!(flow.iter().any(|it| it == path), "{path}: {flow:#?}");
    }
}

#[test]
fn every_sample_is_written_as_it_is_reviewed() {
    for (platform, name) in SAMPLES {
        let (made, files) = made(platform, name, false);
        let mut text: String =
            files.iter().map(|(path, it)| format!("==== {}\n{it}", path.display())).collect();
        text.push_str(&format!("==== told\n{}", made.report.text()));
        // Where the models lie is another place on each machine.
        let lines = text.lines().filter(|line| !line.starts_with("models "));
        insta::assert_snapshot!(name, lines.collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn what_is_no_such_file_is_refused_with_its_place() {
    let refused = |platform, text: &str| {
        import(platform, text, &Options::default()).expect_err("no import").to_string()
    };
    for (text, why) in [
        ("{\n \"name\": }", "line 2, column 10"),
        ("[1]", "$[0]: an assistant"),
        ("{\"a\": 1}", "$: this is no assistant"),
        ("[]", "$: there is no assistant"),
        ("{\"members\": []}", "$: nobody is in this squad"),
    ] {
        let told = refused(Platform::Vapi, text);
        assert!(told.starts_with(why), "{text}: {told}");
    }
    assert!(refused(Platform::Retell, "{}").starts_with("$: this is no agent"));
    let nested = format!("{{\"nodes\": {}", "[".repeat(10_000));
    assert!(refused(Platform::Retell, &nested).contains("recursion limit"));
}

#[test]
fn no_spoilt_file_brings_the_import_down() {
    let mut random = Random::repeatable(7);
    let (mut read, mut taken) = (0, 0);
    for round in 0..600_u32 {
        let (platform, name) = SAMPLES[random.below(SAMPLES.len() as u32) as usize];
        let mut value: serde_json::Value = serde_json::from_str(&sample(name)).expect("JSON");
        for _ in 0..=random.below(4) {
            spoil(&mut value, &mut random);
        }
        let options =
            Options { local: round % 2 == 0, title: name.to_owned(), ..Options::default() };
        let Ok(import) = import(platform, &value.to_string(), &options) else { continue };
        read += 1;
        if round % 4 < 2 {
            let layout = Layout::of(Path::new("nowhere"), name).expect("nothing is there");
            let files = layout.files(&import.pieces, name);
            let loaded = layout.read(&files);
            taken += u32::from(layout::counted(&loaded).0 == 0);
            // What does not pass is told and not written; it must be TOML all the same.
            for (path, text) in &files {
                let parsed: Result<toml::Table, _> = toml::from_str(text);
                assert!(parsed.is_ok(), "{}: {parsed:?}\n{text}", path.display());
            }
        }
    }
    assert!(read > 300 && taken > 100, "{read} were read, {taken} pass");
}

#[test]
fn files_that_are_there_are_written_over_only_when_it_is_said() {
    let folder = std::env::temp_dir().join(format!("voxtrunk-import-{}", std::process::id()));
    let layout = Layout::of(&folder, "a").expect("a folder");
    let (made, _) = made(Platform::Vapi, "vapi-assistant", true);
    let files = layout.files(&made.pieces, "a.json");
    layout.write(&files, false).expect("nothing is there");
    let again = Layout::of(&folder, "a").expect("a folder");
    assert!(again.taken().is_empty(), "{:?}", again.taken());
    let files = again.files(&made.pieces, "a.json");
    assert!(again.write(&files, false).is_err());
    again.write(&files, true).expect("it was said");
    let other = Layout::of(&folder, "b").expect("a folder");
    assert!(other.taken().contains("lakeside-dental-reception"), "{:?}", other.taken());
    std::fs::remove_dir_all(&folder).expect("it was there");
}

fn sample(name: &str) -> String {
    let path = format!("{}/tests/data/imports/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn made(platform: Platform, name: &str, local: bool) -> (Import, Files) {
    let options = Options { local, title: name.to_owned(), ..Options::default() };
    let made = import(platform, &sample(name), &options).expect(name);
    let layout = Layout::of(Path::new("nowhere"), name).expect("nothing is there");
    let files = layout.files(&made.pieces, &format!("{name}.json"));
    (made, files)
}

fn accepted(files: &Files, what: &str) {
    let layout = Layout::of(Path::new("nowhere"), "x").expect("nothing is there");
    let loaded = layout.read(files);
    let told = render(&loaded.diagnostics, &loaded.sources, Format::Plain);
    assert_eq!(layout::counted(&loaded).0, 0, "{what}\n{told}");
}

/// Puts something else somewhere.
fn spoil(value: &mut serde_json::Value, random: &mut Random) {
    use serde_json::{Value, json};
    let inner: Vec<&mut Value> = match value {
        Value::Object(map) if !map.is_empty() => map.values_mut().collect(),
        Value::Array(list) if !list.is_empty() => list.iter_mut().collect(),
        _ => Vec::new(),
    };
    if !inner.is_empty() && random.below(8) > 0 {
        let at = random.below(inner.len() as u32) as usize;
        let inner = inner.into_iter().nth(at).expect("it is within");
        return spoil(inner, random);
    }
    let others = [
        json!(null),
        json!(-1e300),
        json!(""),
        json!("{{ x"),
        json!("{% if %}"),
        json!([]),
        json!({}),
        json!(true),
        json!("\"\"\"\u{7}\n${env:X}"),
        json!([[{}]]),
        json!("a b/../ü"),
    ];
    *value = others[random.below(others.len() as u32) as usize].clone();
}
