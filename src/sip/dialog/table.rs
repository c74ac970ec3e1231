//! The table of sessions, found by identity or by dialog, with their timers and their count.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Instant;

use super::invite::{Phase, Session};
use super::state::{Dialog, DialogId};
use crate::sip::event::{Connection, SessionId};
use crate::sip::transaction::agenda::Agenda;

/// Every session of an endpoint.
#[derive(Debug, Default)]
pub struct Table {
    sessions: HashMap<SessionId, Session>,
    by_dialog: HashMap<DialogId, SessionId>,
    agenda: Agenda<SessionId>,
    half_open: HashMap<IpAddr, usize>,
    /// Whose dialogs go through each connection.
    by_stream: HashMap<Connection, BTreeSet<SessionId>>,
}

impl Table {
    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether nothing at all is kept.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
            && self.by_dialog.is_empty()
            && self.agenda.is_empty()
            && self.half_open.is_empty()
            && self.by_stream.is_empty()
    }

    /// How many INVITEs of a source wait for their ACK.
    pub fn half_open(&self, source: IpAddr) -> usize {
        self.half_open.get(&source).copied().unwrap_or(0)
    }

    /// Finds the session of a dialog.
    pub fn find(&self, dialog: &DialogId) -> Option<SessionId> {
        self.by_dialog.get(dialog).copied()
    }

    /// The sessions whose dialogs go through a connection.
    pub fn through(&self, stream: &Connection) -> Vec<SessionId> {
        self.by_stream.get(stream).into_iter().flatten().copied().collect()
    }

    /// The dialogs in which somebody is.
    pub fn standing(&self) -> impl Iterator<Item = &Dialog> {
        self.sessions.values().filter_map(|session| match &session.phase {
            Phase::Up(up) => Some(&up.dialog),
            Phase::Calling(_) | Phase::Ringing(_) | Phase::Leaving(_) => None,
        })
    }

    /// Looks at a session.
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// Takes a session out, to be worked on and put back, or dropped when it has ended. Whoever
    /// takes it owns it, so no dialog, timer or count of it stays behind.
    pub fn take(&mut self, id: SessionId) -> Option<Session> {
        let session = self.sessions.remove(&id)?;
        for dialog in session.dialogs() {
            self.by_dialog.remove(dialog);
        }
        self.agenda.arm(id, None);
        if let Some(source) = session.half_open {
            self.release(source);
        }
        if let Some(stream) = session.stream()
            && let Some(sessions) = self.by_stream.get_mut(&stream)
        {
            sessions.remove(&id);
            if sessions.is_empty() {
                self.by_stream.remove(&stream);
            }
        }
        Some(session)
    }

    /// Puts a session in.
    pub fn put(&mut self, session: Session) {
        for dialog in session.dialogs() {
            self.by_dialog.insert(dialog.clone(), session.id);
        }
        self.agenda.arm(session.id, session.deadline());
        if let Some(source) = session.half_open {
            *self.half_open.entry(source).or_default() += 1;
        }
        if let Some(stream) = session.stream() {
            self.by_stream.entry(stream).or_default().insert(session.id);
        }
        self.sessions.insert(session.id, session);
    }

    /// When a session's timer fires next.
    pub fn deadline(&self) -> Option<Instant> {
        self.agenda.next()
    }

    /// Takes out a session whose timer is due.
    pub fn take_due(&mut self, now: Instant) -> Option<Session> {
        let id = self.agenda.pop_due(now)?;
        self.take(id)
    }

    fn release(&mut self, source: IpAddr) {
        let Some(count) = self.half_open.get_mut(&source) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.half_open.remove(&source);
        }
    }
}
