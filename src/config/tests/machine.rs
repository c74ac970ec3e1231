//! Trunks, phones, recordings and providers of the machine.

use super::*;

#[test]
fn a_preset_fills_in_what_the_trunk_does_not_say() {
    let server = "[trunks.home]\npreset = \"fritzbox\"\nusername = \"voxtrunk\"\n\
                  password = \"${env:KEY}\"\nexpires = \"120s\"\n\n\
                  [trunks.home.inbound]\nallow = [\"192.168.178.1\"]\n";
    let loaded = loaded(server, SOUND);
    assert_eq!(codes(&loaded), [] as [&str; 0], "{}", rendered(&loaded));
    let home = &loaded.server.trunks["home"];
    assert_eq!(home.host.as_deref(), Some("fritz.box"));
    assert_eq!(home.expires, Some(std::time::Duration::from_secs(120)));
    assert!(home.registers() && home.inbound.allow.len() == 1);
}

#[test]
fn mistakes_in_accounts_are_found() {
    let cases = [
        ("preset = \"sipgat\"\ninbound = { allow = [\"192.0.2.1\"] }", "preset.unknown"),
        ("preset = \"sipgate\"\nusername = \"us\"", "trunk.missing_password"),
        ("preset = \"sipgate\"", "trunk.incomplete"),
        ("register = true\nusername = \"u\"\npassword = \"${env:KEY}\"", "trunk.incomplete"),
        ("host = \"h\"\nusername = \"u\"\npassword = \"plain\"", "secret.plaintext"),
        ("host = \"192.0.2.1\"\nfailover = \"nobody\"", "ref.unknown"),
        ("host = \"carrier.example\"", "trunk.no_source"),
        ("host = \"192.0.2.1\"\nnumber_format = \"E164\"", "value.unknown"),
    ];
    for (lines, code) in cases {
        let loaded = loaded(&format!("[trunks.carrier]\n{lines}\n"), SOUND);
        assert_eq!(codes(&loaded), [code], "{lines}\n{}", rendered(&loaded));
    }
    let loaded = loaded("[trunks.x]\npreset = \"sipgat\"\n", SOUND);
    assert!(rendered(&loaded).contains("did you mean \"sipgate\"?"), "{}", rendered(&loaded));
}

#[test]
fn phones_and_what_is_let_out_are_checked() {
    let codes_of = |server: &str| codes(&loaded(server, SOUND));
    let secret = "password = \"${env:KEY}\"\n";
    assert_eq!(codes_of(&format!("[phones.101]\n{secret}")), [""; 0]);
    assert_eq!(codes_of("[phones.101]\nname = \"Anna\"\n"), ["phone.no_password"]);
    assert_eq!(codes_of("[phones.101]\npassword = \"x\"\n"), ["secret.plaintext"]);
    let open = format!("[phones.101]\n{secret}networks = [\"0.0.0.0/0\"]\n");
    assert_eq!(codes_of(&open), ["phone.open"]);
    let group = format!("[phones.101]\n{secret}[groups.all]\nmembers = [\"phone:102\"]\n");
    assert_eq!(codes_of(&group), ["route.unknown_target"]);
    for key in ["allow = [\"*\"]", "emergency = \"allow\""] {
        let opened = format!("[security.outbound]\n{key}\n");
        assert_eq!(codes_of(&opened), ["security.outbound_open"], "{key}");
    }
    assert_eq!(codes_of("[sip.registrar]\nmin_expires = \"2h\"\n"), ["value.range"]);
    let server = format!("[phones.101]\n{secret}context = \"internal\"\n");
    let plan = "[[route]]\ncontext = \"internal\"\nto = \"phone:102\"\n";
    assert_eq!(codes(&loaded(&server, &format!("{plan}{SOUND}"))), ["route.unknown_target"]);
}

