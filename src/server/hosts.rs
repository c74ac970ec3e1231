//! What `check` finds out about the names of hosts, and about certificates that run out.

use std::path::Path;
use std::time::Duration;

use crate::base::random::Random;
use crate::config::diagnostic::Severity;
use crate::config::external::Fault;
use crate::config::settings::Server;
use crate::engine::clock;
use crate::net::dns::{Names, Unanswered};
use crate::sip::event::Transport;
use crate::sip::route::Sockets;

/// Names of trunks' hosts that lead nowhere.
pub fn unknown(server: &Server) -> Vec<Fault> {
    let named = server.trunks.iter().flat_map(|(trunk, settings)| {
        let path = move |at| format!("trunks.{trunk}.inbound.allow[{at}]");
        settings.inbound.names().map(move |(at, name)| (path(at), name.to_owned()))
    });
    let named: Vec<(String, String)> = named.collect();
    if named.is_empty() {
        return Vec::new();
    }
    let servers = server.sip.name_servers.clone();
    // Whoever checks may have a runtime already, and may have none.
    let asking = std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().ok()?;
        Some(runtime.block_on(async {
            let names = match servers.as_slice() {
                [] => Names::of_system(),
                servers => Names::at(servers),
            };
            let Ok(names) = names else { return named.into_iter().map(silent).collect() };
            let all = named.into_iter().map(|place| one(&names, place));
            futures_util::future::join_all(all).await.into_iter().flatten().collect()
        }))
    });
    asking.join().ok().flatten().unwrap_or_default()
}

async fn one(names: &Names, (path, name): (String, String)) -> Option<Fault> {
    let any = ["0.0.0.0:0", "[::]:0"].map(|text| text.parse().expect("an address"));
    let sockets = Sockets::new(any.into_iter().map(|address| (Transport::Udp, address)));
    let uri = format!("sip:{name}");
    let asked = names.flows(&uri, &sockets, Random::repeatable(1));
    match tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(Unanswered)) {
        Ok(flows) if flows.is_empty() => {
            let message = format!("there is no host `{name}`");
            let mut fault = doubt(path, message);
            fault.help = Some("correct the name, or write the addresses of the carrier".to_owned());
            Some(fault)
        }
        Ok(_) => None,
        Err(Unanswered) => Some(silent((path, name))),
    }
}

fn silent((path, name): (String, String)) -> Fault {
    doubt(path, format!("no name server says where `{name}` is"))
}

fn doubt(path: String, message: String) -> Fault {
    let mut fault = Fault::error("trunk.unknown_host", path, message);
    fault.severity = Severity::Warning;
    fault.label = "its calls would be those of a stranger".to_owned();
    fault
}

/// Certificates that have run out, or soon will.
pub fn expiring(server: &Server) -> Vec<Fault> {
    let found = server.tls.iter().filter_map(|(name, tls)| {
        let left = days_left(&tls.cert)?;
        let message = match left {
            ..0 => format!("certificate `{name}` has run out {} days ago", left.unsigned_abs()),
            0 => format!("certificate `{name}` runs out today"),
            1..=MOST_DAYS => format!("certificate `{name}` runs out in {left} days"),
            _ => return None,
        };
        let mut fault = Fault::error("tls.expiring", format!("tls.{name}.cert"), message);
        fault.severity = Severity::Warning;
        fault.label = "peers that check it will hang up".to_owned();
        fault.help = Some("put a new one in its place: it is read without a restart".to_owned());
        Some(fault)
    });
    found.collect()
}

/// For how many days the first certificate of a file is good; `None` when that cannot be told.
fn days_left(path: &Path) -> Option<i64> {
    let text = std::fs::read(path).ok()?;
    let (_, pem) = x509_parser::pem::parse_x509_pem(&text).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let until = certificate.validity().not_after.timestamp();
    let now = i64::try_from(clock::since_epoch().as_secs()).ok()?;
    Some(until.saturating_sub(now).div_euclid(DAY))
}

/// How long name servers may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A day, in seconds.
const DAY: i64 = 86_400;

/// A certificate that is good for longer is no matter yet.
const MOST_DAYS: i64 = 14;
