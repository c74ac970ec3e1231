//! The crew of an agent: who hears, who thinks and who speaks for it.

use std::sync::Arc;

use crate::providers::model::Model;
use crate::providers::transcriber::{Context, Transcriber};
use crate::providers::voice::Voice;

/// Made once for each agent, shared by its calls.
#[derive(Clone)]
pub struct Crew {
    /// Who hears, and what it should know; without one, the agent takes keys.
    pub transcriber: Option<(Arc<dyn Transcriber>, Context)>,
    /// Who thinks.
    pub model: Arc<dyn Model>,
    /// Who speaks.
    pub voice: Arc<dyn Voice>,
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew").field("voice", &self.voice.identity()).finish_non_exhaustive()
    }
}
