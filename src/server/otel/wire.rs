//! Spans as collectors read them: `ExportTraceServiceRequest` of OTLP 1, in the encoding of Protocol Buffers.

use std::time::Duration;

use super::span::{Attribute, Event, Kind, Span, Value};

/// The request that tells these spans of a server.
pub fn request(resource: &[Attribute], spans: &[Span]) -> Vec<u8> {
    let mut scope = Message::default();
    scope.text(1, env!("CARGO_PKG_NAME"));
    scope.text(2, env!("CARGO_PKG_VERSION"));
    let mut of_scope = Message::default();
    of_scope.message(1, &scope);
    for it in spans {
        of_scope.message(2, &span(it));
    }
    let mut about = Message::default();
    for it in resource {
        about.message(1, &attribute(it));
    }
    let mut of_resource = Message::default();
    of_resource.message(1, &about);
    of_resource.message(2, &of_scope);
    let mut request = Message::default();
    request.message(1, &of_resource);
    request.0
}

/// How many spans a collector did not want, by its answer (`ExportTraceServiceResponse`). What cannot be read
/// says nothing.
pub fn rejected(answer: &[u8]) -> u64 {
    let partial = fields(answer).into_iter().find_map(|field| match field {
        Field::Octets(1, octets) => Some(octets),
        _ => None,
    });
    let count = fields(partial.unwrap_or_default()).into_iter().find_map(|field| match field {
        Field::Number(1, count) => Some(count),
        _ => None,
    });
    // A number below zero would be a very large one.
    count.filter(|count| *count <= i64::MAX as u64).unwrap_or(0)
}

fn span(it: &Span) -> Message {
    let mut out = Message::default();
    out.octets(1, it.trace.octets());
    out.octets(2, it.id.octets());
    if let Some(parent) = &it.parent {
        out.octets(4, parent.octets());
    }
    out.text(5, &it.name);
    out.number(6, kind(it.kind));
    out.time(7, it.began);
    out.time(8, it.ended);
    for known in &it.attributes {
        out.message(9, &attribute(known));
    }
    for happened in &it.events {
        out.message(11, &event(happened));
    }
    if let Some(error) = &it.error {
        let mut status = Message::default();
        status.text(2, error);
        status.number(3, STATUS_ERROR);
        out.message(15, &status);
    }
    // The lower octet are the flags of W3C: it is sampled, or nobody would tell of it.
    out.fixed32(16, SAMPLED);
    out
}

fn event(it: &Event) -> Message {
    let mut out = Message::default();
    out.time(1, it.at);
    out.text(2, it.name);
    for known in &it.attributes {
        out.message(3, &attribute(known));
    }
    out
}

fn attribute((key, value): &Attribute) -> Message {
    let mut any = Message::default();
    match value {
        Value::Text(text) => any.text(1, text),
        Value::Bool(it) => any.number(2, u64::from(*it)),
        // Numbers below zero have ten octets.
        Value::Int(number) => any.number(3, number.cast_unsigned()),
        Value::Double(number) => any.fixed64(4, number.to_bits()),
    }
    let mut out = Message::default();
    out.text(1, key);
    out.message(2, &any);
    out
}

fn kind(kind: Kind) -> u64 {
    match kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
    }
}

