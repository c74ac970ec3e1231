//! Where a request goes (RFC 3263): from a SIP URI to transports, ports and addresses, in order.
//! Pure: somebody else asks the name servers, and says what they answered.

use std::net::{IpAddr, SocketAddr};

use super::flow::{Flow, Transport};
use super::uri::{Host, Scheme, Uri};
use crate::base::random::Random;

/// The sockets through which we reach others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sockets(Vec<(Transport, SocketAddr)>);

/// The first question about a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// None: it says everything.
    There(Transport, SocketAddr),
    /// The addresses of a host; the port is known.
    Addresses(Place),
    /// The SRV records of these services in turn, until one has some; if none has, the addresses.
    Services(Vec<Service>, Place),
    /// The NAPTR records of a domain; [`by_naptr`] reads the answer.
    Domain(Domain),
}

/// A host whose addresses are to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// The port there.
    pub port: u16,
    /// How it is spoken to.
    pub transport: Transport,
}

/// A service of a domain: `_sip._udp.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name of its SRV records.
    pub name: String,
    /// How it is spoken to.
    pub transport: Transport,
}

/// A domain whose services nobody has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Whether only TLS will do: a `sips:` URI.
    pub is_secure: bool,
}

/// A NAPTR record, as far as SIP looks at it (RFC 3403).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// Lower comes first, and what comes first alone counts.
    pub order: u16,
    /// Lower comes first among those of an order.
    pub preference: u16,
    /// `s` when the replacement has SRV records.
    pub flags: String,
    /// `SIP+D2U` and the like.
    pub service: String,
    /// The name of the SRV records.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower comes first.
    pub priority: u16,
    /// The share of those with the same priority.
    pub weight: u16,
    /// The port there.
    pub port: u16,
    /// The host.
    pub target: String,
}

impl Sockets {
    /// Our sockets, the most important first.
    pub fn new(sockets: impl IntoIterator<Item = (Transport, SocketAddr)>) -> Self {
        Self(sockets.into_iter().collect())
    }

    /// Whether phones in browsers can register.
    pub fn expect_browsers(&self) -> bool {
        [Transport::Ws, Transport::Wss].into_iter().any(|it| !self.of(it).is_empty())
    }

    /// Each socket.
    pub fn iter(&self) -> impl Iterator<Item = (Transport, SocketAddr)> + '_ {
        self.0.iter().copied()
    }

    /// The addresses of the sockets of a kind.
    pub fn of(&self, transport: Transport) -> Vec<SocketAddr> {
        self.iter().filter(|(found, _)| *found == transport).map(|(_, address)| address).collect()
    }

    /// Whether a request can be carried that way. TCP and TLS need no socket of ours to listen:
    /// the answer comes back by the same connection. A WebSocket is opened by clients.
    pub fn carries(&self, transport: Transport) -> bool {
        match transport {
            Transport::Udp => self.0.iter().any(|(found, _)| *found == Transport::Udp),
            Transport::Tcp | Transport::Tls => !self.0.is_empty(),
            Transport::Ws | Transport::Wss => false,
        }
    }

    /// The flow to an address by the socket of its family; `None` when there is no such socket.
    pub fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Option<Flow> {
        let is_near = |socket: &(Transport, SocketAddr)| socket.1.is_ipv4() == remote.is_ipv4();
        let same = self.iter().filter(is_near).find(|(found, _)| *found == transport);
        let other = || self.iter().find(is_near);
        let (_, local) = same.or_else(|| other().filter(|_| self.carries(transport)))?;
        (transport.is_reliable() || same.is_some()).then_some(Flow { transport, local, remote })
    }

    /// The flow to a URI that needs no name server.
    pub fn straight(&self, uri: &str) -> Option<Flow> {
        match plan(&Uri::parse(uri).ok()?, self)? {
            Plan::There(transport, remote) => self.flow_to(transport, remote),
            Plan::Addresses(_) | Plan::Services(..) | Plan::Domain(_) => None,
        }
    }
}

