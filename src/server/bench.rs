//! `voxtrunk bench`: measures this machine. It judges nothing: a missed target is a figure, too.

pub mod amd;
mod apart;
mod calls;
mod crowd;
mod legs;
mod media;
mod routes;
mod signalling;
mod soak;
mod stage;
mod store;
mod turns;
mod vendors;

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;

use crate::agent::masking::kind::Masks;
use crate::server::serve;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Signalling, message by message.
    Sip,
    /// What a call costs a server of its own, and what 100,000 of them leave behind.
    Signalling,
    /// Audio.
    Media,
    /// Which call goes where.
    Routes,
    /// Who answers calls that we begin: people and machines, and what they are taken for.
    Amd,
    /// Conversations, with what stands on this machine and through vendors' stand-ins.
    Turn,
    /// Of those, the ones through stand-ins.
    Vendors,
    /// The database of calls, with a million of them.
    Store,
    /// Everything but the three that take minutes: signalling, the store and the soak.
    All,
    /// Good calls and hostile traffic for a while: is a call lost, does anything grow?
    Soak,
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name: `sip.invite_to_200`.
    pub metric: &'static str,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it should be, if that is said anywhere.
    pub target: Option<Target>,
    /// How it was measured.
    pub detail: String,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Target {
    fn bound(self) -> f64 {
        match self {
            Self::AtMost(bound) | Self::AtLeast(bound) => bound,
        }
    }

    fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

impl Figure {
    /// A figure without a target.
    pub fn new(metric: &'static str, value: f64, unit: &'static str) -> Self {
        Self { metric, value, unit, target: None, detail: String::new() }
    }

    /// Says the most that it should be.
    pub fn at_most(self, target: f64) -> Self {
        Self { target: Some(Target::AtMost(target)), ..self }
    }

    /// Says the least that it should be.
    pub fn at_least(self, target: f64) -> Self {
        Self { target: Some(Target::AtLeast(target)), ..self }
    }

    /// Says how it was measured.
    pub fn told(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    fn is_met(&self) -> Option<bool> {
        self.target.map(|target| target.is_met_by(self.value))
    }

    fn as_json(&self) -> String {
        json!({
            "metric": self.metric,
            "value": self.value,
            "unit": self.unit,
            "target": self.target.map(Target::bound),
            "ok": self.is_met(),
            "detail": self.detail,
        })
        .to_string()
    }

    fn as_line(&self) -> String {
        let target = match (self.target, self.is_met()) {
            (Some(target), Some(true)) => format!("{target}  ✓"),
            (Some(target), _) => format!("{target}  ✗"),
            (None, _) => String::new(),
        };
        let value = format!("{:.*}", if self.value < 100.0 { 2 } else { 0 }, self.value);
        format!("  {:<34}{value:>10} {:<14}{target:<12}{}", self.metric, self.unit, self.detail)
    }
}

/// What is ordered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    /// What to measure.
    pub group: Group,
    /// Whether each figure is one JSON object.
    pub json: bool,
    /// How long the soak lasts.
    pub soak: Duration,
}

/// Measures a group and prints each figure when it is there.
pub fn run(order: Order) -> ExitCode {
    let Order { group, json, soak } = order;
    serve::log(
        &crate::config::observing::Log { level: "error".to_owned(), ..Default::default() },
        Masks::all(),
    );
    let show = |figures: Vec<Figure>| {
        for figure in figures {
            println!("{}", if json { figure.as_json() } else { figure.as_line() });
        }
    };
    let wants = |one: Group| group == Group::All || group == one;
    if !json {
        println!("  load of the machine: {}\n", load());
    }
    serve::finish(serve::block_on(async {
        if wants(Group::Sip) {
            show(signalling::measure().await?);
        }
        if wants(Group::Media) {
            show(media::measure().await?);
        }
        if wants(Group::Routes) {
            show(routes::measure()?);
        }
        let tell: fn(&str) = if json { |_| {} } else { |line| println!("{line}") };
        if wants(Group::Amd) {
            show(amd::measure(tell).await?);
        }
        if wants(Group::Turn) {
            show(turns::measure().await?);
        }
        if wants(Group::Turn) || group == Group::Vendors {
            show(vendors::measure().await?);
        }
        if group == Group::Signalling {
            show(calls::measure(tell).await?);
        }
        if group == Group::Store {
            show(store::measure(tell).await?);
        }
        if group == Group::Soak {
            show(soak::measure(soak, tell).await?);
        }
        Ok(())
    }))
}

/// The value in the middle; NaN of nothing.
fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this share of the values lies; NaN of nothing.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The load averages, for whoever reads the figures later.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_prints_for_people_and_for_programs() {
        let figure = Figure::new("sip.invite_to_200", 3.25, "ms").at_most(20.0).told("50 calls");
        assert!(figure.as_line().contains("3.25 ms") && figure.as_line().contains('✓'));
        let json: serde_json::Value = serde_json::from_str(&figure.as_json()).expect("JSON");
        assert_eq!((&json["ok"], &json["target"]), (&json!(true), &json!(20.0)));
        let pace = Figure::new("signalling.pace", 1_900.0, "calls/s").at_least(2_000.0);
        assert!(pace.as_line().contains("≥ 2000  ✗"), "{}", pace.as_line());
        let plain = Figure::new("x", 1.0, "");
        let json: serde_json::Value = serde_json::from_str(&plain.as_json()).expect("JSON");
        assert!(json["ok"].is_null() && json["target"].is_null());
    }

    #[test]
    fn the_middle_of_values_is_one_of_them() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 1.0), 4.0);
        assert!(median(&[]).is_nan());
    }
}
