//! An INVITE session (RFC 3261 13 to 15): from the first INVITE, ours or theirs, to the last BYE.

use std::net::IpAddr;
use std::time::Instant;

use super::answer::Answer;
use super::arrival::Arrival;
use super::refer::Referral;
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
    /// The dialogs of its provisional answers.
    pub early: Vec<DialogId>,
    /// Why it is to be cancelled, if it is.
    pub cancel: Option<Cancel>,
    /// When nobody waits for the final answer any more.
    pub until: Instant,
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
    /// When the provisional answer is repeated, so that no proxy gives up (13.3.1.1).
    pub remind_at: Option<Instant>,
}

/// An accepted session.
#[derive(Debug)]
pub struct Up {
    /// Its dialog.
    pub dialog: Dialog,
    /// Our 200 that waits for an ACK.
    pub answer: Option<Answer>,
    /// Whether that 200 is the first of the session, so that its ACK is news.
    pub is_confirmed: bool,
    /// Our wish to end a session that has no ACK yet: BYE must wait for it (15).
    pub hang_up: Option<HangUp>,
    /// A re-INVITE or UPDATE that waits for the owner.
    pub reoffer: Option<Reoffer>,
    /// A REFER of the peer.
    pub referral: Option<Referral>,
    /// Whether the peer has sent a REFER before: then the next one's NOTIFYs need an id.
    pub was_referred: bool,
    /// Whether our own REFER is under way.
    pub refers: bool,
}

/// A wish to hang up.
#[derive(Debug)]
pub struct HangUp {
    /// The Reason header's value.
    pub reason: Option<String>,
}

/// A re-INVITE or UPDATE that waits for the owner.
#[derive(Debug)]
pub struct Reoffer {
    /// Its transaction.
    pub transaction: TransactionId,
    /// The request itself, to be answered.
    pub request: Arrival,
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
            Phase::Calling(calling) => Some(calling.until),
            Phase::Ringing(ringing) => ringing.remind_at,
            Phase::Up(up) => up.answer.as_ref().map(Answer::deadline),
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

    /// The peer speaks through another connection than before: so do we from now on.
    pub fn heard_through(&mut self, flow: Flow) {
        if let Some(dialog) = self.dialog_mut().filter(|_| flow.transport.is_reliable()) {
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
            Phase::Calling(calling) => calling.early.iter().collect(),
            Phase::Ringing(ringing) => vec![&ringing.dialog.id],
            Phase::Up(up) => vec![&up.dialog.id],
            Phase::Leaving(leaving) => vec![&leaving.dialog.id],
        }
    }
}

impl Up {
    /// A session that has just been accepted in `dialog`, by whom.
    pub fn new(dialog: Dialog, accepted_by: Party) -> Self {
        Self {
            dialog,
            answer: None,
            is_confirmed: accepted_by == Party::Peer,
            hang_up: None,
            reoffer: None,
            referral: None,
            was_referred: false,
            refers: false,
        }
    }
}
