//! Planted mistakes and what is said about them, word for word; and the examples of the house.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;

use crate::agent::assistant::Assistant;
use crate::base::destination::Destination;
use crate::base::secret::ExposeSecret;
use crate::config::diagnostic::Severity;
use crate::config::external::{External, Fault, FilesOnly};
use crate::config::load::{Loaded, Origin, Request, load};
use crate::config::report::{self, Format};
use crate::config::schema::File;
use crate::config::settings::Server;

mod agents;
mod campaigns;
mod files;
mod flows;
mod machine;
mod money;
mod prices;
mod queues;
mod streams;
mod webhooks;

/// A dialplan with nothing wrong, for tests about the server.
const SOUND: &str =
    "[[route]]\nto = \"agent:front\"\n\n[agents.front]\nfirst_message = \"Hello.\"\n";

/// A server with a language model, for agents that have a prompt.
const MIND: &str =
    "[providers.mind]\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:11434/v1\"\n";

fn environment(name: &str) -> Option<String> {
    match name {
        "KEY" => Some("sk-1234\" # [x]".to_owned()),
        "CALLS" => Some("many-secrets".to_owned()),
        _ => None,
    }
}

fn text(name: &str, text: &str) -> Origin {
    Origin::Text { name: name.to_owned(), text: text.to_owned() }
}

fn loaded(server: &str, dialplan: &str) -> Loaded {
    let loaded = read(server, dialplan);
    agrees(&loaded, server, dialplan);
    loaded
}

fn read(server: &str, dialplan: &str) -> Loaded {
    let request = Request {
        server: Some(text("conf/server.toml", server)),
        dialplans: vec![text("dialplans/main.toml", dialplan)],
        ..Request::default()
    };
    load(&request, &environment, &FilesOnly)
}

/// What can be read fits the schemas for editors, and a key that is not known does not.
fn agrees(loaded: &Loaded, server: &str, dialplan: &str) {
    static VALIDATORS: LazyLock<[jsonschema::Validator; 2]> = LazyLock::new(|| {
        [File::Server, File::Dialplan]
            .map(|file| jsonschema::draft7::new(&file.schema()).expect("a schema"))
    });
    for (validator, text) in VALIDATORS.iter().zip([server, dialplan]) {
        let Ok(value) = toml::from_str::<serde_json::Value>(text) else { continue };
        let wrong: Vec<String> = validator.iter_errors(&value).map(|it| it.to_string()).collect();
        let unread = |it: &&&str| {
            it.starts_with("key.")
                || it.starts_with("value.")
                || it.ends_with(".name")
                || it.ends_with(".schema_invalid")
        };
        let codes = codes(loaded);
        let unread: Vec<_> = codes.iter().filter(unread).collect();
        assert!(wrong.is_empty() || !unread.is_empty(), "{text}\n{wrong:#?}");
    }
}

fn rendered(loaded: &Loaded) -> String {
    report::render(&loaded.diagnostics, &loaded.sources, Format::Plain)
}

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|it| it.code).collect()
}

