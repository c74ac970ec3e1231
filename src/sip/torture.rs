//! Torture: messages of our own writing, and those of RFC 4475 where they are at hand.
#![cfg(test)]

use std::net::SocketAddr;

use bytes::Bytes;

use super::check::{Fault, check};
use super::header::{HeaderError, Name};
use super::message::{Message, StartLine};
use super::method::Method;
use super::parse::{Flaw, MOST_HEADERS, ParseError};
use super::print::refuse;
use super::uri::Scheme;
use super::via::Rport;

/// An INVITE. A line given replaces the one of the same name, or is added.
pub(super) fn invite(lines: &[&str]) -> String {
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let is_first = |line: &str| name(line).contains(' ') && line.contains(" SIP/2.0");
    let usual = [
        "INVITE sip:bob@example.com SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKtorture",
        "From: \"Ann\" <sip:ann@example.org>;tag=a1",
        "To: <sip:bob@example.com>",
        "Call-ID: torture@192.0.2.1",
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
    ];
    let kept = usual.into_iter().filter(|old| !lines.iter().any(|new| name(new) == name(old)));
    let (first, added) = match lines.first() {
        Some(line) if is_first(line) => (*line, &lines[1..]),
        _ => (usual[0], lines),
    };
    let rest = kept.filter(|line| !is_first(line)).chain(added.iter().copied());
    [first].into_iter().chain(rest).map(|line| format!("{line}\r\n")).collect::<String>() + "\r\n"
}

pub(super) fn parse(text: impl AsRef<[u8]>) -> Result<Message, ParseError> {
    Message::parse_datagram(&Bytes::copy_from_slice(text.as_ref()))
}

pub(super) fn valid(text: impl AsRef<[u8]>) -> Message {
    let message = parse(text).expect("parses");
    assert_eq!(check(&message), Ok(()));
    message
}

/// The status a server answers with, 0 for silence, 200 for a message that is handed on.
fn status(text: impl AsRef<[u8]>) -> u16 {
    match parse(text) {
        Ok(message) => match check(&message) {
            Ok(()) => 200,
            Err(fault) if message.status().is_none() => fault.status(),
            Err(_) => 0,
        },
        Err(ParseError::Refused(refused)) => refused.flaw.status(),
        Err(ParseError::Dropped(_) | ParseError::KeepAlive) => 0,
    }
}

pub(super) fn source() -> SocketAddr {
    "198.51.100.9:4321".parse().expect("an address")
}

#[test]
fn a_plain_request_is_read() {
    let message =
        valid(invite(&["Contact: <sip:ann@192.0.2.1:5070;ob>;+sip.instance=\"<urn:x>\""]));
    let uri = "sip:bob@example.com";
    assert_eq!(message.start_line(), StartLine::Request { method: &Method::Invite, uri });
    assert_eq!(message.from().expect("there").display().as_deref(), Some("Ann"));
    assert_eq!(message.from().expect("there").tag(), Some("a1"));
    assert_eq!(message.call_id(), Ok("torture@192.0.2.1"));
    assert_eq!(message.max_forwards(), Ok(Some(70)));
    let contact = message.contacts().next().expect("there").expect("well formed");
    assert_eq!(contact.params().find("+SIP.instance").expect("there").text(), "<urn:x>");
}

#[test]
fn folded_headers_are_one_line() {
    let message =
        valid(invite(&["Subject: one\r\n  two\r\n\tthree", "To:\r\n <sip:b@c>\r\n ;tag=x"]));
    assert_eq!(message.text(Name::Subject).as_deref(), Some("one two three"));
    assert_eq!(message.to().expect("there").tag(), Some("x"));
}

