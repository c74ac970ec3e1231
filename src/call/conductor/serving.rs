//! The agent of the call: who is seated, and what it wants.

use std::time::Instant;

use super::{Conductor, Work};
use crate::agent;
use crate::agent::event::{Note, Over};
use crate::agent::introduction::Answer;
use crate::agent::memory;
use crate::agent::squad::Inheritance;
use crate::agent::tool::ToolCall;
use crate::base::number::Number;
use crate::base::template::Variables;
use crate::call::briefing::Post;
use crate::call::cause::Cause;
use crate::call::event::Output;
use crate::call::identity;
use crate::call::transfer;
use crate::media::event::Command;

impl Conductor {
    /// Another agent takes over.
    pub(super) fn cast(&mut self, now: Instant, post: Post) {
        let fact = self.chronicle.agent_changed(now, &post.casting.name);
        self.out.push_back(Output::Fact(fact));
        self.engage(post);
    }

    /// Somebody sits at the desk from now on.
    pub(super) fn engage(&mut self, post: Post) {
        self.privacy.serve(&post.casting.assistant);
        let post = self.asking_first(post);
        let casting = self.with_notice(post.casting);
        let casting = self.with_disclosure(casting);
        self.out.push_back(Output::Engage(casting.clone()));
        self.desk.seat(Post { casting, ..post });
    }

    /// Another agent takes the caller from the one at the desk, and goes on with what was said, or
    /// begins anew.
    pub(super) fn relieve(&mut self, now: Instant, post: Post, inherits: Option<Inheritance>) {
        self.hops += 1;
        if self.hops > MOST_HOPS {
            return self.end(now, Cause::SilenceTimeout);
        }
        self.unguard(now);
        self.end_flow();
        self.cast(now, post);
        self.open_desk(now, inherits);
    }

    /// The agent hands the caller over to another one of its squad.
    pub(super) fn change_member(&mut self, now: Instant, call: &ToolCall) {
        let found = self.desk.way(call);
        let found = found.and_then(|(squad, way)| {
            let casting = self.briefing.agents.get(&way.to)?.clone();
            Some((Post { casting, squad: Some(squad) }, way))
        });
        let Some((post, way)) = found else {
            let result = transfer::failed(call, "nobody of that name is there");
            return self.desk.tell(now, agent::event::Input::ToolDone(result));
        };
        for name in way.extract.keys() {
            if let Some(value) = call.argument(name) {
                let value = value.chars().take(LONGEST_VALUE).collect();
                self.route_sets.insert(name.clone(), value);
            }
        }
        let inherits = self.desk.bequeath(call);
        self.relieve(now, post, inherits);
    }

    /// The agent that is seated begins, or goes on with what it inherits.
    pub(super) fn open_desk(&mut self, now: Instant, inherits: Option<Inheritance>) {
        let (today, variables) = (self.chronicle.today(), self.variables());
        let scope = self.scope();
        self.desk.open(now, today, (&variables, scope), inherits);
        let ambience = self.desk.casting().and_then(|casting| casting.ambience.clone());
        self.media(Command::Ambience(ambience));
    }

    /// What templates may name of this call.
    pub(super) fn variables(&self) -> Variables {
        let mut variables = self.chronicle.variables();
        variables.extend(identity::header_variables(&self.incoming));
        variables.extend(self.route_sets.clone());
        let memory = self.desk.casting().map(|casting| &casting.assistant.memory);
        let known = memory.map(|memory| memory.told(&self.earlier)).unwrap_or_default();
        variables.insert(memory::VARIABLE.to_owned(), known);
        variables
    }

    /// The tenant whose call it is; empty when it is nobody's.
    pub fn tenant(&self) -> &str {
        &self.trunk.tenant
    }

    /// The number of the public network that calls, or that we call, if it is known.
    pub fn calling_number(&self) -> Option<Number> {
        let record = self.chronicle.record();
        let person = if record.is_ours { &record.to } else { &record.from };
        self.briefing.numbering.read(person).parse().ok()
    }

    /// Carries out what the agent wants.
    pub(super) fn drain_desk(&mut self, now: Instant) {
        while let Some(output) = self.desk.poll() {
            match output {
                // What is said to whom is asked is not part of the conversation.
                agent::event::Output::Note(_) if self.is_consulting() => {}
                agent::event::Output::Over(_) if self.is_consulting() => {
                    self.consulted(now, Answer::Unclear);
                }
                agent::event::Output::Over(Over::SilenceTimeout | Over::AgentEnded)
                    if self.is_asking_consent() =>
                {
                    self.consented(now, Answer::Unclear);
                }
                agent::event::Output::Note(note) => {
                    if matches!(note, Note::CallerSaid { .. }) {
                        self.hops = 0;
                    }
                    self.note(now, note);
                }
                // The caller is gone; what it said last is still to be known.
                agent::event::Output::Finalize(_) => self.out.push_back(Output::Mind(output)),
                // The call is ending: nothing else still counts.
                _ if matches!(self.work, Work::Ending(_) | Work::Over) => {}
                agent::event::Output::Pause => self.media(Command::Pause),
                agent::event::Output::Duck => self.media(Command::Duck),
                agent::event::Output::Resume => self.media(Command::Resume),
                agent::event::Output::Flush { through } => {
                    self.out.push_back(Output::Mind(output));
                    self.media(Command::Flush { through });
                }
                agent::event::Output::Run(call) => self.run(now, call),
                agent::event::Output::Over(over) => self.end(now, cause_of(over)),
                agent::event::Output::Think { thought, .. } => {
                    self.chronicle.asked(now, thought);
                    self.out.push_back(Output::Mind(output));
                }
                order @ (agent::event::Output::Listen
                | agent::event::Output::Judge(_)
                | agent::event::Output::Forget
                | agent::event::Output::Abandon(_)
                | agent::event::Output::Speak(_)
                | agent::event::Output::Speaks(_)
                | agent::event::Output::Cut(_)
                | agent::event::Output::Release { .. }) => self.out.push_back(Output::Mind(order)),
            }
        }
    }

    /// The agent leaves: what it was saying is cut, and the port answers with how much of it was
    /// heard.
    pub(super) fn leave_desk(&mut self, now: Instant) {
        if self.desk.casting().is_some() {
            self.desk.leave(now);
            self.silence_agent();
            self.media(Command::Ambience(None));
        }
    }

    /// Cuts what the agent is saying.
    pub(super) fn silence_agent(&mut self) {
        // Whoever speaks at this port afterwards is heard.
        let through = self.desk.last_utterance();
        self.out.push_back(Output::Mind(agent::event::Output::Flush { through }));
        self.media(Command::Flush { through });
    }
}

fn cause_of(over: Over) -> Cause {
    match over {
        Over::AgentEnded => Cause::AgentEnded,
        Over::SilenceTimeout => Cause::SilenceTimeout,
        Over::MaxDuration => Cause::MaxDuration,
        Over::ProviderError => Cause::ProviderError,
        Over::WoundUp => Cause::ServerShutdown,
    }
}

/// How often a caller is passed on among agents without having said anything in between.
pub(super) const MOST_HOPS: u32 = 8;

/// The longest value that a model tells of the caller, in letters.
const LONGEST_VALUE: usize = 500;
