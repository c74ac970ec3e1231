//! Callers and called, as carriers write them and want them written.

use bytes::Bytes;

use super::*;
use crate::base::country::Country;
use crate::call::numbering::Format;
use crate::call::placement::Caller;
use crate::sip::event::{Flow, Incoming, SessionId};

fn profile(format: Format, identity: Identity) -> Profile {
    Profile {
        numbering: Numbering { country: Country::GERMANY, format },
        identity,
        did_from: vec![DidPlace::RequestUri, DidPlace::To, DidPlace::PCalledPartyId],
        is_trusted: true,
        user: "1234567t0".into(),
        domain: "carrier.example".into(),
        caller_id: Some("+4971100".to_owned()),
        line: None,
        contact_user: "vt-x1".into(),
    }
}

fn incoming(called: &str, from: (&str, Option<&str>), headers: &[(&str, &str)]) -> Incoming {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let address = |text: &str| text.parse().expect("an address");
    let flow = Flow::udp(address("192.0.2.1:5060"), address("192.0.2.9:5060"));
    Incoming {
        session: SessionId(1),
        flow,
        phone: None,
        trunk: None,
        request_uri: format!("sip:{called}@192.0.2.1"),
        called_user: called.to_owned(),
        calling_user: from.0.to_owned(),
        calling_name: from.1.map(str::to_owned),
        sip_call_id: "c".to_owned(),
        user_agent: None,
        headers: headers.iter().map(pair).collect(),
        body: Bytes::new(),
        replaces: None,
    }
}

fn caller(number: &str) -> Caller {
    Caller { number: number.to_owned(), name: Some("Ann".to_owned()), ..Caller::default() }
}

#[test]
fn the_called_number_is_found_where_the_trunk_puts_it() {
    let profile = profile(Format::E164, Identity::Ppi);
    let table: [(&str, &[(&str, &str)], &str); 5] = [
        ("4971112345", &[], "+4971112345"),
        ("vt-x1", &[("To", "<sip:4971112346@h>")], "+4971112346"),
        ("vt-x1", &[("To", "<sip:1234567t0@h>"), ("P-Called-Party-ID", "<tel:+49711>")], "+49711"),
        ("1234567t0", &[("To", "\"x\" <sip:4971112347@h>;tag=1")], "+4971112347"),
        ("vt-x1", &[], "vt-x1"),
    ];
    for (called, headers, number) in table {
        let said = read(&profile, &incoming(called, ("x", None), headers));
        assert_eq!(said.called, number, "{called} {headers:?}");
    }
    let silent = Profile { did_from: Vec::new(), ..profile.clone() };
    let invite = incoming("vt-x1", ("x", None), &[("To", "<sip:4971112346@h>")]);
    assert_eq!(read(&silent, &invite).called, "+4971112346");
    let line = Profile { line: Some("+4971100".to_owned()), ..profile };
    assert_eq!(read(&line, &incoming("vt-x1", ("x", None), &[])).called, "+4971100");
}

#[test]
fn only_a_trusted_trunk_says_who_calls_in_another_header() {
    let headers = [("P-Asserted-Identity", "\"Carl, B.\" <sip:4930123456@h>, <tel:+4930>")];
    let invite = incoming("4971112345", ("4940999999", Some("Fake")), &headers);
    let trusted = profile(Format::E164, Identity::Ppi);
    let said = read(&trusted, &invite);
    assert_eq!((said.caller.as_str(), said.name.as_deref()), ("+4930123456", Some("Carl, B.")));
    let stranger = Profile { is_trusted: false, ..trusted };
    let said = read(&stranger, &invite);
    assert_eq!((said.caller.as_str(), said.name.as_deref()), ("+4940999999", Some("Fake")));
}

#[test]
fn whoever_withholds_his_number_has_none() {
    let profile = profile(Format::PlusE164, Identity::Pai);
    let pai = ("P-Asserted-Identity", "<sip:+4930123456@h>");
    for headers in [
        [pai, ("Privacy", "user;id")],
        [pai, ("From", "\"A\" <sip:anonymous@anonymous.invalid>;tag=x")],
    ] {
        let said = read(&profile, &incoming("+49711", ("x", Some("A")), &headers));
        assert!(said.is_anonymous);
        assert_eq!((said.caller.as_str(), said.name), ("anonymous", None));
    }
    let none = read(&profile, &incoming("+49711", ("x", None), &[pai, ("Privacy", "none")]));
    assert!(!none.is_anonymous);
}

#[test]
fn who_forwarded_the_call_is_kept() {
    let profile = profile(Format::National, Identity::From);
    let diversion = [("Diversion", "<sip:071155555@h>;reason=no-answer, <sip:1@h>")];
    let said = read(&profile, &incoming("071112345", ("x", None), &diversion));
    assert_eq!(said.diverted_by.as_deref(), Some("+4971155555"));
    let history = [("History-Info", "<sip:071155555@h>;index=1, <sip:071112345@h>;index=1.1")];
    let said = read(&profile, &incoming("071112345", ("x", None), &history));
    assert_eq!(said.diverted_by.as_deref(), Some("+4971155555"));
}

