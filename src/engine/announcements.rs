//! Announcements: what happens beside the calls, told to the log and to whoever watches.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::broadcast;

use crate::base::id::CallId;
use crate::call::campaign;
use crate::call::outbound::purse::{Account, News};
use crate::call::record::Stage;
use crate::call::trunk::Health;
use crate::sip::event::Notice;
use crate::sip::registration::Enrolment;

/// Something that happened beside the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// Calls can go by a trunk, or cannot.
    Trunk {
        /// Its name.
        trunk: Arc<str>,
        /// Whether they can, and why not.
        health: Health,
    },
    /// A registration of ours stands otherwise than before.
    Registration {
        /// The trunk.
        trunk: Arc<str>,
        /// How it stands.
        enrolment: Enrolment,
    },
    /// A phone can be reached, and at how many places.
    PhoneRegistered {
        /// Its name.
        phone: Arc<str>,
        /// At how many places it rings.
        places: usize,
    },
    /// A phone cannot be reached any more.
    PhoneGone {
        /// Its name.
        phone: Arc<str>,
    },
    /// A provider failed so often that calls ask others.
    ProviderDegraded {
        /// What it does.
        stage: Stage,
        /// Its name in the configuration.
        provider: Arc<str>,
        /// How it failed last.
        why: String,
    },
    /// Calls that begin from now on go by other files.
    ConfigReloaded {
        /// What is new, changed or gone: `agents.reception`.
        changed: Vec<String>,
        /// What was changed too, and counts when the server starts again.
        restart: Vec<String>,
    },
    /// Files were changed and have mistakes: the server goes on as before.
    ConfigRefused {
        /// What is wrong, as `voxtrunk check` says it.
        why: String,
    },
    /// Something happened to a campaign.
    Campaign {
        /// Its name.
        campaign: Arc<str>,
        /// What.
        event: campaign::Event,
    },
    /// Programs keep something else with a call, be it up or over.
    CallLabelled {
        /// The call.
        call: CallId,
        /// What they call it.
        name: Option<String>,
        /// Their own data.
        metadata: Map<String, Value>,
    },
    /// An account came near what it may spend, or reached it.
    Budget(News),
    /// It does what it is asked again.
    ProviderRecovered {
        /// What it does.
        stage: Stage,
        /// Its name in the configuration.
        provider: Arc<str>,
    },
}

/// Tells announcements. Whoever is behind is told that he missed some.
#[derive(Debug, Clone)]
pub struct Announcer {
    watchers: broadcast::Sender<Announcement>,
}

impl Default for Announcer {
    fn default() -> Self {
        Self { watchers: broadcast::channel(CAPACITY).0 }
    }
}

impl Announcer {
    /// Tells something to the log and to those who watch, if there are any.
    pub fn tell(&self, announcement: Announcement) {
        announcement.log();
        self.watchers.send(announcement).ok();
    }

    /// Watches from now on.
    pub fn watch(&self) -> broadcast::Receiver<Announcement> {
        self.watchers.subscribe()
    }
}

impl Announcement {
    /// What a notice of the user agent has to tell, if it has.
    pub fn of(notice: &Notice) -> Option<Self> {
        match notice {
            Notice::PhoneRegistered { phone, reaches } => {
                Some(Self::PhoneRegistered { phone: phone.clone(), places: reaches.len() })
            }
            Notice::PhoneGone { phone } => Some(Self::PhoneGone { phone: phone.clone() }),
            Notice::Subscribed { .. } | Notice::Unsubscribed { .. } | Notice::Offended { .. } => {
                None
            }
        }
    }

