//! What is told in the words of others: which of our events has which cousins there.

use crate::config::webhook::{EVENTS, Format, fits};

/// One of our events, and what those who listen elsewhere know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cousins {
    /// Its name here.
    pub ours: &'static str,
    /// What Vapi tells of it: the types of its messages, in their order.
    pub vapi: &'static [&'static str],
    /// What Retell tells of it, in its order.
    pub retell: &'static [&'static str],
}

/// What is told of one of our events in a form, in its order; nothing where there is no cousin.
/// Standard Webhooks tells each as what it is.
pub fn cousins(format: Format, ours: &str) -> &'static [&'static str] {
    let found = COUSINS.iter().find(|it| it.ours == ours);
    match format {
        Format::Standard => &[],
        Format::Vapi => found.map_or(&[], |it| it.vapi),
        Format::Retell => found.map_or(&[], |it| it.retell),
    }
}

/// Whether something that is wanted by this name, or by the beginning of one with `*`, is ever told
/// in a form.
pub fn is_told(format: Format, wanted: &str) -> bool {
    let mut all = EVENTS.iter().filter(|known| fits(wanted, known));
    format == Format::Standard || all.any(|known| !cousins(format, known).is_empty())
}

/// Our events that have a cousin in a form.
pub fn told_in(format: Format) -> impl Iterator<Item = &'static str> {
    EVENTS.iter().copied().filter(move |known| is_told(format, known))
}

/// All that have some. What is not here is told to none of them.
pub const COUSINS: &[Cousins] = &[
    Cousins { ours: "agent.handoff", vapi: &["transfer-update"], retell: &[] },
    // At Vapi it is a part of the end-of-call-report.
    Cousins { ours: "call.analyzed", vapi: &[], retell: &["call_analyzed"] },
    Cousins {
        ours: "call.ended",
        vapi: &["status-update", "end-of-call-report"],
        retell: &["call_ended"],
    },
    Cousins { ours: "call.ringing", vapi: &["status-update"], retell: &[] },
    Cousins { ours: "call.started", vapi: &["status-update"], retell: &["call_started"] },
    Cousins {
        ours: "call.transferred",
        vapi: &["status-update", "transfer-update"],
        retell: &["transfer_bridged", "transfer_ended"],
    },
    Cousins { ours: "provider.failed", vapi: &["hang"], retell: &[] },
    Cousins {
        ours: "transcript.updated",
        vapi: &["transcript", "user-interrupted", "conversation-update"],
        retell: &["transcript_updated"],
    },
    Cousins { ours: "transfer.failed", vapi: &[], retell: &["transfer_cancelled"] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_an_event_of_ours_and_has_a_cousin() {
        for Cousins { ours, vapi, retell } in COUSINS {
            assert!(EVENTS.contains(ours), "{ours}");
            assert!(!vapi.is_empty() || !retell.is_empty(), "{ours}");
        }
        assert!(is_told(Format::Vapi, "call.*") && !is_told(Format::Vapi, "trunk.*"));
        assert!(is_told(Format::Standard, "trunk.up"));
        assert!(!is_told(Format::Vapi, "call.analyzed"));
        assert_eq!(cousins(Format::Retell, "call.started"), ["call_started"]);
        assert_eq!(told_in(Format::Retell).count(), 6);
    }
}
