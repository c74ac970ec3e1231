//! Verdicts: what our user agent does with each message of RFC 4475, where they are at hand, and
//! with what RFC 5118 asks about IPv6, in messages of our own writing.
#![cfg(test)]

use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;

use super::endpoint::{Endpoint, Settings};
use super::event::{Event, Flow, Input, Output, Standing};
use super::torture::{invite, parse, rfc4475, source, valid};
use super::uri::{Host, Uri};
use super::via::Via;
use crate::audio::codec::Codec;
use crate::audio::packing::Wishes;
use crate::base::random::Random;
use crate::sdp::keying::Terms;
use crate::sdp::negotiate::{Local, answer};

/// What becomes of a message that a trusted peer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// A call for the owner.
    Call,
    /// An answer with this status, and nothing is kept.
    Status(u16),
    /// Silence.
    Silence,
}

use Verdict::{Call, Silence, Status};

fn verdict(octets: &[u8]) -> Verdict {
    let mut endpoint = Endpoint::new(Settings::default(), Random::repeatable(5));
    let flow = Flow::udp(([192, 0, 2, 2], 5_060).into(), source());
    let bytes = Bytes::copy_from_slice(octets);
    endpoint.handle(Instant::now(), Input::Received { bytes, flow, standing: Standing::Trusted });
    let mut verdict = Silence;
    while let Some(output) = endpoint.poll() {
        match output {
            Output::Event(Event::Incoming(_)) => return Call,
            Output::Transmit { bytes, .. } => {
                // A header that breaks its grammar is repeated as it came.
                let status = parse(&bytes).expect("parses").status().expect("we answer");
                verdict = if status == 100 { verdict } else { Status(status) };
            }
            Output::Event(_) | Output::Notice(_) => {}
        }
    }
    verdict
}

