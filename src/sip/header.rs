//! Header fields: their names with the compact forms, and one field as it stands in a message.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;
use std::fmt;

use super::lexer;

/// Defines the known names once: variant, wire form, lower-case form and compact form.
macro_rules! names {
    ($($name:ident $text:literal $lower:literal $($compact:literal)?;)*) => {
        /// A header's name, however it was written: case does not matter and compact forms count
        /// (RFC 3261 7.3.1, 7.3.3, and the IANA registry).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Name {
            $($name,)*
            /// A name that this server does not look at; ask [`Field::name_text`].
            Other,
        }

        impl Name {
            /// How many there are.
            pub(super) const COUNT: usize = Self::Other.index() + 1;

            /// Its place among them.
            #[inline]
            pub(super) const fn index(self) -> usize {
                self as usize
            }

            /// Reads a name.
            pub fn from_text(text: &[u8]) -> Self {
                let mut place = place(text);
                while let Some(Some((known, name))) = PLACES.get(place) {
                    // Nearly everybody writes names as we do.
                    if lexer::is_same(text, known) || text.eq_ignore_ascii_case(known) {
                        return *name;
                    }
                    place = behind(place);
                }
                Self::Other
            }

            /// The name as we write it; empty for [`Name::Other`].
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other => "",
                }
            }
        }

        /// Every name, and its compact form, at the first free place from its own on.
        static PLACES: [Option<(&[u8], Name)>; LAST_PLACE + 1] = {
            let mut places: [Option<(&[u8], Name)>; LAST_PLACE + 1] = [None; LAST_PLACE + 1];
            $(put(&mut places, $text.as_bytes(), Name::$name); $(put(&mut places, $compact, Name::$name);)?)*
            places
        };

        #[cfg(test)]
        const KNOWN: &[(Name, &str, &[u8])] = &[$((Name::$name, $text, $lower),)*];
    };
}

/// Where a name is looked for first: its length, its first and its last letter, and one in the
/// middle tell nearly all of them apart, in any case.
const fn place(name: &[u8]) -> usize {
    let [first, .., last] = name else {
        return match name {
            [letter] => mixed(*letter, 1),
            _ => 0,
        };
    };
    let middle = match name.split_at_checked(name.len() / 2) {
        Some((_, [middle, ..])) => *middle,
        _ => 0,
    };
    let letters = mixed(*first, 3).wrapping_add(mixed(*last, 5)).wrapping_add(mixed(middle, 11));
    name.len().wrapping_mul(7).wrapping_add(letters) & LAST_PLACE
}

const fn mixed(letter: u8, by: usize) -> usize {
    ((letter | 0x20) as usize).wrapping_mul(by)
}

/// The place behind another one.
const fn behind(place: usize) -> usize {
    place.wrapping_add(1) & LAST_PLACE
}

/// There are three times as many places as names.
const LAST_PLACE: usize = 255;

