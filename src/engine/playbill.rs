//! The playbill: what calls that begin now are given. It is swapped whole, and every call keeps the
//! one that it began with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::call::briefing::Briefing;
use crate::engine::ai::crew::Crew;
use crate::engine::ai::tools::Toolbox;
use crate::providers::tools::email::Relay;

/// What calls that begin now are given.
#[derive(Debug)]
pub struct Playbill {
    /// What each call is told.
    pub briefing: Arc<Briefing>,
    /// Who hears, thinks and speaks, by agent.
    pub crews: BTreeMap<String, Arc<Crew>>,
    /// The tools of the operator.
    pub tools: Toolbox,
    /// Who takes the mails of the house, if anybody.
    pub relay: Option<Arc<Relay>>,
}
