//! Finds the way out for a number, and says who may dial it.

use std::borrow::Cow;

use crate::base::destination::Destination;
use crate::base::number::Number;
use crate::dialplan::outbound::Outbound;
use crate::dialplan::plan::{Plan, Route};
use crate::dialplan::runner::Call;

impl Plan {
    /// The rule by which a number is called; none when there is none for it.
    pub fn way_out(&self, number: &str, context: &str) -> Option<&Outbound> {
        self.ways_out().find(|rule| rule.fits(number, context))
    }

    /// The rules that lead out.
    pub fn ways_out(&self) -> impl Iterator<Item = &Outbound> {
        self.outbound.iter().filter(|rule| rule.leads_out())
    }

    /// The route of a call: the first that fits. What is dialled by a rule goes before one that takes
    /// every call. `read` tells the number that was meant.
    pub fn taken<'p>(
        &'p self,
        call: &Call<'_>,
        read: impl FnOnce(&str) -> Option<Number>,
    ) -> Option<Cow<'p, Route>> {
        let route = self.route(call);
        match route.filter(|route| !route.takes_everything()) {
            Some(route) => Some(Cow::Borrowed(route)),
            None => {
                let dialled = self.dialled_out(call, read).map(Cow::Owned);
                dialled.or(route.map(Cow::Borrowed))
            }
        }
    }

    /// The route of a call that no route takes, when its number is one that may be dialled by a
    /// rule with the context of the call. `read` tells the number that was meant.
    fn dialled_out(
        &self,
        call: &Call<'_>,
        read: impl FnOnce(&str) -> Option<Number>,
    ) -> Option<Route> {
        let may = |rule: &&Outbound| rule.context.iter().any(|it| it == call.context);
        if call.context.is_empty() || !self.outbound.iter().any(|rule| may(&rule)) {
            return None;
        }
        let inside = |rule: &Outbound| {
            let to = rule.inside(call.did, call.context)?;
            Some(Route { name: rule.name.clone(), ..Route::to(to) })
        };
        if let Some(route) = self.outbound.iter().find_map(inside) {
            return Some(route);
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
            ext: Vec::new(),
            to: None,
            caller_id: None,
        };
        let inner = Outbound {
            name: Some("inner".to_owned()),
            number: Vec::new(),
            ext: vec!["_1XX".parse().expect("a pattern")],
            to: Some("phone:{ext}".parse().expect("a destination")),
            context: vec!["internal".to_owned()],
            trunks: Vec::new(),
            caller_id: None,
        };
        let outbound = vec![
            rule("+4930*", &["sales"], "berlin"),
            rule("+49*", &["internal", "sales"], "germany"),
            inner,
            rule("+1*", &[], "america"),
        ];
        Plan { outbound, ..Plan::default() }
    }

    fn dialled(did: &str, context: &str) -> Option<String> {
        let call = Call { did, context, ..Call::default() };
        plan().dialled_out(&call, |did| did.parse().ok()).and_then(|route| route.name)
    }

    fn taken(routes: Vec<Route>, did: &str, context: &str) -> Option<String> {
        let (plan, call) = (plan(), Call { did, context, ..Call::default() });
        let plan = Plan { routes, ..plan };
        let route = plan.taken(&call, |did| did.parse().ok())?;
        Some(route.to.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn extensions_lead_to_somebody_here_for_those_who_have_the_context() {
        let to = |did: &str, context: &str| taken(Vec::new(), did, context);
        assert_eq!(to("102", "internal").as_deref(), Some("phone:102"));
        assert_eq!(to("1023", "internal"), None);
        assert_eq!(to("102", "sales"), None);
        assert_eq!(to("102", ""), None);
        // Nobody outside is called by such a rule.
        assert_eq!(plan().way_out("102", "internal"), None);
        assert_eq!(plan().ways_out().count(), 3);
    }

    #[test]
    fn what_is_dialled_by_a_rule_goes_before_a_route_that_takes_everything() {
        let refused = || Route::to(Destination::HangUp(404));
        let all = || vec![refused()];
        assert_eq!(taken(all(), "102", "internal").as_deref(), Some("phone:102"));
        assert_eq!(taken(all(), "+4930123456", "internal").as_deref(), Some("tel:+4930123456"));
        assert_eq!(taken(all(), "102", "public").as_deref(), Some("hangup:404"));
        assert_eq!(taken(all(), "+12125551234", "internal").as_deref(), Some("hangup:404"));
        let own = Route { ext: vec!["102".parse().expect("a pattern")], ..refused() };
        assert_eq!(taken(vec![own], "102", "internal").as_deref(), Some("hangup:404"));
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
        assert_eq!(dialled("201", "internal"), None);
    }
}
