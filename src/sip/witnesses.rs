//! Parsers of other people as witnesses: where they read SIP at all, they read what we read.
#![cfg(test)]

use bytes::Bytes;
use ezk_sip_types::header::typed::{CSeq, CallID, FromTo, Via};
use ezk_sip_types::msg::{Line, MessageLine, PullParser};
use ezk_sip_types::parse::Parse;
use ezk_sip_types::print::AppendCtx;
use ezk_sip_types::{Headers, Name as TheirName};
use proptest::prelude::*;

use super::message::Message;
use super::method::Method;
use super::print::Builder;
use super::torture::valid;

/// The first line and the headers as `ezk-sip-types` reads them.
fn read_by_ezk(octets: &Bytes) -> (MessageLine, Headers) {
    let mut lines = PullParser::new(octets, 0).map(|line| {
        let line = line.expect("ezk finds every line");
        std::str::from_utf8(line).expect("it is text")
    });
    let first = lines.next().expect("a first line");
    let (_, first) = MessageLine::parse(octets)(first).expect("ezk reads the first line");
    let mut headers = Headers::new();
    for line in lines {
        let (_, line) = Line::parse(octets, line).expect("ezk reads the line");
        headers.insert(line.name, line.value);
    }
    (first, headers)
}

/// Where an address leads, in our words and in theirs.
fn same_address(ours: &Message, theirs: &FromTo, is_from: bool) {
    let ours = if is_from { ours.from() } else { ours.to() }.expect("valid");
    assert_eq!(theirs.tag.as_deref(), ours.tag());
    assert_eq!(theirs.uri.uri.default_print_ctx().to_string(), ours.uri().as_str());
    let name = theirs.uri.name.as_deref().map(str::to_owned);
    assert_eq!(name, ours.display().map(std::borrow::Cow::into_owned));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// It knows names for people, parameters, compact header names and IPv6.
    #[test]
    fn ezk_agrees_on_messages_as_phones_write_them(
        method in prop::sample::select(vec!["INVITE", "BYE", "OPTIONS", "REGISTER", "CANCEL"]),
        user in "[a-z0-9]{1,10}",
        host in "([a-z]{1,8}\\.(com|org)|192\\.0\\.2\\.[1-9]|\\[2001:db8::[1-9]\\])",
        port in 1_u16..,
        name in "[A-Za-z]{1,8}( [A-Za-z]{1,8})?",
        tag in "[A-Za-z0-9]{1,12}",
        number in 0_u32..1 << 31,
        compact in any::<bool>(),
    ) {
        let method = Method::from_token(method.as_bytes()).expect("a token");
        let named = |long: &'static str, short: &'static str| if compact { short } else { long };
        let printed = format!(
            "{method} sip:{user}@{host}:{port};transport=tcp SIP/2.0\r\n\
             {}: SIP/2.0/TCP {host}:{port};branch=z9hG4bK{tag};rport\r\n\
             Max-Forwards: 70\r\n\
             {}: \"{name}\" <sip:{user}@{host};user=phone>;tag={tag}\r\n\
             {}: <sip:{user}@{host}>\r\n\
             {}: {tag}@{user}\r\n\
             CSeq: {number} {method}\r\n\
             {}: 0\r\n\r\n",
            named("Via", "v"), named("From", "f"), named("To", "t"), named("Call-ID", "i"),
            named("Content-Length", "l"),
        );
        let ours = valid(&printed);
        let (first, headers) = read_by_ezk(ours.bytes());
        let MessageLine::Request(request) = first else { panic!("it is a request") };
        prop_assert_eq!(request.method.to_string(), method.as_str());
        prop_assert_eq!(request.uri.default_print_ctx().to_string(), ours.request_uri().expect("valid").as_str());
        let from: FromTo = headers.get(TheirName::FROM).expect("valid");
        same_address(&ours, &from, true);
        let to: FromTo = headers.get(TheirName::TO).expect("valid");
        same_address(&ours, &to, false);
        let call: CallID = headers.get_named().expect("valid");
        prop_assert_eq!(&*call.0, ours.call_id().expect("valid"));
        let cseq: CSeq = headers.get_named().expect("valid");
        prop_assert_eq!(cseq.cseq, ours.cseq().expect("valid").number);
        let via: Via = headers.get_named().expect("valid");
        let our_via = ours.top_via().expect("valid");
        prop_assert_eq!(&*via.transport, our_via.transport());
        prop_assert_eq!(via.sent_by.port, our_via.port());
        prop_assert_eq!(via.sent_by.host.to_string(), our_via.host().to_string());
        prop_assert_eq!(via.params.get_val("branch").map(|it| &**it), our_via.branch());
    }

    /// `rsip` reads a subset of SIP right: no folds, compact names, unknown words, IPv6 or `tel:`.
    #[test]
    fn a_second_parser_agrees_on_plain_messages(
        method in prop::sample::select(vec!["INVITE", "BYE", "OPTIONS", "REGISTER", "CANCEL"]),
        user in "[a-z0-9]{1,10}",
        host in "[a-z]{1,8}\\.(com|org)",
        port in 1_u16..,
        tag in "[A-Za-z0-9]{1,12}",
        number in 0_u32..1 << 31,
        body in "[a-z=\r\n]{0,60}",
    ) {
        use rsip::prelude::{HeadersExt, ToTypedHeader};

        let method = Method::from_token(method.as_bytes()).expect("a token");
        let printed = Builder::request(&method, &format!("sip:{user}@{host}:{port}"))
            .header("Via", &format!("SIP/2.0/UDP {host}:{port};branch=z9hG4bK{tag}"))
            .header("Max-Forwards", "70")
            .header("From", &format!("<sip:{user}@{host}>;tag={tag}"))
            .header("To", &format!("<sip:{user}@{host}>"))
            .header("Call-ID", &format!("{tag}@{host}"))
            .header("CSeq", &format!("{number} {method}"))
            .finish_with("text/plain", body.as_bytes());
        let ours = valid(&printed);
        let theirs = rsip::Request::try_from(printed.as_ref()).expect("rsip reads it");
        prop_assert_eq!(theirs.method.to_string(), method.as_str());
        prop_assert_eq!(theirs.uri.to_string(), ours.request_uri().expect("valid").as_str());
        prop_assert_eq!(theirs.headers.iter().count(), ours.fields().count());
        prop_assert_eq!(Bytes::from(theirs.body.clone()), ours.body());
        let from = theirs.from_header().expect("there").typed().expect("valid");
        let our_from = ours.from().expect("valid");
        prop_assert_eq!(from.tag().map(|tag| tag.value()), our_from.tag());
        prop_assert_eq!(from.uri.to_string(), our_from.uri().as_str());
        let cseq = theirs.cseq_header().expect("there").typed().expect("valid");
        prop_assert_eq!(cseq.seq, ours.cseq().expect("valid").number);
        let via = theirs.via_header().expect("there").typed().expect("valid");
        let our_via = ours.top_via().expect("valid");
        prop_assert_eq!(via.branch().map(|branch| branch.value()), our_via.branch());
        prop_assert_eq!(via.uri.host_with_port.to_string(), format!("{host}:{port}"));
    }
}
