//! Checks of tenants: that trunks belong to one that is there, and that something belongs to each.

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
    found
}
