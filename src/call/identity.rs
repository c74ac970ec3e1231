//! Who calls whom, in the headers that carriers and telephone systems use for it.

use crate::call::placement::Caller;

/// From and further headers for a call that goes by no trunk.
pub fn plain(caller: &Caller, host: &str) -> (String, Vec<(String, String)>) {
    if caller.anonymous {
        let privacy = ("Privacy".to_owned(), "id".to_owned());
        return (ANONYMOUS.to_owned(), vec![privacy]);
    }
    let user = if caller.number.is_empty() { "voxtrunk" } else { &caller.number };
    (address(caller.name.as_deref(), user, host), diversion(caller, host))
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
fn diversion(caller: &Caller, host: &str) -> Vec<(String, String)> {
    let diverted = caller.diverted_by.as_deref().map(|number| {
        let address = address(None, number, host);
        ("Diversion".to_owned(), format!("{address};reason=unconditional"))
    });
    diverted.into_iter().collect()
}

/// Escapes what may not stand in the user part of a SIP URI (RFC 3261 25.1).
fn escaped(user: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte);
    let write = |byte: u8| match byte {
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    user.bytes().map(write).collect()
}

/// From of somebody who does not say who he is (RFC 3323 4.1.1.3).
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
