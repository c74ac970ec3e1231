//! What calls cost, on the wire: budgets that are spent, minutes that are used up, and a server that
//! is killed and knows what it spent. The carrier is another server.

use std::time::Duration;

use serde_json::{Value, json};

use super::control::{Watch, ask, told};
use super::datagrams::Wire;
use super::server::{Folder, House, Server, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_budget_that_is_spent_blocks_calls_and_outlives_a_kill() {
    let carrier = Server::start(House::with(CARRIER)).await;
    let house = || {
        house(&carrier, "daily_budget = \"0.05 EUR\"\nrates = { \"+49*\" = \"0.02 EUR/min\" }\n")
    };
    let server = Server::start(house()).await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    for count in 1..=2 {
        originate(&server).await;
        let record = server.records(count).await.remove(count - 1);
        assert_eq!(record["end_reason"], "callee_hangup", "{record:#}");
    }
    // Most is spent, and there is not enough left for a third minute.
    events.until("\"budget.warning\"").await;
    originate(&server).await;
    let record = server.records(3).await.remove(2);
    assert_eq!(record["end_reason"], "blocked", "{record:#}");
    let exceeded = events.until("\"budget.exceeded\"").await;
    assert!(exceeded.contains("\"account\":\"server\""), "{exceeded}");
    assert!(exceeded.contains("\"limit\":\"daily_budget\""), "{exceeded}");
    let usage = usage(&server).await;
    let of = |name: &str| usage.iter().find(|it| it["account"] == name).expect("an account");
    let euros = |amount: &str| json!({ "amount": amount, "currency": "EUR" });
    assert_eq!(of("server")["today"]["cost"], euros("0.04"), "{usage:#?}");
    assert_eq!(of("server")["daily_budget"], euros("0.05"));
    assert_eq!(of("trunk:carrier")["month"]["minutes_out"], 2);
    assert_eq!(of("agent:caller")["today"]["minutes_out"], 2);
    let shown = told(&server, &["usage"]).await;
    assert!(shown.contains("trunk:carrier") && shown.contains("0.05 EUR"), "{shown}");

    // Dropping a server kills it: it has no time to write anything.
    let folder = Folder::of(server);
    let server = Server::start_in(folder, house()).await;
    originate(&server).await;
    let record = server.records(4).await.remove(3);
    assert_eq!(record["end_reason"], "blocked", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_out_ends_with_the_minute_that_nobody_pays() {
    let carrier = Server::start(House::with(PATIENT)).await;
    let server = Server::start(house(&carrier, "daily_minutes = 1\n")).await;
    originate(&server).await;
    let exceeded = || server.log().contains("budget.exceeded").then_some(());
    within(Duration::from_secs(120), "the end of the minute", exceeded).await;
    let record = server.record().await;
    assert_eq!(record["end_reason"], "blocked", "{record:#}");
    assert!(!record["answered_at"].is_null(), "{record:#}");
    let over_there = carrier.record().await;
    assert_eq!(over_there["end_reason"], "caller_hangup", "{over_there:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tenant_without_minutes_is_not_called_any_more_and_others_are() {
    let settings = "[tenants.acme]\nnumbers = [\"+49711123450..59\"]\n\
        timezone = \"Asia/Tokyo\"\nlimits = { minutes_per_month = 1 }\n\
        [trunks.second]\ninbound = { allow = [\"127.0.0.5\"] }\n";
    let server = Server::start(House::with(CARRIER).and(settings)).await;
    let mut caller = Wire::open("127.0.0.5:0", server.address).await;
    let description = caller.description();
    let answer = caller.call("+49711123451", &description).await;
    caller.hang_up(&answer).await;
    server.records(1).await;
    let mut second = Wire::open("127.0.0.5:0", server.address).await;
    assert_eq!(second.status_for("+49711123452", "anna").await, "403");
    let mut other = Wire::open("127.0.0.5:0", server.address).await;
    let answer = other.call("+49711123460", &description).await;
    other.hang_up(&answer).await;
    let usage = usage(&server).await;
    let acme = usage.iter().find(|it| it["account"] == "tenant:acme").expect("an account");
    assert_eq!(acme["month"]["minutes_in"], 1, "{acme:#}");
    assert_eq!(acme["minutes_per_month"], 1, "{acme:#}");
}

/// A server that calls numbers by a carrier, with these limits.
fn house(carrier: &Server, limits: &str) -> House {
    House::with(DIALPLAN).and(&format!(
        "[trunks.carrier]\nhost = \"{}\"\noptions_ping = \"off\"\n\
         [security.outbound]\nallow_countries = [\"DE\"]\n{limits}",
        carrier.address
    ))
}

async fn originate(server: &Server) {
    let order = ["call", "originate", "--to", "+4971112345", "--agent", "caller"];
    let (code, _, why) = ask(server, &order).await;
    assert_eq!(code, Some(0), "{why}");
}

async fn usage(server: &Server) -> Vec<Value> {
    let text = told(server, &["usage", "--json"]).await;
    let list: Value = serde_json::from_str(&text).expect("JSON");
    list["data"].as_array().cloned().unwrap_or_default()
}

const DIALPLAN: &str = r#"
[[route]]
to = "hangup:404"

[agents.caller]
first_message = "Hello."
tts           = { provider = "flite", voice = "slt" }
stt.provider  = "pocketsphinx"

[agents.caller.silence]
remind_after = "5m"
hangup_after = "5m"
"#;

/// Who is called answers, and hangs up soon.
const CARRIER: &str = r#"
[[route]]
to = "flow:short"

[flows.short]
agent = "short"
start = "end"

[flows.short.nodes.end]
type = "end"
say  = "Yes."

[agents.short]
tts          = { provider = "flite", voice = "slt" }
stt.provider = "pocketsphinx"
"#;

/// Who is called answers, and never hangs up.
const PATIENT: &str = r#"
[[route]]
to = "conference:room"
"#;
