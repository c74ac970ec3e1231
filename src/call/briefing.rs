//! The briefing of a call: the configuration that it began with and keeps.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::agent::assistant::Assistant;
use crate::agent::mailbox::Mailbox;
use crate::agent::masking::kind::Masks;
use crate::agent::squad::Squad;
use crate::agent::tool::{Handlings, Tool};
use crate::audio::codec::Codec;
use crate::audio::library::Libraries;
use crate::audio::packing::Wishes;
use crate::audio::speech;
use crate::base::destination::{Destination, Mode};
use crate::base::price::Prices;
use crate::call::admission::Badge;
use crate::call::keying::Srtp;
use crate::call::numbering::Numbering;
use crate::call::stream;
use crate::call::trace::Sample;
use crate::dialplan::flow::Flow;
use crate::dialplan::pattern::Match;
use crate::dialplan::plan::Plan;
use crate::dialplan::queue::Queue;
use crate::media::event::Ways;
use crate::media::jitter::Bounds;
use crate::media::music::Tape;

/// What every call that begins now is told; swapped whole on reload.
#[derive(Debug)]
pub struct Briefing {
    /// Which call goes where.
    pub plan: Plan,
    /// The agents by name; menus are agents too, by their destination: `menu:main`.
    pub agents: BTreeMap<String, Arc<Casting>>,
    /// The squads by name.
    pub squads: BTreeMap<String, Arc<Squad>>,
    /// The flows by name; who speaks in them is an agent `flow:NAME`, and at each node that asks
    /// one `flow:NAME/NODE`.
    pub flows: BTreeMap<String, Arc<Flow>>,
    /// The queues by name; who speaks to those who wait is an agent `queue:NAME`.
    pub queues: BTreeMap<String, Arc<Queue>>,
    /// Where callers leave messages, by name; who speaks there is an agent `voicemail:NAME`.
    pub letterboxes: BTreeMap<String, Arc<Letterbox>>,
    /// The streams by name.
    pub streams: BTreeMap<String, stream::Terms>,
    /// Where OpenAI's realtime models are called, as a SIP URI, if they may be.
    pub openai: Option<String>,
    /// What each trunk may do, by name.
    pub trunks: BTreeMap<Arc<str>, Terms>,
    /// The codecs of phones that have their own, by name.
    pub phones: BTreeMap<Arc<str>, Vec<Codec>>,
    /// The country and the way in which phones of ours dial numbers.
    pub numbering: Numbering,
    /// How media is done.
    pub media: MediaPolicy,
    /// What is played to those who wait.
    pub tapes: Tapes,
    /// What is covered in all that calls keep and tell.
    pub privacy: Privacy,
    /// Which calls a collector of traces is told of, if there is one.
    pub sample: Option<Sample>,
    /// What the work of providers costs.
    pub prices: Prices,
}

/// What is covered in all that calls keep and tell, besides what their agents want covered.
#[derive(Debug, Clone, Default)]
pub struct Privacy {
    /// Of all calls.
    pub masks: Masks,
    /// Of those of a tenant.
    pub tenants: BTreeMap<String, Masks>,
}

impl Privacy {
    /// What is covered in calls of a tenant; its name is empty when they are nobody's.
    pub fn of(&self, tenant: &str) -> Masks {
        self.masks.and(self.tenants.get(tenant).copied().unwrap_or_default())
    }
}

/// A voicemail.
#[derive(Debug, Clone)]
pub struct Letterbox {
    /// Its name in the dialplan.
    pub name: String,
    /// The sound that is its greeting, if it is one.
    pub greeting: Option<Arc<Tape>>,
    /// What the dialplan says of it.
    pub terms: Mailbox,
}

/// What is played over and over, encoded once for all calls.
#[derive(Debug, Clone)]
pub struct Tapes {
    /// On hold.
    pub hold: Arc<Tape>,
    /// While it rings at the other end.
    pub ringback: Arc<Tape>,
    /// The tone of the tests.
    pub tone: Arc<Tape>,
    /// The tone after which a caller speaks.
    pub beep: Arc<Tape>,
}

impl Default for Tapes {
    fn default() -> Self {
        Self {
            hold: Arc::new(Tape::melody()),
            ringback: Arc::new(Tape::ringback()),
            tone: Arc::new(Tape::milliwatt()),
            beep: Arc::new(Tape::beep()),
        }
    }
}

