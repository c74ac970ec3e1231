//! What `check --probe` finds out about the hosts that tools go to.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use crate::agent::tools::request;
use crate::config::diagnostic::Diagnostic;
use crate::config::load::Loaded;
use crate::net::reach::reach;
use crate::server::serve;

/// The hosts of tools that cannot be reached from here, each told once, at the first tool that goes
/// there. They are asked nothing.
pub fn unreachable(loaded: &Loaded) -> Vec<Diagnostic> {
    let mut hosts: BTreeMap<(String, u16), &str> = BTreeMap::new();
    for (tool, definition) in &loaded.tools {
        if let Some((_, host, port)) = request::origin(&definition.url) {
            hosts.entry((host.to_owned(), port)).or_insert(tool.as_str());
        }
    }
    if hosts.is_empty() {
        return Vec::new();
    }
    let allowed = &loaded.server.security.tools.allow;
    let asking = async {
        let mut asked = JoinSet::new();
        for (host, port) in hosts.keys().cloned() {
            let allowed = allowed.clone();
            asked.spawn(async move {
                let why = reach(&host, port, &allowed).await.err()?;
                Some(((host, port), why))
            });
        }
        asked.join_all().await
    };
    let silent: BTreeMap<_, _> = serve::block_on(asking).into_iter().flatten().collect();
    let told = |(host, why): (&(String, u16), &&str)| {
        let (tool, (name, port)) = (hosts[host], host);
        let place = loaded.places.find(&format!("tools.{tool}.url"));
        Diagnostic::warning("tool.unreachable_host", format!("`{name}` cannot be reached: {why}"))
            .at(place.map(|place| place.value.clone()), format!("port {port} was tried"))
            .help("check the name, and whether this machine may open connections to it")
    };
    silent.iter().map(told).collect()
}
