//! Mails that agents send, received by a real mail server.

use voxtrunk::engine::phone::Line;

use super::certificates::Authority;
use super::post::{PASSWORD, PostOffice};
use super::server::{Folder, House, finish, program, said};
use super::tools::{Stage, agent, providers, request, results, uses};
use crate::fakes::chat_server::{Behaviour, ChatServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mail_of_an_agent_reaches_a_real_server_and_no_value_adds_to_its_head() {
    let folder = Folder::new();
    let authority = Authority::write(&folder);
    let office = PostOffice::open(&authority).await;
    let hostile = "{\"topic\": \"bell\\r\\nBcc: all@b.test\\r\\n\\r\\nx\", \
                   \"text\": \"It is silent.\\r\\n.\\r\\nMAIL FROM:<x@b.test>\"}";
    let mind = ChatServer::start(vec![
        uses("note", hostile),
        uses("note", r#"{"topic": "again", "text": "x"}"#),
        uses("to_someone", r#"{"address": "bob@evil.test"}"#),
        uses("to_someone", r#"{"address": "ann@b.test"}"#),
        uses("to_someone", r#"{"address": "full@b.test"}"#),
        Behaviour::Says("It is written."),
    ])
    .await;
    let settings = format!("{}[sip.tls]\nca = {:?}\n", office.settings(), authority.file);
    let stage = Stage::furnished(&mind, &settings, TOOLS).await;
    let lines: Vec<Line> = vec![request().await];
    stage.call(lines).await;
    let record = stage.server.record().await;
    assert_eq!(said(&record, "agent").pop().as_deref(), Some("It is written."), "{record:#}");
    let expected = [
        "the mail was sent to office@a.test, boss@a.test",
        "this call has sent its 1 mails: nothing was sent",
        "this tool does not write to bob@evil.test: nothing was sent",
        "the mail was sent to ann@b.test",
        "the mail server does not take this mail: nothing was sent",
    ];
    assert_eq!(results(&mind), expected);
    let mails = office.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    let (mail, content) = (&mails[0], mails[0]["content"].as_str().expect("a text"));
    assert_eq!(mail["to"], serde_json::json!(["office@a.test", "boss@a.test"]));
    assert_eq!((&mail["from"], &mail["tls"]), (&"shop@a.test".into(), &true.into()));
    let (head, body) = content.split_once("\r\n\r\n").expect("a head and a body");
    let from = record["from"]["number"].as_str().expect("a number");
    let subject = format!("Subject: {from}: bell Bcc: all@b.test x");
    assert!(head.replace("\r\n ", " ").lines().any(|line| line == subject), "{head}");
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    assert!(head.contains("From: \"The shop\" <shop@a.test>"), "{head}");
    assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
    let id = record["id"].as_str().expect("an id");
    assert!(head.contains(&format!("Message-ID: <{id}.")), "{head}");
    assert_eq!(body.trim_end(), "It is silent.\r\n.\r\nMAIL FROM:<x@b.test>");
    let log = stage.server.log();
    assert!(!log.contains(PASSWORD) && log.contains("a mail was not sent"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_sent_to_a_mail_server_that_nobody_vouches_for() {
    let folder = Folder::new();
    let office = PostOffice::open(&Authority::write(&folder)).await;
    let dialplan = format!("{}\n{TOOLS}", agent(TOOLS));
    let nobody = "http://127.0.0.1:9";
    let config = House::with(&dialplan).and(&office.settings()).and(&providers(nobody, nobody));
    let config = config.write(&folder);
    let mut command = program();
    command.args(["tool", "run", "note", "--args", r#"{"topic": "x", "text": "y"}"#]);
    command.arg("--config").arg(&config).env("MAIL_PASSWORD", PASSWORD);
    let (code, text) = finish(command).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("To: office@a.test, boss@a.test\nSubject: +4971112345: x\n"), "{text}");
    assert!(text.contains("the mail server could not be reached: nothing was sent"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
    assert!(office.mails().is_empty());
}

const TOOLS: &str = r#"
[tools.note]
type        = "email"
description = "Writes to the office."
to          = "office@a.test, boss@a.test"
subject     = "{{ call.from }}: {{ args.topic }}"
text        = "{{ args.text }}"
limit       = 1
parameters  = { topic = "string", text = "string" }

[tools.to_someone]
type        = "email"
description = "Writes to a customer."
to          = "{{ args.address }}"
recipients  = ["@b.test"]
subject     = "Your order"
text        = "It is on its way."
parameters  = { address = "email" }
"#;