#[test]
fn compact_names_are_names() {
    let text = "INVITE sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\n\
        t: <sip:b@c>\r\ni: 1\r\nCSeq: 1 INVITE\r\nm: <sip:a@h>\r\nk: timer, 100rel\r\n\
        c: application/sdp\r\ns: hello\r\nl: 2\r\n\r\nv=";
    let message = valid(text);
    assert!(message.lists(Name::Supported, "100REL"));
    assert!(message.content_type().expect("valid").expect("there").is("application/SDP"));
    assert_eq!((message.body().as_ref(), message.contacts().count()), (b"v=".as_slice(), 1));
    assert_eq!(message.named("subject").expect("there").name_text(), "Subject");
}

#[test]
fn commas_part_values_and_lines_do_the_same() {
    let message = valid(invite(&[
        "Via: SIP/2.0/UDP a;branch=z9hG4bKa, SIP/2.0/TCP b;branch=z9hG4bKb",
        "Via: SIP/2.0/TLS c;branch=z9hG4bKc",
        "Route: <sip:p1;lr>,<sip:p2;lr>",
        "Contact: \"Doe, John\" <sip:j,d@h>, <sip:x@y>",
    ]));
    let branches: Vec<_> = message.vias().map(|via| via.expect("valid").branch()).collect();
    assert_eq!(branches, [Some("z9hG4bKa"), Some("z9hG4bKb"), Some("z9hG4bKc")]);
    assert_eq!((message.routes().count(), message.contacts().count()), (2, 2));
}

#[test]
fn a_quoted_name_cannot_forge_the_caller() {
    let from = r#"From: "a>b;tag=evil <sip:evil@evil> \", \\" <sip:good@y>;tag=real"#;
    let message = valid(invite(&[from]));
    let from = message.from().expect("valid");
    assert_eq!((from.uri().as_str(), from.tag()), ("sip:good@y", Some("real")));
}

#[test]
fn ipv6_stands_wherever_a_host_stands() {
    let message = valid(invite(&[
        "INVITE sip:bob@[2001:db8::10]:5070 SIP/2.0",
        "Via: SIP/2.0/UDP [2001:db8::9]:5080;branch=z9hG4bK6;rport",
        "Contact: <sip:[2001:db8::9]>",
    ]));
    assert_eq!(message.request_uri().expect("valid").port(), Some(5070));
    let via = message.top_via().expect("valid");
    assert_eq!(
        (via.port(), via.rport(), via.branch()),
        (Some(5080), Rport::Asked, Some("z9hG4bK6"))
    );
}

/// Found by the fuzz target `sip_message`: the answer got a second tag behind one that nobody read.
#[test]
fn a_tag_or_branch_that_is_no_word_is_refused() {
    for line in [
        "To: <sip:b@c>;tag",
        "To: <sip:b@c>;tag=2\u{9d}",
        "From: <sip:b@c>;tag=\u{202e}x",
        "Via: SIP/2.0/UDP h;branch=z9\u{202e}hG4bK",
        "Via: SIP/2.0/UDP h;branch",
    ] {
        assert_eq!(status(invite(&[line])), 400, "{line}");
    }
    let octets: Vec<u8> = invite(&["To: <sip:b@c>;tag=2~"])
        .bytes()
        .map(|byte| if byte == b'~' { 0x9d } else { byte })
        .collect();
    assert_eq!(status(octets), 400);
}

#[test]
fn telephone_numbers_are_addresses() {
    let message =
        valid(invite(&["INVITE tel:+4971112345;phone-context=x SIP/2.0", "From: <tel:+1>;tag=1"]));
    let uri = message.request_uri().expect("valid");
    assert_eq!((uri.scheme(), uri.user()), (Scheme::Tel, Some("+4971112345")));
}

#[test]
fn one_octet_of_latin_1_hurts_nobody_else() {
    let text = invite(&["Subject: Gr~sse", "X-After: here"]);
    let octets: Vec<u8> = text.bytes().map(|b| if b == b'~' { 0xfc } else { b }).collect();
    let message = valid(octets);
    assert_eq!(message.text(Name::Subject).as_deref(), Some("Gr\u{fffd}sse"));
    assert_eq!(message.named("x-after").expect("there").text(), "here");
    assert_eq!(message.call_id(), Ok("torture@192.0.2.1"));
}

