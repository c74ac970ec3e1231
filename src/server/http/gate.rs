//! The gate: who comes in, and what the key allows. The file of the keys is read again as soon as it
//! is another one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use crate::call::admission::Budget;
use crate::engine::clock;
use crate::engine::newest::Told;
use crate::server::deeds;
use crate::server::http::allowance::Allowance;
use crate::server::http::problem::{Code, Problem};
use crate::server::http::ticket::{Claims, Seal, is_ticket};
use crate::store::api_keys::{self, ApiKey, ApiKeys, PREFIX, Scope, Stamp};
use crate::store::audit::{Audit, Deed};
use crate::store::key_uses::KeyUses;

/// Knows the keys, and who came without one.
///
/// All connections share it: what is behind the locks is held for as long as it takes to look.
#[derive(Debug)]
pub struct Gate {
    keys: ApiKeys,
    known: Mutex<(Stamp, Arc<[ApiKey]>)>,
    failures: Mutex<Failures>,
    allowance: Mutex<Allowance>,
    uses: Mutex<KeyUses>,
    audit: Audit,
    seal: Seal,
}

/// What an answer tells the chronicle: what was changed, and the sums of what it said and says.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    /// What was changed, where the path does not say it.
    pub on: Option<String>,
    /// The sum of what it said; nothing when it was not there.
    pub before: Option<String>,
    /// The sum of what it says; nothing when it is gone.
    pub after: Option<String>,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// The key that somebody came with, or the ticket that stands for it.
#[derive(Debug, Clone)]
pub struct Bearer {
    gate: Arc<Gate>,
    pass: Pass,
}

#[derive(Debug, Clone)]
struct Pass {
    key: ApiKey,
    ticket: Option<Claims>,
}

/// Who came with wrong keys of late, and how often.
#[derive(Debug, Default)]
struct Failures(HashMap<IpAddr, (u32, Instant)>);

/// Lets a request pass whose key has the scope.
pub async fn admit(
    State((gate, scope)): State<(Arc<Gate>, Scope)>,
    mut request: Request,
    next: Next,
) -> Response {
    let shown = shown(&mut request);
    let pass = match gate.pass(&request, shown) {
        Ok(pass) => pass,
        Err(problem) => return problem.into_response(),
    };
    if let Err(forbidden) = pass.allows(scope, request.uri().path()) {
        let response = forbidden.into_response();
        if let Some(deed) = deed(&request, &pass.key) {
            deeds::note(gate.audit.clone(), come_of(deed, &response)).await;
        }
        return response;
    }
    let told = (scope > Scope::Read)
        .then(|| (pass.key.id.clone(), request.method().clone(), request.uri().path().to_owned()));
    let deed = deed(&request, &pass.key);
    request.extensions_mut().insert(Bearer { gate: gate.clone(), pass });
    let response = next.run(request).await;
    if let Some(deed) = deed {
        deeds::note(gate.audit.clone(), come_of(deed, &response)).await;
    }
    if let Some((key, method, path)) = told {
        let status = response.status().as_u16();
        tracing::info!(key, %method, path, status, "a key was used to act");
    }
    response
}

impl Gate {
    /// Knows the keys of this file; each may be used so often.
    pub fn new(keys: ApiKeys, budget: Budget, audit: Audit, uses: KeyUses) -> Self {
        let known = Mutex::new((None, Arc::from([])));
        let allowance = Mutex::new(Allowance::new(budget));
        let seal = Seal::new(&mut clock::random());
        let (failures, uses) = (Mutex::default(), Mutex::new(uses));
        Self { keys, known, failures, allowance, uses, audit, seal }
    }

    /// Tells now and then how often keys were used, and a last time at the stop.
    pub async fn keep_uses(self: Arc<Self>, told: Told<KeyUses>, stop: CancellationToken) {
        let mut often = tokio::time::interval(TOLD_EVERY);
        let mut is_over = false;
        while !is_over {
            tokio::select! {
                _ = often.tick() => {}
                () = stop.cancelled() => is_over = true,
            }
            let uses = self.uses();
            told.send_if_modified(|known| {
                let is_news = **known != uses;
                *known = uses.into();
                is_news
            });
        }
    }