/// Puts a name at the first free place.
#[expect(clippy::indexing_slicing, reason = "done by the compiler: a slip does not build")]
const fn put(
    places: &mut [Option<(&'static [u8], Name)>; LAST_PLACE + 1],
    text: &'static [u8],
    name: Name,
) {
    let mut at = place(text);
    while places[at].is_some() {
        at = behind(at);
    }
    places[at] = Some((text, name));
}

names! {
    Accept "Accept" b"accept";
    AcceptContact "Accept-Contact" b"accept-contact" b"a";
    AcceptEncoding "Accept-Encoding" b"accept-encoding";
    AcceptLanguage "Accept-Language" b"accept-language";
    AlertInfo "Alert-Info" b"alert-info";
    Allow "Allow" b"allow";
    AllowEvents "Allow-Events" b"allow-events" b"u";
    AuthenticationInfo "Authentication-Info" b"authentication-info";
    Authorization "Authorization" b"authorization";
    CallId "Call-ID" b"call-id" b"i";
    CallInfo "Call-Info" b"call-info";
    Contact "Contact" b"contact" b"m";
    ContentDisposition "Content-Disposition" b"content-disposition";
    ContentEncoding "Content-Encoding" b"content-encoding" b"e";
    ContentLength "Content-Length" b"content-length" b"l";
    ContentType "Content-Type" b"content-type" b"c";
    CSeq "CSeq" b"cseq";
    Date "Date" b"date";
    Diversion "Diversion" b"diversion";
    Event "Event" b"event" b"o";
    Expires "Expires" b"expires";
    From "From" b"from" b"f";
    HistoryInfo "History-Info" b"history-info";
    Identity "Identity" b"identity" b"y";
    IdentityInfo "Identity-Info" b"identity-info" b"n";
    MaxForwards "Max-Forwards" b"max-forwards";
    MinExpires "Min-Expires" b"min-expires";
    MinSe "Min-SE" b"min-se";
    PAssertedIdentity "P-Asserted-Identity" b"p-asserted-identity";
    PPreferredIdentity "P-Preferred-Identity" b"p-preferred-identity";
    Path "Path" b"path";
    Privacy "Privacy" b"privacy";
    ProxyAuthenticate "Proxy-Authenticate" b"proxy-authenticate";
    ProxyAuthorization "Proxy-Authorization" b"proxy-authorization";
    ProxyRequire "Proxy-Require" b"proxy-require";
    RAck "RAck" b"rack";
    Reason "Reason" b"reason";
    RecordRoute "Record-Route" b"record-route";
    ReferSub "Refer-Sub" b"refer-sub";
    ReferTo "Refer-To" b"refer-to" b"r";
    ReferredBy "Referred-By" b"referred-by" b"b";
    RejectContact "Reject-Contact" b"reject-contact" b"j";
    RemotePartyId "Remote-Party-ID" b"remote-party-id";
    Replaces "Replaces" b"replaces";
    RequestDisposition "Request-Disposition" b"request-disposition" b"d";
    Require "Require" b"require";
    RetryAfter "Retry-After" b"retry-after";
    Route "Route" b"route";
    RSeq "RSeq" b"rseq";
    Server "Server" b"server";
    ServiceRoute "Service-Route" b"service-route";
    SessionExpires "Session-Expires" b"session-expires" b"x";
    Subject "Subject" b"subject" b"s";
    SubscriptionState "Subscription-State" b"subscription-state";
    Supported "Supported" b"supported" b"k";
    Timestamp "Timestamp" b"timestamp";
    To "To" b"to" b"t";
    Unsupported "Unsupported" b"unsupported";
    UserAgent "User-Agent" b"user-agent";
    Via "Via" b"via" b"v";
    Warning "Warning" b"warning";
    WwwAuthenticate "WWW-Authenticate" b"www-authenticate";
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One header line of a message, folds included.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    pub(super) name: Name,
    pub(super) name_text: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Field<'a> {
    /// Which header it is.
    pub fn name(&self) -> Name {
        self.name
    }

    /// The name as it was written, or written out when it was compact.
    pub fn name_text(&self) -> &'a str {
        if self.name_text.len() == 1 && self.name != Name::Other {
            self.name.as_str()
        } else {
            lexer::proved(self.name_text)
        }
    }

    /// The value octet by octet, white space at the ends cut off, folds as they stand.
    pub fn value(&self) -> &'a [u8] {
        self.value
    }

    /// The value as text: folds become one space, octets that are no UTF-8 become U+FFFD.
    pub fn text(&self) -> Cow<'a, str> {
        lexer::text(self.value)
    }

    /// The values between commas, quotes and angle brackets respected. An empty line has none.
    pub fn values(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let is_blank = self.value.is_empty();
        lexer::Split::new(self.value, b',').filter(move |_| !is_blank)
    }
}

/// Why a header cannot be used. All of them mean 400 for a request, silence for a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It is not there.
    #[error("Missing {0} header")]
    Missing(Name),
    /// It is there twice, and each reader could choose another one.
    #[error("Repeated {0} header")]
    Repeated(Name),
    /// It does not follow its grammar.
    #[error("Malformed {0} header")]
    Malformed(Name),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_in_compact_form() {
        for (name, text, lower) in KNOWN {
            assert_eq!(text.to_ascii_lowercase().as_bytes(), *lower);
            assert_eq!(Name::from_text(text.as_bytes()), *name);
            assert_eq!(Name::from_text(text.to_ascii_uppercase().as_bytes()), *name);
        }
        let compact = "a u i m e l c o f y n r b j d x s k t v";
        for letter in compact.split(' ') {
            assert_ne!(Name::from_text(letter.as_bytes()), Name::Other, "{letter}");
        }
        assert_eq!(Name::from_text(b"C%6Fntact"), Name::Other);
        assert_eq!(Name::from_text(&[b'x'; 4_000]), Name::Other);
    }
}
