//! What is noted so that a call can be told as a trace: when its turns were, and what models were asked.

use std::time::{Duration, Instant};

use super::Chronicle;
use crate::agent::assistant::Assistant;
use crate::agent::event::{Delta, Input, ThoughtId, TurnTimes};
use crate::base::trace_context::{SpanId, TraceParent};
use crate::call::event::Fact;
use crate::call::record::{Latency, Served, ToolUse, Turn};
use crate::call::trace::{Sample, Thought, Trace, When};
use crate::call::uses::Uses;

impl Chronicle {
    /// The call stands in a trace, if somebody collects some or its parent is named.
    pub fn stands_in_trace(&mut self, parent: Option<TraceParent>, sample: Option<Sample>) {
        self.record.trace = Trace::new(self.record.call, parent, sample);
    }

    /// What a server is told that the call asks: the trace goes on there.
    pub fn traceparent(&self) -> Option<TraceParent> {
        self.record.trace.map(|trace| trace.told(trace.root()))
    }

    /// What a tool is told that a model called by this identity.
    pub fn traceparent_of_tool(&self, id: &str) -> Option<TraceParent> {
        let trace = self.record.trace?;
        let is_it = |used: &ToolUse| used.id == id && used.outcome.is_none();
        let place = self.record.tools.iter().rposition(is_it);
        // What a flow has done is nothing that a model asked for.
        let span: SpanId = place.map_or(trace.root(), |place| trace.tool(place));
        Some(trace.told(span))
    }

    /// A turn of the caller begins the next in the record.
    pub(super) fn turn_begins(&mut self, turn: u64, at: Duration) {
        let when = When { began: Some(at), ..When::default() };
        // Who answers it is known when it is answered.
        let served = Served { heard: self.served.heard.clone(), ..Served::default() };
        let latency = Latency::default();
        self.settle_until(at);
        self.record.turns.push(Turn {
            turn,
            when,
            latency,
            judged: None,
            served,
            uses: Uses::default(),
        });
    }

    /// The times of a turn are known.
    pub(super) fn turn_timed(&mut self, turn: u64, times: &TurnTimes) -> Option<Fact> {
        let arrived = self.arrived;
        let since = |at: Option<Instant>| Some(at?.saturating_duration_since(arrived));
        let turn = self.record.turns.iter_mut().rfind(|known| known.turn == turn)?;
        turn.latency = Latency::new(times);
        turn.served = self.served.clone();
        turn.when.began = since(times.began).or(turn.when.began);
        turn.when.origin = since(times.last_voiced.or(times.committed));
        Some(Fact::TurnTimed { turn: turn.turn, latency: turn.latency })
    }

    /// What was said last has been heard, or cut.
    pub(super) fn answer_ends(&mut self, now: Instant) {
        let at = self.since(now);
        self.record.turns.last_mut().into_iter().for_each(|turn| turn.when.ended = Some(at));
    }

    /// A model is asked.
    pub fn asked(&mut self, now: Instant, id: ThoughtId) {
        let (at, first, ended) = (self.since(now), None, None);
        if self.record.thoughts.len() < MOST_THOUGHTS {
            let (provider, model) = (None, None);
            let (failed, uses) = (false, Uses::default());
            let thought = Thought { id, at, first, ended, provider, model, failed, uses };
            self.record.thoughts.push(thought);
        }
    }

    /// A model answers an agent, or somebody else moves it.
    pub fn answers(&mut self, now: Instant, input: &Input, assistant: Option<&Assistant>) {
        let Input::Thought { thought: id, delta } = input else { return };
        let (at, provider) = (self.since(now), self.served.thought.clone());
        let mut open = self.record.thoughts.iter_mut().rev().filter(|it| it.ended.is_none());
        let Some(thought) = open.find(|it| it.id == *id) else { return };
        match delta {
            Delta::Text(_) | Delta::Clause | Delta::Tool(_) => {
                thought.first.get_or_insert(at);
            }
            Delta::Used(_) => {}
            Delta::Done | Delta::BrokeOff | Delta::Failed | Delta::Down => {
                thought.ended = Some(at);
                thought.failed = !matches!(delta, Delta::Done);
            }
        }
        if thought.provider.is_none() || provider.is_some() {
            let name = provider.as_deref();
            thought.model = assistant.and_then(|it| name.and_then(|name| model(it, name)));
            thought.provider = provider;
        }
    }
}

/// Which model an agent wants of a provider, where it says so.
fn model(assistant: &Assistant, provider: &str) -> Option<String> {
    let own = assistant.realtime.iter().chain([&assistant.llm]);
    let mut choices = own.chain(&assistant.fallback.llm);
    choices.find(|it| it.provider.as_deref() == Some(provider))?.model.clone()
}

/// How many questions to models are kept of a call.
const MOST_THOUGHTS: usize = 1_000;