    fn uses(&self) -> KeyUses {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the key or ticket of a request allows.
    fn pass(&self, request: &Request, shown: Option<String>) -> Result<Pass, Problem> {
        let peer = request.extensions().get::<Peer>().map(|peer| network(peer.0));
        let Some(shown) = shown else {
            let how = "write `Authorization: Bearer sk_…`: `voxtrunk key create` makes a key";
            return Err(Problem::new(Code::Unauthorized, how));
        };
        let known = match is_ticket(&shown) {
            true => self.ticket(&shown),
            false => self.valid(&shown).map(|key| Pass { key, ticket: None }),
        };
        if let Some(known) = known {
            return self.spend(&known.key).map(|()| known);
        }
        // A key that is right comes in all the same: others behind the same address are not
        // locked out, and what is 256 bits long is not guessed in any number of tries.
        match peer {
            Some(peer) if self.fails(peer) => {
                let why = "too many wrong keys from this address";
                Err(Problem::new(Code::TooMany, why).after(60))
            }
            _ => Err(Problem::new(Code::Unauthorized, "the key is not valid, or not any more")),
        }
    }

    /// What a ticket allows, if it is one of ours and its key is still valid.
    fn ticket(&self, text: &str) -> Option<Pass> {
        let now = clock::since_epoch();
        let claims = self.seal.claims(text, now)?;
        let known = self.known();
        let key = known.iter().find(|key| key.id == claims.key && key.is_valid(now))?;
        Some(Pass { key: key.clone(), ticket: Some(claims) })
    }

    /// The key that is meant, if it is valid.
    fn valid(&self, text: &str) -> Option<ApiKey> {
        if !text.starts_with(PREFIX) || text.len() > LONGEST_KEY {
            return None;
        }
        let known = self.known();
        let found = api_keys::shown(&known, text)?;
        found.is_valid(clock::since_epoch()).then(|| found.clone())
    }

    /// The keys as they stand in the file now.
    fn known(&self) -> Arc<[ApiKey]> {
        let stamp = self.keys.stamp();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 == stamp {
            return known.1.clone();
        }
        match self.keys.all() {
            Ok(all) => *known = (stamp, all.into()),
            Err(why) => {
                // Nobody comes in by keys that may have been taken back.
                tracing::error!(%why, "the keys cannot be read: nobody is let in");
                *known = (stamp, Arc::from([]));
            }
        }
        known.1.clone()
    }

    /// Uses a key, as often as it may be.
    fn spend(&self, key: &ApiKey) -> Result<(), Problem> {
        let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        allowance.spend(&key.id, clock::now()).map_err(|seconds| {
            Problem::new(Code::TooMany, "this key is used too often").after(seconds)
        })?;
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.spend(&key.id, key.daily, clock::since_epoch()).map_err(|seconds| {
            let why = "this key was used as often today as it may be";
            Problem::new(Code::TooMany, why).after(seconds)
        })
    }

    /// The name of a key that may operate, if that is what a text is, and it may be used now.
    pub fn operator(&self, text: &str) -> Option<String> {
        let key = self.valid(text).filter(|key| key.scope >= Scope::Operate)?;
        self.spend(&key).ok().map(|()| key.id)
    }

    /// Counts a wrong key; tells whether there were too many.
    pub fn fails(&self, peer: IpAddr) -> bool {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.count(network(peer), clock::now())
    }
}

/// What is written down of a request: of all that act, and of what callers said and what was said for
/// them on the wire.
fn deed(request: &Request, key: &ApiKey) -> Option<Deed> {
    let path = request.extensions().get::<MatchedPath>()?.as_str().to_owned();
    let looks = request.method() == Method::GET || RESTED.contains(&path.as_str());
    if looks && !WATCHED.contains(&path.as_str()) {
        return None;
    }
    let from = request.extensions().get::<Peer>().map(|peer| peer.0.to_string());
    let segments = path.split('/').zip(request.uri().path().split('/'));
    let named = |(form, _): &(&str, &str)| matches!(*form, "{id}" | "{name}" | "{key}");
    let on = segments.filter(named).map(|(_, name)| name.to_owned()).next();
    let what = format!("{} {path}", request.method());
    let on = on.filter(|on| deeds::is_plain(on));
    Some(Deed { on, ..deeds::begun(key.id.clone(), from.unwrap_or_default(), what) })
}

/// The deed, with what came of it.
fn come_of(deed: Deed, response: &Response) -> Deed {
    let Sums { on, before, after } =
        response.extensions().get::<Sums>().cloned().unwrap_or_default();
    let made = response.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
    let made = made.and_then(|it| it.rsplit('/').next()).map(str::to_owned);
    let on = deed.on.clone().or(on).or(made).filter(|on| deeds::is_plain(on));
    let outcome = response.status().as_u16().to_string();
    Deed { on, before, after, outcome, ..deed }
}

impl Bearer {
    /// What the key is called.
    pub fn id(&self) -> &str {
        &self.pass.key.id
    }

