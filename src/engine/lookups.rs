//! Questions of the exchange to name servers, asked beside the shard: the receive path never waits.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::call::exchange::LookupId;
use crate::engine::clock;
use crate::net::dns::{Names, Unanswered};
use crate::sip::event::Flow;
use crate::sip::route::Sockets;
use crate::sip::uri::{Host, Uri};

/// The questions that have no answer yet, and the last good answer to those before.
#[derive(Debug)]
pub struct Lookups {
    sockets: Sockets,
    name_servers: Vec<SocketAddr>,
    names: Option<Names>,
    running: JoinSet<(LookupId, String, Result<Vec<Flow>, Unanswered>)>,
    last_good: HashMap<String, (Instant, Vec<Flow>)>,
}

/// Where a SIP URI leads.
#[derive(Debug)]
pub struct Found {
    /// The question.
    pub lookup: LookupId,
    /// The domain that was asked for, if the URI has one.
    pub domain: Option<String>,
    /// The best first; nothing when there is nothing.
    pub flows: Vec<Flow>,
}

impl Lookups {
    /// Makes a table without questions; answers lead through these sockets. Without name servers
    /// those of the system are asked.
    pub fn new(sockets: Sockets, name_servers: Vec<SocketAddr>) -> Self {
        let (running, last_good) = (JoinSet::new(), HashMap::new());
        Self { sockets, name_servers, names: None, running, last_good }
    }

    /// Asks where a SIP URI leads.
    pub fn ask(&mut self, lookup: LookupId, uri: String) {
        let names = self.names();
        let (sockets, random) = (self.sockets.clone(), clock::random());
        self.running.spawn(async move {
            let Some(names) = names else { return (lookup, uri, Err(Unanswered)) };
            let asked = names.flows(&uri, &sockets, random);
            let found = tokio::time::timeout(LIMIT, asked).await.unwrap_or(Err(Unanswered));
            (lookup, uri, found)
        });
    }

    /// Waits for the next answer; `None` when nothing was asked. While no name server answers,
    /// what was true before is told.
    pub async fn next(&mut self) -> Option<Found> {
        let (lookup, uri, found) = self.running.join_next().await?.ok()?;
        let now = clock::now();
        let flows = match found {
            Ok(flows) => {
                self.remember(&uri, &flows, now);
                flows
            }
            Err(Unanswered) => {
                let before = self.last_good.get(&uri);
                let before = before.filter(|(at, _)| now.duration_since(*at) < STALE);
                before.map(|(_, flows)| flows.clone()).unwrap_or_default()
            }
        };
        let domain = Uri::parse(&uri).ok().and_then(|uri| match uri.host() {
            Some(Host::Name(name)) => Some(name.to_owned()),
            Some(Host::Address(_)) | None => None,
        });
        Some(Found { lookup, domain, flows })
    }

    fn remember(&mut self, uri: &str, flows: &[Flow], now: Instant) {
        if flows.is_empty() {
            self.last_good.remove(uri);
            return;
        }
        if self.last_good.len() >= MOST_REMEMBERED && !self.last_good.contains_key(uri) {
            self.last_good.clear();
        }
        self.last_good.insert(uri.to_owned(), (now, flows.to_vec()));
    }

    fn names(&mut self) -> Option<Names> {
        if self.names.is_none() {
            let made = match self.name_servers.as_slice() {
                [] => Names::of_system(),
                servers => Names::at(servers),
            };
            match made {
                Ok(names) => self.names = Some(names),
                Err(why) => tracing::error!(%why, "no name server can be asked"),
            }
        }
        self.names.clone()
    }
}

/// How long a question may take: NAPTR, SRV and addresses one after the other.
const LIMIT: Duration = Duration::from_secs(8);

/// How long what was true counts when no name server answers.
const STALE: Duration = Duration::from_secs(86_400);

/// How many answers are remembered for such times.
const MOST_REMEMBERED: usize = 1_024;
