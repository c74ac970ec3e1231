//! The flow of the call: what its nodes order is done here, and what comes of it is told to it.

use std::time::Instant;

use super::queueing::HOUSE;
use super::serving::MOST_HOPS;
use super::{Conductor, Work};
use crate::agent::event::{Input, Note};
use crate::agent::phrases::Phrases;
use crate::agent::session::Opening;
use crate::agent::tool::{ToolCall, ToolResult, names};
use crate::agent::tools::arguments;
use crate::base::template;
use crate::call::briefing::{Post, Refer};
use crate::call::cause::Cause;
use crate::call::event::Taping;
use crate::call::flow::{self, Walk};
use crate::call::transfer::{self, Escort};
use crate::dialplan::flow::{self as plan, Recording};

impl Conductor {
    /// The call goes through a flow, once the caller is there.
    pub(super) fn go_by_flow(&mut self, now: Instant, name: &str) {
        let Some(post) = self.take_up_flow(name) else { return self.end(now, Cause::NoRoute) };
        self.engage(post);
        self.work = Work::Agent;
        self.give_back_to_agent();
        self.ready_near(now);
    }

    /// A caller who is there already comes into a flow.
    pub(super) fn change_to_flow(&mut self, now: Instant, name: &str) {
        self.hops += 1;
        match self.take_up_flow(name).filter(|_| self.hops <= MOST_HOPS) {
            Some(post) => {
                self.engage(post);
                self.flow_begins(now);
            }
            None => self.end(now, Cause::NoRoute),
        }
    }

    /// Stands at the start of a flow; gives who speaks in it.
    pub(super) fn take_up_flow(&mut self, name: &str) -> Option<Post> {
        let flow = self.briefing.flows.get(name)?.clone();
        let casting = self.briefing.agents.get(&plan::speaker(name))?.clone();
        self.flow = Some(Walk::new(name, flow, self.scope()));
        Some(Post { casting, squad: None })
    }

    /// The flow begins, if there is one.
    pub(super) fn flow_begins(&mut self, now: Instant) -> bool {
        // That the call is recorded is said before anything else.
        let notice = self.desk.casting().and_then(|it| it.assistant.first_message.clone());
        let Some(flow) = &mut self.flow else { return false };
        flow.preface(&notice.unwrap_or_default());
        self.walk(now, flow::Input::Began);
        true
    }

    /// Does what is due in the flow.
    pub(super) fn flow_ticks(&mut self, now: Instant) {
        if let Some(flow) = &mut self.flow {
            flow.tick(now);
            self.obey_flow(now);
        }
    }

    /// Takes a call of a tool that is the flow's.
    pub(super) fn is_of_flow(&mut self, now: Instant, call: &ToolCall) -> bool {
        if self.flow.is_none() {
            return false;
        }
        let Some(input) = flow::input_of(call) else { return false };
        self.walk(now, input);
        true
    }

    /// What came of a tool is known, if it is the flow's.
    pub(super) fn is_done_for_flow(&mut self, now: Instant, result: &ToolResult) -> bool {
        if self.flow.is_none() || !result.id.starts_with(FLOW) {
            return false;
        }
        self.note(now, Note::ToolDone { id: result.id.clone(), failed: result.failed });
        let (result, failed) = (result.content.clone(), result.failed);
        self.walk(now, flow::Input::Used { result, failed });
        true
    }

    /// Has a tool used. What it is given is held against its schema, as a model's words are.
    fn flow_uses(&mut self, now: Instant, flow: &str, (tool, given): (&str, String)) {
        // Everything was heard: there is nothing to be cut.
        self.desk.leave(now);
        let casting = self.briefing.agents.get(&plan::speaker(flow)).cloned();
        let known =
            casting.as_ref().and_then(|it| it.tools.iter().find(|known| known.name == tool));
        let id = format!("{FLOW}:{}", self.usage_count());
        let call = ToolCall { id, name: tool.to_owned(), arguments: given };
        self.note(now, Note::ToolCalled(call.clone()));
        let fits = match known {
            Some(known) => arguments::read(&known.parameters, &call.arguments).map(|_| ()),
            None => Err("there is no such tool".to_owned()),
        };
        match fits {
            Ok(()) => self.use_tool(now, call),
            Err(why) => {
                let result = call.failed(&why);
                self.is_done_for_flow(now, &result);
            }
        }
    }

    /// Somebody could not be reached: tells who wanted it.
    pub(super) fn not_reached(&mut self, now: Instant, result: ToolResult) {
        if self.flow.is_some() && result.id == FLOW {
            return self.walk(now, flow::Input::NotReached);
        }
        if result.id == HOUSE {
            // Nobody speaks there who could say it.
            return self.end(now, Cause::NoAnswer);
        }
        self.desk.tell(now, Input::ToolDone(result));
    }

