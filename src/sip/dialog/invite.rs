//! An INVITE session (RFC 3261 13 to 15): from the first INVITE, ours or theirs, to the last BYE.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::answer::Answer;
use super::arrival::Arrival;
use super::offers::Offers;
use super::refer::{Referral, Subscription};
use super::reliable::{Received, Reliable};
use super::session_timer::{Agreed, SessionTimer};
use super::state::{Dialog, DialogId};
use crate::sip::event::{Connection, Flow, Party, SessionId};
use crate::sip::transaction::layer::TransactionId;

/// What is known of one session.
#[derive(Debug)]
pub struct Session {
    /// Its identity.
    pub id: SessionId,
    /// How far it is.
    pub phase: Phase,
    /// The source that is charged for it until its ACK arrives (T4).
    pub half_open: Option<IpAddr>,
}

/// How far a session is.
#[derive(Debug)]
pub enum Phase {
    /// We sent an INVITE that has no final answer.
    Calling(Calling),
    /// They sent an INVITE that has no final answer.
    Ringing(Box<Ringing>),
    /// It is accepted, with or without its ACK.
    Up(Box<Up>),
    /// We sent BYE and wait for its answer.
    Leaving(Leaving),
}

/// Our INVITE, before its final answer.
#[derive(Debug)]
pub struct Calling {
    /// The INVITE.
    pub transaction: TransactionId,
    /// What it offers; nothing, when the peer is to make the offer.
    pub offer: Bytes,
    /// The dialogs of its provisional answers, one for each branch of a fork.
    pub early: Vec<Early>,
    /// For how long a session it asks, if it does (RFC 4028 7.1).
    pub asked: Option<Duration>,
    /// How often that was too brief.
    pub too_brief: u8,
    /// Why it is to be cancelled, if it is.
    pub cancel: Option<Cancel>,
    /// When nobody waits for the final answer any more.
    pub until: Instant,
}

/// An early dialog of our INVITE.
#[derive(Debug)]
pub struct Early {
    /// The dialog.
    pub dialog: Dialog,
    /// What is offered in it.
    pub offers: Offers,
    /// The order of its reliable answers.
    pub received: Received,
    /// The RSeq of an offer that waits for the owner's answer.
    pub unanswered: Option<u32>,
}

/// Our wish to end an INVITE that rings.
#[derive(Debug)]
pub struct Cancel {
    /// The Reason header's value.
    pub reason: Option<String>,
    /// Whether CANCEL has been sent: it must wait for a provisional answer (9.1).
    pub sent: bool,
}

/// Their INVITE, before its final answer.
#[derive(Debug)]
pub struct Ringing {
    /// The INVITE.
    pub transaction: TransactionId,
    /// The INVITE itself, to be answered.
    pub invite: Arrival,
    /// The dialog that an answer confirms.
    pub dialog: Dialog,
    /// What is offered in it.
    pub offers: Offers,
    /// The provisional answers that must arrive.
    pub reliable: Reliable,
    /// When the provisional answer is repeated, so that no proxy gives up (13.3.1.1).
    pub remind_at: Option<Instant>,
}

/// An accepted session.
#[derive(Debug)]
pub struct Up {
    /// Its dialog.
    pub dialog: Dialog,
    /// Who sent the INVITE.
    pub caller: Party,
    /// Our 200 that waits for an ACK.
    pub answer: Option<Answer>,
    /// Whether that 200 is the first of the session, so that its ACK is news.
    pub is_confirmed: bool,
    /// Our wish to end a session that has no ACK yet: BYE must wait for it (15).
    pub hang_up: Option<HangUp>,
    /// What is offered in it.
    pub offers: Offers,
    /// The ACK of an answer that brought an offer: it waits for the owner's answer (13.2.2.4).
    pub owed: Option<Owed>,
    /// The session timer, if there is one.
    pub timer: Option<SessionTimer>,
    /// A REFER of the peer.
    pub referral: Option<Referral>,
    /// Whether the peer has sent a REFER before: then the next one's NOTIFYs need an id.
    pub was_referred: bool,
    /// Our own REFER, if one is under way.
    pub refers: Option<Subscription>,
}

