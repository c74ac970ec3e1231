//! Whether a call is recorded: as the route or the agent says, with the caller's knowledge or after
//! the caller agreed, and with pauses.

use std::sync::Arc;
use std::time::Instant;

use super::Conductor;
use crate::agent::assistant::{Assistant, RecordConsent};
use crate::call::briefing::Casting;
use crate::call::event::{Output, Taping};
use crate::media::event::{Command, Digit};
use crate::sip::event::SessionId;

/// Whether the caller must agree before anything is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Consent {
    /// It need not, or it has.
    #[default]
    Given,
    /// It must, and nothing is kept meanwhile.
    Awaited,
}

impl Conductor {
    /// Whether the call is recorded, once the caller has agreed if it must.
    pub(super) fn is_recorded(&self) -> bool {
        self.records(self.desk.casting().map(|casting| &*casting.assistant))
    }

    fn records(&self, assistant: Option<&Assistant>) -> bool {
        self.route_records.unwrap_or(assistant.is_some_and(|assistant| assistant.record))
    }

    /// Lets the first agent of a call that is recorded say so before anything else, where that is
    /// wanted.
    pub(super) fn with_notice(&mut self, casting: Arc<Casting>) -> Arc<Casting> {
        let assistant = &casting.assistant;
        let near = self.near;
        let is_first = self.desk.casting().is_none()
            && self.leg(near).is_none_or(|leg| !leg.is_up() && !leg.is_bound());
        let mode = match assistant.record_consent {
            RecordConsent::None => return casting,
            RecordConsent::Announce => "announce",
            RecordConsent::Dtmf => "dtmf",
        };
        if !is_first || !self.records(Some(assistant)) {
            return casting;
        }
        if assistant.record_consent == RecordConsent::Dtmf {
            self.consent = Consent::Awaited;
        }
        let notice = assistant.notice();
        let first = assistant.first_message.as_deref().unwrap_or_default();
        let first_message = Some(format!("{notice} {first}").trim_end().to_owned());
        self.chronicle.notified(mode, notice);
        let assistant = Arc::new(Assistant { first_message, ..(**assistant).clone() });
        Arc::new(Casting { assistant, ..(*casting).clone() })
    }

    /// The caller pressed a key; true when it was the one by which it agrees to be recorded.
    pub(super) fn agrees_by(&mut self, now: Instant, session: SessionId, digit: Digit) -> bool {
        let agrees = self.consent == Consent::Awaited && session == self.near;
        if !agrees || digit.key() != AGREES {
            return false;
        }
        self.consent = Consent::Given;
        let fact = self.chronicle.agreed(now);
        self.out.push_back(Output::Fact(fact));
        self.with(session, |leg, out| leg.record(out));
        true
    }

    /// The operator wants nothing of what is said now in the recording, or everything again.
    pub(super) fn recording_ordered(&mut self, now: Instant, taping: Taping) {
        let is_paused = self.chronicle.is_paused();
        if !self.chronicle.record().recorded {
            return;
        }
        let (command, fact) = match (taping, is_paused) {
            (Taping::Pause, false) => {
                (Command::PauseRecording, self.chronicle.recording_paused(now))
            }
            (Taping::Resume, true) => {
                (Command::ResumeRecording, self.chronicle.recording_resumed(now))
            }
            (Taping::Pause, true) | (Taping::Resume, false) => return,
        };
        // Whichever port records: the others do not care.
        for leg in &mut self.legs {
            leg.media(command.clone(), &mut self.out);
        }
        self.out.push_back(Output::Fact(fact));
    }
}

/// The key that means yes.
const AGREES: char = '1';
