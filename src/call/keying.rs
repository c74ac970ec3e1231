//! Who gets keys: how the machine and its trunks stand to SRTP, and what that means on a way.
//!
//! SDES writes keys into session descriptions, so they go over TLS only, unless the operator
//! insists (T12).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::master_key::{Master, Suite};
use crate::base::random::Random;
use crate::base::webrtc::{Credentials, Fingerprint, Own};
pub use crate::sdp::keying::Policy;
use crate::sdp::keying::Terms;
use crate::sip::event::Transport;

/// How the machine and its trunks stand to SRTP.
#[derive(Debug, Clone, Default)]
pub struct Srtp {
    /// What holds for everybody.
    pub policy: Policy,
    /// What holds for trunks that differ, by name.
    pub trunks: BTreeMap<Arc<str>, Policy>,
    /// The suites that we take, the dearest first.
    pub suites: Vec<Suite>,
    /// By which ways keys may go.
    pub ways: Ways,
    /// The certificate that we show to browsers; without one, none can call or be called.
    pub web: Option<Fingerprint>,
}

/// By which ways keys may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ways {
    /// Over TLS and secure WebSockets.
    #[default]
    Secret,
    /// Over all: whoever reads the signalling hears the call.
    Any,
}

/// What a leg needs for its keys.
#[derive(Debug)]
pub struct Keying {
    /// How it stands to SRTP, with its keys.
    pub terms: Terms,
    /// Where further keys come from.
    pub random: Random,
}

/// The session description of a leg that we place, for each of the ways that it may go.
#[derive(Debug, Clone)]
pub struct Offers {
    /// Without keys.
    plain: Bytes,
    /// With keys, and without them if the peer likes.
    optional: Bytes,
    /// With keys only.
    required: Bytes,
    /// For browsers, if any can be called.
    web: Option<Bytes>,
    srtp: Arc<Srtp>,
}

impl Srtp {
    /// What holds for a trunk, or for whoever belongs to none.
    pub fn policy_of(&self, trunk: Option<&str>) -> Policy {
        trunk.and_then(|trunk| self.trunks.get(trunk)).copied().unwrap_or(self.policy)
    }

    /// The terms of the leg of somebody who called by this way.
    pub fn keying(&self, trunk: &str, transport: Transport, mut random: Random) -> Keying {
        let policy = self.policy_of(Some(trunk));
        let may_go = policy != Policy::Off && self.may_go(transport);
        let keys = if may_go { self.keys(&mut random) } else { Vec::new() };
        let web = self.own(&mut random);
        Keying { terms: Terms { policy, keys, web }, random }
    }

    /// The terms of a leg that we place, before anybody knows by which way.
    pub fn keying_of_ours(&self, mut random: Random) -> Keying {
        let keys = self.keys(&mut random);
        let web = self.own(&mut random);
        Keying { terms: Terms { policy: Policy::Optional, keys, web }, random }
    }

    fn keys(&self, random: &mut Random) -> Vec<Master> {
        self.suites.iter().map(|suite| Master::random(*suite, random)).collect()
    }

    /// Our end, for this call alone.
    fn own(&self, random: &mut Random) -> Option<Own> {
        let fingerprint = self.web?;
        Some(Own { credentials: Credentials::random(random), fingerprint, port: None })
    }

    fn may_go(&self, transport: Transport) -> bool {
        transport.is_secure() || self.ways == Ways::Any
    }
}

impl Offers {
    /// Writes the description for each way.
    pub fn new(srtp: Arc<Srtp>, mut write: impl FnMut(Policy) -> Bytes) -> Self {
        let [plain, optional, required] =
            [Policy::Off, Policy::Optional, Policy::Required].map(&mut write);
        let web = srtp.web.map(|_| write(Policy::Web));
        Self { plain, optional, required, web, srtp }
    }

    /// The same description for every way, without keys.
    pub fn plain(body: Bytes) -> Self {
        Self::new(Arc::default(), |_| body.clone())
    }

