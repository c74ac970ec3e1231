//! A leg: one dialog of the call with its port, from the INVITE, theirs or ours, to the last word
//! of the port.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::audio::codec::Codec;
use crate::base::destination::Destination;
use crate::base::id::PortId;
use crate::base::master_key::Suite;
use crate::call::briefing::MediaPolicy;
use crate::call::event::{Output, Sockets};
use crate::call::keying::{Keying, Offers};
use crate::call::negotiation::{Change, Negotiation, Peer};
use crate::media;
use crate::media::event::Attention;
use crate::media::link::Links;
use crate::media::music::Tape;
use crate::sdp::keying::Policy;
use crate::sip::event::{Command, Incoming, Refusal, SessionId, Transport};

/// One leg of a call.
#[derive(Debug)]
pub struct Leg {
    session: SessionId,
    state: State,
    /// Whom we call; nobody, when this is the leg of the caller.
    destination: Option<Destination>,
    /// Where its signalling comes from, as far as that is known.
    signalling: Option<IpAddr>,
    /// How its signalling is carried; nobody knows before a leg that we place is answered.
    transport: Option<Transport>,
    negotiation: Option<Negotiation>,
    socket: Socket,
    hold: Hold,
    /// Whether nothing is recorded yet: the peer has not agreed.
    withholds: bool,
    /// Whether the operator lets it wait.
    waits: bool,
    /// When an offer of ours is to be made, if the caller made none.
    offering: Offering,
}

/// When a caller gets an offer of ours: in the first answer that arrives for sure (RFC 3261
/// 13.2.1), and that need not be the 200 (RFC 3262 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offering {
    /// In the 200, if it made no offer itself.
    Late,
    /// In a 183, if something is to be heard before the answer: it knows how that arrives.
    Early,
    /// In the first provisional answer: it takes none that may be lost.
    First,
}

/// Whether the peer wants to hear us, as far as the record knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It does.
    None,
    /// It does not.
    Held,
}

/// Where a leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The INVITE is there, or about to be sent.
    Calling,
    /// It rings.
    Ringing,
    /// It rings, and media flows already.
    Early,
    /// We sent 200; the peer has not confirmed it.
    Answering,
    /// It is up.
    Up,
    /// We want it to end; the signalling has not said so yet.
    Ending,
    /// The signalling is over.
    Over,
}

/// Where its port stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socket {
    None,
    Bound,
    Open,
    Closing,
    Closed,
}

/// What the agreement of a leg came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// The codec.
    pub codec: Codec,
    /// Whether it is recorded.
    pub recording: bool,
    /// The suite of SRTP, when packets are hidden.
    pub srtp: Option<Suite>,
}

impl Leg {
    /// The leg of a caller.
    pub fn of_caller(incoming: &Incoming) -> Self {
        let signalling = Some(incoming.flow.remote.ip());
        let transport = Some(incoming.flow.transport);
        let offering = Offering::to(incoming);
        Self { transport, offering, ..Self::new(incoming.session, None, signalling) }
    }

    /// A leg to a destination.
    pub fn to(destination: Destination, session: SessionId) -> Self {
        Self::new(session, Some(destination), None)
    }

    fn new(
        session: SessionId,
        destination: Option<Destination>,
        signalling: Option<IpAddr>,
    ) -> Self {
        Self {
            session,
            state: State::Calling,
            destination,
            signalling,
            transport: None,
            negotiation: None,
            socket: Socket::None,
            hold: Hold::None,
            withholds: false,
            waits: false,
            offering: Offering::Late,
        }
    }

    /// The session at the SIP endpoint.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The port.
    pub fn port(&self) -> PortId {
        PortId(self.session.0)
    }

