//! What the work of providers comes to in a call, and what it costs: in the record, by REST, in
//! metrics, in sums of calls and on the command line.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use voxtrunk::audio::frame::Rate;
use voxtrunk::providers::fakes::chat::{self, Answer, Script};
use voxtrunk::providers::fakes::stand::{Stand, nobody};
use voxtrunk::providers::fakes::{deepgram, openai};

use super::caller::{Speaker, call, say};
use super::control::{Watch, told};
use super::http::{Api, started};
use super::server::{Folder, House, PATIENCE, Server, said, within};
use super::service::Service;
use super::webhooks::{ALLOW_ALL, event, status, webhook};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_costs_what_its_providers_did() {
    let vendors = Vendors::open().await;
    let prices = [
        ("busy", "price = { output = \"1000 USD/token\" }"),
        (
            "brain",
            "price = { input = \"2 USD/1M tokens\", output = \"8 USD/1M tokens\" }\n\
                   prices.tiny = { input = \"1 USD/1M tokens\", cached = \"0.5 USD/1M tokens\" }",
        ),
        ("ear", "price = \"0.006 EUR per minute\""),
        ("mouth", "price = { characters = \"30 USD/1M characters\" }"),
    ];
    let (server, api) = vendors.led(&prices, "").await;
    let record = asks(&server).await;
    let cost = &record["cost"];
    let count = |stage: &str, unit: &str| item(cost, stage, unit)["count"].as_u64();
    // What was asked ahead of the end of the turn, and withdrawn, nobody reports.
    let answers = count("llm", "output_tokens").expect("tokens") / 9;
    assert!(answers >= 1, "{cost:#}");
    for (stage, provider, model, unit, billionths) in [
        ("llm", "brain", json!("tiny"), "input_tokens", Some(1_000)),
        ("llm", "brain", json!("tiny"), "cached_tokens", Some(500)),
        ("llm", "brain", json!("tiny"), "output_tokens", Some(8_000)),
        ("tts", "mouth", json!("tts-1"), "characters", Some(30_000)),
        ("stt", "ear", json!("nova-3"), "audio_ms", Some(100)),
    ] {
        let item = item(cost, stage, unit);
        assert_eq!((&item["provider"], &item["model"]), (&json!(provider), &model), "{cost:#}");
        let count = item["count"].as_u64().expect("a number");
        let amount = billionths.map(|each| decimal(u128::from(count) * each));
        assert_eq!(item["amount"], json!(amount), "{item:#}");
    }
    assert_eq!(count("llm", "input_tokens"), Some(32 * answers), "{cost:#}");
    assert_eq!(count("llm", "cached_tokens"), Some(8 * answers), "{cost:#}");
    assert!(count("tts", "characters") >= Some(ANSWER.len() as u64), "{cost:#}");
    assert!(count("stt", "audio_ms") > Some(500), "{cost:#}");
    let items = cost["items"].as_array().expect("items");
    assert!(items.iter().all(|it| it["provider"] != "busy"), "it gave nothing: {cost:#}");
    adds_up(cost);
    let characters = count("tts", "characters");
    let used: u64 = record["turns"]
        .as_array()
        .expect("turns")
        .iter()
        .filter_map(|turn| turn["use"]["characters"].as_u64())
        .sum();
    // What was said before the first turn is in none of them.
    assert!(used > 0 && Some(used) <= characters, "{record:#}");
    // Each turn has its own.
    let turn = &record["turns"][0]["cost"];
    assert_eq!(item(turn, "llm", "output_tokens")["count"], json!(9 * answers), "{record:#}");

    counted(&server, &api, &record).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_prices_it_is_told_what_was_done() {
    let vendors = Vendors::open().await;
    let (server, _) = vendors.led(&[], "").await;
    let cost = asks(&server).await["cost"].clone();
    assert_eq!((&cost["total"], &cost["totals"]), (&Value::Null, &json!([])), "{cost:#}");
    let tokens = item(&cost, "llm", "output_tokens");
    assert!(tokens["count"].as_u64() >= Some(9) && tokens["amount"].is_null(), "{cost:#}");
}

/// REST and metrics say the same.
async fn counted(server: &Server, api: &Api, record: &Value) {
    let cost = &record["cost"];
    let count = |stage: &str, unit: &str| item(cost, stage, unit)["count"].as_u64();
    let tokens = count("llm", "output_tokens").expect("tokens");
    let looks = api.with(server, "read").await;
    let id = record["id"].as_str().expect("an identity");
    assert_eq!(looks.json(&format!("/v1/calls/{id}")).await["cost"], *cost);
    let metrics = looks.get("/metrics").await.text().await.expect("a text");
    for line in [
        format!(
            "voxtrunk_llm_tokens_total{{provider=\"brain\",model=\"tiny\",type=\"output_tokens\"}} {}",
            tokens
        ),
        format!(
            "voxtrunk_tts_characters_total{{provider=\"mouth\"}} {}",
            count("tts", "characters").expect("some")
        ),
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}:\n{metrics}");
    }
    assert!(metrics.contains("voxtrunk_stt_audio_seconds_total{provider=\"ear\"} "), "{metrics}");
    assert!(
        metrics.contains("voxtrunk_cost_total{currency=\"EUR\",provider=\"ear\"} 0.000"),
        "{metrics}"
    );
    in_sum(server, &looks, (id, &cost["totals"])).await;
}