    /// What the key may do.
    pub fn scope(&self) -> Scope {
        self.pass.scope()
    }

    /// How often the key may be used on a day.
    pub fn daily(&self) -> Option<u64> {
        self.pass.key.daily
    }

    /// How often keys were used.
    pub fn uses(&self) -> KeyUses {
        self.gate.uses()
    }

    /// From when on the key is not valid any more, in seconds since the Unix epoch.
    pub fn expires(&self) -> Option<u64> {
        self.pass.key.expires
    }

    /// A ticket that stands for the key; none for who came with a ticket, or tickets would not end.
    pub fn ticket(&self, claims: &Claims) -> Option<String> {
        self.pass.ticket.is_none().then(|| self.gate.seal.ticket(claims))
    }

    /// All keys.
    pub fn keys(&self) -> ApiKeys {
        self.gate.keys.clone()
    }

    /// Whether the key is still valid, and the ticket.
    pub fn is_valid(&self) -> bool {
        let (known, now) = (self.gate.known(), clock::since_epoch());
        let Pass { key, ticket } = &self.pass;
        let lasts = ticket.as_ref().is_none_or(|ticket| ticket.last(now));
        known.contains(key) && key.is_valid(now) && lasts
    }
}

impl Pass {
    fn scope(&self) -> Scope {
        self.ticket.as_ref().map_or(self.key.scope, |ticket| ticket.scope.min(self.key.scope))
    }