    /// Whom we call there; nobody, when this is the leg of the caller.
    pub fn destination(&self) -> Option<&Destination> {
        self.destination.as_ref()
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether it was accepted and has not ended.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Answering | State::Up)
    }

    /// Whether the signalling is over and the port said its last word.
    pub fn is_gone(&self) -> bool {
        self.state == State::Over && matches!(self.socket, Socket::None | Socket::Closed)
    }

    /// Whether it has a port that may play and hear.
    pub fn has_port(&self) -> bool {
        self.socket == Socket::Open
    }

    /// Whether the peer put us on hold.
    pub fn is_held(&self) -> bool {
        self.negotiation.as_ref().is_some_and(Negotiation::is_held)
    }

    /// Whether the operator lets it wait.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Lets it wait, or no longer; tells whether that is news.
    pub fn let_wait(&mut self, waits: bool) -> bool {
        std::mem::replace(&mut self.waits, waits) != waits
    }

    /// Tells whether the peer has put us on hold or taken us back since this was asked last.
    pub fn hold_moved(&mut self) -> Option<Hold> {
        let hold = if self.is_held() { Hold::Held } else { Hold::None };
        (std::mem::replace(&mut self.hold, hold) != hold).then_some(hold)
    }

    /// The codec that was agreed.
    pub fn codec(&self) -> Option<Codec> {
        self.negotiation.as_ref().and_then(Negotiation::codec)
    }

    // Media.

    /// Wants a socket for its port.
    pub fn bind(&mut self, out: &mut VecDeque<Output>) {
        out.push_back(Output::BindSocket(self.port()));
    }

    /// How its signalling is carried, if it is that of somebody who called us.
    pub fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// Takes its socket, how media is done on it and how we stand to SRTP there.
    pub fn bound(
        &mut self,
        local: Sockets,
        policy: MediaPolicy,
        recording: bool,
        mut keying: Keying,
    ) {
        if let Some(web) = &mut keying.terms.web {
            web.port = local.browsers;
        }
        let peer = Peer { session: self.session, signalling: self.signalling, keying };
        self.socket = Socket::Bound;
        self.negotiation = Some(Negotiation::new(policy, local.own, peer, recording));
    }

    /// Whether it has a socket.
    pub fn is_bound(&self) -> bool {
        self.negotiation.is_some()
    }

    /// The offer of a leg that we place, with this codec before the others.
    pub fn offer(&mut self, dearest: Option<Codec>) -> Option<Offers> {
        let negotiation = self.negotiation.as_mut()?;
        if let Some(codec) = dearest {
            negotiation.prefer(codec);
        }
        Some(negotiation.first_offers())
    }

    /// The way of a leg that we place was chosen: this is what was offered.
    pub fn offered_with(&mut self, srtp: Policy) {
        if let Some(negotiation) = &mut self.negotiation {
            negotiation.offered_with(srtp);
        }
    }

    /// Opens or updates the port with what was agreed.
    pub fn agree(&mut self, out: &mut VecDeque<Output>) -> Option<Agreement> {
        let negotiation = self.negotiation.as_mut()?;
        let settings = negotiation.settings()?;
        let (codec, recording) = (settings.codec, settings.recording && !self.withholds);
        let agreement = Agreement { codec, recording, srtp: negotiation.suite() };
        let port = PortId(self.session.0);
        if negotiation.opens() {
            self.socket = Socket::Open;
            out.push_back(Output::OpenPort(port, Box::new(settings)));
            if self.withholds {
                out.push_back(Output::Media(port, media::event::Command::WithholdRecording));
            }
            out.push_back(Output::Media(port, media::event::Command::Start));
        } else {
            let update = media::event::Command::Update(Box::new(settings));
            out.push_back(Output::Media(port, update));
        }
        Some(agreement)
    }

    /// Nothing is recorded before the peer agrees: to be said before the port opens.
    pub fn withhold(&mut self) {
        self.withholds = true;
    }

    /// The peer agreed to be recorded.
    pub fn record(&mut self, out: &mut VecDeque<Output>) {
        self.withholds = false;
        self.media(media::event::Command::ResumeRecording, out);
    }

    /// Orders something of its port.
    pub fn media(&self, command: media::event::Command, out: &mut VecDeque<Output>) {
        if self.socket == Socket::Open {
            out.push_back(Output::Media(self.port(), command));
        }
    }

    /// Connects its port, and stops the music.
    pub fn connect(&self, links: Links, out: &mut VecDeque<Output>) {
        self.media(media::event::Command::NoMusic, out);
        self.media(media::event::Command::Attend(Attention::Keys), out);
        self.media(media::event::Command::Connect(links), out);
    }

    /// Disconnects its port and plays a tape.
    pub fn entertain(&self, tape: &Arc<Tape>, out: &mut VecDeque<Output>) {
        self.media(media::event::Command::Connect(Links::default()), out);
        self.media(media::event::Command::Music(tape.clone()), out);
    }

    /// Its port closes; the last event of an open one is its quality.
    pub fn close_port(&mut self, out: &mut VecDeque<Output>) {
        match self.socket {
            Socket::Bound => {
                out.push_back(Output::ClosePort(self.port()));
                self.socket = Socket::Closed;
            }
            Socket::Open => {
                out.push_back(Output::ClosePort(self.port()));
                self.socket = Socket::Closing;
            }
            Socket::None | Socket::Closing | Socket::Closed => {}
        }
    }

    /// The port said its last word.
    pub fn port_closed(&mut self) {
        self.socket = Socket::Closed;
    }

    // Signalling of the caller's leg.

    /// The codec that a caller's offer would come to, if there is one that we can take.
    pub fn foresee(&self, offer: &[u8]) -> Option<Codec> {
        self.negotiation.as_ref().and_then(|negotiation| negotiation.foresee(offer))
    }

    /// Lets the caller hear that it rings.
    pub fn ring(&mut self, out: &mut VecDeque<Output>) {
        if self.state == State::Calling {
            self.state = State::Ringing;
            let is_offering = self.offering == Offering::First;
            let negotiation = self.negotiation.as_mut().filter(|_| is_offering);
            let offer = negotiation.and_then(|negotiation| negotiation.first_answer(&[]).ok());
            self.progress(180, offer, out);
        }
    }

    /// Lets the caller hear what comes before the answer: 183 with a session description, and the
    /// port opens. Who made no offer gets one of ours, and the port opens when it is answered; who
    /// would not get it for sure hears nothing.
    ///
    /// # Errors
    /// 488 with a Warning when the caller's offer does not fit.
    pub fn ring_early(
        &mut self,
        offer: &[u8],
        wish: Option<Codec>,
        out: &mut VecDeque<Output>,
    ) -> Result<Option<Agreement>, Refusal> {
        if !matches!(self.state, State::Calling | State::Ringing) {
            return Ok(None);
        }
        let is_ours = offer.is_empty();
        let Some(negotiation) = self.negotiation.as_mut() else { return Ok(None) };
        if is_ours && (self.offering == Offering::Late || negotiation.is_offering()) {
            return Ok(None);
        }
        if let Some(codec) = wish {
            negotiation.prefer(codec);
        }
        let body = negotiation.first_answer(offer)?;
        if is_ours {
            self.state = State::Ringing;
            self.progress(183, Some(body), out);
            return Ok(None);
        }
        self.state = State::Early;
        let agreement = self.agree(out);
        self.progress(183, Some(body), out);
        Ok(agreement)
    }

    /// Accepts the caller with 200; the port opens, if it is not open yet.
    ///
    /// # Errors
    /// 488 with a Warning when the caller's offer does not fit.
    pub fn answer(
        &mut self,
        offer: &[u8],
        headers: Vec<(String, String)>,
        out: &mut VecDeque<Output>,
    ) -> Result<Option<Agreement>, Refusal> {
        let Some(negotiation) = self.negotiation.as_mut() else {
            return Err(Refusal::status(480));
        };
        let body = negotiation.first_answer(offer)?;
        let opens = !matches!(self.state, State::Early);
        self.ring(out);
        let agreement = if opens { self.agree(out) } else { None };
        self.state = State::Answering;
        out.push_back(Output::Sip(Command::Answer { session: self.session, body, headers }));
        Ok(agreement)
    }

    /// Prefers a codec in what is still to be agreed.
    pub fn prefer(&mut self, codec: Codec) {
        if let Some(negotiation) = &mut self.negotiation {
            negotiation.prefer(codec);
        }
    }

    /// The ACK arrived, or a PRACK before it, perhaps with the answer to our offer.
    ///
    /// # Errors
    /// When there is no agreement now.
    pub fn confirm(
        &mut self,
        body: &[u8],
        out: &mut VecDeque<Output>,
    ) -> Result<Option<Agreement>, Refusal> {
        let Some(negotiation) = self.negotiation.as_mut() else { return Ok(None) };
        let accepted = negotiation.late_answer(body)?;
        if accepted && self.state == State::Ringing {
            self.state = State::Early;
        }
        Ok(if accepted { self.agree(out) } else { None })
    }

    /// The caller's side confirmed the answer, or sent its first packet.
    pub fn come_up(&mut self) {
        if self.state == State::Answering {
            self.state = State::Up;
        }
    }

    fn progress(&self, status: u16, body: Option<Bytes>, out: &mut VecDeque<Output>) {
        let session = self.session;
        out.push_back(Output::Sip(Command::Progress { session, status, body }));
    }

    // Signalling of a leg that we placed.

    /// Its signalling comes from there: behind NAT, so does its media (T8).
    pub fn heard_from(&mut self, address: IpAddr) {
        self.signalling = Some(address);
        if let Some(negotiation) = &mut self.negotiation {
            negotiation.heard_from(address);
        }
    }

    /// It rings there; early media, if there is any, opens the port.
    pub fn progressed(&mut self, body: &[u8], out: &mut VecDeque<Output>) -> Option<Agreement> {
        if !matches!(self.state, State::Calling | State::Ringing | State::Early) {
            return None;
        }
        if self.state == State::Calling {
            self.state = State::Ringing;
        }
        let accepted = !body.is_empty() && self.accept(body);
        if !accepted {
            return None;
        }
        self.state = State::Early;
        self.agree(out)
    }

    /// It was answered there.
    ///
    /// # Errors
    /// When its session description does not fit.
    pub fn answered(
        &mut self,
        body: &[u8],
        out: &mut VecDeque<Output>,
    ) -> Result<Option<Agreement>, Refusal> {
        // An answer without a description stands by the one that came before it.
        let agreed = self.codec().is_some();
        let accepted = self.accept(body) || agreed && body.is_empty();
        if !accepted {
            return Err(Refusal::status(488));
        }
        self.state = State::Up;
        Ok(self.agree(out))
    }

    fn accept(&mut self, body: &[u8]) -> bool {
        self.negotiation.as_mut().is_some_and(|it| it.accept(body).is_ok())
    }

    // Signalling of both.

    /// Answers a re-INVITE.
    pub fn reoffered(&mut self, body: &[u8], out: &mut VecDeque<Output>) -> Option<Agreement> {
        let session = self.session;
        let Some(negotiation) = self.negotiation.as_mut() else {
            let answer = Err(Refusal::status(488));
            out.push_back(Output::Sip(Command::AnswerReoffer { session, answer }));
            return None;
        };
        let again = negotiation.answer_again(body);
        let changes = again.as_ref().is_ok_and(|again| again.change == Change::Some);
        let agreement = if changes { self.agree(out) } else { None };
        let answer = again.map(|again| again.answer);
        out.push_back(Output::Sip(Command::AnswerReoffer { session, answer }));
        agreement
    }

    /// Sends a caller who was not answered elsewhere.
    pub fn redirect(&mut self, targets: Vec<String>, out: &mut VecDeque<Output>) {
        self.state = State::Ending;
        out.push_back(Output::Sip(Command::Redirect { session: self.session, targets }));
    }

    /// Refuses a caller who was not answered.
    pub fn refuse(&mut self, refusal: Refusal, out: &mut VecDeque<Output>) {
        self.state = State::Ending;
        out.push_back(Output::Sip(Command::Refuse { session: self.session, refusal }));
    }

    /// Ends the leg from our side, in whatever state it is: a caller who waits is refused, a leg
    /// that we place is cancelled, one that is up gets BYE.
    pub fn end(&mut self, refusal: Refusal, reason: String, out: &mut VecDeque<Output>) {
        let waits = matches!(self.state, State::Calling | State::Ringing | State::Early);
        match self.state {
            State::Ending | State::Over => {}
            _ if waits && self.destination.is_none() => self.refuse(refusal, out),
            // Nothing was sent yet: there is nobody who could tell its end.
            State::Calling if self.negotiation.is_none() => self.state = State::Over,
            State::Calling | State::Ringing | State::Early | State::Answering | State::Up => {
                self.state = State::Ending;
                let (session, reason) = (self.session, Some(reason));
                out.push_back(Output::Sip(Command::HangUp { session, reason }));
            }
        }
    }

    /// The signalling is over.
    pub fn ended(&mut self) {
        self.state = State::Over;
    }
}

impl Offering {
    fn to(incoming: &Incoming) -> Self {
        let lists = |name: &str| {
            let fields = incoming.headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
            let mut tokens = fields.flat_map(|(_, value)| value.split(','));
            tokens.any(|token| token.trim().eq_ignore_ascii_case(RELIABLE))
        };
        match (incoming.body.is_empty(), lists("Require"), lists("Supported")) {
            (true, true, _) => Self::First,
            (true, false, true) => Self::Early,
            (true, false, false) | (false, _, _) => Self::Late,
        }
    }
}

/// The extension by which provisional answers arrive for sure (RFC 3262).
const RELIABLE: &str = "100rel";
