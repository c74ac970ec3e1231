//! Keys of the telephone that come as INFO: `application/dtmf-relay` as gateways and phones write
//! it, and `application/dtmf`, which is the key alone.

use crate::media::event::Digit;

/// Reads the key out of the body of an INFO; none when it says something else.
pub fn read(content_type: &str, body: &[u8]) -> Option<Digit> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let body = std::str::from_utf8(body).ok()?;
    if kind.eq_ignore_ascii_case("application/dtmf-relay") {
        let signal = body.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then_some(value)
        });
        return key(signal?);
    }
    if kind.eq_ignore_ascii_case("application/dtmf") { key(body) } else { None }
}

/// A key as it is written, or its number among the events of RFC 4733.
fn key(text: &str) -> Option<Digit> {
    let text = text.trim();
    let mut chars = text.chars();
    match (chars.next()?, chars.next()) {
        (key, None) => Digit::new(key),
        (_, Some(_)) => match text {
            "10" => Digit::new('*'),
            "11" => Digit::new('#'),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_kinds_of_body_tell_their_key() {
        let relay = "application/dtmf-relay";
        for (kind, body, expected) in [
            (relay, "Signal=5\r\nDuration=160\r\n", Some('5')),
            (relay, "Duration=160\nSignal= #\n", Some('#')),
            ("Application/DTMF-Relay;x=y", "signal=10\r\n", Some('*')),
            (relay, "Signal=11", Some('#')),
            ("application/dtmf", "a", Some('A')),
            ("application/dtmf", " 7\r\n", Some('7')),
            (relay, "Signal=!", None),
            (relay, "Signal=12", None),
            (relay, "5", None),
            ("text/plain", "5", None),
        ] {
            let read = read(kind, body.as_bytes()).map(Digit::key);
            assert_eq!(read, expected, "{kind} {body}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_body_is_survived(body in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = read("application/dtmf-relay", &body);
            let _ = read("application/dtmf", &body);
        }
    }
}
