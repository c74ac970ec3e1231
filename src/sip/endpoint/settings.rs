//! What an endpoint is told when it is made.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::network::Network;
use crate::base::vantage::Vantage;
use crate::sip::dialog::session_timer::Policy;
use crate::sip::event::SessionId;
use crate::sip::method::Method;
use crate::sip::transaction::timers::Timers;

/// The settings of an endpoint; the defaults suit a single server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The text of User-Agent and Server.
    pub user_agent: String,
    /// The user part of our Contact.
    pub contact_user: String,
    /// The address in our Via and Contact, and in session descriptions that peers of our own
    /// networks get, when it is not that of the socket (behind NAT).
    pub vantage: Vantage,
    /// Whether OPTIONS outside of calls are answered with 200; with 405 otherwise.
    pub answers_pings: bool,
    /// Where we listen for TCP: who does, may send large requests by it.
    pub tcp: Vec<SocketAddr>,
    /// A request of more octets goes by TCP if it can (RFC 3261 18.1.1).
    pub largest_datagram: usize,
    /// The methods that are served; others get 405.
    pub methods: Vec<Method>,
    /// What scanners call themselves, in small letters: a request of nobody we know that has one
    /// of these in its User-Agent or in the name of From gets no answer.
    pub scanners: Vec<String>,
    /// T1, T2 and T4.
    pub timers: Timers,
    /// What we want of session timers.
    pub session_timers: Policy,
    /// The addresses of each peer that has several, such as those of a trunk: in a dialog with one
    /// of them, the others may speak, too (T7).
    pub families: Vec<Vec<Network>>,
    /// How long our INVITE may ring before it is cancelled, should its owner forget it.
    pub ring_limit: Duration,
    /// How many transactions may be kept before new calls get 503. Requests inside of calls may
    /// fill as many again.
    pub max_transactions: usize,
    /// How many sessions may be kept before new calls get 503.
    pub max_sessions: usize,
    /// How many INVITEs of one source may wait for their ACK (T4). A trunk needs more than the
    /// default.
    pub max_half_open_per_source: usize,
    /// The identity of the first incoming session. The upper half of the range by default, so that
    /// it never meets an identity that the owner chose for an outgoing one.
    pub first_session: SessionId,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user_agent: concat!("voxtrunk/", env!("CARGO_PKG_VERSION")).to_owned(),
            contact_user: "voxtrunk".to_owned(),
            vantage: Vantage::default(),
            answers_pings: true,
            tcp: Vec::new(),
            largest_datagram: 1_300,
            methods: vec![
                Method::Invite,
                Method::Ack,
                Method::Cancel,
                Method::Bye,
                Method::Options,
                Method::Info,
                Method::Update,
                Method::Refer,
                Method::Notify,
                Method::Prack,
                Method::Message,
            ],
            scanners: SCANNERS.map(str::to_owned).to_vec(),
            timers: Timers::default(),
            session_timers: Policy::default(),
            families: Vec::new(),
            ring_limit: Duration::from_secs(180),
            max_transactions: 20_000,
            max_sessions: 2_000,
            max_half_open_per_source: 10,
            first_session: SessionId(1 << 63),
        }
    }
}

impl Settings {
    /// Whether two addresses are of one peer: the same, or both in the ranges of one family, which
    /// is for each of them the narrowest that it fits.
    pub(super) fn are_kin(&self, one: IpAddr, other: IpAddr) -> bool {
        one == other || self.family(one).is_some_and(|own| self.family(other) == Some(own))
    }

    fn family(&self, address: IpAddr) -> Option<usize> {
        let narrowest = |family: &Vec<Network>| {
            let fitting = family.iter().filter(|network| network.contains(address));
            fitting.map(Network::prefix).max()
        };
        let fitting = self.families.iter().enumerate();
        let fitting = fitting.filter_map(|(index, family)| Some((narrowest(family)?, index)));
        fitting.max_by_key(|(prefix, index)| (*prefix, std::cmp::Reverse(*index))).map(|it| it.1)
    }

    /// The TCP socket beside one for datagrams: on the same address, else of the same family.
    pub(super) fn tcp_beside(&self, local: SocketAddr) -> Option<SocketAddr> {
        let same = self.tcp.iter().find(|socket| socket.ip() == local.ip());
        same.or_else(|| self.tcp.iter().find(|it| it.is_ipv4() == local.is_ipv4())).copied()
    }
}

/// What the scanners that are met most call themselves.
const SCANNERS: [&str; 12] = [
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sipcli",
    "sip-scan",
    "sundayddr",
    "iwar",
    "vaxsipuseragent",
    "siparmyknife",
    "smap",
    "sipptk",
    "pplsip",
];
