//! What the answers of a trunk mean, in the words of those who look after trunks.

use crate::call::exchange::{Trial, TrialStep};
use crate::call::trunk::Purpose;
use crate::server::control::times::millis;
use crate::server::control::view::{StepView, TrialView, TrunkView};
use crate::sip::registration::is_life;
use crate::sip::status::phrase;

/// What the answer to a REGISTER means.
pub fn of_register(status: u16) -> &'static str {
    match status {
        200..=299 => "the registrar knows us: calls reach us",
        401 | 407 => "it does not accept our password",
        403 => "it does not accept our account: wrong password, or not allowed from this address",
        404 => "it does not know our user",
        405 | 501 => "it is no registrar",
        408 => "nobody answered",
        420 => "it wants an extension that we do not have",
        423 => "it wants us to register for longer than we do",
        480 => "the account is switched off, or somebody else holds it",
        500 => "its software has a fault",
        503 => "it is overloaded or down for maintenance",
        300..=399 => "it sends us elsewhere",
        400..=499 => "it does not like our request",
        _ => "it cannot register us now",
    }
}

/// What the answer to an OPTIONS means.
pub fn of_options(status: u16) -> &'static str {
    match status {
        200..=299 => "it is there and takes calls",
        401 | 407 => "it is there and asks for a password",
        403 => "it is there, but lets nobody in from this address",
        404 | 480 | 484 => "it is there; it knows no such user, which does no harm here",
        405 | 501 => "it is there and knows no OPTIONS, which does no harm",
        408 => "nobody answered",
        483 => "the request goes in circles: its proxy sends it back to us",
        503 => "it is there and takes no calls now: overloaded, or in maintenance",
        500..=599 => "it is there, but not well",
        _ => "it is there",
    }
}

/// What an operator should look at.
fn advice(request: Purpose, status: u16, is_resolved: bool) -> Option<&'static str> {
    if !is_resolved {
        return Some(
            "the host name leads to no address: check `host`, `registrars` and `outbound_proxy` \
             of the trunk, and the name servers (`[sip] name_servers`, else /etc/resolv.conf)",
        );
    }
    let is_register = request == Purpose::Register;
    match status {
        408 => Some(
            "check host, port and transport of the trunk, the firewall on the way (both \
             directions), and that the peer sends its answers to the address we send from; \
             `voxtrunk sip trace --all --trunk <name>` shows whether anything comes back",
        ),
        401 | 407 if is_register => Some(
            "check `username`, `auth_username`, `password` and `realm` of the trunk; many carriers \
             have a SIP password that is not the one of their web site",
        ),
        403 if is_register => Some(
            "check the account in the carrier's portal: its password, the addresses that may use \
             it, and whether it is active; trying on and on may lock it",
        ),
        403 => Some("ask the peer to allow the address that we send from"),
        404 if is_register => Some("check `username` and `domain` of the trunk"),
        405 | 501 if is_register => Some(
            "this peer is not registered with: write register = false, and let it know us by address",
        ),
        423 => Some("raise `expires` of the trunk"),
        503 => Some("wait, or give the trunk a `failover` and a second registrar"),
        483 => Some("check `host` and `outbound_proxy`: does the name lead to ourselves?"),
        _ => None,
    }
}

/// What came of the test of a trunk that now stands like this.
pub fn verdict(trial: &Trial, trunk: &TrunkView) -> TrialView {
    let steps: Vec<StepView> = trial.steps.iter().map(step).collect();
    let is_alive = |step: &&TrialStep| step.purpose == Purpose::Trial && is_life(step.status);
    let lives = trial.steps.iter().any(|step| is_alive(&step));
    let registered = trunk.registration.as_ref().map(|it| it.state == "registered");
    let works = lives && registered != Some(false);
    let name = &trial.trunk;
    let left = trunk.registration.as_ref().and_then(|it| it.expires_in_s).unwrap_or_default();
    let summary = match (lives, registered) {
        (true, Some(true)) => format!("{name} works: it answers, and knows us for {left} s more"),
        (true, None) => format!("{name} works: it answers"),
        (true, Some(false)) => format!("{name} answers, but does not register us"),
        (false, Some(true)) => {
            format!("{name} is registered for {left} s more, but does not answer OPTIONS")
        }
        (false, Some(false)) => format!("{name} neither answers nor registers us"),
        (false, None) => format!("{name} does not answer"),
    };
    // The registration says more than a ping.
    let failed = trial.steps.iter().filter(|step| !is_good(step));
    let worst = failed.max_by_key(|step| (step.purpose == Purpose::Register, step.status != 408));
    let advice = worst.filter(|_| !works);
    let advice = advice.and_then(advice_of).map(|it| it.replace("<name>", name));
    TrialView { trunk: name.to_string(), works, summary, advice, steps }
}

