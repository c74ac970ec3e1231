//! Status codes of responses and their reason phrases.

use std::borrow::Cow;

/// A status code from 100 to 699 with the phrase that stands beside it. Made from a bare code it
/// has the phrase of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status<'a> {
    /// 100 to 699.
    pub code: u16,
    /// For people; machines do not read it.
    pub phrase: Cow<'a, str>,
}

impl From<u16> for Status<'_> {
    fn from(code: u16) -> Self {
        Self { code, phrase: Cow::Borrowed(phrase(code)) }
    }
}

impl<'a> From<(u16, &'a str)> for Status<'a> {
    fn from((code, phrase): (u16, &'a str)) -> Self {
        Self { code, phrase: Cow::Borrowed(phrase) }
    }
}

/// The registered phrase of a status; for others that of its class (RFC 3261 8.1.3.2).
pub fn phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400..=499 => client_phrase(code),
        500..=599 => server_phrase(code),
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        _ => class_phrase(code),
    }
}

/// The cause of ITU-T Q.850 that a final status comes to, where it is about the call and not about
/// the protocol (RFC 3398 8.2.6.1, read backwards).
pub fn q850(status: u16) -> Option<u8> {
    match status {
        403 | 433 | 603 | 607 | 608 => Some(21),
        404 | 604 => Some(1),
        408 | 504 => Some(102),
        410 => Some(22),
        480 => Some(18),
        484 => Some(28),
        486 | 600 => Some(17),
        488 | 606 => Some(65),
        500 => Some(41),
        502 => Some(38),
        503 => Some(42),
        _ => None,
    }
}

fn class_phrase(code: u16) -> &'static str {
    match code {
        0..=199 => "Session Progress",
        200..=299 => "OK",
        300..=399 => "Multiple Choices",
        _ => "Decline",
    }
}

fn client_phrase(code: u16) -> &'static str {
    match code {
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        417 => "Unknown Resource-Priority",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        428 => "Use Identity Header",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        436 => "Bad Identity-Info",
        437 => "Unsupported Certificate",
        438 => "Invalid Identity Header",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        470 => "Consent Needed",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        _ => "Bad Request",
    }
}

fn server_phrase(code: u16) -> &'static str {
    match code {
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        555 => "Push Notification Service Not Supported",
        580 => "Precondition Failure",
        _ => "Server Internal Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_phrase() {
        assert!((0..=u16::MAX).all(|code| !phrase(code).is_empty()));
        assert_eq!(phrase(488), "Not Acceptable Here");
        assert_eq!(phrase(499), "Bad Request");
        assert_eq!(Status::from((200, "Fine")).phrase, "Fine");
    }
}
