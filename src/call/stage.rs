//! What is done for agents by somebody else.

/// What is done for an agent by somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Speech to text.
    Hear,
    /// A language model.
    Think,
    /// Text to speech.
    Speak,
}

impl Stage {
    /// The name in settings, records and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hear => "stt",
            Self::Think => "llm",
            Self::Speak => "tts",
        }
    }
}
