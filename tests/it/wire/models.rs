//! Models are listed, brought and compared by the real command line.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files::{Files, Manner, TAG};
use super::server::{Folder, SOURCE, finish, program};

/// What the command made of it.
struct Outcome {
    code: Option<i32>,
    text: String,
}

#[tokio::test]
async fn a_model_is_brought_whole_and_not_brought_again() {
    let (server, folder) = (Files::serve(model(), &[]).await, Folder::new());
    let missing = models(&["verify", MODEL], &folder).await;
    assert!(missing.code == Some(1) && missing.text.contains("missing"), "{}", missing.text);
    assert_eq!(state(&folder).await, ("missing".to_owned(), 0));
    let outcome = pull(&server, &folder).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.text);
    for said in ["licence: BSD-2-Clause", "8.7 MB", "its sum is right"] {
        assert!(outcome.text.contains(said), "{}", outcome.text);
    }
    assert!(!outcome.text.contains('\r'), "no bar where nobody looks: {:?}", outcome.text);
    assert_eq!(std::fs::read(file(&folder)).expect("it is there"), model());
    assert_eq!(names(&folder), [FILE]);
    assert_eq!(state(&folder).await, ("there".to_owned(), 100));
    let again = pull(&server, &folder).await;
    assert!(again.code == Some(0) && again.text.contains("is there already"), "{}", again.text);
    assert_eq!(server.asked().len(), 1);
    assert!(server.asked()[0].starts_with(&format!("GET /models/{FILE} ")));
    let verified = models(&["verify"], &folder).await;
    assert!(verified.code == Some(0) && verified.text.contains("as published"));
    let mut octets = model();
    octets[4_711] ^= 1;
    folder.put(FILE, octets);
    let changed = models(&["verify"], &folder).await;
    assert!(changed.code == Some(1) && changed.text.contains("CHANGED"), "{}", changed.text);
    let mended = pull(&server, &folder).await;
    assert_eq!(mended.code, Some(0), "{}", mended.text);
    assert_eq!(std::fs::read(file(&folder)).expect("it is there"), model());
}

#[tokio::test]
async fn a_download_goes_on_where_the_connection_broke() {
    let manners = [Manner::CutsAfter(3_000_000), Manner::CutsAfter(2_000_000)];
    let (server, folder) = (Files::serve(model(), &manners).await, Folder::new());
    let outcome = pull(&server, &folder).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.text);
    assert_eq!(std::fs::read(file(&folder)).expect("it is there"), model());
    let ranges = server.headers("range");
    assert_eq!(ranges, [None, bytes(3_000_000), bytes(5_000_000)]);
    let tag = Some(TAG.to_owned());
    assert_eq!(server.headers("if-range"), [None, tag.clone(), tag]);
    assert_eq!(names(&folder), [FILE]);
}

#[tokio::test]
async fn a_later_command_goes_on_where_an_earlier_one_gave_up() {
    let cut = Manner::CutsAfter;
    let manners = [cut(4_000_000), cut(0), cut(0), cut(0)];
    let (server, folder) = (Files::serve(model(), &manners).await, Folder::new());
    let given_up = pull(&server, &folder).await;
    assert_eq!(given_up.code, Some(1), "{}", given_up.text);
    assert!(given_up.text.contains("the next try goes on from there"), "{}", given_up.text);
    assert_eq!(names(&folder), [format!("{FILE}.part"), format!("{FILE}.part.tag")]);
    assert_eq!(state(&folder).await, ("begun".to_owned(), 46));
    let outcome = pull(&server, &folder).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.text);
    assert_eq!(server.headers("range").last(), Some(&bytes(4_000_000)));
    assert_eq!(std::fs::read(file(&folder)).expect("it is there"), model());
}