#[test]
fn each_carrier_gets_the_caller_where_it_wants_him() {
    let own = |value: &str| value.replace("N", "49711123").replace("D", "carrier.example");
    let table = [
        (Identity::From, "\"Ann\" <sip:N@D>", None),
        (Identity::FromDisplay, "\"N\" <sip:1234567t0@D>", None),
        (Identity::Ppi, "\"Ann\" <sip:1234567t0@D>", Some("P-Preferred-Identity")),
        (Identity::Pai, "\"Ann\" <sip:1234567t0@D>", Some("P-Asserted-Identity")),
        (Identity::Rpid, "\"Ann\" <sip:1234567t0@D>", Some("Remote-Party-ID")),
    ];
    for (identity, from, header) in table {
        let profile = profile(Format::E164, identity);
        let written = write(&profile, "+4930123456", &caller("+49711123"));
        assert_eq!(written.target, "sip:4930123456@carrier.example");
        assert_eq!(written.from, own(from), "{identity:?}");
        let first = written.headers.first();
        assert_eq!(first.map(|(name, _)| name.as_str()), header, "{identity:?}");
        let value = first.map_or("", |(_, value)| value);
        assert!(header.is_none() || value.starts_with(&own("\"Ann\" <sip:N@D>")), "{value}");
    }
}

#[test]
fn a_withheld_number_is_told_to_the_carrier_alone() {
    for identity in [Identity::From, Identity::FromDisplay, Identity::Ppi, Identity::Pai] {
        let who = Caller { anonymous: true, ..caller("") };
        let written = write(&profile(Format::PlusE164, identity), "+4930", &who);
        assert!(written.from.ends_with("<sip:anonymous@anonymous.invalid>"));
        assert!(written.headers.contains(&("Privacy".to_owned(), "id".to_owned())));
        let (_, told) = &written.headers[0];
        assert_eq!(told, "<sip:+4971100@carrier.example>", "{identity:?}");
    }
}

#[test]
fn names_and_numbers_cannot_break_out_of_their_header() {
    let who = Caller {
        number: "1>@evil".to_owned(),
        name: Some("a\" <sip:evil@h>\\".to_owned()),
        ..Caller::default()
    };
    let written = write(&profile(Format::E164, Identity::From), "x@evil;y", &who);
    assert_eq!(written.target, "sip:x%40evil%3By@carrier.example");
    let from = crate::sip::address::NameAddr::parse(written.from.as_bytes()).expect("one address");
    assert_eq!(from.display().as_deref(), Some("a\" <sip:evil@h>\\"));
    assert_eq!(from.uri().user_unescaped(), "1>@evil");
}

#[test]
fn x_headers_become_variables_and_others_do_not() {
    let headers =
        [("X-Customer", "4711\u{1b}"), ("x-customer", "2"), ("Via", "x"), ("X-Tier", "gold")];
    let variables = header_variables(&incoming("1", ("x", None), &headers));
    let text = "{{ sip.header[\"X-Customer\"] }} {{ sip.header[\"X-Tier\"] }} {{ sip.header.Via }}";
    let rendered = crate::base::template::render(text, &variables).expect("it renders");
    assert_eq!(rendered, "4711 gold ");
}

#[test]
fn what_is_signed_is_the_number_that_we_believe_even_if_it_is_withheld() {
    let headers = [
        ("P-Asserted-Identity", "<sip:4930123456@h>"),
        ("To", "<sip:4971112346@h>"),
        ("Privacy", "id"),
    ];
    let incoming = incoming("4971112345", ("4989123456", None), &headers);
    let trusted = profile(Format::E164, Identity::Pai);
    let said = read(&trusted, &incoming);
    assert_eq!((said.caller.as_str(), said.caller_behind.as_str()), ("anonymous", "+4930123456"));
    assert_eq!((said.called.as_str(), said.addressed.as_str()), ("+4971112345", "+4971112346"));
    let stranger = Profile { is_trusted: false, ..trusted.clone() };
    assert_eq!(read(&stranger, &incoming).caller_behind, "+4989123456");

    let signed = |caller: &Caller| write(&trusted, "004989123456", caller).signed;
    let both = ("+4930123456".to_owned(), "+4989123456".to_owned());
    assert_eq!(signed(&caller("+4930123456")), Some(both));
    assert_eq!(signed(&Caller { anonymous: true, ..caller("+4930123456") }), None);
    let own = signed(&Caller::default()).map(|(caller, _)| caller);
    assert_eq!(own.as_deref(), Some("+4971100"), "the trunk says from which number");
}
