//! What is known of the calls that are shown, and what keys do to it.

use std::collections::{BTreeMap, VecDeque};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::Value;

use crate::server::console::paint::harmless;
use crate::server::control::view::{CallView, StatusView, TrunkView};

/// What is known.
#[derive(Debug, Default)]
pub struct Board {
    /// How the server stands.
    pub status: Option<StatusView>,
    /// The calls, the oldest first.
    pub calls: Vec<CallView>,
    /// The trunks.
    pub trunks: Vec<TrunkView>,
    /// How many calls there were, second by second.
    pub crowd: VecDeque<u64>,
    /// What was heard of calls while they were up.
    heard: BTreeMap<String, Heard>,
    /// The call that is chosen.
    chosen: Option<String>,
    /// Whether it is to be hung up, if that is meant.
    pub asks: bool,
}

/// What was heard of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// How long the caller waited for its last answers, in milliseconds; the newest last.
    pub turns: VecDeque<u64>,
    /// Who said what of late.
    pub words: VecDeque<(String, String)>,
}

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Nothing of the server.
    None,
    /// To leave.
    Leave,
    /// To hang up this call.
    HangUp(String),
}

impl Board {
    /// With these calls.
    #[cfg(test)]
    pub fn of(calls: Vec<CallView>) -> Self {
        let mut board = Self { calls, ..Self::default() };
        board.choose_one();
        board
    }

    /// Everything stands so.
    pub fn stands(&mut self, status: StatusView, calls: Vec<CallView>, trunks: Vec<TrunkView>) {
        self.crowd.push_back(status.calls.active);
        if self.crowd.len() > SECONDS {
            self.crowd.pop_front();
        }
        self.heard.retain(|id, _| calls.iter().any(|call| call.id == *id));
        (self.status, self.calls, self.trunks) = (Some(status), calls, trunks);
        self.choose_one();
    }

    /// One is chosen, if there are any.
    fn choose_one(&mut self) {
        if self.place().is_none() {
            self.chosen = self.calls.first().map(|call| call.id.clone());
            self.asks = false;
        }
    }

    /// Something happened.
    pub fn happened(&mut self, event: &Value) {
        let Some(call) = event["call_id"].as_str() else { return };
        let (kind, data) = (event["type"].as_str().unwrap_or_default(), &event["data"]);
        if kind == "call.ended" {
            self.heard.remove(call);
            return;
        }
        let latency = data["latency_ms"].as_u64().filter(|_| kind == "turn.completed");
        let text = data["text"].as_str().filter(|_| kind == "transcript.updated");
        if latency.is_none() && text.is_none() || self.heard.len() >= MOST_CALLS {
            return;
        }
        let heard = self.heard.entry(call.to_owned()).or_default();
        heard.turns.extend(latency);
        let role = data["role"].as_str().unwrap_or_default();
        heard.words.extend(text.map(|text| (harmless(role), harmless(text))));
        while heard.turns.len() > TURNS {
            heard.turns.pop_front();
        }
        while heard.words.len() > WORDS {
            heard.words.pop_front();
        }
    }

    /// A key is pressed.
    pub fn pressed(&mut self, key: KeyEvent) -> Wish {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => return Wish::Leave,
            KeyCode::Char('y') if self.asks => {
                self.asks = false;
                return self.chosen.clone().map_or(Wish::None, Wish::HangUp);
            }
            _ if self.asks => self.asks = false,
            KeyCode::Char('q') | KeyCode::Esc => return Wish::Leave,
            KeyCode::Char('h') => self.asks = self.place().is_some(),
            KeyCode::Down | KeyCode::Char('j') => self.choose(1),
            KeyCode::Up | KeyCode::Char('k') => self.choose(-1),
            _ => {}
        }
        Wish::None
    }

    /// The place of the call that is chosen.
    pub fn place(&self) -> Option<usize> {
        let chosen = self.chosen.as_ref()?;
        self.calls.iter().position(|call| call.id == *chosen)
    }

    /// What was heard of a call.
    pub fn heard(&self, id: &str) -> Heard {
        self.heard.get(id).cloned().unwrap_or_default()
    }

    fn choose(&mut self, by: isize) {
        let Some(place) = self.place() else { return };
        let place = place.saturating_add_signed(by).min(self.calls.len().saturating_sub(1));
        self.chosen = self.calls.get(place).map(|call| call.id.clone());
    }
}

/// So many seconds are shown.
const SECONDS: usize = 120;

/// So many turns of a call.
const TURNS: usize = 8;

/// So many lines of what is said.
const WORDS: usize = 12;

/// Of so many calls it is remembered what was said.
const MOST_CALLS: usize = 2_000;