    pub(super) fn walk(&mut self, now: Instant, input: flow::Input) {
        if let Some(flow) = &mut self.flow {
            flow.handle(now, input);
            self.obey_flow(now);
        }
    }

    fn obey_flow(&mut self, now: Instant) {
        while let Some(output) = self.flow.as_mut().and_then(Walk::poll) {
            let name = self.flow.as_ref().map(|flow| flow.name().to_owned()).unwrap_or_default();
            match output {
                flow::Output::Entered(node) => {
                    self.guard_node(now, &node);
                    self.chronicle.came_to_node(now, &name, node);
                }
                flow::Output::Say(line) => {
                    self.flow_speaks(now, &plan::speaker(&name), line);
                }
                flow::Output::Ask { node, line } => {
                    self.flow_asks(now, &plan::asker(&name, &node), line)
                }
                flow::Output::Judge(what) => {
                    let opening = Opening {
                        inherits: Some(self.desk.past()),
                        judges: Some(plan::question(&what)),
                        ..Opening::default()
                    };
                    self.flow_seats(now, &plan::judge(&name), opening);
                }
                flow::Output::Record(Recording::Pause) => {
                    self.recording_ordered(now, Taping::Pause)
                }
                flow::Output::Record(Recording::Resume) => {
                    self.recording_ordered(now, Taping::Resume);
                }
                flow::Output::Wait => self.desk.leave(now),
                flow::Output::Use { tool, arguments } => {
                    self.flow_uses(now, &name, (&tool, arguments));
                }
                flow::Output::Go { to, mode, brief } => {
                    let terms = self.briefing.trunks.get(&self.trunk.name);
                    let refer = terms.map_or(Refer::First, |terms| terms.refer);
                    let call = ToolCall { id: FLOW.to_owned(), ..ToolCall::transfer(FLOW, "") };
                    let escort = Escort::new(mode, None, brief.as_ref());
                    match transfer::way(&to, refer.in_mode(mode)) {
                        Some(target) => self.carry_out(now, call, (target, escort)),
                        None => self.walk(now, flow::Input::NotReached),
                    }
                }
                flow::Output::HandOff(to) => {
                    let past = self.desk.past();
                    match self.briefing.post(&to) {
                        Some(post) => return self.relieve(now, post, Some(past)),
                        None => self.walk(now, flow::Input::NotReached),
                    }
                }
                flow::Output::End => return self.end(now, Cause::AgentEnded),
                flow::Output::Fail(why) => {
                    self.chronicle.flow_failed(why);
                    let sorry = self.desk.casting().map(|it| Phrases::of(&it.assistant).apology);
                    let role = plan::speaker(&name);
                    self.flow_speaks(now, &role, sorry.unwrap_or_default());
                }
                flow::Output::Stop => return self.end(now, Cause::InternalError),
            }
        }
    }

    /// Somebody asks what a node asks for; where a model does, it goes on with what was said.
    fn flow_asks(&mut self, now: Instant, role: &str, line: String) {
        let Some(asking) = self.briefing.agents.get(role).map(|it| it.assistant.clone()) else {
            return self.end(now, Cause::InternalError);
        };
        let prompt = asking.prompt.as_deref();
        let instructions = prompt.map(|prompt| self.rendered(prompt)).unwrap_or_default();
        let question = asking.first_message.clone().unwrap_or_default();
        let line = format!("{line} {question}").trim().to_owned();
        let inherits = (prompt.is_some() && line.is_empty()).then(|| self.desk.past());
        let (first_message, scope) = (Some(line), self.scope());
        let opening =
            Opening { instructions, first_message, inherits, scope, ..Opening::default() };
        self.flow_seats(now, role, opening);
    }

    /// Somebody says a line of the flow, and nobody listens.
    fn flow_speaks(&mut self, now: Instant, role: &str, line: String) {
        let (first_message, then) = (Some(line), Some(said()));
        self.flow_seats(now, role, Opening { first_message, then, ..Opening::default() });
    }

    fn flow_seats(&mut self, now: Instant, role: &str, opening: Opening) {
        let Some(casting) = self.briefing.agents.get(role).cloned() else {
            return self.end(now, Cause::InternalError);
        };
        self.engage(Post { casting, squad: None });
        let today = self.chronicle.today();
        self.desk.begin(now, Opening { today, ..opening });
    }

    /// A text with the values that the flow knows.
    pub(super) fn rendered(&self, text: &str) -> String {
        template::render_in(text, &self.scope()).unwrap_or_else(|_| text.to_owned())
    }
}

/// What follows a line that nobody answers.
fn said() -> ToolCall {
    ToolCall { id: FLOW.to_owned(), name: names::SAID.to_owned(), arguments: "{}".to_owned() }
}

/// The identity of what the flow itself wants.
const FLOW: &str = "flow";