    fn allows(&self, scope: Scope, path: &str) -> Result<(), Problem> {
        if self.scope() < scope {
            return Err(forbidden(self.scope(), scope));
        }
        match &self.ticket {
            Some(ticket) if !ticket.lead_to(path) => Err(Problem::new(
                Code::Forbidden,
                "this ticket is for one call, and this is none of it",
            )),
            _ => Ok(()),
        }
    }
}

/// The key or ticket that a request shows: in `Authorization`, or, as browsers can write no header where
/// they watch, a ticket in the query, which is taken out of it.
fn shown(request: &mut Request) -> Option<String> {
    if let Some(key) = bearer(request.headers()) {
        return Some(key);
    }
    if request.method() != Method::GET {
        return None;
    }
    let (uri, ticket) = without_ticket(request.uri())?;
    *request.uri_mut() = uri;
    Some(ticket)
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (way, key) = text.split_once(' ')?;
    let key = key.trim();
    (way.eq_ignore_ascii_case("bearer") && !key.is_empty()).then(|| key.to_owned())
}

/// What is asked without the ticket in its query, and the ticket.
fn without_ticket(uri: &Uri) -> Option<(Uri, String)> {
    let query = uri.query()?;
    let ticket = query.split('&').find_map(|it| it.strip_prefix("ticket="))?;
    let ticket = Some(ticket).filter(|it| is_ticket(it))?.to_owned();
    let others: Vec<&str> = query.split('&').filter(|it| !it.starts_with("ticket=")).collect();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{}?{}", uri.path(), others.join("&")).parse().ok()?);
    Some((Uri::from_parts(parts).ok()?, ticket))
}

impl Failures {
    fn count(&mut self, peer: IpAddr, now: Instant) -> bool {
        let is_over = |since: Instant| now.saturating_duration_since(since) > FAILURES_WITHIN;
        if self.0.len() >= MOST_PEERS && !self.0.contains_key(&peer) {
            self.0.retain(|_, (_, since)| !is_over(*since));
            if self.0.len() >= MOST_PEERS {
                self.0.clear();
            }
        }
        let (count, since) = self.0.entry(peer).or_insert((0, now));
        if is_over(*since) {
            (*count, *since) = (0, now);
        }
        *count = count.saturating_add(1);
        *count > MOST_FAILURES
    }
}

/// Whose address it is: a household has a whole network of IPv6.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

fn forbidden(has: Scope, wants: Scope) -> Problem {
    let (has, wants) = (has.name(), wants.name());
    Problem::new(
        Code::Forbidden,
        format!("this key may {has}, and this needs one that may {wants}"),
    )
}

/// So many wrong keys are forgiven.
const MOST_FAILURES: u32 = 10;

/// Those within this time count together.
const FAILURES_WITHIN: Duration = Duration::from_secs(60);

/// Of so many addresses it is known.
const MOST_PEERS: usize = 4_096;

/// What is asked by POST and changes nothing.
const RESTED: &[&str] = &["/v1/routes/test", "/v1/config/check", "/v1/config/diff"];

/// What is looked at, and written down all the same.
const WATCHED: &[&str] = &[
    "/v1/calls/{id}/recording",
    "/v1/calls/{id}/recording/peaks",
    "/v1/calls/{id}/sip",
    "/v1/calls/export",
    "/v1/audit",
];

/// How often it is told how often keys were used.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// The longest text that is looked up, in octets.
const LONGEST_KEY: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_keys_are_counted_for_each_address_and_forgiven_later() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        let peer: IpAddr = "192.0.2.1".parse().expect("an address");
        for _ in 0..MOST_FAILURES {
            assert!(!failures.count(peer, start));
        }
        assert!(failures.count(peer, start + Duration::from_secs(59)));
        assert!(!failures.count("192.0.2.2".parse().expect("an address"), start));
        assert!(!failures.count(peer, start + Duration::from_secs(61)));
        for number in 0..20_000_u32 {
            failures.count(IpAddr::V4(number.into()), start);
        }
        assert!(failures.0.len() <= MOST_PEERS);
    }

    #[test]
    fn a_ticket_is_taken_out_of_what_is_asked() {
        let asked = |uri: &str| {
            let uri: Uri = uri.parse().expect("a URI");
            without_ticket(&uri).map(|(uri, ticket)| (uri.to_string(), ticket))
        };
        let found = |uri: &str| Some((uri.to_owned(), "eyJh.b.c".to_owned()));
        assert_eq!(asked("/v1/events?ticket=eyJh.b.c"), found("/v1/events?"));
        assert_eq!(
            asked("/v1/events?types=a&ticket=eyJh.b.c&x=1"),
            found("/v1/events?types=a&x=1")
        );
        // A key in an address would stand in logs and histories.
        for other in ["/v1/events", "/v1/events?ticket=sk_abc", "/v1/events?tickets=eyJh"] {
            assert_eq!(asked(other), None, "{other}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let one = network("2001:db8:1:2:3::4".parse().expect("an address"));
        assert_eq!(one, network("2001:db8:1:2:ffff::1".parse().expect("an address")));
        assert_ne!(one, network("2001:db8:1:3::4".parse().expect("an address")));
        assert_eq!(
            network("::ffff:192.0.2.1".parse().expect("an address")).to_string(),
            "192.0.2.1"
        );
    }
}
