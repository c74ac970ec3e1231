//! Who stands in which dialog, so that nobody is left in a dead call: it is written down, and a server
//! that starts after a kill says BYE to all who were there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SipShard;
use crate::engine::clock;
use crate::engine::newest::Told;
use crate::sip::dialog::state::Dialog;
use crate::sip::event::Event;

/// Who is told of the dialogs that stand.
#[derive(Debug)]
pub(super) struct Standing {
    told: Told<Vec<Dialog>>,
    /// When they are to be told next, if they changed.
    due: Option<Instant>,
    /// Those of a server that was killed.
    left: Vec<Dialog>,
}

impl SipShard {
    /// Says goodbye in the dialogs that a server left behind when it was killed, and has written down
    /// which stand from now on.
    #[must_use]
    pub fn with_farewells(mut self, left: Vec<Dialog>, told: Told<Vec<Dialog>>) -> Self {
        self.standing = Some(Standing { told, due: None, left });
        self
    }

    pub(super) fn say_farewells(&mut self) {
        let left = self.standing.as_mut().map(|it| std::mem::take(&mut it.left));
        for dialog in left.into_iter().flatten() {
            tracing::warn!(sip_call_id = dialog.id.call_id, "says goodbye in a call that was up");
            self.endpoint.bid_farewell(clock::now(), dialog);
            self.drain();
        }
        // None of them stands any longer.
        self.note_change();
    }

    /// Notes what may begin, change or end a dialog.
    pub(super) fn note_dialog(&mut self, event: &Event) {
        let changes = matches!(
            event,
            Event::Answered { .. }
                | Event::Confirmed { .. }
                | Event::Reoffered { .. }
                | Event::OfferAnswered { .. }
                | Event::Ended { .. }
        );
        if changes {
            self.note_change();
        }
    }

    fn note_change(&mut self) {
        if let Some(standing) = &mut self.standing {
            standing.due.get_or_insert_with(|| clock::now() + TOGETHER);
        }
    }

    pub(super) fn standing_deadline(&self) -> Option<Instant> {
        self.standing.as_ref()?.due
    }

    /// Has written down which dialogs stand.
    pub(super) fn tell_standing(&mut self, now: Instant) {
        let Some(standing) = &mut self.standing else { return };
        if standing.due.is_some_and(|due| due <= now) {
            standing.due = None;
            standing.told.send_replace(Arc::new(self.endpoint.dialogs()));
        }
    }
}

/// Changes within this time are written down together.
const TOGETHER: Duration = Duration::from_millis(300);
