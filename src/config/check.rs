//! What cannot work, or probably was not meant, in settings that can be read.

use crate::config::diagnostic::Diagnostic;
use crate::config::subject::Subject;
use crate::config::{
    check_after, check_agent, check_campaigns, check_consent, check_databases, check_disclosure,
    check_flows, check_hours, check_machine, check_mail, check_menus, check_money, check_numbers,
    check_openai, check_outbound, check_phone, check_queues, check_routes, check_schedules,
    check_squads, check_streams, check_tenant, check_tools, check_voicemail, check_webhooks,
};

/// Checks everything.
pub fn all(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = check_machine::machine(subject);
    found.extend(check_mail::server(subject));
    found.extend(check_databases::databases(subject));
    found.extend(check_webhooks::storage(subject));
    found.extend(check_webhooks::webhooks(subject));
    found.extend(check_openai::openai(subject));
    found.extend(check_streams::streams(subject));
    found.extend(check_phone::phones(subject));
    found.extend(check_tenant::tenants(subject));
    found.extend(check_money::money(subject));
    found.extend(check_routes::routes(subject));
    found.extend(check_hours::hours_and_lists(subject));
    found.extend(check_outbound::rules(subject));
    found.extend(check_numbers::numbers(subject));
    found.extend(check_consent::recorded(subject));
    found.extend(check_disclosure::disclosures(subject));
    found.extend(check_squads::squads(subject));
    found.extend(check_menus::menus(subject));
    found.extend(check_voicemail::mailboxes(subject));
    found.extend(check_flows::flows(subject));
    found.extend(check_queues::queues(subject));
    found.extend(check_campaigns::campaigns(subject));
    found.extend(check_schedules::schedules(subject));
    found.extend(check_tools::tools(subject));
    for (name, agent) in subject.agents {
        if !subject.faulty.contains(name) {
            found.extend(check_agent::agent(subject, name, agent));
            found.extend(check_after::after(subject, name, agent));
        }
    }
    found
}