/// Plans the way to a URI (RFC 3263 4.1, 4.2); `None` when it is no address, or nothing of ours
/// carries what it asks for.
pub fn plan(uri: &Uri<'_>, sockets: &Sockets) -> Option<Plan> {
    let is_secure = match uri.scheme() {
        Scheme::Sip => false,
        Scheme::Sips => true,
        Scheme::Tel | Scheme::Other(_) => return None,
    };
    let asked = asked_transport(uri, is_secure)?;
    let plain = if is_secure { Transport::Tls } else { first_plain(sockets) };
    let transport = asked.unwrap_or(plain);
    if !sockets.carries(transport) {
        return None;
    }
    let port = uri.port().unwrap_or(transport.default_port());
    let name = match (maddr(uri).or(uri.host())?, uri.port()) {
        (Host::Address(address), _) => {
            return Some(Plan::There(transport, SocketAddr::new(address, port)));
        }
        (Host::Name(name), Some(_)) => {
            return Some(Plan::Addresses(Place { name: name.to_owned(), port, transport }));
        }
        (Host::Name(name), None) => name.to_owned(),
    };
    Some(match asked {
        Some(transport) => {
            let service = Service::of(&name, transport);
            Plan::Services(vec![service], Place { name, port, transport })
        }
        None => Plan::Domain(Domain { name, is_secure }),
    })
}

/// Goes on with the NAPTR records of a domain: its services in the order that the domain wants, or
/// those that we guess when it says nothing (RFC 3263 4.1).
pub fn by_naptr(domain: &Domain, records: &[Naptr], sockets: &Sockets) -> Plan {
    let mut fitting: Vec<(&Naptr, Transport)> = records
        .iter()
        .filter(|record| record.flags.eq_ignore_ascii_case("s"))
        .filter_map(|record| Some((record, transport_of(&record.service, domain.is_secure)?)))
        .filter(|(_, transport)| sockets.carries(*transport))
        .collect();
    fitting.sort_by_key(|(record, _)| (record.order, record.preference));
    let named = fitting.into_iter().map(|(record, transport)| Service {
        name: record.replacement.trim_end_matches('.').to_owned(),
        transport,
    });
    let mut services: Vec<Service> = named.take(MOST_SERVICES).collect();
    if services.is_empty() {
        services = guesses(domain, sockets);
    }
    let transport = if domain.is_secure { Transport::Tls } else { first_plain(sockets) };
    let port = transport.default_port();
    Plan::Services(services, Place { name: domain.name.clone(), port, transport })
}

/// Puts SRV records into the order in which they are tried: by priority, and among equals by lot
/// in proportion to their weights (RFC 2782). A target of `.` means that there is no such service.
pub fn by_weight(mut records: Vec<Srv>, random: &mut Random) -> Vec<Srv> {
    records.retain(|record| !record.target.trim_end_matches('.').is_empty());
    // Those without weight come first, so that they have a small chance.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let equals = records.iter().take_while(|record| record.priority == priority);
        let sum: u32 = equals.clone().map(|record| u32::from(record.weight)).sum();
        let mut lot = random.below(sum.saturating_add(1));
        let drawn = equals.clone().position(|record| match lot.checked_sub(record.weight.into()) {
            Some(left) if left > 0 => {
                lot = left;
                false
            }
            Some(_) | None => true,
        });
        ordered.push(records.remove(drawn.unwrap_or_default()));
    }
    ordered.truncate(MOST_SERVICES);
    ordered
}

/// Puts addresses of a host into the order in which they are tried: as they came, those that no
/// socket of ours reaches left out.
pub fn flows(host: (Transport, u16), addresses: &[IpAddr], sockets: &Sockets) -> Vec<Flow> {
    let (transport, port) = host;
    let flow = |address: &IpAddr| sockets.flow_to(transport, SocketAddr::new(*address, port));
    addresses.iter().filter_map(flow).take(MOST_ADDRESSES).collect()
}

impl Service {
    fn of(domain: &str, transport: Transport) -> Self {
        let prefix = match transport {
            Transport::Udp => "_sip._udp",
            Transport::Tcp => "_sip._tcp",
            Transport::Tls => "_sips._tcp",
            Transport::Ws => "_sip._ws",
            Transport::Wss => "_sips._ws",
        };
        Self { name: format!("{prefix}.{domain}"), transport }
    }
}

