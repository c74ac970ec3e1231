//! What follows a call: a model reads what was said, its report goes into the record, and to a tool
//! of the operator. It is an errand: the caller is gone, and nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time;

use crate::agent::after::{After, Report};
use crate::agent::event::Delta;
use crate::agent::memory::Earlier;
use crate::agent::tool::ToolCall;
use crate::base::number::Number;
use crate::base::price::{Amount, Prices};
use crate::base::scope::Scope;
use crate::call::event::Fact;
use crate::call::record::{Record, Speaker};
use crate::call::uses::{Used, Uses};
use crate::engine::ai::shift::Member;
use crate::engine::bus::{Bus, Standing};
use crate::engine::clock;
use crate::engine::errands::Errand;
use crate::engine::memories::Memories;
use crate::engine::playbill::Playbill;
use crate::providers::model::Model;

/// What is to be done when a call is over, if anything.
pub fn errand(
    playbill: &Arc<Playbill>,
    (bus, memories): (&Bus, Memories),
    record: &Record,
) -> Option<Errand> {
    let name = record.agents.last()?;
    let after = playbill.briefing.agents.get(name)?.assistant.after.clone();
    // Whoever said nothing leaves nothing to be read.
    let spoke = record.transcript.iter().any(|line| line.speaker == Speaker::Caller);
    if !after.is_wanted() || !spoke {
        return None;
    }
    let models = playbill.crews.get(name)?.models.iter().take(MOST_MODELS).cloned().collect();
    let (playbill, record) = (playbill.clone(), record.clone());
    let house = (bus.clone(), memories);
    Some(async move { follow(&playbill, house, models, (&after, &record)).await }.boxed())
}

async fn follow(
    playbill: &Playbill,
    (bus, memories): (Bus, Memories),
    models: Vec<Member<dyn Model>>,
    (after, record): (&After, &Record),
) {
    let (transcript, mut uses) = (transcript(record, after.sentiment), Uses::default());
    for attempt in 0..ATTEMPTS * models.len() {
        let Some(member) = models.get(attempt % models.len()) else { return };
        if attempt >= models.len() {
            time::sleep(PAUSE).await;
        }
        let mut took = Vec::new();
        let read = ask(member, (after, &transcript), &mut took).await;
        uses.add(&charged(member, took, &playbill.briefing.prices));
        let mut report = match read {
            Ok(report) => report,
            Err(why) => {
                tracing::warn!(call = %record.call, %why, "a call that is over could not be read");
                continue;
            }
        };
        let of_caller = |line: &usize| {
            record.transcript.get(*line).is_some_and(|it| it.speaker == Speaker::Caller)
        };
        report.sentiments.retain(|line, _| of_caller(line));
        let told = Value::Object(report.json());
        remember(playbill, memories, (record, &report)).await;
        let fact = Fact::Analyzed(Box::new(report), uses);
        bus.tell(record.call, fact, Standing::Over).await;
        return hand_in(playbill, (after, record), told).await;
    }
}

/// Has a model read the call; `took` is what that took, as far as it says so.
async fn ask(
    member: &Member<dyn Model>,
    (after, transcript): (&After, &str),
    took: &mut Vec<Amount>,
) -> Result<Report, String> {
    if let Some(why) = member.health.refusal() {
        return Err(why.to_string());
    }
    let reading = read(&*member.who, (after, transcript), took);
    let late = |_| format!("nothing within {} s", READ_WITHIN.as_secs());
    time::timeout(READ_WITHIN, reading).await.map_err(late)?
}

/// What it comes to that a model read a call.
fn charged(member: &Member<dyn Model>, amounts: Vec<Amount>, prices: &Prices) -> Uses {
    let (health, model) = (&member.health, member.who.name().map(Arc::from));
    health.used(member.who.name(), &amounts);
    let (stage, provider) = (health.stage(), health.provider().clone());
    Uses::new(&Used { stage, provider, model, thought: None, amounts }, prices)
}

async fn read(
    model: &dyn Model,
    (after, transcript): (&After, &str),
    took: &mut Vec<Amount>,
) -> Result<Report, String> {
    let mut told = model.think(after.request(transcript));
    let mut calls = Vec::new();
    while let Some(delta) = told.next().await {
        match delta.map_err(|why| why.to_string())? {
            Delta::Tool(call) => calls.push(call),
            Delta::Used(amounts) => took.extend(amounts),
            _ => {}
        }
    }
    let call = calls.first().ok_or("the model reports nothing")?;
    after.report(call)
}

/// Keeps the call in short for the caller's next one, where the agent remembers.
async fn remember(playbill: &Playbill, memories: Memories, (record, report): (&Record, &Report)) {
    let agent = record.agents.last().cloned().unwrap_or_default();
    let casting = playbill.briefing.agents.get(&agent);
    let memory = casting.map(|it| it.assistant.memory.clone()).unwrap_or_default();
    let caller: Option<Number> = playbill.briefing.numbering.read(&record.from).parse().ok();
    let agreed = record.consent.as_ref().is_some_and(|it| it.agreed.is_some());
    let is_kept = memory.calls > 0 && (agreed || !memory.consent);
    let known = caller.filter(|_| is_kept).zip(report.summary.clone());
    let Some((caller, summary)) = known else { return };
    let earlier = Earlier { at: record.began, agent, summary };
    let times = (clock::since_epoch(), memory.keep);
    let kept = tokio::task::spawn_blocking(move || memories.remember(&caller, earlier, times));
    if let Ok(Err(why)) = kept.await {
        tracing::error!(call = %record.call, %why, "what is known of a caller cannot be kept");
    }
}

/// Gives the report to the operator's tool.
async fn hand_in(playbill: &Playbill, (after, record): (&After, &Record), told: Value) {
    let Some(name) = &after.tool else { return };
    let (id, mut scope) = (format!("after-{}", record.call), Scope::default());
    for (key, value) in [
        ("call.id", record.call.to_string()),
        ("call.from", record.from.clone()),
        ("call.to", record.to.clone()),
        ("tool.name", name.clone()),
        ("tool.call_id", id.clone()),
    ] {
        scope.set(key, value);
    }
    scope.set("args", told.clone());
    let call = ToolCall { id, name: name.clone(), arguments: told.to_string() };
    let result = playbill.tools.used(call, scope).finished().await;
    if result.failed {
        let why = result.content;
        tracing::warn!(call = %record.call, tool = name, %why, "the report of a call was not taken");
    }
}

/// What was said, a line each; with their numbers, if they are to be named.
fn transcript(record: &Record, are_numbered: bool) -> String {
    let mut text = String::new();
    for (place, line) in record.transcript.iter().enumerate() {
        let keys = if line.keys.is_empty() { String::new() } else { format!(" #{}", line.keys) };
        let number = if are_numbered { format!("{place} ") } else { String::new() };
        let said = format!("{number}{}: {}{keys}\n", line.speaker.name(), line.text);
        if text.len() + said.len() > LONGEST {
            break;
        }
        text.push_str(&said);
    }
    text
}

/// How many of the agent's models are asked.
const MOST_MODELS: usize = 2;

/// How often each of them is asked.
const ATTEMPTS: usize = 2;

/// How long passes until they are asked again.
const PAUSE: Duration = Duration::from_secs(5);

/// How long one may take.
const READ_WITHIN: Duration = Duration::from_secs(20);

/// The most that is read, in octets.
const LONGEST: usize = 200_000;