/// Agent `front` with these lines, and a route to it.
fn agent(lines: &str) -> String {
    format!("[[route]]\nto = \"agent:front\"\n\n[agents.front]\n{lines}\n")
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn mistakes_in_dialplans_are_reported_word_for_word() {
    let cases: &[(&str, String)] = &[
        (
            "route_to_a_missing_agent",
            "[[route]]\ndid  = \"+4971112345\"\nto   = \"agent:recepton\"\n\n[[route]]\nto = \"hangup:404\"\n\n\
             [agents.reception]\nfirst_message = \"Hello.\"\n"
                .to_owned(),
        ),
        (
            "a_shadowed_route",
            "[[route]]\nname = \"all\"\ndid  = \"+4971112345\"\nto   = \"busy\"\n\n[[route]]\n\
             name = \"after hours\"\ndid  = \"+4971112345\"\nto   = \"hangup:404\"\n\n[[route]]\nto = \"busy\"\n"
                .to_owned(),
        ),
        (
            "squads_in_which_somebody_is_missing",
            "[[route]]\nto = \"squad:shop\"\n\n[[route]]\nto = \"squad:shpo\"\n\n[agents.desk]\nfirst_message = \"Hello.\"\n\n\
             [agents.help]\nfirst_message = \"Hello.\"\n\n[agents.lost]\nfirst_message = \"Hello.\"\n\n\
             [squads.shop]\nstart = \"dsk\"\nmembers = [\"desk\", \"help\", \"lost\", \"nobody\"]\n\n\
             [[squads.shop.handoff]]\nfrom = \"desk\"\nto = \"help\"\ncontext = \"last:0\"\n"
                .to_owned(),
        ),
        (
            "ways_in_a_squad_that_lead_nowhere",
            "[[route]]\nto = \"squad:shop\"\n\n[agents.desk]\nfirst_message = \"Hello.\"\n\n\
             [agents.help]\nfirst_message = \"Hello.\"\n\n[agents.lost]\nfirst_message = \"Hello.\"\n\n\
             [squads.shop]\nstart = \"desk\"\nmembers = [\"desk\", \"help\", \"lost\", \"nobody\"]\n\n\
             [[squads.shop.handoff]]\nfrom = \"desk\"\nto = \"help\"\ncontext = \"summary\"\n\n\
             [[squads.shop.handoff]]\nfrom = \"help\"\nto = \"help\"\n\n\
             [[squads.shop.handoff]]\nfrom = \"help\"\nto = \"dsk\"\n"
                .to_owned(),
        ),
        (
            "menus_that_lead_nowhere",
            "[[route]]\nto = \"menu:man\"\n\n[agents.desk]\nfirst_message = \"Hello.\"\n\n\
             [menus.main]\nsay = \"Hello {{ caller }}.\"\n\
             digits = { 1 = \"agent:dsk\", A = \"agent:desk\", 2 = \"echo\" }\n\
             phrases = { 3 = [\"sales\"] }\n\n\
             [menus.circle]\nsay = \"One.\"\ndigits = { 1 = \"menu:circle\" }\ntimeout = { tries = 0 }\n"
                .to_owned(),
        ),
        ("no_default_route", format!("{}[[route]]\ndid = \"1\"\nto = \"busy\"\n", "")),
        (
            "an_unknown_key",
            agent("first_mesage = \"Hello.\"\nfirst_message = \"x\"\n\n[agents.front.turns]\nwiat = \"1s\""),
        ),
        ("a_key_of_a_later_version", "[[route]]\nto = \"busy\"\n\n[conferences.board]\npin = \"1\"\n".to_owned()),
        (
            "conditions_that_hold_for_no_call",
            "[[route]]\nwhen = \"caler.startsWith('+49') && hours.offce\"\nto   = \"busy\"\n\n[[route]]\n\
             tenant = \"acme\"\nwhen   = [\"caller ==\", \"hours.office\"]\nto     = \"hangup:404\"\n\n\
             [hours.office]\nmon-fri = \"08:00-18:00\"\n\n[[route]]\nto = \"busy\"\n"
                .to_owned(),
        ),
        (
            "hours_and_lists_that_are_not_there",
            "[[route]]\ncaller = [\"list:vipp\", \"+49*\"]\nwhen = \"!hours.ofice\"\nto = \"busy\"\n\n[[route]]\nto = \"busy\"\n\n\
             [hours.office]\nmon-fri = \"08:00-18:00\"\n\n[hours.never]\nholidays = \"DE-BW\"\n\n[lists.vip]\nnumbers = \"+4930*\"\n".to_owned(),
        ),
        (
            "hours_that_are_wrong",
            "[[route]]\nwhen = \"office\"\nto = \"busy\"\n\n[hours.office]\nmo = \"08:00-18:00\"\ntue = \"8-18\"\n\
             timezone = \"Berlin\"\nholidays = [\"DE-BW\", \"DE-XX\"]\n\n[lists.vip]\nfile = \"../../vip.csv\"\n".to_owned(),
        ),
        ("a_destination_of_a_later_version", "[[route]]\nto = \"park:sales\"\n".to_owned()),
        ("a_destination_that_is_none", "[[route]]\nto = \"agnet:x\"\n".to_owned()),
        ("a_duration_without_unit", agent("first_message = \"x\"\nturns = { wait = 300 }")),
        ("a_wrong_type", agent("first_message = \"x\"\ntools = \"end_call\"")),
        ("a_pattern_that_ends_before_it_begins", "[[route]]\ndid = [\"101\", \"+49711123450..49\"]\nto = \"busy\"\n".to_owned()),
        (
            "two_syntax_errors_at_once",
            "[[route]]\nto = \"busy\nname = \"x\"\n\n[agents.front\nfirst_message = \"x\"\n".to_owned(),
        ),
        ("an_agent_with_nothing_to_say", agent("language = \"en\"")),
        ("rules_without_intents", agent("first_message = \"x\"\nllm = { provider = \"rules\" }")),
        ("a_voice_that_does_not_speak_the_language", agent("first_message = \"x\"\nlanguage = \"de\"\ntts = { provider = \"flite\" }")),
        ("a_provider_that_cannot_hear", agent("first_message = \"x\"\nstt = { provider = \"flite\" }\nllm = { provider = \"olama\" }")),
        (
            "fallbacks_that_help_nobody",
            agent("first_message = \"x\"\ntts = { provider = \"flite\" }\n\n[agents.front.fallback]\n\
                   stt = [\"flite\"]\ntts = [\"fliet\", \"flite\", { voice = \"slt\" }]\n\
                   after = { first_word = \"1ms\" }"),
        ),
        ("a_tool_that_is_none", agent("first_message = \"x\"\ntools = [\"endcall\", \"transfer_call\"]")),
        (
            "tools_that_cannot_be",
            agent("first_message = \"x\"\ntools = [\"chek_slots\", \"book\", \"now\"]\n\n\
                   [tools.check_slots]\ntype = \"http\"\nurl = \"http://10.0.0.5/{{ args.day }\"\nretry = 9\n\
                   parameters = { day = \"dat\", seats = { type = \"number\", enum = [\"a\"] } }\nresult = \"data\"\n\n\
                   [tools.book]\ntype = \"http\"\nmethod = \"POST\"\nurl = \"https://{{ args.host }}/\"\nretry = 1\n\
                   description = \"Books.\"\nheaders = { Authorization = \"Bearer 4711\" }\n\n\
                   [tools.now]\ntype = \"webhook\"\ndescription = \"x\"\nurl = \"https://a.test/\"\nbody = \"x\"\n\
                   secret = \"sesame\"\n\n[tools.mail]\ntype = \"transfer\"\n\n[tools.old]\ntype = \"htp\"\nurll = \"x\""),
        ),
        (
            "an_action_to_a_missing_transfer",
            agent("intents = [{ id = \"a\", key = \"1\", action = \"transfer_call:sale\" }, { id = \"a\", key = \"1\" }]\n\n\
                   [agents.front.transfers.sales]\nto = \"agent:nobody\""),
        ),
        (
            "transfers_that_nobody_is_asked_about",
            agent("first_message = \"x\"\ntools = [\"transfer_call\"]\n\n\
                   [agents.front.transfers.help]\nto = \"agent:front\"\nmode = \"warm\"\n\n\
                   [agents.front.transfers.boss]\nto = \"sip:a@192.0.2.1\"\nbrief = \"It is {{ number\"\n\n\
                   "),
        ),
        ("a_template_that_does_not_end", agent("first_message = \"Hello {{ name\"")),
        (
            "agents_that_extend_each_other",
            agent("extends = \"back\"\n\n[agents.back]\nextends = \"front\"\nfirst_message = \"x\""),
        ),
        ("an_unset_variable", agent("first_message = \"${env:PROMPT}\"")),
        (
            "ways_out_that_lead_nowhere",
            "[[outbound]]\nnumber = \"+49*\"\ntrunks = [\"carrier\", \"carier\"]\ncontext = \"internal\"\n\n\
             [[outbound]]\nnumber = \"+43*\"\ntrunks = \"carrier\"\n\n\
             [[outbound]]\nnumber = \"+431*\"\ntrunk = \"carrier\"\n\n\
             [[outbound]]\nnumber = \"+4316*\"\ntrunks = \"carrier\"\n\n\
             [[route]]\nto = \"tel:+12125551234\"\n"
                .to_owned(),
        ),
        (
            "ways_inside_that_lead_nowhere",
            "[[outbound]]\nname = \"a\"\n\n[[outbound]]\next = \"_1XX\"\ntrunks = \"carrier\"\n\n\
             [[outbound]]\nto = \"phone:{ext}\"\ntrunks = \"carrier\"\n\n\
             [[outbound]]\nto = \"phone:{ext}\"\ncontext = \"internal\"\n\n\
             [[outbound]]\nto = \"phone:{ext}\"\next = \"_1XX\"\n\n\
             [[outbound]]\nto = \"queue:sales\"\next = \"700\"\ncontext = \"internal\"\n\n\
             [[route]]\nto = \"busy\"\n"
                .to_owned(),
        ),
        (
            "agents_that_do_not_say_what_they_are",
            agent(
                "first_message = \"Hello?\"\ndisclosure = \"none\"\n\n[agents.b]\ndisclosure = \"I am {{ name }}.\"\n\n\
                 [agents.c]\ndisclosure = \"I am Lena.\"\n\n[agents.d]\ndisclosure_reason = \"why?\"\n",
            ),
        ),
        ("a_route_for_a_missing_trunk", "[[route]]\ntrunk = [\"carier\"]\ncontext = \"public\"\nto = \"busy\"\n\n[[route]]\nto = \"busy\"\n".to_owned()),
    ];
    let server = "[trunks.carrier]\nhost = \"192.0.2.1\"\n";
    for (name, dialplan) in cases {
        insta::assert_snapshot!(*name, rendered(&loaded(server, dialplan)));
    }
}

#[test]
fn mails_and_questions_that_cannot_be_are_reported_word_for_word() {
    let server = "[mail]\nhost = \"mail.test:25\"\nfrom = \"nobody\"\ntls = \"none\"\nusername = \"shop\"\n\
                  password = \"sesame\"\n\n[databases.shop]\nurl = \"postgres://shop:x@db.test/shop\"\n\n\
                  [databases.old]\nurl = \"mysql://db.test/shop\"\n";
    let dialplan = "[tools.note]\ntype = \"email\"\ndescription = \"x\"\nto = \"{{ args.to }}\"\ntext = \"{{ args.x\"\n\
                    url = \"https://a.test/\"\nlimit = 99\nretry = 1\n\n\
                    [tools.anyone]\ntype = \"email\"\ndescription = \"x\"\nto = \"{{ args.to }}\"\nsubject = \"x\"\n\
                    text = \"x\"\nrecipients = [\"*\", \"example.com\"]\n\n\
                    [tools.pasted]\ntype = \"sql\"\ndescription = \"x\"\ndatabase = \"shop\"\nrows = 0\n\
                    query = \"SELECT 1 WHERE x = '{{ args.x }}'\"\n\n\
                    [tools.writes]\ntype = \"sql\"\ndescription = \"x\"\ndatabase = \"shp\"\n\
                    query = \"DELETE FROM orders\"\n\n\
                    [tools.unknown]\ntype = \"sql\"\ndescription = \"x\"\ndatabase = \"shop\"\n\
                    query = \"SELECT 1 WHERE x = :ordr AND y = :call.from\"\nparameters = { order = \"string\" }\n\n\
                    [tools.table]\ntype = \"http\"\ndescription = \"x\"\nurl = \"https://a.test/\"\nquery = \"SELECT 1\"\n";
    let dialplan = format!("{}\n\n{dialplan}", agent("first_message = \"x\""));
    insta::assert_snapshot!(
        "mails_and_questions_that_cannot_be",
        rendered(&loaded(server, &dialplan))
    );
    let alone = agent(
        "first_message = \"x\"\n\n[tools.note]\ntype = \"email\"\ndescription = \"x\"\n\
                       to = \"a@b.test\"\nsubject = \"x\"\ntext = \"x\"\n\n[tools.ask]\ntype = \"sql\"\ndescription = \"x\"",
    );
    insta::assert_snapshot!("mails_without_a_server", rendered(&loaded("", &alone)));
}

#[test]
fn detectors_that_are_none_are_reported_word_for_word() {
    let server = "[trunks.carrier]\nhost = \"192.0.2.1\"\n";
    for (name, detector) in
        [("a_detector_that_is_none", "clever"), ("a_detector_of_a_later_version", "stt")]
    {
        let turns = format!("first_message = \"x\"\nturns = {{ detector = \"{detector}\" }}");
        let dialplan = &agent(&turns);
        insta::assert_snapshot!(name, rendered(&loaded(server, dialplan)));
    }
}

#[test]
fn a_tenant_that_is_not_there_and_one_without_calls_are_named() {
    let server = "[trunks.carrier]\nhost = \"192.0.2.1\"\ntenant = \"amce\"\n\n\
                  [tenants.acme]\nlimits = { concurrent_calls = 20 }\n";
    let found = codes(&loaded(server, SOUND));
    assert!(found.contains(&"ref.unknown") && found.contains(&"tenant.unused"), "{found:?}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn mistakes_in_the_settings_are_reported_word_for_word() {
    let cases = [
        ("sdp_would_carry_no_address", "[[sip.listen]]\nbind = \"0.0.0.0:5060\"\n"),
        (
            "ports_that_cannot_work",
            "[sip]\nmax_calls = 50\n[[sip.listen]]\nbind = \"127.0.0.1:20010\"\n[rtp]\nports = \"20001-20020\"\n",
        ),
        ("a_codec_of_a_later_version", "[rtp]\ncodecs = [\"g729\", \"pcam\"]\n"),
        (
            "sockets_that_cannot_be",
            "[[sip.listen]]\ntransport = \"tls\"\nbind = \"127.0.0.1:5061\"\n\n\
             [[sip.listen]]\ntransport = \"wss\"\nbind = \"127.0.0.1:5061\"\ntls = \"publik\"\n\n\
             [[sip.listen]]\ntransport = \"tcp\"\nbind = \"127.0.0.1:5060\"\ntls = \"public\"\n\
             origins = [\"https://phone.example.com\"]\n\n\
             [[sip.listen]]\ntransport = \"ucp\"\nbind = \"127.0.0.1:5060\"\n\n\
             [tls.public]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n",
        ),
        (
            "doors_that_cannot_be",
            "[[sip.listen]]\ntransport = \"tcp\"\nbind = \"127.0.0.1:8080\"\n\n\
             [http]\nbind = \"127.0.0.1:8080\"\ntls = \"publik\"\ncors = [\"*\"]\napi_dox = true\n\
             [http.admin]\nbind = \"0.0.0.0:9090\"\n\n\
             [tls.public]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n",
        ),
        (
            "doors_that_nobody_may_use",
            "[http]\ncors = [\"*\", \"https://a.example/x\"]\npublic_url = \"voice.example.com\"\n\n\
             [security.http]\nwebhooks = { allow_private_networks = true }\n\n\
             [metrics]\nprometheus = \"yes\"\n\n[hep]\ncollector = \"tcp://homer:9060\"\n",
        ),
        (
            "collectors_of_traces_that_cannot_be",
            "[otel]\nendpoint = \"127.0.0.1:4317\"\nprotocol = \"http\"\n",
        ),
        (
            "a_collector_of_traces_in_plain_text",
            "[otel]\nendpoint = \"http://otlp.example.com:4318\"\nsample = 1.5\nservice_name = \" \"\n\
             headers = { authorization = \"Bearer x\", \"x y\" = \"1\" }\n",
        ),
        ("a_collector_of_traces", "[otel]\nendpoint = \"http://[::1]:4317\"\nendpiont = 1\n"),
        ("a_collector_far_away", "[hep]\ncollector = \"udp://8.8.8.8\"\ncapture_ids = 1\n"),
        (
            "three_mistakes_in_one_table",
            "[sip]\nmax_cals = 3\nmax_calls = -1\nexternal_address = \"here\"\n",
        ),
        (
            "an_open_trunk",
            "[trunks.a]\ninbound = { allow = [\"0.0.0.0/0\"] }\n[trunks.b]\nnumbers = [\"+49711*\"]\n",
        ),
        (
            "trunks_that_cannot_prove_themselves",
            "[trunks.a]\ninbound = { auth = { username = \"101\", password = \"\" } }\n\
             [trunks.b]\ninbound = { allow = [\"sip carrier\", \"10.0.0.500\"], auth = { user = \"b\" } }\n\
             [trunks.c]\ncodecs = [\"pcmx\"]\n[phones.101]\npassword = \"${env:KEY}\"\n",
        ),
        (
            "a_network_with_bits_behind_its_prefix",
            "[trunks.a]\ninbound = { allow = [\"10.0.0.5/8\"] }\n",
        ),
        (
            "a_secret_in_plain_text",
            "[providers.cloud]\nkind = \"openai-compatible\"\napi_key = \"sk-123456\"\nbase_url = \"http://api.example.com/v1\"\n",
        ),
        (
            "a_provider_without_kind",
            "[providers.cloud]\nbase_url = \"https://api.example.com/v1\"\n",
        ),
        (
            "interfaces_and_regions_that_nobody_has",
            "[providers.a]\nkind = \"openai\"\napi_key = \"${env:KEY}\"\napi = \"response\"\n\
             [providers.b]\nkind = \"anthropic\"\napi_key = \"${env:KEY}\"\napi = \"chat\"\n\
             region = \"eu\"\n",
        ),
        ("a_wrong_value_from_a_reference", "[sip]\nmax_calls = \"${env:CALLS}\"\n"),
    ];
    for (name, server) in cases {
        insta::assert_snapshot!(name, rendered(&loaded(server, SOUND)));
    }
}

#[test]
fn places_in_two_files_are_both_shown() {
    let request = Request {
        server: None,
        dialplans: vec![
            text("dialplans/a.toml", SOUND),
            text("dialplans/b.toml", "[agents.front]\nfirst_message = \"x\"\n"),
        ],
        ..Request::default()
    };
    insta::assert_snapshot!(rendered(&load(&request, &environment, &FilesOnly)));
}

#[test]
fn json_has_one_object_a_line() {
    let loaded = loaded("", "[[route]]\nto = \"agent:x\"\nnam = \"ü\"\n");
    let text = report::render(&loaded.diagnostics, &loaded.sources, Format::Json);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["code"], "route.unknown_target");
    assert_eq!(lines[0]["severity"], "error");
    let label = &lines[0]["labels"][0];
    assert_eq!(
        (&label["file"], &label["line"], &label["column"], &label["end_column"]),
        (&"dialplans/main.toml".into(), &2.into(), &6.into(), &15.into())
    );
    assert_eq!(lines[1]["code"], "key.unknown");
}

#[test]
fn github_has_one_command_a_line() {
    let server = "[sip]\nmax_cals = 3\n\n[trunks.a]\ninbound = { allow = [\"0.0.0.0/0\"] }\n";
    let loaded =
        loaded(server, "[[route]]\nto = \"agent:x\"\n\n[[route]]\nnam = \"ü\"\nto = \"busy\"\n");
    insta::assert_snapshot!(report::render(&loaded.diagnostics, &loaded.sources, Format::Github));
}

#[test]
fn nothing_at_all_is_a_sound_machine() {
    let loaded = loaded("", SOUND);
    assert_eq!(codes(&loaded), Vec::<&str>::new(), "{}", rendered(&loaded));
    assert_eq!(loaded.server.sip.listen[0].bind.to_string(), "127.0.0.1:5060");
    assert_eq!(loaded.plan.routes[0].to, [Destination::Agent("front".to_owned())]);
    assert_eq!(loaded.agents["front"].language.as_ref().map(|it| it.tag()), Some("en"));
}

#[test]
fn a_value_from_the_environment_cannot_break_the_file_and_is_never_shown() {
    let server = "[providers.cloud]\nkind = \"openai-compatible\"\napi_key = \"${env:KEY}\"\n\
                  base_url = \"https://api.example.com/v1\"\n[storage]\ncalls = \"${data_dir}/c\"\n\
                  [server]\ndata_dir = \"/d\"\n";
    let dialplan = agent("prompt = \"costs 5 $$\"\nllm = { provider = \"cloud\" }");
    let loaded = loaded(server, &dialplan);
    assert_eq!(codes(&loaded), Vec::<&str>::new(), "{}", rendered(&loaded));
    let key = loaded.server.providers["cloud"].api_key.as_ref().expect("a key");
    assert_eq!(key.expose_secret(), "sk-1234\" # [x]");
    assert_eq!(loaded.server.calls_folder(), Path::new("/d/c"));
    assert_eq!(loaded.agents["front"].prompt.as_deref(), Some("costs 5 $"));
    assert!(!format!("{loaded:?}").contains("sk-1234"));
}

#[test]
fn required_references_make_a_plain_secret_an_error() {
    let server = "[security]\nrequire_secret_refs = true\n[providers.cloud]\nkind = \"openai-compatible\"\n\
                  api_key = \"sk-1\"\nbase_url = \"https://api.example.com/v1\"\n";
    let loaded = loaded(server, &agent("prompt = \"x\"\nllm = { provider = \"cloud\" }"));
    assert_eq!(codes(&loaded), ["secret.plaintext"]);
    assert!(loaded.has_errors());
    assert!(!rendered(&loaded).contains("sk-1"));
    assert!(!format!("{loaded:?}").contains("sk-1"));
}

#[test]
fn one_bad_table_does_not_hide_the_next() {
    let loaded = loaded(
        "[sip]\nmax_cals = 1\n[rtp]\nports = 5\n",
        "[[route]]\nto = \"nowhere\"\n[[route]]\nto = \"agent:x\"\n[agents.x]\nprompt = 1\n[agents.y]\nprompt = 2\n",
    );
    assert_eq!(
        codes(&loaded),
        ["key.unknown", "value.type", "value.invalid", "value.type", "value.type"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_damage_to_a_file_makes_it_panic(
        at in 0usize..6_000, length in 0usize..40, other in r#"[\[\]{}="'#$,.\n a1é-]{0,6}"#,
    ) {
        for (name, example) in [("server", SERVER), ("dialplan", DIALPLAN)] {
            let at = example.floor_char_boundary(at % example.len());
            let end = example.ceil_char_boundary((at + length).min(example.len()));
            let damaged = format!("{}{other}{}", &example[..at], &example[end..]);
            let loaded = match name {
                "server" => read(&damaged, SOUND),
                _ => read("", &damaged),
            };
            rendered(&loaded);
            report::render(&loaded.diagnostics, &loaded.sources, Format::Json);
        }
    }
}

const SERVER: &str = include_str!("../../conf/server.toml");
const DIALPLAN: &str = include_str!("../../dialplans/main.toml");

#[test]
fn what_other_rooms_find_is_shown_at_its_place() {
    struct Dictionary;
    impl External for Dictionary {
        fn agent(&self, _: &Assistant, _: &str, _: &Server) -> Vec<Fault> {
            let fault = Fault::warning(
                "intent.unknown_word",
                "intents[0].phrases[1]",
                "`xylo` is not in the dictionary",
            );
            vec![Fault { within: Some(2..6), ..fault }]
        }
        fn machine(&self, _: &Server) -> Vec<Fault> {
            vec![Fault::error("model.missing", "media.vad.model", "the model is not there")]
        }
    }
    let dialplan = agent("intents = [{ id = \"a\", phrases = [\"b\", \"a xylo\"] }]");
    let dialplans = vec![text("dialplans/main.toml", &dialplan)];
    let request = Request { dialplans, ..Request::default() };
    let loaded = load(&request, &environment, &Dictionary);
    assert_eq!(codes(&loaded), ["model.missing", "intent.unknown_word"]);
    assert!(loaded.diagnostics[0].labels.is_empty());
    let label = &loaded.diagnostics[1].labels[0];
    assert_eq!(loaded.sources.slice(&label.span), Some("xylo"));
}

#[test]
fn the_examples_of_the_house_have_nothing_wrong() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let no_key = |_: &str| Some("a key for the test".to_owned());
    let sound = |paths: &[PathBuf]| {
        let loaded = load(&report::request(paths), &no_key, &FilesOnly);
        let errors = loaded.diagnostics.iter().filter(|it| it.severity == Severity::Error).count();
        assert_eq!(errors, 0, "{paths:?}\n{}", rendered(&loaded));
        loaded
    };
    for entry in fs::read_dir(house.join("conf")).expect("conf/") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|it| it == "toml") {
            sound(&[path]);
        }
    }
    let main = sound(&[house.join("conf/server.toml"), house.join("dialplans/main.toml")]);
    assert!(main.diagnostics.is_empty(), "{}", rendered(&main));
    assert!(main.server.sip.listen.iter().all(|listen| listen.bind.ip().is_loopback()));
    let demo = house.join("dialplans/demo");
    if demo.is_dir() {
        sound(&[demo]);
    }
}

