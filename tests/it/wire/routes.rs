//! Who is let through, and when: opening hours, holidays and lists of numbers in the running
//! server, and what `voxtrunk route test` says of the same files.

use std::time::Duration;

use serde_json::json;

use super::caller::call;
use super::datagrams::Wire;
use super::server::{Folder, House, Server, finish, program};

/// Each door by its hours: one is always open, one never, one only by a day of its own.
const DIALPLAN: &str = r#"
[hours.always]
timezone = "Europe/Berlin"
mon-sun = "00:00-24:00"

[hours.never]
timezone = "Europe/Berlin"
closed   = ["2026-12-24"]

[lists.blocked]
numbers = ["+4930*"]
file    = "blocked.csv"

[[route]]
name   = "blocked"
caller = "list:blocked"
to     = "reject:603"

[[route]]
name = "gold"
did  = "always"
header.X-Tier = "gold*"
to   = "reject:486"

[[route]]
name = "nobody, in time"
did  = "always"
when = "hours.always && anonymous && sip.header['X-Tier'] == 'silver'"
to   = "reject:488"

[[route]]
name = "never"
did  = ["always", "never"]
when = "hours.never"
to   = "busy"

[[route]]
name = "open"
did  = "always"
when = "hours.always"
to   = "reject:480"

[[route]]
name = "closed"
did  = "never"
when = "!hours.never"
to   = "reject:410"

[[route]]
name = "everything else"
to   = "hangup:404"
"#;

/// A server with the dialplan above and its list.
async fn doors() -> Server {
    let folder = Folder::new();
    folder.put("dialplans/blocked.csv", "number,why\n+49 171 555 0199,rude\n");
    Server::start_in(folder, House::with(DIALPLAN)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_by_the_clock_and_by_lists() {
    let server = doors().await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    for (extension, caller, expected) in [
        ("always", "+49711222333", "480"),
        ("never", "+49711222333", "410"),
        ("always", "+4930123456", "603"),
        ("never", "+491715550199", "603"),
        ("other", "+49711222333", "404"),
    ] {
        assert_eq!(wire.status_for(extension, caller).await, expected, "{extension} by {caller}");
    }
    for (caller, tier, expected) in [
        ("+49711222333", "gold-plus", "486"),
        ("+49711222333", "silver", "480"),
        ("anonymous", "silver", "488"),
        ("anonymous", "bronze", "480"),
    ] {
        let status = wire.status_with("always", caller, &format!("X-Tier: {tier}\r\n")).await;
        assert_eq!(status, expected, "{tier} by {caller}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_which_route_takes_a_call_and_why() {
    let folder = Folder::new();
    folder.put("dialplans/blocked.csv", "+491715550199\n");
    let always = "mon-sun = \"00:00-24:00\"";
    let office = "mon-fri = \"08:00-18:00\"\nholidays = [\"DE-BW\"]\nclosed = [\"2026-12-24\"]";
    assert!(DIALPLAN.contains(always));
    let house = House::with(&DIALPLAN.replace(always, office));
    let config = house.write(&folder);
    let test = async |arguments: &[&str]| {
        let mut command = program();
        // Where the machine stands that the command runs on.
        command.env("TZ", "Europe/Berlin");
        command.args(["route", "test", "--config"]).arg(&config).args(arguments);
        finish(command).await
    };
    let to_open = ["--to", "always", "--from", "0711 222333", "--at"];
    for (at, taken, why) in [
        ("2026-12-23 09:00", "reject:480", "when ✓ hours.always (open: 08:00-18:00)"),
        ("2026-12-23 18:00", "hangup:404", "(closed: outside of 08:00-18:00)"),
        ("2026-12-24 09:00", "hangup:404", "(closed date 2026-12-24)"),
        ("2027-01-06 09:00", "hangup:404", "public holiday Heilige Drei Könige (DE-BW)"),
    ] {
        let (code, said) = test(&[&to_open[..], &[at]].concat()).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(&format!("→ {taken}\n")) && said.contains(why), "{at}: {said}");
        assert!(said.contains("0711 222333 → +49711222333"), "{said}");
    }
    let (code, said) = test(&["--to", "never", "--from", "0171 5550199", "--json"]).await;
    let told: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &told["taken"]["to"]), (Some(0), &"reject:603".into()), "{said}");
    let gold = ["--to", "always", "--at", "2026-12-23 09:00", "--header", "X-Tier: gold"];
    let (code, said) = test(&gold).await;
    assert!(code == Some(0) && said.contains("→ reject:486\n"), "{said}");
    assert!(said.contains("header ✓ X-Tier: gold*"), "{said}");
    let (code, said) = test(&["--to", "1", "--at", "tomorrow"]).await;
    assert!(code == Some(2) && said.contains("2026-12-24 18:00"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn by_weights_one_of_several_agents_takes_the_call_and_always_the_same() {
    let dialplan = r#"
[[route]]
did     = "901"
to      = ["agent:one", "agent:two"]
weights = [0, 3]

[[route]]
to      = ["agent:one", "agent:two"]
weights = [50, 50]

[agents.one]
first_message = "One."
tts = { provider = "flite", voice = "slt" }

[agents.two]
first_message = "Two."
tts = { provider = "flite", voice = "slt" }
"#;
    let server = Server::start(House::with(dialplan)).await;
    for _ in 0..2 {
        for number in ["901", "902"] {
            call(&server.uri(number), Vec::new(), Duration::from_secs(1)).await;
        }
    }
    let sure = server.records_of("901", 2).await;
    assert!(sure.iter().all(|record| record["agents"] == json!(["two"])), "{sure:#?}");
    // Whoever calls again comes to the same one.
    let same = server.records_of("902", 2).await;
    assert_eq!(same[0]["agents"], same[1]["agents"]);
}
