//! Messages: any octets as a datagram, as a stream in any pieces, and printed again.

use std::net::SocketAddr;

use bytes::Bytes;
use voxtrunk::sip::check::check;
use voxtrunk::sip::framing::Framer;
use voxtrunk::sip::header::Name;
use voxtrunk::sip::message::{Message, StartLine};
use voxtrunk::sip::parse::{Flaw, ParseError};
use voxtrunk::sip::print::{Builder, refuse};
use voxtrunk::sip::redact;

/// Whatever can be read can be asked everything, and be answered with something that can be read.
pub fn message(octets: &[u8]) {
    let message = match Message::parse_datagram(&Bytes::copy_from_slice(octets)) {
        Ok(message) => message,
        Err(ParseError::Refused(refused)) => refused.message,
        Err(ParseError::Dropped(_) | ParseError::KeepAlive) => return,
    };
    let faultless = check(&message).is_ok();
    ask(&message);
    let source = SocketAddr::from(([198, 51, 100, 9], 4_321));
    let Some(answer) = refuse(&message, 400, source, "tag") else { return };
    let answer = match Message::parse_datagram(&answer) {
        Ok(answer) => answer,
        // What we add to a line that was just short enough may be too much.
        Err(ParseError::Dropped(Flaw::LongHeader | Flaw::TooLarge)) => return,
        Err(why) => panic!("what we print can be read: {why}"),
    };
    if faultless {
        assert_eq!(check(&answer), Ok(()));
        assert_eq!(answer.vias().count(), message.vias().count());
        assert_eq!((answer.cseq(), answer.call_id()), (message.cseq(), message.call_id()));
    }
}

fn ask(message: &Message) {
    let _ = (message.top_via(), message.refer_to(), message.content_type(), message.expires());
    let _ = (message.retry_after(), message.reasons().count(), message.routes().count());
    let _ = (message.tokens(Name::Require).count(), message.body_octets().len());
    for field in message.fields() {
        let _ = (field.text(), field.values().count(), message.named(field.name_text()));
    }
    let _ = redact::redacted(message.bytes());
}

/// However a stream is chopped, the messages are the same.
pub fn stream(octets: &[u8]) {
    let whole = pieces(octets, octets.len().max(1));
    let length = usize::from(octets.first().copied().unwrap_or_default() % 61) + 1;
    assert_eq!(whole, pieces(octets, length), "in pieces of {length}");
    assert_eq!(whole, pieces(octets, 1), "octet by octet");
}

fn pieces(octets: &[u8], length: usize) -> Vec<String> {
    let mut framer = Framer::new();
    let mut found = Vec::new();
    for piece in octets.chunks(length) {
        framer.push(piece);
        while let Some(piece) = framer.poll() {
            found.push(match piece {
                Ok(piece) => format!("{piece:?}"),
                Err(why) => why.to_string(),
            });
        }
    }
    found
}

/// A request that is printed from what was read is read as the same, and printed as the same.
pub fn roundtrip(octets: &[u8]) {
    let Ok(message) = Message::parse_datagram(&Bytes::copy_from_slice(octets)) else { return };
    // Other characters may be cleaned away, and with them what they stood for.
    let is_plain = |field: voxtrunk::sip::header::Field<'_>| {
        field.text().bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    if check(&message).is_err() || !message.fields().all(is_plain) {
        return;
    }
    let Some(printed) = print(&message) else { return };
    let again = match Message::parse_datagram(&printed) {
        Ok(again) => again,
        Err(ParseError::Refused(refused)) if refused.flaw == Flaw::LongHeader => return,
        Err(why) => panic!("what we print can be read: {why}"),
    };
    assert_eq!(check(&again), Ok(()));
    assert_eq!(message.body(), again.body());
    assert_eq!(print(&again).as_ref(), Some(&printed));
}

fn print(message: &Message) -> Option<Bytes> {
    let StartLine::Request { method, uri } = message.start_line() else { return None };
    let mut builder = Builder::request(method, uri);
    for field in message.fields().filter(|field| field.name() != Name::ContentType) {
        builder = builder.header(field.name_text(), &field.text());
    }
    Some(builder.finish_with("application/sdp", message.body_octets()))
}
