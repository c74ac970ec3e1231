//! A node of a flow asks for values, and does nothing else: the question stands before the caller
//! has said anything, and stands again when the values are declined.

use super::{Dialogue, Reply, State};
use crate::agent::intents::compile::Action;
use crate::agent::intents::matcher::Values;
use crate::agent::tool::names;

impl Dialogue {
    /// Whether the agent only asks for values.
    pub(super) fn asks(&self) -> bool {
        let first = self.compiled.intents().first();
        first.is_some_and(|intent| intent.action == Some(Action::Collect))
    }

    /// The question was asked before the caller said anything.
    pub(super) fn open(&self, state: &mut State) {
        if self.asks() {
            self.advance(state, 0, Values::new());
        }
    }

    /// The values are not those that were meant: asks for all of them again, so often as may be.
    pub(super) fn ask_again(&self, state: &mut State, intent: usize) -> Reply {
        let misses = state.misses + 1;
        let reply = self.advance(state, intent, Values::new());
        state.misses = misses;
        if misses >= self.assistant.unclear.tries { self.miss(state) } else { reply }
    }
}

/// Gives the values to the flow.
pub(super) fn collected(values: &Values) -> Reply {
    let arguments = serde_json::to_string(values).unwrap_or_default();
    Reply { text: String::new(), tool: Some((names::COLLECT, arguments)) }
}
