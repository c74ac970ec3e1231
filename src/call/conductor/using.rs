//! Tools: those of the house are done here, the others by the engine. A model says which and with
//! what; who calls and whom is told by us (T14).

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::{Conductor, Timer};
use crate::agent::event::Input;
use crate::agent::tool::{ToolCall, ToolResult};
use crate::agent::tools::arguments;
use crate::agent::tools::builtin::{self, Builtin};
use crate::base::calendar::Date;
use crate::base::number::Number;
use crate::base::scope::Scope;
use crate::base::zone::Local;
use crate::call::event::Output;
use crate::call::record::{Callback, Message};
use crate::media::event::{Command, Digit};

/// The tools of a call at work.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// How many were used.
    count: u32,
    /// How often each of the operator's was used.
    each: BTreeMap<String, u32>,
    /// What they left for those after them: `vars`.
    kept: Map<String, Value>,
    /// The keys that are still to be pressed, each group after a pause.
    keys: VecDeque<(Duration, String)>,
}

impl Conductor {
    /// Does what a model wants, or has it done.
    pub(super) fn use_tool(&mut self, now: Instant, call: ToolCall) {
        self.usage.count += 1;
        if self.usage.count > MOST_USES {
            let result = call.failed("there were too many tool calls in this conversation");
            return self.tool_done(now, result);
        }
        // The session has held the arguments against their schema.
        let given = arguments::read("{}", &call.arguments).unwrap_or_default();
        if let Some(tool) = Builtin::named(&call.name) {
            let result = match self.do_builtin(now, tool, &given) {
                Ok(done) => call.done(done),
                Err(why) => call.failed(why),
            };
            return self.tool_done(now, result);
        }
        let mut scope = self.scope();
        if let Some(parent) = self.chronicle.traceparent_of_tool(&call.id) {
            scope.set("call.traceparent", parent.to_string());
        }
        scope.set("args", given);
        scope.set("tool.name", call.name.as_str());
        scope.set("tool.call_id", call.id.as_str());
        let uses = self.usage.each.entry(call.name.clone()).or_default();
        *uses += 1;
        scope.set("tool.uses", *uses);
        self.out.push_back(Output::Use { call, scope });
    }

    /// How many tools were used.
    pub(super) fn usage_count(&self) -> u32 {
        self.usage.count
    }

    /// What came of a tool is known.
    pub(super) fn tool_done(&mut self, now: Instant, result: ToolResult) {
        if self.is_done_for_flow(now, &result) {
            return;
        }
        let used = self.chronicle.tool_of(&result.id);
        let handlings = self.desk.casting().map(|casting| &casting.handlings);
        let save = handlings.zip(used).and_then(|(known, name)| known.get(name)?.save.clone());
        if let Some(name) = save.filter(|_| !result.failed) {
            let text = || Value::String(result.content.clone());
            let value = serde_json::from_str(&result.content).unwrap_or_else(|_| text());
            if let Some(flow) = &mut self.flow {
                flow.learn(&name, value);
            } else if self.usage.kept.len() < MOST_KEPT || self.usage.kept.contains_key(&name) {
                self.usage.kept.insert(name, value);
            }
        }
        self.desk.tell(now, Input::ToolDone(result));
    }

    /// What templates of tools and conditions may name of this call.
    pub(super) fn scope(&self) -> Scope {
        if let Some(flow) = &self.flow {
            return flow.scope().clone();
        }
        let mut scope = Scope::of(&self.variables());
        let record = self.chronicle.record();
        scope.set("call.id", record.call.to_string());
        scope.set("call.from", record.from.as_str());
        scope.set("call.to", record.to.as_str());
        scope.set("vars", self.usage.kept.clone());
        scope
    }

    /// The flow is over; what it knows stays.
    pub(super) fn end_flow(&mut self) {
        let known = self.flow.take().and_then(|flow| flow.scope().get("vars").cloned());
        if let Some(Value::Object(known)) = known {
            self.usage.kept = known;
        }
    }

