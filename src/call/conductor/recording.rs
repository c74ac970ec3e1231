//! Whether a call is recorded: as the route or the agent says, with the caller's knowledge or after
//! the caller agreed, and with pauses.

use std::sync::Arc;
use std::time::Instant;

use super::Conductor;
use crate::agent::assistant::{Assistant, RecordConsent};
use crate::agent::introduction::Answer;
use crate::agent::permission;
use crate::agent::tool::ToolCall;
use crate::call::briefing::{Casting, Post};
use crate::call::event::{Output, Taping};
use crate::media::event::{Command, Digit};
use crate::sip::event::SessionId;

/// Whether the caller must agree before anything is recorded.
#[derive(Debug, Default)]
pub(super) enum Consent {
    /// It need not, or it has.
    #[default]
    Given,
    /// It must, by a key at any time, and nothing is kept meanwhile.
    Awaited,
    /// It is asked before anything else, and nothing is kept meanwhile: whoever has it then.
    Asked(Box<Post>),
    /// It does not, and nothing is kept at all.
    Refused,
}

impl Conductor {
    /// Whether the call is recorded, once the caller has agreed if it must.
    pub(super) fn is_recorded(&self) -> bool {
        self.records(self.desk.casting().map(|casting| &*casting.assistant))
    }

    fn records(&self, assistant: Option<&Assistant>) -> bool {
        self.route_records.unwrap_or(assistant.is_some_and(|assistant| assistant.record))
    }

    /// Whether nothing may be recorded, as it stands.
    pub(super) fn withholds(&self) -> bool {
        match self.consent {
            Consent::Given => false,
            Consent::Awaited | Consent::Asked(_) | Consent::Refused => true,
        }
    }

    /// Whether this is the first agent of a call that is recorded.
    fn is_first(&self, assistant: &Assistant) -> bool {
        self.desk.casting().is_none()
            && self.leg(self.near).is_none_or(|leg| !leg.is_up() && !leg.is_bound())
            && self.records(Some(assistant))
    }

    /// Lets somebody ask first whether the call may be recorded, where that is wanted: who comes
    /// to the desk now.
    pub(super) fn asking_first(&mut self, post: Post) -> Post {
        let assistant = post.casting.assistant.clone();
        if assistant.record_consent != RecordConsent::Voice || !self.is_first(&assistant) {
            return post;
        }
        let asker = permission::asker(&post.casting.name);
        let Some(casting) = self.briefing.agents.get(&asker).cloned() else {
            // Without a question nobody has agreed.
            self.consent = Consent::Refused;
            return post;
        };
        self.chronicle.notified("voice", assistant.notice());
        self.consent = Consent::Asked(Box::new(post));
        Post { casting, squad: None }
    }

    /// Whether the caller is being asked.
    pub(super) fn is_asking_consent(&self) -> bool {
        matches!(self.consent, Consent::Asked(_))
    }

    /// Takes a call of a tool that is the caller's answer.
    pub(super) fn is_of_consent(&mut self, now: Instant, call: &ToolCall) -> bool {
        let is_asking = self.is_asking_consent();
        if is_asking {
            self.consented(now, Answer::of(call).unwrap_or(Answer::Unclear));
        }
        is_asking
    }

    /// The caller has answered, or will not: the call goes on with whoever has it.
    pub(super) fn consented(&mut self, now: Instant, answer: Answer) {
        let post = match std::mem::take(&mut self.consent) {
            Consent::Asked(post) => *post,
            other => {
                self.consent = other;
                return;
            }
        };
        match answer {
            Answer::Taken => self.may_be_recorded(now),
            Answer::Declined | Answer::Unclear | Answer::HungUp => {
                self.consent = Consent::Refused;
                let fact = self.chronicle.refused(now, answer == Answer::Declined);
                self.out.push_back(Output::Fact(fact));
            }
        }
        let casting = self.with_disclosure(post.casting);
        self.out.push_back(Output::Engage(casting.clone()));
        self.desk.seat(Post { casting, ..post });
        if !self.flow_begins(now) {
            self.open_desk(now, None);
        }
    }

    /// The caller agrees: what is said from now on is kept.
    fn may_be_recorded(&mut self, now: Instant) {
        self.consent = Consent::Given;
        let fact = self.chronicle.agreed(now);
        self.out.push_back(Output::Fact(fact));
        self.with(self.near, |leg, out| leg.record(out));
    }

    /// Lets the first agent of a call that is recorded say so before anything else, where that is
    /// wanted.
    pub(super) fn with_notice(&mut self, casting: Arc<Casting>) -> Arc<Casting> {
        let assistant = &casting.assistant;
        let mode = match assistant.record_consent {
            // Where an answer is wanted, somebody else asks.
            RecordConsent::None | RecordConsent::Voice => return casting,
            RecordConsent::Announce => "announce",
            RecordConsent::Dtmf => "dtmf",
        };
        if !self.is_first(assistant) {
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
        let agrees = matches!(self.consent, Consent::Awaited) && session == self.near;
        if !agrees || digit.key() != AGREES {
            return false;
        }
        self.may_be_recorded(now);
        true
    }

    /// The operator wants nothing of what is said now in the recording, or everything again.
    pub(super) fn recording_ordered(&mut self, now: Instant, taping: Taping) {
        self.privacy.ordered(taping);
        self.tape(now, taping);
    }

    /// Pauses the recording, or goes on with it, if there is one.
    pub(super) fn tape(&mut self, now: Instant, taping: Taping) {
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
