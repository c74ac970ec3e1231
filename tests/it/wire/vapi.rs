//! Programs that were written for Vapi: its own client, with nothing changed but the address and the
//! token, makes assistants, calls with them, is called at their numbers, and leads calls that are up.

use std::process::Stdio;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::control::{Watch, ask};
use super::deskphone::{Deskphone, Dialog};
use super::http::{Api, made, started};
use super::oversight::Ann;
use super::peers::free_port;
use super::server::{Folder, House, PATIENCE, SOURCE, Server, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn their_client_makes_an_assistant_that_answers_and_calls() {
    let mut scene = Scene::open().await;
    let (assistant, number) = hotel(&mut scene.sdk).await;

    // The number leads to the assistant.
    let mut events = Watch::start(&scene.server, &["events", "--json"]);
    let ann = Ann::calls(&scene.server, NUMBER).await;
    events.until("Harbour Hotel, good evening").await;
    ann.hangs_up().await;
    let record = scene.server.record().await;
    assert_eq!(record["agents"], json!(["harbour-hotel-2"]), "{record:#}");
    let mine = scene.sdk.ask("calls.list", json!([{ "assistantId": assistant }])).await;
    assert_eq!(mine.as_array().map(Vec::len), Some(1), "{mine:#}");
    assert_eq!(
        (&mine[0]["type"], &mine[0]["status"]),
        (&json!("inboundPhoneCall"), &json!("ended"))
    );
    assert_eq!(mine[0]["endedReason"], "customer-ended-call", "{mine:#}");
    let words = mine[0]["artifact"]["transcript"].as_str().unwrap_or_default();
    assert!(words.starts_with("AI: Harbour Hotel, good evening"), "{mine:#}");

    // It calls somebody, and does what it is told.
    let mut events = Watch::start(&scene.server, &["events", "--json"]);
    let order = json!([{
        "assistantId": assistant, "phoneNumberId": number, "name": "Reminder",
        "customer": { "number": CUSTOMER, "name": "Anna" }, "metadata": { "order": 7 },
        "assistantOverrides": { "variableValues": { "guest": "dear Anna" } },
    }]);
    let begun = scene.sdk.ask("calls.create", order).await;
    assert_eq!(begun["type"], "outboundPhoneCall", "{begun:#}");
    let id = begun["id"].as_str().expect("an identity").to_owned();
    scene.answers(NUMBER).await;
    events.until("Harbour Hotel, good evening dear Anna.").await;
    let up = scene.sdk.ask("calls.get", json!([{ "id": id }])).await;
    assert_eq!((&up["status"], &up["metadata"]), (&json!("in-progress"), &json!({ "order": 7 })));
    let control = up["monitor"]["controlUrl"].as_str().expect("an address").to_owned();
    let control = control.strip_prefix(scene.api.base()).expect("it is this door").to_owned();
    let order = async |path: &str, body| scene.api.post(path, body).await.status();
    let wrong = format!("{}x", control.split_at(control.len() - 1).0);
    assert_eq!(order(&wrong, json!({ "type": "end-call" })).await, StatusCode::NOT_FOUND);
    let strange = json!({ "type": "add-message", "message": {} });
    assert_eq!(order(&control, strange).await, StatusCode::BAD_REQUEST);
    let say = json!({ "type": "say", "content": "The pool is closed." });
    assert_eq!(order(&control, say).await, StatusCode::OK);
    events.until("The pool is closed.").await;
    assert_eq!(order(&control, json!({ "type": "end-call" })).await, StatusCode::OK);
    let (_, deeds, _) = ask(&scene.server, &["audit", "list"]).await;
    assert!(deeds.contains("vapi:control") && !deeds.contains(&control), "{deeds}");
    scene.is_hung_up().await;
    scene.server.records(2).await;
    let over = scene.sdk.ask("calls.get", json!([{ "id": id }])).await;
    assert_eq!((&over["status"], &over["name"]), (&json!("ended"), &json!("Reminder")), "{over:#}");
    assert_eq!(over["endedReason"], "manually-canceled", "{over:#}");
    assert_eq!(over["customer"], json!({ "number": CUSTOMER, "name": "Anna" }), "{over:#}");
    let said: Vec<&Value> =
        over["messages"].as_array().into_iter().flatten().map(|it| &it["message"]).collect();
    assert_eq!(said, ["Harbour Hotel, good evening dear Anna.", "The pool is closed."], "{over:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_assistant_that_comes_with_the_call_is_there_for_it_only() {
    let mut scene = Scene::open().await;
    let (assistant, _) = hotel(&mut scene.sdk).await;
    let customer = json!({ "number": CUSTOMER });
    let once = json!({ "name": "Once", "firstMessage": "Only this once." });
    let over = json!({ "firstMessage": "Good morning instead." });
    let squad = json!({ "name": "Pair", "members": [{ "assistantId": assistant }] });
    for (count, (who, words)) in [
        (json!({ "customer": customer, "assistant": once }), "Only this once."),
        (
            json!({ "customer": customer, "assistantId": assistant, "assistantOverrides": over }),
            "Good morning instead.",
        ),
        (json!({ "customer": customer, "squad": squad }), "Harbour Hotel, good evening"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut events = Watch::start(&scene.server, &["events", "--json"]);
        let begun = scene.sdk.ask("calls.create", json!([who])).await;
        let dialog = scene.answers("").await;
        events.until(words).await;
        scene.phone.ask(&dialog, "BYE", "").await;
        let record = scene.server.records(count + 1).await.remove(count);
        assert_eq!(record["id"], begun["id"], "{record:#}");
        assert!(said(&record, "agent")[0].starts_with(words), "{record:#}");
    }
    let agents = scene.api.json("/v1/agents").await;
    let names: Vec<&Value> =
        agents["data"].as_array().into_iter().flatten().map(|it| &it["name"]).collect();
    assert_eq!(names, ["harbour-hotel", "harbour-hotel-2"], "{agents:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_made_is_changed_and_taken_away_and_outlives_a_restart() {
    let mut scene = Scene::open().await;
    let (assistant, number) = hotel(&mut scene.sdk).await;
    let squad = json!([{ "name": "Desk", "members": [{ "assistantId": assistant }] }]);
    let squad = scene.sdk.ask("squads.create", squad).await;
    let update = json!([{ "id": assistant, "firstMessage": "Good day.", "metadata": { "a": 1 } }]);
    let told = scene.sdk.ask("assistants.update", update).await;
    assert_eq!(
        (&told["firstMessage"], &told["name"]),
        (&json!("Good day."), &json!("Harbour Hotel"))
    );
    let file = || std::fs::read_to_string(scene.server.folder.path("dialplans/vapi.toml"));
    assert!(file().expect("a file").contains("Good day."), "{:?}", file());
    let moved = json!([{ "id": number, "body": { "squadId": squad["id"], "assistantId": null } }]);
    let told = scene.sdk.ask("phoneNumbers.update", moved).await;
    assert_eq!((&told["status"], told.get("assistantId")), (&json!("active"), None), "{told:#}");
    let mut events = Watch::start(&scene.server, &["events", "--json"]);
    let ann = Ann::calls(&scene.server, NUMBER).await;
    events.until("Good day.").await;
    ann.hangs_up().await;
    scene.server.record().await;

    for (ask, wanted, status, why) in [
        ("assistants.delete", json!([{ "id": assistant }]), 400, "names it"),
        ("assistants.get", json!([{ "id": squad["id"] }]), 404, "Couldn't find the assistant"),
        ("assistants.update", json!([{ "id": "x", "name": "y" }]), 404, "Couldn't find"),
        ("squads.create", json!([{ "members": [] }]), 400, "`members`"),
        ("squads.create", json!([{ "members": [{ "assistantId": "x" }] }]), 400, "not there"),
        ("tools.create", json!([{ "name": "x" }]), 400, "`type`"),
        ("phoneNumbers.create", json!([{ "provider": "vapi" }]), 400, "not bought here"),
        ("calls.create", json!([{}]), 400, "say `customer"),
        ("calls.create", json!([{ "customer": { "number": "+4971" } }]), 400, "say one of"),
        ("calls.get", json!([{ "id": "8d5f7a3e" }]), 404, "Couldn't find the call"),
        ("chats.list", json!([{}]), 404, "not answered here"),
    ] {
        let failed = scene.sdk.fails(ask, wanted).await;
        assert_eq!(
            (&failed["status"], &failed["body"]["statusCode"]),
            (&json!(status), &json!(status)),
            "{failed:#}"
        );
        assert!(failed["body"]["message"].to_string().contains(why), "{failed:#}");
    }
    let failed = scene.sdk.fails("calls.create", json!([{}])).await;
    assert_eq!(failed["failed"], "BadRequestError", "{failed:#}");

    let (folder, house) = (Folder::of(scene.server), scene.house);
    let server = Server::start_in(folder, house).await;
    let found = scene.sdk.ask("assistants.list", json!([{ "limit": 5 }])).await;
    assert_eq!(found[0]["metadata"], json!({ "a": 1 }), "{found:#}");
    for (ask, id) in [
        ("phoneNumbers.delete", &json!(number)),
        ("squads.delete", &squad["id"]),
        ("assistants.delete", &json!(assistant)),
    ] {
        let gone = scene.sdk.ask(ask, json!([{ "id": id }])).await;
        assert_eq!(&gone["id"], id, "{gone:#}");
    }
    let left = std::fs::read_to_string(server.folder.path("dialplans/vapi.toml"));
    let left = left.expect("a file");
    assert!(!left.contains("[agents.") && !left.contains("[[route]]"), "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_count_and_what_cannot_be_changes_nothing() {
    let house = House::with(&format!("{OFFICE}\n[[route]]\nto = \"agent:harbour-hotel\"\n"));
    let (server, api) = started(house.and("[http.vapi]\n")).await;
    let rules = api.with(&server, "admin").await;
    let reads = api.with(&server, "read").await;
    let body = json!({ "name": "A", "firstMessage": "Hello." });
    for (api, status) in [(&api, 401), (&reads, 403)] {
        let refused = api.post("/vapi/assistant", body.clone()).await;
        assert_eq!(refused.status().as_u16(), status);
        let told: Value = refused.json().await.expect("JSON");
        assert_eq!(told["statusCode"], status, "{told:#}");
    }
    // The vendor that it wants has no table here: nothing is made.
    let vendor = json!({ "name": "A", "model": { "provider": "openai", "model": "gpt-4o" } });
    let refused = rules.post("/vapi/assistant", vendor).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let told: Value = refused.json().await.expect("JSON");
    assert!(told["message"].to_string().contains("openai"), "{told:#}");
    assert_eq!(rules.json("/vapi/assistant").await, json!([]));
    assert!(!server.folder.path("dialplans/vapi.toml").exists());
    for body in ["[1]", "{\"name\":", "\u{1}", "7", "\"x\""] {
        let request = rules.request(Method::POST, "/vapi/assistant").body(body);
        let status = request.send().await.expect("an answer").status();
        assert!(status.is_client_error(), "{body}: {status}");
    }
    let deep = format!("{}{}", "{\"a\":".repeat(5_000), "1".to_owned() + &"}".repeat(5_000));
    let request = rules.request(Method::POST, "/vapi/assistant").body(deep);
    assert!(request.send().await.expect("an answer").status().is_client_error());
    // A route of the operator's takes all calls first, and that is said.
    let simple = json!({ "name": "B", "firstMessage": "Hello.\"\n[agents.c]\nx = \"" });
    let made = rules.post("/vapi/assistant", simple).await;
    let made: Value = made.json().await.expect("JSON");
    let number =
        json!({ "provider": "byo-phone-number", "number": NUMBER, "assistantId": made["id"] });
    let told: Value = rules.post("/vapi/phone-number", number).await.json().await.expect("JSON");
    assert_eq!(told["status"], "blocked", "{told:#}");
    let agents = rules.json("/v1/agents").await;
    assert_eq!(agents["data"].as_array().map(Vec::len), Some(2), "{agents:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_made_than_can_be_read_again() {
    let house = House::with(OFFICE).and("[http.vapi]\nlocal = true\n");
    let (server, api) = started(house).await;
    let rules = api.with(&server, "admin").await;
    let words = "You are a porter. ".repeat(25_000);
    let long = json!({ "name": "Long", "model": { "messages": [{ "role": "system", "content": words }] } });
    let mut made = 0;
    let refused = loop {
        let answer = rules.post("/vapi/assistant", long.clone()).await;
        match answer.status() {
            StatusCode::CREATED => made += 1,
            _ => break answer,
        }
    };
    assert_eq!((made, refused.status()), (2, StatusCode::BAD_REQUEST));
    let told: Value = refused.json().await.expect("JSON");
    assert!(told["message"].to_string().contains("longer than 1024 KB"), "{told:#}");
    let all = rules.json("/vapi/assistant").await;
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    let file = std::fs::metadata(server.folder.path("dialplans/vapi.toml")).expect("a file");
    assert!(file.len() < 1 << 20, "{file:?}");
}

/// A server with a carrier that is a phone, and a program.
struct Scene {
    server: Server,
    house: House,
    api: Api,
    sdk: Sdk,
    phone: Deskphone,
}

impl Scene {
    async fn open() -> Self {
        let (carrier, door) = (free_port(), free_port());
        let house = || {
            House::with(OFFICE).and(&format!(
                "{PHONE}[trunks.carrier]\nhost = \"127.0.0.1:{carrier}\"\noptions_ping = \"off\"\n\
                 inbound = {{ allow = [\"127.0.0.4\"] }}\n\
                 [security.outbound]\nallow = [\"+4971*\"]\n\
                 [http]\nbind = \"127.0.0.1:{door}\"\n[http.vapi]\nlocal = true\n"
            ))
        };
        let server = Server::start(house()).await;
        let api = Api::at(&format!("http://127.0.0.1:{door}"), None).with(&server, "read").await;
        let key = made(&server, &["--name", "app", "--scope", "admin"]).await;
        let sdk = Sdk::open(&format!("{}/vapi", api.base()), &key).await;
        let at = format!("127.0.0.1:{carrier}");
        let phone =
            Deskphone::register_at(&at, server.address, ("101", "secret"), "127.0.0.1").await;
        Self { server, house: house(), api, sdk, phone }
    }

    /// The callee takes the call that shows this number.
    async fn answers(&mut self, number: &str) -> Dialog {
        let invite = self.phone.wait_for("INVITE ").await;
        assert!(invite.starts_with(&format!("INVITE sip:{CUSTOMER}@")), "{invite}");
        assert!(invite.contains(&format!("<sip:{number}")), "{invite}");
        let dialog = self.phone.answer(&invite).await;
        self.phone.wait_for("ACK ").await;
        dialog
    }

    async fn is_hung_up(&mut self) {
        let bye = self.phone.wait_for("BYE ").await;
        self.phone.reply(&bye, "200 OK", "").await;
    }
}

/// Makes the assistant of a hotel and its number.
async fn hotel(sdk: &mut Sdk) -> (Value, Value) {
    let tool = sdk.ask("tools.create", json!([{ "type": "endCall" }])).await;
    let made = sdk
        .ask(
            "assistants.create",
            json!([{
                "name": "Harbour Hotel",
                "firstMessage": "Harbour Hotel, good evening {{guest}}.",
                "model": {
                    "provider": "openai", "model": "gpt-4o", "toolIds": [tool["id"]],
                    "messages": [{ "role": "system", "content": "You are a porter." }],
                },
                "voice": { "provider": "11labs", "voiceId": "x", "chunkPlan": { "enabled": true } },
                "transcriber": { "provider": "deepgram", "model": "nova-2" },
            }]),
        )
        .await;
    assert_eq!(made["voxtrunk"]["name"], "harbour-hotel-2", "{made:#}");
    let unmapped = made["voxtrunk"]["unmapped"].to_string();
    assert!(unmapped.contains("$.voice.chunkPlan"), "{made:#}");
    let found = sdk.ask("assistants.get", json!([{ "id": made["id"] }])).await;
    assert_eq!(found["model"]["toolIds"], json!([tool["id"]]), "{found:#}");
    let number = json!([{ "provider": "byo-phone-number", "credentialId": "x", "number": NUMBER,
        "assistantId": made["id"] }]);
    let number = sdk.ask("phoneNumbers.create", number).await;
    assert_eq!(number["status"], "active", "{number:#}");
    (made["id"].clone(), number["id"].clone())
}

/// The vendor's client in Node.
struct Sdk {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Sdk {
    async fn open(base: &str, key: &str) -> Self {
        let mut command = Command::new("node");
        command.args([&format!("{SOURCE}/tests/it/wire/vapi/client.cjs")]);
        command.args([&format!("{SOURCE}/target/vapi-sdk"), base, key]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("node is missing: run ./dev setup");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { _child: child, input, output }
    }

    async fn ask(&mut self, what: &str, values: Value) -> Value {
        let told = self.told(what, values).await;
        let done = told.get("done").unwrap_or_else(|| panic!("{what}: {told:#}"));
        done.clone()
    }

    async fn fails(&mut self, what: &str, values: Value) -> Value {
        let told = self.told(what, values).await;
        assert!(told["failed"].is_string(), "{what}: {told:#}");
        told
    }

    async fn told(&mut self, what: &str, values: Value) -> Value {
        let line = json!({ "ask": what, "values": values }).to_string() + "\n";
        self.input.write_all(line.as_bytes()).await.expect("node reads");
        let answer = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
        let line = answer.expect("in time").expect("node writes");
        serde_json::from_str(&line.expect("node lives: run ./dev setup")).expect("JSON")
    }
}

const NUMBER: &str = "+4971155";

const CUSTOMER: &str = "+49711550001";

const PHONE: &str =
    "[sip.registrar]\ndigest = [\"md5\"]\n[phones.101]\nname = \"Anna\"\npassword = \"secret\"\n";

/// An agent of the operator's, who has the name that the assistant would have.
const OFFICE: &str = r#"
[agents.harbour-hotel]
first_message = "Hello?"
llm.provider  = "rules"
tts           = { provider = "flite", voice = "slt" }

[[agents.harbour-hotel.intents]]
id      = "goodbye"
phrases = ["goodbye"]
action  = "end_call"
"#;