#[test]
fn a_body_may_be_any_octets() {
    let body = b"\0\r\n\r\n\xff\x80--\0";
    let text = [invite(&["Content-Length: 10"]).as_bytes(), body].concat();
    assert_eq!(valid(text).body().as_ref(), body);
}

#[test]
fn without_content_length_the_body_is_the_rest_and_with_it_no_more() {
    assert_eq!(valid(invite(&[]) + "v=0").body().as_ref(), b"v=0");
    assert_eq!(valid(invite(&["Content-Length: 1"]) + "v=0").body().as_ref(), b"v");
    assert_eq!(valid(invite(&["l: 0003", "Content-Length: 3"]) + "v=0").body().as_ref(), b"v=0");
}

#[test]
fn content_lengths_that_lie_are_refused() {
    for line in [
        "Content-Length: 4",
        "Content-Length: -3",
        "Content-Length: +3",
        "Content-Length: three",
        "Content-Length:",
        "Content-Length: 3, 3",
        "Content-Length: 3 3",
        "Content-Length: 99999999999999999999999999",
    ] {
        assert_eq!(status(invite(&[line]) + "v=0"), 400, "{line}");
    }
    assert_eq!(status(invite(&["Content-Length: 3", "l: 2"]) + "v=0"), 400);
}

#[test]
fn lone_line_ends_are_refused_and_never_carried_on() {
    for line in ["Subject: a\nX: b", "Subject: a\rX: b", "Subject: a\r\r", "Sub\nject: a"] {
        assert_eq!(status(invite(&[line])), 400, "{line:?}");
    }
    assert_eq!(status(invite(&[]).replace("\r\n", "\n")), 0);
    let Err(ParseError::Refused(refused)) = parse(invite(&["To: <sip:b@c>\nX-Evil: 1"])) else {
        panic!("refused with an answer")
    };
    let answer = refuse(&refused.message, refused.flaw.status(), source(), "t").expect("a Via");
    assert!(!answer.windows(6).any(|six| six == b"X-Evil"));
}

#[test]
fn one_grammar_reads_odd_spaces_before_the_colon() {
    let message = valid(invite(&["X-Bypass : 1", "P-Asserted-Identity\t: <sip:a@b>"]));
    assert_eq!(message.named("X-Bypass").expect("there").value(), b"1");
    assert_eq!(message.addresses(Name::PAssertedIdentity).count(), 1);
    assert_eq!(status(invite(&["X\r\n : 1"])), 400);
    assert_eq!(status(invite(&["X Y: 1"])), 400);
    assert_eq!(status(invite(&[": 1"])), 400);
}

#[test]
fn a_first_line_has_two_spaces_and_a_uri() {
    for first in [
        "INVITE  sip:bob@example.com SIP/2.0",
        "INVITE sip:bob@example.com  SIP/2.0",
        "INVITE sip:bob@example.com SIP/2.0 ",
        "INVITE <sip:bob@example.com> SIP/2.0",
        "INVITE sip:bob@example.com; lr SIP/2.0",
        "INVITE sip:bob@example.com?Route=%3Csip:x%3E SIP/2.0",
        "INVITE sip:bob@example.com@evil.org SIP/2.0",
        "INVITE bob SIP/2.0",
    ] {
        assert_eq!(status(invite(&[first])), 400, "{first}");
    }
    assert_eq!(status(invite(&["INVITE nobody:knows SIP/2.0"])), 416);
    assert_eq!(status(invite(&[]).replace("SIP/2.0\r\nV", "SIP/3.0\r\nV")), 505);
    assert_eq!(status(invite(&[]).replace("com SIP/2.0\r\nV", "com sip/2.0\r\nV")), 200);
}