/// The transport that a URI asks for; the outer `None` for one that nobody knows, or that is not
/// safe though the URI wants safety.
fn asked_transport(uri: &Uri<'_>, is_secure: bool) -> Option<Option<Transport>> {
    let Some(text) = uri.param("transport") else { return Some(None) };
    let transport = Transport::from_text(text?)?;
    let transport = match (transport, is_secure) {
        (Transport::Tcp, true) => Transport::Tls,
        (Transport::Ws, true) => Transport::Wss,
        (Transport::Udp, true) => return None,
        (transport, _) => transport,
    };
    Some(Some(transport))
}

fn maddr<'a>(uri: &Uri<'a>) -> Option<Host<'a>> {
    Host::parse(uri.param("maddr")??)
}

/// What a URI means that names no transport: UDP, or TCP where there is no UDP.
fn first_plain(sockets: &Sockets) -> Transport {
    if sockets.carries(Transport::Udp) { Transport::Udp } else { Transport::Tcp }
}

fn transport_of(service: &str, is_secure: bool) -> Option<Transport> {
    match service.to_ascii_uppercase().as_str() {
        "SIPS+D2T" => Some(Transport::Tls),
        "SIP+D2T" if !is_secure => Some(Transport::Tcp),
        "SIP+D2U" if !is_secure => Some(Transport::Udp),
        _ => None,
    }
}

fn guesses(domain: &Domain, sockets: &Sockets) -> Vec<Service> {
    let order: &[Transport] = if domain.is_secure {
        &[Transport::Tls]
    } else {
        &[Transport::Udp, Transport::Tcp, Transport::Tls]
    };
    let carried = order.iter().filter(|transport| sockets.carries(**transport));
    carried.map(|transport| Service::of(&domain.name, *transport)).collect()
}

/// How many services of a domain, and hosts of a service, are tried.
const MOST_SERVICES: usize = 8;