    /// What is offered with keys and not without, whatever holds for others; `None` when keys must
    /// not go there.
    pub fn secret_over(&self, transport: Transport) -> Option<(Policy, Bytes)> {
        let may_go = self.srtp.may_go(transport);
        may_go.then(|| (Policy::Required, self.required.clone()))
    }

    /// What is offered by a trunk, or to whoever belongs to none, over a transport; `None` when
    /// keys are needed that must not go there.
    pub fn over(&self, trunk: Option<&str>, transport: Transport) -> Option<(Policy, Bytes)> {
        // Whoever signals by WebSocket is a browser, and that knows nothing else.
        if let (Transport::Ws | Transport::Wss, Some(web)) = (transport, &self.web) {
            return Some((Policy::Web, web.clone()));
        }
        let policy = match (self.srtp.policy_of(trunk), self.srtp.may_go(transport)) {
            (Policy::Required, false) => return None,
            (Policy::Optional, false) => Policy::Off,
            (policy, _) => policy,
        };
        let body = match policy {
            Policy::Off => &self.plain,
            Policy::Optional => &self.optional,
            Policy::Required | Policy::Web => &self.required,
        };
        Some((policy, body.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srtp(policy: Policy) -> Srtp {
        let trunks =
            BTreeMap::from([("safe".into(), Policy::Required), ("old".into(), Policy::Off)]);
        let suites = vec![Suite::Gcm128];
        Srtp { policy, trunks, suites, ways: Ways::Secret, web: None }
    }

    fn offers(srtp: Srtp) -> Offers {
        Offers::new(Arc::new(srtp), |policy| Bytes::from(format!("{policy:?}")))
    }

    #[test]
    fn a_trunk_has_its_own_policy() {
        let srtp = srtp(Policy::Optional);
        for (trunk, policy) in [
            (None, Policy::Optional),
            (Some("other"), Policy::Optional),
            (Some("safe"), Policy::Required),
            (Some("old"), Policy::Off),
        ] {
            assert_eq!(srtp.policy_of(trunk), policy);
        }
    }

    #[test]
    fn who_signals_by_web_socket_is_offered_what_browsers_know() {
        let srtp = Srtp { web: Some(Fingerprint([7; 32])), ..srtp(Policy::Off) };
        let own = |seed| srtp.keying("", Transport::Udp, Random::repeatable(seed)).terms.web;
        assert!(own(1).is_some() && own(1) != own(2));
        let offers = offers(srtp.clone());
        let told = |transport| offers.over(None, transport).map(|(policy, _)| policy);
        assert_eq!(told(Transport::Ws), Some(Policy::Web));
        assert_eq!(told(Transport::Wss), Some(Policy::Web));
        assert_eq!(told(Transport::Tls), Some(Policy::Off));
    }

    #[test]
    fn keys_go_over_tls_only_unless_the_operator_insists() {
        let offered = |offers: &Offers, trunk, transport| {
            offers
                .over(trunk, transport)
                .map(|(_, body)| String::from_utf8_lossy(&body).into_owned())
        };
        let mut srtp = srtp(Policy::Optional);
        let strict = offers(srtp.clone());
        assert_eq!(offered(&strict, None, Transport::Tls).as_deref(), Some("Optional"));
        assert_eq!(offered(&strict, None, Transport::Udp).as_deref(), Some("Off"));
        assert_eq!(offered(&strict, Some("safe"), Transport::Wss).as_deref(), Some("Required"));
        assert_eq!(offered(&strict, Some("safe"), Transport::Tcp), None);
        assert_eq!(offered(&strict, Some("old"), Transport::Tls).as_deref(), Some("Off"));
        let random = || Random::repeatable(1);
        assert!(srtp.keying("", Transport::Udp, random()).terms.keys.is_empty());
        assert_eq!(srtp.keying("", Transport::Tls, random()).terms.keys.len(), 1);
        assert!(srtp.keying("old", Transport::Tls, random()).terms.keys.is_empty());
        srtp.ways = Ways::Any;
        let loose = offers(srtp.clone());
        assert_eq!(offered(&loose, Some("safe"), Transport::Udp).as_deref(), Some("Required"));
        assert_eq!(srtp.keying("", Transport::Udp, random()).terms.keys.len(), 1);
    }
}
