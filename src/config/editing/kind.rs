//! What can be edited by programs.

/// A kind of things that stand in the files by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `[agents.NAME]`.
    Agents,
    /// `[squads.NAME]`.
    Squads,
    /// `[flows.NAME]`.
    Flows,
    /// `[tools.NAME]`.
    Tools,
    /// `[[route]]`: their order counts, and a name is not needed.
    Routes,
    /// `[menus.NAME]`.
    Menus,
    /// `[hours.NAME]`.
    Hours,
    /// `[lists.NAME]`.
    Lists,
    /// `[queues.NAME]`.
    Queues,
    /// `[trunks.NAME]`, among the settings of the machine.
    Trunks,
    /// `[phones.NAME]`, among the settings of the machine.
    Phones,
    /// `[providers.NAME]`, among the settings of the machine.
    Providers,
    /// `[webhooks.NAME]`, among the settings of the machine.
    Webhooks,
    /// `[campaigns.NAME]`.
    Campaigns,
    /// `[schedules.NAME]`.
    Schedules,
    /// `[tenants.NAME]`, among the settings of the machine.
    Tenants,
}

impl Kind {
    /// The key of its table, and what else it may be called.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Agents => &["agents", "assistants"],
            Self::Squads => &["squads"],
            Self::Flows => &["flows"],
            Self::Tools => &["tools"],
            Self::Routes => &["route"],
            Self::Menus => &["menus"],
            Self::Hours => &["hours"],
            Self::Lists => &["lists"],
            Self::Queues => &["queues"],
            Self::Trunks => &["trunks"],
            Self::Phones => &["phones"],
            Self::Providers => &["providers"],
            Self::Webhooks => &["webhooks"],
            Self::Campaigns => &["campaigns"],
            Self::Schedules => &["schedules"],
            Self::Tenants => &["tenants"],
        }
    }

    /// One of them, in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Agents => "agent",
            Self::Squads => "squad",
            Self::Flows => "flow",
            Self::Tools => "tool",
            Self::Routes => "route",
            Self::Menus => "menu",
            Self::Hours => "table of hours",
            Self::Lists => "list",
            Self::Queues => "queue",
            Self::Trunks => "trunk",
            Self::Phones => "phone",
            Self::Providers => "provider",
            Self::Webhooks => "webhook",
            Self::Campaigns => "campaign",
            Self::Schedules => "schedule",
            Self::Tenants => "tenant",
        }
    }

    /// Whether it stands among the settings of the machine.
    pub fn is_of_machine(self) -> bool {
        matches!(
            self,
            Self::Trunks | Self::Phones | Self::Providers | Self::Webhooks | Self::Tenants
        )
    }

    /// Whether they stand in a row, each with its place in it.
    pub fn is_row(self) -> bool {
        self == Self::Routes
    }
}