#[test]
fn recordings_that_could_not_be_written_or_brought_are_found() {
    let found = |text: &str| codes(&loaded(&format!("[storage.recordings]\n{text}"), SOUND));
    let key = "5a".repeat(32);
    assert_eq!(found(&format!("format = \"opus\"\nencrypt = {key:?}")), ["secret.plaintext"]);
    assert_eq!(found("encrypt = \"${env:CALLS}\""), ["recordings.key"]);
    assert_eq!(found("format = \"mp3\"").len(), 1);
    assert_eq!(found("retention = \"90d\""), [] as [&str; 0]);
    assert_eq!(found("retention = \"30m\""), ["value.range"]);
    assert_eq!(found("retention = 90"), ["value.unit"]);
    assert_eq!(found("location = \"s3://calls/x\""), ["recordings.store"; 3]);
    let store = |endpoint: &str| {
        format!(
            "location = \"s3://calls/x\"\n[storage.recordings.s3]\nendpoint = {endpoint:?}\n\
             access_key = \"${{env:CALLS}}\"\nsecret_key = \"${{env:KEY}}\""
        )
    };
    assert_eq!(found(&store("https://s3.example")), [] as [&str; 0]);
    assert_eq!(found(&store("http://127.0.0.1:9000")), [] as [&str; 0]);
    assert_eq!(found(&store("http://s3.example")), ["recordings.plain_http"]);
    assert_eq!(found(&store("s3.example/bucket")), ["value.invalid"]);
    let kept = format!("retention = \"90d\"\n{}", store("https://s3.example"));
    assert_eq!(found(&kept), ["recordings.retention"]);
    let unused = "[storage.recordings.s3]\nsecret_key = \"${env:KEY}\"";
    assert_eq!(codes(&loaded(unused, SOUND)), ["recordings.no_bucket"]);
}

#[test]
fn times_that_nobody_keeps_are_out_of_range() {
    let found = |lines: &str| codes(&loaded(lines, SOUND));
    for ptime in ["5ms", "80ms"] {
        assert_eq!(found(&format!("[rtp]\nptime = {ptime:?}\n")), ["value.range"], "{ptime}");
    }
    assert_eq!(found("[rtp]\nptime = \"60ms\"\n"), [""; 0]);
    for jitter in ["max = \"10ms\"", "max = \"1s\"", "min = \"250ms\""] {
        assert_eq!(
            found(&format!("[rtp]\njitter = {{ {jitter} }}\n")),
            ["value.range"],
            "{jitter}"
        );
    }
    let usual = "[rtp]\njitter = { min = \"40ms\", max = \"200ms\" }\n";
    assert_eq!(found(usual), [""; 0]);
    assert_eq!(found("[sip]\nsession_expires = \"60s\"\n"), ["value.range"]);
}

#[test]
fn who_hears_and_speaks_in_one_leaves_nothing_for_ears_and_mind() {
    let server = "[providers.duo]\nkind = \"openai\"\napi_key = \"${env:KEY}\"\n\
                  [providers.mind]\nkind = \"anthropic\"\napi_key = \"${env:KEY}\"\n";
    let codes = |lines: &str| {
        let all = format!("prompt = \"You help.\"\n{lines}");
        codes(&loaded(server, &agent(&all)))
    };
    let duo = "realtime = { provider = \"duo\", model = \"gpt-realtime-2\", voice = \"marin\" }\n";
    let wrong = |more: &str| {
        let found = codes(&format!("{duo}{more}"));
        found.into_iter().filter(|code| code.starts_with("agent.realtime")).count()
    };
    assert_eq!(wrong(""), 0);
    assert_eq!(
        wrong("tts = { provider = \"flite\" }\n"),
        0,
        "fixed lines may have their own voice"
    );
    assert_eq!(wrong("fallback = { llm = [{ provider = \"mind\" }] }\n"), 0);
    assert_eq!(wrong("stt = { provider = \"pocketsphinx\" }\nllm = { provider = \"mind\" }\n"), 2);
    assert!(codes("realtime = { voice = \"marin\" }\n").contains(&"agent.realtime_provider"));
    assert!(codes("realtime = { provider = \"mind\" }\n").contains(&"provider.capability"));
    assert!(codes("realtime = { provider = \"duos\" }\n").contains(&"provider.unknown"));
}
