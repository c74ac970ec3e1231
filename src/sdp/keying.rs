//! What is made of the keys in a description: of an offer's those that we take, of an answer's
//! those that answer ours (RFC 4568).

use crate::base::master_key::{Keys, Master, Suite};
use crate::base::webrtc::{Own, Pairing};
use crate::sdp::crypto::Crypto;
use crate::sdp::line::{Line, Transport};
use crate::sdp::refusal::Refusal;

/// Whether the packets of a leg are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Never: keys are ignored, and who insists on them is refused.
    #[default]
    Off,
    /// When the peer can.
    Optional,
    /// Always: who cannot is refused.
    Required,
    /// Always, as browsers do it: the keys come of a handshake on the way of the media (DTLS-SRTP).
    Web,
}

/// How we stand to keys, and those that we have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Whether packets are hidden.
    pub policy: Policy,
    /// Our keys, one for each suite that we take, the dearest first. Without any, the way of the
    /// signalling can be read by others.
    pub keys: Vec<Master>,
    /// Our end, if it may be a browser that calls or is called.
    pub web: Option<Own>,
}

impl Terms {
    /// Our key for a suite, if we take that.
    pub fn key(&self, suite: Suite) -> Option<&Master> {
        self.keys.iter().find(|own| own.suite() == suite)
    }

    /// The lines of an offer, each with a key of its own.
    pub fn offered(&self) -> impl Iterator<Item = Crypto> + '_ {
        let is_offering = matches!(self.policy, Policy::Optional | Policy::Required);
        let own = if is_offering { &self.keys[..] } else { &[] };
        (1..).zip(own).map(|(tag, master)| Crypto { tag, master: master.clone() })
    }

    /// What becomes of an offered line: the keys of both sides and the tag that names them, or a
    /// line in the clear. Of the keys the offerer's dearest that we take is chosen
    /// (RFC 4568 5.1.2).
    ///
    /// # Errors
    /// When the peer insists on keys that we do not take, or we do and it has none.
    pub fn answer(&self, line: &Line) -> Result<Option<(u32, Keys)>, Refusal> {
        let may_be_plain = match (self.policy, line.transport) {
            // Its keys are none of the description.
            (_, Transport::Web) => return Ok(None),
            (Policy::Off, Transport::Plain) => return Ok(None),
            (Policy::Off, Transport::Secured) => return Err(Refusal::TRANSPORT),
            (Policy::Optional, Transport::Plain) => true,
            (Policy::Optional, Transport::Secured) | (Policy::Required, _) => false,
            (Policy::Web, _) => return Err(Refusal::KEYS),
        };
        let keys = line.keys.iter().find_map(|crypto| {
            let ours = self.key(crypto.master.suite())?.clone();
            Some((crypto.tag, Keys { ours, theirs: crypto.master.clone() }))
        });
        match keys {
            None if may_be_plain => Ok(None),
            None if self.keys.is_empty() => Err(Refusal::KEYS_IN_THE_OPEN),
            None => Err(Refusal::KEYS),
            Some(keys) => Ok(Some(keys)),
        }
    }

    /// What becomes of the line that answers ours.
    ///
    /// # Errors
    /// When it answers no key of ours: we wanted one, or it holds another one.
    pub fn accept(&self, line: &Line, has_keys: bool) -> Result<Option<Keys>, Refusal> {
        if line.transport == Transport::Web {
            return Ok(None);
        }
        let matching = self.offered().find_map(|own| {
            let is_same =
                |it: &&Crypto| it.tag == own.tag && it.master.suite() == own.master.suite();
            let theirs = line.keys.iter().find(is_same)?.master.clone();
            Some(Keys { ours: own.master, theirs })
        });
        let is_plain = line.transport == Transport::Plain;
        match (self.policy, matching) {
            (_, Some(keys)) => Ok(Some(keys)),
            (Policy::Off, None) if is_plain => Ok(None),
            (Policy::Off, None) => Err(Refusal::TRANSPORT),
            (Policy::Optional, None) if is_plain && !has_keys => Ok(None),
            (Policy::Optional | Policy::Required | Policy::Web, None) => Err(Refusal::KEYS),
        }
    }

    /// What becomes of the line of a browser, whether it offers or answers: `None` for the line of
    /// another. How we stand to keys of the description is nothing to it: a browser has no others
    /// than those of its handshake, and never speaks in the clear.
    ///
    /// # Errors
    /// When we have no end of our own for it, or a line of ours that is one of WebRTC is answered
    /// by one that is not.
    pub fn pair(&self, line: &Line) -> Result<Option<Pairing>, Refusal> {
        match (&self.web, &line.web) {
            (_, None) if self.policy == Policy::Web => Err(Refusal::TRANSPORT),
            (_, None) => Ok(None),
            (None, Some(_)) => Err(Refusal::TRANSPORT),
            (Some(own), Some(theirs)) => Ok(Some(Pairing {
                ours: own.credentials.clone(),
                theirs: theirs.credentials.clone(),
                fingerprint: theirs.fingerprint,
            })),
        }
    }
}
