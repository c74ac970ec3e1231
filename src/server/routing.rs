//! Which route would take a call, and what each one before it says to it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::base::destination::Destination;
use crate::base::number::Number;
use crate::base::zone::{Local, Zone};
use crate::call::numbering::{Format, Numbering};
use crate::config::load::Loaded;
use crate::dialplan::plan::Route;
use crate::dialplan::runner::{Call, Check, Explanation};
use crate::engine::clock;
use crate::server::trunks;

/// A call that might come.
#[derive(Debug, Clone, Default, Args)]
pub struct Thought {
    /// The number called, as it would be dialled.
    #[arg(long)]
    pub to: String,
    /// The number calling; without it, it is withheld.
    #[arg(long, default_value = "")]
    pub from: String,
    /// The trunk that the call comes by.
    #[arg(long)]
    pub trunk: Option<String>,
    /// The context of the call; without it, that of the trunk.
    #[arg(long)]
    pub context: Option<String>,
    /// The tenant whose call it is; without it, the one whose number or trunk it is.
    #[arg(long)]
    pub tenant: Option<String>,
    /// A header of its INVITE, such as "X-Customer: gold"; may be given more than once.
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// When, on the clock of the server, such as "2026-12-24 18:00"; without it, now.
    #[arg(long, value_name = "TIME")]
    pub at: Option<Local>,
}

/// Reads `NAME: VALUE`.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as \"NAME: VALUE\"")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Which route takes it, and why, as JSON.
///
/// # Errors
/// When there can be no such call.
pub fn told(loaded: &Loaded, thought: &Thought) -> Result<Value, String> {
    let test = Test::new(loaded, thought)?;
    Ok(test.json(test.taken().as_ref()))
}

/// A call and how its numbers are read.
#[derive(Debug)]
pub struct Test<'a> {
    loaded: &'a Loaded,
    thought: &'a Thought,
    numbering: Numbering,
    to: String,
    from: String,
    context: String,
    tenant: String,
    at: Duration,
}

impl<'a> Test<'a> {
    /// Thinks of a call.
    ///
    /// # Errors
    /// When there can be no such call.
    pub fn new(loaded: &'a Loaded, thought: &'a Thought) -> Result<Self, String> {
        let zone = &loaded.server.machine.timezone;
        let at = thought.at.map_or(Some(clock::since_epoch()), |at| zone.since_epoch(at));
        let at = at.ok_or_else(|| format!("there is no such time in {}", zone.name()))?;
        if let Some(name) = &thought.trunk
            && !loaded.server.trunks.contains_key(name)
        {
            return Err(format!("there is no trunk `{name}`"));
        }
        let trunk = thought.trunk.as_ref().and_then(|name| loaded.server.trunks.get(name));
        let of_phones =
            Numbering { country: loaded.server.machine.country, format: Format::National };
        let numbering = trunk.map_or(of_phones, |trunk| trunks::numbering(trunk, &loaded.server));
        let of_trunk = trunk.and_then(|trunk| trunk.context.clone());
        let context = thought.context.clone().or(of_trunk).unwrap_or_default();
        let (to, from) = (numbering.read(&thought.to), numbering.read(&thought.from));
        let by = thought.trunk.as_deref().unwrap_or_default();
        let whose = || trunks::tenants(&loaded.server).whose(by, &[&to, &from]);
        let tenant = thought.tenant.clone().or_else(|| Some(whose()?.to_string()));
        let tenant = tenant.unwrap_or_default();
        Ok(Self { loaded, thought, numbering, to, from, context, tenant, at })
    }

