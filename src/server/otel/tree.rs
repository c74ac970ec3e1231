//! The spans of a call, made of its record: `call`, below it the INVITEs, the way that it took and its agents,
//! below those the turns, and what was done in them. Names and attributes are those of OpenTelemetry's semantic
//! conventions for generative AI, where there are some.

use std::time::Duration;

use super::names::Names;
use super::span::{Event, Kind, Span};
use crate::base::price::Unit;
use crate::base::trace_context::SpanId;
use crate::call::cause::Cause;
use crate::call::record::{Failure, Leg, Record, Speaker, Stage, ToolUse, Turn};
use crate::call::trace::{Thought, Trace};

/// The spans of a call that is over; none when it is in no trace, or nobody is to be told of it. Without
/// `content` nothing is in them that anybody said, and no number.
pub fn spans(record: &Record, names: &Names, content: bool) -> Vec<Span> {
    match record.trace.filter(Trace::is_told) {
        Some(trace) => Tree { record, trace, names, content }.grow(),
        None => Vec::new(),
    }
}

/// A tree that grows.
struct Tree<'a> {
    record: &'a Record,
    trace: Trace,
    names: &'a Names,
    content: bool,
}

/// Where a span stands: the kind and the place that it is known by, and the span above it.
type Place = ((&'static str, usize), Option<SpanId>);

impl Tree<'_> {
    fn grow(&self) -> Vec<Span> {
        let record = self.record;
        let mut spans = vec![self.call()];
        spans.extend(record.legs.iter().enumerate().map(|(place, leg)| self.invite(place, leg)));
        spans.extend(record.route.as_deref().map(|route| self.route(route)));
        let agents = record.agents.iter().zip(&record.took_over).enumerate();
        spans.extend(agents.map(|(place, (agent, at))| self.agent(place, agent, *at)));
        let below = spans.len();
        for (place, turn) in record.turns.iter().enumerate() {
            spans.push(self.turn(place, turn));
            spans.extend(self.hearing(place, turn));
            spans.extend(self.speaking(place, turn));
        }
        let thoughts = record.thoughts.iter().enumerate();
        spans.extend(thoughts.map(|(place, thought)| self.thought(place, thought)));
        let tools = record.tools.iter().enumerate();
        spans.extend(tools.map(|(place, tool)| self.tool(place, tool)));
        let failures = record.failures.iter().enumerate();
        spans.extend(failures.map(|(place, failure)| self.failure(place, failure)));
        contain(spans.get_mut(below..).unwrap_or_default());
        spans
    }

    fn call(&self) -> Span {
        let record = self.record;
        let place = (("call", 0), self.trace.parent);
        let mut span = self.span("call".to_owned(), place, (Duration::ZERO, record.lasted));
        span.kind = if record.is_ours { Kind::Internal } else { Kind::Server };
        span.put("voxtrunk.direction", if record.is_ours { "outbound" } else { "inbound" });
        span.put("voxtrunk.trunk", record.trunk.as_str());
        let tenant = Some(record.tenant.as_str()).filter(|tenant| !tenant.is_empty());
        span.put_known("voxtrunk.tenant", tenant);
        span.put("voxtrunk.end_reason", record.cause.end_reason());
        span.put("voxtrunk.q850", i64::from(record.cause.q850()));
        span.put("voxtrunk.answered", record.answered.is_some());
        span.put("voxtrunk.interruptions", i64::from(record.interruptions));
        if self.content {
            span.put("voxtrunk.pii.from", record.from.as_str());
            span.put("voxtrunk.pii.to", record.to.as_str());
        }
        if is_failure(record.cause) {
            span.fail(record.cause.end_reason());
        }
        let happened = |name: &'static str, at: Duration| Event {
            at: record.began + at,
            name,
            attributes: Vec::new(),
        };
        span.events.extend(record.answered.map(|at| happened("answered", at)));
        span.events.extend(record.bridges.iter().map(|it| happened("bridged", it.at)));
        span.events.extend(record.queues.iter().map(|it| happened("queued", it.at)));
        span.events.extend(record.transfers.iter().map(|it| happened("transferred", it.at)));
        span
    }

    /// The INVITE of a leg, until it is answered or not.
    fn invite(&self, place: usize, leg: &Leg) -> Span {
        let until = leg.answered.or(leg.ended).unwrap_or(self.record.lasted);
        let place = (("invite", place), Some(self.trace.root()));
        let mut span = self.span("sip.invite".to_owned(), place, (leg.began, until));
        span.kind = if leg.to.is_none() { Kind::Server } else { Kind::Client };
        let call_id = Some(leg.sip_call_id.as_str()).filter(|it| !it.is_empty());
        span.put_known("sip.call_id", call_id);
        span.put("voxtrunk.answered", leg.answered.is_some());
        span.put_known("voxtrunk.codec", leg.codec);
        span.put_known("voxtrunk.pii.to", leg.to.as_deref().filter(|_| self.content));
        let cause = leg.cause.unwrap_or(self.record.cause);
        let is_wanted = matches!(cause, Cause::Canceled | Cause::CallerHangup);
        if leg.answered.is_none() && !is_wanted {
            span.fail(cause.end_reason());
        }
        span
    }

    /// The way that the call took, until somebody had it or was called.
    fn route(&self, route: &str) -> Span {
        let record = self.record;
        let placed = record.legs.iter().filter(|leg| leg.to.is_some()).map(|leg| leg.began);
        let taken = record.took_over.iter().copied().chain(record.answered).chain(placed).min();
        let until = taken.unwrap_or(record.lasted);
        let place = (("route", 0), Some(self.trace.root()));
        let mut span = self.span("route".to_owned(), place, (Duration::ZERO, until));
        // A route without a name is called by where it leads, which may be a number.
        let is_name = !route.contains([':', '+']);
        span.put_known("voxtrunk.route", Some(route).filter(|_| is_name || self.content));
        if record.cause == Cause::NoRoute {
            span.fail(record.cause.end_reason());
        }
        span
    }

    fn agent(&self, place: usize, agent: &str, at: Duration) -> Span {
        let next = self.record.took_over.get(place + 1).copied();
        let until = next.unwrap_or(self.record.lasted);
        let place = (("agent", place), Some(self.trace.root()));
        let mut span = self.span(format!("agent {agent}"), place, (at, until));
        span.put("gen_ai.operation.name", "invoke_agent");
        span.put("gen_ai.agent.name", agent);
        span
    }

    fn turn(&self, place: usize, turn: &Turn) -> Span {
        let began = began(turn);
        let spoken = after(turn, turn.latency.first_packet);
        let until = turn.when.ended.into_iter().chain(spoken).max().unwrap_or(began);
        let above = ("turn", place);
        let mut span = self.span("turn".to_owned(), (above, self.agent_at(began)), (began, until));
        span.put("voxtrunk.turn", i64::try_from(turn.turn).unwrap_or(i64::MAX));
        let waited = turn.latency.first_packet.map(|it| it.as_secs_f64());
        span.put_known("voxtrunk.response_time", waited);
        if self.content {
            let [caller, agent] = self.said_in(place);
            span.put("voxtrunk.pii.caller_said", caller);
            span.put("voxtrunk.pii.agent_said", agent);
        }
        span
    }

    /// What the caller said in a turn, and what the agent said then. Each turn has a line of the caller.
    fn said_in(&self, place: usize) -> [String; 2] {
        let (mut turns, mut said) = (0, [Vec::new(), Vec::new()]);
        for line in &self.record.transcript {
            let [caller, agent] = &mut said;
            turns += usize::from(line.speaker == Speaker::Caller);
            if turns == place + 1 {
                match line.speaker {
                    Speaker::Caller => caller.extend([line.text.as_str(), &line.keys]),
                    Speaker::Agent => agent.push(line.text.as_str()),
                }
            }
        }
        said.map(|lines| lines.join(" ").trim().to_owned())
    }

    /// Who heard a turn, until its text was there.
    fn hearing(&self, place: usize, turn: &Turn) -> Option<Span> {
        let until = after(turn, turn.latency.transcript)?;
        let above = Some(self.trace.span("turn", place));
        let mut span = self.span("stt".to_owned(), (("stt", place), above), (began(turn), until));
        span.kind = Kind::Client;
        self.put_provider(&mut span, turn.served.heard.as_deref());
        Some(span)
    }

    /// Who spoke the answer to a turn, from its first clause until it had been heard.
    fn speaking(&self, place: usize, turn: &Turn) -> Option<Span> {
        let first = after(turn, turn.latency.first_clause)?;
        let audio = after(turn, turn.latency.first_audio);
        let until = turn.when.ended.into_iter().chain(audio).max()?;
        let above = Some(self.trace.span("turn", place));
        let mut span = self.span("tts".to_owned(), (("tts", place), above), (first, until));
        span.kind = Kind::Client;
        let waited = audio.map(|at| at.saturating_sub(first).as_secs_f64());
        span.put_known("voxtrunk.time_to_first_audio", waited);
        self.put_provider(&mut span, turn.served.spoken.as_deref());
        Some(span)
    }

    fn thought(&self, place: usize, thought: &Thought) -> Span {
        let provider = thought.provider.as_deref();
        let model = thought.model.as_deref().or_else(|| self.names.model(provider?));
        let name = match model.or(provider) {
            Some(model) => format!("chat {model}"),
            None => "chat".to_owned(),
        };
        let until = thought.ended.or(thought.first).unwrap_or(thought.at);
        let place = (("chat", place), self.turn_at(thought.at));
        let mut span = self.span(name, place, (thought.at, until));
        span.kind = Kind::Client;
        span.put("gen_ai.operation.name", "chat");
        span.put_known("gen_ai.request.model", model);
        self.put_provider(&mut span, provider);
        let waited = thought.first.map(|at| at.saturating_sub(thought.at).as_secs_f64());
        span.put_known("gen_ai.response.time_to_first_chunk", waited);
        put_tokens(&mut span, thought);
        if thought.ended.is_none() {
            // The caller went on, or was gone.
            span.put("voxtrunk.abandoned", true);
        }
        if thought.failed {
            span.fail("provider_error");
        }
        span
    }

    fn tool(&self, place: usize, tool: &ToolUse) -> Span {
        let took = tool.outcome.map(|outcome| outcome.took);
        let until = took.map_or(self.record.lasted, |took| tool.at + took);
        let place = (("tool", place), self.turn_at(tool.at));
        let mut span = self.span(format!("execute_tool {}", tool.name), place, (tool.at, until));
        span.put("gen_ai.operation.name", "execute_tool");
        span.put("gen_ai.tool.name", tool.name.as_str());
        span.put("gen_ai.tool.type", "function");
        span.put("gen_ai.tool.call.id", tool.id.as_str());
        if self.content {
            span.put("voxtrunk.pii.tool_arguments", tool.arguments.as_str());
        }
        match tool.outcome {
            Some(outcome) if outcome.failed => span.fail("tool_error"),
            Some(_) => {}
            None => span.fail("call_ended"),
        }
        span
    }

    /// Somebody who should have heard, thought or spoken, and did not.
    fn failure(&self, place: usize, failure: &Failure) -> Span {
        let asked = self.record.thoughts.iter().rev().map(|it| it.at).find(|at| *at <= failure.at);
        let (name, began) = match failure.stage {
            Stage::Think => {
                let model = self.names.model(&failure.provider).unwrap_or(&failure.provider);
                (format!("chat {model}"), asked.unwrap_or(failure.at))
            }
            stage @ (Stage::Hear | Stage::Speak) => (stage.name().to_owned(), failure.at),
        };
        let place = (("failure", place), self.turn_at(failure.at));
        let mut span = self.span(name, place, (began, failure.at));
        span.kind = Kind::Client;
        if failure.stage == Stage::Think {
            span.put("gen_ai.operation.name", "chat");
        }
        self.put_provider(&mut span, Some(&failure.provider));
        span.put_known("voxtrunk.next_provider", failure.next.as_deref());
        // Why, in the words of somebody else: what was said may be in it.
        let reason = Some(failure.reason.as_str()).filter(|_| self.content);
        span.put_known("voxtrunk.pii.reason", reason);
        span.fail("provider_error");
        span
    }

    fn put_provider(&self, span: &mut Span, provider: Option<&str>) {
        let Some(provider) = provider else { return };
        span.put("gen_ai.provider.name", self.names.provider(provider));
        span.put("voxtrunk.provider", provider);
    }

    /// The agent that had the call at a time since it arrived; before any, the call.
    fn agent_at(&self, at: Duration) -> Option<SpanId> {
        let place = self.record.took_over.iter().rposition(|began| *began <= at);
        Some(place.map_or(self.trace.root(), |place| self.trace.span("agent", place)))
    }

    /// The turn that was answered at a time since the call arrived; before any, the agent.
    fn turn_at(&self, at: Duration) -> Option<SpanId> {
        let place = self.record.turns.iter().rposition(|turn| began(turn) <= at);
        match place {
            Some(place) => Some(self.trace.span("turn", place)),
            None => self.agent_at(at),
        }
    }

    /// A span between two times since the call arrived.
    fn span(
        &self,
        name: String,
        ((kind, place), parent): Place,
        times: (Duration, Duration),
    ) -> Span {
        let (record, (began, ended)) = (self.record, times);
        let mut span = Span {
            trace: self.trace.id,
            id: self.trace.span(kind, place),
            parent,
            name,
            kind: Kind::Internal,
            began: record.began + began,
            ended: record.began + ended.max(began),
            attributes: Vec::new(),
            events: Vec::new(),
            error: None,
        };
        span.put("gen_ai.conversation.id", record.call.to_string());
        span
    }
}

