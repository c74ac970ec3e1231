//! The Via header: where a request has been and where its answer goes (RFC 3261 20.42, RFC 3581).
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::net::IpAddr;

use super::lexer::{self, Cursor};
use super::params::{Once, Params};
use super::uri::{self, Host, Site};

/// One Via value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via<'a> {
    transport: &'a [u8],
    host: Site<'a>,
    port: Option<u16>,
    params: Params<'a>,
    branch: Option<&'a [u8]>,
}

/// What a Via says about `rport` (RFC 3581).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rport {
    /// Nothing: the answer goes to the port in sent-by.
    Absent,
    /// The client asks for the answer at the port that it sent from.
    Asked,
    /// A server filled it in.
    Filled(u16),
}

impl<'a> Via<'a> {
    /// Reads one Via value; `None` when it breaks its grammar, is not of SIP/2.0, says branch,
    /// received or rport twice, or has a branch that is no word.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(value);
        // Nearly everybody writes it so.
        if !cursor.eat_all(b"SIP/2.0/") {
            skip_protocol(&mut cursor)?;
        }
        let transport = word(&mut cursor)?;
        let host = Site::read(&mut cursor)?;
        cursor.skip_space();
        let port = if cursor.eat(b':') {
            cursor.skip_space();
            Some(uri::port(&mut cursor)?)
        } else {
            None
        };
        let mut branch = Once::word("branch");
        let (mut received, mut rport) = (Once::any("received"), Once::any("rport"));
        let params = Params::parse_each(cursor.rest(), |name, value| {
            branch.look(name, value)?;
            received.look(name, value)?;
            rport.look(name, value)
        })?;
        Some(Self { transport, host, port, params, branch: branch.seen() })
    }

    /// The transport as written: `UDP`, `TLS`, or a word that nobody knows.
    pub fn transport(&self) -> &'a str {
        lexer::proved(self.transport)
    }

    /// The host in sent-by.
    pub fn host(&self) -> Host<'a> {
        self.host.host()
    }

    /// The port in sent-by, if written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The branch, whatever it looks like.
    pub fn branch(&self) -> Option<&'a str> {
        self.branch.map(lexer::proved)
    }

    /// The branch when it identifies a transaction: the magic cookie and something behind it
    /// (RFC 3261 8.1.1.7). Otherwise the rules of RFC 2543 hold (17.2.3).
    pub fn unique_branch(&self) -> Option<&'a str> {
        let is_unique = |branch: &&str| {
            branch.len() > COOKIE.len()
                && branch
                    .get(..COOKIE.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
        };
        self.branch().filter(is_unique)
    }

    /// What it says about `rport`.
    pub fn rport(&self) -> Rport {
        match self.params.find("rport") {
            None => Rport::Absent,
            Some(param) => param
                .value
                .and_then(lexer::number)
                .and_then(|port| u16::try_from(port).ok())
                .map_or(Rport::Asked, Rport::Filled),
        }
    }

    /// The address that a server saw, if it says so; IPv6 with or without brackets.
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.value("received")?;
        text.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The `maddr` parameter.
    pub fn maddr(&self) -> Option<Host<'a>> {
        Host::parse(self.params.value("maddr")?)
    }

    /// The `ttl` parameter.
    pub fn ttl(&self) -> Option<u8> {
        u8::try_from(lexer::number(self.params.find("ttl")?.value?)?).ok()
    }

    /// Every parameter.
    pub fn params(&self) -> Params<'a> {
        self.params
    }
}

/// Reads `SIP / 2.0 /`, which may be spaced.
fn skip_protocol(cursor: &mut Cursor<'_>) -> Option<()> {
    let is_sip = word(cursor)?.eq_ignore_ascii_case(b"SIP") && cursor.eat(b'/');
    (is_sip && word(cursor)? == b"2.0" && cursor.eat(b'/')).then_some(())
}

/// What a branch of RFC 3261 begins with.
pub const COOKIE: &str = "z9hG4bK";

fn word<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    cursor.skip_space();
    let word = cursor.token_octets()?;
    cursor.skip_space();
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(value: &str) -> Via<'_> {
        Via::parse(value.as_bytes()).expect(value)
    }

    #[test]
    fn a_via_may_be_spaced_and_folded() {
        let found = via("SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw");
        assert_eq!(found.transport(), "UDP");
        assert_eq!(found.host().to_string(), "192.0.2.2");
        assert_eq!((found.branch(), found.unique_branch()), (Some("390skdjuw"), None));
        let spaced = via("SIP  / 2.0  / TCP   spindle.example.com : 5070 ;  branch  =   z9hG4bK9i");
        assert_eq!((spaced.port(), spaced.unique_branch()), (Some(5070), Some("z9hG4bK9i")));
    }

    #[test]
    fn rport_received_and_the_like_are_read() {
        let asked =
            via("SIP/2.0/UDP [2001:db8::1]:5061;rport;branch=z9hG4bKa;received=2001:db8::9");
        assert_eq!(asked.rport(), Rport::Asked);
        assert_eq!(asked.received(), "2001:db8::9".parse().ok());
        assert_eq!(
            (asked.host().to_string().as_str(), asked.port()),
            ("[2001:db8::1]", Some(5061))
        );
        let full = via("SIP/2.0/UNKNOWN h;RPORT=9;ttl=16;maddr=224.2.0.1;received=[::1]");
        assert_eq!(full.rport(), Rport::Filled(9));
        assert_eq!((full.ttl(), full.received()), (Some(16), "::1".parse().ok()));
        assert_eq!(full.maddr().and_then(|host| host.address()), "224.2.0.1".parse().ok());
        assert_eq!(via("SIP/2.0/UDP h;branch=z9hG4bK").unique_branch(), None);
    }

    #[test]
    fn broken_vias_are_refused() {
        for wrong in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/7.0/UDP h",
            "HTTP/2.0/UDP h",
            "SIP/2.0/UDP 192.0.2.15;;,;,,",
            "SIP/2.0/UDP h:",
            "SIP/2.0/UDP h:70000",
            "SIP/2.0/UDP ::1",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP h x",
            "SIP/2.0/UDP h;branch=a;Branch=b",
            "SIP/2.0/UDP h;rport;rport=5",
        ] {
            assert_eq!(Via::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