    fn call(&self) -> Call<'_> {
        Call {
            did: &self.to,
            caller: &self.from,
            trunk: self.thought.trunk.as_deref().unwrap_or_default(),
            context: &self.context,
            tenant: &self.tenant,
            headers: &self.thought.headers,
            at: Some(self.at),
            ..Call::default()
        }
    }

    /// The route that takes the call, and its place if it stands in the files as a route.
    pub fn taken(&self) -> Option<(Route, Option<usize>)> {
        let (plan, call) = (&self.loaded.plan, self.call());
        let outside = |did: &str| -> Option<Number> { self.numbering.read(did).parse().ok() };
        let route = plan.taken(&call, outside)?;
        let place = match &route {
            Cow::Borrowed(route) => plan.routes.iter().position(|it| std::ptr::eq(it, *route)),
            Cow::Owned(_) => None,
        };
        Some((route.into_owned(), place))
    }

    /// How it goes, for people.
    pub fn text(&self, taken: Option<&(Route, Option<usize>)>) -> String {
        let mut text = String::new();
        let mut line = |name: &str, written: &str, read: &str| {
            let arrow = if written == read { String::new() } else { format!(" → {read}") };
            let written = if written.is_empty() { "withheld" } else { written };
            writeln!(text, "  {name:<8}{written}{arrow}").ok();
        };
        line("to", &self.thought.to, &self.to);
        line("from", &self.thought.from, &self.from);
        if let Some(trunk) = &self.thought.trunk {
            line("trunk", trunk, trunk);
        }
        if !self.context.is_empty() {
            line("context", &self.context, &self.context);
        }
        if !self.tenant.is_empty() {
            line("tenant", &self.tenant, &self.tenant);
        }
        for (name, value) in &self.thought.headers {
            line("header", &format!("{name}: {value}"), &format!("{name}: {value}"));
        }
        let zone: &Zone = &self.loaded.server.machine.timezone;
        let local = zone.local(self.at);
        let day = local.date.weekday().english().get(..3).unwrap_or_default();
        let time = format!("{day} {local} {}", zone.name());
        line("time", &time, &time);
        text.push('\n');
        let (call, place) = (self.call(), taken.and_then(|(_, place)| *place));
        let explained = self.loaded.plan.explain(&call);
        let shown = place.map_or(explained.len(), |place| place + 1);
        let widest = explained.iter().take(shown).map(|it| title(it).chars().count()).max();
        let widest = widest.unwrap_or_default();
        for route in explained.iter().take(shown) {
            let sign = if route.fits() { '✓' } else { '✗' };
            let checks: Vec<String> = route.checks.iter().map(said).collect();
            let (title, checks) = (title(route), checks.join("  "));
            let end = if route.fits() { format!("  {}", self.place(route)) } else { String::new() };
            writeln!(text, "{}", format!("  {sign} {title:<widest$}  {checks}{end}").trim_end())
                .ok();
        }
        text.push_str(&match taken {
            Some((route, place)) => {
                let by = if place.is_some() { "" } else { " (by a rule of [[outbound]])" };
                format!("  → {}{by}\n", destinations(route))
            }
            None => "  → nobody: the call is refused with 404\n".to_owned(),
        });
        text
    }

    /// Where a route stands: `dialplans/main.toml:12`.
    fn place(&self, route: &Explanation<'_>) -> String {
        let places = &self.loaded.places;
        let path = format!("route[{}]", route.position);
        let named = places.find(&format!("{path}.name")).or_else(|| places.find(&path));
        let Some(span) = named.map(|place| place.value.clone()) else { return String::new() };
        let Some(source) = self.loaded.sources.file(&span) else { return String::new() };
        format!("{}:{}", source.name, source.position(source.within(&span).start).line)
    }

    /// How it goes, for programs.
    pub fn json(&self, taken: Option<&(Route, Option<usize>)>) -> Value {
        let call = self.call();
        let explained = self.loaded.plan.explain(&call);
        let check = |check: &Check| {
            json!({ "key": check.key.to_string(), "fits": check.fits, "wanted": check.wanted,
                "why": check.why })
        };
        let routes = explained.iter().map(|route| {
            json!({ "name": title(route), "fits": route.fits(), "place": self.place(route),
                "checks": route.checks.iter().map(check).collect::<Vec<_>>() })
        });
        json!({
            "to": self.to, "from": self.from, "context": self.context,
            "at": self.at.as_secs(),
            "routes": routes.collect::<Vec<_>>(),
            "taken": taken.map(|(route, place)| json!({
                "name": route.name, "position": place, "to": destinations(route),
            })),
        })
    }
}

fn title(route: &Explanation<'_>) -> String {
    let number = route.position + 1;
    route.route.name.clone().unwrap_or_else(|| format!("route {number}"))
}

fn said(check: &Check) -> String {
    let sign = if check.fits { '✓' } else { '✗' };
    let why = check.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{} {sign} {}{why}", check.key, check.wanted)
}

fn destinations(route: &Route) -> String {
    let mut to: Vec<String> = route.to.iter().map(Destination::to_string).collect();
    for (to, share) in to.iter_mut().zip(route.shares()) {
        *to = format!("{share:.0} % {to}");
    }
    to.join(", ")
}
