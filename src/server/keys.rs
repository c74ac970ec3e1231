//! `voxtrunk key`: who may ask the server by HTTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::base::secret::ExposeSecret;
use crate::config::external::Fault;
use crate::config::glance::Glance;
use crate::config::paths::tidied;
use crate::config::settings::Server;
use crate::engine::clock;
use crate::server::control::times::timestamp;
use crate::server::deeds;
use crate::server::secrets::answer;
use crate::store::api_keys::ApiKeys;
use crate::store::key_uses::KeyUses;

pub use crate::store::api_keys::{Order, Scope};

/// Makes a key and shows it, this once.
pub fn create(config: &Path, order: &Order<'_>) -> ExitCode {
    let made = keys(config).and_then(|keys| {
        let made = keys.create(order, clock::since_epoch(), &mut clock::random());
        made.map_err(|why| why.to_string())
    });
    let on = made.as_ref().ok().map(|(made, _)| made.id.clone());
    deeds::of_command_line(config, "key.create", on, made.is_ok());
    answer(made.map(|(made, key)| {
        eprintln!("{} may {}. Its key, which is shown only now:", made.id, made.scope.name());
        println!("{}", key.expose_secret());
    }))
}

/// Shows what is known of the keys.
pub fn list(config: &Path) -> ExitCode {
    let all = data(config).and_then(|data| {
        let all = ApiKeys::below(&data).all().map_err(|why| why.to_string())?;
        Ok((all, KeyUses::below(&data)))
    });
    answer(all.map(|(all, uses)| {
        let now = clock::since_epoch();
        for key in &all {
            let made = timestamp(Duration::from_secs(key.created));
            let until = key.expires.map(|at| timestamp(Duration::from_secs(at)));
            let until = match until {
                Some(until) if key.is_valid(now) => format!("until {until}"),
                Some(until) => format!("expired {until}"),
                None => "for ever".to_owned(),
            };
            let used = uses.of(&key.id).map(|it| {
                let last = timestamp(Duration::from_secs(it.last));
                let most = key.daily.map(|daily| format!(" of {daily}")).unwrap_or_default();
                format!("{}{most} today, {} in all, last {last}", it.today_at(now), it.total)
            });
            let used = used.unwrap_or_else(|| "never used".to_owned());
            let (id, scope, name) = (&key.id, key.scope.name(), &key.name);
            println!("{id}  {scope:<8}{made}  {until}  {used}  {name}");
        }
        if all.is_empty() {
            println!("there is no key: `voxtrunk key create --name NAME` makes one");
        }
    }))
}

/// Lets nobody come with a key any more.
pub fn revoke(config: &Path, which: &str) -> ExitCode {
    let gone = keys(config).and_then(|keys| keys.revoke(which).map_err(|why| why.to_string()));
    let on = gone.as_ref().ok().map(|gone| gone.id.clone());
    deeds::of_command_line(config, "key.revoke", on, gone.is_ok());
    answer(gone.map(|gone| println!("revoked: {} ({})", gone.id, gone.name)))
}

/// A door that others can reach, and nobody who could come in.
pub fn faults(server: &Server) -> Option<Fault> {
    let bind = server.http.as_ref()?.bind;
    let why = unguarded(bind, &ApiKeys::below(&server.machine.data_dir))?;
    let mut fault = Fault::error("http.no_key", "http.bind", why);
    fault.label = "not only this machine comes here".to_owned();
    fault.help = Some("`voxtrunk key create --name NAME` makes one".to_owned());
    Some(fault)
}

/// Why a door must not be opened: it is not for this machine only, and there is no key that is
/// valid.
pub fn unguarded(bind: SocketAddr, keys: &ApiKeys) -> Option<String> {
    let all = match keys.all() {
        Ok(all) => all,
        Err(why) => return Some(format!("the keys cannot be read: {why}")),
    };
    let now = clock::since_epoch();
    let is_guarded = bind.ip().is_loopback() || all.iter().any(|key| key.is_valid(now));
    (!is_guarded).then(|| format!("{bind} would be open to the network, and there is no key"))
}

fn keys(config: &Path) -> Result<ApiKeys, String> {
    data(config).map(|data| ApiKeys::below(&data))
}

/// The data folder.
fn data(config: &Path) -> Result<PathBuf, String> {
    let environment = |name: &str| std::env::var(name).ok();
    let glance = Glance::at(config, &environment).map_err(|why| why.to_string())?;
    Ok(tidied(&glance.folder().join(glance.data())))
}
