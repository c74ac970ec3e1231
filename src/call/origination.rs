//! A call that we begin: whom it reaches, and what happens then.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::destination::Destination;
use crate::base::id::PortId;
use crate::base::template::Variables;
use crate::base::trace_context::TraceParent;
use crate::call::briefing::Briefing;
use crate::call::queue::Back;
use crate::dialplan::amd::Amd;
use crate::media::music::Tape;
use crate::sip::event::{Flow, Incoming, SessionId, Transport};

/// What is wanted of a call that we begin.
#[derive(Debug, Clone)]
pub struct Origination {
    /// Who is called, all at once.
    pub to: Vec<Destination>,
    /// The number that is shown; empty leaves it to the trunk.
    pub from: String,
    /// The name that is shown.
    pub name: Option<String>,
    /// Where whoever answers comes to: an agent, a flow, a queue, somebody else.
    pub then: Destination,
    /// What templates may name.
    pub variables: Variables,
    /// How long it rings.
    pub ring: Option<Duration>,
    /// The tenant whose call it is; empty when it is nobody's.
    pub tenant: Arc<str>,
    /// How it is found out who answers, if that matters.
    pub amd: Option<Detect>,
    /// The place of a caller in a queue, when members of the queue are called for it.
    pub place: Option<(PortId, Back)>,
    /// The span of another program in which it begins, if that is known.
    pub parent: Option<TraceParent>,
}

/// How it is found out who answers.
#[derive(Debug, Clone)]
pub struct Detect {
    /// How, and what follows.
    pub terms: Amd,
    /// What is left with a machine, where that is a sound.
    pub sound: Option<Arc<Tape>>,
}

impl From<(PortId, Back)> for Origination {
    /// Members of a queue are called for one who is not there any more, and then that one.
    fn from((caller, back): (PortId, Back)) -> Self {
        Self {
            to: back.members.clone(),
            from: back.number.to_string(),
            name: None,
            then: Destination::Tel(back.number.clone()),
            variables: Variables::new(),
            ring: Some(back.terms.ring),
            tenant: Arc::from(""),
            amd: None,
            place: Some((caller, back)),
            parent: None,
        }
    }
}

impl Origination {
    /// What is wrong with it, in words.
    pub fn objection(&self, briefing: &Briefing) -> Option<String> {
        if let Some(to) = self.to.iter().find(|to| !to.is_called()) {
            return Some(format!("nobody can be called at `{to}`"));
        }
        let then = &self.then;
        let is_known = match then {
            Destination::Agent(_) | Destination::Squad(_) | Destination::Menu(_) => {
                briefing.post(then).is_some()
            }
            Destination::Flow(name) => briefing.flows.contains_key(name),
            Destination::Queue(name) => briefing.queues.contains_key(name),
            Destination::Stream(name) => briefing.streams.contains_key(name),
            Destination::Conference(_) => true,
            other => other.is_called(),
        };
        if let Some(amd) = &self.amd {
            if let Some((key, why)) = amd.terms.objection() {
                return Some(format!("amd.{key}: {why}"));
            }
            let speaks = briefing.post(then).is_some() || matches!(then, Destination::Flow(_));
            if amd.terms.words().is_some() && !speaks {
                return Some(format!("at `{then}` there is no voice that could leave a message"));
            }
        }
        (!is_known).then(|| format!("`{then}` is not there, or takes no calls that we begin"))
    }

    /// The number that is called, or else where that is.
    pub fn number(&self) -> String {
        match self.to.first() {
            Some(Destination::Tel(number)) => number.to_string(),
            Some(Destination::Trunk { number, .. }) => number.clone(),
            other => other.map(Destination::to_string).unwrap_or_default(),
        }
    }

    /// The call as it would have come from ourselves. There was no INVITE, and no offer.
    pub fn incoming(&self, session: SessionId) -> Incoming {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Incoming {
            session,
            flow: Flow { remote: nowhere, local: nowhere, transport: Transport::Udp },
            phone: None,
            trunk: None,
            request_uri: String::new(),
            called_user: self.number(),
            calling_user: self.from.clone(),
            calling_name: self.name.clone(),
            sip_call_id: String::new(),
            user_agent: None,
            headers: Vec::new(),
            body: Bytes::new(),
            replaces: None,
        }
    }
}
