//! From words to octets: requests, and responses that repeat what a request said.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::header::{Field, Name};
use super::lexer;
use super::message::Message;
use super::method::Method;
use super::status::Status;
use super::uri::Host;
use super::via::{Rport, Via};

/// Writes one message, line by line. Content-Length is written at the end, always.
#[derive(Debug, Clone)]
pub struct Builder {
    out: Vec<u8>,
}

/// Whether an answer puts a tag to To (RFC 3261 8.2.6.2). One that is there already stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToTag<'a> {
    /// As the request has it: 100 Trying, and answers within a dialog.
    AsReceived,
    /// This one, where the request has none.
    Added(&'a str),
}

impl Builder {
    /// Begins a request.
    pub fn request(method: &Method, uri: &str) -> Self {
        let mut builder = Self { out: Vec::with_capacity(1_024) };
        builder.put(method.as_str().as_bytes());
        builder.put(b" ");
        builder.out.extend(clean(uri).bytes().map(|byte| if byte == b' ' { b'_' } else { byte }));
        builder.put(b" SIP/2.0\r\n");
        builder
    }

    /// Begins a response with nothing but its first line.
    pub fn response<'a>(status: impl Into<Status<'a>>) -> Self {
        let status = status.into();
        let mut builder = Self { out: Vec::with_capacity(1_024) };
        let line = format!("SIP/2.0 {} {}\r\n", status.code, clean(&status.phrase));
        builder.put(line.as_bytes());
        builder
    }

    /// Begins the answer to `request`, which came from `source`: Via, From, To, Call-ID, CSeq and
    /// Record-Route as they stand there, octet by octet (RFC 3261 8.2.6.2). The top Via is told
    /// where the request came from (18.2.1, RFC 3581).
    pub fn answer<'a>(
        request: &Message,
        status: impl Into<Status<'a>>,
        source: SocketAddr,
        tag: ToTag<'_>,
    ) -> Self {
        let mut builder = Self::response(status);
        builder.put_vias(request, source);
        builder = builder.copy(request, Name::From);
        builder.put_to(request, tag);
        builder
            .copy(request, Name::CallId)
            .copy(request, Name::CSeq)
            .copy(request, Name::RecordRoute)
    }

    /// Writes a header. Line ends, NUL, other controls and marks that turn text around become
    /// spaces (T21); a name that is no token is left out, and so is Content-Length.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let is_name = !name.is_empty() && name.bytes().all(lexer::is_token);
        if is_name && Name::from_text(name.as_bytes()) != Name::ContentLength {
            self.put_line(name, clean(value).trim().as_bytes());
        }
        self
    }

    /// Writes headers that somebody else chose: those that route, identify or frame a message are
    /// left out, for they are ours to write.
    #[must_use]
    pub fn extra_headers(mut self, headers: &[(String, String)]) -> Self {
        for (name, value) in headers {
            if !OURS.contains(&Name::from_text(name.trim().as_bytes())) {
                self = self.header(name, value);
            }
        }
        self
    }

    /// Copies every line of that name from another message, octet by octet.
    #[must_use]
    pub fn copy(mut self, message: &Message, name: Name) -> Self {
        for field in message.headers(name) {
            self.put_field(&field);
        }
        self
    }

    /// Ends the message without a body.
    pub fn finish(mut self) -> Bytes {
        self.put(b"Content-Length: 0\r\n\r\n");
        Bytes::from(self.out)
    }

    /// Ends the message with a body of that type.
    pub fn finish_with(mut self, content_type: &str, body: &[u8]) -> Bytes {
        self.put_line("Content-Type", clean(content_type).as_bytes());
        self.put_line("Content-Length", body.len().to_string().as_bytes());
        self.put(b"\r\n");
        self.put(body);
        Bytes::from(self.out)
    }

    fn put_vias(&mut self, request: &Message, source: SocketAddr) {
        let mut is_top = true;
        for field in request.headers(Name::Via) {
            let top = field.values().next().filter(|_| is_top);
            match top.and_then(|value| Some((value, Via::parse(value)?))) {
                Some((value, via)) => self.put_top_via(&field, (value, &via), source),
                None => self.put_field(&field),
            }
            is_top = false;
        }
    }

    /// Writes the line that begins with the top Via. Whatever the client itself wrote into
    /// `received` is not believed.
    fn put_top_via(&mut self, field: &Field<'_>, top: (&[u8], &Via<'_>), source: SocketAddr) {
        let (value, via) = top;
        let params = via.params();
        let sent_by = value.len().saturating_sub(params.as_bytes().len());
        let (sent_by, _) = value.split_at_checked(sent_by).unwrap_or((value, &[]));
        self.put(b"Via: ");
        self.put(lexer::trim(sent_by));
        for param in params.iter() {
            let is_ours =
                ["received", "rport"].iter().any(|name| param.name.eq_ignore_ascii_case(name));
            if is_ours {
                continue;
            }
            self.put(b";");
            self.put(param.name.as_bytes());
            if let Some(value) = param.value {
                self.put(b"=");
                self.put(value);
            }
        }
        let source_host = Host::Address(source.ip().to_canonical());
        let asks = via.rport() != Rport::Absent;
        if asks || !via.host().is_equivalent(&source_host) {
            self.put(format!(";received={}", unbracketed(source.ip())).as_bytes());
        }
        if asks {
            self.put(format!(";rport={}", source.port()).as_bytes());
        }
        for value in field.values().skip(1) {
            self.put(b", ");
            self.put(value);
        }
        self.put(b"\r\n");
    }

    fn put_to(&mut self, request: &Message, tag: ToTag<'_>) {
        for field in request.headers(Name::To) {
            let missing = request.to().is_ok_and(|to| to.tag().is_none());
            match tag {
                ToTag::Added(tag) if missing => {
                    let tagged = [field.value(), b";tag=", clean(tag).as_bytes()].concat();
                    self.put_line("To", &tagged);
                }
                ToTag::Added(_) | ToTag::AsReceived => self.put_field(&field),
            }
        }
    }

    fn put_field(&mut self, field: &Field<'_>) {
        self.put_line(field.name_text(), field.value());
    }

    fn put_line(&mut self, name: &str, value: &[u8]) {
        self.put(name.as_bytes());
        self.put(b": ");
        self.put(value);
        self.put(b"\r\n");
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }
}