#[tokio::test]
async fn a_server_without_parts_or_with_other_parts_is_asked_for_the_whole() {
    for manner in [Manner::Whole, Manner::OtherPart] {
        let manners = [Manner::CutsAfter(3_000_000), manner];
        let (server, folder) = (Files::serve(model(), &manners).await, Folder::new());
        let outcome = pull(&server, &folder).await;
        assert_eq!(outcome.code, Some(0), "{}", outcome.text);
        assert_eq!(std::fs::read(file(&folder)).expect("it is there"), model());
        let ranges = server.headers("range");
        assert_eq!(ranges[..2], [None, bytes(3_000_000)], "{manner:?}");
        assert_eq!(ranges.get(2), (manner == Manner::OtherPart).then_some(&None), "{manner:?}");
    }
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_is_not_glued_to_its_beginning() {
    let manners = [Manner::CutsAfter(3_000_000), Manner::Changed];
    let (server, folder) = (Files::serve(model(), &manners).await, Folder::new());
    let outcome = pull(&server, &folder).await;
    // `If-Range` brings the new file whole, and its sum is not the one that was published.
    assert_eq!(outcome.code, Some(1), "{}", outcome.text);
    assert!(outcome.text.contains("its SHA-256 is "), "{}", outcome.text);
    assert_eq!(names(&folder), Vec::<String>::new());
    let outcome = pull(&server, &folder).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.text);
    assert_eq!(server.headers("range"), [None, bytes(3_000_000), None]);
}

#[tokio::test]
async fn what_is_not_the_file_is_refused_and_leaves_nothing() {
    for (manner, said) in [
        (Manner::Missing, "HTTP 404"),
        (Manner::Longer, "has 8679183 octets, and the right one 8679182"),
        (Manner::Endless, "has more octets than the right one"),
        (Manner::Changed, "what came is deleted"),
    ] {
        let (server, folder) = (Files::serve(model(), &[manner]).await, Folder::new());
        let outcome = pull(&server, &folder).await;
        assert_eq!(outcome.code, Some(1), "{manner:?}: {}", outcome.text);
        assert!(outcome.text.contains(said), "{manner:?}: {}", outcome.text);
        assert_eq!(server.asked().len(), 1, "{manner:?}");
        assert_eq!(names(&folder), Vec::<String>::new(), "{manner:?}");
    }
}

#[tokio::test]
async fn a_server_may_send_us_elsewhere() {
    let (server, folder) = (Files::serve(model(), &[Manner::Elsewhere]).await, Folder::new());
    let outcome = pull(&server, &folder).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.text);
    assert!(server.asked()[1].starts_with("GET /elsewhere/it "), "{:?}", server.asked());
}

#[tokio::test]
async fn an_unknown_model_and_an_unknown_folder_are_usage() {
    let folder = Folder::new();
    let unknown = models(&["pull", "whisper-bose"], &folder).await;
    assert_eq!(unknown.code, Some(2), "{}", unknown.text);
    assert!(unknown.text.contains("did you mean `whisper-base`?"), "{}", unknown.text);
    let mut command = program();
    command.args(["models", "list", "--config"]).arg(folder.path("nothing.toml"));
    let (code, text) = finish(command).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--models"), "{text}");
    // The folder of the settings, whose secrets nobody needs here.
    let settings = "[server]\nmodels = \"there\"\n[trunks.a]\npassword = \"${env:UNSET_HERE}\"\n";
    let config = folder.put("server.toml", settings);
    let mut command = program();
    command.args(["models", "list", "--config"]).arg(config);
    let (code, text) = finish(command).await;
    assert!(code == Some(0) && text.contains(&*folder.path("there").to_string_lossy()), "{text}");
}

async fn pull(server: &Files, folder: &Folder) -> Outcome {
    models(&["pull", MODEL, "--from", &server.url()], folder).await
}

async fn models(arguments: &[&str], folder: &Folder) -> Outcome {
    let mut command = program();
    command.arg("models").args(arguments).arg("--models").arg(folder.path(""));
    let (code, text) = finish(command).await;
    Outcome { code, text }
}

/// What the list says of the model.
async fn state(folder: &Folder) -> (String, u64) {
    let listed = models(&["list", "--json"], folder).await;
    let lines = listed.text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = lines.into_iter().find(|line| line["name"] == MODEL).expect("it is listed");
    let state = found["state"].as_str().expect("a state").to_owned();
    (state, found["percent"].as_u64().expect("a number"))
}

/// The turn model, which is small and here.
fn model() -> Vec<u8> {
    let path = Path::new(SOURCE).join("models").join(FILE);
    std::fs::read(path).expect("./dev setup fetches the turn model")
}

fn file(folder: &Folder) -> PathBuf {
    folder.path(FILE)
}

fn names(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path("")).expect("a folder").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn bytes(from: usize) -> Option<String> {
    Some(format!("bytes={from}-"))
}

const MODEL: &str = "smart-turn-v3.2";

const FILE: &str = "smart-turn-v3.2-cpu.onnx";
