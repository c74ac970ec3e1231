//! The agent of the call: who is seated, and what it wants.

use std::sync::Arc;
use std::time::Instant;

use super::{Conductor, Work};
use crate::agent;
use crate::agent::event::Over;
use crate::base::template::Variables;
use crate::call::briefing::Casting;
use crate::call::cause::Cause;
use crate::call::event::Output;
use crate::call::identity;
use crate::media::event::Command;

impl Conductor {
    /// Another agent takes over.
    pub(super) fn cast(&mut self, agent: &str, casting: Arc<Casting>) {
        let casting = self.with_notice(casting);
        let fact = self.chronicle.agent_changed(agent);
        self.out.push_back(Output::Fact(fact));
        self.out.push_back(Output::Engage(casting.clone()));
        self.desk.seat(casting);
    }

    /// The agent that is seated begins.
    pub(super) fn open_desk(&mut self, now: Instant) {
        let (today, variables) = (self.chronicle.today(), self.variables());
        let scope = self.scope();
        self.desk.open(now, today, (&variables, scope));
        let ambience = self.desk.casting().and_then(|casting| casting.ambience.clone());
        self.media(Command::Ambience(ambience));
    }

    /// What templates may name of this call.
    pub(super) fn variables(&self) -> Variables {
        let mut variables = self.chronicle.variables();
        variables.extend(identity::header_variables(&self.incoming));
        variables.extend(self.route_sets.clone());
        variables
    }

    /// Carries out what the agent wants.
    pub(super) fn drain_desk(&mut self, now: Instant) {
        while let Some(output) = self.desk.poll() {
            match output {
                agent::event::Output::Note(note) => {
                    let fact = self.chronicle.note(now, note);
                    self.out.extend(fact.map(Output::Fact));
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
                order @ (agent::event::Output::Listen
                | agent::event::Output::Judge(_)
                | agent::event::Output::Forget
                | agent::event::Output::Think { .. }
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
        let through = agent::event::UtteranceId(u64::MAX);
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
