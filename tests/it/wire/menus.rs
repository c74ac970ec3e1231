//! Menus: the caller presses a key or says what it wants, is asked again when that is nothing, and
//! is sent somewhere when it says nothing at all.

use std::time::Duration;

use voxtrunk::engine::phone::{Act, Line, When};
use voxtrunk::media::event::Digit;

use super::caller::{Speaker, call, say};
use super::server::{House, Server, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_chooses_by_keys_also_by_several_and_while_the_menu_speaks() {
    let server = Server::start(House::with(MENUS)).await;
    let over = Line { when: When::Over(Duration::from_millis(200)), ..press("1") };
    for (extension, line, who, hears) in [
        ("901", press("1"), "sales", "Sales here."),
        ("902", press("12"), "help", "Help here."),
        ("903", over, "sales", "Sales here."),
        ("904", press("3"), "menu:more", "For help press nine."),
    ] {
        call(&server.uri(extension), vec![line], Duration::from_secs(4)).await;
        let record = &server.records_of(extension, 1).await[0];
        assert_eq!(record["agents"], serde_json::json!(["menu:main", who]), "{record:#}");
        assert_eq!(said(record, "agent").last().map(String::as_str), Some(hears), "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_says_what_it_wants() {
    let server = Server::start(House::with(MENUS)).await;
    for (extension, words, who) in
        [("901", "sales", "sales"), ("902", "i need help", "help"), ("903", "one", "sales")]
    {
        let lines = vec![say(Speaker::Flite("rms"), words).await];
        call(&server.uri(extension), lines, Duration::from_secs(4)).await;
        let record = &server.records_of(extension, 1).await[0];
        assert_eq!(record["agents"], serde_json::json!(["menu:main", who]), "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wrong_key_is_asked_again_and_then_goes_elsewhere() {
    let server = Server::start(House::with(MENUS)).await;
    let lines = vec![press("7"), press("8")];
    call(&server.uri("901"), lines, Duration::from_secs(4)).await;
    let record = server.record().await;
    let agents = serde_json::json!(["menu:main", "help"]);
    assert_eq!(record["agents"], agents, "{record:#}");
    let lines = ["For sales press one.", "No such choice.", "For sales press one.", "Help here."];
    assert_eq!(said(&record, "agent"), lines, "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_who_says_nothing_hears_the_menu_again_and_goes_elsewhere() {
    let server = Server::start(House::with(MENUS)).await;
    call(&server.uri("901"), Vec::new(), Duration::from_secs(6)).await;
    let record = server.record().await;
    let agents = serde_json::json!(["menu:main", "sales"]);
    assert_eq!(record["agents"], agents, "{record:#}");
    let lines = ["For sales press one.", "For sales press one.", "Sales here."];
    assert_eq!(said(&record, "agent"), lines, "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_menu_ends_calls_and_agents_lead_to_menus() {
    let server = Server::start(House::with(MENUS)).await;
    let lines = vec![press("1"), press("5"), press("0")];
    let outcome = call(&server.uri("901"), lines, Duration::from_secs(8)).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    let agents = serde_json::json!(["menu:main", "sales", "menu:more"]);
    assert_eq!(record["agents"], agents, "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_menu_for_keys_only_heeds_no_words() {
    let deaf = MENUS.replace("# speech", "speech = false");
    let server = Server::start(House::with(&deaf)).await;
    let lines = vec![say(Speaker::Flite("rms"), "i need help").await, press("1")];
    call(&server.uri("901"), lines, Duration::from_secs(4)).await;
    let record = server.record().await;
    let agents = serde_json::json!(["menu:main", "sales"]);
    assert_eq!(record["agents"], agents, "{record:#}");
    assert_eq!(said(&record, "caller"), [""], "only keys: {record:#}");
}

fn press(keys: &str) -> Line {
    let digits = keys.chars().filter_map(Digit::new).collect();
    Line { when: When::Quiet, act: Act::Press(digits) }
}

const MENUS: &str = r#"
[[route]]
to = "menu:main"

[defaults.agent]
stt.provider = "pocketsphinx"
tts          = { provider = "flite", voice = "slt" }

[menus.main]
say     = "For sales press one."
digits  = { 1 = "agent:sales", 12 = "agent:help", 3 = "menu:more" }
phrases = { 12 = ["[i need] help"] }
timeout = { after = "2s", to = "agent:sales" }
invalid = { tries = 2, say = "No such choice.", to = "agent:help" }
# speech

[menus.more]
say    = "For help press nine."
digits = { 9 = "agent:help", 0 = "hangup", "*" = "menu:main" }

[agents.sales]
first_message = "Sales here."
llm.provider  = "rules"
tools         = ["transfer_call"]

[agents.sales.transfers.menu]
to  = "menu:more"
say = ""

[[agents.sales.intents]]
id     = "menu"
key    = "5"
action = "transfer_call:menu"

[agents.help]
first_message = "Help here."
"#;
