//! What a registrar answers, in the headers that matter to us.

use std::time::Duration;

use crate::sip::address;

/// The final answer to a REGISTER.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl Answer {
    /// For how long our Contact was accepted: its own time, else that of the whole answer.
    pub fn granted(&self, contact_user: &str) -> Option<Duration> {
        let contacts = self.values("Contact");
        let own = contacts
            .flat_map(address::addresses)
            .find(|contact| contact.uri().user() == Some(contact_user));
        let seconds = own.and_then(|own| own.params().value("expires"));
        seconds.or_else(|| self.values("Expires").next()).and_then(seconds_of)
    }

    /// The least time that a registrar accepts (423, RFC 3261 10.2.8).
    pub fn least(&self) -> Option<Duration> {
        self.values("Min-Expires").next().and_then(seconds_of)
    }

    /// When to come back.
    pub fn retry_after(&self) -> Option<Duration> {
        self.values("Retry-After").next().and_then(seconds_of)
    }

    /// The route that the registrar wants for our requests (RFC 3608 6.1).
    pub fn service_route(&self) -> Vec<String> {
        let routes = self.values("Service-Route").flat_map(address::addresses);
        routes.take(MOST_ROUTES).map(|route| format!("<{}>", route.uri().as_str())).collect()
    }

    /// The CSeq of the request that was answered in the end.
    pub fn sequence(&self) -> Option<u32> {
        let cseq = self.values("CSeq").next()?;
        cseq.split_ascii_whitespace().next()?.parse().ok().filter(|number| *number < 1 << 31)
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim())
    }
}

/// Reads delta-seconds; a comment or parameters behind them are left aside.
fn seconds_of(text: &str) -> Option<Duration> {
    let digits = text.split(|letter: char| !letter.is_ascii_digit()).next()?;
    let seconds: u32 = if digits.len() > 9 { u32::MAX } else { digits.parse().ok()? };
    Some(Duration::from_secs(u64::from(seconds)))
}

/// How many routes are followed.
const MOST_ROUTES: usize = 8;
