//! What the witness counts: calls, their quality and how fast agents answer. Names of things that the
//! operator wrote tell counts apart, and never numbers, names of callers or identities.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::base::id::CallId;
use crate::base::price::Unit;
use crate::call::event::Fact;
use crate::call::record::{Latency, Record};
use crate::engine::announcements::Announcement;
use crate::server::http::exposition::{Exposition, Histogram};

/// What was counted since the server began.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    calls: Counts<3>,
    reasons: Counts<1>,
    turns: BTreeMap<[String; 2], Histogram>,
    durations: Histogram,
    setups: Histogram,
    scores: Histogram,
    jitters: Histogram,
    round_trips: Histogram,
    tool_times: BTreeMap<String, Histogram>,
    packets: [u64; 3],
    barge_ins: [u64; 2],
    tools: Counts<2>,
    failures: Counts<2>,
    fallbacks: Counts<2>,
    uses: Uses,
    reloads: [u64; 2],
    reloaded: Option<Duration>,
    missed: u64,
    /// The agent that has the line of each call that is up.
    agents: HashMap<CallId, Arc<str>>,
}

/// What providers did in calls that ended, and what it cost.
#[derive(Debug, Clone, Default)]
struct Uses {
    tokens: Counts<3>,
    characters: Counts<1>,
    /// In milliseconds.
    sound: Counts<1>,
    /// In billionths.
    costs: Counts<2>,
}

/// Counts by labels. There are only so many series: what comes later counts as `other`.
#[derive(Debug, Clone, Default)]
struct Counts<const N: usize>(BTreeMap<[String; N], u64>);

impl Tally {
    /// Counts what happened in a call.
    pub fn fact(&mut self, call: CallId, fact: &Fact) {
        match fact {
            Fact::AgentChanged { agent } => {
                if self.agents.len() >= MOST_CALLS {
                    self.agents.clear();
                }
                self.agents.insert(call, agent.as_str().into());
            }
            Fact::TurnTimed { latency, .. } => self.turn(call, latency),
            Fact::ProviderFailed { stage, provider, next, .. } => {
                self.failures.add([provider, stage.name()]);
                if let Some(next) = next {
                    self.fallbacks.add([provider, next]);
                }
            }
            Fact::Ended { cause, record } => {
                self.agents.remove(&call);
                let result = cause.final_state(record.answered.is_some());
                let direction = if record.is_ours { "outbound" } else { "inbound" };
                self.calls.add([direction, &record.trunk, result]);
                self.reasons.add([cause.end_reason()]);
                self.ended(record);
            }
            _ => {}
        }
    }

    /// Counts what happened beside the calls.
    pub fn announcement(&mut self, told: &Announcement) {
        match told {
            Announcement::ConfigReloaded { .. } => {
                self.reloads[0] += 1;
                self.reloaded = Some(crate::engine::clock::since_epoch());
            }
            Announcement::ConfigRefused { .. } => self.reloads[1] += 1,
            _ => {}
        }
    }

    /// So much was not seen.
    pub fn missed(&mut self, count: u64) {
        self.missed = self.missed.saturating_add(count);
    }

    fn turn(&mut self, call: CallId, latency: &Latency) {
        let agent = self.agents.get(&call).map(|agent| agent.to_string()).unwrap_or_default();
        let stages = [
            ("eot", latency.speech_ended),
            ("stt", latency.transcript),
            ("llm_ttft", latency.first_delta),
            ("llm_sentence", latency.first_clause),
            ("tts_ttfb", latency.first_audio),
            ("total", latency.first_packet),
        ];
        for (stage, after) in stages {
            let Some(after) = after else { continue };
            let key = [agent.clone(), stage.to_owned()];
            if self.turns.len() < MOST_SERIES || self.turns.contains_key(&key) {
                self.turns.entry(key).or_default().add(after.as_secs_f64(), LATENCIES);
            }
        }
    }