/// Answers a request without keeping anything of it: a flaw, a fault, a stranger. There is no
/// answer to a response, to an ACK, or to a request without a Via to send it by.
pub fn refuse<'a>(
    request: &Message,
    status: impl Into<Status<'a>>,
    source: SocketAddr,
    tag: &str,
) -> Option<Bytes> {
    let is_answerable = request.method().is_some_and(|method| *method != Method::Ack);
    let has_via = request.headers(Name::Via).next().is_some();
    (is_answerable && has_via)
        .then(|| Builder::answer(request, status, source, ToTag::Added(tag)).finish())
}

/// Headers that nobody else writes.
const OURS: [Name; 14] = [
    Name::Via,
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::Contact,
    Name::Route,
    Name::RecordRoute,
    Name::MaxForwards,
    Name::ContentLength,
    Name::ContentType,
    Name::ContentEncoding,
    Name::Require,
    Name::ProxyRequire,
];

/// RFC 3581 and RFC 3261 25.1: `received` has no brackets around IPv6.
fn unbracketed(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

/// Replaces what could end a line, hide text or turn it around.
fn clean(text: &str) -> String {
    let is_bad = |c: char| {
        (c.is_control() && c != '\t')
            || matches!(
                c,
                '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
                    | '\u{202a}'..='\u{202e}'
                    | '\u{2066}'..='\u{2069}'
            )
    };
    text.chars().map(|c| if is_bad(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(via: &str, to: &str) -> Message {
        let text = format!(
            "INVITE sip:b@c SIP/2.0\r\nv: {via}\r\nVia: SIP/2.0/TCP  z ;branch=old\r\nfrom : \"A\" \
             <sip:a@b>  ;tag=1\r\nTo: {to}\r\nCall-ID: x\r\nCSeq: 0001   INVITE\r\nRecord-Route: \
             <sip:p;lr> , <sip:q;lr>\r\n\r\n"
        );
        Message::parse_datagram(&Bytes::from(text)).expect("parses")
    }

    fn answered(request: &Message, source: &str) -> String {
        let source = source.parse().expect("an address");
        let answer = Builder::answer(request, 180, source, ToTag::Added("mine")).finish();
        String::from_utf8(answer.to_vec()).expect("UTF-8")
    }

    #[test]
    fn an_answer_repeats_the_request_octet_by_octet() {
        let request = request("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "<sip:b@c>");
        assert_eq!(
            answered(&request, "192.0.2.1:5060"),
            "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
             Via: SIP/2.0/TCP  z ;branch=old\r\nfrom: \"A\" <sip:a@b>  ;tag=1\r\n\
             To: <sip:b@c>;tag=mine\r\nCall-ID: x\r\nCSeq: 0001   INVITE\r\n\
             Record-Route: <sip:p;lr> , <sip:q;lr>\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn the_top_via_is_told_where_the_request_came_from() {
        let top = |via: &str, source: &str| {
            let answer = answered(&request(via, "<sip:b@c>;tag=theirs"), source);
            assert!(answer.contains("To: <sip:b@c>;tag=theirs\r\n"));
            answer.lines().nth(1).unwrap_or_default().to_owned()
        };
        assert_eq!(
            top("SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1", "192.0.2.1:9"),
            "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=192.0.2.1;rport=9"
        );
        assert_eq!(
            top("SIP/2.0/UDP h.example:5070 ;branch=z9hG4bK1, SIP/2.0/UDP b", "[2001:db8::1]:9"),
            "Via: SIP/2.0/UDP h.example:5070;branch=z9hG4bK1;received=2001:db8::1, SIP/2.0/UDP b"
        );
        assert_eq!(
            top("SIP/2.0/UDP 10.0.0.1;received=6.6.6.6;branch=z9hG4bK1", "192.0.2.1:9"),
            "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=192.0.2.1"
        );
    }

    #[test]
    fn nothing_that_is_printed_begins_a_line_of_its_own() {
        let evil = "a\r\nX-Evil: 1\0\u{202e}\u{85}b";
        let printed = Builder::request(&Method::Info, "sip:a@b\r\nX-Evil: 1")
            .header("Subject", evil)
            .header("Sub\r\nject", "x")
            .header("Content-Length", "99")
            .extra_headers(&[
                ("X-Fine".to_owned(), evil.to_owned()),
                ("v".to_owned(), "SIP/2.0/UDP evil".to_owned()),
                ("CALL-ID".to_owned(), "evil".to_owned()),
            ])
            .finish_with("text/plain\r\nX-Evil: 1", b"body");
        let text = String::from_utf8(printed.to_vec()).expect("UTF-8");
        assert!(!text.contains("\r\nX-Evil") && !text.contains('\0') && !text.contains('\u{202e}'));
        let message = Message::parse_datagram(&printed).expect("parses");
        assert_eq!(message.fields().count(), 4);
        assert_eq!(message.named("x-fine").expect("there").text(), "a  X-Evil: 1   b");
        assert_eq!(message.body().as_ref(), b"body");
    }

    #[test]
    fn a_status_may_bring_its_own_phrase() {
        let printed = Builder::response((400, "Missing\r\nTo: evil")).finish();
        assert!(printed.starts_with(b"SIP/2.0 400 Missing  To: evil\r\nContent-Length: 0"));
    }
}
