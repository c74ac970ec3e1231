//! Name servers: asks what `sip::route` wants to know (RFC 3263). Answers are kept for as long as
//! they say they hold.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::{join, join_all};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use crate::base::random::Random;
use crate::sip::event::{Flow, Transport};
use crate::sip::route::{self, Naptr, Place, Plan, Sockets, Srv};
use crate::sip::uri::Uri;

/// Asks name servers. A clone shares what is known.
#[derive(Clone)]
pub struct Names {
    resolver: TokioResolver,
}

/// No name server could say whether there is such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no name server answered")]
pub struct Unanswered;

impl Names {
    /// The name servers of this machine.
    ///
    /// # Errors
    /// When the files of the system that name them cannot be read.
    pub fn of_system() -> Result<Self, NetError> {
        let mut builder = TokioResolver::builder_tokio()?;
        impatient(builder.options_mut());
        Ok(Self { resolver: builder.build()? })
    }

    /// These name servers; without any only the hosts file is known.
    ///
    /// # Errors
    /// When no resolver can be made.
    pub fn at(servers: &[SocketAddr]) -> Result<Self, NetError> {
        let server = |address: &SocketAddr| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|it| it.port = address.port());
            NameServerConfig::new(address.ip(), true, connections)
        };
        let servers = servers.iter().map(server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let provider = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, provider);
        impatient(builder.options_mut());
        Ok(Self { resolver: builder.build()? })
    }

    /// Where a SIP URI leads, the best first; nothing when there is no such name.
    ///
    /// # Errors
    /// When nobody knows, because no server answers.
    pub async fn flows(
        &self,
        uri: &str,
        sockets: &Sockets,
        mut random: Random,
    ) -> Result<Vec<Flow>, Unanswered> {
        let parsed = Uri::parse(uri).ok();
        let Some(mut plan) = parsed.and_then(|uri| route::plan(&uri, sockets)) else {
            return Ok(Vec::new());
        };
        if let Plan::Domain(domain) = &plan {
            let records = self.naptr(&domain.name).await?;
            plan = route::by_naptr(domain, &records, sockets);
        }
        match plan {
            Plan::There(transport, remote) => {
                Ok(sockets.flow_to(transport, remote).into_iter().collect())
            }
            Plan::Addresses(place) => self.place(&place, sockets).await,
            Plan::Services(services, place) => {
                let mut found = Vec::new();
                let mut is_service = false;
                for service in services {
                    let records = self.srv(&service.name).await?;
                    is_service |= !records.is_empty();
                    let records = route::by_weight(records, &mut random);
                    found.extend(self.hosts(&records, service.transport, sockets).await);
                }
                // A domain that names services is none itself (RFC 3263 4.2).
                if is_service { Ok(found) } else { self.place(&place, sockets).await }
            }
            Plan::Domain(_) => Ok(Vec::new()),
        }
    }

    /// The hosts of a service, all asked at once; one that is unknown is left out.
    async fn hosts(&self, records: &[Srv], transport: Transport, sockets: &Sockets) -> Vec<Flow> {
        let addresses = records.iter().map(|record| self.addresses(&record.target, sockets));
        let found = join_all(addresses).await;
        let flows = records.iter().zip(found).flat_map(|(record, addresses)| {
            let addresses = addresses.unwrap_or_default();
            route::flows((transport, record.port), &addresses, sockets)
        });
        flows.collect()
    }

    async fn place(&self, place: &Place, sockets: &Sockets) -> Result<Vec<Flow>, Unanswered> {
        let addresses = self.addresses(&place.name, sockets).await?;
        Ok(route::flows((place.transport, place.port), &addresses, sockets))
    }

    /// The addresses of a host in the families that we have sockets of.
    async fn addresses(&self, name: &str, sockets: &Sockets) -> Result<Vec<IpAddr>, Unanswered> {
        let speaks = |is_v4: bool| sockets.iter().any(|(_, socket)| socket.is_ipv4() == is_v4);
        let (four, six) = join(
            async {
                if speaks(true) { self.ask(name, RecordType::A).await } else { Ok(Vec::new()) }
            },
            async {
                if speaks(false) { self.ask(name, RecordType::AAAA).await } else { Ok(Vec::new()) }
            },
        )
        .await;
        let records = match (four, six) {
            (Ok(four), Ok(six)) => [four, six].concat(),
            (Ok(some), Err(_)) | (Err(_), Ok(some)) if !some.is_empty() => some,
            _ => return Err(Unanswered),
        };
        Ok(records.iter().filter_map(|record| record.data.ip_addr()).collect())
    }

    async fn naptr(&self, name: &str) -> Result<Vec<Naptr>, Unanswered> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let records = self.ask(name, RecordType::NAPTR).await?;
        let read = |record: &Record| match &record.data {
            RData::NAPTR(naptr) => Some(Naptr {
                order: naptr.order,
                preference: naptr.preference,
                flags: text(&naptr.flags),
                service: text(&naptr.services),
                replacement: naptr.replacement.to_ascii(),
            }),
            _ => None,
        };
        Ok(records.iter().filter_map(read).collect())
    }

    async fn srv(&self, name: &str) -> Result<Vec<Srv>, Unanswered> {
        let records = self.ask(name, RecordType::SRV).await?;
        let read = |record: &Record| match &record.data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_ascii(),
            }),
            _ => None,
        };
        Ok(records.iter().filter_map(read).collect())
    }

    /// The records of a name; none when there is no such name.
    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, Unanswered> {
        let Ok(mut name) = Name::from_ascii(name) else { return Ok(Vec::new()) };
        // The name is whole: no search list of this machine belongs behind it.
        name.set_fqdn(name.num_labels() > 1 || name.is_fqdn());
        match self.resolver.lookup(name, kind).await {
            Ok(found) => Ok(found.answers().to_vec()),
            Err(why) if why.is_no_records_found() => Ok(Vec::new()),
            Err(_) => Err(Unanswered),
        }
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

/// A caller waits while we ask.
fn impatient(options: &mut ResolverOpts) {
    options.timeout = Duration::from_secs(2);
    options.attempts = 1;
    options.cache_size = 4_096;
    options.positive_max_ttl = Some(Duration::from_secs(3_600));
    options.negative_max_ttl = Some(Duration::from_secs(60));
}

#[cfg(test)]
pub(crate) mod tests;