    /// The call that it is about, if it is about one.
    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::CallLabelled { call, .. } => Some(*call),
            _ => None,
        }
    }

    /// Its name among all events.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Trunk { health: Health::Up, .. } => "trunk.up",
            Self::Trunk { health: Health::Down(_), .. } => "trunk.down",
            Self::Registration { enrolment, .. } => match enrolment {
                Enrolment::Registered { .. } => "trunk.registered",
                Enrolment::Rejected { .. } => "trunk.rejected",
                Enrolment::Failed { .. } => "trunk.unreachable",
                Enrolment::Gone => "trunk.unregistered",
            },
            Self::PhoneRegistered { .. } => "phone.registered",
            Self::PhoneGone { .. } => "phone.gone",
            Self::ProviderDegraded { .. } => "provider.degraded",
            Self::ProviderRecovered { .. } => "provider.recovered",
            Self::Budget(News { is_spent: false, .. }) => "budget.warning",
            Self::Budget(News { is_spent: true, .. }) => "budget.exceeded",
            Self::CallLabelled { .. } => "call.updated",
            Self::ConfigReloaded { .. } => "config.reloaded",
            Self::ConfigRefused { .. } => "config.refused",
            Self::Campaign { event, .. } => match event {
                campaign::Event::Started => "campaign.started",
                campaign::Event::Finished(_) => "campaign.finished",
                campaign::Event::Row { .. } => "campaign.row",
            },
        }
    }

    fn log(&self) {
        let event = self.name();
        match self {
            Self::Trunk { trunk, health: Health::Up } => {
                tracing::info!(event, %trunk, "trunk is up");
            }
            Self::Trunk { trunk, health: Health::Down(why) } => {
                tracing::warn!(event, %trunk, why, "trunk is down");
            }
            Self::Registration { trunk, enrolment } => log_enrolment(event, trunk, enrolment),
            Self::PhoneRegistered { phone, places } => {
                tracing::info!(event, %phone, places, "phone registered");
            }
            Self::PhoneGone { phone } => tracing::info!(event, %phone, "phone gone"),
            Self::ProviderDegraded { stage, provider, why } => {
                let stage = stage.name();
                tracing::error!(event, stage, %provider, why, "provider is not asked for a while");
            }
            Self::ProviderRecovered { stage, provider } => {
                let stage = stage.name();
                tracing::info!(event, stage, %provider, "provider is there again");
            }
            Self::ConfigReloaded { changed, restart } => {
                let changed = changed.join(", ");
                tracing::info!(event, changed, "new calls go by the files as they are now");
                if !restart.is_empty() {
                    let keys = restart.join(", ");
                    tracing::warn!(event, keys, "changed, and counts after a restart only");
                }
            }
            // What they keep is their own business.
            Self::CallLabelled { call, .. } => tracing::info!(event, %call, "call labelled"),
            Self::Campaign { campaign, event: told } => log_campaign(event, campaign, told),
            Self::Budget(News { short, is_spent }) => {
                let (account, limit) = (&short.account, short.limit.name());
                if *is_spent && matches!(account, Account::Provider(_)) {
                    tracing::error!(event, %account, limit, "{short}: it is asked no more today");
                } else if *is_spent {
                    tracing::error!(event, %account, limit, "{short}: calls are refused");
                } else {
                    tracing::warn!(event, %account, limit, "most of what may be spent is spent");
                }
            }
            Self::ConfigRefused { why } => {
                tracing::error!(event, "the files have mistakes; nothing was changed\n{why}");
            }
        }
    }
}

fn log_campaign(event: &str, campaign: &str, told: &campaign::Event) {
    match told {
        campaign::Event::Started => tracing::info!(event, campaign, "campaign calls"),
        campaign::Event::Finished(why) => {
            tracing::info!(event, campaign, why, "campaign is over");
        }
        campaign::Event::Row { line, number, outcome, again } => {
            let result = outcome.fate.name();
            tracing::info!(event, campaign, line, pii.number = %number, result, again, "row");
        }
    }
}

fn log_enrolment(event: &str, trunk: &str, enrolment: &Enrolment) {
    let seconds = |time: &Duration| time.as_secs();
    match enrolment {
        Enrolment::Registered { registrar, granted } => {
            tracing::info!(event, trunk, registrar, seconds = seconds(granted), "registered");
        }
        Enrolment::Rejected { status } => tracing::error!(
            event,
            trunk,
            status,
            "credentials rejected: check username, auth_username and password of the trunk",
        ),
        Enrolment::Failed { status, retry } => {
            let seconds = seconds(retry);
            tracing::warn!(event, trunk, status, seconds, "not registered, will try again");
        }
        Enrolment::Gone => tracing::info!(event, trunk, "unregistered"),
    }
}

/// How many announcements a watcher may be behind.
const CAPACITY: usize = 256;
