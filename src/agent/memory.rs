//! What an agent knows of earlier calls with the same caller.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::calendar::Date;
use crate::base::units;

/// Whether an agent remembers, as it stands under `[agents.NAME.memory]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// How many earlier calls it is told of; 0: none, and nothing is kept.
    pub calls: usize,
    /// How long what is kept of a call stays.
    #[serde(deserialize_with = "units::duration")]
    pub keep: Duration,
    /// Whether only calls are kept whose callers agreed to be recorded.
    pub consent: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self { calls: 0, keep: Duration::from_secs(90 * 86_400), consent: false }
    }
}

/// An earlier call in short. Personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// When it began, since the Unix epoch.
    pub at: Duration,
    /// Who had it.
    pub agent: String,
    /// What it came to.
    pub summary: String,
}

impl Memory {
    /// What the agent is told of earlier calls, the oldest first; empty when there were none.
    pub fn told(&self, earlier: &[Earlier]) -> String {
        let skip = earlier.len().saturating_sub(self.calls);
        let line = |call: &Earlier| {
            let day = Date::at(call.at).map(|day| format!("{day}: ")).unwrap_or_default();
            format!("- {day}{}", call.summary)
        };
        earlier.iter().skip(skip).map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The variable of templates that holds what is known; without it in the prompt, the prompt is
/// followed by it.
pub const VARIABLE: &str = "memory";

/// A prompt with what is known of earlier calls.
pub fn with_memory(prompt: String, wrote_it: bool, known: &str) -> String {
    if wrote_it || known.is_empty() {
        return prompt;
    }
    format!(
        "{prompt}\n\nEarlier calls from this number, in short. Somebody else may be calling from it \
         now: tell nothing of this before you know who it is.\n{known}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_calls_are_told_with_their_days() {
        let call = |day: u64, summary: &str| Earlier {
            at: Duration::from_secs(1_800_000_000 + day * 86_400),
            agent: "desk".to_owned(),
            summary: summary.to_owned(),
        };
        let memory = Memory { calls: 2, ..Memory::default() };
        let earlier = [call(0, "A."), call(1, "B."), call(2, "C.")];
        assert_eq!(memory.told(&earlier), "- 2027-01-16: B.\n- 2027-01-17: C.");
        assert_eq!(memory.told(&[]), "");
        assert_eq!(Memory::default().told(&earlier), "");
        let told = with_memory("Help.".to_owned(), false, "- A.");
        assert!(told.starts_with("Help.\n\nEarlier calls") && told.ends_with("\n- A."), "{told}");
        assert_eq!(with_memory("- A.".to_owned(), true, "- A."), "- A.");
        assert_eq!(with_memory("Help.".to_owned(), false, ""), "Help.");
    }
}