#[test]
fn numbers_that_do_not_say_their_country_are_named() {
    let server = |lines: &str| format!("[trunks.carrier]\nhost = \"192.0.2.1\"\n{lines}");
    let found = |lines: &str| codes(&loaded(&server(lines), SOUND));
    assert_eq!(found("caller_id = \"+4971112345\"\n"), [""; 0]);
    assert_eq!(found("caller_id = \"101\"\n"), [""; 0]);
    assert_eq!(found("caller_id = \"anonymous\"\n"), [""; 0]);
    assert_eq!(found("caller_id = \"0711 12345\"\n"), ["number.not_e164"]);
    assert_eq!(found("outbound = { caller_id = \"4971112345\" }\n"), ["number.not_e164"]);
    let phone = "[phones.101]\npassword = \"${env:KEY}\"\ncaller_id = \"071112345\"\n";
    assert_eq!(found(phone), ["number.not_e164"]);
    let allow = |pattern: &str| found(&format!("[security.outbound]\nallow = [{pattern:?}]\n"));
    for (pattern, told) in [("+4420*", 0), ("_+49X.", 0), ("004971112345", 0), ("0049*", 1)] {
        assert_eq!(allow(pattern).len(), told, "{pattern}");
    }
    let dialplan = format!(
        "[[outbound]]\nnumber = [\"+49*\", \"0043*\"]\ntrunks = \"carrier\"\ncaller_id = \"071112345\"\n\n{SOUND}"
    );
    insta::assert_snapshot!(rendered(&loaded(&server(""), &dialplan)));
}

