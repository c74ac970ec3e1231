//! Offer and answer of one leg (RFC 3264): from session descriptions to the settings of its port.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::call::briefing::MediaPolicy;
use crate::media::event::Settings;
use crate::sdp::line::Direction;
use crate::sdp::negotiate::{self, Agreed, Local};
use crate::sdp::refusal;
use crate::sip::event::{Incoming, Refusal, Warning};

/// What a leg and its peer have agreed on, and what we told it.
#[derive(Debug)]
pub struct Negotiation {
    policy: MediaPolicy,
    local: Local,
    signalling: std::net::IpAddr,
    recording: bool,
    agreed: Option<Agreed>,
    /// Whether the peer still has to answer an offer of ours.
    offered: bool,
    /// Whether the port was opened with an earlier agreement.
    opened: bool,
}

impl Negotiation {
    /// Begins for a leg whose media socket is bound to `bound`.
    pub fn new(
        policy: MediaPolicy,
        bound: SocketAddr,
        incoming: &Incoming,
        recording: bool,
    ) -> Self {
        let local = Local {
            address: policy.address,
            port: bound.port(),
            codecs: policy.codecs.clone(),
            session_id: incoming.session.0,
            version: 1,
        };
        let signalling = incoming.flow.remote.ip();
        Self { policy, local, signalling, recording, agreed: None, offered: false, opened: false }
    }

    /// Answers the INVITE: its offer, or with an offer of ours when it came without one.
    ///
    /// # Errors
    /// 488 with a Warning when nothing fits.
    pub fn first_answer(&mut self, offer: &[u8]) -> Result<Bytes, Refusal> {
        if offer.is_empty() { Ok(self.offer()) } else { self.answer(offer) }
    }

    /// Takes the body of an ACK: the answer to our offer, if we made one. An answer that does not
    /// fit changes nothing when there is an agreement.
    ///
    /// # Errors
    /// When we offered, nothing is agreed, and the answer is missing or does not fit.
    pub fn late_answer(&mut self, body: &[u8]) -> Result<(), Refusal> {
        if !std::mem::take(&mut self.offered) {
            return Ok(());
        }
        match negotiate::accept(body, &self.local) {
            Ok(agreed) => self.agreed = Some(agreed),
            Err(_) if self.agreed.is_some() => {}
            Err(why) => return Err(not_acceptable(why)),
        }
        Ok(())
    }

    /// Answers a re-INVITE: its offer, or with all that we could do when it came without one
    /// (RFC 3261 14.2).
    ///
    /// # Errors
    /// 488 with a Warning when nothing fits; what was agreed before stands.
    pub fn answer_again(&mut self, offer: &[u8]) -> Result<Bytes, Refusal> {
        self.local.version += 1;
        if offer.is_empty() { Ok(self.offer()) } else { self.answer(offer) }
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
            remote: agreed.remote,
            remote_rtcp: agreed.remote_rtcp,
            signalling: self.signalling,
            symmetric: self.policy.symmetric,
            sending: matches!(agreed.direction, Direction::SendReceive | Direction::SendOnly),
            speech: self.policy.speech.clone(),
            recording: self.recording,
            cname: format!("{:016x}@voxtrunk", self.local.session_id),
            timeout: self.policy.timeout,
        })
    }

    fn answer(&mut self, offer: &[u8]) -> Result<Bytes, Refusal> {
        let (answer, agreed) = negotiate::answer(offer, &self.local).map_err(not_acceptable)?;
        (self.agreed, self.offered) = (Some(agreed), false);
        Ok(Bytes::from(answer))
    }

    fn offer(&mut self) -> Bytes {
        self.offered = true;
        Bytes::from(negotiate::offer(&self.local))
    }
}

fn not_acceptable(why: refusal::Refusal) -> Refusal {
    let warning = Warning { code: why.warning, text: why.text.to_owned() };
    Refusal { status: 488, warning: Some(warning), retry_after: None }
}