/// What a trunk may do.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The numbers that it may deliver; none means any.
    pub numbers: Vec<Match>,
    /// Whether its callers are sent elsewhere by REFER.
    pub refer: Refer,
    /// The codecs that are spoken with it, the best first; without any, those of everybody.
    pub codecs: Vec<Codec>,
    /// By which ways keys of its callers are heard, if otherwise than all others.
    pub keys: Option<Ways>,
}

impl Briefing {
    /// Who takes the caller at a destination, if that is an agent, a squad or a menu.
    pub fn post(&self, destination: &Destination) -> Option<Post> {
        let alone = |name: &str| {
            let casting = self.agents.get(name)?.clone();
            Some(Post { casting, squad: None })
        };
        match destination {
            Destination::Agent(name) => alone(name),
            Destination::Menu(_) => alone(&destination.to_string()),
            Destination::Squad(name) => {
                let squad = self.squads.get(name)?.clone();
                Some(Post { squad: Some(squad.clone()), ..alone(&squad.start)? })
            }
            _ => None,
        }
    }

    /// How media is done with whoever called.
    pub fn media_of(&self, badge: &Badge) -> MediaPolicy {
        let trunk = self.trunks.get(&badge.name).map(|terms| &terms.codecs);
        self.media.speaking(trunk.or_else(|| self.phones.get(&badge.phone)))
    }

    /// How media is done with whom we call.
    pub fn media_to(&self, destination: &Destination) -> MediaPolicy {
        self.media.speaking(match destination {
            Destination::Trunk { trunk, .. } => {
                self.trunks.get(trunk.as_str()).map(|terms| &terms.codecs)
            }
            Destination::Phone(name) => self.phones.get(name.as_str()),
            _ => None,
        })
    }
}

impl MediaPolicy {
    /// The same with other codecs, if there are any.
    fn speaking(&self, codecs: Option<&Vec<Codec>>) -> Self {
        let codecs = codecs.filter(|codecs| !codecs.is_empty()).unwrap_or(&self.codecs);
        Self { codecs: codecs.clone(), ..self.clone() }
    }
}

/// Whether REFER is sent to a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refer {
    /// It is; when it is refused, we call and connect both.
    #[default]
    First,
    /// Never: we call and connect both.
    Never,
}

impl Refer {
    /// The same for a caller who is brought somewhere so: only who is sent there is sent by REFER.
    #[must_use]
    pub fn in_mode(self, mode: Mode) -> Self {
        if mode == Mode::Blind { self } else { Self::Never }
    }
}

impl Terms {
    /// Whether a call to `number` may come.
    pub fn may_deliver(&self, number: &str) -> bool {
        self.numbers.is_empty() || self.numbers.iter().any(|own| own.matches(number))
    }
}

/// An agent, and what was made of its definition once for all calls.
#[derive(Debug, Clone)]
pub struct Casting {
    /// Its name in the dialplan.
    pub name: String,
    /// The definition.
    pub assistant: Arc<Assistant>,
    /// The tools that it may call, as a model sees them.
    pub tools: Vec<Tool>,
    /// How the house handles them.
    pub handlings: Handlings,
    /// What is heard behind it.
    pub ambience: Option<Arc<Tape>>,
}

/// An agent on its way to the desk of a call.
#[derive(Debug, Clone)]
pub struct Post {
    /// Who.
    pub casting: Arc<Casting>,
    /// The squad in which it works there.
    pub squad: Option<Arc<Squad>>,
}

impl Post {
    /// Whether it is a menu.
    pub fn is_menu(&self) -> bool {
        self.casting.name.starts_with("menu:")
    }
}

/// How media is done.
#[derive(Debug, Clone)]
pub struct MediaPolicy {
    /// The address that session descriptions carry.
    pub address: IpAddr,
    /// Codecs in our order of preference.
    pub codecs: Vec<Codec>,
    /// How we would like audio to be packed.
    pub wishes: Wishes,
    /// Where codecs come from that this house does not speak by itself.
    pub libraries: Libraries,
    /// How the machine and its trunks stand to SRTP.
    pub srtp: Arc<Srtp>,
    /// By which ways keys are heard; without a word by telephone events and INFO, and as tones
    /// where the peer knows no telephone events.
    pub keys: Option<Ways>,
    /// Whether media may latch to where packets come from (T8).
    pub symmetric: bool,
    /// After how long without a packet the call ends.
    pub timeout: Duration,
    /// How long packets wait that are mixed or encoded anew.
    pub jitter: Bounds,
    /// What turns speech probabilities into edges.
    pub speech: speech::Settings,
}
