//! `voxtrunk bench`: measures this machine. It judges nothing: a missed target is a figure, too.

mod apart;
mod media;
mod signalling;
mod soak;
mod stage;
mod turns;

use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;

use crate::server::serve;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Signalling.
    Sip,
    /// Audio.
    Media,
    /// Conversations.
    Turn,
    /// Everything but the soak.
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
    /// The most that it should be, if that is said anywhere.
    pub target: Option<f64>,
    /// How it was measured.
    pub detail: String,
}

impl Figure {
    /// A figure without a target.
    pub fn new(metric: &'static str, value: f64, unit: &'static str) -> Self {
        Self { metric, value, unit, target: None, detail: String::new() }
    }

    /// Says the most that it should be.
    pub fn at_most(self, target: f64) -> Self {
        Self { target: Some(target), ..self }
    }

    /// Says how it was measured.
    pub fn told(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    fn is_met(&self) -> Option<bool> {
        self.target.map(|target| self.value <= target)
    }

    fn as_json(&self) -> String {
        json!({
            "metric": self.metric,
            "value": self.value,
            "unit": self.unit,
            "target": self.target,
            "ok": self.is_met(),
            "detail": self.detail,
        })
        .to_string()
    }

    fn as_line(&self) -> String {
        let target = match (self.target, self.is_met()) {
            (Some(target), Some(true)) => format!("≤ {target}  ✓"),
            (Some(target), _) => format!("≤ {target}  ✗"),
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
    serve::log(&crate::config::settings::Log { level: "error".to_owned(), ..Default::default() });
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
        if wants(Group::Turn) {
            show(turns::measure().await?);
        }
        if group == Group::Soak {
            show(soak::measure(soak, if json { |_| {} } else { |line| println!("{line}") }).await?);
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
