//! Replaces (RFC 3891): a call that takes the place of another one, and how the two are named.

use crate::sip::dialog::state::DialogId;
use crate::sip::header::Name;
use crate::sip::message::Message;

/// The call that an INVITE is to replace, as its sender names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// The dialog, from our side.
    pub dialog: DialogId,
    /// Whether it is to be replaced only before it is answered.
    pub scope: Scope,
}

/// What may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A call in any state.
    Any,
    /// A call that is not answered yet: `early-only`.
    Early,
}

/// A Replaces header that cannot be used: 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Malformed Replaces header")]
pub struct Malformed;

impl Replaces {
    /// Reads the header of an INVITE, if there is one.
    ///
    /// # Errors
    /// When there are two of them, or one that breaks its grammar (RFC 3891 3).
    pub fn read(invite: &Message) -> Result<Option<Self>, Malformed> {
        let mut fields = invite.headers(Name::Replaces);
        let Some(field) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err(Malformed);
        }
        Self::parse(&field.text()).map(Some).ok_or(Malformed)
    }

    /// Reads `CALL-ID;to-tag=OURS;from-tag=THEIRS`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| is_word(id))?;
        let (mut to, mut from, mut scope) = (None, None, Scope::Any);
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (name.trim(), value.trim());
            let tag = if name.eq_ignore_ascii_case("to-tag") {
                &mut to
            } else if name.eq_ignore_ascii_case("from-tag") {
                &mut from
            } else {
                if name.eq_ignore_ascii_case("early-only") {
                    scope = Scope::Early;
                }
                continue;
            };
            if !is_word(value) || tag.replace(value).is_some() {
                return None;
            }
        }
        // A tag of 0 stands for none at all: RFC 3891 6.1.
        let tag = |tag: &str| if tag == "0" { String::new() } else { tag.to_owned() };
        let dialog =
            DialogId { call_id: call_id.to_owned(), local_tag: tag(to?), remote_tag: tag(from?) };
        Some(Self { dialog, scope })
    }
}

/// The header's value that names a dialog of ours to the peer at its other end.
pub fn named(dialog: &DialogId) -> String {
    let tag = |tag: &str| if tag.is_empty() { "0".to_owned() } else { tag.to_owned() };
    let DialogId { call_id, local_tag, remote_tag } = dialog;
    format!("{call_id};to-tag={};from-tag={}", tag(remote_tag), tag(local_tag))
}

/// A URI that asks for a call in the place of another one: with the header's value behind it.
pub fn uri(target: &str, value: &str) -> String {
    let escaped: String = value.bytes().map(escape).collect();
    let mark = if target.contains('?') { '&' } else { '?' };
    format!("{target}{mark}Replaces={escaped}")
}

/// Takes a Refer-To URI apart: the address, and the value of its Replaces header.
pub fn split(uri: &str) -> (String, Option<String>) {
    let Some((address, headers)) = uri.split_once('?') else { return (uri.to_owned(), None) };
    let value = headers.split('&').find_map(|header| {
        let (name, value) = header.split_once('=')?;
        name.eq_ignore_ascii_case("replaces").then(|| unescaped(value))?
    });
    (address.to_owned(), value)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic())
}

fn escape(octet: u8) -> String {
    let is_plain = octet.is_ascii_alphanumeric() || b"-_.!~*'()[]/:+$".contains(&octet);
    if is_plain { char::from(octet).to_string() } else { format!("%{octet:02X}") }
}

/// Undoes the escapes; nothing when they are broken, or hide a line end.
fn unescaped(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        octets.push(u8::try_from(high * 16 + low).ok()?);
    }
    let text = String::from_utf8(octets).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dialog() -> DialogId {
        DialogId {
            call_id: "12345@192.168.118.3".to_owned(),
            local_tag: "ours".to_owned(),
            remote_tag: "theirs".to_owned(),
        }
    }

    #[test]
    fn a_header_names_a_dialog_from_our_side() {
        let read = Replaces::parse("12345@192.168.118.3;from-tag=theirs; to-tag=ours");
        assert_eq!(read, Some(Replaces { dialog: dialog(), scope: Scope::Any }));
        let early = Replaces::parse("a;to-tag=0;from-tag=1;early-only").expect("it is one");
        assert_eq!((early.scope, early.dialog.local_tag.as_str()), (Scope::Early, ""));
        for wrong in
            ["", "a", "a;to-tag=1", "a;to-tag=1;from-tag=", "a;to-tag=1;to-tag=2;from-tag=3", ";x"]
        {
            assert_eq!(Replaces::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_attended_transfer_is_written_and_read() {
        let value = named(&dialog());
        assert_eq!(value, "12345@192.168.118.3;to-tag=theirs;from-tag=ours");
        let uri = uri("sip:b@192.0.2.3", &value);
        assert_eq!(
            uri,
            "sip:b@192.0.2.3?Replaces=12345%40192.168.118.3%3Bto-tag%3Dtheirs%3Bfrom-tag%3Dours"
        );
        assert_eq!(split(&uri), ("sip:b@192.0.2.3".to_owned(), Some(value)));
        assert_eq!(split("sip:b@c"), ("sip:b@c".to_owned(), None));
        let evil = split("sip:b@c?Replaces=x%0D%0AX-Evil:1");
        assert_eq!(evil, ("sip:b@c".to_owned(), None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn whatever_is_named_is_found(
            call_id in "[!-:<-~]{1,30}",
            local_tag in "[a-z1-9]{1,9}",
            remote_tag in "[a-z1-9]{1,9}",
        ) {
            let ours = DialogId { call_id, local_tag, remote_tag };
            let value = named(&ours);
            let (_, read) = split(&uri("sip:a@b", &value));
            prop_assert_eq!(read.as_deref(), Some(value.as_str()));
            let read = Replaces::parse(&value).expect("we wrote it").dialog;
            let theirs = DialogId {
                call_id: ours.call_id,
                local_tag: ours.remote_tag,
                remote_tag: ours.local_tag,
            };
            prop_assert_eq!(read, theirs);
        }

        #[test]
        fn any_text_is_survived(text in ".{0,60}") {
            let _ = Replaces::parse(&text);
            let _ = split(&text);
        }
    }
}
