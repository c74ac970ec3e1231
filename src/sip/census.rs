//! A census of messages: how many requests of each method and answers of each status there were,
//! each way.

use std::collections::BTreeMap;

use crate::sip::trace::Heading;

/// How many messages there were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census(BTreeMap<(Heading, Kind), u64>);

/// What kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A request of a method; `other` for those that few know.
    Request(&'static str),
    /// An answer with a status of 100 to 699.
    Answer(u16),
}

impl Census {
    /// Counts a message by how it begins. What begins like none is not counted.
    pub fn count(&mut self, heading: Heading, message: &[u8]) {
        if let Some(kind) = kind(message) {
            let count = self.0.entry((heading, kind)).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// All counts.
    pub fn iter(&self) -> impl Iterator<Item = (Heading, Kind, u64)> {
        self.0.iter().map(|((heading, kind), count)| (*heading, *kind, *count))
    }
}

fn kind(message: &[u8]) -> Option<Kind> {
    if let Some(rest) = message.strip_prefix(b"SIP/2.0 ") {
        let status = std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()?;
        return (100..700).contains(&status).then_some(Kind::Answer(status));
    }
    let begin = message.get(..LONGEST.min(message.len()))?;
    let end = begin.iter().position(|byte| *byte == b' ')?;
    let method = begin.get(..end)?;
    if method.is_empty() || !method.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let known = METHODS.iter().find(|name| name.as_bytes() == method);
    Some(Kind::Request(known.copied().unwrap_or("other")))
}

/// The methods of RFC 3261 and of its extensions.
const METHODS: [&str; 14] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "UPDATE",
    "INFO",
    "MESSAGE",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
    "PUBLISH",
];

/// No method is longer.
const LONGEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::method::Method;

    #[test]
    fn messages_are_counted_by_how_they_begin() {
        let mut census = Census::default();
        let came = [
            "INVITE sip:a@b SIP/2.0\r\n",
            "INVITE sip:c@d SIP/2.0\r\n",
            "FROBNICATE sip:a@b SIP/2.0\r\n",
            "SIP/2.0 180 Ringing\r\n",
            "SIP/2.0 999 No\r\n",
            "SIP/2.0 2",
            "get / HTTP/1.1\r\n",
            "",
            "x",
        ];
        came.iter().for_each(|message| census.count(Heading::In, message.as_bytes()));
        census.count(Heading::Out, b"SIP/2.0 100 Trying\r\n");
        let expected = [
            (Heading::In, Kind::Request("INVITE"), 2),
            (Heading::In, Kind::Request("other"), 1),
            (Heading::In, Kind::Answer(180), 1),
            (Heading::Out, Kind::Answer(100), 1),
        ];
        assert_eq!(census.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_method_that_we_know_has_its_name() {
        for name in METHODS {
            let method = Method::from_token(name.as_bytes()).expect("a token");
            assert!(!matches!(method, Method::Other(_)), "{name}");
        }
    }
}