/// How many addresses of a host are tried.
const MOST_ADDRESSES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sockets() -> Sockets {
        let four: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        let six: SocketAddr = "[2001:db8::1]:5060".parse().unwrap();
        Sockets::new([(Transport::Udp, four), (Transport::Tcp, four), (Transport::Udp, six)])
    }

    fn planned(uri: &str) -> Option<Plan> {
        plan(&Uri::parse(uri).unwrap(), &sockets())
    }

    fn there(transport: Transport, address: &str) -> Option<Plan> {
        Some(Plan::There(transport, address.parse().unwrap()))
    }

    fn host(port: u16, transport: Transport) -> Place {
        Place { name: "example.com".to_owned(), port, transport }
    }

    fn naptr(order: u16, preference: u16, service: &str) -> Naptr {
        let replacement = format!("_{service}.example.com.");
        let (flags, service) = ("s".to_owned(), service.to_owned());
        Naptr { order, preference, flags, service, replacement }
    }

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.to_owned() }
    }

    #[test]
    fn an_address_says_where_it_is() {
        assert_eq!(planned("sip:a@192.0.2.9"), there(Transport::Udp, "192.0.2.9:5060"));
        assert_eq!(
            planned("sip:192.0.2.9:99;transport=TCP"),
            there(Transport::Tcp, "192.0.2.9:99")
        );
        assert_eq!(planned("sips:a@192.0.2.9"), there(Transport::Tls, "192.0.2.9:5061"));
        let safe = "sips:a@[2001:db8::9];transport=tcp";
        assert_eq!(planned(safe), there(Transport::Tls, "[2001:db8::9]:5061"));
        assert_eq!(planned("sip:x.com;maddr=192.0.2.7"), there(Transport::Udp, "192.0.2.7:5060"));
        for nowhere in [
            "tel:+49711",
            "sip:192.0.2.9;transport=sctp",
            "sips:192.0.2.9;transport=udp",
            "sip:192.0.2.9;transport=ws",
        ] {
            assert_eq!(planned(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn a_name_with_a_port_is_a_host_and_one_without_has_services() {
        let uri = "sip:a@example.com:5070";
        assert_eq!(planned(uri), Some(Plan::Addresses(host(5070, Transport::Udp))));
        let service = Service { name: "_sip._tcp.example.com".into(), transport: Transport::Tcp };
        let services = Plan::Services(vec![service], host(5060, Transport::Tcp));
        assert_eq!(planned("sip:example.com;transport=tcp"), Some(services));
        let domain = Domain { name: "example.com".to_owned(), is_secure: false };
        assert_eq!(planned("sip:example.com"), Some(Plan::Domain(domain)));
    }

    #[test]
    fn a_domain_says_by_naptr_what_it_prefers() {
        let domain = Domain { name: "example.com".to_owned(), is_secure: false };
        let records = [
            naptr(50, 50, "SIP+D2T"),
            naptr(90, 50, "SIP+D2U"),
            naptr(50, 10, "SIPS+D2T"),
            naptr(10, 10, "SIP+D2S"),
        ];
        let Plan::Services(services, _) = by_naptr(&domain, &records, &sockets()) else { panic!() };
        let transports: Vec<Transport> = services.iter().map(|it| it.transport).collect();
        assert_eq!(transports, [Transport::Tls, Transport::Tcp, Transport::Udp]);
        assert_eq!(services[0].name, "_SIPS+D2T.example.com");
        let safe = Domain { is_secure: true, ..domain };
        let Plan::Services(services, host) = by_naptr(&safe, &records, &sockets()) else {
            panic!()
        };
        assert_eq!((services.len(), host.port, host.transport), (1, 5061, Transport::Tls));
    }

    #[test]
    fn a_domain_that_says_nothing_is_asked_for_its_services() {
        let domain = Domain { name: "example.com".to_owned(), is_secure: false };
        let Plan::Services(services, last) = by_naptr(&domain, &[], &sockets()) else { panic!() };
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(
            names,
            ["_sip._udp.example.com", "_sip._tcp.example.com", "_sips._tcp.example.com"]
        );
        assert_eq!(last, host(5060, Transport::Udp));
    }

    #[test]
    fn weights_share_the_load_and_priorities_come_first() {
        let records = vec![srv(20, 0, "backup"), srv(10, 30, "large"), srv(10, 10, "small")];
        let mut first = 0;
        for seed in 0..1_000 {
            let ordered = by_weight(records.clone(), &mut Random::repeatable(seed));
            assert_eq!(ordered[2].target, "backup");
            first += usize::from(ordered[0].target == "large");
        }
        assert!((700..800).contains(&first), "{first} of 1000 instead of 750");
        assert!(by_weight(vec![srv(0, 0, ".")], &mut Random::repeatable(1)).is_empty());
    }

    #[test]
    fn a_flow_leaves_by_the_socket_of_its_kind_and_family() {
        let sockets = sockets();
        let six = "[2001:db8::9]:5061".parse().unwrap();
        let flow = sockets.flow_to(Transport::Tls, six).unwrap();
        assert_eq!(flow.local, "[2001:db8::1]:5060".parse().unwrap());
        let only_four = Sockets::new([(Transport::Udp, "192.0.2.1:5060".parse().unwrap())]);
        assert_eq!(only_four.flow_to(Transport::Udp, six), None);
        let found =
            flows((Transport::Udp, 9), &[six.ip(), "192.0.2.9".parse().unwrap()], &only_four);
        assert_eq!(found, [only_four.straight("sip:192.0.2.9:9").unwrap()]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_order_loses_nobody(
            records in prop::collection::vec((0..3_u16, 0..u16::MAX), 0..8),
            seed in any::<u64>(),
        ) {
            let records: Vec<Srv> = records
                .iter()
                .enumerate()
                .map(|(at, (priority, weight))| srv(*priority, *weight, &at.to_string()))
                .collect();
            let ordered = by_weight(records.clone(), &mut Random::repeatable(seed));
            prop_assert!(ordered.is_sorted_by_key(|record| record.priority));
            let (mut before, mut after) = (records, ordered);
            before.sort_by(|one, two| one.target.cmp(&two.target));
            after.sort_by(|one, two| one.target.cmp(&two.target));
            prop_assert_eq!(before, after);
        }
    }
}
