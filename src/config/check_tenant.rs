//! Checks of tenants: that trunks belong to one that is there, and that something belongs to each.

use std::path::PathBuf;

use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::subject::Subject;

/// Checks tenants and whose trunks are.
pub fn tenants(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let (server, mut found) = (subject.server, Vec::new());
    for (name, trunk) in &server.trunks {
        let Some(tenant) = &trunk.tenant else { continue };
        if server.tenants.contains_key(tenant)
            || subject.key(&format!("tenants.{tenant}")).is_some()
        {
            continue;
        }
        let known = server.tenants.keys().map(String::as_str);
        let label = match did_you_mean(tenant, known) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "not defined".to_owned(),
        };
        found.push(
            Diagnostic::error("ref.unknown", format!("there is no tenant `{tenant}`"))
                .at(subject.place(&format!("trunks.{name}.tenant")), label)
                .help(format!("tenants stand in the settings, under [tenants.{tenant}]")),
        );
    }
    for (name, tenant) in &server.tenants {
        let has_trunk = server.trunks.values().any(|it| it.tenant.as_deref() == Some(&**name));
        if tenant.numbers.is_empty() && !has_trunk {
            found.push(
                Diagnostic::warning("tenant.unused", format!("no call is one of `{name}`"))
                    .at(subject.key(&format!("tenants.{name}")), "neither numbers nor a trunk")
                    .help("add numbers = [\"+49711123450..49\"], or tenant to its trunk"),
            );
        }
    }
    found.extend(folders(subject));
    found
}

/// Checks where the dialplans of tenants are: where all are watched, kept and edited, and each in a
/// folder of its own.
fn folders(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let (server, mut found) = (subject.server, Vec::new());
    let all = &server.machine.dialplans;
    let own = server.tenants.iter().filter_map(|(name, it)| Some((name, it.dialplans.as_ref()?)));
    for (name, folder) in own.clone() {
        let place = subject.place(&format!("tenants.{name}.dialplans"));
        let within = |(other, it): (&String, &PathBuf)| other != name && folder.starts_with(it);
        let wrong = if folder == all || !folder.starts_with(all) {
            Some(("it is no folder below the dialplans of all", "not there".to_owned()))
        } else if let Some((other, _)) = own.clone().find(|it| within(*it)) {
            Some(("two tenants cannot have the same dialplans", format!("`{other}` has it")))
        } else if !folder.is_dir() {
            Some(("there is no such folder", "not found".to_owned()))
        } else {
            None
        };
        if let Some((why, label)) = wrong {
            let message = format!("the dialplans of `{name}` cannot be here: {why}");
            let help = format!("make it a folder in `{}`, one for each tenant", all.display());
            let found_here = Diagnostic::error("tenant.dialplans", message).at(place, label);
            found.push(found_here.help(help));
        }
    }
    found
}
