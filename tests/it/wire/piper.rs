//! A call whose agent speaks by a Piper voice, heard at the caller's end: each phoneme is a tone.

use std::os::unix::fs::symlink;
use std::path::Path;

use voxtrunk::providers::fakes::piper::{self, Script};

use super::caller::{Speaker, recorded, say};
use super::server::{Folder, House, SOURCE, Server, finish, program, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_hears_the_phonemes_of_a_piper_voice() {
    let folder = Folder::new();
    let server = Server::start(House { models: models(&folder), ..House::with(AGENT) }).await;
    let hours = say(Speaker::Flite("rms"), "what are your opening hours").await;
    let lines = vec![hours, say(Speaker::Flite("rms"), "goodbye").await];
    let outcome = recorded(&server.uri("901"), lines, folder.path("call.wav")).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    assert_eq!(said(&record, "agent"), ["Hello?", "Hello, you.", "You!"], "{record:#}");
    let heard = outcome.heard.expect("a recording");
    let heard = piper::heard(&heard.samples, heard.rate, &PHONEMES.map(|(_, pitch)| pitch));
    let hello = [400.0, 600.0, 800.0, 1_000.0, 1_200.0];
    let (comma, you, stop) = ([1_800.0], [1_400.0, 1_600.0], [2_000.0]);
    let expected = [&hello[..], &hello[..], &comma[..], &you[..], &stop[..], &you[..]].concat();
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_voice_that_is_not_there_is_told_before_the_server_starts() {
    let folder = Folder::new();
    let dialplan = AGENT.replace("\"tones\"", "\"en_US-lessac-medium\"");
    let house = House { models: models(&folder), ..House::with(&dialplan) };
    let mut command = program();
    command.arg("check").arg("--config").arg(house.write(&folder));
    let (code, text) = finish(command).await;
    assert_eq!(code, Some(1), "{text}");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("voxtrunk models pull piper-en_US-lessac-medium"), "{text}");
}

/// A folder of models with a voice whose phonemes are tones.
fn models(folder: &Folder) -> std::path::PathBuf {
    let models = folder.path("models");
    let script = Script { phonemes: &PHONEMES, ..Script::default() };
    piper::write(&models, "tones", &script).expect("a folder");
    for file in ["silero_vad.onnx", "libonnxruntime.so"] {
        let there = Path::new(SOURCE).join("models").join(file);
        symlink(there, models.join(file)).expect("a link");
    }
    models
}

/// Hello: həlˈoʊ. You: jˈuː.
const PHONEMES: [(char, f64); 9] = [
    ('h', 400.0),
    ('ə', 600.0),
    ('l', 800.0),
    ('o', 1_000.0),
    ('ʊ', 1_200.0),
    ('j', 1_400.0),
    ('u', 1_600.0),
    (',', 1_800.0),
    ('.', 2_000.0),
];

/// Its answer is a template, so that it is spoken in the call and not before.
const AGENT: &str = r#"
[[route]]
to = "agent:porter"

[agents.porter]
first_message = "Hello?"
goodbye       = "You!"
prompt        = "You are a porter."
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = { provider = "piper", voice = "tones" }

# A caller who waits for speech hears none in tones.
[agents.porter.silence]
remind_after = "60s"
hangup_after = "120s"

[[agents.porter.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "Hello{{ '' }}, you."

[[agents.porter.intents]]
id      = "goodbye"
phrases = ["goodbye"]
action  = "end_call"
"#;
