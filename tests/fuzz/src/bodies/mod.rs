//! What the targets do, in one place for libFuzzer, the campaign and the tests of the house.

pub mod corpus;
pub mod damage;
mod fields;
mod machines;
mod media;
mod messages;
mod transactions;

/// A target takes any octets and panics only when a law is broken.
pub type Body = fn(&[u8]);

/// Every target by its name, which is that of its folder in `corpus/`, too.
pub const TARGETS: &[(&str, Body)] = &[
    ("sip_message", messages::message),
    ("sip_stream", messages::stream),
    ("roundtrip", messages::roundtrip),
    ("uri", fields::uri),
    ("name_addr", fields::name_addr),
    ("via", fields::via),
    ("auth_header", fields::auth_header),
    ("identity", fields::identity),
    ("dialog_state", machines::dialog_state),
    ("transaction_fsm", transactions::transaction_fsm),
    ("sdp", media::sdp),
    ("sdp_answer", media::sdp_answer),
    ("rtp", media::rtp),
    ("rtcp", media::rtcp),
    ("srtp", media::srtp),
];

/// Runs a target.
pub fn run(target: &str, octets: &[u8]) {
    let body = TARGETS.iter().find(|(name, _)| *name == target);
    body.unwrap_or_else(|| panic!("no target is called {target}")).1(octets);
}