#[test]
fn who_records_tells_it_or_says_that_it_is_known() {
    let codes = |lines: &str| codes(&loaded("", &agent(lines)));
    let hello = "first_message = \"Hello.\"\nrecord = true";
    assert_eq!(codes(hello), ["recording.no_consent"]);
    for sound in
        ["record_consent = \"announce\"", "record_consent = \"dtmf\"", "record_consent = \"none\""]
    {
        assert_eq!(codes(&format!("{hello}\n{sound}")), [""; 0], "{sound}");
    }
    assert_eq!(codes("first_message = \"This call is recorded.\"\nrecord = true"), [""; 0]);
    assert_eq!(
        codes("first_message = \"x\"\nrecord_notice = \"On tape.\""),
        ["recording.no_consent"]
    );
    let by_route = |record: &str| {
        let dialplan = format!(
            "[[route]]\nrecord = true\nto = \"agent:front\"\n\n[agents.front]\nfirst_message = \"x\"\n{record}"
        );
        loaded("", &dialplan)
    };
    insta::assert_snapshot!(rendered(&by_route("")));
    assert_eq!(self::codes(&by_route("record_consent = \"announce\"\n")), [""; 0]);
    // What is inherited is told once.
    let heir = format!("{hello}\n\n[agents.heir]\nextends = \"front\"");
    assert_eq!(codes(&heir), ["recording.no_consent"]);
}

#[test]
fn models_and_voices_of_another_language_are_named() {
    let server =
        "[providers.cloud]\nkind = \"azure\"\nregion = \"westeurope\"\napi_key = \"${env:KEY}\"\n";
    let of = |lines: &str| {
        let lines = format!("first_message = \"x\"\nlanguage = \"de-AT\"\n{lines}");
        loaded(server, &agent(&lines))
    };
    let voice = |voice: &str| of(&format!("tts = {{ provider = \"cloud\", voice = {voice:?} }}"));
    assert_eq!(codes(&voice("de-DE-KatjaNeural")), [""; 0]);
    assert_eq!(codes(&voice("en-US-AvaMultilingualNeural")), [""; 0]);
    insta::assert_snapshot!(rendered(&voice("en-US-JennyNeural")));
    let heard = of("stt = { provider = \"whisper\", model = \"whisper-base.en\" }");
    assert!(codes(&heard).contains(&"agent.language_hearing_mismatch"), "{}", rendered(&heard));
}
