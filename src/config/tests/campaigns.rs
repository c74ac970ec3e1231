//! Tests of campaigns as they stand in the files.

use super::files::Folder;
use super::*;

const DIALPLAN: &str = r#"
[[route]]
to = "agent:caller"

[agents.caller]
first_message = "Hello."

[campaigns.good]
csv  = "people.csv"
to   = "agent:caller"
dnc  = ["list:robinson", "+49900*"]
amd  = true

[lists.robinson]
numbers = ["+4971112345"]

[campaigns.column]
csv    = "people.csv"
number = "phone"
to     = "agent:caller"

[campaigns.gone]
csv   = "gone.csv"
to    = "agent:calller"
trunk = "carrier"
dnc   = "list:robin"

[campaigns.never]
csv         = "people.csv"
to          = "voicemail:office"
hours       = { timezone = "Europe/Berlin" }
start       = "2026-12-01 09:00"
stop        = "2026-12-01 08:00"
concurrency = 0
ring        = "1s"
retry.busy  = { count = 0 }
amd         = { machine = "continue", message = "Hello {{ name" }
"#;

#[test]
fn campaigns_that_call_nobody_are_reported_and_the_others_are_not() {
    let people = "number,name\n+4971112345,Anna\n";
    let files = [("dialplans/main.toml", DIALPLAN), ("dialplans/people.csv", people)];
    let folder = Folder::new("campaigns", &[&files[..], &[("conf/server.toml", "")]].concat());
    let request = report::request(&[folder.path().join("conf")]);
    let loaded = load(&request, &environment, &FilesOnly);
    let text = rendered(&loaded);
    let mut found: Vec<&str> =
        codes(&loaded).into_iter().filter(|it| *it != "agent.no_prompt").collect();
    found.sort_unstable();
    let wanted = [
        "campaign.amd",
        "campaign.column",
        "campaign.csv",
        "campaign.never_open",
        "campaign.never_open",
        "ref.unknown",
        "ref.unknown",
        "route.unknown_target",
        "route.unknown_target",
        "template.syntax",
        "value.range",
        "value.range",
        "value.range",
    ];
    assert_eq!(found, wanted, "{text}");
    for words in [
        "there is no column `phone`, only: number, name",
        "`gone.csv` cannot be read: it does not exist",
        "did you mean `agent:caller`?",
        "did you mean `list:robinson`?",
        "campaign `never` never calls anybody",
        "campaign `never` is over before it begins",
        "nobody leaves a message where `machine = \"continue\"`",
    ] {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
    let good = loaded.campaigns.get("good").expect("it is there");
    assert!(good.csv_path.ends_with("dialplans/people.csv"));
    assert!(good.dnc.iter().any(|it| it.matches("+4971112345")), "the list is known");
}

#[test]
fn schedules_that_begin_nothing_are_reported_word_by_word() {
    let dialplan = r#"
[[route]]
to = "agent:caller"

[agents.caller]
first_message = "Hello."
prompt        = "Be kind."

[schedules.good]
cron = "0 9 * * mon-fri"
call = ["phone:101", "+4971112345"]
to   = "agent:caller"

[schedules.never]
cron = "0 0 30 2 *"
call = "agent:caller"
to   = "agent:calller"

[schedules.nobody]
cron = "@daily"

[schedules.both]
cron     = "@daily"
call     = "+4971112345"
campaign = "sping"

[schedules.broken]
cron = "0 9 * * *  *"
call = "+4971112345"
to   = "agent:caller"
"#;
    let settings = format!("{MIND}[phones.101]\npassword = \"secret\"\n");
    let loaded = loaded(&settings, dialplan);
    let mut found = codes(&loaded);
    found.retain(|code| {
        code.starts_with("schedule")
            || *code == "value.invalid"
            || *code == "ref.unknown"
            || *code == "route.unknown_target"
    });
    found.sort_unstable();
    let wanted = [
        "ref.unknown",
        "route.unknown_target",
        "schedule.both",
        "schedule.call",
        "schedule.never",
        "schedule.nobody",
        "schedule.to",
        "value.invalid",
    ];
    assert_eq!(found, wanted, "{}", rendered(&loaded));
    assert_eq!(loaded.schedules.len(), 4);
}
