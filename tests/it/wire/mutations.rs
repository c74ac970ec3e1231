//! Files in which something went wrong: 200 sets of them, each read by `voxtrunk check` and by a
//! running server. Both say the same, nothing is ever half changed, and every mistake has a place.

use std::path::Path;

use voxtrunk::base::random::Random;
use voxtrunk::config::diagnostic::Severity;
use voxtrunk::config::load::load;
use voxtrunk::config::report;
use voxtrunk::server::console::client::{Client, ClientError};
use voxtrunk::server::control::protocol::{Ask, FaultCode, Reload};
use voxtrunk::server::inspection::Inspection;

use super::datagrams::Wire;
use super::server::{House, SOURCE, Server};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sets_of_broken_files_change_nothing_by_half() {
    let server = Server::start(House::with(DIALPLAN).and(SETTINGS)).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let conf = server.folder.path("conf/server.toml");
    let settings = std::fs::read_to_string(&conf).expect("the settings");
    // Where the files lie is elsewhere each time: what is done to them is the same everywhere.
    let folder = server.folder.path("").display().to_string();
    let known = [(SOURCE, "SOURCE"), (folder.trim_end_matches('/'), "FOLDER")];
    let plain = known.iter().fold(settings.clone(), |text, (path, word)| text.replace(path, word));
    let mut random = Random::repeatable(0x5e7);
    let (mut refused, mut taken) = (0, 0);
    for round in 0..200 {
        let of_settings = random.u32().is_multiple_of(4);
        let whole = if of_settings { &plain } else { DIALPLAN };
        let (mutated, how) = mutate(whole, &mut random);
        let mutated = known.iter().fold(mutated, |text, (path, word)| text.replace(word, path));
        let (name, sound) = match of_settings {
            true => ("conf/server.toml", settings.as_str()),
            false => ("dialplans/test.toml", DIALPLAN),
        };
        server.folder.put(name, &mutated);
        let offline = verdict(&conf);
        let online = reload(&server);
        match (&offline, &online) {
            (Err(why), Err(told)) => {
                refused += 1;
                // Where nothing is written any more there is no place either.
                let is_bare = mutated.trim().is_empty();
                let why: Vec<_> =
                    why.iter().filter(|it| !(is_bare && **it == "model.missing")).collect();
                assert!(
                    is_bare || told.contains("toml:"),
                    "round {round} ({how}) has no place: {told}\n{mutated}"
                );
                assert!(why.is_empty(), "round {round} ({how}): {why:?}\n{mutated}");
                assert_eq!(wire.status_for("nobody", "wire").await, "480", "round {round} ({how})");
            }
            (Ok(()), Ok(())) => taken += 1,
            _ => panic!("round {round} ({how}): {offline:?} and {online:?}\n{mutated}"),
        }
        server.folder.put(name, sound);
        assert_eq!(reload(&server), Ok(()), "round {round} ({how})");
    }
    assert!(refused > 80 && taken > 10, "{refused} refused, {taken} taken");
    assert_eq!(wire.status_for("nobody", "wire").await, "480");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// What `voxtrunk check` says: the codes of mistakes that have no place, when there are mistakes.
fn verdict(conf: &Path) -> Result<(), Vec<&'static str>> {
    let environment = |name: &str| std::env::var(name).ok();
    let loaded = load(&report::request(&[conf.to_owned()]), &environment, &Inspection);
    if !loaded.has_errors() {
        return Ok(());
    }
    let errors = loaded.diagnostics.iter().filter(|it| it.severity == Severity::Error);
    Err(errors.filter(|it| it.labels.is_empty()).map(|it| it.code).collect())
}

/// What the running server says.
fn reload(server: &Server) -> Result<(), String> {
    let mut client = Client::connect(&server.folder.path("data/control.sock")).expect("it runs");
    match client.ask(Ask::Reload(Reload::default())) {
        Ok(_) => Ok(()),
        Err(ClientError::Refused(fault)) if fault.code == FaultCode::Invalid => Err(fault.message),
        Err(why) => panic!("{why}\n{}", server.log()),
    }
}

