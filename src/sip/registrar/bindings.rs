//! The bindings of one phone: where it can be reached, and until when (RFC 3261 10.3).
#![deny(clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use crate::sip::event::{Connection, Flow};
use crate::sip::notice::Reach;
use crate::sip::registrar::report::BindingReport;
use crate::sip::uri::Uri;

/// Where a phone can be reached.
#[derive(Debug, Default)]
pub struct Bindings {
    list: Vec<Binding>,
}

#[derive(Debug)]
struct Binding {
    contact: Contact,
    path: Vec<String>,
    agent: Option<String>,
    flow: Flow,
    call_id: String,
    sequence: u32,
    refreshed: Instant,
    until: Instant,
}

/// A Contact as a REGISTER has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Its URI.
    pub uri: String,
    /// The device and its flow, if it says so (RFC 5626 4.2): `+sip.instance` and `reg-id`.
    pub device: Option<(String, u32)>,
    /// Its preference, in thousandths.
    pub preference: u16,
    /// For how long; nothing removes it.
    pub lasts: Duration,
}

/// A REGISTER as far as all of its contacts share it.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Its Call-ID.
    pub call_id: &'a str,
    /// Its CSeq.
    pub sequence: u32,
    /// Where it came from.
    pub flow: Flow,
    /// The proxies that it came by (RFC 3327).
    pub path: Vec<String>,
    /// What sent it (User-Agent).
    pub agent: Option<String>,
}

/// A REGISTER is older than one that was heard before (RFC 3261 10.3, step 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outdated;

impl Bindings {
    /// Adds, refreshes and removes contacts: all of them, or none. When there is no room, the one
    /// that was refreshed longest ago goes: a phone that was restarted has forgotten it.
    ///
    /// # Errors
    /// When a contact was bound by a later request of the same series.
    pub fn bind(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        (contacts, most): (Vec<Contact>, usize),
    ) -> Result<(), Outdated> {
        let is_outdated = |contact: &Contact| {
            let known = self.list.iter().filter(|binding| binding.contact.is_same(contact));
            known.into_iter().any(|binding| binding.is_later_than(request))
        };
        if contacts.iter().any(is_outdated) {
            return Err(Outdated);
        }
        for contact in contacts {
            self.list.retain(|binding| !binding.contact.is_same(&contact));
            if !contact.lasts.is_zero() {
                self.make_room(most);
                self.list.push(Binding::new(now, contact, request));
            }
        }
        Ok(())
    }

    /// Removes every contact (`Contact: *`).
    ///
    /// # Errors
    /// As [`Bindings::bind`].
    pub fn clear(&mut self, request: &Request<'_>) -> Result<(), Outdated> {
        if self.list.iter().any(|binding| binding.is_later_than(request)) {
            return Err(Outdated);
        }
        self.list.clear();
        Ok(())
    }

    /// Removes what has expired.
    pub fn expire(&mut self, now: Instant) {
        self.list.retain(|binding| binding.until > now);
    }

    /// Removes what came by a connection that is gone.
    pub fn lose(&mut self, connection: Connection) {
        self.list.retain(|binding| binding.flow.connection() != Some(connection));
    }

    /// When the next one expires.
    pub fn deadline(&self) -> Option<Instant> {
        self.list.iter().map(|binding| binding.until).min()
    }

    /// Where the phone rings, the most preferred first.
    pub fn reaches(&self) -> Vec<Reach> {
        let reach = |binding: &Binding| Reach {
            uri: binding.contact.uri.clone(),
            flow: binding.flow,
            routes: binding.path.clone(),
        };
        self.sorted().into_iter().map(reach).collect()
    }

    /// The same for operators, with all that is known.
    pub fn report(&self) -> Vec<BindingReport> {
        let report = |binding: &Binding| BindingReport {
            contact: binding.contact.uri.clone(),
            flow: binding.flow,
            path: binding.path.clone(),
            user_agent: binding.agent.clone(),
            refreshed: binding.refreshed,
            until: binding.until,
        };
        self.sorted().into_iter().map(report).collect()
    }

