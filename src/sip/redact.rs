//! Makes a message fit to be shown: what proves somebody's identity, keys of media and keys that a
//! caller presses are blotted out; all the rest stays as it was said.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// The text of a message without its secrets. It need not be one that can be read: lines are
/// looked at, and nothing is parsed. Octets that are no UTF-8 become replacement characters.
///
/// Blotted out are the answers to challenges (RFC 7616: `response`, `nonce` and what goes with
/// them), any other credentials, `inline` keys of SDES (RFC 4568), `k=` (RFC 4566), passwords in
/// URIs, and the keys in bodies of INFO.
pub fn redacted(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let mut shown = String::with_capacity(text.len());
    let mut secret = Secret::None;
    let mut in_body = false;
    for line in text.split_inclusive('\n') {
        let (content, end) = split_end(line);
        if content.is_empty() {
            in_body = true;
        }
        // A header goes on in the next line when that begins with a blank (RFC 3261 7.3.1).
        let goes_on = !in_body && content.starts_with([' ', '\t']);
        if !goes_on {
            secret = Secret::of(content);
        }
        match secret {
            Secret::None => shown.push_str(&without_passwords(content)),
            Secret::Header => shown.push_str(&without_credentials(content, goes_on)),
            Secret::Crypto => shown.push_str(&without_inline(content)),
            Secret::Value(length) => {
                shown.push_str(content.get(..length).unwrap_or_default());
                shown.push_str(BLOT);
            }
        }
        shown.push_str(end);
    }
    shown
}

/// What of a line nobody is to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secret {
    None,
    /// A header with credentials.
    Header,
    /// A key of SDES.
    Crypto,
    /// Everything behind so many octets.
    Value(usize),
}

impl Secret {
    fn of(line: &str) -> Self {
        let name = line.split(':').next().unwrap_or_default().trim_end();
        if CREDENTIALS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return Self::Header;
        }
        let begins = |start: &str| line.get(..start.len()).is_some_and(|it| is_same(it, start));
        if begins("a=crypto:") {
            Self::Crypto
        } else if begins("k=") {
            Self::Value(2)
        } else if begins("Signal=") {
            Self::Value(7)
        } else {
            Self::None
        }
    }
}

/// Blots out every parameter of digest that a password could be guessed by. What is not digest goes
/// altogether: nobody knows what it is worth.
fn without_credentials(line: &str, goes_on: bool) -> String {
    let (head, value) = match line.split_once(':') {
        Some((name, value)) if !goes_on => (format!("{name}:"), value),
        _ => (String::new(), line),
    };
    let is_digest = value.trim_start().get(..6).is_some_and(|it| is_same(it, "digest"))
        || head.to_ascii_lowercase().contains("info")
        || goes_on;
    if !is_digest {
        return format!("{head} {BLOT}");
    }
    let mut shown = head;
    for (at, part) in split_outside_quotes(value).enumerate() {
        if at > 0 {
            shown.push(',');
        }
        let Some((name, _)) = part.split_once('=') else {
            shown.push_str(part);
            continue;
        };
        let word = name.trim().rsplit(' ').next().unwrap_or_default();
        let hides = part.to_ascii_lowercase().contains("response=");
        if !hides && HARMLESS.iter().any(|known| is_same(known, word)) {
            shown.push_str(part);
        } else {
            shown.push_str(&format!("{name}=\"{BLOT}\""));
        }
    }
    shown
}

fn without_inline(line: &str) -> String {
    let mut parts = line.split("inline:");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // What follows the key: its life time, its name and further keys.
        let end = part.find(['|', ';', ' ']).unwrap_or(part.len());
        let rest = part.get(end..).unwrap_or_default();
        shown.push_str(&format!("inline:{BLOT}{rest}"));
    }
    shown
}