/// An ACK that we owe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owed {
    /// Our INVITE.
    pub transaction: TransactionId,
    /// Its CSeq.
    pub sequence: u32,
    /// When the owner has had time enough.
    pub until: Instant,
}

/// A wish to hang up.
#[derive(Debug)]
pub struct HangUp {
    /// The Reason header's value.
    pub reason: Option<String>,
}

/// A session after our BYE.
#[derive(Debug)]
pub struct Leaving {
    /// Its dialog: the peer may say BYE too.
    pub dialog: Dialog,
    /// The Reason that we gave.
    pub reason: Option<String>,
}

impl Session {
    /// When a timer of the session fires next.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Calling(calling) => {
                let early = calling.early.iter().filter_map(|early| early.offers.deadline());
                early.chain([calling.until]).min()
            }
            Phase::Ringing(ringing) => {
                let reliable = ringing.reliable.deadline();
                let times = [ringing.remind_at, reliable, ringing.offers.deadline()];
                times.into_iter().flatten().min()
            }
            Phase::Up(up) => up.deadline(),
            Phase::Leaving(_) => None,
        }
    }

    /// Whether it waits for the answer to that INVITE of ours.
    pub fn is_calling(&self, invite: TransactionId) -> bool {
        matches!(&self.phase, Phase::Calling(calling) if calling.transaction == invite)
    }

    /// Our tag in its dialog, once there is one.
    pub fn local_tag(&self) -> &str {
        self.dialogs().first().map_or("", |dialog| &dialog.local_tag)
    }

    /// The connection through which its dialog goes, if it is one.
    pub fn stream(&self) -> Option<Connection> {
        let dialog = match &self.phase {
            Phase::Calling(_) => return None,
            Phase::Ringing(ringing) => &ringing.dialog,
            Phase::Up(up) => &up.dialog,
            Phase::Leaving(leaving) => &leaving.dialog,
        };
        dialog.flow.connection()
    }

    /// The peer speaks through another connection than before, or from another port of its
    /// address, as after NAT has forgotten it: so do we from now on.
    pub fn heard_through(&mut self, flow: Flow) {
        let Some(dialog) = self.dialog_mut() else { return };
        let is_same_host =
            dialog.flow.transport == flow.transport && dialog.flow.remote.ip() == flow.remote.ip();
        if flow.transport.is_reliable() || is_same_host {
            dialog.flow = flow;
        }
    }

    /// The connection of its dialog is gone: what comes next goes to where the peer listens.
    pub fn lose_connection(&mut self, lost: Connection) {
        if let Some(dialog) = self.dialog_mut()
            && dialog.flow.connection() == Some(lost)
        {
            dialog.flow = dialog.elsewhere().unwrap_or(dialog.flow);
        }
    }

    fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match &mut self.phase {
            Phase::Calling(_) => None,
            Phase::Ringing(ringing) => Some(&mut ringing.dialog),
            Phase::Up(up) => Some(&mut up.dialog),
            Phase::Leaving(leaving) => Some(&mut leaving.dialog),
        }
    }

    /// The dialogs in which the peer may speak.
    pub fn dialogs(&self) -> Vec<&DialogId> {
        match &self.phase {
            Phase::Calling(calling) => calling.early.iter().map(|early| &early.dialog.id).collect(),
            Phase::Ringing(ringing) => vec![&ringing.dialog.id],
            Phase::Up(up) => vec![&up.dialog.id],
            Phase::Leaving(leaving) => vec![&leaving.dialog.id],
        }
    }
}

