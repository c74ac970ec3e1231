//! What calls have cost, by account: the server, its trunks, its tenants, its agents; and what
//! providers have.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::money::{Currency, Money};
use crate::base::price::Cost;
use crate::call::outbound::purse::{Account, Line, Sum, money};
use crate::call::till;
use crate::engine::ai::cashier::Cashier;
use crate::engine::sip_shard::{Question, SipHandle};
use crate::server::control::asking::ask_shard;
use crate::server::control::protocol::Fault;

/// What one account spent, and what it may spend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    /// `server`, or `trunk:NAME`, `tenant:NAME`, `agent:NAME`, `provider:NAME`.
    pub account: String,
    /// The day, where it lives: `2026-11-22`.
    pub day: String,
    /// What was spent on that day.
    pub today: SumView,
    /// What was spent in the month of that day.
    pub month: SumView,
    /// What calls out, or the work of the provider, may cost in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_budget: Option<MoneyView>,
    /// How many minutes calls out may last in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_minutes: Option<u32>,
    /// How many minutes calls may last in a month, in and out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes_per_month: Option<u32>,
}

/// Minutes that began, and what they cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SumView {
    /// Minutes of calls that came in.
    pub minutes_in: u64,
    /// Minutes of calls that went out.
    pub minutes_out: u64,
    /// What those cost that went out, or what the provider cost, where there are prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<MoneyView>,
}

/// An amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MoneyView {
    /// As a decimal: `0.019`.
    pub amount: String,
    /// Its currency (ISO 4217).
    pub currency: String,
}

impl From<&Money> for MoneyView {
    fn from(money: &Money) -> Self {
        Self { amount: money.amount(), currency: money.currency.to_string() }
    }
}

impl MoneyView {
    /// What the work of providers costs.
    pub fn of(cost: &Cost) -> Self {
        Self { amount: cost.amount(), currency: cost.currency.to_string() }
    }
}

impl fmt::Display for MoneyView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

/// What every account spent.
///
/// # Errors
/// When the server is going down.
pub async fn all(sip: &SipHandle, cashier: &Cashier) -> Result<Vec<UsageView>, Fault> {
    let (lines, currency) = ask_shard(sip, Question::Spending).await?;
    let calls = lines.iter().map(|line| view(line, currency));
    Ok(calls.chain(cashier.report().iter().map(of_provider)).collect())
}

fn of_provider(line: &till::Line) -> UsageView {
    let till::Line { provider, spent, daily_budget } = line;
    let cost = |billionths: u64| Cost { billionths: billionths.into(), currency: spent.currency };
    let sum = |billionths| {
        let cost = Some(MoneyView::of(&cost(billionths)));
        SumView { minutes_in: 0, minutes_out: 0, cost }
    };
    UsageView {
        account: Account::Provider(provider.as_str().into()).to_string(),
        day: spent.day.to_string(),
        today: sum(spent.today),
        month: sum(spent.month),
        daily_budget: daily_budget.as_ref().map(MoneyView::from),
        daily_minutes: None,
        minutes_per_month: None,
    }
}

fn view(line: &Line, currency: Option<Currency>) -> UsageView {
    let Line { account, spent, allowance } = line;
    UsageView {
        account: account.to_string(),
        day: spent.day.to_string(),
        today: sum(&spent.today, currency),
        month: sum(&spent.month, currency),
        daily_budget: allowance.daily_budget.and_then(|budget| amount(budget, currency)),
        daily_minutes: allowance.daily_minutes,
        minutes_per_month: allowance.monthly_minutes,
    }
}

fn sum(sum: &Sum, currency: Option<Currency>) -> SumView {
    SumView {
        minutes_in: sum.minutes_in,
        minutes_out: sum.minutes_out,
        cost: amount(sum.spent, currency),
    }
}

fn amount(millionths: u64, currency: Option<Currency>) -> Option<MoneyView> {
    money(millionths, currency).as_ref().map(MoneyView::from)
}