/// `sip:user:password@host` becomes `sip:user:***@host`.
fn without_passwords(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, at, after)) = next_uri(rest) {
        shown.push_str(before);
        shown.push_str(at);
        let end = after.find(END_OF_USER).unwrap_or(after.len());
        let (user, behind) = after.split_at_checked(end).unwrap_or((after, ""));
        match user.split_once(':') {
            Some((user, _)) if behind.starts_with('@') => {
                shown.push_str(&format!("{user}:{BLOT}"));
            }
            Some(_) | None => shown.push_str(user),
        }
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

/// The text before the next SIP URI, its scheme, and what follows.
fn next_uri(text: &str) -> Option<(&str, &str, &str)> {
    let found = text.match_indices(':').find_map(|(at, _)| {
        let before = text.get(..at)?;
        let scheme = ["sips", "sip"].into_iter().find(|scheme| {
            let start = before.len().checked_sub(scheme.len());
            start.and_then(|start| before.get(start..)).is_some_and(|it| is_same(it, scheme))
        })?;
        Some((at.checked_sub(scheme.len())?, at.checked_add(1)?))
    });
    let (start, end) = found?;
    Some((text.get(..start)?, text.get(start..end)?, text.get(end..)?))
}

/// Splits at commas that stand in no quoted string.
fn split_outside_quotes(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter: char| {
        let is_comma = letter == ',' && !quoted;
        if letter == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = letter == '\\' && !escaped;
        is_comma
    })
}

fn split_end(line: &str) -> (&str, &str) {
    let content = line.trim_end_matches(['\r', '\n']);
    (content, line.get(content.len()..).unwrap_or_default())
}

fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// What stands where something stood.
const BLOT: &str = "***";

/// Headers that prove something.
const CREDENTIALS: [&str; 4] =
    ["Authorization", "Proxy-Authorization", "Authentication-Info", "Proxy-Authentication-Info"];

/// What of digest tells nothing about a password and much about a mistake.
const HARMLESS: [&str; 7] = ["username", "realm", "uri", "algorithm", "qop", "nc", "opaque"];

/// Where the user part of a URI ends.
const END_OF_USER: [char; 9] = ['@', '>', '<', ';', ',', '"', ' ', '\t', '?'];

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_to_a_challenge_keeps_who_and_loses_what_proves_it() {
        let text = "REGISTER sip:a SIP/2.0\r\nauthorization : Digest username=\"us, or\", \
                    realm=\"r\",\r\n nonce=\"n0nce\", response=\"dead\", cnonce=\"c\", nc=00000001\r\n\
                    Subject: response=\"stays\"\r\n\r\n";
        let shown = redacted(text.as_bytes());
        for gone in ["n0nce", "dead", "\"c\""] {
            assert!(!shown.contains(gone), "{shown}");
        }
        for kept in ["username=\"us, or\"", "realm=\"r\"", "nc=00000001", "response=\"stays\""] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
        assert_eq!(shown.lines().count(), text.lines().count());
    }

    #[test]
    fn other_credentials_go_altogether() {
        let shown = redacted(b"Proxy-Authorization: Bearer eyJhbGciOi\r\n");
        assert_eq!(shown, "Proxy-Authorization: ***\r\n");
        let info = redacted(b"Authentication-Info: rspauth=\"aa\", nc=1, nextnonce=\"bb\"\r\n");
        assert_eq!(info, "Authentication-Info: rspauth=\"***\", nc=1, nextnonce=\"***\"\r\n");
    }

    #[test]
    fn keys_of_media_and_keys_that_are_pressed_are_not_shown() {
        let text = "INFO sip:a:p4ss@b SIP/2.0\r\nContact: <SIPS:x:y@h>, sip:plain@h:5060\r\n\r\n\
                    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20|1:4;inline:bW9yZQ==\r\n\
                    k=clear:secret\r\nSignal=7\r\nDuration=160\r\na=rtpmap:0 PCMU/8000\r\n";
        let shown = redacted(text.as_bytes());
        let expected = "INFO sip:a:***@b SIP/2.0\r\nContact: <SIPS:x:***@h>, sip:plain@h:5060\r\n\r\n\
                        a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^20|1:4;inline:***\r\n\
                        k=***\r\nSignal=***\r\nDuration=160\r\na=rtpmap:0 PCMU/8000\r\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_message_without_secrets_is_shown_as_it_was_said() {
        let text = "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP [::1]:5060;branch=z9hG4bK1\r\n\
                    WWW-Authenticate: Digest realm=\"r\", nonce=\"public\"\r\n\r\nv=0\r\n";
        assert_eq!(redacted(text.as_bytes()), text);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn whatever_is_said_no_response_is_shown(
            before in "[ -~\r\n]{0,60}",
            secret in "[0-9a-f]{32}",
            after in "\\PC{0,40}",
        ) {
            let text = format!(
                "{before}\r\nAuthorization: Digest username=\"a\", response=\"{secret}\"{after}\r\n"
            );
            prop_assert!(!redacted(text.as_bytes()).contains(&secret));
        }

        #[test]
        fn octets_of_any_kind_harm_nothing(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            redacted(&octets);
        }
    }
}
