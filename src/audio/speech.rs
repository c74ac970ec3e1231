//! The speech gate: from a row of speech probabilities to the edges of speech.

use std::time::Duration;

/// What makes speech begin and end.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// A window with at least this probability counts as speech.
    pub threshold: f32,
    /// A window below this counts as silence; between the two, as before.
    pub release: f32,
    /// How much speech in a row makes it begin.
    pub min_speech: Duration,
    /// How much silence in a row makes it end.
    pub min_silence: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            release: 0.35,
            min_speech: Duration::from_millis(64),
            min_silence: Duration::from_millis(160),
        }
    }
}
