//! What is known of calls beside themselves: what whoever began them said of them, and what orders to
//! them prove themselves with. Those who answer programs and those who tell them share it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ring::hmac;
use serde_json::json;

use crate::base::id::CallId;
use crate::engine::clock;
use crate::server::vapi::orders::Note;

/// What is known of calls, as long as the server runs.
#[derive(Clone)]
pub struct Ledger {
    /// What was said of the last calls.
    notes: Arc<Mutex<VecDeque<(CallId, Note)>>>,
    /// Orders to calls prove themselves with this.
    key: hmac::Key,
}

impl Ledger {
    /// An empty one, with a key that nobody knows.
    pub fn open() -> Self {
        let mut secret = [0; 32];
        clock::random().fill(&mut secret);
        Self { notes: Arc::default(), key: hmac::Key::new(hmac::HMAC_SHA256, &secret) }
    }

    /// Remembers what was said of a call.
    pub fn note(&self, call: CallId, note: Note) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.retain(|(noted, _)| *noted != call);
        if notes.len() >= MOST_NOTES {
            notes.pop_front();
        }
        notes.push_back((call, note));
    }

    /// Lets a call be called otherwise.
    pub fn rename(&self, call: CallId, name: Option<&str>) {
        let mut note = self.noted(call).unwrap_or_default();
        note.says.insert("name".to_owned(), json!(name));
        self.note(call, note);
    }

    /// What was said of a call, if it was begun here and is remembered.
    pub fn noted(&self, call: CallId) -> Option<Note> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().find(|(noted, _)| *noted == call).map(|(_, note)| note.clone())
    }

    /// What an order to a call proves itself with.
    pub fn token(&self, call: CallId) -> String {
        let tag = hmac::sign(&self.key, call.to_string().as_bytes());
        tag.as_ref().iter().map(|it| format!("{it:02x}")).collect()
    }

    /// Whether an order to a call proves itself.
    pub fn is_proven(&self, call: CallId, token: &str) -> bool {
        use subtle::ConstantTimeEq;
        self.token(call).as_bytes().ct_eq(token.as_bytes()).into()
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

/// How many calls are remembered with what was said of them.
const MOST_NOTES: usize = 10_000;
