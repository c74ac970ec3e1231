//! `voxtrunk check --probe` asks the providers that agents name, and says where to mend what.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use voxtrunk::providers::fakes::stand::{Stand, nobody};
use voxtrunk::providers::fakes::{chat, elevenlabs};

use super::peers::free_port;
use super::server::{Folder, House, finish, program, terminate};

#[tokio::test]
async fn providers_that_work_are_told_and_nothing_is_wrong() {
    let vendors = Vendors::open(chat::Answer::Says("Yes.".to_owned())).await;
    let (code, text) = check(&vendors.settings(KEY, "Rachel"), &["--probe"]).await;
    assert_eq!(code, Some(0), "{text}");
    for said in ["0 errors", "mind", "ok, first word after", "ok, first sound after"] {
        assert!(text.contains(said), "{text}");
    }
    assert!(!text.contains(KEY), "{text}");
    assert!(vendors.mind.heard().contains(&"Say yes.".to_owned()), "{:?}", vendors.mind.heard());
    assert!(vendors.mouth.heard().contains(&"Yes.".to_owned()), "{:?}", vendors.mouth.heard());
    // Without being told to, nobody is asked.
    let vendors = Vendors::open(chat::Answer::Says("Yes.".to_owned())).await;
    let (code, text) = check(&vendors.settings(WRONG, "Rachel"), &[]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(vendors.mind.heard().is_empty() && vendors.mouth.connections() == 0);
}

#[tokio::test]
async fn a_wrong_key_is_told_where_it_stands() {
    let vendors = Vendors::open(chat::Answer::Says("Yes.".to_owned())).await;
    let settings = vendors.settings(WRONG, "Rachel");
    let (code, text) = check(&settings, &["--probe", "--format", "json"]).await;
    assert_eq!(code, Some(1), "{text}");
    let found = faults(&text);
    let codes: Vec<&str> = found.iter().filter_map(|it| it["code"].as_str()).collect();
    assert_eq!(codes, ["provider.key_refused", "provider.key_refused"], "{text}");
    for (fault, name) in found.iter().zip(["mind", "mouth"]) {
        let message = fault["message"].as_str().expect("a message");
        assert!(message.starts_with(&format!("provider `{name}` does not ")), "{message}");
        assert!(message.contains(" for clerk: the key "), "{message}");
        assert!(fault["help"].as_str().is_some_and(|it| it.contains("`api_key`")), "{fault}");
        assert_eq!(written(fault), "api_key", "{fault}");
    }
    assert!(!text.contains(WRONG), "{text}");
    let (code, text) = check(&settings, &["--probe"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("the key is refused") && text.contains("2 errors"), "{text}");
}

#[tokio::test]
async fn an_unknown_model_is_told_where_it_is_named() {
    let vendors = Vendors::open(chat::Answer::Refuses(404, "model_not_found", None)).await;
    let settings = vendors.settings(KEY, "Rachel");
    let (code, text) = check(&settings, &["--probe", "--format", "json"]).await;
    assert_eq!(code, Some(1), "{text}");
    let found = faults(&text);
    assert_eq!(found.len(), 1, "{text}");
    assert_eq!(found[0]["code"], "provider.no_such_model");
    let message = found[0]["message"].as_str().expect("a message");
    assert!(message.contains("there is no such model"), "{message}");
    assert!(message.contains("model_not_found"), "{message}");
    assert_eq!(written(&found[0]), "model", "{text}");
}

#[tokio::test]
async fn a_provider_that_nobody_reaches_is_told_by_its_address() {
    let vendors = Vendors::open(chat::Answer::Says("Yes.".to_owned())).await;
    let settings = vendors.settings(KEY, "Rachel");
    drop(vendors);
    let (code, text) = check(&settings, &["--probe", "--format", "json"]).await;
    assert_eq!(code, Some(1), "{text}");
    let found = faults(&text);
    assert_eq!(found.len(), 2, "{text}");
    for fault in &found {
        assert_eq!(fault["code"], "provider.unreachable", "{text}");
        assert_eq!(written(fault), "base_url", "{fault}");
    }
}

#[tokio::test]
async fn all_stand_ins_of_the_command_line_do_what_agents_want_of_them() {
    let mut child = program().arg("fakes").stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut settings = String::new();
    while let Some(line) = lines.next_line().await.expect("a text") {
        if line == "# ready" {
            break;
        }
        settings.push_str(&format!("{line}\n"));
    }
    let hear = ["ears", "assemblyai", "gladia", "realtime", "openai"];
    let think = ["mind", "responses", "anthropic", "gemini"];
    let speak = ["mouth", "aura", "cartesia", "azure", "google", "openai"];
    let mut dialplan = "[[route]]\nto = \"agent:a0\"\n".to_owned();
    for at in 0..hear.len().max(think.len()).max(speak.len()) {
        let one_of = |names: &[&str]| names[at % names.len()].to_owned();
        dialplan += &format!(
            "[agents.a{at}]\nprompt = \"You add.\"\nstt.provider = \"{}\"\n\
             llm.provider = \"{}\"\ntts.provider = \"{}\"\n",
            one_of(&hear),
            one_of(&think),
            one_of(&speak)
        );
    }
    let (code, text) = probe(House::with(&dialplan).and(&settings), &["--probe"]).await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("  ok, ").count(), 15, "{text}");
    terminate(child.id().expect("it runs"));
    assert_eq!(lines.next_line().await.expect("a text"), None);
    assert_eq!(child.wait().await.expect("it ends").code(), Some(0));
}

/// Who thinks and who speaks.
struct Vendors {
    mind: Stand,
    mouth: Stand,
}

impl Vendors {
    async fn open(answer: chat::Answer) -> Self {
        let mind = chat::Script {
            key: KEY,
            mind: Arc::new(move |_| answer.clone()),
            delay: Duration::ZERO,
            per_word: Duration::ZERO,
            observer: nobody(),
        };
        let mouth = elevenlabs::Script {
            key: KEY,
            throat: Arc::new(|_| vec![1_000; 1_600]),
            delay: Duration::ZERO,
            pace: Duration::ZERO,
            faults: Vec::new(),
            observer: nobody(),
        };
        let mind = chat::open(mind).await.expect("a port");
        Self { mind, mouth: elevenlabs::open(mouth).await.expect("a port") }
    }

    fn settings(&self, key: &str, voice: &str) -> String {
        format!(
            "[providers.mind]\nkind = \"openai-compatible\"\napi_key = \"{key}\"\n\
             base_url = \"{}/v1\"\nmodel = \"tiny\"\n\
             [providers.mouth]\nkind = \"elevenlabs\"\napi_key = \"{key}\"\n\
             base_url = \"{}\"\nvoice = \"{voice}\"\n",
            self.mind.base_url(),
            self.mouth.base_url()
        )
    }
}

#[tokio::test]
async fn mistakes_stand_beside_the_lines_of_a_change_at_github() {
    let house = || House::with("[[route]]\nto = \"agent:x\"\n");
    let (code, said) = probe(house(), &["--format", "github"]).await;
    assert_eq!(code, Some(1), "{said}");
    let commands: Vec<&str> = said.lines().filter(|line| line.starts_with("::")).collect();
    let [command] = commands.as_slice() else { panic!("{said}") };
    let (place, text) = command.split_once(",title=").expect("a title");
    assert!(place.starts_with("::error file=") && place.contains("dialplans"), "{said}");
    assert!(place.ends_with(",line=2,endLine=2,col=6,endColumn=14"), "{said}");
    assert!(text.starts_with("route.unknown_target::there is no agent `x`%0A"), "{said}");
    assert!(said.trim_end().ends_with("1 error and 0 warnings"), "{said}");
    let (code, said) = probe(house(), &["--format", "text"]).await;
    assert!(code == Some(1) && said.contains("× there is no agent `x`"), "{said}");
}

#[tokio::test]
async fn hosts_of_tools_where_nobody_is_are_told() {
    let there = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (taken, free) = (there.local_addr().expect("its port").port(), free_port());
    let tool = |name: &str, port: u16| {
        format!(
            "[tools.{name}]\ntype = \"http\"\ndescription = \"Looks.\"\n\
             url = \"http://127.0.0.1:{port}/slots\"\n"
        )
    };
    let dialplan =
        format!("{MUTE}{}{}{}", tool("near", taken), tool("far", free), tool("too", free));
    let settings = "[security.tools]\nallow = [\"127.0.0.1\"]\n";
    let house = || House::with(&dialplan).and(settings);
    let (code, text) = probe(house(), &["--format", "json"]).await;
    assert!(code == Some(0) && !text.contains("unreachable"), "{text}");
    let (code, text) = probe(house(), &["--probe", "--format", "json"]).await;
    assert_eq!(code, Some(0), "{text}");
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told: Vec<Value> = lines.filter(|it| it["code"] == "tool.unreachable_host").collect();
    let [told] = told.as_slice() else { panic!("{text}") };
    assert_eq!(told["labels"][0]["text"], format!("port {free} was tried"), "{text}");
    assert_eq!(told["severity"], "warning");
}

async fn check(settings: &str, arguments: &[&str]) -> (Option<i32>, String) {
    probe(House::with(CLERK).and(settings), arguments).await
}

async fn probe(house: House, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = Folder::new();
    let config = house.write(&folder);
    let mut command = program();
    command.arg("check").arg("--config").arg(config).args(arguments);
    finish(command).await
}

/// The mistakes in an answer in JSON.
fn faults(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|it| it["severity"] == "error").collect()
}

/// The key of the settings to whose value a mistake points.
fn written(fault: &Value) -> &'static str {
    let line = fault["labels"][0]["line"].as_u64().expect("a place");
    let column = fault["labels"][0]["column"].as_u64().expect("a place");
    let settings = fault["labels"][0]["file"].as_str().expect("a file").ends_with("server.toml");
    let keys = [("api_key", 11), ("base_url", 12), ("model", 9), ("voice", 9)];
    assert!(settings && line > 1, "{fault}");
    keys.into_iter().find(|(_, at)| *at == column).map_or("", |(key, _)| key)
}

const KEY: &str = "sesame-4711";

const WRONG: &str = "simsala-0815";

/// An agent of this machine.
const MUTE: &str =
    "[[route]]\nto = \"agent:clerk\"\n\n[agents.clerk]\nfirst_message = \"Hello.\"\n\n";

/// An agent of vendors, who takes keys.
const CLERK: &str = r#"
[[route]]
to = "agent:clerk"

[agents.clerk]
first_message = "Hello?"
disclosure    = "none"
disclosure_reason = "another test hears it"
prompt        = "You are a clerk."
stt.provider  = "pocketsphinx"
llm.provider  = "mind"
tts.provider  = "mouth"
"#;
