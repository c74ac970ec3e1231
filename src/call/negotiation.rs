//! Offer and answer of one leg (RFC 3264): from session descriptions to the settings of its port.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use crate::audio::codec::Codec;
use crate::base::id::SessionId;
use crate::base::master_key::{Master, Suite};
use crate::base::random::Random;
use crate::base::webrtc::Credentials;
use crate::call::briefing::MediaPolicy;
use crate::call::keying::{Keying, Offers};
use crate::media::event::{LATEST, Settings, Ways};
use crate::sdp::keying::{Policy, Terms};
use crate::sdp::line::Direction;
use crate::sdp::negotiate::{self, Agreed, Local};
use crate::sdp::refusal;
use crate::sip::event::{Refusal, Warning};

/// What a leg and its peer have agreed on, and what we told it.
#[derive(Debug)]
pub struct Negotiation {
    policy: MediaPolicy,
    local: Local,
    /// Where further keys come from.
    random: Random,
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
#[derive(Debug)]
pub struct Peer {
    /// The session.
    pub session: SessionId,
    /// Where its signalling comes from; unknown for a leg that we place until it is answered.
    pub signalling: Option<IpAddr>,
    /// How we stand to SRTP with it.
    pub keying: Keying,
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
            srtp: peer.keying.terms,
        };
        Self {
            policy,
            local,
            random: peer.keying.random,
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

    /// The offer of our INVITE, for each way that it may go.
    pub fn first_offers(&mut self) -> Offers {
        self.offered = true;
        let local = &self.local;
        Offers::new(self.policy.srtp.clone(), |policy| {
            let srtp = Terms { policy, ..local.srtp.clone() };
            Bytes::from(negotiate::offer(&Local { srtp, ..local.clone() }))
        })
    }

    /// The way was chosen: this is what was offered.
    pub fn offered_with(&mut self, srtp: Policy) {
        self.local.srtp.policy = srtp;
    }

    /// Takes the answer to the offer of our INVITE: early media, then that of the 200.
    ///
    /// # Errors
    /// When it does not fit; what was agreed before stands.
    pub fn accept(&mut self, answer: &[u8]) -> Result<(), Refusal> {
        self.agreed = Some(self.read_answer(answer).map_err(not_acceptable)?);
        self.offered = false;
        Ok(())
    }

    /// The codec that was agreed.
    pub fn codec(&self) -> Option<Codec> {
        self.agreed.as_ref().map(|agreed| agreed.codec)
    }

    /// The suite by which packets are hidden, if they are.
    pub fn suite(&self) -> Option<Suite> {
        Some(self.agreed.as_ref()?.srtp.as_ref()?.ours.suite())
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

    /// Whether an offer of ours waits for its answer.
    pub fn is_offering(&self) -> bool {
        self.offered
    }

    /// Takes the body of an ACK or PRACK: the answer to our offer, if we made one; tells whether we did. An
    /// answer that does not fit changes nothing when there is an agreement.
    ///
    /// # Errors
    /// When we offered, nothing is agreed, and the answer is missing or does not fit.
    pub fn late_answer(&mut self, body: &[u8]) -> Result<bool, Refusal> {
        if !std::mem::take(&mut self.offered) {
            return Ok(false);
        }
        match self.read_answer(body) {
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
            latest: LATEST,
            keys: self
                .policy
                .keys
                .unwrap_or(Ways { tones: agreed.telephone_event.is_none(), ..Ways::default() }),
            srtp: agreed.srtp.clone(),
            web: agreed.web.clone(),
            mux: agreed.mux,
            speech: self.policy.speech.clone(),
            jitter: self.policy.jitter,
            recording: self.recording,
            cname: format!("{:016x}@voxtrunk", self.local.session_id),
            // Who says that it sends nothing is not missed.
            timeout: if agreed.direction.receives() { self.policy.timeout } else { NEVER },
        })
    }

    fn answer(&mut self, offer: &[u8]) -> Result<Bytes, Refusal> {
        let (mut answer, mut agreed) = self.read_offer(offer).map_err(not_acceptable)?;
        if self.must_change_keys(&agreed) || self.must_change_name(&agreed) {
            (answer, agreed) = self.read_offer(offer).map_err(not_acceptable)?;
        }
        if agreed.web.is_some() {
            // What we offer from now on is for a browser, too.
            self.local.srtp.policy = Policy::Web;
        }
        (self.agreed, self.offered) = (Some(agreed), false);
        let answer = Bytes::from(answer);
        self.last = Some((Bytes::copy_from_slice(offer), answer.clone()));
        Ok(answer)
    }

    fn read_offer(&self, offer: &[u8]) -> Result<(String, Agreed), refusal::Refusal> {
        let (answer, agreed) = negotiate::answer(offer, &self.local)?;
        self.check_downgrade(&agreed)?;
        Ok((answer, agreed))
    }

    fn read_answer(&self, answer: &[u8]) -> Result<Agreed, refusal::Refusal> {
        let agreed = negotiate::accept(answer, &self.local)?;
        self.check_downgrade(&agreed)?;
        Ok(agreed)
    }

    /// What was once hidden is not sent in the clear later (T12).
    fn check_downgrade(&self, agreed: &Agreed) -> Result<(), refusal::Refusal> {
        let is_downgrade = self.suite().is_some() && agreed.srtp.is_none();
        if is_downgrade { Err(refusal::Refusal::KEYS) } else { Ok(()) }
    }

    /// Who takes another key is given another one, too: a phone that holds and resumes wants both
    /// directions renewed. Tells whether there is a new one.
    fn must_change_keys(&mut self, agreed: &Agreed) -> bool {
        let before = self.agreed.as_ref().and_then(|it| it.srtp.as_ref());
        let (Some(before), Some(now)) = (before, &agreed.srtp) else { return false };
        let changed = before.theirs != now.theirs;
        let own = self.local.srtp.keys.iter_mut().find(|own| own.suite() == now.ours.suite());
        if let (true, Some(own)) = (changed, own) {
            *own = Master::random(own.suite(), &mut self.random);
        }
        changed
    }

    /// A browser that begins ICE anew is given another name and password, too (RFC 8445 9.3.1.1).
    fn must_change_name(&mut self, agreed: &Agreed) -> bool {
        let before = self.agreed.as_ref().and_then(|it| it.web.as_ref());
        let (Some(before), Some(now)) = (before, &agreed.web) else { return false };
        let changed = before.theirs != now.theirs;
        if let (true, Some(own)) = (changed, &mut self.local.srtp.web) {
            own.credentials = Credentials::random(&mut self.random);
        }
        changed
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::library::Libraries;
    use crate::audio::packing::Wishes;
    use crate::audio::speech;
    use crate::base::webrtc::Fingerprint;
    use crate::call::keying::{Srtp, Ways};
    use crate::media::jitter::Bounds;
    use crate::sip::event::Transport;
    use std::sync::Arc;

    fn policy(srtp: Policy) -> MediaPolicy {
        let suites = vec![Suite::Gcm128, Suite::Aes128Sha80];
        let srtp = Srtp { policy: srtp, suites, ways: Ways::Secret, ..Srtp::default() };
        MediaPolicy {
            address: [192, 0, 2, 5].into(),
            codecs: vec![Codec::Pcmu],
            wishes: Wishes::default(),
            libraries: Libraries::default(),
            srtp: Arc::new(srtp),
            keys: None,
            symmetric: true,
            timeout: Duration::from_secs(30),
            speech: speech::Settings::default(),
            jitter: Bounds::default(),
        }
    }

    /// A leg of a caller by TLS.
    fn leg(srtp: Policy) -> Negotiation {
        let policy = policy(srtp);
        let keying = policy.srtp.keying("", Transport::Tls, Random::repeatable(4));
        begin(policy, keying)
    }

    fn begin(policy: MediaPolicy, keying: Keying) -> Negotiation {
        let bound = "192.0.2.5:4000".parse().expect("an address");
        let peer = Peer { session: SessionId(1), signalling: None, keying };
        Negotiation::new(policy, bound, peer, false)
    }

    fn offer(key: &str) -> String {
        let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";
        match key {
            "" => format!("{head}m=audio 5000 RTP/AVP 0\r\n"),
            key => format!(
                "{head}m=audio 5000 RTP/SAVP 0\r\n\
                 a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n"
            ),
        }
    }

    const ONE: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    const TWO: &str = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

    fn keys(negotiation: &Negotiation) -> crate::base::master_key::Keys {
        negotiation.settings().expect("an agreement").srtp.expect("keys")
    }

    #[test]
    fn a_hold_with_another_key_is_given_another_key() {
        let mut leg = leg(Policy::Optional);
        leg.first_answer(offer(ONE).as_bytes()).expect("it is good");
        let first = keys(&leg);
        let hold = offer(ONE).replace("RTP/SAVP 0", "RTP/SAVP 0\r\na=sendonly");
        let again = leg.answer_again(hold.as_bytes()).expect("it is good");
        assert_eq!((again.change, keys(&leg)), (Change::Some, first.clone()));
        let again = leg.answer_again(offer(TWO).as_bytes()).expect("it is good");
        let second = keys(&leg);
        assert_eq!(second.theirs.octets().len(), 30);
        assert!(second.theirs != first.theirs && second.ours != first.ours);
        let said = String::from_utf8_lossy(&again.answer).into_owned();
        let written = crate::sdp::crypto::write(&crate::sdp::crypto::Crypto {
            tag: 1,
            master: second.ours.clone(),
        });
        assert!(said.contains(&written), "the answer holds the new key");
        let refresh = leg.answer_again(offer(TWO).as_bytes()).expect("it is good");
        assert_eq!((refresh.change, keys(&leg)), (Change::None, second));
    }

    #[test]
    fn what_was_hidden_stays_hidden() {
        let mut leg = leg(Policy::Optional);
        leg.first_answer(offer(ONE).as_bytes()).expect("it is good");
        let refusal = leg.answer_again(offer("").as_bytes()).expect_err("keys are missing");
        let warning = refusal.warning.expect("a warning");
        assert_eq!((refusal.status, warning.code), (488, 302));
        assert!(leg.suite().is_some(), "what was agreed stands");
        // Asked for an offer, we make one with keys; an answer without them changes nothing.
        let again = leg.answer_again(b"").expect("an offer");
        assert!(String::from_utf8_lossy(&again.answer).contains("a=crypto:1 AEAD_AES_128_GCM"));
        assert_eq!(leg.late_answer(offer("").as_bytes()), Ok(true));
        assert_eq!(leg.suite(), Some(Suite::Aes128Sha80));
    }

    #[test]
    fn a_leg_in_the_clear_may_be_hidden_later() {
        let mut leg = leg(Policy::Optional);
        leg.first_answer(offer("").as_bytes()).expect("it is good");
        assert_eq!(leg.suite(), None);
        leg.answer_again(offer(ONE).as_bytes()).expect("it is good");
        assert_eq!(leg.suite(), Some(Suite::Aes128Sha80));
    }

    #[test]
    fn where_keys_are_needed_nothing_else_is_answered() {
        let mut leg = leg(Policy::Required);
        let refusal = leg.first_answer(offer("").as_bytes()).expect_err("keys are missing");
        assert_eq!(refusal.status, 488);
        let delayed = leg.first_answer(b"").expect("our offer");
        let said = String::from_utf8_lossy(&delayed).into_owned();
        assert!(said.contains("RTP/SAVP") && said.matches("a=crypto").count() == 2);
        assert!(leg.late_answer(offer("").as_bytes()).is_err());
    }

    #[test]
    fn a_browser_that_begins_anew_is_given_another_name() {
        let policy = policy(Policy::Off);
        let srtp = Srtp { web: Some(Fingerprint([7; 32])), ..(*policy.srtp).clone() };
        let keying = srtp.keying("", Transport::Ws, Random::repeatable(4));
        let mut leg = begin(policy, keying);
        let print = Fingerprint([9; 32]);
        let offer = |name: &str| {
            format!(
                "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
                 m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\n\
                 a=ice-ufrag:{name}\r\na=ice-pwd:0123456789012345678901\r\n\
                 a=fingerprint:{print}\r\na=setup:actpass\r\n"
            )
        };
        let ours = |leg: &Negotiation| {
            let web = leg.settings().expect("an agreement").web.expect("a pairing");
            web.ours.name().to_owned()
        };
        leg.first_answer(offer("once").as_bytes()).expect("it is good");
        let first = ours(&leg);
        let hold = offer("once").replace("a=rtcp-mux", "a=sendonly\r\na=rtcp-mux");
        leg.answer_again(hold.as_bytes()).expect("it is good");
        assert_eq!(ours(&leg), first);
        let again = leg.answer_again(offer("anew").as_bytes()).expect("it is good");
        assert_ne!(ours(&leg), first);
        assert!(String::from_utf8_lossy(&again.answer).contains(&ours(&leg)));
        // What is a browser stays one.
        assert!(leg.answer_again(self::offer("").as_bytes()).is_err());
        assert!(leg.answer_again(self::offer(ONE).as_bytes()).is_err());
        let offered = leg.answer_again(b"").expect("an offer").answer;
        assert!(String::from_utf8_lossy(&offered).contains("a=setup:actpass"));
    }

    #[test]
    fn our_own_offer_is_judged_by_the_way_it_went() {
        for (srtp, answers) in [
            (Policy::Off, [true, false]),
            (Policy::Optional, [true, true]),
            (Policy::Required, [false, true]),
        ] {
            let policy = policy(srtp);
            let keying = policy.srtp.keying_of_ours(Random::repeatable(4));
            let mut leg = begin(policy, keying);
            let offers = leg.first_offers();
            let (told, said) = offers.over(None, Transport::Tls).expect("a way");
            assert_eq!(told, srtp);
            let said = String::from_utf8_lossy(&said).into_owned();
            assert_eq!(said.contains("a=crypto"), srtp != Policy::Off);
            leg.offered_with(told);
            let secured = offer(ONE).replace("crypto:1", "crypto:2");
            let seen = [offer(""), secured].map(|answer| {
                let accepted = leg.accept(answer.as_bytes()).is_ok();
                leg.agreed = None;
                accepted
            });
            assert_eq!(seen, answers, "{srtp:?}");
        }
    }
}
