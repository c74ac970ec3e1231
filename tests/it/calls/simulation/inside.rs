//! What the phone does by hand inside its dialog, because its endpoint does it otherwise: re-INVITEs.

use bytes::Bytes;
use voxtrunk::sdp::negotiate::{self, Local};
use voxtrunk::sip::header::Name;
use voxtrunk::sip::message::Message;
use voxtrunk::sip::method::Method;
use voxtrunk::sip::print::Builder;

/// The dialog of the phone, as far as its messages show it.
#[derive(Debug, Default)]
pub struct Dialog {
    invite: Option<Message>,
    answer: Option<Message>,
    reinvites: u32,
    /// Who answers an offer in the 200 of a re-INVITE, which came without one.
    moving: Option<Local>,
}

impl Dialog {
    /// Looks at a message that the phone's endpoint sends.
    pub fn transmit(&mut self, bytes: &Bytes) {
        let Ok(message) = Message::parse_datagram(bytes) else { return };
        if message.method() == Some(&Method::Invite) {
            self.invite = Some(message);
        }
    }

    /// Looks at a message that arrives; gives the ACK when it answers a re-INVITE of ours, which
    /// the endpoint does not know.
    pub fn receive(&mut self, message: &Message) -> Option<Bytes> {
        let cseq = message.cseq().ok()?;
        let status = message.status()?;
        if cseq.method != Method::Invite || status < 200 {
            return None;
        }
        if cseq.number <= FIRST {
            if status < 300 {
                self.answer.get_or_insert_with(|| message.clone());
            }
            return None;
        }
        let moved = self.moving.as_ref().filter(|_| status < 300);
        let answer =
            moved.map(|local| negotiate::answer(&message.body(), local).expect("an offer"));
        // The ACK of a refusal belongs to the transaction of the INVITE (RFC 3261 17.1.1.3).
        let branch = format!("{}{}", if status < 300 { "a" } else { "i" }, cseq.number);
        let ack = self.request(&Method::Ack, cseq.number, &branch)?;
        Some(match answer {
            Some((answer, _)) => ack.finish_with("application/sdp", answer.as_bytes()),
            None => ack.finish(),
        })
    }

    /// A re-INVITE with this offer, when there is a dialog.
    pub fn reinvite(&mut self, offer: &str) -> Option<Bytes> {
        self.reinvites += 1;
        let number = FIRST + self.reinvites;
        let request = self.request(&Method::Invite, number, &format!("i{number}"))?;
        let request = request.header("Contact", "<sip:ann@192.0.2.1:5060>");
        Some(request.finish_with("application/sdp", offer.as_bytes()))
    }

    /// A re-INVITE without an offer; that of the peer is answered in the ACK, for `local`.
    pub fn reinvite_to(&mut self, local: &Local) -> Option<Bytes> {
        self.moving = Some(local.clone());
        self.reinvites += 1;
        let number = FIRST + self.reinvites;
        let request = self.request(&Method::Invite, number, &format!("i{number}"))?;
        Some(request.header("Contact", "<sip:ann@192.0.2.1:5060>").finish())
    }

    fn request(&self, method: &Method, number: u32, branch: &str) -> Option<Builder> {
        let (invite, answer) = (self.invite.as_ref()?, self.answer.as_ref()?);
        let via = format!("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch};rport");
        let request = Builder::request(method, "sip:voxtrunk@192.0.2.2:5060")
            .header("Via", &via)
            .header("Max-Forwards", "70")
            .copy(invite, Name::From)
            .copy(answer, Name::To)
            .copy(invite, Name::CallId)
            .header("CSeq", &format!("{number} {}", method.as_str()));
        Some(request)
    }
}

/// Re-INVITEs are counted from here, above whatever the endpoint counts.
const FIRST: u32 = 1_000_000;
