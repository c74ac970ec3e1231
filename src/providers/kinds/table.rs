//! The table of the kinds.

use super::{anthropic, deepgram, elevenlabs, openai, openai_compatible};
use crate::providers::kind::Kind;

/// The kind of this name.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// All of them.
pub const KINDS: &[Kind] =
    &[openai_compatible::KIND, openai::KIND, anthropic::KIND, deepgram::KIND, elevenlabs::KIND];