    fn ended(&mut self, record: &Record) {
        self.uses.add(record);
        self.durations.add(record.lasted.as_secs_f64(), DURATIONS);
        if let Some(answered) = record.answered {
            self.setups.add(answered.as_secs_f64(), LATENCIES);
        }
        for leg in &record.legs {
            let quality = &leg.quality;
            for (sum, more) in
                self.packets.iter_mut().zip([quality.received, quality.sent, quality.lost])
            {
                *sum = sum.saturating_add(more);
            }
            if let Some(score) = quality.score {
                self.scores.add(score, SCORES);
                self.jitters.add(quality.jitter.as_secs_f64(), DELAYS);
            }
            if let Some(time) = quality.round_trip {
                self.round_trips.add(time.as_secs_f64(), DELAYS);
            }
        }
        self.barge_ins[0] += u64::from(record.interruptions);
        self.barge_ins[1] += u64::from(record.false_interruptions);
        for tool in &record.tools {
            let result = match tool.outcome {
                Some(outcome) if outcome.failed => "failed",
                Some(_) => "done",
                None => "unknown",
            };
            self.tools.add([&tool.name, result]);
            if let Some(outcome) = tool.outcome
                && (self.tool_times.len() < MOST_SERIES || self.tool_times.contains_key(&tool.name))
            {
                let times = self.tool_times.entry(tool.name.clone()).or_default();
                times.add(outcome.took.as_secs_f64(), LATENCIES);
            }
        }
    }

    /// Writes all of it.
    pub fn write(&self, out: &mut Exposition) {
        out.counter("voxtrunk_calls_total", "Calls that ended.");
        for ([direction, trunk, result], count) in &self.calls.0 {
            let labels = [("direction", direction), ("trunk", trunk), ("result", result)];
            let labels = labels.map(|(name, value)| (name, value.as_str()));
            out.sample(&labels, *count as f64);
        }
        self.reasons.write(out, "voxtrunk_call_ends_total", "Why calls ended.", ["reason"]);
        out.histogram("voxtrunk_call_duration_seconds", "From the first INVITE to the end.");
        out.distribution(&[], &self.durations, DURATIONS);
        out.histogram("voxtrunk_call_setup_seconds", "From the INVITE to the answer.");
        out.distribution(&[], &self.setups, LATENCIES);
        let help = "From the caller's last voiced sample to each stage of the answer.";
        out.histogram("voxtrunk_turn_latency_seconds", help);
        for ([agent, stage], times) in &self.turns {
            out.distribution(&[("agent", agent), ("stage", stage)], times, LATENCIES);
        }
        self.write_media(out);
        out.counter("voxtrunk_barge_ins_total", "How often callers spoke while an agent did.");
        out.sample(&[("result", "interrupted")], self.barge_ins[0] as f64);
        out.sample(&[("result", "resumed")], self.barge_ins[1] as f64);
        let tools = ["tool", "result"];
        self.tools.write(out, "voxtrunk_tool_calls_total", "Tools that were called.", tools);
        let help = "How long tools took, with the wait for a yes of the caller.";
        out.histogram("voxtrunk_tool_call_duration_seconds", help);
        for (tool, times) in &self.tool_times {
            out.distribution(&[("tool", tool)], times, LATENCIES);
        }
        let errors = "What providers did not do.";
        self.failures.write(out, "voxtrunk_provider_errors_total", errors, ["provider", "op"]);
        let fallbacks = "Who was asked in whose place.";
        let name = "voxtrunk_provider_fallbacks_total";
        self.fallbacks.write(out, name, fallbacks, ["from", "to"]);
        self.uses.write(out);
        out.counter("voxtrunk_config_reloads_total", "How often files were read again.");
        out.sample(&[("result", "taken")], self.reloads[0] as f64);
        out.sample(&[("result", "refused")], self.reloads[1] as f64);
        if let Some(at) = self.reloaded {
            let name = "voxtrunk_config_last_success_timestamp_seconds";
            out.gauge(name, "When files were read again and taken.");
            out.sample(&[], at.as_secs_f64());
        }
        out.counter("voxtrunk_events_missed_total", "Events that these counts know nothing of.");
        out.sample(&[], self.missed as f64);
    }

    /// Writes how legs were heard.
    fn write_media(&self, out: &mut Exposition) {
        out.counter("voxtrunk_rtp_packets_total", "Packets of legs that ended.");
        out.sample(&[("direction", "in")], self.packets[0] as f64);
        out.sample(&[("direction", "out")], self.packets[1] as f64);
        out.counter("voxtrunk_rtp_packets_lost_total", "Packets that never came.");
        out.sample(&[], self.packets[2] as f64);
        out.histogram("voxtrunk_rtp_mos", "Mean opinion scores of legs that ended (E-model).");
        out.distribution(&[], &self.scores, SCORES);
        let help = "Interarrival jitter of legs that ended, as RTCP tells it.";
        out.histogram("voxtrunk_rtp_jitter_seconds", help);
        out.distribution(&[], &self.jitters, DELAYS);
        let help = "Round trips of legs that ended, where the peer reports.";
        out.histogram("voxtrunk_rtp_round_trip_seconds", help);
        out.distribution(&[], &self.round_trips, DELAYS);
    }
}

impl<const N: usize> Counts<N> {
    fn add(&mut self, labels: [&str; N]) {
        self.add_many(labels, 1);
    }