/// What programs and operators are told of all calls, and of this one.
async fn in_sum(server: &Server, looks: &Api, (id, totals): (&str, &Value)) {
    let mut insight = looks.json("/v1/analytics?by=agent").await;
    for _ in 0..600 {
        if insight["data"][0]["calls"] == 1 && insight["uncounted"] == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        insight = looks.json("/v1/analytics?by=agent").await;
    }
    assert_eq!(insight["data"][0]["cost"], *totals, "{insight:#}");
    let total = |at: usize| {
        let amount = totals[at]["amount"].as_str().expect("an amount");
        format!("{amount} {}", totals[at]["currency"].as_str().expect("a currency"))
    };
    let both = format!("{} + {}", total(0), total(1));
    for words in [&["analytics"][..], &["call", "show", id]] {
        let shown = told(server, words).await;
        assert!(shown.contains(&both), "{both}:\n{shown}");
    }
    let card = told(server, &["call", "show", id]).await;
    let line = card.lines().find(|it| it.contains("output_tokens")).expect("a line");
    assert!(line.contains("brain") && line.contains("tiny"), "{card}");
}

/// Each currency has the sum of its parts, and two have none together.
fn adds_up(cost: &Value) {
    let items = cost["items"].as_array().expect("items");
    assert_eq!((&cost["total"], &cost["currency"]), (&Value::Null, &Value::Null), "{cost:#}");
    let of = |currency: &str| {
        let own = items.iter().filter(|it| it["currency"] == currency);
        own.map(|it| billionths(&it["amount"])).sum::<u128>()
    };
    let totals = json!([
        { "amount": decimal(of("EUR")), "currency": "EUR" },
        { "amount": decimal(of("USD")), "currency": "USD" },
    ]);
    assert_eq!(cost["totals"], totals, "{cost:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_are_told_of_a_call_are_told_what_it_cost() {
    let (ours, theirs) =
        (Service::open(|_| status(204)).await, Service::open(|_| status(200)).await);
    let of = |format: &str, secret: &str| {
        let url = format!("{}/{format}", theirs.url());
        format!(
            "[webhooks.{format}]\nurl = {url:?}\nformat = {format:?}\nsecret = {secret:?}\n\
             events = [\"call.ended\"]\n"
        )
    };
    let hooks = [
        webhook("ours", &ours, "[\"call.ended\"]"),
        of("vapi", "only-our-app-knows-this"),
        of("retell", "key_7d0b5f1a2c3e4d5f6a7b8c9d0e1f"),
        ALLOW_ALL.to_owned(),
    ];
    let vendors = Vendors::open().await;
    let prices = [("mouth", "price = \"30 USD per 1M characters\"")];
    let (server, _) = vendors.led(&prices, &hooks.concat()).await;
    let cost = asks(&server).await["cost"].clone();
    let total = item(&cost, "tts", "characters")["amount"].clone();
    assert_eq!((&cost["total"], &cost["currency"]), (&total, &json!("USD")), "{cost:#}");
    let seen = ours.wait_for(1).await;
    let told = event(seen.first().expect("one"));
    assert_eq!(told["data"]["cost"], cost, "{told:#}");
    let dollars: f64 = total.as_str().and_then(|it| it.parse().ok()).expect("a decimal");
    let reports = within(PATIENCE, "both reports", || {
        let bodies = theirs.seen().iter().map(event).collect::<Vec<Value>>();
        let vapi = bodies.iter().find(|it| it["message"]["type"] == "end-of-call-report").cloned();
        let retell = bodies.iter().find(|it| it["event"] == "call_ended").cloned();
        vapi.zip(retell)
    })
    .await;
    let (vapi, retell) = reports;
    let is = |found: &Value, expected: f64| {
        found.as_f64().is_some_and(|found| (found - expected).abs() < 1e-9)
    };
    assert!(is(&vapi["message"]["cost"], dollars), "{vapi:#}");
    assert!(is(&retell["call"]["call_cost"]["combined_cost"], dollars * 100.0), "{retell:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whose_budget_is_spent_is_asked_no_more_that_day_and_another_takes_its_place() {
    let vendors = Vendors::open().await;
    // An answer costs nine cents.
    let prices = "price = { output = \"10 USD per 1k tokens\" }\ndaily_budget = \"0.05 USD\"";
    let house = || House::with(DIALPLAN).and(&vendors.tables(&[("brain", prices)]));
    let server = Server::start(house()).await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let who = |record: &Value| record["turns"][0]["providers"]["llm"].clone();
    let first = asks(&server).await;
    assert_eq!(who(&first), "brain", "{first:#}");
    let warning = events.until("\"budget.warning\"").await;
    assert!(warning.contains("\"account\":\"provider:brain\""), "{warning}");
    let exceeded = events.until("\"budget.exceeded\"").await;
    assert!(exceeded.contains("\"account\":\"provider:brain\""), "{exceeded}");
    let refused = |last: &Value| {
        assert_eq!(who(last), "spare", "{last:#}");
        let failures = last["provider_failures"].as_array().expect("failures");
        let own = failures.iter().find(|it| it["provider"] == "brain").expect("a reason");
        assert_eq!(own["reason"], "its daily budget of 0.05 USD is spent", "{last:#}");
    };
    refused(&asks_as(2, &server).await);
    let shown = told(&server, &["usage"]).await;
    assert!(shown.contains("provider:brain") && shown.contains("0.05 USD"), "{shown}");
    assert!(!server.log().contains("provider.degraded"), "nothing is wrong with it");

    // Dropping a server kills it: it has no time to write anything.
    let server = Server::start_in(Folder::of(server), house()).await;
    refused(&asks_as(3, &server).await);
}

/// The stand-ins of a call: one model that refuses, one that answers and one in its place, who hears
/// and who speaks.
struct Vendors {
    busy: Stand,
    brain: Stand,
    spare: Stand,
    ear: Stand,
    mouth: Stand,
}

impl Vendors {
    async fn open() -> Self {
        let hears = deepgram::Script {
            key: KEY,
            ear: Arc::new(|_, _| QUESTION.to_owned()),
            delay: Duration::ZERO,
            faults: Vec::new(),
            observer: nobody(),
        };
        let speaks = openai::Script {
            key: KEY,
            ear: Arc::new(|_, _| String::new()),
            throat: Arc::new(|_| vec![0; Rate(24_000).samples_in(Duration::from_millis(200))]),
            delay: Duration::ZERO,
            faults: Vec::new(),
        };
        Self {
            busy: mind(|_| Answer::Refuses(503, "overloaded", None)).await,
            brain: mind(|_| Answer::Says(ANSWER.to_owned())).await,
            spare: mind(|_| Answer::Says(ANSWER.to_owned())).await,
            ear: deepgram::open(hears).await.expect("a port"),
            mouth: openai::open(speaks).await.expect("a port"),
        }
    }

    /// A server with an agent of theirs, what stands of prices in their tables, and more settings.
    async fn led(&self, prices: &[(&str, &str)], more: &str) -> (Server, Api) {
        started(House::with(DIALPLAN).and(&format!("{}{more}", self.tables(prices)))).await
    }

    fn tables(&self, prices: &[(&str, &str)]) -> String {
        [
            ("busy", "openai", format!("{}/v1", self.busy.base_url())),
            ("brain", "openai", format!("{}/v1", self.brain.base_url())),
            ("spare", "openai", format!("{}/v1", self.spare.base_url())),
            ("ear", "deepgram", self.ear.base_url()),
            ("mouth", "openai", format!("{}/v1", self.mouth.base_url())),
        ]
        .iter()
        .map(|(name, kind, url)| {
            let price = prices.iter().find(|(provider, _)| provider == name);
            let price = price.map_or("", |(_, price)| *price);
            format!(
                "[providers.{name}]\nkind = \"{kind}\"\napi_key = \"{KEY}\"\n\
                 base_url = \"{url}\"\n{price}\n"
            )
        })
        .collect()
    }
}

/// A caller asks once, and hangs up when it was answered; the record of that.
async fn asks(server: &Server) -> Value {
    asks_as(1, server).await
}

/// The same, as the caller with that number among all.
async fn asks_as(number: usize, server: &Server) -> Value {
    let question = say(Speaker::Flite("rms"), QUESTION).await;
    call(&server.uri("901"), vec![question], Duration::from_secs(12)).await;
    let record = server.records(number).await.remove(number - 1);
    let spoken = said(&record, "agent");
    assert!(spoken.iter().any(|line| line.contains(ANSWER)), "{record:#}");
    record
}

/// The part of a cost that is of this.
fn item<'a>(cost: &'a Value, stage: &str, unit: &str) -> &'a Value {
    let items = cost["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = items.iter().find(|it| it["stage"] == stage && it["unit"] == unit);
    found.unwrap_or_else(|| panic!("no {unit} of {stage}: {cost:#}"))
}

/// An amount as records write it.
fn decimal(billionths: u128) -> String {
    let text = format!("{}.{:09}", billionths / 1_000_000_000, billionths % 1_000_000_000);
    let kept = text.trim_end_matches('0');
    let least = text.find('.').expect("a point") + 3;
    text[..kept.len().max(least)].to_owned()
}

fn billionths(amount: &Value) -> u128 {
    let text = amount.as_str().expect("a decimal");
    let (whole, rest) = text.split_once('.').expect("a point");
    format!("{whole}{rest:0<9}").parse().expect("digits")
}

async fn mind(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Stand {
    let script = Script {
        key: KEY,
        mind: Arc::new(answer),
        delay: Duration::ZERO,
        per_word: Duration::ZERO,
        observer: nobody(),
    };
    chat::open(script).await.expect("a port")
}

const KEY: &str = "key-4711";

const QUESTION: &str = "what are your opening hours";

const ANSWER: &str = "We are open from nine to six.";

const DIALPLAN: &str = r#"
[[route]]
to = "agent:clerk"

[agents.clerk]
prompt            = "You are brief."
first_message     = "Hello?"
disclosure        = "none"
disclosure_reason = "a test"
stt               = { provider = "ear", model = "nova-3" }
llm               = { provider = "busy", model = "dear" }
tts               = { provider = "mouth", model = "tts-1", voice = "alloy" }
fallback.llm      = [{ provider = "brain", model = "tiny" }, { provider = "spare", model = "tiny" }]

# What PocketSphinx listens for.
[[agents.clerk.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "Wait."
"#;