fn advice_of(step: &TrialStep) -> Option<&'static str> {
    advice(step.purpose, step.status, step.remote.is_some())
}

fn is_good(step: &TrialStep) -> bool {
    match step.purpose {
        Purpose::Register => (200..300).contains(&step.status),
        Purpose::Probe | Purpose::Ping | Purpose::Trial => is_life(step.status),
    }
}

fn step(step: &TrialStep) -> StepView {
    let value = |wanted: &str| {
        let found = step.remarks.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.clone())
    };
    let is_register = step.purpose == Purpose::Register;
    let told = ["Warning", "Reason", "Retry-After", "Min-Expires"];
    let remarks = told.into_iter().filter_map(|name| Some(format!("{name}: {}", value(name)?)));
    let meaning = match (step.remote, is_register) {
        (None, _) => "the name leads to no address",
        (Some(_), true) => of_register(step.status),
        (Some(_), false) => of_options(step.status),
    };
    StepView {
        request: if is_register { "REGISTER" } else { "OPTIONS" }.to_owned(),
        to: step.hop.clone(),
        remote: step.remote.map(|remote| remote.to_string()),
        status: step.status,
        phrase: phrase_of(step.status),
        after_ms: millis(step.after),
        by: value("Server").or_else(|| value("User-Agent")),
        remarks: remarks.collect(),
        meaning: meaning.to_owned(),
    }
}

/// The phrase of a status; silence has a word of its own.
pub fn phrase_of(status: u16) -> String {
    if status == 408 { "no answer".to_owned() } else { phrase(status).to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::exchange::Count;
    use crate::call::trunk::{EnrolmentReport, Report};
    use crate::server::control::reports;
    use crate::server::control::times::When;
    use crate::sip::registration::Enrolment;
    use std::time::Duration;

    fn trunk(stands: Option<Enrolment>) -> TrunkView {
        let enrolment = stands.map(|stands| EnrolmentReport {
            stands: Some(stands),
            since: None,
            registrar: "sip:r".to_owned(),
            until: None,
            next: None,
            refusal: None,
        });
        let report = Report {
            name: "carrier".into(),
            health: None,
            since: None,
            peer: "sip:r".to_owned(),
            enrolment,
            pings: None,
            failover: None,
        };
        reports::trunk(&report, Count::default(), When::now())
    }

    fn tried(steps: &[(Purpose, u16)]) -> Trial {
        let step = |(purpose, status): &(Purpose, u16)| TrialStep {
            purpose: *purpose,
            hop: "sip:r".to_owned(),
            remote: Some("192.0.2.1:5060".parse().unwrap()),
            status: *status,
            after: Duration::from_millis(3),
            remarks: vec![("Server".to_owned(), "Kamailio".to_owned())],
        };
        Trial { trunk: "carrier".into(), steps: steps.iter().map(step).collect() }
    }

    #[test]
    fn a_wrong_password_says_more_than_a_peer_that_answers() {
        let trial = tried(&[(Purpose::Trial, 200), (Purpose::Register, 403)]);
        let told = verdict(&trial, &trunk(Some(Enrolment::Rejected { status: 403 })));
        assert!(!told.works);
        assert_eq!(told.summary, "carrier answers, but does not register us");
        assert!(told.advice.unwrap().contains("portal"));
        assert_eq!(told.steps[0].by.as_deref(), Some("Kamailio"));
    }

    #[test]
    fn silence_leads_to_the_firewall_and_a_trunk_that_answers_needs_no_advice() {
        let told = verdict(&tried(&[(Purpose::Trial, 408)]), &trunk(None));
        assert!(!told.works && told.advice.unwrap().contains("--trunk carrier"));
        let told = verdict(&tried(&[(Purpose::Trial, 404)]), &trunk(None));
        assert!(told.works && told.advice.is_none(), "404 to OPTIONS is an answer");
        let granted = Duration::from_secs(60);
        let stands = Enrolment::Registered { registrar: "sip:r".to_owned(), granted };
        let both = tried(&[(Purpose::Trial, 200), (Purpose::Register, 200)]);
        assert!(verdict(&both, &trunk(Some(stands))).works);
    }
}