impl Session {
    /// A dialog of the session with its offers: the one named, or of several the last.
    pub fn talk(&mut self, named: Option<&DialogId>) -> Option<(&mut Dialog, &mut Offers)> {
        let (dialog, offers) = match &mut self.phase {
            Phase::Calling(calling) => {
                let is_it = |early: &&mut Early| named.is_none_or(|id| *id == early.dialog.id);
                let early = calling.early.iter_mut().rev().find(is_it)?;
                (&mut early.dialog, &mut early.offers)
            }
            Phase::Ringing(ringing) => (&mut ringing.dialog, &mut ringing.offers),
            Phase::Up(up) => (&mut up.dialog, &mut up.offers),
            Phase::Leaving(_) => return None,
        };
        Some((dialog, offers))
    }

    /// Its dialog, once it is up.
    pub fn dialog(&self) -> Option<&Dialog> {
        match &self.phase {
            Phase::Up(up) => Some(&up.dialog),
            Phase::Leaving(leaving) => Some(&leaving.dialog),
            Phase::Calling(_) | Phase::Ringing(_) => None,
        }
    }

    /// Every set of offers in it.
    pub fn all_offers(&mut self) -> Vec<&mut Offers> {
        match &mut self.phase {
            Phase::Calling(calling) => {
                calling.early.iter_mut().map(|early| &mut early.offers).collect()
            }
            Phase::Ringing(ringing) => vec![&mut ringing.offers],
            Phase::Up(up) => vec![&mut up.offers],
            Phase::Leaving(_) => Vec::new(),
        }
    }

    /// The dialog of the request of ours with that transaction.
    pub fn asked_by(&mut self, id: TransactionId) -> Option<(&mut Dialog, &mut Offers)> {
        let named = match &self.phase {
            Phase::Calling(calling) => {
                let early = calling.early.iter().find(|early| early.offers.is_ours(id))?;
                Some(early.dialog.id.clone())
            }
            Phase::Ringing(_) | Phase::Up(_) | Phase::Leaving(_) => None,
        };
        self.talk(named.as_ref()).filter(|(_, offers)| offers.is_ours(id))
    }

    /// Who sent the INVITE.
    pub fn caller(&self) -> Party {
        match &self.phase {
            Phase::Calling(_) => Party::Us,
            Phase::Ringing(_) => Party::Peer,
            Phase::Up(up) => up.caller,
            Phase::Leaving(_) => Party::Us,
        }
    }
}

impl Up {
    /// A session that the peer has just accepted in `dialog`.
    pub fn accepted(dialog: Dialog, offers: Offers) -> Self {
        Self { is_confirmed: true, ..Self::new(dialog, offers, Party::Us) }
    }

    /// A session that we have just accepted in `dialog`.
    pub fn answered(dialog: Dialog, offers: Offers) -> Self {
        Self::new(dialog, offers, Party::Peer)
    }

    fn new(dialog: Dialog, offers: Offers, caller: Party) -> Self {
        Self {
            dialog,
            caller,
            answer: None,
            is_confirmed: false,
            hang_up: None,
            offers,
            owed: None,
            timer: None,
            referral: None,
            was_referred: false,
            refers: None,
        }
    }

    /// What was agreed about the session timer.
    pub fn timed(&self) -> Option<Agreed> {
        self.timer.as_ref().map(SessionTimer::agreed)
    }

    /// The session was refreshed, and this was agreed about its timer.
    pub fn time(&mut self, agreed: Option<Agreed>, now: Instant) {
        self.timer = agreed.map(|agreed| SessionTimer::start(agreed, now));
    }

    fn deadline(&self) -> Option<Instant> {
        let times = [
            self.answer.as_ref().map(Answer::deadline),
            self.offers.deadline(),
            self.timer.as_ref().map(SessionTimer::deadline),
            self.referral.as_ref().and_then(|referral| referral.until),
            self.refers.as_ref().map(|subscription| subscription.until),
            self.owed.map(|owed| owed.until),
        ];
        times.into_iter().flatten().min()
    }
}