#[test]
fn unknown_words_are_values() {
    let message = valid(invite(&[
        "invite sip:bob@example.com SIP/2.0",
        "CSeq: 1 invite",
        "Via: SIP/2.0/PIGEON h;branch=z9hG4bK1",
        "From: <isbn:2983792873>;tag=1",
    ]));
    assert_eq!(message.method().map(Method::as_str), Some("invite"));
    assert_ne!(message.method(), Some(&Method::Invite));
    assert_eq!(message.top_via().expect("valid").transport(), "PIGEON");
}

#[test]
fn headers_that_every_request_needs_are_there_once() {
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        let without: String = invite(&[])
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with(&format!("{name}:")))
            .collect();
        let fault = check(&parse(&without).expect("parses"));
        let missing = HeaderError::Missing(Name::from_text(name.as_bytes()));
        assert_eq!(fault, Err(Fault::Header(missing)));
    }
    for twice in ["f: <sip:a@b>;tag=1", "t: <sip:a@b>", "i: 2", "cseq: 1 INVITE", "max-forwards: 9"]
    {
        assert_eq!(status(invite(&[twice])), 400, "{twice}");
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    for line in [
        "CSeq: 2147483648 INVITE",
        "CSeq: 36893488147419103232 INVITE",
        "CSeq: -1 INVITE",
        "CSeq: 1INVITE",
        "CSeq: 1 BYE",
        "CSeq: 1",
        "Max-Forwards: 256",
        "Max-Forwards: x",
        "Via: SIP/2.0/UDP h:65536;branch=z9hG4bK1",
    ] {
        assert_eq!(status(invite(&[line])), 400, "{line}");
    }
    assert_eq!(
        valid(invite(&["CSeq: 2147483647 INVITE"])).cseq().expect("valid").number,
        2_147_483_647
    );
    assert_eq!(valid(invite(&["Expires: 99999999999999999999"])).expires(), Ok(Some(u32::MAX)));
}

#[test]
fn responses_and_acks_are_dropped_and_never_answered() {
    let response = invite(&[]).replacen("INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 200 OK", 1);
    assert_eq!(valid(&response).status(), Some(200));
    assert_eq!(valid(response.replace("200 OK", "100 ")).status(), Some(100));
    for broken in ["4294967301 x", "099 x", "700 x", "20 x", "2000 x", "abc x"] {
        assert_eq!(status(response.replace("200 OK", broken)), 0, "{broken}");
    }
    let ack = invite(&["ACK sip:bob@example.com SIP/2.0", "CSeq: 1 ACK", "Content-Length: 9"]);
    assert_eq!(status(ack), 0);
    let mismatched = parse(invite(&["ACK sip:bob@example.com SIP/2.0"])).expect("parses");
    assert_eq!(check(&mismatched), Err(Fault::Mismatch));
    assert_eq!(refuse(&mismatched, Fault::Mismatch, source(), "t"), None);
}