/// When the caller began a turn, since the call arrived.
fn began(turn: &Turn) -> Duration {
    turn.when.began.or(turn.when.origin).unwrap_or_default()
}

/// A time that a latency names, since the call arrived.
fn after(turn: &Turn, latency: Option<Duration>) -> Option<Duration> {
    Some(turn.when.origin? + latency?)
}

/// Lets spans last as long as those below them.
fn contain(spans: &mut [Span]) {
    let lasts: Vec<(Option<SpanId>, Duration)> =
        spans.iter().map(|span| (span.parent, span.ended)).collect();
    for span in spans {
        let below = lasts.iter().filter(|(parent, _)| *parent == Some(span.id));
        let last = below.map(|(_, ended)| *ended).max();
        span.ended = span.ended.max(last.unwrap_or_default());
    }
}

/// Whether a call that ended so did not come to what was wanted.
fn is_failure(cause: Cause) -> bool {
    match cause {
        Cause::MediaTimeout
        | Cause::MediaUnproven
        | Cause::SignallingTimeout
        | Cause::ProviderError
        | Cause::NoRoute
        | Cause::Rejected(_)
        | Cause::Unreachable
        | Cause::IncompatibleMedia
        | Cause::Blocked
        | Cause::Full
        | Cause::ServerCrash
        | Cause::InternalError => true,
        Cause::CallerHangup
        | Cause::CalleeHangup
        | Cause::Canceled
        | Cause::AgentEnded
        | Cause::Transferred
        | Cause::Voicemail
        | Cause::SilenceTimeout
        | Cause::MaxDuration
        | Cause::Busy
        | Cause::NoAnswer
        | Cause::AdminEnded { .. }
        | Cause::ServerShutdown => false,
    }
}

/// What an answer took, by the names that OpenTelemetry has; nothing where its model does not say.
fn put_tokens(span: &mut Span, thought: &Thought) {
    let count =
        |unit| thought.uses.count_of(unit, |it| Some(&it.provider) == thought.provider.as_ref());
    let sum = |units: &[Unit]| units.iter().fold(0, |sum: u64, it| sum.saturating_add(count(*it)));
    // What stands in a cache is read as well.
    let read = sum(&[Unit::InputTokens, Unit::AudioInputTokens, Unit::CachedTokens]);
    for (name, count) in [
        ("gen_ai.usage.input_tokens", read),
        ("gen_ai.usage.cache_read.input_tokens", count(Unit::CachedTokens)),
        ("gen_ai.usage.output_tokens", sum(&[Unit::OutputTokens, Unit::AudioOutputTokens])),
    ] {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        span.put_known(name, Some(count).filter(|count| *count > 0));
    }
}
