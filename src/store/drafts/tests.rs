//! Calls that are up when the server is killed, at any octet of the file.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::base::random::Random;

/// When all calls of these tests began.
const BEGAN: Duration = Duration::from_secs(1_700_000_000);

fn path(name: &str) -> PathBuf {
    let file = format!("voxtrunk-drafts-{name}-{}.jsonl", std::process::id());
    std::env::temp_dir().join(file)
}

fn calls(count: u64) -> Vec<CallId> {
    let mut random = Random::repeatable(3);
    let mut calls: Vec<CallId> = (0..count).map(|_| CallId::new(BEGAN, &mut random)).collect();
    calls.sort_unstable();
    calls
}

fn after(seconds: u64) -> Duration {
    BEGAN + Duration::from_secs(seconds)
}

/// The record of a call in which so much was said when it had lasted so long.
fn draft(seconds: u64, words: &[&str]) -> Document {
    let document = json!({
        "end_reason": "server_crash",
        "status": "failed",
        "duration_ms": seconds * 1_000,
        "ended_at": timestamp(after(seconds)),
        "legs": [{ "ended_ms": null, "end_reason": null }, { "ended_ms": 5, "end_reason": "busy" }],
        "transcript": words,
    });
    document.as_object().cloned().expect("an object")
}

#[test]
fn a_call_that_was_up_ends_when_the_server_was_last_alive() {
    let (path, calls) = (path("up"), calls(3));
    let mut drafts = Drafts::new(path.clone());
    for call in &calls {
        drafts.note(after(10), *call, draft(10, &["Hello."]), false);
    }
    drafts.flush();
    // One more word, one second more; a call that ended; one whose record was written.
    drafts.note(after(11), calls[0], draft(11, &["Hello.", "Who is there?"]), false);
    let mut over = draft(11, &["Hello."]);
    over.insert("end_reason".to_owned(), "caller_hangup".into());
    drafts.note(after(11), calls[1], over.clone(), true);
    drafts.note(after(11), calls[2], over.clone(), true);
    drafts.done(after(12), [calls[2]]);
    drafts.tick(after(14));
    drafts.flush();
    drop(drafts);
    let found = unfinished(&path).expect("the file");
    let [first, second] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((first.call, first.is_over), (calls[0], false));
    assert_eq!(first.document["duration_ms"], 14_000);
    assert_eq!(first.document["ended_at"].as_str(), timestamp(after(14)).as_deref());
    assert_eq!(first.document["transcript"], json!(["Hello.", "Who is there?"]));
    let leg = json!({ "ended_ms": 14_000, "end_reason": "server_crash" });
    let before = json!({ "ended_ms": 5, "end_reason": "busy" });
    assert_eq!(first.document["legs"], json!([leg, before]));
    assert_eq!(
        (&first.end()["end_reason"], &first.end()["duration_ms"]),
        (&json!("server_crash"), &json!(14_000))
    );
    assert_eq!((second.call, second.is_over, &second.document), (calls[1], true, &over));
    fs::remove_file(path).expect("cleared");
}

#[test]
fn what_was_said_is_written_once_however_long_the_call_is() {
    let (path, calls) = (path("once"), calls(1));
    let mut drafts = Drafts::new(path.clone());
    drafts.flush();
    let words: Vec<String> = (0..500).map(|at| format!("Sentence {at} of a long call.")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    for count in 1..=words.len() {
        drafts.note(after(count as u64), calls[0], draft(count as u64, &words[..count]), false);
        drafts.flush();
    }
    let octets = fs::metadata(&path).expect("the file").len();
    assert!(octets < 500 * 250, "{octets}");
    let found = unfinished(&path).expect("the file");
    assert_eq!(found[0].document["transcript"], json!(words));
    fs::remove_file(path).expect("cleared");
}

#[test]
fn a_file_that_grows_is_written_anew_with_what_is_of_use() {
    let (path, calls) = (path("anew"), calls(2));
    let mut drafts = Drafts::new(path.clone());
    let words = "These are many words. ".repeat(500);
    for round in 0..600 {
        for call in &calls {
            let mut document = draft(round, &[]);
            document.insert("route".to_owned(), format!("{round} {words}").into());
            drafts.note(after(round), *call, document, false);
        }
        drafts.flush();
    }
    let octets = fs::metadata(&path).expect("the file").len();
    assert!(octets < MOST + 100_000, "{octets}");
    let found = unfinished(&path).expect("the file");
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|it| it.document["duration_ms"] == 599_000), "{found:#?}");
    drafts.done(after(600), calls);
    assert!(!drafts.has_open());
    drafts.flush();
    assert_eq!(unfinished(&path).expect("the file"), []);
    fs::remove_file(path).expect("cleared");
}

#[test]
fn a_disk_that_does_not_take_it_takes_everything_later() {
    let (folder, calls) = (path("gone").with_extension(""), calls(2));
    let mut drafts = Drafts::new(folder.join("running.jsonl"));
    drafts.note(after(1), calls[0], draft(1, &[]), false);
    drafts.flush();
    assert!(drafts.is_failing);
    fs::create_dir_all(&folder).expect("a folder");
    let over = draft(1, &["Bye."]);
    drafts.note(after(1), calls[1], over.clone(), true);
    drafts.flush();
    assert!(!drafts.is_failing);
    drafts.tick(after(9));
    drafts.flush();
    let found = unfinished(&folder.join("running.jsonl")).expect("the file");
    assert_eq!(found.len(), 2);
    // What was over stays as it ended, also in a file that was written anew.
    let second = found.iter().find(|it| it.call == calls[1]).expect("it is there");
    assert_eq!((second.is_over, &second.document), (true, &over));
    assert_eq!(drafts.unwritten(10), [(calls[1], over)]);
    drafts.done(after(9), [calls[1]]);
    assert_eq!(drafts.unwritten(10), []);
    fs::remove_dir_all(folder).expect("cleared");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is noted, and wherever the file is cut off: each call stands as it stood at some
    /// moment before, and never otherwise.
    #[test]
    fn a_torn_file_tells_what_was_true_once(
        steps in prop::collection::vec((0_usize..3, 0_usize..6, 1_u64..60), 1..40),
        cut in 0.0_f64..1.0,
    ) {
        let (path, calls) = (path("torn"), calls(3));
        let mut drafts = Drafts::new(path.clone());
        drafts.flush();
        let mut states: Vec<Vec<Document>> = vec![Vec::new(); 3];
        for (which, said, seconds) in steps {
            let words = ["One.", "Two.", "Three.", "Four.", "Five.", "Six."];
            let from = usize::from(seconds > 50);
            let document = draft(seconds, words.get(from..said).unwrap_or_default());
            drafts.note(after(seconds), calls[which], document.clone(), true);
            drafts.flush();
            states[which].push(document);
        }
        let text = fs::read(&path).expect("the file");
        fs::write(&path, &text[..(text.len() as f64 * cut) as usize]).expect("cut off");
        for found in unfinished(&path).expect("the file") {
            let which = calls.iter().position(|call| *call == found.call).expect("one of them");
            prop_assert!(states[which].contains(&found.document), "{found:#?}");
        }
        fs::remove_file(path).expect("cleared");
    }
}
