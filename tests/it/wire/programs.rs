//! Programs that know nothing of us but our OpenAPI document: one tries whatever it allows and forbids,
//! one is a client that was generated from it and leads a day of calls.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use super::http::{made, started};
use super::phones::PHONES;
use super::server::{Folder, House};
use super::service::Service;
use super::softphone::{Softphone, silence};
use super::webhooks::{ALLOW_ALL, status, webhook};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_the_description_allows_and_forbids_is_answered_as_it_says() {
    let told = Service::open(|_| status(200)).await;
    let webhook = webhook("app", &told, "[\"call.*\"]") + ALLOW_ALL;
    let often = "[security.http.api_keys]\nrate = \"1000/s\"\nburst = 1000\n";
    let house = House::with(DIALPLAN).and(PHONES).and(&webhook).and(often);
    let (server, api) = started(house).await;
    let key = made(&server, &["--name", "tester", "--scope", "admin"]).await;
    let folder = Folder::new();
    let mut tester = python(&["-m", "schemathesis.cli", "run"]);
    tester.arg(format!("{}/openapi.json", api.base())).current_dir(folder.path(""));
    tester.args(["--header", &format!("Authorization: Bearer {key}")]);
    tester.args(["--seed", "1", "--max-examples", "5", "--phases", "examples,coverage,fuzzing"]);
    // Streams do not end. After some wrong keys from one address the right answer is 429, and what
    // a cursor or a time looks like is more than a schema says.
    tester.args(["--exclude-path-regex", "/events$", "--request-timeout", "20"]);
    tester.args(["--exclude-checks", "ignored_auth,positive_data_acceptance"]);
    tester.args(["--continue-on-failure", "--no-color", "--warnings", "off"]);
    let (code, said) = ran(tester).await;
    let asked = said.lines().find(|line| line.contains("generated")).unwrap_or_default().to_owned();
    println!("{}", asked.trim());
    assert!(code == Some(0) && asked.contains("passed"), "{said}");
    assert!(server.listens("udp").port() > 0, "it lives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_generated_client_leads_a_day_of_calls() {
    let (server, api) = started(House::with(DIALPLAN).and(PHONES)).await;
    let key = made(&server, &["--name", "day", "--scope", "admin"]).await;
    let account = format!(
        "<sip:101@{}>;auth_user=101;auth_pass=secret;regint=60;answermode=auto",
        server.address
    );
    let anna = Softphone::start(&account, &silence(), "").await;
    let folder = Folder::new();
    let client = folder.path("voxtrunk_client");
    let mut generator = python(&["-m", "openapi_python_client", "generate", "--meta", "none"]);
    generator.args(["--path", &format!("{SOURCE}/schemas/openapi.json"), "--output-path"]);
    generator
        .arg(&client)
        .args(["--config", &format!("{SOURCE}/tests/it/wire/programs/generator.yml")]);
    let (code, said) = ran(generator).await;
    assert!(code == Some(0) && !said.contains("WARNING"), "{said}");

    let mut day = python(&[&format!("{SOURCE}/tests/it/wire/programs/day.py"), api.base(), &key]);
    let paths = format!("{SOURCE}/target/openapi:{}", folder.path("").display());
    day.env("PYTHONPATH", paths);
    let (code, said) = ran(day).await;
    assert_eq!(code, Some(0), "{said}");
    let told: Value = said.lines().find_map(|it| serde_json::from_str(it).ok()).expect("a line");
    assert_eq!(
        (&told["calls"], &told["ends"]["admin_ended"]),
        (&24.into(), &16.into()),
        "{told:#}"
    );
    assert_eq!(told["ends"]["agent_ended"], 4, "{told:#}");
    let described = described();
    for record in server.records(24).await {
        let unsaid: Vec<&String> = record
            .as_object()
            .expect("a record")
            .keys()
            .filter(|it| described[*it].is_null())
            .collect();
        assert!(unsaid.is_empty(), "say it in RecordView: {unsaid:?}");
    }
    anna.stop().await;
}

/// What the description says of a record.
fn described() -> Value {
    let text = std::fs::read(Path::new(SOURCE).join("schemas/openapi.json")).expect("it is there");
    let all: Value = serde_json::from_slice(&text).expect("JSON");
    all["components"]["schemas"]["RecordView"]["properties"].clone()
}

fn python(args: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(args).env("PYTHONPATH", format!("{SOURCE}/target/openapi"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONWARNINGS", "ignore");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Lets a program run to its end: its status and all that it said.
async fn ran(mut command: Command) -> (Option<i32>, String) {
    let output = timeout(LONGEST, command.output()).await.expect("in time");
    let output = output.expect("python3 is missing: run ./dev setup");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// How long one may run.
const LONGEST: Duration = Duration::from_secs(240);

const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

const DIALPLAN: &str = r#"
[[route]]
to = "agent:desk"

[agents.desk]
record        = true
first_message = "Welcome to the shop."
silence       = { remind_after = "5m", hangup_after = "10m" }
llm           = { provider = "rules" }
tts           = { provider = "flite" }

[[agents.desk.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "We are open from nine to six."
"#;
