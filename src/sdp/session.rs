//! Reading a session description: repair, parser, limits.

use sdp_types::{Attribute, Media, Session};

use crate::sdp::refusal::Refusal;

/// Parses a body and keeps the limits of what we read: 32 KiB, 16 media lines, 512 attributes in
/// the session and in each of them.
///
/// # Errors
/// When the body is no session description or breaks a limit.
pub fn parse(body: &[u8]) -> Result<Session, Refusal> {
    if body.len() > MAX_LENGTH {
        return Err(Refusal::TOO_LARGE);
    }
    // A Latin-1 octet in a subject is no reason to lose the call: invalid UTF-8 becomes U+FFFD.
    let text = String::from_utf8_lossy(body);
    let session = Session::parse(text.as_bytes()).map_err(|_| Refusal::MALFORMED)?;
    let attributes = std::iter::once(&session.attributes);
    let mut attributes = attributes.chain(session.medias.iter().map(|media| &media.attributes));
    let crowded = attributes.any(|attributes| attributes.len() > MAX_ATTRIBUTES);
    if crowded || session.medias.len() > MAX_MEDIA {
        return Err(Refusal::TOO_LARGE);
    }
    Ok(session)
}

/// The values of all attributes of this name, in order; an attribute without a value has none.
pub fn values<'a>(attributes: &'a [Attribute], name: &'a str) -> impl Iterator<Item = &'a str> {
    attributes
        .iter()
        .filter(move |attribute| attribute.attribute.eq_ignore_ascii_case(name))
        .map(|attribute| attribute.value.as_deref().unwrap_or_default().trim())
}

/// The attributes of a media line, then those of the session, which hold where it says nothing.
pub fn in_force<'a>(session: &'a Session, media: &'a Media) -> impl Iterator<Item = &'a Attribute> {
    media.attributes.iter().chain(&session.attributes)
}

/// The attribute of RTP and RTCP on one port (RFC 5761).
pub const MUX: &str = "rtcp-mux";

const MAX_LENGTH: usize = 32 * 1024;
const MAX_MEDIA: usize = 16;
/// A browser writes more than a hundred about its pictures alone.
const MAX_ATTRIBUTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

    #[test]
    fn a_latin_1_octet_does_not_cost_the_call() {
        let mut body = HEAD.replace("s=-", "s=Zo?").into_bytes();
        let at = body.iter().position(|octet| *octet == b'?').expect("it stands there");
        body[at] = 0xEB;
        assert_eq!(parse(&body).map(|it| it.session_name), Ok("Zo\u{FFFD}".to_owned()));
    }

    #[test]
    fn limits_are_kept() {
        let with = |line: &str, count| format!("{HEAD}{}", line.repeat(count)).into_bytes();
        assert!(parse(&with("m=audio 4000 RTP/AVP 0\r\n", 16)).is_ok());
        let too_large = Err(Refusal::TOO_LARGE);
        assert_eq!(parse(&with("m=audio 4000 RTP/AVP 0\r\n", 17)), too_large);
        assert!(parse(&with("a=x\r\n", 512)).is_ok());
        assert_eq!(parse(&with("a=x\r\n", 513)), too_large);
        assert_eq!(parse(&vec![b'a'; 32 * 1024 + 1]), too_large);
        assert_eq!(parse(&with("m=audio 65536 RTP/AVP 0\r\n", 1)), Err(Refusal::MALFORMED));
        assert_eq!(parse(b"not a description"), Err(Refusal::MALFORMED));
    }
}
