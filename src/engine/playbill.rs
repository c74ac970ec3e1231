//! The playbill: what calls that begin now are given. It is swapped whole, and every call keeps the
//! one that it began with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::id::CallId;
use crate::call::briefing::Briefing;
use crate::call::campaign::Written;
use crate::call::outside::Charge;
use crate::call::timetable::Schedule;
use crate::engine::ai::crew::Crew;
use crate::engine::ai::tools::Toolbox;
use crate::engine::deciding::Deciders;
use crate::engine::entrusted::{Entrusted, Trust};
use crate::engine::mailbox::Mailbox;
use crate::media::music::Tape;
use crate::net::dtls::Identity;
use crate::providers::framings::settings::Settings;
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
    /// What begins by itself, by name.
    pub schedules: BTreeMap<String, Arc<Schedule>>,
    /// The campaigns by name.
    pub campaigns: BTreeMap<String, Arc<Drive>>,
    /// Who takes the mails of the house, if anybody.
    pub relay: Option<Arc<Relay>>,
    /// Who we are to browsers: the same for as long as the server runs.
    pub identity: Arc<Identity>,
    /// The calls that are given to models outside: the same for as long as the server runs.
    pub entrusted: Entrusted,
    /// How streams are opened, by name.
    pub streams: BTreeMap<String, Arc<Settings>>,
    /// Who is asked by its name where calls go.
    pub deciders: Deciders,
}

impl Playbill {
    /// A call is about to be given to a model outside.
    pub fn entrust(&self, call: CallId, charge: Charge, mailbox: &Mailbox) {
        let crew = self.crews.get(&charge.casting.name).cloned();
        let (tools, mailbox) = (self.tools.clone(), mailbox.clone());
        self.entrusted.put(call, Trust { charge, crew, tools, mailbox });
    }
}

/// A campaign of the files, with what it plays.
#[derive(Debug, Clone)]
pub struct Drive {
    /// What stands in the files.
    pub written: Written,
    /// What is left with machines, where that is a sound.
    pub sound: Option<Arc<Tape>>,
}
