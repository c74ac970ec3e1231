//! Offer and answer of one leg (RFC 3264): from session descriptions to the settings of its port.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use crate::audio::codec::Codec;
use crate::base::id::SessionId;
use crate::call::briefing::MediaPolicy;
use crate::media::event::Settings;
use crate::sdp::line::Direction;
use crate::sdp::negotiate::{self, Agreed, Local};
use crate::sdp::refusal;
use crate::sip::event::{Refusal, Warning};

/// What a leg and its peer have agreed on, and what we told it.
#[derive(Debug)]
pub struct Negotiation {
    policy: MediaPolicy,
    local: Local,
    signalling: Option<IpAddr>,
    recording: bool,
    agreed: Option<Agreed>,
    /// Whether the peer still has to answer an offer of ours.
    offered: bool,
    /// Whether the port was opened with an earlier agreement.
    opened: bool,
    /// What the caller was answered first: a 200 says what the 183 before it said.
    answer: Option<Bytes>,
    /// The last offer of the peer, and our answer to it.
    last: Option<(Bytes, Bytes)>,
}

/// The answer to a re-INVITE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The session description.
    pub answer: Bytes,
    /// What it changes.
    pub change: Change,
}

/// Whether an agreement changes what was agreed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the peer only shows that it is there.
    None,
    /// Something, perhaps.
    Some,
}

/// Who is at the other end of a leg.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The session.
    pub session: SessionId,
    /// Where its signalling comes from; unknown for a leg that we place until it is answered.
    pub signalling: Option<IpAddr>,
}

impl Negotiation {
    /// Begins for a leg whose media socket is bound to `bound`.
    pub fn new(policy: MediaPolicy, bound: SocketAddr, peer: Peer, recording: bool) -> Self {
        let local = Local {
            address: policy.address,
            port: bound.port(),
            codecs: policy.codecs.clone(),
            session_id: peer.session.0,
            version: 1,
            wishes: policy.wishes,
        };
        Self {
            policy,
            local,
            signalling: peer.signalling,
            recording,
            agreed: None,
            offered: false,
            opened: false,
            answer: None,
            last: None,
        }
    }

    /// The signalling of a leg that we placed comes from there.
    pub fn heard_from(&mut self, address: IpAddr) {
        self.signalling = Some(address);
    }

    /// Sets a codec before the others, in what is still to be offered or answered.
    pub fn prefer(&mut self, codec: Codec) {
        // Sorting is stable: the others keep their order.
        self.local.codecs.sort_by_key(|own| *own != codec);
    }

    /// The codec that an offer would come to.
    pub fn foresee(&self, offer: &[u8]) -> Option<Codec> {
        negotiate::answer(offer, &self.local).ok().map(|(_, agreed)| agreed.codec)
    }

    /// The offer of our INVITE.
    pub fn first_offer(&mut self) -> Bytes {
        self.offer()
    }

    /// Takes the answer to the offer of our INVITE: early media, then that of the 200.
    ///
    /// # Errors
    /// When it does not fit; what was agreed before stands.
    pub fn accept(&mut self, answer: &[u8]) -> Result<(), Refusal> {
        self.agreed = Some(negotiate::accept(answer, &self.local).map_err(not_acceptable)?);
        self.offered = false;
        Ok(())
    }

    /// The codec that was agreed.
    pub fn codec(&self) -> Option<Codec> {
        self.agreed.as_ref().map(|agreed| agreed.codec)
    }

    /// Whether the peer does not want to hear us.
    pub fn is_held(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| !sends(agreed.direction))
    }

    /// Answers the INVITE: its offer, or with an offer of ours when it came without one.
    ///
    /// # Errors
    /// 488 with a Warning when nothing fits.
    pub fn first_answer(&mut self, offer: &[u8]) -> Result<Bytes, Refusal> {
        if let Some(answer) = &self.answer {
            return Ok(answer.clone());
        }
        let answer = if offer.is_empty() { self.offer() } else { self.answer(offer)? };
        self.answer = Some(answer.clone());
        Ok(answer)
    }

    /// Takes the body of an ACK: the answer to our offer, if we made one; tells whether we did. An
    /// answer that does not fit changes nothing when there is an agreement.
    ///
    /// # Errors
    /// When we offered, nothing is agreed, and the answer is missing or does not fit.
    pub fn late_answer(&mut self, body: &[u8]) -> Result<bool, Refusal> {
        if !std::mem::take(&mut self.offered) {
            return Ok(false);
        }
        match negotiate::accept(body, &self.local) {
            Ok(agreed) => self.agreed = Some(agreed),
            Err(_) if self.agreed.is_some() => {}
            Err(why) => return Err(not_acceptable(why)),
        }
        Ok(true)
    }

    /// Answers a re-INVITE: its offer, or with all that we could do when it came without one
    /// (RFC 3261 14.2).
    ///
    /// # Errors
    /// 488 with a Warning when nothing fits; what was agreed before stands.
    pub fn answer_again(&mut self, offer: &[u8]) -> Result<Again, Refusal> {
        if let Some((_, said)) = self.last.as_ref().filter(|(heard, _)| *heard == offer) {
            // A refresh (RFC 4028 7.4): the same words, and so the same version (RFC 3264 8).
            return Ok(Again { answer: said.clone(), change: Change::None });
        }
        self.local.version += 1;
        let answer = if offer.is_empty() { self.offer() } else { self.answer(offer)? };
        Ok(Again { answer, change: Change::Some })
    }

    /// Whether `settings` are for a port that is not open yet; asked once per agreement.
    pub fn opens(&mut self) -> bool {
        !std::mem::replace(&mut self.opened, true)
    }

    /// The settings of the port, as far as there is an agreement.
    pub fn settings(&self) -> Option<Settings> {
        let agreed = self.agreed.as_ref()?;
        Some(Settings {
            codec: agreed.codec,
            payload_type: agreed.payload_type,
            telephone_event: agreed.telephone_event,
            packing: agreed.packing.clone(),
            libraries: self.policy.libraries.clone(),
            remote: agreed.remote,
            remote_rtcp: agreed.remote_rtcp,
            // Of a peer whose signalling nobody saw, media comes from where it says.
            signalling: self.signalling.unwrap_or(agreed.remote.ip()),
            symmetric: self.policy.symmetric,
            sending: sends(agreed.direction),
            speech: self.policy.speech.clone(),
            recording: self.recording,
            cname: format!("{:016x}@voxtrunk", self.local.session_id),
            // Who says that it sends nothing is not missed.
            timeout: if agreed.direction.receives() { self.policy.timeout } else { NEVER },
        })
    }

    fn answer(&mut self, offer: &[u8]) -> Result<Bytes, Refusal> {
        let (answer, agreed) = negotiate::answer(offer, &self.local).map_err(not_acceptable)?;
        (self.agreed, self.offered) = (Some(agreed), false);
        let answer = Bytes::from(answer);
        self.last = Some((Bytes::copy_from_slice(offer), answer.clone()));
        Ok(answer)
    }

    fn offer(&mut self) -> Bytes {
        self.offered = true;
        self.last = None;
        Bytes::from(negotiate::offer(&self.local))
    }
}

/// Longer than any call.
const NEVER: Duration = Duration::from_secs(10 * 86_400);

fn sends(direction: Direction) -> bool {
    matches!(direction, Direction::SendReceive | Direction::SendOnly)
}

fn not_acceptable(why: refusal::Refusal) -> Refusal {
    let warning = Warning { code: why.warning, text: why.text.to_owned() };
    Refusal { warning: Some(warning), ..Refusal::status(488) }
}
