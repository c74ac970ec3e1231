//! REFER within a session (RFC 3515): the implicit subscription, on both of its sides.

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
