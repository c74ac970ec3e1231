//! What of a call nobody may keep: what it tells goes through its veil, and while a caller gives
//! digits that are nobody's business the recording pauses, and nothing of them is told.

use std::time::Instant;

use super::Conductor;
use crate::agent::assistant::Assistant;
use crate::agent::event::Note;
use crate::agent::masking::terms::Terms;
use crate::agent::tools::builtin;
use crate::base::country::Country;
use crate::call::briefing::Briefing;
use crate::call::event::{Fact, Output, Taping};
use crate::call::record::Record;
use crate::call::veil::{Hush, Veil};

/// What of a call is told.
#[derive(Debug)]
pub(super) struct Privacy {
    veil: Veil,
    /// The country whose numbers are dialled where the call is.
    country: Country,
    /// Whether somebody ordered a pause of the recording.
    is_ordered: bool,
    /// Since when what is asked is nobody's business.
    guard: Option<Guard>,
    /// The last turn of the caller that was told, and how far.
    last: Option<(u64, Hush)>,
}

/// Something is asked that is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Guard {
    /// By which tool; nothing when it is a node of the flow.
    tool: Option<String>,
    /// Whether the recording pauses for it, and goes on behind it.
    paused: bool,
}

impl Privacy {
    /// What the server and the tenant of a call want.
    pub(super) fn new(briefing: &Briefing, tenant: &str) -> Self {
        let country = briefing.numbering.country;
        let terms = Terms { country, ..Terms::default() };
        let veil = Veil::new(briefing.privacy.of(tenant), terms);
        Self { veil, country, is_ordered: false, guard: None, last: None }
    }

    /// What an agent wants besides; from now on numbers are said as it says them.
    pub(super) fn serve(&mut self, assistant: &Assistant) {
        let country = assistant.country.unwrap_or(self.country);
        let terms = Terms::new(&assistant.spoken_language(), country);
        self.veil.widen(assistant.mask.iter().copied().collect(), terms);
    }

    /// A fact as it may be told.
    pub(super) fn cover(&mut self, fact: Fact) -> Fact {
        self.veil.cover(fact)
    }

    /// The record of a call that is up, as it may be kept.
    pub(super) fn so_far(&self, record: Record) -> Record {
        self.veil.so_far(record)
    }

    /// Somebody wants a pause of the recording, or its end.
    pub(super) fn ordered(&mut self, taping: Taping) {
        self.is_ordered = taping == Taping::Pause;
    }

    fn hush(&self) -> Hush {
        match (&self.guard, self.is_ordered) {
            (Some(_), _) => Hush::Words,
            (None, true) => Hush::Digits,
            (None, false) => Hush::None,
        }
    }

    /// What may be told of something that a session noted.
    fn heard(&mut self, note: Note) -> Note {
        let hush = self.hush();
        match note {
            Note::CallerSaid { turn, since, text, keys } => {
                // A late text of a turn is no more than its first one was.
                let before = self.last.filter(|(last, _)| *last == turn.0).map(|(_, hush)| hush);
                let hush = hush.max(before.unwrap_or_default());
                self.last = Some((turn.0, hush));
                self.veil.hush(hush);
                let (text, keys) = self.veil.heard(text, keys);
                Note::CallerSaid { turn, since, text, keys }
            }
            Note::AgentSaid { turn, since, text, interrupted } => {
                let text = self.veil.repeated(hush, text);
                Note::AgentSaid { turn, since, text, interrupted }
            }
            Note::ToolCalled(mut call) => {
                if self.guard.is_some() {
                    call.arguments = self.veil.given(&call.arguments);
                }
                Note::ToolCalled(call)
            }
            note @ (Note::ToolDone { .. }
            | Note::FalseInterruption
            | Note::Interrupted
            | Note::TurnJudged { .. }
            | Note::TurnTimed { .. }) => note,
        }
    }
}

impl Conductor {
    /// A session, or the flow, noted something.
    pub(super) fn note(&mut self, now: Instant, note: Note) {
        let note = self.privacy.heard(note);
        match &note {
            Note::ToolCalled(call) if builtin::is_sensitive(call) => {
                self.guard(now, Some(call.id.clone()));
            }
            Note::ToolDone { id, .. } => {
                let guard = self.privacy.guard.as_ref();
                if guard.is_some_and(|guard| guard.tool.as_ref() == Some(id)) {
                    self.unguard(now);
                }
            }
            _ => {}
        }
        self.discloses(now, &note);
        let fact = self.chronicle.note(now, note);
        self.out.extend(fact.map(Output::Fact));
    }

    /// The flow came to a node: what it asks may be nobody's business.
    pub(super) fn guard_node(&mut self, now: Instant, node: &str) {
        let is_sensitive = self.flow.as_ref().is_some_and(|flow| flow.is_sensitive(node));
        match (is_sensitive, self.privacy.guard.is_some()) {
            (true, false) => self.guard(now, None),
            (false, true) => self.unguard(now),
            (true, true) | (false, false) => {}
        }
    }

    /// What is asked from now on is nobody's business.
    fn guard(&mut self, now: Instant, tool: Option<String>) {
        let paused = self.chronicle.record().recorded && !self.chronicle.is_paused();
        if paused {
            self.tape(now, Taping::Pause);
        }
        self.privacy.guard = Some(Guard { tool, paused });
    }

    /// It is over: the recording goes on, unless somebody else wants it paused.
    pub(super) fn unguard(&mut self, now: Instant) {
        let Some(guard) = self.privacy.guard.take() else { return };
        if guard.paused && !self.privacy.is_ordered {
            self.tape(now, Taping::Resume);
        }
    }
}
