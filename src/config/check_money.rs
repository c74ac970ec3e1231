//! Checks of money: one currency everywhere, numbers that can be read, and prices where there are
//! budgets.

use crate::base::money::Money;
use crate::base::price::Price;
use crate::config::diagnostic::Diagnostic;
use crate::config::provider::Provider;
use crate::config::settings::Server;
use crate::config::subject::Subject;
use crate::dialplan::pattern::Match;

/// Checks budgets and prices.
pub fn money(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = currencies(subject);
    found.extend(patterns(subject));
    found.extend(unpriced(subject));
    found.extend(subject.server.providers.iter().flat_map(|(name, it)| work(subject, name, it)));
    found
}

/// Every amount in the settings, and where it stands.
pub fn amounts(server: &Server) -> Vec<(String, Money)> {
    let whole = &server.security.outbound;
    let one = |path: String, money: Option<Money>| money.map(|money| (path, money));
    let mut found = Vec::new();
    found.extend(one("security.outbound.daily_budget".to_owned(), whole.daily_budget));
    let rates = whole.rates.iter();
    found.extend(rates.map(|(key, rate)| (format!("security.outbound.rates.{key}"), rate.0)));
    for (name, trunk) in &server.trunks {
        let (path, own) = (format!("trunks.{name}.outbound"), &trunk.outbound);
        found.extend(one(format!("{path}.daily_budget"), own.daily_budget));
        let rates = own.rates.iter();
        found.extend(rates.map(|(key, rate)| (format!("{path}.rates.{key}"), rate.0)));
    }
    for (name, tenant) in &server.tenants {
        let path = format!("tenants.{name}.limits.daily_budget");
        found.extend(one(path, tenant.limits.daily_budget));
    }
    found
}

/// Those, and the budgets of agents.
fn everywhere(subject: &Subject<'_>) -> Vec<(String, Money)> {
    let agents = subject.agents.iter().filter_map(|(name, agent)| {
        Some((format!("agents.{name}.limits.daily_budget"), agent.limits.daily_budget?))
    });
    amounts(subject.server).into_iter().chain(agents).collect()
}

fn currencies(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let all = everywhere(subject);
    let Some((first, of)) = all.first() else { return Vec::new() };
    let others = all.iter().filter(|(_, money)| money.currency != of.currency);
    let other = others.map(|(path, money)| {
        let message =
            format!("{} beside {}: amounts are not converted", money.currency, of.currency);
        Diagnostic::error("money.currency", message)
            .at(subject.place(first), format!("{} here", of.currency))
            .at(subject.place(path), format!("{} here", money.currency))
            .help("write budgets and prices in one currency")
    });
    other.collect()
}

fn patterns(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let server = subject.server;
    let whole = server.security.outbound.rates.keys();
    let whole = whole.map(|key| ("security.outbound".to_owned(), key));
    let of_trunks = server.trunks.iter().flat_map(|(name, trunk)| {
        let path = format!("trunks.{name}.outbound");
        trunk.outbound.rates.keys().map(move |key| (path.clone(), key))
    });
    let wrong = whole.chain(of_trunks).filter_map(|(path, key)| {
        let why = match key.parse::<Match>() {
            Err(why) => why.to_string(),
            Ok(_) if key.starts_with("list:") => "a list has no price".to_owned(),
            Ok(_) => return None,
        };
        Some(
            Diagnostic::error("money.number", format!("`{key}` is no number that has a price"))
                .at(subject.key(&format!("{path}.rates.{key}")), why)
                .help("write numbers in E.164, with * for what follows: \"+49*\""),
        )
    });
    wrong.collect()
}

/// What a provider costs is in one currency, and a budget of it has prices to count by.
fn work(subject: &Subject<'_>, name: &str, provider: &Provider) -> Vec<Diagnostic> {
    let path = format!("providers.{name}");
    let models = provider.prices.iter().map(|(model, it)| (format!("{path}.prices.{model}"), it));
    let tariffs = models.chain([(format!("{path}.price"), &provider.price)]);
    let prices: Vec<(String, Price)> = tariffs
        .flat_map(|(path, tariff)| {
            tariff.prices().map(move |(key, price)| (format!("{path}.{key}"), price))
        })
        .collect();
    let budget = provider.daily_budget.map(|it| (format!("{path}.daily_budget"), it.currency));
    let first = budget
        .clone()
        .or_else(|| prices.first().map(|(path, price)| (path.clone(), price.currency())));
    let Some((first, currency)) = first else { return Vec::new() };
    if let (Some((path, _)), true) = (&budget, prices.is_empty()) {
        let message = format!("nothing that `{name}` does has a price: its budget is never spent");
        let help = "add price = { input = \"0.15 USD per 1M tokens\", … }, or what its vendor asks";
        let place = subject.place(path);
        return vec![Diagnostic::error("money.unpriced", message).at(place, "here").help(help)];
    }
    let others = prices.iter().filter(|(_, price)| price.currency() != currency);
    let other = others.map(|(path, price)| {
        let message = format!("{} beside {currency}: amounts are not converted", price.currency());
        Diagnostic::error("money.currency", message)
            .at(subject.place(&first), format!("{currency} here"))
            .at(subject.place(path), format!("{} here", price.currency()))
            .help("write the prices of a provider, and its budget, in one currency")
    });
    other.collect()
}

/// Budgets where nobody knows what a minute costs.
fn unpriced(subject: &Subject<'_>) -> Option<Diagnostic> {
    let server = subject.server;
    let is_priced = !server.security.outbound.rates.is_empty()
        || server.trunks.values().any(|trunk| !trunk.outbound.rates.is_empty());
    let all = everywhere(subject);
    let (path, budget) = all.first().filter(|_| !is_priced)?;
    let currency = budget.currency;
    let message = format!("no minute has a price: each is taken to cost 1.00 {currency}");
    Some(
        Diagnostic::warning("money.unpriced", message)
            .at(subject.place(path), "spent sooner than it needs to be")
            .help(format!(
                "add rates = {{ \"+49*\" = \"0.01 {currency}/min\" }} under [security.outbound]"
            )),
    )
}
