//! Who did what: whatever acts upon a server, or looks at what is nobody else's business, is written
//! down.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::glance::Glance;
use crate::config::paths::tidied;
use crate::engine::clock;
use crate::server::control::protocol::Ask;
use crate::server::control::times::timestamp;
use crate::server::secrets::answer;
use crate::store::audit::{Audit, Deed, Sought};

/// A deed that begins now.
pub fn begun(who: String, from: String, what: String) -> Deed {
    Deed { at: timestamp(clock::since_epoch()), who, from, what, ..Deed::default() }
}

/// Writes a deed down, beside the calls.
pub async fn note(audit: Audit, deed: Deed) {
    let writing = tokio::task::spawn_blocking(move || written(&audit, &deed)).await;
    if writing.is_err() {
        tracing::error!("what somebody did could not be written down; this is a bug");
    }
}

/// Writes down what somebody does with these settings at the command line.
pub fn of_command_line(config: &Path, what: &str, on: Option<String>, is_done: bool) {
    let Ok(data) = data(config) else { return };
    let deed = begun(user(rustix::process::getuid().as_raw()), "local".to_owned(), what.to_owned());
    let outcome = if is_done { "ok" } else { "failed" };
    let deed = Deed { on: on.filter(|on| is_plain(on)), outcome: outcome.to_owned(), ..deed };
    if let Err(why) = Audit::below(&data).note(&deed) {
        eprintln!("voxtrunk: this could not be written down in the chronicle: {why}");
    }
}

/// What is written down of what an operator asks; nothing of what only looks.
pub fn of_console(ask: &Ask, (who, from): &(String, String)) -> Option<Deed> {
    let acts = match ask {
        Ask::Status | Ask::Trunks | Ask::Trunk(_) | Ask::Phones | Ask::Usage | Ask::Queues => false,
        Ask::Schedules
        | Ask::Campaigns
        | Ask::Campaign(_)
        | Ask::CampaignRows(_)
        | Ask::Calls
        | Ask::Call(_)
        | Ask::Ended(_) => false,
        Ask::History(_) | Ask::Analytics(_) | Ask::Webhooks | Ask::WebhookLog(_) | Ask::Events => {
            false
        }
        // Each page of it is asked for; the first one says it.
        Ask::Export(extract) => extract.after.is_none(),
        Ask::Reload(wish) => !wish.dry,
        Ask::Trace(wish) => wish.raw,
        Ask::TestTrunk(_) | Ask::PauseMember(_) | Ask::OrderCampaign(_) | Ask::NoCalls(_) => true,
        Ask::Originate(_) | Ask::HangUp(_) | Ask::Mute(_) | Ask::Oversee(_) | Ask::Record(_) => {
            true
        }
        Ask::Transfer(_) | Ask::Hold(_) | Ask::Say(_) | Ask::Press(_) => true,
        Ask::TestWebhook(_) | Ask::Replay(_) => true,
    };
    let said = json!(ask);
    let what = said.get("ask").and_then(Value::as_str).unwrap_or_default().to_owned();
    let with = said.get("with");
    // Neither the number that is not to be called nor the phone that listens.
    let on = ["id", "name"].iter().find_map(|key| with?.get(key)?.as_str()).map(str::to_owned);
    let on = on.filter(|on| is_plain(on) && !matches!(ask, Ask::Originate(_)));
    acts.then(|| Deed { on, ..begun(who.clone(), from.clone(), what) })
}

/// Whether a text is a name or an identity, and nothing that somebody made up.
pub fn is_plain(text: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"-_".contains(&it);
    (1..=64).contains(&text.len()) && text.bytes().all(is_letter)
}

/// `voxtrunk audit list`: the newest first.
pub fn list(config: &Path, limit: usize, as_json: bool) -> ExitCode {
    let sought = Sought { limit, ..Sought::default() };
    let found = data(config)
        .and_then(|data| Audit::below(&data).find(&sought).map_err(|why| why.to_string()));
    answer(found.map(|entries| {
        for entry in entries {
            if as_json {
                println!("{}", line(&entry));
                continue;
            }
            let deed = &entry.deed;
            let on = deed.on.as_deref().unwrap_or_default();
            println!(
                "{:>6}  {}  {:<18} {:<15} {}  {on}  {}",
                entry.number, deed.at, deed.who, deed.from, deed.what, deed.outcome
            );
        }
    }))
}

/// `voxtrunk audit verify`: whether anybody has changed anything; fails when somebody has.
pub fn verify(config: &Path, as_json: bool) -> ExitCode {
    let verdict =
        data(config).and_then(|data| Audit::below(&data).verify().map_err(|why| why.to_string()));
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(why) => return answer(Err(why)),
    };
    if as_json {
        println!("{}", line(&verdict));
    }
    match &verdict.broken {
        Some(broken) => {
            eprintln!("voxtrunk: {}:{}: {}", broken.file, broken.line, broken.why);
            ExitCode::FAILURE
        }
        None => {
            if !as_json {
                let (count, first) = (verdict.entries, verdict.first);
                println!("{count} lines from number {first} on: all are as they were written");
            }
            ExitCode::SUCCESS
        }
    }
}

/// The folder of the server's data.
fn data(config: &Path) -> Result<PathBuf, String> {
    let environment = |name: &str| std::env::var(name).ok();
    let glance = Glance::at(config, &environment).map_err(|why| why.to_string())?;
    Ok(tidied(&glance.folder().join(glance.data())))
}

fn written(audit: &Audit, deed: &Deed) {
    match audit.note(deed) {
        Ok(0) => {}
        Ok(octets) => {
            tracing::warn!(octets, "the last line of the chronicle was torn, and was cut off");
        }
        Err(why) => tracing::error!(%why, "what somebody did cannot be written down"),
    }
}

/// How a user of the machine is called.
pub fn user(id: u32) -> String {
    format!("uid:{id}")
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