    fn add_many(&mut self, labels: [&str; N], count: u64) {
        let mut labels = labels.map(str::to_owned);
        if self.0.len() >= MOST_SERIES && !self.0.contains_key(&labels) {
            labels = std::array::from_fn(|_| OTHER.to_owned());
        }
        let sum = self.0.entry(labels).or_default();
        *sum = sum.saturating_add(count);
    }

    fn write(&self, out: &mut Exposition, name: &str, help: &str, labels: [&str; N]) {
        self.write_in(1.0, out, (name, help), labels);
    }

    /// Writes what was counted in parts of what is told.
    fn write_in(
        &self,
        unit: f64,
        out: &mut Exposition,
        (name, help): (&str, &str),
        labels: [&str; N],
    ) {
        out.counter(name, help);
        for (values, count) in &self.0 {
            let pairs: Vec<(&str, &str)> =
                labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
            out.sample(&pairs, *count as f64 / unit);
        }
    }
}

impl Uses {
    fn add(&mut self, record: &Record) {
        for item in record.uses.iter() {
            let (provider, count) = (&*item.provider, item.amount.count);
            match item.amount.unit {
                Unit::Characters => self.characters.add_many([provider], count),
                Unit::AudioMillis => self.sound.add_many([provider], count),
                unit => {
                    let model = item.model.as_deref().unwrap_or_default();
                    self.tokens.add_many([provider, model, unit.name()], count);
                }
            }
            if let Some(cost) = item.cost() {
                let count = u64::try_from(cost.billionths).unwrap_or(u64::MAX);
                self.costs.add_many([&cost.currency.to_string(), provider], count);
            }
        }
    }

    fn write(&self, out: &mut Exposition) {
        let name = "voxtrunk_llm_tokens_total";
        let help = "Tokens of calls that ended, as their models say.";
        self.tokens.write(out, name, help, ["provider", "model", "type"]);
        let name = "voxtrunk_tts_characters_total";
        let help = "Letters that voices were asked to speak in calls that ended.";
        self.characters.write(out, name, help, ["provider"]);
        let what = (
            "voxtrunk_stt_audio_seconds_total",
            "Sound that was written down in calls that ended.",
        );
        self.sound.write_in(1e3, out, what, ["provider"]);
        let what = ("voxtrunk_cost_total", "What providers cost in calls that ended.");
        self.costs.write_in(1e9, out, what, ["currency", "provider"]);
    }
}

/// Latencies, in seconds: what is asked of an agent stands in the middle.
const LATENCIES: &[f64] = &[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0];

/// Lengths of calls, in seconds.
const DURATIONS: &[f64] = &[5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];

/// Mean opinion scores.
const SCORES: &[f64] = &[1.5, 2.0, 2.5, 3.0, 3.5, 3.75, 4.0, 4.2, 4.4, 4.5];

/// Delays of networks, in seconds.
const DELAYS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// The most series of one name.
const MOST_SERIES: usize = 500;

/// The most calls whose agent is remembered.
const MOST_CALLS: usize = 10_000;

const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    #[test]
    fn latencies_are_told_apart_by_agent_and_stage() {
        let mut tally = Tally::default();
        let call = CallId::new(Duration::from_secs(1), &mut Random::repeatable(1));
        tally.fact(call, &Fact::AgentChanged { agent: "desk".to_owned() });
        let latency =
            Latency { first_packet: Some(Duration::from_millis(450)), ..Latency::default() };
        tally.fact(call, &Fact::TurnTimed { turn: 1, latency });
        let mut out = Exposition::default();
        tally.write(&mut out);
        let text = out.text();
        let line = |rest: &str| format!("voxtrunk_turn_latency_seconds{rest}");
        let labels = "agent=\"desk\",stage=\"total\"";
        assert!(text.contains(&line(&format!("_bucket{{{labels},le=\"0.4\"}} 0\n"))), "{text}");
        assert!(text.contains(&line(&format!("_bucket{{{labels},le=\"0.5\"}} 1\n"))), "{text}");
        assert!(text.contains(&line(&format!("_sum{{{labels}}} 0.45\n"))), "{text}");
    }

    #[test]
    fn names_that_a_model_makes_up_do_not_fill_the_memory() {
        let mut counts = Counts::<1>::default();
        for number in 0..10_000 {
            counts.add([&format!("tool {number}")]);
        }
        assert_eq!(counts.0.len(), MOST_SERIES + 1);
        assert_eq!(counts.0[&[OTHER.to_owned()]], 10_000 - MOST_SERIES as u64);
    }
}
