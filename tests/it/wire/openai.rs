//! OpenAI's realtime model as somebody who is called: its SIP side is a second server of ours, by TLS
//! and SRTP; what it says by webhook, over HTTP and at the socket beside is a stand-in's.

mod vendor;

use reqwest::Method;
use serde_json::{Value, json};

use super::caller::{Speaker, spoken};
use super::certificates::Authority;
use super::control::{Watch, eventually};
use super::ear::hears;
use super::http::{Api, started};
use super::oversight::{Ann, answers, phone, so_far};
use super::queues::{ended, hear_each_other};
use super::server::{Folder, House, Server, said};
use super::service::{Reply, Service};
use vendor::{Manner, Vendor, webhook};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_is_taken_by_openai_with_the_tools_and_words_of_an_agent() {
    let clinic = Service::open(|_| Reply::json(json!({ "slots": ["ten"] }))).await;
    let mut scene = Scene::open(Manner::Takes, &clinic).await;
    let mut events = Watch::start(&scene.server, &["events", "--json"]);
    let ann = Ann::calls(&scene.server, "700").await;
    // Both are heard, by TLS and with keys.
    hears(&ann.audio, 0, "hello", &KNOWN).await;
    let known = so_far(&ann.audio).await;
    ann.audio.say(&spoken(Speaker::Flite("rms"), QUESTION).await);
    hears(&ann.audio, known, ANSWER, &KNOWN).await;

    let accepted = scene.vendor.accepted();
    assert_eq!(accepted["type"], "realtime", "{accepted:#}");
    assert_eq!(accepted["model"], "gpt-realtime-2");
    assert_eq!(accepted["audio"]["output"]["voice"], "marin");
    assert_eq!(accepted["instructions"], "You serve wire.", "{accepted:#}");
    let tools = accepted["tools"].as_array().expect("tools").iter();
    let mut tools: Vec<&str> = tools.filter_map(|tool| tool["name"].as_str()).collect();
    tools.sort_unstable();
    assert_eq!(tools, ["check_slots", "end_call", "transfer_call"], "no tool that asks first");
    let greeting = scene.vendor.hears("response.create").await;
    let words = greeting["response"]["instructions"].as_str().expect("words");
    assert!(words.ends_with(": Good morning."), "{greeting:#}");
    scene.vendor.says_words("Good morning.");
    scene.vendor.hears_words("Is there a slot?");
    scene.vendor.calls("call_1", "check_slots", json!({ "day": "Monday" }));
    let output = scene.vendor.hears("conversation.item.create").await;
    assert_eq!(output["item"]["type"], "function_call_output", "{output:#}");
    assert_eq!(output["item"]["call_id"], "call_1");
    assert_eq!(output["item"]["output"], "{\"slots\":[\"ten\"]}");
    scene.vendor.hears("response.create").await;
    // What it was not offered, it does not get.
    scene.vendor.calls("call_2", "cancel", json!({}));
    let output = scene.vendor.hears("conversation.item.create").await;
    assert_eq!(output["item"]["output"], "there is no such tool", "{output:#}");
    scene.vendor.hears("response.create").await;
    assert_eq!(clinic.seen().len(), 1);
    // A socket that breaks is opened again, and nobody is greeted twice.
    scene.vendor.breaks_off();
    scene.vendor.hears_socket().await;
    scene.vendor.says_words("At ten.");
    events.until("At ten.").await;
    scene.vendor.leaves("Goodbye.");
    let record = scene.server.record().await;
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");
    assert_eq!(record["agents"], json!(["reception"]), "{record:#}");
    assert_eq!(said(&record, "caller"), ["Is there a slot?"], "{record:#}");
    assert_eq!(said(&record, "agent"), ["Good morning.", "At ten.", "Goodbye."], "{record:#}");
    let leg = &record["legs"][1];
    assert_eq!(leg["to"], "openai:reception", "{record:#}");
    assert!(leg["srtp"].as_str().is_some_and(|it| it.contains("AES")), "{record:#}");
    let tools = record["tools"].as_array().expect("tools");
    let outcomes: Vec<(&Value, &Value)> =
        tools.iter().map(|tool| (&tool["name"], &tool["outcome"])).collect();
    let expected =
        [("check_slots", "done"), ("cancel", "failed")].map(|(a, b)| (json!(a), json!(b)));
    assert_eq!(outcomes, expected.each_ref().map(|(a, b)| (a, b)), "{record:#}");
    assert_eq!(scene.vendor.complaints(), Vec::<String>::new());
    assert!(!scene.server.log().contains(vendor::KEY));
    // What it heard came from Ann: that side has it in words.
    let there = scene.far.record().await;
    assert!(said(&there, "caller").contains(&QUESTION.to_owned()), "{there:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn openai_sends_a_caller_on_to_a_person() {
    let clinic = Service::open(|_| Reply::json(json!({}))).await;
    let mut scene = Scene::open(Manner::Takes, &clinic).await;
    let mut ben = phone(&scene.server, "102", "other").await;
    let ann = Ann::calls(&scene.server, "700").await;
    scene.vendor.hears("response.create").await;
    scene.vendor.calls("call_1", "transfer_call", json!({ "to": "nobody" }));
    let output = scene.vendor.hears("conversation.item.create").await;
    assert_eq!(output["item"]["output"], "there is only: office", "{output:#}");
    scene.vendor.calls("call_2", "transfer_call", json!({ "to": "office" }));
    answers(&mut ben).await;
    hear_each_other(&ann.audio, &ben.audio).await;
    let there = scene.far.record().await;
    assert_eq!(there["end_reason"], "caller_hangup", "{there:#}");
    ann.hangs_up().await;
    ended(&mut ben).await;
    let record = scene.server.record().await;
    assert_eq!(record["transfers"][0]["to"], "phone:102", "{record:#}");
    assert_eq!(record["transfers"][0]["outcome"], "worked", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_that_openai_does_not_take_goes_to_its_else() {
    let clinic = Service::open(|_| Reply::json(json!({}))).await;
    for manner in [Manner::Refuses, Manner::NeverAsks] {
        let scene = Scene::open(manner, &clinic).await;
        let ann = Ann::calls(&scene.server, "700").await;
        hears(&ann.audio, 0, "good evening", &KNOWN).await;
        ann.hangs_up().await;
        let record = scene.server.record().await;
        assert_eq!(record["agents"], json!(["night"]), "{manner:?}: {record:#}");
        let there = scene.far.record().await;
        assert_eq!(there["status"], "canceled", "{manner:?}: {there:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_is_not_openai_is_not_believed() {
    let clinic = Service::open(|_| Reply::json(json!({}))).await;
    let scene = Scene::open(Manner::NeverAsks, &clinic).await;
    let call = "call_01J00000000000000000000000.abcdefgh";
    let post = async |body: &str, secret: &[u8], late: i64| {
        let request = scene.api.request(Method::POST, "/v1/openai/calls");
        let answer = webhook(request, body, secret, late).send().await.expect("an answer");
        answer.status().as_u16()
    };
    let word = |header: &str| {
        json!({ "type": "realtime.call.incoming", "data": { "call_id": "rtc_1",
            "sip_headers": [{ "name": "X-Voxtrunk-Call", "value": header }] } })
        .to_string()
    };
    assert_eq!(post(&word(call), vendor::SECRET, 0).await, 404, "no call of ours");
    assert_eq!(post(&word("x"), vendor::SECRET, 0).await, 404);
    // Callers know what their call is called; that is not enough.
    let ann = super::datagrams::Wire::open("127.0.0.1:0", scene.server.address);
    let mut ann = ann.await;
    let invite = ann.request("INVITE", "700", &ann.description());
    ann.send(invite.as_bytes()).await;
    let running = eventually(&scene.server, &["call", "list", "--json"], |it| {
        it["data"][0]["id"].is_string()
    })
    .await;
    let id = running["data"][0]["id"].as_str().expect("an identity");
    for guess in [id.to_owned(), format!("{id}."), format!("{id}.abcdefgh")] {
        assert_eq!(post(&word(&guess), vendor::SECRET, 0).await, 404, "{guess}");
    }
    assert_eq!(post(&word(call), b"another secret, as long as it", 0).await, 401);
    assert_eq!(post(&word(call), vendor::SECRET, 301).await, 401);
    assert_eq!(post(&word(call), vendor::SECRET, -301).await, 401);
    let unsigned = scene.api.post("/v1/openai/calls", json!({})).await;
    assert_eq!(unsigned.status().as_u16(), 401);
    assert_eq!(post("{", vendor::SECRET, 0).await, 400);
    assert_eq!(post(r#"{"type":"response.completed"}"#, vendor::SECRET, 0).await, 204);
    assert_eq!(post(&" ".repeat(70_000), vendor::SECRET, 0).await, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn check_says_what_the_door_to_openai_lacks() {
    let folder = Folder::new();
    let check = async |server: &str, dialplan: &str| {
        let path = House::with(dialplan).and(server).write(&folder);
        let mut check = super::server::program();
        check.arg("check").arg("--config").arg(path);
        super::server::finish(check).await
    };
    let door = "[providers.vendor]\nkind = \"openai\"\napi_key = \"x\"\n[http.openai]\n\
                project = \"proj_x\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";
    let route = "[[route]]\nto = \"openai:clerk\"\n";
    let agent = "[agents.clerk]\nprompt = \"x\"\nrealtime.provider = \"vendor\"\n";
    let (code, told) = check(door, &format!("{route}{agent}")).await;
    assert_eq!(code, Some(0), "{told}");
    for (server, dialplan, words) in [
        ("", format!("{route}{agent}"), "there is no [http.openai]"),
        (door, format!("{route}[agents.clark]\n"), "did you mean `agent:clark`?"),
        (door, format!("{route}[agents.clerk]\n"), "an agent without `realtime`"),
        (&door.replace("proj_x", "proj x"), route.to_owned(), "`proj x` is no project"),
        (&door.replace("whsec_", "sk-"), route.to_owned(), "nobody would be believed"),
        (&format!("{door}sip = \"sip:a.test\"\n"), route.to_owned(), "calls go there by TLS"),
    ] {
        let (code, told) = check(server, &dialplan).await;
        assert!(code == Some(1) && told.contains(words), "{words}: {told}");
    }
}

/// Our server, and OpenAI.
struct Scene {
    server: Server,
    api: Api,
    /// The SIP side of OpenAI.
    far: Server,
    vendor: Vendor,
    _certificates: Folder,
}

impl Scene {
    async fn open(manner: Manner, clinic: &Service) -> Self {
        let vendor = Vendor::open(manner).await;
        let certificates = Folder::new();
        let authority = Authority::write(&certificates);
        let listens = authority.listening(&["tls"]);
        let there = House::porter();
        let dialplan = there.dialplan.clone().expect("the porter's own");
        let porter = dialplan.split_once("[agents.porter]").expect("a porter").1;
        let decide = format!(
            "[[route]]\nto = \"webhook:{}/decide\"\ntimeout = \"10s\"\n\n[agents.porter]{porter}",
            vendor.url()
        );
        let allow = "[security.webhooks]\nallow = [\"127.0.0.1\"]\n";
        let far = Server::start(House::with(&decide).and(&listens).and(allow)).await;
        let door = format!(
            "[sip.tls]\nca = {:?}\n[providers.vendor]\nkind = \"openai\"\nbase_url = \"{}/v1\"\n\
             api_key = \"{}\"\n[http.openai]\nproject = \"proj_test\"\nsecret = \"{}\"\n\
             sip = \"sip:{};transport=tls\"\n[security.tools]\nallow = [\"127.0.0.1\"]\n{PHONES}",
            authority.file,
            vendor.url(),
            vendor::KEY,
            vendor::secret(),
            far.listens("tls"),
        );
        let dialplan = DIALPLAN.replace("CLINIC", &clinic.url());
        let house = House::with(&dialplan).and(&listens).and(&door);
        let (server, api) = started(house).await;
        vendor.tells(api.clone());
        Self { server, api, far, vendor, _certificates: certificates }
    }
}

const KNOWN: [&str; 4] = ["hello", QUESTION, ANSWER, "good evening"];
const QUESTION: &str = "what are your opening hours";
const ANSWER: &str = "we are open from nine to six";

const PHONES: &str = r#"
[sip.registrar]
digest = ["md5"]

[phones.102]
password = "other"
context  = "internal"
"#;

const DIALPLAN: &str = r#"
[[route]]
to   = "openai:reception"
ring = "6s"
else = "agent:night"

[tools.check_slots]
type        = "http"
description = "Lists the free slots of a day."
url         = "CLINIC/slots"
parameters.day = "string"

[tools.cancel]
type        = "http"
description = "Cancels an appointment."
url         = "CLINIC/cancel"
method      = "POST"
confirm     = true

[agents.reception]
first_message = "Good morning."
disclosure    = "none"
disclosure_reason = "another test hears it"
prompt        = "You serve {{caller}}."
realtime      = { provider = "vendor", voice = "marin" }
tools         = ["check_slots", "cancel", "transfer_call", "end_call"]
transfers.office = { to = "phone:102", description = "A person." }

[agents.night]
first_message = "Good evening."
stt.provider  = "pocketsphinx"
llm.provider  = "rules"
tts           = { provider = "flite", voice = "slt" }

[[agents.night.intents]]
id      = "none"
phrases = ["nothing at all"]
say     = "Fine."
"#;
