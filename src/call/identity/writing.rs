//! What our INVITE says of caller and called.

use super::{Identity, Profile};
use crate::call::placement::Caller;

/// The addresses of an INVITE and the headers that go with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The Request-URI.
    pub target: String,
    /// From, without a tag.
    pub from: String,
    /// Who calls, where From does not say it.
    pub headers: Vec<(String, String)>,
    /// Both numbers in one form, the caller's and the called one: what may be signed. A number that
    /// is withheld is signed by nobody, for the signature would tell it.
    pub signed: Option<(String, String)>,
}

/// Writes a call to `number` by a trunk.
pub fn write(profile: &Profile, number: &str, caller: &Caller) -> Written {
    let (domain, numbering) = (&profile.domain, &profile.numbering);
    let target = format!("sip:{}@{domain}", escaped(&numbering.write(number)));
    let chosen = Some(caller.number.as_str()).filter(|number| !number.is_empty());
    let chosen = chosen.or(profile.caller_id.as_deref());
    let signed = chosen
        .filter(|_| !caller.anonymous)
        .map(|caller| (numbering.read(caller), numbering.read(number)));
    let number = chosen.map(|number| numbering.write(number));
    let user = Some(profile.user.as_ref()).filter(|user| !user.is_empty());
    let shown = number.as_deref().or(user).unwrap_or("anonymous");
    let account = user.unwrap_or(shown);
    let name = caller.name.as_deref();
    let mut headers = Vec::new();
    let mut say = |name: &str, value: String| headers.push((name.to_owned(), value));
    let from = match profile.identity {
        Identity::From => address(name, shown, domain),
        Identity::FromDisplay => address(Some(shown), account, domain),
        Identity::Ppi | Identity::Pai | Identity::Rpid => address(name, account, domain),
    };
    let own = address(name.filter(|_| !caller.anonymous), shown, domain);
    match profile.identity {
        Identity::Ppi => say("P-Preferred-Identity", own),
        Identity::Pai => say("P-Asserted-Identity", own),
        Identity::Rpid => {
            let privacy = if caller.anonymous { "full" } else { "off" };
            say("Remote-Party-ID", format!("{own};party=calling;screen=yes;privacy={privacy}"));
        }
        // The carrier must know who pays even when the called party shall not see it.
        Identity::From | Identity::FromDisplay if caller.anonymous => {
            say("P-Preferred-Identity", own);
        }
        Identity::From | Identity::FromDisplay => {}
    }
    if caller.anonymous {
        say("Privacy", "id".to_owned());
    }
    if let Some(number) = &caller.diverted_by {
        say("Diversion", diversion(&numbering.write(number), domain));
    }
    let from = if caller.anonymous { ANONYMOUS.to_owned() } else { from };
    Written { target, from, headers, signed }
}

/// From and further headers for a call that goes by no trunk.
pub fn plain(caller: &Caller, host: &str) -> (String, Vec<(String, String)>) {
    if caller.anonymous {
        let privacy = ("Privacy".to_owned(), "id".to_owned());
        return (ANONYMOUS.to_owned(), vec![privacy]);
    }
    let user = if caller.number.is_empty() { "voxtrunk" } else { &caller.number };
    let diverted = caller.diverted_by.as_deref();
    let headers = diverted.map(|number| ("Diversion".to_owned(), diversion(number, host)));
    (address(caller.name.as_deref(), user, host), headers.into_iter().collect())
}

/// Writes `"Name" <sip:user@host>`.
fn address(name: Option<&str>, user: &str, host: &str) -> String {
    let uri = format!("<sip:{}@{host}>", escaped(user));
    match name.map(str::trim).filter(|name| !name.is_empty()) {
        Some(name) => {
            let name = name.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{name}\" {uri}")
        }
        None => uri,
    }
}

/// Who forwarded the call to us (RFC 5806).
fn diversion(number: &str, host: &str) -> String {
    format!("{};reason=unconditional", address(None, number, host))
}

/// Escapes what may not stand in the user part of a SIP URI (RFC 3261 25.1).
fn escaped(user: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,".contains(&byte);
    let write = |byte: u8| match byte {
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    user.bytes().map(write).collect()
}

/// From of somebody who does not say who he is (RFC 3323 4.1.1.3).
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
