//! REFER within a session (RFC 3515): the implicit subscription, on both of its sides.

use std::time::{Duration, Instant};

use super::arrival::Arrival;
use crate::sip::transaction::layer::TransactionId;

/// A REFER of the peer: from its arrival to the last NOTIFY.
#[derive(Debug)]
pub struct Referral {
    /// The request, until it is answered.
    pub pending: Option<(TransactionId, Arrival)>,
    /// The id in the Event header of its NOTIFYs: its CSeq, unless it is the first of its dialog
    /// (RFC 3515 2.4.6).
    pub event_id: Option<u32>,
    /// Whether the peer wants to hear of it; `Refer-Sub: false` says no (RFC 4488).
    pub subscribed: bool,
    /// When the peer has waited long enough for the outcome.
    pub until: Option<Instant>,
    /// The last status that was told.
    pub status: u16,
}

/// A REFER of ours: from its sending to the last NOTIFY.
#[derive(Debug)]
pub struct Subscription {
    /// When nobody waits for the outcome any more.
    pub until: Instant,
}

/// How long the outcome of a REFER is waited for when nobody says how long.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Reads for how long a subscription still holds: `active;expires=60`.
pub fn expires(state: &str) -> Option<Duration> {
    let expires = state.split(';').skip(1).find_map(|param| {
        let (name, value) = param.split_once('=')?;
        name.trim().eq_ignore_ascii_case("expires").then(|| value.trim().parse::<u32>().ok())?
    })?;
    Some(Duration::from_secs(expires.clamp(1, 3_600).into()))
}

/// Reads the status out of a `message/sipfrag` body (RFC 3420): its first line is a status line.
pub fn sipfrag_status(body: &[u8]) -> Option<u16> {
    let line = body.split(|octet| matches!(octet, b'\r' | b'\n')).find(|line| !line.is_empty())?;
    let line = std::str::from_utf8(line).ok()?;
    let (version, rest) = line.trim().split_once(' ')?;
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return None;
    }
    let digits = rest.trim_start().split(' ').next().filter(|digits| digits.len() == 3)?;
    digits.parse().ok().filter(|status| (100..=699).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_tells_how_long_it_holds() {
        assert_eq!(expires("active;expires=60"), Some(Duration::from_secs(60)));
        assert_eq!(expires("active; Expires = 999999"), Some(Duration::from_secs(3_600)));
        for silent in ["active", "terminated;reason=noresource", "active;expires=x", ""] {
            assert_eq!(expires(silent), None, "{silent}");
        }
    }

    #[test]
    fn a_sipfrag_tells_its_status() {
        assert_eq!(sipfrag_status(b"SIP/2.0 200 OK\r\n"), Some(200));
        assert_eq!(sipfrag_status(b"\r\nSIP/2.0 100 Trying"), Some(100));
        assert_eq!(sipfrag_status(b"sip/2.0 603"), Some(603));
        for wrong in ["", "SIP/2.0", "SIP/2.0 20 OK", "SIP/2.0 999 x", "HTTP/1.1 200 OK", "\u{fe}"]
        {
            assert_eq!(sipfrag_status(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