    fn sorted(&self) -> Vec<&Binding> {
        let mut sorted: Vec<&Binding> = self.list.iter().collect();
        sorted.sort_by_key(|binding| std::cmp::Reverse(binding.contact.preference));
        sorted
    }

    /// The values of Contact in the answer, with the seconds that are left.
    pub fn contacts(&self, now: Instant) -> Vec<String> {
        self.list.iter().map(|binding| binding.value(now)).collect()
    }

    /// Whether it can be reached nowhere.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether it came by that connection.
    pub fn has(&self, connection: Connection) -> bool {
        self.list.iter().any(|binding| binding.flow.connection() == Some(connection))
    }

    fn make_room(&mut self, most: usize) {
        while self.list.len() >= most.max(1) {
            let oldest = self.list.iter().enumerate().min_by_key(|(_, binding)| binding.refreshed);
            let Some((oldest, _)) = oldest else { return };
            self.list.remove(oldest);
        }
    }
}

impl Binding {
    fn new(now: Instant, contact: Contact, request: &Request<'_>) -> Self {
        Self {
            until: now.checked_add(contact.lasts).unwrap_or(now),
            contact,
            path: request.path.clone(),
            agent: request.agent.clone(),
            flow: request.flow,
            call_id: request.call_id.to_owned(),
            sequence: request.sequence,
            refreshed: now,
        }
    }

    fn is_later_than(&self, request: &Request<'_>) -> bool {
        self.call_id == request.call_id && self.sequence >= request.sequence
    }

    fn value(&self, now: Instant) -> String {
        let left = self.until.saturating_duration_since(now).as_secs_f64().ceil();
        let contact = &self.contact;
        let preference = match contact.preference {
            FULL => String::new(),
            part => format!(";q=0.{part:03}"),
        };
        let device = contact
            .device
            .as_ref()
            .map(|(instance, flow)| format!(";+sip.instance=\"{instance}\";reg-id={flow}"));
        let device = device.unwrap_or_default();
        format!("<{}>{preference};expires={left:.0}{device}", contact.uri)
    }
}

impl Contact {
    /// Whether one replaces the other: the same flow of the same device, or the same URI.
    fn is_same(&self, other: &Self) -> bool {
        match (&self.device, &other.device) {
            (Some(one), Some(other)) => one == other,
            (Some(_), None) | (None, Some(_)) | (None, None) => {
                match (Uri::parse(&self.uri), Uri::parse(&other.uri)) {
                    (Ok(one), Ok(other)) => one.is_equivalent(&other),
                    _ => false,
                }
            }
        }
    }
}

