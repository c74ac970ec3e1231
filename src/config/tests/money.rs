//! Tests of budgets and prices as they stand in the files.

use super::files::Folder;
use super::*;

/// What is found in the settings, and its rendering.
fn check(name: &str, settings: &str) -> (Vec<String>, String) {
    let plan = "[[route]]\nto = \"agent:a\"\n[agents.a]\nprompt = \"Hi.\"\n\
                limits = { daily_budget = \"1 EUR\" }\n";
    let settings = format!("{settings}\n{MIND}");
    let folder =
        Folder::new(name, &[("dialplans/main.toml", plan), ("conf/server.toml", &settings)]);
    let request = report::request(&[folder.path().join("conf")]);
    let loaded = load(&request, &environment, &FilesOnly);
    (codes(&loaded).into_iter().map(str::to_owned).collect(), rendered(&loaded))
}

#[test]
fn budgets_and_prices_are_of_one_currency_and_of_numbers() {
    let settings = "[security.outbound]\ndaily_budget = \"20 EUR\"\n\
         rates = { \"+49*\" = \"0.01 EUR/min\", \"list:cheap\" = \"0.01 EUR/min\" }\n\
         [trunks.us]\nhost = \"192.0.2.1\"\n\
         outbound = { rates = { \"+1*\" = \"0.02 USD/min\" }, daily_minutes = 60 }\n\
         [tenants.acme]\nnumbers = [\"+4971112*\"]\ntimezone = \"Asia/Tokyo\"\n\
         limits = { daily_budget = \"5 USD\", minutes_per_month = 100 }\n";
    let (codes, text) = check("money", settings);
    assert_eq!(codes, ["money.currency", "money.currency", "money.number"], "{text}");
    assert!(text.contains("USD beside EUR: amounts are not converted"), "{text}");
    assert!(text.contains("a list has no price"), "{text}");
    let (codes, text) = check("budget", "[security.outbound]\ndaily_budget = \"20 EUR\"\n");
    assert_eq!(codes, ["money.unpriced"], "{text}");
    assert!(text.contains("each is taken to cost 1.00 EUR"), "{text}");
    let (codes, text) = check("agent", "");
    assert_eq!(codes, ["money.unpriced"], "the budget of an agent, too: {text}");
    let wrong = "[security.outbound]\ndaily_budget = 20\nrates = { \"+49*\" = \"0.01 EUR\" }\n";
    let (_, text) = check("wrong", wrong);
    assert!(text.contains("write it like \"0.02 EUR/min\""), "{text}");
}

#[test]
fn a_provider_has_prices_in_the_currency_of_its_budget() {
    let provider = |more: &str| {
        format!("[providers.brain]\nkind = \"openai\"\napi_key = \"${{env:KEY}}\"\n{more}\n")
    };
    let budget = "daily_budget = \"5 USD\"\n";
    let found = |name: &str, more: &str| {
        let (mut codes, text) = check(name, &provider(more));
        // What the agent's own budget and a provider without an agent are told stands elsewhere.
        codes.retain(|it| it.starts_with("money") && !text.contains("no minute has a price"));
        (codes, text)
    };
    let rates = "[security.outbound]\nrates = { \"+49*\" = \"0.01 EUR/min\" }\n";
    let (codes, text) = found("work", &format!("{budget}{rates}"));
    assert_eq!(codes, ["money.unpriced"], "{text}");
    assert!(text.contains("nothing that `brain` does has a price"), "{text}");
    let price = "price = { input = \"1 EUR/1M tokens\", output = \"2 USD/1M tokens\" }\n";
    let (codes, text) = found("coins", &format!("{budget}{price}{rates}"));
    assert_eq!(codes, ["money.currency"], "{text}");
    assert!(text.contains("EUR beside USD: amounts are not converted"), "{text}");
    let (codes, text) = found("mixed", &format!("{price}{rates}"));
    assert_eq!(codes, ["money.currency"], "without a budget, too: {text}");
    let price = "price = { input = \"1 USD/1M tokens\", output = \"2 USD/1M tokens\" }\n";
    let (codes, text) = found("fine", &format!("{budget}{price}{rates}"));
    assert!(codes.is_empty(), "{text}");
}
