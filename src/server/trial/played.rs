//! What came of a case.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The caller.
    Caller,
    /// The agent.
    Agent,
    /// A tool was called.
    Tool,
}

/// Something that was said or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// By whom.
    pub who: Who,
    /// What.
    pub text: String,
}

/// What came of a case.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// What was said and done.
    pub lines: Vec<Line>,
    /// What tools were given, in order.
    pub calls: Vec<(String, Map<String, Value>)>,
    /// Who has the caller at the end.
    pub with: String,
    /// Whether the agent hung up.
    pub hung_up: bool,
    /// How long the model took for the first words of a turn at most.
    pub slowest: Duration,
    /// Why it could not be played to its end.
    pub failure: Option<String>,
}

impl Played {
    /// How often the caller had its turn.
    pub fn turns(&self) -> usize {
        self.lines.iter().filter(|line| line.who == Who::Caller).count()
    }

    /// Everything that somebody said.
    pub fn words_of(&self, who: Who) -> String {
        let words = self.lines.iter().filter(|line| line.who == who);
        words.map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// What a tool was given, in order.
    pub fn calls_of<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p Map<String, Value>> {
        self.calls.iter().filter(move |(called, _)| called == name).map(|(_, given)| given)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.who, self.text)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
            Self::Tool => "tool",
        })
    }
}

/// An agent by its name alone; others by their destinations.
pub fn plain(destination: &str) -> String {
    destination.strip_prefix("agent:").unwrap_or(destination).to_owned()
}
