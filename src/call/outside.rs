//! A call in the hands of a model outside: it takes the call by SIP as an agent of ours, and is led
//! by a socket beside.

use std::sync::Arc;

use crate::agent::event::Note;
use crate::agent::session::Opening;
use crate::call::briefing::Casting;

/// What the model is to be.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The agent.
    pub casting: Arc<Casting>,
    /// Its texts, rendered for this call, and its tools.
    pub opening: Opening,
    /// By what the call is known again: a word that nobody guesses.
    pub token: String,
}

/// What is heard from beside.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The model takes the call, as this agent.
    Taken(String),
    /// Something was said or done.
    Noted(Note),
    /// The model wants the call to end, and has said all.
    Over,
    /// The model does not take the call.
    Failed,
}