#[test]
fn keep_alives_and_rubbish_are_told_apart() {
    assert!(matches!(parse("\r\n\r\n"), Err(ParseError::KeepAlive)));
    assert!(matches!(parse(""), Err(ParseError::KeepAlive)));
    assert_eq!(valid("\r\n\r\n".to_owned() + &invite(&[])).call_id(), Ok("torture@192.0.2.1"));
    for rubbish in
        [b"\0\0\0\0".as_slice(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0\x01\0\0!\x12\xa4B"]
    {
        assert!(matches!(parse(rubbish), Err(ParseError::Dropped(_))));
    }
}

#[test]
fn limits_come_before_work() {
    let hostile: String = (0..6_000).map(|n| format!("a: {n}\r\n")).collect();
    let Err(ParseError::Refused(refused)) =
        parse(invite(&[]).replace("\r\n\r\n", "\r\n") + &hostile)
    else {
        panic!("refused with an answer")
    };
    assert_eq!((refused.flaw, refused.flaw.status()), (Flaw::TooManyHeaders, 513));
    assert_eq!(refused.message.fields().count(), MOST_HEADERS);
    assert_eq!(status(invite(&[&format!("X: {}", "x".repeat(8_200))])), 513);
    assert_eq!(status(invite(&[&format!("X: {}", "x\r\n ".repeat(3_000))])), 513);
    assert_eq!(status(invite(&[&format!("X: {}", "x".repeat(8_000))])), 200);
    assert_eq!(status("x".repeat(65_536)), 0);
    let vias = vec!["SIP/2.0/UDP h;branch=z9hG4bK1"; 65].join(",");
    assert_eq!(status(invite(&[&format!("Via: {vias}")])), 400);
}

#[test]
fn what_could_be_salvaged_is_answered() {
    let Err(ParseError::Refused(refused)) = parse(invite(&["no header at all", "X: after"])) else {
        panic!("refused with an answer")
    };
    assert_eq!(refused.flaw, Flaw::HeaderLine);
    let phrase = refused.flaw.to_string();
    let status = (refused.flaw.status(), phrase.as_str());
    let answer = refuse(&refused.message, status, source(), "t9").expect("a Via");
    let answer = valid(answer);
    assert_eq!((answer.status(), answer.to().expect("there").tag()), (Some(400), Some("t9")));
    assert_eq!(answer.cseq(), refused.message.cseq());
}

#[test]
fn lists_reasons_and_the_like_are_read() {
    let message = valid(invite(&[
        "Require: 100rel,, timer",
        "Allow: INVITE, ACK,BYE",
        "Reason: Q.850;cause=16;text=\"Normal, really\", SIP;cause=200",
        "Retry-After: 120 (in a meeting);duration=3600",
        "Refer-To: <sip:c@d?Replaces=x>",
    ]));
    assert_eq!(message.tokens(Name::Require).collect::<Vec<_>>(), ["100rel", "", "timer"]);
    assert!(message.lists(Name::Allow, "BYE") && !message.lists(Name::Allow, "REFER"));
    let reasons: Vec<_> = message.reasons().collect();
    assert_eq!((reasons[0].protocol, reasons[0].cause), ("Q.850", Some(16)));
    assert_eq!(reasons[0].text().as_deref(), Some("Normal, really"));
    assert_eq!((reasons[1].cause, message.retry_after()), (Some(200), Some(120)));
    assert_eq!(message.refer_to().expect("valid").uri().headers(), Some("Replaces=x"));
    let star = valid(invite(&["Contact: *"]));
    assert!(star.is_any_contact() && star.contacts().all(|contact| contact.is_err()));
}

/// What a server makes of each message of RFC 4475, when they are at hand.
#[test]
fn the_messages_of_rfc_4475_are_judged_right() {
    let mut wrong = Vec::new();
    for (name, case, octets) in rfc4475() {
        let found = status(&octets);
        let ok: Vec<u16> = case["ok"].as_array().into_iter().flatten().map(number).collect();
        let right = match case["verdict"].as_str().unwrap_or_default() {
            "valid" => found == 200,
            "invalid" => ok.contains(&found),
            "app" => found == 200 || ok.contains(&found),
            "response" => {
                found == if ["bigcode", "scalarlg"].contains(&name.as_str()) { 0 } else { 200 }
            }
            _ => true,
        };
        if !right {
            wrong.push(format!("{name:12} {} wants {ok:?}, got {found}", case["verdict"]));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_valid_messages_of_rfc_4475_are_read_right() {
    for (name, _, octets) in rfc4475() {
        match name.as_str() {
            "wsinv" => reads_wsinv(&valid(&octets)),
            "intmeth" => {
                let message = valid(&octets);
                assert_eq!(message.from().expect("valid").tag(), Some("_token~1'+`*%!-."));
                assert_eq!(message.top_via().expect("valid").branch(), Some("z9hG4bK-.!%66*_+`'~"));
                let to = message.to().expect("valid");
                assert_eq!(to.display().as_deref(), Some("BEL: NUL: DEL:"));
            }
            "esc01" => {
                let message = valid(&octets);
                let uri = message.request_uri().expect("valid");
                assert_eq!(uri.user_unescaped(), "sips:user@example.com");
                let contact = message.contacts().next().expect("there").expect("valid").uri();
                assert_eq!(contact.param("n%61me"), Some(Some("v%61lue%25%34%31")));
            }
            "dblreq" => {
                let message = valid(&octets);
                assert_eq!(message.call_id(), Ok("dblreq.0ha0isndaksdj99sdfafnl3lk233412"));
                assert!(message.body().is_empty());
            }
            "transports" => {
                let message = valid(&octets);
                let words: Vec<_> =
                    message.vias().map(|via| via.expect("valid").transport()).collect();
                assert_eq!(words, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
            }
            "unreason" => {
                let message = valid(&octets);
                let StartLine::Response { reason, .. } = message.start_line() else { panic!() };
                assert!(reason.starts_with("= 2**3 * 5**2 но сто"), "{reason}");
            }
            "cparam01" | "cparam02" => {
                let message = valid(&octets);
                let contact = message.contacts().next().expect("there").expect("valid");
                let on_header = contact.params().has("unknownparam");
                assert_eq!(on_header, name == "cparam01");
                assert_eq!(contact.uri().param("unknownparam").is_some(), !on_header);
            }
            "semiuri" => {
                let message = valid(&octets);
                let uri = message.request_uri().expect("valid");
                assert_eq!(uri.user(), Some("user;par=u%40example.net"));
                assert_eq!(message.values(Name::Accept).count(), 6);
            }
            "longreq" => {
                let message = valid(&octets);
                assert_eq!(message.vias().filter(Result::is_ok).count(), 34);
            }
            "esc02" | "escnull" => {
                assert_eq!(valid(&octets).contacts().filter(Result::is_ok).count(), 2, "{name}")
            }
            _ => {}
        }
    }
}

fn reads_wsinv(message: &Message) {
    assert_eq!(message.to().expect("valid").tag(), Some("1918181833n"));
    let from = message.from().expect("valid");
    assert_eq!(from.display().as_deref(), Some(r#"J Rosenberg \""#));
    assert_eq!(from.tag(), Some("98asjd8"));
    assert_eq!(message.max_forwards(), Ok(Some(68)));
    assert_eq!(message.cseq().expect("valid").number, 9);
    assert_eq!(message.body().len(), 150);
    let branches: Vec<_> = message.vias().map(|via| via.expect("valid").branch()).collect();
    assert_eq!(branches, [Some("390skdjuw"), Some("z9hG4bK9ikj8"), Some("z9hG4bK30239")]);
    let contact = message.contacts().next().expect("there").expect("valid");
    assert_eq!(contact.display().as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.params().value("q"), Some("0.33"));
    assert!(contact.params().has("secondparam"));
    let new = message.named("newfangledheader").expect("there");
    assert_eq!(new.text(), "newfangled value continued newfangled value");
}

/// The messages beside the project, or none.
pub(super) fn rfc4475() -> Vec<(String, serde_json::Value, Vec<u8>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/sip/rfc4475.json");
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    let all: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let cases = all["messages"].as_object().expect("messages by name");
    assert!(cases.len() >= 49, "the collection is whole");
    let decode = |case: &serde_json::Value| base64(case["b64"].as_str().unwrap_or_default());
    cases.iter().map(|(name, case)| (name.clone(), case.clone(), decode(case))).collect()
}

fn number(value: &serde_json::Value) -> u16 {
    value.as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status")
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut octets = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.chars().filter_map(|c| ALPHABET.find(c)) {
        bits = bits << 6 | u32::try_from(digit).expect("below 64");
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push((bits >> count) as u8);
        }
    }
    octets
}
