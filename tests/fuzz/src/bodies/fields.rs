//! The values of single headers.

use bytes::Bytes;
use voxtrunk::sip::address::{NameAddr, addresses};
use voxtrunk::sip::digest::{Authorization, Challenge, Credentials, Ha1, Hash, Signed, Turn};
use voxtrunk::sip::header::Name;
use voxtrunk::sip::identity::Identity;
use voxtrunk::sip::message::Message;
use voxtrunk::sip::method::Method;
use voxtrunk::sip::passport::Passport;
use voxtrunk::sip::print::Builder;
use voxtrunk::sip::uri::Uri;
use voxtrunk::sip::via::Via;

/// A URI is its own text, and equivalent to itself.
pub fn uri(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let Ok(uri) = Uri::parse(text) else { return };
    assert_eq!(uri.as_str(), text);
    assert!(uri.is_equivalent(&uri));
    let _ = (uri.user_unescaped(), uri.password(), uri.port(), uri.headers());
    let _ = (uri.host().map(|host| host.address()), uri.params().count(), uri.param("lr"));
    let again = Uri::parse(uri.as_str()).expect("it was one before");
    assert_eq!((again.scheme(), again.user()), (uri.scheme(), uri.user()));
}

/// An address holds a URI that can be read alone.
pub fn name_addr(octets: &[u8]) {
    if let Ok(text) = std::str::from_utf8(octets) {
        let _ = addresses(text).count();
    }
    let Some(address) = NameAddr::parse(octets) else { return };
    uri(address.uri().as_str().as_bytes());
    let display = address.display().unwrap_or_default();
    assert!(!display.contains(char::is_control), "a name goes into logs: {display:?}");
    let _ = (address.tag(), address.params().iter().count());
}

/// A Via tells where an answer goes.
pub fn via(octets: &[u8]) {
    let Some(via) = Via::parse(octets) else { return };
    let _ = (via.rport(), via.received(), via.maddr(), via.ttl(), via.unique_branch());
    let _ = (via.port(), via.params().iter().count());
    assert!(!via.transport().is_empty());
    assert!(via.host().is_equivalent(&via.host()));
}

/// Challenges and answers to them: each that can be read can be answered or judged.
pub fn auth_header(octets: &[u8]) {
    let by = Credentials { username: "ann".to_owned(), password: "secret".to_owned().into() };
    let signed = Signed { method: "REGISTER", uri: "sip:example.com", body: b"" };
    for challenge in Challenge::read(octets) {
        let answer = challenge.answer(&by, &signed, Turn { number: 1, cnonce: "c" });
        // Whatever the realm holds, it is one line of the request.
        let request = Builder::request(&Method::Register, "sip:example.com")
            .header("Authorization", &answer)
            .finish();
        let request = Message::parse_datagram(&request).map(|it| it.fields().count());
        assert!(matches!(request, Ok(2)), "{answer:?}");
    }
    let Some(answer) = Authorization::read(octets) else { return };
    let ha1 = Ha1::new(Hash::Md5, ["ann", "example.com", "secret"]);
    let _ = answer.is_made_with(&ha1, "REGISTER", b"");
}

/// An Identity with its PASSporT.
pub fn identity(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if let Ok(passport) = Passport::parse(text) {
        let _ = passport.claims.unsigned("https://cert.example.org/a.pem");
    }
    let Ok(identity) = Identity::parse(text) else { return };
    let _ = format!("{identity:?}");
    // It stands in a message like any other header.
    let printed = Builder::request(&Method::Invite, "sip:a@b").header("Identity", text).finish();
    if let Ok(message) = Message::parse_datagram(&Bytes::copy_from_slice(&printed)) {
        assert!(message.headers(Name::Identity).count() <= 1);
    }
}
