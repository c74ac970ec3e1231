//! The phones that are registered with us, and the ways to them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::forks::Meaning;
use super::{Exchange, Hop, Output, Way, foreign_headers};
use crate::base::destination::Destination;
use crate::call::cause::Cause;
use crate::call::identity;
use crate::call::placement::{Caller, Placement};
use crate::sdp::keying::Policy;
use crate::sip::event::{Command, Flow, Notice, Outgoing, Reach};

/// Where phones are, and which belong together.
#[derive(Debug, Default)]
pub(super) struct Phones {
    settings: Settings,
    reaches: HashMap<Arc<str>, Vec<Reach>>,
}

/// What is known of phones beforehand.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The domain of the phones: what stands in From of calls to them; empty takes the address of
    /// the socket.
    pub domain: String,
    /// The phones of each group, by its name.
    pub groups: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// The voicemail of each phone that has one.
    pub voicemails: HashMap<Arc<str>, Arc<str>>,
}

impl Exchange {
    /// Lets calls go to phones.
    #[must_use]
    pub fn with_phones(mut self, settings: Settings) -> Self {
        self.phones.settings = settings;
        self
    }

    /// Takes note of phones that come and go.
    pub fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::PhoneRegistered { phone, reaches } => {
                self.phones.reaches.insert(phone.clone(), reaches.clone());
                self.tell_of_messages(phone);
            }
            Notice::PhoneGone { phone } => {
                self.phones.reaches.remove(phone);
            }
            Notice::Subscribed { id, phone, flow } => self.subscribed(*id, phone, *flow),
            Notice::Unsubscribed { id } => self.unsubscribed(*id),
            Notice::Offended { .. } => {}
        }
    }

    /// The ways to a phone, or to every phone of a group.
    pub(super) fn to_phones(&self, placement: &Placement) -> Result<Vec<Way>, Cause> {
        let reaches = self.phones.behind(&placement.destination).ok_or(Cause::NoRoute)?;
        if reaches.is_empty() {
            return Err(Cause::Unreachable);
        }
        let reaches = reaches.into_iter().take(MOST_FORKS);
        Ok(reaches.map(|reach| self.way_to(reach, placement)).collect())
    }

    /// Rings at every place at once.
    pub(super) fn ring_all(&mut self, now: Instant, placement: &Placement, ways: Vec<Way>) {
        let until = now + placement.ring_limit;
        let offered = |way: Way| {
            let Hop::Flow(flow) = way.hop else { return None };
            let (srtp, body) = placement.offers.over(None, flow.transport)?;
            Some((way, flow, srtp, body))
        };
        let ways: Vec<_> = ways.into_iter().filter_map(offered).collect();
        // Where keys are needed, they were offered to all; else whoever answers says.
        let rank = |srtp: &Policy| matches!(srtp, Policy::Optional | Policy::Required);
        let srtp = ways.iter().map(|(_, _, srtp, _)| *srtp).find(rank).unwrap_or_default();
        if ways.is_empty() {
            return self.refuse(placement.session, Cause::IncompatibleMedia);
        }
        self.outputs.push_back(Output::Offered(placement.session, srtp));
        let forks = self.forks.begin(placement.session, ways.len(), until);
        for (session, (way, flow, _, body)) in forks.into_iter().zip(ways) {
            let outgoing = Outgoing {
                session,
                target: way.target,
                from: way.from,
                flow,
                body,
                headers: way.headers,
            };
            self.outputs.push_back(Output::Command(Command::Invite(Box::new(outgoing))));
        }
    }

    /// What a phone is told of who calls it: From, and further headers.
    pub(super) fn spoken_of(&self, caller: &Caller, flow: Flow) -> (String, Vec<(String, String)>) {
        let socket = flow.local.to_string();
        let domain = self.phones.settings.domain.as_str();
        identity::plain(caller, if domain.is_empty() { &socket } else { domain })
    }

    /// Does what an event of a fork means.
    pub(super) fn follow(&mut self, meaning: Meaning) -> Option<crate::sip::event::Event> {
        self.outputs.extend(meaning.commands.into_iter().map(Output::Command));
        meaning.event
    }

    fn way_to(&self, reach: &Reach, placement: &Placement) -> Way {
        let (from, own) = self.spoken_of(&placement.caller, reach.flow);
        let routes = reach.routes.iter().map(|route| ("Route".to_owned(), route.clone()));
        let headers = routes.chain(own).chain(foreign_headers(placement)).collect();
        let hop = Hop::Flow(reach.flow);
        let target = reach.uri.clone();
        Way { target, from, hop, headers, account: None, tenant: None, fare: None, claim: None }
    }
}

impl Phones {
    /// Where the phones of a destination are, if it is one of phones.
    pub fn behind(&self, destination: &Destination) -> Option<Vec<&Reach>> {
        match destination {
            Destination::Phone(name) => Some(self.of(name).collect()),
            Destination::Group(name) => {
                let group = self.settings.groups.get(name.as_str())?;
                Some(group.iter().flat_map(|name| self.of(name)).collect())
            }
            _ => None,
        }
    }

    /// The voicemail of a phone, if it has one.
    pub fn voicemail_of(&self, phone: &str) -> Option<Arc<str>> {
        self.settings.voicemails.get(phone).cloned()
    }

    /// The phones that have this voicemail.
    pub fn with_voicemail(&self, mailbox: &str) -> Vec<Arc<str>> {
        let all = self.settings.voicemails.iter();
        all.filter(|(_, own)| &***own == mailbox).map(|(phone, _)| phone.clone()).collect()
    }

    pub(super) fn of(&self, name: &str) -> impl Iterator<Item = &Reach> {
        self.reaches.get(name).into_iter().flatten()
    }
}

/// At how many places a leg rings at once.
pub(super) const MOST_FORKS: usize = 32;