    fn do_builtin(
        &mut self,
        now: Instant,
        tool: Builtin,
        given: &Map<String, Value>,
    ) -> Result<String, String> {
        match tool {
            Builtin::Now => Ok(builtin::now(self.chronicle.time(now), &self.briefing.plan.zone)),
            Builtin::Calculator => builtin::calculate(given),
            Builtin::SendDtmf => {
                let groups = builtin::keys(given)?;
                self.usage.keys.extend(groups);
                self.press_keys(now);
                Ok("the keys are being pressed".to_owned())
            }
            // The session of an agent gathers them itself; nobody else has anybody to ask.
            Builtin::CollectDigits => Err("nobody is there to press keys".to_owned()),
            Builtin::TakeMessage => self.take_message(now, given),
            Builtin::ScheduleCallback => self.schedule_callback(now, given),
        }
    }

    /// Presses the keys that are due, and comes back for the rest.
    pub(super) fn press_keys(&mut self, now: Instant) {
        if self.timers.at(Timer::Keys).is_some_and(|due| due > now) {
            return;
        }
        self.timers.clear(Timer::Keys);
        let Some((pause, keys)) = self.usage.keys.pop_front() else { return };
        if !pause.is_zero() {
            // What comes after the pause has none of its own any more.
            self.usage.keys.push_front((Duration::ZERO, keys));
            return self.timers.set(Timer::Keys, now + pause);
        }
        let lasts = KEY.saturating_mul(u32::try_from(keys.len()).unwrap_or(u32::MAX));
        self.media(Command::Dial(keys.chars().filter_map(Digit::new).collect()));
        if !self.usage.keys.is_empty() {
            self.timers.set(Timer::Keys, now + lasts);
        }
    }

    fn take_message(&mut self, now: Instant, given: &Map<String, Value>) -> Result<String, String> {
        let number = self.number_in(given)?;
        let text = builtin::text(given, "text").ok_or("there is no `text`")?;
        let [name, whom] = ["name", "for"].map(|key| builtin::text(given, key));
        let message = Message { at: Duration::ZERO, name, whom, number, text };
        let noted = self.chronicle.message(now, message);
        let noted = noted.ok_or("there are too many messages in this call")?;
        self.out.push_back(Output::Fact(noted));
        Ok("the message is noted".to_owned())
    }

    fn schedule_callback(
        &mut self,
        now: Instant,
        given: &Map<String, Value>,
    ) -> Result<String, String> {
        let number = self.number_in(given)?;
        let when = local(given).ok_or("the day or the time is none")?;
        let zone = self.briefing.plan.zone.clone();
        let (wanted, present) = (zone.since_epoch(when), self.chronicle.time(now));
        let wanted = wanted.ok_or("there is no such time")?;
        if wanted <= present {
            return Err(format!("that time is over: it is {}", builtin::now(present, &zone)));
        }
        if wanted > present + LATEST {
            return Err("that is more than a year ahead".to_owned());
        }
        let reason = builtin::text(given, "reason");
        let callback = Callback { at: Duration::ZERO, when: wanted, number, reason };
        let to = callback.number.clone();
        let noted = self.chronicle.callback(now, callback);
        let noted = noted.ok_or("there are too many callbacks in this call")?;
        self.out.push_back(Output::Fact(noted));
        let clock = builtin::clock(when.minute);
        Ok(format!("noted: {to} is to be called on {} at {clock}", when.date))
    }

    /// The number that a model gives, or that of the caller.
    fn number_in(&self, given: &Map<String, Value>) -> Result<String, String> {
        let Some(given) = builtin::text(given, "number") else {
            return Ok(self.chronicle.record().from.clone());
        };
        let number: Result<Number, _> = self.briefing.numbering.read(&given).parse();
        let number = number.map_err(|_| format!("`{given}` is no telephone number"))?;
        Ok(number.to_e164().to_owned())
    }
}

/// The day and the time among the arguments.
fn local(given: &Map<String, Value>) -> Option<Local> {
    let text = |name: &str| builtin::text(given, name);
    let date: Date = text("date")?.parse().ok()?;
    let time = text("time")?;
    let (hour, minute) = time.split_once(':')?;
    let minute = minute.split(':').next()?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(Local { date, minute: hour * 60 + minute })
}

/// How many tools a call may use (T14).
const MOST_USES: u32 = 20;

/// How many results are kept for those after them.
const MOST_KEPT: usize = 64;

/// How long a key takes to be pressed, with the pause behind it.
const KEY: Duration = Duration::from_millis(200);

/// How far ahead a caller may want to be called.
const LATEST: Duration = Duration::from_secs(366 * 24 * 3_600);
