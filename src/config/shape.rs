//! The shape that settings will have one day. A key or value that stands here and is not known yet
//! gets the hint "not supported yet" instead of a guess at a typing error.

/// Whether this key, with lists left out of its path, is planned and not there yet.
pub fn is_planned_key(path: &str) -> bool {
    KEYS.iter().any(|planned| begins_with(path, planned))
}

/// Whether this value of this key is planned and not there yet.
pub fn is_planned_value(path: &str, value: &str) -> bool {
    VALUES.iter().any(|(key, values)| same(path, key) && values.contains(&value))
}

/// Whether this is a kind of destination that is planned and not there yet.
pub fn is_planned_destination(text: &str) -> bool {
    let kind = text.split(':').next().unwrap_or_default();
    DESTINATIONS.contains(&kind)
}

/// Compares paths part by part; `*` stands for any one part. Indexes of lists do not count.
fn begins_with(path: &str, planned: &str) -> bool {
    let mut parts = path.split('.').map(without_index);
    planned
        .split('.')
        .all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
}

fn same(path: &str, planned: &str) -> bool {
    path.split('.').count() == planned.split('.').count() && begins_with(path, planned)
}

fn without_index(part: &str) -> &str {
    part.split('[').next().unwrap_or_default()
}

const KEYS: &[&str] = &[
    "http.dashboard",
    "tls.*.acme",
    "cluster",
    "security.http.sessions",
    "conferences",
    "agents.*.turns.on_punctuation",
    "agents.*.turns.on_no_punctuation",
    "agents.*.voicemail",
    "agents.*.on",
    "agents.*.first",
];

const VALUES: &[(&str, &[&str])] = &[
    ("sip.external_address", &["stun"]),
    ("rtp.codecs", &["g729"]),
    ("agents.*.turns.detector", &["stt"]),
    ("flows.*.nodes.*.type", &["email", "sms"]),
    ("tools.*.type", &["sms"]),
];

const DESTINATIONS: &[&str] = &["play", "park"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planned_keys_are_known_with_everything_below_them() {
        assert!(is_planned_key("cluster.nodes[0]"));
        assert!(is_planned_key("tls.public.acme"));
        assert!(is_planned_key("agents.x.voicemail.say"));
        assert!(!is_planned_key("rtp.jiter"));
        assert!(!is_planned_key("sip"));
        assert!(is_planned_value("rtp.codecs[0]", "g729"));
        assert!(!is_planned_value("rtp.codecs[0]", "opsu"));
        assert!(is_planned_destination("park:1"));
    }
}
