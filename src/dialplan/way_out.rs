//! Finds the way out for a number, and says who may dial it.

use crate::base::destination::Destination;
use crate::base::number::Number;
use crate::dialplan::outbound::Outbound;
use crate::dialplan::plan::{Plan, Route};
use crate::dialplan::runner::Call;

impl Plan {
    /// The rule by which a number is called; none when there is none for it.
    pub fn way_out(&self, number: &str, context: &str) -> Option<&Outbound> {
        self.outbound.iter().find(|rule| rule.fits(number, context))
    }

    /// The route of a call that no route takes, when its number is one that may be dialled by a
    /// rule with the context of the call. `read` tells the number that was meant.
    pub fn dialled_out(
        &self,
        call: &Call<'_>,
        read: impl FnOnce(&str) -> Option<Number>,
    ) -> Option<Route> {
        let may = |rule: &&Outbound| rule.context.iter().any(|it| it == call.context);
        if call.context.is_empty() || !self.outbound.iter().any(|rule| may(&rule)) {
            return None;
        }
        let number = read(call.did)?;
        let rule = self.way_out(number.to_e164(), call.context).filter(may)?;
        Some(Route { name: rule.name.clone(), ..Route::to(Destination::Tel(number)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let rule = |number: &str, context: &[&str], trunk: &str| Outbound {
            name: Some(trunk.to_owned()),
            number: vec![number.parse().expect("a pattern")],
            context: context.iter().map(|it| (*it).to_owned()).collect(),
            trunks: vec![trunk.to_owned()],
            caller_id: None,
        };
        let outbound = vec![
            rule("+4930*", &["sales"], "berlin"),
            rule("+49*", &["internal", "sales"], "germany"),
            rule("+1*", &[], "america"),
        ];
        Plan { outbound, ..Plan::default() }
    }

    fn dialled(did: &str, context: &str) -> Option<String> {
        let call = Call { did, context, ..Call::default() };
        plan().dialled_out(&call, |did| did.parse().ok()).and_then(|route| route.name)
    }

    #[test]
    fn the_first_rule_that_fits_number_and_context_leads_out() {
        let plan = plan();
        let by = |number: &str, context: &str| {
            plan.way_out(number, context).map(|rule| rule.trunks[0].as_str())
        };
        assert_eq!(by("+4930123456", "sales"), Some("berlin"));
        assert_eq!(by("+4930123456", "internal"), Some("germany"));
        assert_eq!(by("+4930123456", ""), None);
        assert_eq!(by("+12125551234", ""), Some("america"));
        assert_eq!(by("+33123456789", "sales"), None);
    }

    #[test]
    fn only_who_has_a_context_of_the_rule_dials_out() {
        assert_eq!(dialled("+4930123456", "internal").as_deref(), Some("germany"));
        assert_eq!(dialled("+4930123456", "public"), None);
        assert_eq!(dialled("+4930123456", ""), None);
        assert_eq!(dialled("+12125551234", "internal"), None, "the rule names nobody");
        assert_eq!(dialled("101", "internal"), None);
    }
}
