//! Laws of the parser and the printer that hold for any octets.
#![cfg(test)]

use bytes::Bytes;
use proptest::prelude::*;

use super::check::{self, check};
use super::header::Name;
use super::message::Message;
use super::method::Method;
use super::parse::ParseError;
use super::print::{Builder, ToTag, refuse};
use super::torture::{invite, parse, rfc4475, source, valid};

/// Asks a message everything that can be asked, and answers it.
fn exercise(octets: &[u8]) {
    let message = match parse(octets) {
        Ok(message) => message,
        Err(ParseError::Refused(refused)) => refused.message,
        Err(ParseError::Dropped(_) | ParseError::KeepAlive) => return,
    };
    let faultless = check(&message).is_ok();
    if let Ok(read) = check::read(&message) {
        assert_eq!(
            Ok((read.via, read.from)),
            message.top_via().and_then(|via| Ok((via, message.from()?)))
        );
        assert_eq!(
            Ok((read.to, read.call_id)),
            message.to().and_then(|to| Ok((to, message.call_id()?)))
        );
        assert_eq!(
            (Ok(read.cseq), Ok(read.max_forwards)),
            (message.cseq(), message.max_forwards())
        );
        assert_eq!(read.uri, message.request_uri().ok());
        let contact = message.contacts().next().filter(|_| !message.is_any_contact());
        assert_eq!(read.contact.map(Ok), contact);
    }
    let _ = (message.top_via(), message.refer_to(), message.content_type(), message.expires());
    let _ = (message.retry_after(), message.reasons().count(), message.routes().count());
    for address in message.contacts().flatten() {
        let _ = (address.display(), address.uri().user_unescaped());
        assert!(address.uri().is_equivalent(&address.uri()));
    }
    for field in message.fields() {
        let _ = (field.text(), field.values().count(), message.named(field.name_text()));
    }
    let Some(answer) = refuse(&message, 400, source(), "tag") else { return };
    let answer = parse(&answer).expect("what we print can be read");
    if faultless {
        assert_eq!(check(&answer), Ok(()));
        assert_eq!(answer.vias().count(), message.vias().count());
        let same = |name| {
            let values = |message: &Message| {
                message.headers(name).map(|field| field.value().to_vec()).collect::<Vec<_>>()
            };
            assert_eq!(values(&answer), values(&message));
        };
        [Name::From, Name::CallId, Name::CSeq, Name::RecordRoute].into_iter().for_each(same);
        assert!(answer.to().is_ok_and(|to| to.tag().is_some()));
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let own = [
        invite(&[]),
        invite(&["Content-Length: 3"]) + "v=0",
        invite(&["Subject: a\r\n b", "m: \"x, \\\"y\" <sip:a@[::1]:5060;lr?x=%41>;q=0.5, *"]),
        invite(&[
            "Via: SIP / 2.0 / UDP h ; rport, SIP/2.0/TCP [::1]:1;received=1.2.3.4",
            "Record-Route: <sip:p;lr>",
        ]),
        invite(&["BYE tel:+1 SIP/2.0", "CSeq: 2 BYE", "Reason: Q.850;cause=16;text=\"x\""]),
        invite(&[]).replacen(
            "INVITE sip:bob@example.com SIP/2.0",
            "SIP/2.0 183 Session Progress",
            1,
        ),
    ];
    own.into_iter()
        .map(String::into_bytes)
        .chain(rfc4475().into_iter().map(|case| case.2))
        .collect()
}

/// Octets that mean something somewhere.
const SPITEFUL: &[u8] = b"\r\n\t \"\\<>;,:=@%?/[]*\0\x7f\xff";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        exercise(&octets);
        exercise(&[invite(&[]).trim_end().as_bytes(), b"\r\nX: ", &octets].concat());
    }

    #[test]
    fn any_change_to_a_good_message_is_survived(
        seed in any::<prop::sample::Index>(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..4_u8, prop::sample::select(SPITEFUL)), 1..6),
    ) {
        let seeds = seeds();
        let mut octets = seeds[seed.index(seeds.len())].clone();
        for (at, kind, byte) in changes {
            let at = at.index(octets.len().max(1));
            match kind {
                0 => octets.insert(at, byte),
                1 if at < octets.len() => octets[at] = byte,
                2 => octets.truncate(at),
                _ => octets.extend_from_within(at..),
            }
        }
        exercise(&octets);
    }

    #[test]
    fn what_is_printed_is_what_is_read(
        user in "[a-z0-9+._-]{1,12}",
        headers in prop::collection::vec(("X-[A-Za-z-]{1,9}", any::<String>()), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let uri = format!("sip:{user}@example.com");
        let mut builder = Builder::request(&Method::Info, &uri)
            .header("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx")
            .header("From", &format!("<{uri}>;tag=1"))
            .header("To", "<sip:b@c>")
            .header("Call-ID", &user)
            .header("CSeq", "7 INFO");
        for (name, value) in &headers {
            builder = builder.header(name, value);
        }
        let message = valid(builder.finish_with("application/octet-stream", &body));
        prop_assert_eq!(message.body(), Bytes::from(body));
        prop_assert_eq!(message.request_uri().map(|uri| uri.as_str()), Ok(uri.as_str()));
        let found: Vec<_> = message.fields().filter(|field| field.name() == Name::Other).collect();
        prop_assert_eq!(found.len(), headers.len());
        for (field, (name, value)) in found.iter().zip(&headers) {
            prop_assert_eq!(field.name_text(), name);
            let text = field.text();
            if !value.contains(|c: char| c.is_control() || ('\u{61c}'..'\u{206a}').contains(&c)) {
                prop_assert_eq!(text.as_ref(), value.trim_matches(char::is_whitespace));
            }
        }
        // Copied fields stand there octet by octet.
        let again = Builder::answer(&message, 200, source(), ToTag::AsReceived)
            .copy(&message, Name::Other)
            .finish();
        let again = valid(again);
        let values = |message: &Message| {
            message.headers(Name::Other).map(|field| field.value().to_vec()).collect::<Vec<_>>()
        };
        prop_assert_eq!(values(&again), values(&message));
    }
}
