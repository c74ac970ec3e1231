//! From the security of the operator's file to the doorkeeper and to the guard before the way out.

use std::collections::{BTreeMap, HashMap};

use crate::base::money::{Money, Rate};
use crate::call::admission::{self, Budget, Policy, Proof, Strangers, caps};
use crate::call::outbound;
use crate::call::outbound::purse::{self, Account, Allowance};
use crate::call::outbound::ranges::Class;
use crate::config::check_money;
use crate::config::security::{CostClass, Permission};
use crate::config::settings::{Server, UnknownSource};
use crate::dialplan::pattern::Match;
use crate::server::{phones, trunks};

/// Who is let in.
pub fn admission(server: &Server) -> admission::Settings {
    let lines = server.trunks.iter().map(|(name, trunk)| admission::Trunk {
        badge: trunks::badge(name, trunk),
        allow: trunk.sources().collect(),
        names: trunk.inbound.names().map(|(_, name)| name.to_owned()).collect(),
        proof: match trunk.inbound.auth {
            Some(_) => Proof::Password,
            None => Proof::Address,
        },
    });
    let paces = server.trunks.iter().filter_map(|(name, trunk)| {
        let per_second = trunk.max_cps?.per_second;
        // A second's worth may come at once: carriers send in bursts.
        let burst = per_second.ceil().max(1.0) as u32;
        Some((name.as_str().into(), Budget { per_second, burst }))
    });
    let sip = &server.security.sip;
    let (per_second, burst) = (sip.max_invites.per_ip.per_second, sip.max_invites.burst);
    admission::Settings {
        trunks: lines.collect(),
        phones: phones::badges(server),
        phone_networks: server.phones.values().flat_map(|phone| phone.sources()).collect(),
        strangers: match sip.unknown_source {
            UnknownSource::Drop => Strangers::Drop,
            UnknownSource::Reject => Strangers::Reject,
            UnknownSource::Challenge => Strangers::Challenge,
        },
        per_source: Budget { per_second, burst },
        ban: Policy { after: sip.ban.after, within: sip.ban.within, lasts: sip.ban.lasts },
        caps: caps::Settings {
            paces: paces.collect(),
            phones: phones::caps(server),
            per_number: sip.max_calls_per_number.map(|most| most as usize),
            together: Some(server.sip.max_calls as usize),
        },
        ..admission::Settings::default()
    }
}

/// How often each key of a program may be used.
pub fn api_keys(server: &Server) -> Budget {
    let keys = &server.security.http.api_keys;
    Budget { per_second: keys.rate.per_second, burst: keys.burst.max(1) }
}

/// What calls may cost.
pub fn purse(server: &Server) -> purse::Settings {
    let whole = &server.security.outbound;
    let millionths = |money: Option<Money>| money.map(|money| money.millionths);
    let mut allowances = HashMap::from([(
        Account::Server,
        Allowance {
            daily_budget: millionths(whole.daily_budget),
            daily_minutes: whole.daily_minutes,
            monthly_minutes: None,
        },
    )]);
    allowances.extend(server.trunks.iter().map(|(name, trunk)| {
        let allowance = Allowance {
            daily_budget: millionths(trunk.outbound.daily_budget),
            daily_minutes: trunk.outbound.daily_minutes,
            monthly_minutes: None,
        };
        (Account::Trunk(name.as_str().into()), allowance)
    }));
    allowances.extend(server.tenants.iter().map(|(name, tenant)| {
        let allowance = Allowance {
            daily_budget: millionths(tenant.limits.daily_budget),
            daily_minutes: None,
            monthly_minutes: tenant.limits.minutes_per_month,
        };
        (Account::Tenant(name.as_str().into()), allowance)
    }));
    allowances.retain(|_, allowance| *allowance != Allowance::default());
    let zones = server.tenants.iter().filter_map(|(name, tenant)| {
        Some((Account::Tenant(name.as_str().into()), tenant.timezone.clone()?))
    });
    let of_trunks = server.trunks.iter().filter(|(_, trunk)| !trunk.outbound.rates.is_empty());
    let of_trunks = of_trunks.map(|(name, it)| (name.as_str().into(), prices(&it.outbound.rates)));
    purse::Settings {
        zone: server.machine.timezone.clone(),
        currency: check_money::amounts(server).first().map(|(_, money)| money.currency),
        rates: prices(&whole.rates),
        trunks: of_trunks.collect(),
        unpriced: UNPRICED,
        allowances,
        zones: zones.collect(),
    }
}

/// A pattern that cannot be read was refused by the check.
fn prices(rates: &BTreeMap<String, Rate>) -> Vec<(Match, u64)> {
    let price =
        |(pattern, rate): (&String, &Rate)| Some((pattern.parse().ok()?, rate.0.millionths));
    rates.iter().filter_map(price).collect()
}

/// What a minute costs that nobody priced, in millionths.
const UNPRICED: u64 = 1_000_000;

/// What is let out.
pub fn outbound(server: &Server) -> outbound::Settings {
    let settings = &server.security.outbound;
    let class = |it: &CostClass| match it {
        CostClass::Premium => Class::Premium,
        CostClass::Shared => Class::Shared,
        CostClass::Satellite => Class::Satellite,
        CostClass::Fraud => Class::Fraud,
    };
    let emergency = (settings.emergency == Permission::Deny).then_some(Class::Emergency);
    let own = server.trunks.iter().filter(|(_, trunk)| !trunk.outbound.allow.is_empty());
    let own = own.map(|(name, trunk)| (name.as_str().into(), trunk.outbound.allow.clone()));
    outbound::Settings {
        country: server.machine.country,
        countries: settings.allow_countries.clone(),
        allow: settings.allow.clone(),
        trunks: own.collect(),
        deny: settings.deny.iter().map(class).chain(emergency).collect(),
        max_calls: settings.max_calls as usize,
        per_minute: settings.max_per_minute,
        per_hour: settings.max_per_hour,
        per_number: settings.max_per_number,
    }
}
