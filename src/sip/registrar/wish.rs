//! What a REGISTER wants, read and weighed before anything is changed (RFC 3261 10.3).
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::time::Duration;

use super::bindings::{Contact, FULL};
use super::{Bounds, Reply};
use crate::sip::address::NameAddr;
use crate::sip::header::Name;
use crate::sip::message::Message;
use crate::sip::uri::Scheme;

/// What a REGISTER wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// To see what is bound.
    Show,
    /// To remove everything.
    Clear,
    /// To add, refresh and remove these.
    Bind(Vec<Contact>),
}

impl Wish {
    /// Reads a REGISTER.
    ///
    /// # Errors
    /// With the answer that refuses it: 400, 403 or 423.
    pub fn read(request: &Message, bounds: &Bounds) -> Result<Self, Reply> {
        let expires = request.expires().unwrap_or(None);
        let mut values = request.values(Name::Contact).peekable();
        if values.peek().is_none() {
            return Ok(Self::Show);
        }
        if request.is_any_contact() {
            return if expires == Some(0) { Ok(Self::Clear) } else { Err(Reply::of(400)) };
        }
        let mut contacts = Vec::new();
        for value in values {
            if contacts.len() >= MOST_CONTACTS {
                return Err(Reply::of(403));
            }
            let address = NameAddr::parse(value).ok_or(Reply::of(400))?;
            contacts.push(contact(&address, expires, bounds)?);
        }
        Ok(Self::Bind(contacts))
    }
}

/// The proxies between the phone and us, the nearest first: what a request to it is routed by
/// (RFC 3327 5.3).
///
/// # Errors
/// With the answer that refuses it, when they are malformed or too many.
pub fn path(request: &Message) -> Result<Vec<String>, Reply> {
    let mut path = Vec::new();
    for value in request.values(Name::Path) {
        let address = NameAddr::parse(value).ok_or(Reply::of(400))?;
        if path.len() >= MOST_PROXIES || value.len() > LONGEST {
            return Err(Reply::of(403));
        }
        path.push(format!("<{}>", address.uri()));
    }
    Ok(path)
}

fn contact(
    address: &NameAddr<'_>,
    expires: Option<u32>,
    bounds: &Bounds,
) -> Result<Contact, Reply> {
    let (uri, params) = (address.uri(), address.params());
    let is_sip = matches!(uri.scheme(), Scheme::Sip | Scheme::Sips);
    if !is_sip || uri.headers().is_some() || uri.as_str().len() > LONGEST {
        return Err(Reply::of(400));
    }
    // A malformed number counts as an hour, and is then cut to what may be (20.10).
    let own = params.value("expires").map(|text| text.parse().unwrap_or(AN_HOUR));
    let seconds = own.or(expires);
    let asked = seconds.map_or(bounds.usual, |seconds| Duration::from_secs(seconds.into()));
    if !asked.is_zero() && asked < bounds.least {
        let least = bounds.least.as_secs().to_string();
        return Err(Reply { status: 423, headers: vec![("Min-Expires", least)] });
    }
    let instance = params.find("+sip.instance").map(|param| param.text().into_owned());
    let instance = instance.filter(|text| text.len() <= LONGEST && text.chars().all(is_quotable));
    let flow = params.value("reg-id").and_then(|text| text.parse().ok());
    Ok(Contact {
        uri: uri.as_str().to_owned(),
        device: instance.zip(flow),
        preference: params.value("q").and_then(preference).unwrap_or(FULL),
        lasts: asked.min(bounds.most),
    })
}

/// Reads 0 to 1 with up to three digits behind the point, as thousandths (RFC 3261 25.1).
fn preference(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let fits = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let part: u16 = format!("{part:0<3}").parse().ok().filter(|_| fits)?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(FULL),
        _ => None,
    }
}

fn is_quotable(c: char) -> bool {
    !c.is_control() && !matches!(c, '"' | '\\')
}

/// How many contacts one request may have.
const MOST_CONTACTS: usize = 10;

/// How many proxies may stand between a phone and us.
const MOST_PROXIES: usize = 4;

/// The longest URI that is kept, in octets.
const LONGEST: usize = 512;

const AN_HOUR: u32 = 3_600;

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn read(headers: &str) -> Result<Wish, Reply> {
        let text = format!(
            "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:1@h>;tag=a\r\n\
             To: <sip:1@h>\r\nCall-ID: a\r\nCSeq: 1 REGISTER\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        let message = Message::parse_datagram(&text.into()).expect("a request");
        Wish::read(&message, &Bounds::default())
    }

    fn lasts(headers: &str) -> u64 {
        match read(headers) {
            Ok(Wish::Bind(contacts)) => contacts[0].lasts.as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_time_of_a_contact_is_its_own_or_that_of_the_request_within_bounds() {
        assert_eq!(lasts("Contact: <sip:1@a>;expires=90\r\nExpires: 120\r\n"), 90);
        assert_eq!(lasts("Contact: <sip:1@a>\r\nExpires: 120\r\n"), 120);
        assert_eq!(lasts("Contact: <sip:1@a>\r\n"), 3_600);
        assert_eq!(lasts("Contact: <sip:1@a>;expires=soon\r\nExpires: 120\r\n"), 3_600);
        assert_eq!(lasts("Contact: <sip:1@a>\r\nExpires: 999999999999\r\n"), 3_600);
        assert_eq!(lasts("Contact: <sip:1@a>\r\nExpires: 0\r\n"), 0);
        let brief = read("Contact: <sip:1@a>;expires=59\r\n").expect_err("too brief");
        assert_eq!((brief.status, brief.headers), (423, vec![("Min-Expires", "60".to_owned())]));
    }

    #[test]
    fn a_star_removes_everything_and_only_with_expires_0() {
        assert_eq!(read("Contact: *\r\nExpires: 0\r\n"), Ok(Wish::Clear));
        for wrong in [
            "Contact: *\r\n",
            "Contact: *\r\nExpires: 60\r\n",
            "Contact: *, <sip:1@a>\r\nExpires: 0\r\n",
            "Contact: <tel:+49711>\r\n",
            "Contact: <sip:1@a?Route=x>\r\n",
        ] {
            assert_eq!(read(wrong).expect_err(wrong).status, 400, "{wrong}");
        }
        assert_eq!(read(""), Ok(Wish::Show));
    }

    #[test]
    fn preference_and_device_are_read_and_nonsense_is_not() {
        let known = "Contact: <sip:1@a>;q=0.25;reg-id=2;+sip.instance=\"<urn:uuid:7>\"\r\n";
        let Ok(Wish::Bind(contacts)) = read(known) else { panic!("{known}") };
        assert_eq!(contacts[0].preference, 250);
        assert_eq!(contacts[0].device, Some(("<urn:uuid:7>".to_owned(), 2)));
        let odd = "Contact: <sip:1@a>;q=2;reg-id=x;+sip.instance=\"<urn:uuid:7>\"\r\n";
        let Ok(Wish::Bind(contacts)) = read(odd) else { panic!("{odd}") };
        assert_eq!((contacts[0].preference, &contacts[0].device), (FULL, &None));
        assert_eq!(preference("0"), Some(0));
        assert_eq!(preference("1.000"), Some(FULL));
        for wrong in ["1.1", "", ".5", "0.1234", "-1", "0.1.1"] {
            assert_eq!(preference(wrong), None, "{wrong}");
        }
        let many = "Contact: <sip:1@a>\r\n".repeat(11);
        assert_eq!(read(&many).expect_err("too many").status, 403);
    }
}