/// The preference of a contact that names none.
pub const FULL: u16 = 1_000;

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::sip::event::Transport;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn flow(port: u16) -> Flow {
        let remote = std::net::SocketAddr::from(([192, 0, 2, 7], port));
        let local = "192.0.2.1:5060".parse().expect("an address");
        Flow { transport: Transport::Tcp, ..Flow::udp(local, remote) }
    }

    fn contact(uri: &str) -> Contact {
        Contact { uri: uri.to_owned(), device: None, preference: FULL, lasts: MINUTE }
    }

    fn request(call_id: &str, sequence: u32, port: u16) -> Request<'_> {
        Request { call_id, sequence, flow: flow(port), path: Vec::new(), agent: None }
    }

    fn uris(bindings: &Bindings) -> Vec<String> {
        bindings.reaches().into_iter().map(|reach| reach.uri).collect()
    }

    #[test]
    fn the_same_contact_is_refreshed_and_an_older_request_changes_nothing() {
        let (mut bindings, now) = (Bindings::default(), Instant::now());
        let bind = |bindings: &mut Bindings, request: &Request<'_>, uris: &[&str]| {
            let contacts = uris.iter().map(|uri| contact(uri)).collect();
            bindings.bind(now, request, (contacts, 3))
        };
        assert_eq!(bind(&mut bindings, &request("a", 2, 5060), &["sip:1@h"]), Ok(()));
        assert_eq!(bind(&mut bindings, &request("a", 3, 5061), &["sip:1@H"]), Ok(()));
        assert_eq!(bindings.reaches().len(), 1);
        assert_eq!(bindings.reaches()[0].flow, flow(5061));
        let old = request("a", 3, 5062);
        assert_eq!(bind(&mut bindings, &old, &["sip:2@h", "sip:1@h"]), Err(Outdated));
        assert_eq!(uris(&bindings), ["sip:1@H"]);
        assert_eq!(bindings.clear(&old), Err(Outdated));
        assert_eq!(bind(&mut bindings, &request("b", 1, 5062), &["sip:1@h"]), Ok(()));
        assert_eq!(bindings.clear(&request("b", 2, 5062)), Ok(()));
        assert!(bindings.is_empty());
    }

    #[test]
    fn a_device_that_comes_back_by_another_flow_replaces_itself() {
        let (mut bindings, now) = (Bindings::default(), Instant::now());
        let device = |uri: &str, id: u32| Contact {
            device: Some(("<urn:uuid:1>".to_owned(), id)),
            ..contact(uri)
        };
        let mut bind = |call_id: &str, port: u16, contact: Contact| {
            bindings.bind(now, &request(call_id, 1, port), (vec![contact], 5)).expect("in order");
            uris(&bindings)
        };
        bind("a", 5060, device("sip:1@192.168.0.7:5060", 1));
        bind("b", 5061, device("sip:1@192.168.0.7:9", 2));
        let after = bind("c", 5062, device("sip:1@192.168.0.8:77", 1));
        assert_eq!(after, ["sip:1@192.168.0.7:9", "sip:1@192.168.0.8:77"]);
        bindings.lose(flow(5061).connection().expect("a stream"));
        assert_eq!(uris(&bindings), ["sip:1@192.168.0.8:77"]);
    }

    #[test]
    fn the_answer_tells_the_seconds_that_are_left_and_the_preference() {
        let (mut bindings, now) = (Bindings::default(), Instant::now());
        let second = Contact { preference: 70, ..contact("sip:2@h") };
        let both = vec![second, contact("sip:1@h")];
        bindings.bind(now, &request("a", 1, 5060), (both, 2)).expect("in order");
        let later = now + Duration::from_millis(10_500);
        assert_eq!(
            bindings.contacts(later),
            ["<sip:2@h>;q=0.070;expires=50", "<sip:1@h>;expires=50"]
        );
        assert_eq!(uris(&bindings), ["sip:1@h", "sip:2@h"]);
        assert_eq!(bindings.deadline(), Some(now + MINUTE));
        bindings.expire(now + MINUTE);
        assert!(bindings.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn there_is_never_more_than_room_and_never_one_contact_twice(
            steps in prop::collection::vec((0_u8..8, 0_u8..3, 0_u32..20, 0_u64..90), 1..80),
            most in 1_usize..5,
        ) {
            let (mut bindings, mut now) = (Bindings::default(), Instant::now());
            for (user, series, sequence, lasts) in steps {
                now += Duration::from_secs(1);
                let lasts = Duration::from_secs(lasts);
                let one = Contact { lasts, ..contact(&format!("sip:{user}@h")) };
                let call_id = series.to_string();
                let request = request(&call_id, sequence, 5060);
                let bound = bindings.bind(now, &request, (vec![one.clone()], most));
                let mut known = uris(&bindings);
                prop_assert!(known.len() <= most);
                prop_assert_eq!(bound.is_ok() && !lasts.is_zero(), {
                    let it = bindings.list.last();
                    it.is_some_and(|it| it.refreshed == now && it.contact == one)
                });
                known.sort();
                known.dedup();
                prop_assert_eq!(known.len(), bindings.list.len());
                bindings.expire(now);
                prop_assert!(bindings.deadline().is_none_or(|at| at > now));
            }
        }
    }
}