/// A message that is being written.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn tag(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    fn number(&mut self, field: u64, number: u64) {
        self.tag(field, VARINT);
        self.varint(number);
    }

    fn octets(&mut self, field: u64, octets: &[u8]) {
        self.tag(field, OCTETS);
        self.varint(octets.len() as u64);
        self.0.extend_from_slice(octets);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.octets(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.octets(field, &message.0);
    }

    fn fixed64(&mut self, field: u64, number: u64) {
        self.tag(field, FIXED64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn fixed32(&mut self, field: u64, number: u32) {
        self.tag(field, FIXED32);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A time since the Unix epoch, in nanoseconds.
    fn time(&mut self, field: u64, at: Duration) {
        self.fixed64(field, u64::try_from(at.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// A field of a message that is read.
enum Field<'a> {
    Number(u64, u64),
    Octets(u64, &'a [u8]),
    /// Of a kind that nothing of ours has.
    Other,
}

/// The fields as far as they can be read.
fn fields(mut message: &[u8]) -> Vec<Field<'_>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let Some((field, rest)) = field(message) else { break };
        found.push(field);
        message = rest;
    }
    found
}

fn field(message: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (tag, rest) = varint(message)?;
    let field = tag >> 3;
    match tag & 7 {
        VARINT => {
            let (number, rest) = varint(rest)?;
            Some((Field::Number(field, number), rest))
        }
        FIXED64 => Some((Field::Other, rest.get(8..)?)),
        OCTETS => {
            let (length, rest) = varint(rest)?;
            let (octets, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((Field::Octets(field, octets), rest))
        }
        FIXED32 => Some((Field::Other, rest.get(4..)?)),
        _ => None,
    }
}

fn varint(message: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (at, octet) in message.iter().enumerate().take(10) {
        number |= u64::from(octet & 0x7f).checked_shl(7 * at as u32)?;
        if octet & 0x80 == 0 {
            return Some((number, message.get(at + 1..)?));
        }
    }
    None
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const OCTETS: u64 = 2;
const FIXED32: u64 = 5;

/// `STATUS_CODE_ERROR`.
const STATUS_ERROR: u64 = 2;

/// The flag of W3C.
const SAMPLED: u32 = 1;

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    };
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use prost::Message as _;

    use super::*;
    use crate::base::trace_context::{SpanId, TraceId};

    fn span() -> Span {
        Span {
            trace: TraceId::new([7; 16]).expect("an identity"),
            id: SpanId::new([8; 8]).expect("an identity"),
            parent: SpanId::new([9; 8]),
            name: "t\u{fc}r".repeat(60),
            kind: Kind::Client,
            began: Duration::new(1_700_000_000, 1),
            ended: Duration::new(1_700_000_001, 999_999_999),
            attributes: vec![
                ("text", Value::from("gr\u{fc}n")),
                ("yes", Value::from(true)),
                ("less", Value::from(-300)),
                ("half", Value::from(0.5)),
            ],
            events: vec![Event { at: Duration::from_secs(1), name: "one", attributes: Vec::new() }],
            error: Some("busy".to_owned()),
        }
    }

    #[test]
    fn others_read_what_is_written() {
        let octets = request(&[("service.name", Value::from("here"))], &[span(), span()]);
        let read = ExportTraceServiceRequest::decode(&*octets).expect("it is one");
        // Read by another hand and written by it, it is the same.
        assert_eq!(read.encode_to_vec(), octets);
        let [of_resource] = read.resource_spans.as_slice() else { panic!("{read:?}") };
        let resource = of_resource.resource.as_ref().expect("a resource");
        assert_eq!(resource.attributes.len(), 1);
        let spans = &of_resource.scope_spans[0].spans;
        assert_eq!(spans.len(), 2);
        let (told, known) = (span(), &spans[0]);
        assert_eq!(
            (known.trace_id.as_slice(), known.span_id.as_slice()),
            (&[7; 16][..], &[8; 8][..])
        );
        assert_eq!((known.parent_span_id.as_slice(), &known.name), (&[9; 8][..], &told.name));
        assert_eq!(known.start_time_unix_nano, 1_700_000_000_000_000_001);
        assert_eq!(known.end_time_unix_nano, 1_700_000_001_999_999_999);
        assert_eq!((known.kind, known.flags), (3, 1));
        let values: Vec<_> =
            known.attributes.iter().filter_map(|it| it.value.clone()?.value).collect();
        let expected = [
            Any::StringValue("gr\u{fc}n".to_owned()),
            Any::BoolValue(true),
            Any::IntValue(-300),
            Any::DoubleValue(0.5),
        ];
        assert_eq!(values, expected);
        assert_eq!(known.events[0].name, "one");
        let status = known.status.as_ref().expect("a status");
        assert_eq!((status.code, status.message.as_str()), (2, "busy"));
    }

    #[test]
    fn it_is_read_how_many_were_not_wanted() {
        let answer = |rejected_spans| {
            let partial_success = Some(ExportTracePartialSuccess {
                rejected_spans,
                error_message: "too old".to_owned(),
            });
            ExportTraceServiceResponse { partial_success }.encode_to_vec()
        };
        assert_eq!(rejected(&answer(300)), 300);
        assert_eq!(rejected(&answer(0)), 0);
        assert_eq!(rejected(&answer(-1)), 0);
        assert_eq!(rejected(b""), 0);
        assert_eq!(rejected(b"<html>"), 0);
        for end in 0..answer(300).len() {
            rejected(&answer(300)[..end]);
        }
        rejected(&[0xff; 64]);
    }
}