/// Does one thing to a text that a hand might do; tells what.
fn mutate(text: &str, random: &mut Random) -> (String, &'static str) {
    let lines: Vec<&str> = text.lines().collect();
    let mut pick = |count: usize| random.u32() as usize % count.max(1);
    let at = pick(lines.len());
    let swapped = |at: usize, line: &str| {
        let mut lines: Vec<&str> = lines.clone();
        lines[at] = line;
        lines.join("\n")
    };
    let line = lines[at];
    match pick(9) {
        0 => (swapped(at, ""), "a line is gone"),
        1 => (swapped(at, &format!("{line}\n{line}")), "a line stands twice"),
        2 => {
            let cut = line.char_indices().nth(pick(line.chars().count())).map_or(0, |it| it.0);
            (swapped(at, &line[..cut]), "a line is cut")
        }
        3 => (swapped(at, &line.replacen('e', "ee", 1)), "a letter too many"),
        4 => (swapped(at, &line.replacen('"', "", 1)), "a quote is gone"),
        5 => {
            let value = ["5", "true", "\"\"", "[]", "{}", "\"5\"", "1.5", "\"\u{1f600}\""][pick(8)];
            match line.split_once('=') {
                Some((key, _)) => (swapped(at, &format!("{key}= {value}")), "another type"),
                None => (swapped(at, value), "a value alone"),
            }
        }
        6 => {
            let other = pick(lines.len());
            let mut lines = lines.clone();
            lines.swap(at, other);
            (lines.join("\n"), "two lines have changed places")
        }
        7 => {
            let letter = char::from(32 + pick(95) as u8);
            let place = pick(line.chars().count() + 1);
            let place = line.char_indices().nth(place).map_or(line.len(), |it| it.0);
            (
                swapped(at, &format!("{}{letter}{}", &line[..place], &line[place..])),
                "a stray letter",
            )
        }
        _ => {
            let end = text.char_indices().nth(pick(text.chars().count())).map_or(0, |it| it.0);
            (text[..end].to_owned(), "the end is gone")
        }
    }
}

const SETTINGS: &str = r#"
[providers.mind]
kind = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
model = "none"
timeout = "5s"

[media.vad]
threshold = 0.5
min_silence = "160ms"

[tenants.acme]
numbers = ["+49711*"]
limits = { concurrent_calls = 20 }
"#;

const DIALPLAN: &str = r#"
[hours.office]
timezone = "Europe/Berlin"
mon-fri = "08:00-18:00"
holidays = ["DE-BW"]
closed = ["2026-12-24"]

[lists.blocked]
numbers = ["+4930*", "+49711123450..99"]

[[route]]
name = "blocked"
caller = "list:blocked"
to = "reject:603"

[[route]]
name = "office"
did = ["+4971112345", "office"]
when = "hours.office"
to = "agent:reception"
set = { tier = "gold" }

[[route]]
name = "silver"
did = "+4971112345"
header.X-Tier = "silver*"
when = "!hours.office || caller.startsWith('+44')"
to = "agent:night"
else = "busy"

[[route]]
name = "others"
to = "reject:480"

[defaults.agent]
language = "en"

[agents.reception]
first_message = "Hello, {{ tier }}."
tools = ["end_call", "transfer_call"]

[agents.reception.turns]
wait = "300ms"
max_wait = "1500ms"

[agents.reception.fallback]
tries = 2
to = "sales"

[agents.reception.transfers.sales]
to = "sip:sales@127.0.0.1:9"
description = "Somebody who sells."

[[agents.reception.intents]]
id = "hours"
phrases = ["when are you open", "[the] opening hours"]
key = "1"
label = "opening hours"
say = ["From eight to six.", "Until six."]

[[agents.reception.intents]]
id = "sales"
phrases = ["(sales|buy something)"]
key = "2"
say = "One moment."
action = "transfer_call:sales"

[agents.night]
extends = "reception"
first_message = "We are closed."
"#;