#[test]
fn each_of_the_49_messages_gets_the_verdict_it_deserves() {
    let given = rfc4475();
    let mut wrong = Vec::new();
    for (name, _, octets) in &given {
        let found = verdict(octets);
        match RFC_4475.iter().find(|(known, ..)| known == name) {
            Some((_, section, wanted)) if found != *wanted => {
                wrong.push(format!("{name} ({section}): {wanted:?} wanted, {found:?} found"));
            }
            Some(_) => {}
            None => wrong.push(format!("{name} is in no table: {found:?}")),
        }
    }
    let missing = RFC_4475.iter().filter(|(name, ..)| !given.iter().any(|it| it.0 == *name));
    if !given.is_empty() {
        wrong.extend(missing.map(|(name, ..)| format!("{name} is not at hand")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_holds_every_message_once() {
    let names: std::collections::BTreeSet<_> = RFC_4475.iter().map(|it| it.0).collect();
    assert_eq!((RFC_4475.len(), names.len()), (50, 50), "49, and `test` of the archive");
}

/// Name, section and verdict. Requests within a dialog that we do not have meet 481; a REGISTER
/// meets 405, for this endpoint has no registrar; a call to a scheme that we do not know meets 416.
const RFC_4475: [(&str, &str, Verdict); 50] = [
    ("wsinv", "3.1.1.1", Status(481)),
    ("intmeth", "3.1.1.2", Status(405)),
    ("esc01", "3.1.1.3", Call),
    ("escnull", "3.1.1.4", Status(405)),
    ("esc02", "3.1.1.5", Status(405)),
    ("lwsdisp", "3.1.1.6", Status(200)),
    ("longreq", "3.1.1.7", Call),
    ("dblreq", "3.1.1.8", Status(405)),
    ("semiuri", "3.1.1.9", Status(200)),
    ("transports", "3.1.1.10", Status(200)),
    ("mpart01", "3.1.1.11", Status(415)),
    ("unreason", "3.1.1.12", Silence),
    ("noreason", "3.1.1.13", Silence),
    ("badinv01", "3.1.2.1", Status(400)),
    ("clerr", "3.1.2.2", Status(400)),
    ("ncl", "3.1.2.3", Status(400)),
    ("scalar02", "3.1.2.4", Status(400)),
    ("scalarlg", "3.1.2.5", Silence),
    ("quotbal", "3.1.2.6", Status(400)),
    ("ltgtruri", "3.1.2.7", Status(400)),
    ("lwsruri", "3.1.2.8", Status(400)),
    ("lwsstart", "3.1.2.9", Status(400)),
    ("trws", "3.1.2.10", Status(400)),
    ("escruri", "3.1.2.11", Status(400)),
    ("baddate", "3.1.2.12", Call),
    ("regbadct", "3.1.2.13", Status(400)),
    ("badaspec", "3.1.2.14", Status(400)),
    ("baddn", "3.1.2.15", Status(400)),
    ("badvers", "3.1.2.16", Status(505)),
    ("mismatch01", "3.1.2.17", Status(400)),
    ("mismatch02", "3.1.2.18", Status(400)),
    ("bigcode", "3.1.2.19", Silence),
    ("badbranch", "3.2.1", Status(200)),
    ("insuf", "3.3.1", Status(400)),
    ("unkscm", "3.3.2", Status(416)),
    ("novelsc", "3.3.3", Status(416)),
    ("unksm2", "3.3.4", Status(405)),
    ("bext01", "3.3.5", Status(420)),
    ("invut", "3.3.6", Status(415)),
    ("regaut01", "3.3.7", Status(405)),
    ("multi01", "3.3.8", Status(400)),
    ("mcl01", "3.3.9", Status(400)),
    ("bcast", "3.3.10", Silence),
    ("zeromf", "3.3.11", Status(483)),
    ("cparam01", "3.3.12", Status(405)),
    ("cparam02", "3.3.13", Status(405)),
    ("regescrt", "3.3.14", Status(405)),
    ("sdp01", "3.3.15", Call),
    ("inv2543", "3.4.1", Call),
    // It has no Via: nobody knows where an answer would go.
    ("test", "archive", Silence),
];

/// RFC 5118 4.1 to 4.4: only brackets tell an address from a port.
#[test]
fn brackets_part_an_ipv6_address_from_a_port() {
    for (uri, address, port) in [
        ("sip:user@[2001:db8::10]", "2001:db8::10", None),
        ("sip:[2001:db8::10]", "2001:db8::10", None),
        ("sip:[2001:db8::10]:5070", "2001:db8::10", Some(5_070)),
        // The last number belongs to the address, whatever its writer meant.
        ("sip:[2001:db8::10:5070]", "2001:db8::10:5070", None),
    ] {
        let message = valid(invite(&[&format!("INVITE {uri} SIP/2.0")]));
        let read = message.request_uri().expect("a URI");
        let host = read.host().and_then(|host| host.address());
        assert_eq!((host, read.port()), (address.parse().ok(), port), "{uri}");
    }
    for uri in ["sip:2001:db8::10", "sip:user@2001:db8::10", "sip:user@[2001:db8::10", "sip:[]"] {
        let first = format!("INVITE {uri} SIP/2.0");
        assert_eq!(verdict(invite(&[&first]).as_bytes()), Status(400), "{uri}");
    }
}

/// RFC 5118 4.5: `received` is written without brackets, and read with or without.
#[test]
fn received_is_read_with_and_without_brackets() {
    let address: IpAddr = "2001:db8::9:255".parse().expect("an address");
    for received in ["2001:db8::9:255", "[2001:db8::9:255]"] {
        let value =
            format!("SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3-111");
        let via = Via::parse(value.as_bytes()).expect("a Via");
        assert_eq!(via.received(), Some(address));
        assert_eq!(via.host().address(), "2001:db8::9:1".parse().ok());
        assert_eq!(via.branch(), Some("z9hG4bKas3-111"));
    }
}

/// RFC 5118 4.4 and 4.6: a port behind brackets is a port in Via, too.
#[test]
fn a_via_without_brackets_is_refused() {
    let port = |value: &str| Via::parse(value.as_bytes()).map(|via| via.port());
    assert_eq!(port("SIP/2.0/UDP [2001:db8::9:1]:5060;branch=z9hG4bK1"), Some(Some(5_060)));
    assert_eq!(port("SIP/2.0/UDP [2001:db8::9:5060];branch=z9hG4bK1"), Some(None));
    assert_eq!(port("SIP/2.0/UDP 2001:db8::9:1;branch=z9hG4bK1"), None);
}

/// RFC 5118 4.8 and 4.9: the two families stand beside each other in one message.
#[test]
fn both_families_stand_in_one_message() {
    let message = valid(invite(&[
        "INVITE sip:user@[2001:db8::10] SIP/2.0",
        "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKjhja8781hjuaij65144",
        "Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKas3;received=[2001:db8::9:255]",
        "Record-Route: <sip:[2001:db8::9:255];lr>, <sip:192.0.2.254;lr>",
        "Contact: <sip:caller@192.0.2.1>",
    ]));
    let hosts: Vec<_> = message.vias().map(|via| via.expect("a Via").host().to_string()).collect();
    assert_eq!(hosts, ["[2001:db8::9:1]", "192.0.2.1"]);
    assert_eq!(message.record_routes().filter(Result::is_ok).count(), 2);
    assert_eq!(verdict(message.bytes()), Call);
}

/// RFC 5118 4.10: an IPv4 address may come mapped into IPv6.
#[test]
fn mapped_addresses_are_addresses() {
    let uri = Uri::parse("sip:user@[::ffff:192.0.2.10]:19823").expect("a URI");
    assert_eq!(uri.host().and_then(|host| host.address()), "::ffff:192.0.2.10".parse().ok());
    assert_eq!(uri.port(), Some(19_823));
    assert!(Via::parse(b"SIP/2.0/UDP [::ffff:192.0.2.2]:19823;branch=z9hG4bKbh19").is_some());
}

/// RFC 5118 4.11: the grammar of RFC 3261 let three colons stand; RFC 5954 mended it. Two are
/// right, and three disturb nobody.
#[test]
fn three_colons_in_a_row_are_refused_and_two_are_not() {
    assert!(Host::parse("[2001:db8::192.0.2.1]").is_some());
    assert_eq!(Host::parse("[2001:db8:::192.0.2.1]"), None);
    let odd = invite(&["INVITE sip:user@[2001:db8:::192.0.2.1] SIP/2.0"]);
    assert!(parse(&odd).is_ok(), "it can still be answered");
    assert_eq!(verdict(odd.as_bytes()), Status(400));
}

/// RFC 5118 4.6 and 4.7: descriptions of either family, and of both in one.
#[test]
fn descriptions_speak_both_families() {
    let local = |address: &str| Local {
        address: address.parse().expect("an address"),
        port: 4_000,
        codecs: vec![Codec::Pcmu],
        wishes: Wishes::default(),
        session_id: 1,
        version: 1,
        srtp: Terms::default(),
    };
    let six = "v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\ns=-\r\n\
        c=IN IP6 2001:db8::20\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n";
    let (text, agreed) = answer(six.as_bytes(), &local("2001:db8::10")).expect("an answer");
    assert_eq!(agreed.remote, "[2001:db8::20]:6000".parse().expect("an address"));
    assert!(text.contains("c=IN IP6 2001:db8::10"), "{text}");
    assert!(answer(six.as_bytes(), &local("192.0.2.2")).is_err(), "another family");

    let both = "v=0\r\no=bob 280744730 28977631 IN IP4 host.example.com\r\ns=-\r\nt=0 0\r\n\
        m=audio 22334 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n\
        m=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:107 H263-1998/90000\r\n";
    let (text, agreed) = answer(both.as_bytes(), &local("192.0.2.2")).expect("an answer");
    assert_eq!(agreed.remote, "192.0.2.1:22334".parse().expect("an address"));
    assert!(text.contains("m=video 0 "), "{text}");
    assert!(answer(both.as_bytes(), &local("2001:db8::10")).is_err(), "the audio is IPv4");
}
